#include <ebb/core/error.hpp>
#include <ebb/core/shape.hpp>

#include <vector>

#include <doctest/doctest.h>

using namespace ebb;

TEST_CASE("a shape holds up to eight extents") {
    CHECK(Shape{}.rank() == 0);
    CHECK(Shape{}.is_scalar());
    CHECK(Shape{}.size() == 1);
    const Shape shape{2, 3, 4};
    CHECK(shape.rank() == 3);
    CHECK_FALSE(shape.is_scalar());
    CHECK(shape.size() == 24);
    CHECK(shape.front() == 2);
    CHECK(shape.back() == 4);
    CHECK(std::vector<std::size_t>(shape.begin(), shape.end()) == std::vector<std::size_t>{2, 3, 4});
    CHECK(Shape{5, 0, 7}.size() == 0);
    CHECK(Shape{1, 2, 3, 4, 5, 6, 7, 8}.size() == 40320);
    CHECK_THROWS_WITH_AS((Shape{1, 2, 3, 4, 5, 6, 7, 8, 9}), "Shape: an array has at most 8 axes", ShapeError);
}

TEST_CASE("shapes are equal when rank and extents are") {
    CHECK(Shape{2, 3} == Shape{2, 3});
    CHECK(Shape{2, 3} != Shape{3, 2});
    CHECK(Shape{2} != Shape{2, 1});
    CHECK(Shape::of(std::vector<int>{2, 3}) == Shape{2, 3});
}

TEST_CASE("inserted and erased undo each other and leave the original") {
    const Shape shape{2, 3, 4};
    CHECK(shape.inserted(0, 9) == Shape{9, 2, 3, 4});
    CHECK(shape.inserted(3, 9) == Shape{2, 3, 4, 9});
    CHECK(shape.erased(1) == Shape{2, 4});
    for (std::size_t axis = 0; axis <= shape.rank(); ++axis) CHECK(shape.inserted(axis, 7).erased(axis) == shape);
    CHECK(shape == Shape{2, 3, 4});
}

TEST_CASE("to_string prints a shape as Python prints a list") {
    CHECK(to_string(Shape{}) == "[]");
    CHECK(to_string(Shape{3}) == "[3]");
    CHECK(to_string(Shape{3, 4, 0}) == "[3, 4, 0]");
}

TEST_CASE("broadcast_shape is NumPy's rule") {
    CHECK(broadcast_shape("add", {}, {}) == Shape{});
    CHECK(broadcast_shape("add", {3, 4}, {}) == Shape{3, 4});
    CHECK(broadcast_shape("add", {3, 4}, {4}) == Shape{3, 4});
    CHECK(broadcast_shape("add", {3, 1}, {4}) == Shape{3, 4});
    CHECK(broadcast_shape("add", {4}, {3, 1}) == Shape{3, 4});
    CHECK(broadcast_shape("add", {8, 1, 6, 1}, {7, 1, 5}) == Shape{8, 7, 6, 5});
    CHECK(broadcast_shape("add", {2, 1}, {2, 0}) == Shape{2, 0});
    CHECK_THROWS_WITH_AS(broadcast_shape("add", {32, 10}, {12}),
                         "add: shapes [32, 10] and [12] do not broadcast: extents 10 and 12 differ and neither is 1",
                         ShapeError);
}

TEST_CASE("broadcasts_to goes one way only") {
    CHECK(broadcasts_to({}, {}));
    CHECK(broadcasts_to({}, {3, 4}));
    CHECK(broadcasts_to({4}, {3, 4}));
    CHECK(broadcasts_to({3, 1}, {3, 4}));
    CHECK(broadcasts_to({1}, {0}));
    CHECK(!broadcasts_to({3, 4}, {4}));
    CHECK(!broadcasts_to({3}, {3, 4}));
    CHECK(!broadcasts_to({3, 4}, {3, 1}));
    CHECK(!broadcasts_to({1, 4}, {4}));
    CHECK(!broadcasts_to({0}, {1}));
}

TEST_CASE("broadcast_shape names the shapes in the order of the call") {
    CHECK_THROWS_WITH_AS(broadcast_shape("mul", {12}, {32, 10}),
                         "mul: shapes [12] and [32, 10] do not broadcast: extents 12 and 10 differ and neither is 1",
                         ShapeError);
}

TEST_CASE("normalized_axis counts negative axes from the end") {
    CHECK(normalized_axis("sum", 0, 3) == 0);
    CHECK(normalized_axis("sum", 2, 3) == 2);
    CHECK(normalized_axis("sum", -1, 3) == 2);
    CHECK(normalized_axis("sum", -3, 3) == 0);
    CHECK_THROWS_WITH_AS(normalized_axis("sum", 3, 3), "sum: axis 3 of an array with 3 axes: expected -3 to 2",
                         IndexError);
    CHECK_THROWS_WITH_AS(normalized_axis("sum", -4, 3), "sum: axis -4 of an array with 3 axes: expected -3 to 2",
                         IndexError);
    CHECK_THROWS_WITH_AS(normalized_axis("sum", 0, 0), "sum: axis 0 of a scalar, which has no axes", IndexError);
}
