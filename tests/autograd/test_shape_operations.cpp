#include <ebb/core/error.hpp>

#include "support/operation_cases.hpp"
#include <doctest/doctest.h>

using namespace ebb;
using namespace ebb::test;

namespace {
template <class T>
Variable<T> joined(const Variables<T>& in, std::ptrdiff_t axis) {
    return concat(in, axis);
}
}  // namespace

std::vector<OperationCase> ebb::test::shape_cases() {
    RandomArrays random(31);
    std::vector<OperationCase> cases;
    const auto add = [&](const char* operation, const char* label, const std::vector<Shape>& shapes, auto f) {
        cases.push_back(operation_case(operation, label, random.arrays(shapes), f));
    };
    add("reshape", "", {{2, 3, 4}}, [](const auto& in) { return reshape(in[0], Shape{4, 6}); });
    add("reshape", "to a scalar", {{1, 1}}, [](const auto& in) { return reshape(in[0], Shape{}); });
    add("reshape", "of a scalar", {{}}, [](const auto& in) { return reshape(in[0], Shape{1, 1, 1}); });
    add("reshape", "squeeze", {{2, 1, 3}}, [](const auto& in) { return squeeze(in[0], -2); });
    add("reshape", "unsqueeze", {{2, 3}}, [](const auto& in) { return unsqueeze(in[0], 1); });
    add("transpose", "of a matrix", {{3, 5}}, [](const auto& in) { return transpose(in[0]); });
    add("transpose", "twice", {{3, 5}}, [](const auto& in) { return transpose(transpose(in[0])); });
    for (std::ptrdiff_t a = 0; a < 4; ++a)
        for (std::ptrdiff_t b = 0; b < 4; ++b)
            if (a != b)
                add("transpose", "two axes", {{2, 3, 4, 2}}, [=](const auto& in) { return transpose(in[0], a, b); });
    add("transpose", "and more", {{2, 3, 4}}, [](const auto& in) {
        return tanh(transpose(in[0], 0, 2)) + transpose(transpose(transpose(in[0], 0, 1), 0, 2), 1, 2);
    });
    add("broadcast_to", "", {{3, 1}}, [](const auto& in) { return broadcast_to(in[0], Shape{2, 3, 5}); });
    add("broadcast_to", "of a scalar", {{}}, [](const auto& in) { return broadcast_to(in[0], Shape{4, 3}); });
    add("broadcast_to", "inner", {{2, 1, 3}}, [](const auto& in) { return broadcast_to(in[0], Shape{2, 4, 3}); });
    for (std::ptrdiff_t axis = 0; axis < 3; ++axis) {
        add("slice", "", {{4, 5, 6}}, [=](const auto& in) { return slice(in[0], axis, 1, 3); });
        add("slice", "to the end", {{3, 4, 5}}, [=](const auto& in) { return slice(in[0], axis, -2, -1); });
        add("slice", "of no elements, and of some", {{3, 4, 5}}, [=](const auto& in) {
            return concat(std::vector{slice(in[0], axis, 1, 1), slice(in[0], axis, 2, 3)}, axis);
        });
        add("slice", "select", {{3, 4, 5}}, [=](const auto& in) { return select(in[0], axis, -1); });
        add("pad", "", {{2, 3, 2}}, [=](const auto& in) { return pad(in[0], axis, 2, 1); });
        add("concat", "one", {{2, 3, 4}}, [=](const auto& in) { return joined(in, axis); });
        add("concat", "the same twice", {{2, 3, 4}}, [=](const auto& in) {
            return concat(std::vector{in[0], in[0]}, axis);
        });
        Shape other{2, 3, 4};
        other[static_cast<std::size_t>(axis)] = 5;
        Shape empty{2, 3, 4};
        empty[static_cast<std::size_t>(axis)] = 0;
        add("concat", "", {{2, 3, 4}, other, {2, 3, 4}}, [=](const auto& in) { return joined(in, axis); });
        add("concat", "with nothing", {other, empty, {2, 3, 4}}, [=](const auto& in) { return joined(in, axis); });
    }
    for (std::ptrdiff_t axis = 0; axis < 3; ++axis) {
        add("stack", "", {{2, 3}, {2, 3}, {2, 3}}, [=](const auto& in) { return stack(in, axis); });
        add("stack", "the same twice", {{2, 3}}, [=](const auto& in) {
            return stack(std::vector{in[0], in[0]}, axis);
        });
    }
    add("stack", "scalars", {{}, {}}, [](const auto& in) { return stack(in); });
    return cases;
}

