#include <ebb/core/error.hpp>

#include <cmath>
#include <limits>

#include "support/operation_cases.hpp"
#include <doctest/doctest.h>

using namespace ebb;
using namespace ebb::test;

std::vector<OperationCase> ebb::test::reduction_cases() {
    RandomArrays random(21);
    std::vector<OperationCase> cases;
    const auto add = [&](const char* operation, const char* label, const Shape& shape, auto f) {
        cases.push_back(operation_case(operation, label, {random.array(shape)}, f));
    };
    for (const Shape& shape : {Shape{}, Shape{1}, Shape{19}, Shape{3, 5}, Shape{2, 1, 3, 2}, Shape{2, 2, 1, 2, 3}}) {
        add("sum", "all", shape, [](const auto& in) { return sum(in[0]); });
        add("sum", "mean of all", shape, [](const auto& in) { return mean(in[0]); });
        add("sum", "no axis", shape, [](const auto& in) { return sum(in[0], Axes{}); });
        for (std::size_t a = 0; a < shape.rank(); ++a) {
            const auto axis = static_cast<std::ptrdiff_t>(a);
            add("sum", "axis", shape, [=](const auto& in) { return sum(in[0], axis); });
            add("sum", "axis, kept", shape, [=](const auto& in) { return sum(in[0], axis, true); });
            add("sum", "mean, axis", shape, [=](const auto& in) { return mean(in[0], axis); });
        }
    }
    add("sum", "axes 0 and 2", {2, 3, 4}, [](const auto& in) { return sum(in[0], {0, 2}); });
    add("sum", "axes -1 and 0, kept", {2, 3, 4}, [](const auto& in) { return sum(in[0], {-1, 0}, true); });
    add("sum", "mean, axes 1 and 2", {2, 3, 4}, [](const auto& in) { return mean(in[0], {1, 2}); });
    add("sum", "to a shape", {2, 3, 4}, [](const auto& in) { return sum_to(in[0], Shape{3, 1}); });
    return cases;
}

TEST_CASE("reductions: every one, at many shapes") {
    for (const OperationCase& c : reduction_cases()) check_case(c);
}

TEST_CASE("sums and means: values and shapes") {
    Tape<double> tape;
    const auto x = tape.constant(Array<double>{{1, 2, 3}, {4, 5, 6}});
    CHECK(sum(x).item() == 21);
    CHECK(sum(x).shape() == Shape{});
    CHECK(mean(x).item() == 3.5);
    const Array<double> columns = sum(x, 0).value(), rows = sum(x, -1).value();
    CHECK(columns == Array<double>{5, 7, 9});
    CHECK(rows == Array<double>{6, 15});
    CHECK(sum(x, -1, true).shape() == Shape{2, 1});
    CHECK(mean(x, 0, true).shape() == Shape{1, 3});
    CHECK(sum(x, {0, 1}, true).shape() == Shape{1, 1});
    CHECK(sum(x, {1, 0}).shape() == Shape{});
    CHECK(sum(x, Axes{}).shape() == Shape{2, 3});
    CHECK(sum_to(x, Shape{3}).value()(2) == 9);
    CHECK(sum_to(x, Shape{2, 1}).value()(1, 0) == 15);
}

TEST_CASE("sums of arrays without elements") {
    Tape<double> tape;
    const auto x = tape.variable(Array<double>::from_shape({3, 0}));
    CHECK(sum(x).item() == 0);
    CHECK(std::isnan(mean(x).item()));
    const Array<double> rows = sum(x, 1).value();
    CHECK(rows == Array<double>{0, 0, 0});
    CHECK(sum(x, 0).shape() == Shape{0});
    tape.backward(sum(x));
    CHECK(Shape::of(x.grad().shape()) == Shape{3, 0});
}

TEST_CASE("a long sum of floats is exact enough") {
    Tape<float> tape;
    const std::size_t n = 20'000'000;  // a naive sum of ones stops at 2^24 = 16,777,216
    CHECK(sum(tape.ones({n})).item() == 2e7f);
    CHECK(mean(tape.ones({n})).item() == 1);
}

