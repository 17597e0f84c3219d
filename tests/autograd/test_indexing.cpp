#include <ebb/core/error.hpp>

#include <limits>

#include "support/operation_cases.hpp"
#include <doctest/doctest.h>

using namespace ebb;
using namespace ebb::test;

std::vector<OperationCase> ebb::test::indexing_cases() {
    RandomArrays random(51);
    std::vector<OperationCase> cases;
    const auto add = [&](const char* operation, const char* label, const std::vector<Shape>& shapes, auto f) {
        cases.push_back(operation_case(operation, label, random.arrays(shapes), f));
    };
    for (const Shape& x : {Shape{5}, Shape{5, 3}, Shape{5, 2, 4}})
        for (const Shape& s : {Shape{}, Shape{1}, Shape{7}, Shape{2, 3}}) {
            const Indices indices = random.indices(s, 5);
            Shape rows = s;
            for (std::size_t axis = 1; axis < x.rank(); ++axis) rows.push_back(x[axis]);
            add("index_select", "", {x}, [=](const auto& in) { return index_select(in[0], indices); });
            add("index_add", "", {x, rows}, [=](const auto& in) { return index_add(in[0], indices, in[1]); });
        }
    const Indices same{2, 2, 2};
    add("index_select", "one row many times", {{3, 9}}, [=](const auto& in) { return index_select(in[0], same); });
    add("index_add", "to one row many times", {{3, 9}, {3, 9}},
        [=](const auto& in) { return index_add(in[0], same, in[1]); });
    add("index_add", "of itself", {{3, 2}}, [=](const auto& in) { return index_add(in[0], same, in[0]); });
    return cases;
}

TEST_CASE("indexing: every case") {
    for (const OperationCase& c : indexing_cases()) check_case(c);
}

TEST_CASE("index_select: rows in the order of the indices") {
    Tape<double> tape;
    const Array<double> x{{1, 2}, {3, 4}, {5, 6}};
    const Array<double> rows = index_select(tape.constant(x), Indices{2, 0, 2}).value();
    CHECK(rows == Array<double>{{5, 6}, {1, 2}, {5, 6}});
    CHECK(index_select(tape.constant(x), Indices{{0, 1, 2}, {2, 1, 0}}).shape() == Shape{2, 3, 2});
    CHECK(index_select(tape.constant(x), Indices::from_shape({0})).shape() == Shape{0, 2});
    const Array<double> one = index_select(tape.constant(x), Indices(std::int64_t{1})).value();
    CHECK(one == Array<double>{3, 4});
    const Array<double> added = index_add(tape.constant(x), Indices{0, 0}, tape.ones({2, 2})).value();
    CHECK(added == Array<double>{{3, 4}, {3, 4}, {5, 6}});
}

TEST_CASE("index_select: an embedding's gradient is a sum over the uses of each row") {
    const Parameter<double> weight("embedding.weight", Array<double>{{1, 2}, {3, 4}, {5, 6}});
    Tape<double> tape;
    Indices words{1, 1, 2};
    const auto y = index_select(weight, words);
    words.fill(0);  // the tape has its own copy
    tape.backward(sum(y * y));
    CHECK(weight.grad() == Array<double>{{0, 0}, {12, 16}, {10, 12}});
}

TEST_CASE("index_select and index_add along any axis") {
    Tape<double> tape;
    const auto x = tape.constant(Array<double>{{1, 2, 3}, {4, 5, 6}});
    CHECK(Array<double>(index_select(x, 1, Indices{2, 0}).value()) == Array<double>{{3, 1}, {6, 4}});
    CHECK(Array<double>(index_select(x, -1, Indices(std::int64_t{1})).value()) == Array<double>{2, 5});
    CHECK(index_select(x, 1, Indices{{0, 1}, {2, 2}, {0, 0}}).shape() == Shape{2, 3, 2});
    CHECK(Array<double>(index_add(x, 1, Indices{2, 2}, tape.ones({2, 2})).value()) ==
          Array<double>{{1, 2, 5}, {4, 5, 8}});
}

TEST_CASE("gather and scatter_add: an index for every element") {
    Tape<double> tape;
    const auto x = tape.variable(Array<double>{{1, 2, 3}, {4, 5, 6}});
    const Indices columns{{2, 2}, {0, 1}};
    CHECK(Array<double>(gather(x, 1, columns).value()) == Array<double>{{3, 3}, {4, 5}});
    CHECK(Array<double>(gather(x, 0, Indices{{1, 0, 1}}).value()) == array_of({1, 3}, {4, 2, 6}));
    tape.backward(sum(gather(x, 1, columns)));
    CHECK(Array<double>(x.grad()) == Array<double>{{0, 0, 2}, {1, 1, 0}});
    const auto added = scatter_add(tape.zeros({2, 3}), 1, columns, tape.constant(Array<double>{{1, 2}, {3, 4}}));
    CHECK(Array<double>(added.value()) == Array<double>{{0, 0, 3}, {3, 4, 0}});
}