TEST_CASE("shape operations: every one, at many shapes") {
    for (const OperationCase& c : shape_cases()) check_case(c);
}

TEST_CASE("shape operations: values") {
    Tape<double> tape;
    const auto x = tape.constant(Array<double>{{1, 2, 3}, {4, 5, 6}});
    const Array<double> flat = reshape(x, {3, 2}).value(), t = transpose(x).value(), column = select(x, 1, -2).value(),
                        middle = slice(x, -1, 1, 3).value(), padded = pad(select(x, 1, 0), 0, 1, 2).value();
    CHECK(flat == Array<double>{{1, 2}, {3, 4}, {5, 6}});
    CHECK(t == Array<double>{{1, 4}, {2, 5}, {3, 6}});
    CHECK(column == Array<double>{2, 5});
    CHECK(middle == Array<double>{{2, 3}, {5, 6}});
    CHECK(padded == Array<double>{0, 1, 4, 0, 0});
    const Array<double> repeated = broadcast_to(select(x, 0, 1), {2, 3}).value();
    CHECK(repeated == Array<double>{{4, 5, 6}, {4, 5, 6}});
    const Array<double> below = concat(std::vector{x, slice(x, 0, 0, 1)}, 0).value();
    CHECK(below == Array<double>{{1, 2, 3}, {4, 5, 6}, {1, 2, 3}});
    const Array<double> beside = concat(std::vector{x, slice(x, 1, 2, 3)}, -1).value();
    CHECK(beside == Array<double>{{1, 2, 3, 3}, {4, 5, 6, 6}});
    const Array<double> stacked = stack(std::vector{select(x, 0, 0), select(x, 0, 1)}, -1).value();
    CHECK(stacked == Array<double>{{1, 4}, {2, 5}, {3, 6}});
    CHECK(unsqueeze(x, -1).shape() == Shape{2, 3, 1});
    CHECK(squeeze(unsqueeze(x, 0), 0).shape() == Shape{2, 3});
    CHECK(reshape(x, {3, -1}).shape() == Shape{3, 2});
    CHECK(reshape(x, {-1}).shape() == Shape{6});
    CHECK(reshape(x, {-1, 6, x.shape()[0] / 2}).shape() == Shape{1, 6, 1});
    CHECK(reshape(tape.zeros({0, 3}), {-1, 3}).shape() == Shape{0, 3});
    CHECK(reshape(tape.scalar(1), {-1}).shape() == Shape{1});
}

TEST_CASE("shape operations that copy nothing") {
    Tape<double> tape;
    const auto x = tape.variable(Array<double>::from_shape({4, 3}));
    CHECK(reshape(x, {3, 4}).value().data() == x.value().data());
    CHECK(slice(x, 0, 1, 3).value().data() == x.value().data() + 3);
    CHECK(select(x, 0, 2).value().data() == x.value().data() + 6);
    const std::size_t bytes = tape.bytes_used();
    const auto t = transpose(x);
    CHECK(t.node().value == nullptr);
    CHECK(tape.bytes_used() - bytes <= 64);  // the note which axes are exchanged
    // What changes nothing is the variable itself.
    CHECK(reshape(x, {4, 3}).index() == x.index());
    CHECK(transpose(x, 1, -1).index() == x.index());
    CHECK(slice(x, 0, 0, 4).index() == x.index());
    CHECK(pad(x, 0, 0, 0).index() == x.index());
    CHECK(broadcast_to(x, {4, 3}).index() == x.index());
}