TEST_CASE("reductions: errors") {
    Tape<double> tape;
    const auto x = tape.variable(Array<double>::from_shape({2, 3}));
    const auto scalar = tape.scalar(1);
    const std::size_t size = tape.size();
    CHECK_THROWS_WITH_AS(sum(x, 2), "sum: axis 2 of an array with 2 axes: expected -2 to 1", IndexError);
    CHECK_THROWS_WITH_AS(mean(x, -3), "mean: axis -3 of an array with 2 axes: expected -2 to 1", IndexError);
    CHECK_THROWS_WITH_AS(sum(scalar, 0), "sum: axis 0 of a scalar, which has no axes", IndexError);
    CHECK_THROWS_WITH_AS(sum(x, {0, -2}), "sum: axis -2 is named twice", ValueError);
    CHECK_THROWS_WITH_AS(sum(x, {0, 0, 0, 0, 0, 0, 0, 0, 0}), "Axes: an array has at most 8 axes", ShapeError);
    CHECK_THROWS_WITH_AS(sum_to(x, Shape{2}), "sum_to: x is [2, 3]: expected a shape that broadcasts to it, not [2]",
                         ShapeError);
    CHECK_THROWS_WITH_AS(sum_to(x, Shape{1, 2, 3}),
                         "sum_to: x is [2, 3]: expected a shape that broadcasts to it, not [1, 2, 3]", ShapeError);
    CHECK(tape.size() == size);
}

namespace {
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
}  // namespace

TEST_CASE("variance: the correction, few elements, numbers far from 0") {
    Tape<double> tape;
    const auto x = tape.constant(Array<double>{{1, 2, 3, 6}, {5, 5, 5, 5}});
    const Array<double> sample = var(x, 1).value(), population = var(x, 1, false, 0).value();
    CHECK(sample(0) == doctest::Approx(14.0 / 3));
    CHECK(population(0) == doctest::Approx(14.0 / 4));
    CHECK(sample(1) == 0);
    CHECK(stddev(x, 1).value()(0) == doctest::Approx(std::sqrt(14.0 / 3)));
    CHECK(var(x).item() == doctest::Approx(stddev(x).item() * stddev(x).item()));
    CHECK(var(x, {0, 1}, true).shape() == Shape{1, 1});
    CHECK(std::isnan(var(tape.scalar(3)).item()));  // 0 / 0
    CHECK(std::isnan(var(tape.constant(Array<double>::from_shape({0}))).item()));
    // In one pass, 1e8^2 would swallow the deviations.
    CHECK(var(x + 1e8, 1).value()(0) == doctest::Approx(14.0 / 3).epsilon(1e-6));
    const auto equal = tape.variable(Array<double>{2, 2, 2});
    tape.backward(stddev(equal));
    CHECK(Array<double>(equal.grad()) == Array<double>{0, 0, 0});
}

TEST_CASE("max and min: ties share, NaN and infinities come through") {
    Tape<double> tape;
    const auto x = tape.variable(Array<double>{{1, 4, 4}, {-2, -2, -3}});
    const Array<double> largest = max(x, 1).value(), smallest = min(x, -1, true).value();
    CHECK(largest == Array<double>{4, -2});
    CHECK(smallest == array_of({2, 1}, {1, -3}));
    CHECK(max(x).item() == 4);
    CHECK(min(x).item() == -3);
    CHECK(max(x, {0, 1}, true).shape() == Shape{1, 1});
    tape.backward(sum(max(x, 1) * tape.constant(Array<double>{3, 5})));
    CHECK(Array<double>(x.grad()) == Array<double>{{0, 1.5, 1.5}, {2.5, 2.5, 0}});

    const auto special = tape.constant(
        Array<double>{{1, not_a_number, 2}, {not_a_number, 1, 2}, {-infinity, -infinity, -infinity}, {0, infinity, 1}});
    const Array<double> up = max(special, 1).value(), down = min(special, 1).value();
    CHECK(std::isnan(up(0)));
    CHECK(std::isnan(up(1)));
    CHECK(up(2) == -infinity);
    CHECK(up(3) == infinity);
    CHECK(std::isnan(down(0)));
    CHECK(down(2) == -infinity);
    CHECK(down(3) == 0);
    CHECK(max(tape.constant(Array<double>::from_shape({0, 3})), 1).shape() == Shape{0});
}