TEST_CASE("argmax and argmin: the first of equal ones, or of NaNs") {
    Tape<double> tape;
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const auto x = tape.constant(Array<double>{{1, 3, 3}, {2, nan, 5}, {-1, -1, -2}});
    CHECK(argmax(x, 1) == Indices{1, 1, 0});
    CHECK(argmin(x, -1) == Indices{0, 1, 2});
    CHECK(argmax(x, 0) == Indices{1, 1, 1});
    CHECK(Shape::of(argmax(transpose(x), 1, true).shape()) == Shape{3, 1});
    const auto none = tape.constant(Array<double>::from_shape({2, 0}));
    CHECK_THROWS_WITH_AS(argmax(none, 1), "argmax: x is [2, 0]: along axis 1 there are no elements", ValueError);
    CHECK_THROWS_WITH_AS(argmin(x, 2), "argmin: axis 2 of an array with 2 axes: expected -2 to 1", IndexError);
    CHECK(argmax(none, 0).size() == 0);
}

TEST_CASE("max and min with indices: values and places, and the gradient goes to one element") {
    Tape<double> tape;
    const auto x = tape.variable(Array<double>{{1, 3, 3}, {2, 0, 5}});
    const auto [largest, columns] = max_with_indices(x, 1);
    CHECK(Array<double>(largest.value()) == Array<double>{3, 5});
    CHECK(columns == Indices{1, 2});
    const auto [smallest, rows] = min_with_indices(x, 0, true);
    CHECK(Array<double>(smallest.value()) == Array<double>{{1, 0, 3}});
    CHECK(rows == Indices{{0, 1, 0}});
    tape.backward(sum(largest * tape.constant(Array<double>{10, 20})) + sum(smallest));
    CHECK(Array<double>(x.grad()) == Array<double>{{1, 10, 1}, {0, 1, 20}});
    const std::size_t size = tape.size();
    CHECK_THROWS_WITH_AS(max_with_indices(x, 2), "max_with_indices: axis 2 of an array with 2 axes: expected -2 to 1",
                         IndexError);
    CHECK_THROWS_WITH_AS(min_with_indices(tape.constant(Array<double>::from_shape({2, 0})), -1),
                         "min_with_indices: x is [2, 0]: along axis -1 there are no elements", ValueError);
    CHECK(tape.size() == size + 1);  // the constant
}

TEST_CASE("indexing: errors, and the tape is as before") {
    Tape<double> tape;
    const auto x = tape.variable(Array<double>::from_shape({5, 2}));
    const auto scalar = tape.scalar(1);
    const auto empty = tape.variable(Array<double>::from_shape({0, 2}));
    const auto source = tape.variable(Array<double>::from_shape({2, 3}));
    const std::size_t size = tape.size();
    CHECK_THROWS_WITH_AS(index_select(x, Indices{{0, 4}, {7, 9}}),
                         "index_select: index 7 at flat position 2 of the indices: x is [5, 2], expected 0 to 4",
                         IndexError);
    CHECK_THROWS_WITH_AS(index_select(x, Indices{-1}),
                         "index_select: index -1 at flat position 0 of the indices: x is [5, 2], expected 0 to 4",
                         IndexError);
    CHECK_THROWS_WITH_AS(index_select(empty, Indices{0}),
                         "index_select: index 0 at flat position 0 of the indices: x is [0, 2], expected no index",
                         IndexError);
    CHECK_THROWS_WITH_AS(index_select(scalar, Indices{0}),
                         "index_select: x is a scalar: expected an array with at least one axis", ShapeError);
    CHECK_THROWS_WITH_AS(index_add(x, Indices{5, 0}, source),
                         "index_add: index 5 at flat position 0 of the indices: x is [5, 2], expected 0 to 4",
                         IndexError);
    CHECK_THROWS_WITH_AS(index_add(x, Indices{1, 0}, source),
                         "index_add: the source is [2, 3], expected [2, 2]: the indices are [2], x is [5, 2]",
                         ShapeError);
    CHECK_THROWS_WITH_AS(index_select(x, 1, Indices{2}),
                         "index_select: index 2 at flat position 0 of the indices: x is [5, 2], expected 0 to 1 along "
                         "axis 1",
                         IndexError);
    CHECK_THROWS_WITH_AS(index_select(x, 2, Indices{0}),
                         "index_select: axis 2 of an array with 2 axes: expected -2 to 1", IndexError);
    CHECK_THROWS_WITH_AS(gather(x, 1, Indices{0, 1}),
                         "gather: x is [5, 2], the indices are [2]: expected as many axes, and no extent larger than "
                         "that of x but along axis 1",
                         ShapeError);
    CHECK_THROWS_WITH_AS(
        gather(x, 0, Indices{{0, 0, 0}}),
        "gather: x is [5, 2], the indices are [1, 3]: expected as many axes, and no extent larger than "
        "that of x but along axis 0",
        ShapeError);
    CHECK_THROWS_WITH_AS(gather(x, 0, Indices{{0, 5}}),
                         "gather: index 5 at flat position 1 of the indices: x is [5, 2], expected 0 to 4", IndexError);
    CHECK_THROWS_WITH_AS(gather(scalar, 0, Indices(std::int64_t{0})), "gather: axis 0 of a scalar, which has no axes",
                         IndexError);
    CHECK_THROWS_WITH_AS(scatter_add(x, 0, Indices{{0, 1}}, source),
                         "scatter_add: the source is [2, 3], the indices are [1, 2]: expected equal shapes",
                         ShapeError);
    CHECK(tape.size() == size);
    x.named("embedding.weight");
    CHECK_THROWS_WITH_AS(
        index_select(x, Indices{5}),
        "index_select: index 5 at flat position 0 of the indices: embedding.weight is [5, 2], expected 0 to 4",
        IndexError);
}
