#include <ebb/core/error.hpp>

#include <cmath>

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
    CHECK_THROWS_WITH_AS(sum_to(x, Shape{2}),
                         "sum_to: shapes [2] and [2, 3] do not broadcast: extents 2 and 3 differ and neither is 1",
                         ShapeError);
    CHECK_THROWS_WITH_AS(sum_to(x, Shape{1, 2, 3}),
                         "sum_to: x is [2, 3]: expected a shape that broadcasts to it, not [1, 2, 3]", ShapeError);
    CHECK(tape.size() == size);
}