TEST_CASE("prod and cumsum: values, no elements") {
    Tape<double> tape;
    const auto x = tape.variable(Array<double>{{1, 2, 3}, {4, 0, 6}});
    CHECK(Array<double>(prod(x, 1).value()) == Array<double>{6, 0});
    CHECK(Array<double>(prod(x, 0, true).value()) == array_of({1, 3}, {4, 0, 18}));
    CHECK(prod(x).item() == 0);
    CHECK(prod(tape.constant(Array<double>::from_shape({0}))).item() == 1);
    tape.backward(prod(x));
    CHECK(Array<double>(x.grad()) == Array<double>{{0, 0, 0}, {0, 144, 0}});
    CHECK(Array<double>(cumsum(x, 1).value()) == Array<double>{{1, 3, 6}, {4, 4, 10}});
    CHECK(Array<double>(cumsum(x, -2).value()) == Array<double>{{1, 2, 3}, {5, 2, 9}});
}

TEST_CASE("norms: every power, and a gradient of 0 at 0") {
    Tape<double> tape;
    const auto x = tape.constant(Array<double>{{3, -4}, {0, 0}});
    CHECK(norm(x).item() == 5);
    CHECK(Array<double>(norm(x, 1, 1).value()) == Array<double>{7, 0});
    CHECK(Array<double>(norm(x, infinity, 1).value()) == Array<double>{4, 0});
    CHECK(norm(x, 3).item() == doctest::Approx(std::cbrt(27.0 + 64)));
    CHECK(norm(x, 2, {0, 1}, true).shape() == Shape{1, 1});
    CHECK(norm(tape.constant(Array<double>::from_shape({0})), infinity).item() == 0);
    for (const double p : {1.0, 2.0, 3.0, infinity}) {
        const auto zero = tape.variable(Array<double>{0, 0});
        tape.backward(norm(zero, p) + sum(zero));
        CHECK(Array<double>(zero.grad()) == Array<double>{1, 1});
    }
    // Its second derivative at 0 is none either: not NaN.
    const auto zero = tape.variable(Array<double>{0, 0});
    const auto first = grad(norm(zero) + sum(zero * zero), {zero}, {.create_graph = true});
    CHECK(Array<double>(grad(sum(first[0]), {zero})[0].value()) == Array<double>{2, 2});
}

TEST_CASE("reductions of every kind: errors, and the tape is as before") {
    Tape<double> tape;
    const auto x = tape.variable(Array<double>::from_shape({2, 3}));
    const auto none = tape.variable(Array<double>::from_shape({0, 3}));
    const std::size_t size = tape.size();
    CHECK_THROWS_WITH_AS(var(x, 2), "var: axis 2 of an array with 2 axes: expected -2 to 1", IndexError);
    CHECK_THROWS_WITH_AS(stddev(x, {0, 0}), "stddev: axis 0 is named twice", ValueError);
    CHECK_THROWS_WITH_AS(max(x, -3), "max: axis -3 of an array with 2 axes: expected -2 to 1", IndexError);
    CHECK_THROWS_WITH_AS(max(none, 0), "max: x is [0, 3]: of no elements there is no largest one", ValueError);
    CHECK_THROWS_WITH_AS(min(none), "min: x is [0, 3]: of no elements there is no smallest one", ValueError);
    CHECK_THROWS_WITH_AS(prod(x, {1, -1}), "prod: axis -1 is named twice", ValueError);
    CHECK_THROWS_WITH_AS(norm(x, 0.5), "norm: p is 0.5: expected a number from 1 to infinity", ValueError);
    CHECK_THROWS_WITH_AS(norm(x, not_a_number, 0), "norm: p is nan: expected a number from 1 to infinity", ValueError);
    CHECK_THROWS_WITH_AS(norm(x, 2, 2), "norm: axis 2 of an array with 2 axes: expected -2 to 1", IndexError);
    CHECK_THROWS_WITH_AS(cumsum(x, 2), "cumsum: axis 2 of an array with 2 axes: expected -2 to 1", IndexError);
    CHECK(tape.size() == size);
}
