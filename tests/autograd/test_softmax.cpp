#include <ebb/core/error.hpp>

#include <cmath>
#include <limits>

#include "support/operation_cases.hpp"
#include <doctest/doctest.h>

using namespace ebb;
using namespace ebb::test;

std::vector<OperationCase> ebb::test::softmax_cases() {
    RandomArrays random(61);
    std::vector<OperationCase> cases;
    const auto add = [&](const char* operation, const char* label, const Shape& shape, bool flat, auto f) {
        cases.push_back(operation_case(operation, label, {random.array(shape)}, f));
        cases.back().flat = flat;
    };
    for (const Shape& shape : {Shape{1}, Shape{7}, Shape{3, 9}, Shape{2, 3, 5}, Shape{2, 1, 3, 9}, Shape{2, 17, 2}})
        for (std::size_t a = 0; a < shape.rank(); ++a) {
            const auto axis = static_cast<std::ptrdiff_t>(a);
            const bool flat = shape[a] == 1;
            add("softmax", "", shape, flat, [=](const auto& in) { return softmax(in[0], axis); });
            add("log_softmax", "", shape, flat, [=](const auto& in) { return log_softmax(in[0], axis); });
            add("logsumexp", "", shape, false, [=](const auto& in) { return logsumexp(in[0], axis); });
            add("logsumexp", "kept", shape, false, [=](const auto& in) { return logsumexp(in[0], axis, true); });
        }
    add("logsumexp", "two axes", {2, 3, 4}, false, [](const auto& in) { return logsumexp(in[0], {0, -1}); });
    add("logsumexp", "all", {2, 3}, false, [](const auto& in) { return logsumexp(in[0]); });
    return cases;
}

TEST_CASE("softmax and its relatives: every case") {
    for (const OperationCase& c : softmax_cases()) check_case(c);
}

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

bool same(double a, double b) {
    return (std::isnan(a) && std::isnan(b)) || a == b || std::abs(a - b) <= 1e-13 * std::max(1.0, std::abs(b));
}

/// A function of rows of 3 numbers, applied along the last axis and, transposed, along the first one.
template <class F>
void check_rows(F f, const std::vector<std::array<double, 3>>& rows,
                const std::vector<std::array<double, 3>>& expected) {
    Array<double> x = Array<double>::from_shape({rows.size(), 3}),
                  columns = Array<double>::from_shape({3, rows.size()});
    for (std::size_t r = 0; r < rows.size(); ++r)
        for (std::size_t c = 0; c < 3; ++c) x(r, c) = columns(c, r) = rows[r][c];
    Tape<double> tape;
    const Array<double> y = f(tape.constant(x), 1).value(), z = f(tape.constant(columns), 0).value();
    for (std::size_t r = 0; r < rows.size(); ++r)
        for (std::size_t c = 0; c < 3; ++c) {
            CAPTURE(r);
            CAPTURE(c);
            CHECK_MESSAGE(same(y(r, c), expected[r][c]), y(r, c), " against ", expected[r][c]);
            CHECK_MESSAGE(same(z(c, r), expected[r][c]), z(c, r), " against ", expected[r][c]);
        }
}

}  // namespace

TEST_CASE("softmax: large numbers, infinities, NaN") {
    const auto f = [](const Variable<double>& x, std::ptrdiff_t axis) { return softmax(x, axis); };
    const double e = std::exp(1.0), total = 1 + e + e * e;
    check_rows(f,
               {{0, 1, 2},
                {1000, 1001, 1002},
                {-1e300, -1e300, -1e300},
                {-infinity, 0, 0},
                {1e308, -1e308, 0},
                {-infinity, -infinity, -infinity},
                {infinity, 0, 0},
                {not_a_number, 0, 0}},
               {{1 / total, e / total, e * e / total},
                {1 / total, e / total, e * e / total},
                {1.0 / 3, 1.0 / 3, 1.0 / 3},
                {0, 0.5, 0.5},
                {1, 0, 0},
                {not_a_number, not_a_number, not_a_number},
                {not_a_number, not_a_number, not_a_number},
                {not_a_number, not_a_number, not_a_number}});
}

TEST_CASE("log_softmax: large numbers, infinities, NaN") {
    const auto f = [](const Variable<double>& x, std::ptrdiff_t axis) { return log_softmax(x, axis); };
    const double log2 = std::log(2.0);
    check_rows(f,
               {{0, -1000, -infinity},
                {-infinity, 5, 5},
                {1e300, 1e300, 0},
                {-infinity, -infinity, -infinity},
                {infinity, 0, 0},
                {0, not_a_number, 0}},
               {{0, -1000, -infinity},
                {-infinity, -log2, -log2},
                {-log2, -log2, -1e300},
                {not_a_number, not_a_number, not_a_number},
                {not_a_number, not_a_number, not_a_number},
                {not_a_number, not_a_number, not_a_number}});
}

