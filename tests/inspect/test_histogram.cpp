#include <ebb/core/error.hpp>
#include <ebb/inspect/histogram.hpp>

#include <cmath>
#include <limits>
#include <numeric>

#include "support/random_arrays.hpp"
#include <doctest/doctest.h>

using namespace ebb;
using namespace ebb::inspect;

namespace {
constexpr double infinity = std::numeric_limits<double>::infinity();
using Counts = std::vector<std::size_t>;
}  // namespace

TEST_CASE("a histogram counts each number once, the largest in the last bin") {
    const std::vector<double> numbers{0, 0.5, 1, 1.5, 2, 4, std::nan(""), infinity, -infinity};
    const Histogram h = histogram(numbers.data(), numbers.size(), 4);
    CHECK(h.low == 0);
    CHECK(h.high == 4);
    CHECK(h.count == Counts{2, 2, 1, 1});
    CHECK(h.nonfinite == 3);
    CHECK(h.edge(1) == 1);

    test::RandomArrays random(81);
    const Array<float> many = test::to_float(random.array({1000}));
    const Histogram counted = histogram(many.data(), many.size(), 17);
    CHECK(std::accumulate(counted.count.begin(), counted.count.end(), std::size_t{0}) == 1000);
    for (std::size_t bin = 0; bin < 17; ++bin) {
        std::size_t inside = 0;
        for (const float v : many) inside += v >= counted.edge(bin) && (v < counted.edge(bin + 1) || bin == 16);
        // An edge itself is rounded: a number on it may count to either side.
        CHECK(std::abs(static_cast<double>(inside) - static_cast<double>(counted.count[bin])) <= 1);
    }
}

TEST_CASE("histograms of little, of equal numbers and of the whole range") {
    CHECK(histogram<double>(nullptr, 0).count.empty());
    const std::vector<double> same(5, 2.5), nans(3, std::nan("")), wide{-1.7e308, 0, 1.7e308};
    CHECK(histogram(same.data(), 5).count == Counts{5});
    CHECK(histogram(nans.data(), 3).count.empty());
    CHECK(histogram(nans.data(), 3).nonfinite == 3);
    CHECK(histogram(wide.data(), 3, 2).count == Counts{1, 2});
}

TEST_CASE("a logarithmic histogram has whole decades, and counts zeros apart") {
    const std::vector<double> numbers{1e-3, -2e-3, 0.5, 0, -0.0, 0.99, std::nan("")};
    const Histogram h = log_histogram(numbers.data(), numbers.size(), 2);
    CHECK(h.low == -3);
    CHECK(h.high == 0);
    CHECK(h.count == Counts{2, 0, 0, 0, 0, 2});
    CHECK(h.zeros == 2);
    CHECK(h.nonfinite == 1);
    const double one = 1;
    CHECK(log_histogram(&one, 1, 3).count == Counts{1, 0, 0});
    const double least = 5e-324;
    CHECK(log_histogram(&least, 1, 1).low == -324);
    CHECK(log_histogram(&least, 0, 1).count.empty());
}

TEST_CASE("histograms without bins") {
    const double one = 1;
    CHECK_THROWS_WITH_AS(histogram(&one, 1, 0), "histogram: the number of bins is 0: expected at least 1", ValueError);
    CHECK_THROWS_WITH_AS(log_histogram(&one, 1, 0), "log_histogram: the number of bins is 0: expected at least 1",
                         ValueError);
}
