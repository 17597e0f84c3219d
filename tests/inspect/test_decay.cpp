#include <ebb/core/error.hpp>
#include <ebb/inspect/decay.hpp>

#include <cmath>
#include <limits>

#include "support/random_arrays.hpp"
#include <doctest/doctest.h>
#include <xtensor-blas/xlinalg.hpp>

using namespace ebb;
using namespace ebb::inspect;

TEST_CASE("half-lives as the literature has them") {
    // A forget gate of sigmoid(1) and of sigmoid(5).
    CHECK(half_life(1 / (1 + std::exp(-1.0))) == doctest::Approx(2.2).epsilon(0.01));
    CHECK(half_life(1 / (1 + std::exp(-5.0))) == doctest::Approx(103.2).epsilon(0.001));
    CHECK(half_life(0.5) == 1);
    CHECK(half_life(2) == -1);
    CHECK(half_life(1) == std::numeric_limits<double>::infinity());
    CHECK(half_life(0) == 0);
    CHECK_THROWS_WITH_AS(half_life(-0.1), "half_life: the factor is -0.1: expected a number >= 0", ValueError);
    CHECK_THROWS_WITH_AS(half_life(std::nan("")), "half_life: the factor is nan: expected a number >= 0", ValueError);
}

TEST_CASE("a decay is fitted to what it is, and ends where a double does") {
    std::vector<double> norm{1000};  // the step into the loss is another thing
    for (int d = 1; d < 60; ++d) norm.push_back(3 * std::pow(0.8, d));
    const auto decay = fit_decay(norm);
    REQUIRE(decay);
    CHECK(decay->factor == doctest::Approx(0.8).epsilon(1e-12));
    CHECK(decay->first == 1);
    CHECK(decay->last == 59);
    CHECK(decay->falls());
    CHECK(std::pow(0.8, decay->half_life()) == doctest::Approx(0.5));
    CHECK(std::pow(0.8, decay->tenth_life()) == doctest::Approx(0.1));

    CHECK(fit_decay(norm, {.first = 5, .longest = 20})->last == 20);
    for (const double end : {0.0, 1e-310, std::nan(""), std::numeric_limits<double>::infinity()}) {
        norm[10] = end;
        CHECK(fit_decay(norm)->last == 9);
        CHECK(fit_decay(norm)->factor == doctest::Approx(0.8).epsilon(1e-12));
    }
    CHECK_FALSE(fit_decay({1, 2}));
    CHECK_FALSE(fit_decay({}));
    CHECK_FALSE(fit_decay({1, 0, 1, 1}));
    const auto growth = fit_decay({0, 1, 10, 100});
    CHECK_FALSE(growth->falls());
    CHECK(growth->tenth_life() == doctest::Approx(-1));
}

TEST_CASE("the memory horizon is the farthest step that still gets its part") {
    CHECK(memory_horizon({1, 0.5, 0.1, 0.011, 0.0099, 0.02, 1e-5}) == 5);
    CHECK(memory_horizon({1, 0.5, 0.1}, 0.5) == 1);
    CHECK(memory_horizon({0, 0, 2, 0.03}) == 3);
    CHECK(memory_horizon({200, 100, 2.1, 1.9}) == 2);
    CHECK(memory_horizon({1, std::numeric_limits<double>::infinity(), 0.5}) == 2);
    CHECK_FALSE(memory_horizon({0, 0}));
    CHECK_FALSE(memory_horizon({}));
    CHECK_THROWS_WITH_AS(memory_horizon({1}, 0), "memory_horizon: the fraction is 0: expected 0 < fraction <= 1",
                         ValueError);
}

TEST_CASE("of any curve: the decay is the best line, the horizon the last step above the fraction") {
    test::RandomArrays random(82);
    for (int trial = 0; trial < 20; ++trial) {
        const std::size_t T = 3 + random.below(40);
        std::vector<double> norm(T);
        for (double& n : norm) n = std::exp(10 * random.uniform() - 8);
        const auto decay = fit_decay(norm);
        REQUIRE(decay);
        // The line a + d ln(factor) by LAPACK's least squares.
        Array<double> columns = Array<double>::from_shape({T - 1, 2}), logs = Array<double>::from_shape({T - 1, 1});
        for (std::size_t d = 1; d < T; ++d) {
            columns(d - 1, 0) = 1;
            columns(d - 1, 1) = static_cast<double>(d);
            logs(d - 1, 0) = std::log(norm[d]);
        }
        const auto line = xt::linalg::lstsq(columns, logs);
        const Array<double> best = std::get<0>(line);
        CHECK(std::abs(decay->factor - std::exp(best(1, 0))) <= 1e-8 * decay->factor);

        const double fraction = 0.001 + 0.9 * random.uniform();
        std::size_t expected = 0;
        for (std::size_t d = 0; d < T; ++d) {
            bool reached = true;
            for (const double other : norm) reached = reached && norm[d] >= fraction * other;
            if (reached) expected = d;
        }
        CHECK(memory_horizon(norm, fraction) == expected);
    }
}

TEST_CASE("time steps as distances from the last") {
    CHECK(by_distance({2, 3, 5}, {0.2, 0.3, 0.5}) == std::vector<double>{0.5, 0, 0.3, 0.2});
    CHECK(by_distance({5, 3, 2}, {0.5, 0.3, 0.2}) == std::vector<double>{0.5, 0, 0.3, 0.2});
    CHECK(by_distance({}, {}).empty());
    CHECK_THROWS_WITH_AS(by_distance({1, 2}, {1}), "by_distance: there are 2 time steps and 1 norms: expected as many",
                         ValueError);
}