TEST_CASE("permute and flip: values, and what they record") {
    Tape<double> tape;
    const auto x = tape.constant(Array<double>{{{1, 2}, {3, 4}, {5, 6}}});  // [1, 3, 2]
    const Array<double> turned = permute(x, {2, 0, 1}).value();
    CHECK(turned == Array<double>{{{1, 3, 5}}, {{2, 4, 6}}});
    CHECK(permute(x, {-1, 1, 0}).shape() == Shape{2, 3, 1});
    // Two axes are a view; none, the variable itself.
    CHECK(permute(x, {0, 2, 1}).node().value == nullptr);
    CHECK(permute(x, {0, 1, 2}).index() == x.index());
    CHECK(permute(tape.scalar(3), Axes{}).item() == 3);
    const Array<double> rows = flip(x, 1).value(), both = flip(x, {1, -1}).value();
    CHECK(rows == Array<double>{{{5, 6}, {3, 4}, {1, 2}}});
    CHECK(both == Array<double>{{{6, 5}, {4, 3}, {2, 1}}});
    CHECK(flip(x, Axes{}).index() == x.index());
    const std::size_t size = tape.size();
    CHECK_THROWS_WITH_AS(permute(x, {0, 1}), "permute: x is [1, 3, 2]: expected each of its 3 axes once, got 2",
                         ValueError);
    CHECK_THROWS_WITH_AS(permute(x, {0, 1, -2}), "permute: axis -2 is named twice", ValueError);
    CHECK_THROWS_WITH_AS(permute(x, {0, 1, 3}), "permute: axis 3 of an array with 3 axes: expected -3 to 2",
                         IndexError);
    CHECK_THROWS_WITH_AS(flip(x, {0, -3}), "flip: axis -3 is named twice", ValueError);
    CHECK_THROWS_WITH_AS(flip(x, 3), "flip: axis 3 of an array with 3 axes: expected -3 to 2", IndexError);
    CHECK(tape.size() == size);
}

TEST_CASE("more inputs than 16 bits count") {
    Tape<float> tape;
    const auto x = tape.variable(Array<float>{1.0f});
    const std::size_t count = 70'000;
    const auto y = stack(std::vector(count, x), 0);
    CHECK(y.shape() == Shape{count, 1});
    tape.backward(sum(y));
    CHECK(x.grad()(0) == float(count));
}