TEST_CASE("logsumexp: large numbers, infinities, NaN, nothing") {
    const auto f = [](const Variable<double>& x, std::ptrdiff_t axis) {
        Shape shape = x.shape();
        return broadcast_to(logsumexp(x, axis, true), shape);
    };
    const auto three = [](double x) { return std::array<double, 3>{x, x, x}; };
    check_rows(f,
               {{1000, 1000, -infinity},
                {-1000, -1000, -1000},
                {-infinity, -infinity, -infinity},
                {infinity, 0, 1},
                {infinity, -infinity, 0},
                {0, not_a_number, 0}},
               {three(1000 + std::log(2.0)), three(-1000 + std::log(3.0)), three(-infinity), three(infinity),
                three(infinity), three(not_a_number)});
    Tape<double> tape;
    CHECK(logsumexp(tape.zeros({0})).item() == -infinity);
    CHECK(logsumexp(tape.zeros({2, 0}), 1).value()(1) == -infinity);
    CHECK(logsumexp(tape.zeros({0, 2}), 0).value()(1) == -infinity);
    CHECK(logsumexp(tape.zeros({2, 0}), 0).shape() == Shape{0});
    CHECK(softmax(tape.zeros({2, 0})).shape() == Shape{2, 0});
    CHECK(softmax(tape.zeros({0, 2})).shape() == Shape{0, 2});
    CHECK(logsumexp(tape.scalar(3)).item() == 3);
    CHECK(logsumexp(tape.zeros({2, 3, 4}), {0, 2}, true).shape() == Shape{1, 3, 1});
    CHECK(logsumexp(tape.zeros({2, 3, 4}), Axes{}).shape() == Shape{2, 3, 4});
}

TEST_CASE("a masked row: -infinity gets probability 0 and gradient 0") {
    for (const std::ptrdiff_t axis : {0, 1}) {
        Tape<double> tape;
        const auto x =
            tape.variable(axis == 1 ? array_of({1, 3}, {1, -infinity, 2}) : array_of({3, 1}, {1, -infinity, 2}));
        const auto row = tape.variable(array_of({1, 3}, {3, 1, 4}));
        const auto weights = axis == 1 ? row : transpose(row);
        tape.backward(sum(softmax(x, axis) * weights) + sum(logsumexp(x, axis)));
        const auto dx = x.grad();
        CHECK(dx.data()[1] == 0);
        CHECK(std::isfinite(dx.data()[0]));
        // Also where all is masked, which softmax cannot answer, the sum of nothing has no gradient.
        const auto none = tape.variable(axis == 1 ? array_of({1, 2}, {-infinity, -infinity})
                                                  : array_of({2, 1}, {-infinity, -infinity}));
        const auto y = sum(logsumexp(none, axis));
        const auto again = grad(y, {none}, {.create_graph = true})[0];
        CHECK(again.value().data()[1] == 0);
        CHECK(grad(sum(again), {none})[0].value().data()[0] == 0);
        tape.backward(y);
        CHECK(none.grad().data()[0] == 0);
    }
}

TEST_CASE("softmax sums to 1, in float, over long rows too") {
    RandomArrays random(62);
    for (const std::size_t n : {1, 5, 8, 9, 1000, 50'000}) {
        Tape<float> tape;
        const auto y = softmax(tape.constant(to_float(random.array({2, n}))));
        const Array<float> total = sum(y, 1).value();
        CHECK(total(0) == doctest::Approx(1).epsilon(1e-5));
        CHECK(total(1) == doctest::Approx(1).epsilon(1e-5));
    }
}

TEST_CASE("softmax and its relatives: errors") {
    Tape<double> tape;
    const auto x = tape.variable(Array<double>::from_shape({2, 3}));
    const auto scalar = tape.scalar(1);
    const std::size_t size = tape.size();
    CHECK_THROWS_WITH_AS(softmax(x, 2), "softmax: axis 2 of an array with 2 axes: expected -2 to 1", IndexError);
    CHECK_THROWS_WITH_AS(softmax(scalar), "softmax: axis -1 of a scalar, which has no axes", IndexError);
    CHECK_THROWS_WITH_AS(log_softmax(x, -3), "log_softmax: axis -3 of an array with 2 axes: expected -2 to 1",
                         IndexError);
    CHECK_THROWS_WITH_AS(logsumexp(x, 5), "logsumexp: axis 5 of an array with 2 axes: expected -2 to 1", IndexError);
    CHECK_THROWS_WITH_AS(logsumexp(x, {1, -1}), "logsumexp: axis -1 is named twice", ValueError);
    CHECK(tape.size() == size);
}