TEST_CASE("shape operations: errors") {
    Tape<double> tape;
    const auto x = tape.variable(Array<double>::from_shape({2, 3}));
    const auto y = tape.variable(Array<double>::from_shape({2, 2}));
    const auto z = tape.variable(Array<double>::from_shape({2}));
    const auto nothing = tape.zeros({0, 3});
    const std::size_t size = tape.size();
    CHECK_THROWS_WITH_AS(reshape(x, {4}), "reshape: x is [2, 3], 6 elements: expected a shape with as many, not [4]",
                         ShapeError);
    CHECK_THROWS_WITH_AS(squeeze(x, 1), "squeeze: x is [2, 3]: axis 1 has extent 3, expected 1", ShapeError);
    CHECK_THROWS_WITH_AS(squeeze(x, 2), "squeeze: axis 2 of an array with 2 axes: expected -2 to 1", IndexError);
    CHECK_THROWS_WITH_AS(unsqueeze(x, 3), "unsqueeze: axis 3 of an array with 3 axes: expected -3 to 2", IndexError);
    CHECK_THROWS_WITH_AS(transpose(z), "transpose: x is [2]: expected a matrix, or two axes to exchange", ShapeError);
    CHECK_THROWS_WITH_AS(transpose(x, 0, 2), "transpose: axis 2 of an array with 2 axes: expected -2 to 1", IndexError);
    CHECK_THROWS_WITH_AS(broadcast_to(x, {2, 4}), "broadcast_to: x is [2, 3]: it does not broadcast to [2, 4]",
                         ShapeError);
    CHECK_THROWS_WITH_AS(broadcast_to(x, {3}), "broadcast_to: x is [2, 3]: it does not broadcast to [3]", ShapeError);
    CHECK_THROWS_WITH_AS(slice(x, 1, 1, 4),
                         "slice: x is [2, 3]: expected 0 <= start <= stop <= 3 along axis 1, got 1:4", IndexError);
    CHECK_THROWS_WITH_AS(slice(x, 0, -3, 1),
                         "slice: x is [2, 3]: expected 0 <= start <= stop <= 2 along axis 0, got -3:1", IndexError);
    CHECK_THROWS_WITH_AS(select(x, 1, 3), "select: x is [2, 3]: index 3 along axis 1: expected -3 to 2", IndexError);
    CHECK_THROWS_WITH_AS(pad(x, 2, 1, 1), "pad: axis 2 of an array with 2 axes: expected -2 to 1", IndexError);
    CHECK_THROWS_WITH_AS(pad(x, 0, -1, 1),
                         "pad: x is [2, 3], before is -1, after is 1: expected numbers of zeros, not negative; slice "
                         "takes elements away",
                         ValueError);
    CHECK_THROWS_AS(pad(x, 0, 0, std::numeric_limits<std::ptrdiff_t>::max()), ValueError);
    CHECK_THROWS_WITH_AS(reshape(x, {-1, 4}),
                         "reshape: x is [2, 3], 6 elements: expected a shape with as many, not [-1, 4]", ShapeError);
    CHECK_THROWS_WITH_AS(reshape(x, {-1, 0}),
                         "reshape: x is [2, 3], 6 elements: expected a shape with as many, not [-1, 0]", ShapeError);
    CHECK_THROWS_AS(reshape(nothing, {0, -1}), ShapeError);                 // it could be anything
    CHECK_THROWS_WITH_AS(reshape(x, {std::size_t(2), std::size_t(0) - 1}),  // and not -1
                         "reshape: extent 1 is larger than an array can be: expected at least 0, or -1 for one of them",
                         ValueError);
    CHECK_THROWS_WITH_AS(reshape(x, {-1, -1}), "reshape: extent 1 is -1: expected at least 0, or -1 for one of them",
                         ValueError);
    CHECK_THROWS_WITH_AS(reshape(x, {2, -3}), "reshape: extent 1 is -3: expected at least 0, or -1 for one of them",
                         ValueError);
    CHECK_THROWS_WITH_AS(concat(std::vector<Variable<double>>{}, 0), "concat: no arrays: expected at least one",
                         ValueError);
    CHECK_THROWS_WITH_AS(concat(std::vector{x, y}, 0),
                         "concat: array 0 is [2, 3], array 1 is [2, 2]: expected the same extents but along axis 0",
                         ShapeError);
    CHECK_THROWS_WITH_AS(concat(std::vector{x, z}, 0),
                         "concat: array 0 is [2, 3], array 1 is [2]: expected the same extents but along axis 0",
                         ShapeError);
    CHECK_THROWS_WITH_AS(stack(std::vector<Variable<double>>{}), "stack: no arrays: expected at least one", ValueError);
    CHECK_THROWS_WITH_AS(stack(std::vector{x, x, y}), "stack: array 0 is [2, 3], array 2 is [2, 2]: expected one shape",
                         ShapeError);
    CHECK_THROWS_WITH_AS(stack(std::vector{x, x}, 3), "stack: axis 3 of an array with 3 axes: expected -3 to 2",
                         IndexError);
    CHECK(tape.size() == size);

    const auto deep = tape.variable(Array<double>::from_shape({1, 1, 1, 1, 1, 1, 1, 1}));
    CHECK_THROWS_WITH_AS(unsqueeze(deep, 0), "Shape: an array has at most 8 axes", ShapeError);
}
