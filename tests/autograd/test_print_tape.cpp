#include <ebb/autograd/operation.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/print_tape.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>

#include <limits>

#include <doctest/doctest.h>

using namespace ebb;

namespace {

/// y = w x + w: every number can be worked out in the head.
struct SmallGraph {
    Tape<double> tape;
    Variable<double> w = tape.variable(Array<double>(3.0)).named("w");
    Variable<double> x = tape.constant(Array<double>(2.0)).named("x");
    Variable<double> y = (w * x + w).named("y");
};

}  // namespace

TEST_CASE("a tape prints as a table: before backward without gradients") {
    SmallGraph graph;
    CHECK(to_string(graph.tape) ==
          "node  name  operation  inputs  shape  value\n"
          "   0  w     variable           []         3\n"
          "   1  x     constant           []         2\n"
          "   2        mul        0, 1    []         6\n"
          "   3  y     add        2, 0    []         9\n");
}

TEST_CASE("a tape prints the gradients that were kept, and a dash for the others") {
    SmallGraph graph;
    SUBCASE("leaves only") {
        graph.tape.backward(graph.y);
        CHECK(to_string(graph.tape) ==
              "node  name  operation  inputs  shape  value  gradient\n"
              "   0  w     variable           []         3         3\n"
              "   1  x     constant           []         2         -\n"
              "   2        mul        0, 1    []         6         -\n"
              "   3  y     add        2, 0    []         9         -\n");
    }
    SUBCASE("all of them") {
        graph.tape.retain_grads();
        graph.tape.backward(graph.y);
        CHECK(to_string(graph.tape) ==
              "node  name  operation  inputs  shape  value  gradient\n"
              "   0  w     variable           []         3         3\n"
              "   1  x     constant           []         2         -\n"
              "   2        mul        0, 1    []         6         1\n"
              "   3  y     add        2, 0    []         9         1\n");
    }
}

TEST_CASE("arrays print as norms between bars, parameters with their own gradient") {
    Tape<double> tape;
    Parameter<double> w("w", Array<double>{3, 4});
    const auto y = w * 2.0;
    CHECK(to_string(tape) ==
          "node  name  operation  inputs  shape  value\n"
          "   0  w     parameter          [2]      |5|\n"
          "   1        constant           []         2\n"
          "   2        mul        0, 1    [2]     |10|\n");
    tape.backward(y, Array<double>{3, 4});
    const std::string after = to_string(tape, {.first = 0, .last = 0});
    CHECK(after ==
          "node  name  operation  inputs  shape  value  gradient\n"
          "   0  w     parameter          [2]      |5|      |10|\n");
    w.zero_grad();
    CHECK(to_string(tape, {.first = 0, .last = 0}).find("gradient") == std::string::npos);
}

TEST_CASE("printing a transposed array shows its norm and does not copy it out") {
    Tape<float> tape;
    const auto x = tape.variable(Array<float>{{2, 3}, {6, 0}});
    const auto y = transpose(x);
    const std::size_t bytes = tape.bytes_used();
    const std::string text = to_string(tape);
    CHECK(text.find("1  transpose  0       [2, 2]    |7|") != std::string::npos);
    CHECK(tape.bytes_used() == bytes);
    CHECK(y.node().value == nullptr);
}

TEST_CASE("a norm whose squares overflow, or vanish, or are no numbers") {
    Tape<double> tape;
    (void)tape.constant(Array<double>{3e200, 4e200});
    (void)tape.constant(Array<double>{3e-200, 4e-200});
    (void)tape.constant(Array<double>{1.0, std::numeric_limits<double>::quiet_NaN(), 2.0});
    (void)tape.constant(Array<double>{1.0, -std::numeric_limits<double>::infinity()});
    (void)tape.zeros({3});
    (void)tape.zeros({0, 2});
    (void)tape.constant(Array<double>(-std::numeric_limits<double>::quiet_NaN()));
    CHECK(to_string(tape) ==
          "node  operation  inputs  shape      value\n"
          "   0  constant           [2]     |5e+200|\n"
          "   1  constant           [2]     |5e-200|\n"
          "   2  constant           [3]        |nan|\n"
          "   3  constant           [2]        |inf|\n"
          "   4  constant           [3]          |0|\n"
          "   5  constant           [0, 2]       |0|\n"
          "   6  constant           []           nan\n");
}

TEST_CASE("a long tape prints its ends, and a part when asked") {
    Tape<double> tape;
    auto y = tape.variable(Array<double>(1.0));
    for (int k = 0; k < 1000; ++k) y = -y;
    CHECK(to_string(tape, {.max_nodes = 3}) ==
          "node  operation  inputs  shape  value\n"
          "   0  variable           []         1\n"
          "   1  neg        0       []        -1\n"
          "  ... 998 nodes left out ...\n"
          "1000  neg        999     []         1\n");
    CHECK(to_string(tape, {.first = 7, .last = 7}) ==
          "node  operation  inputs  shape  value\n"
          "   7  neg        6       []        -1\n");
    CHECK(to_string(tape, {.first = 2000}) == "the tape has 1001 nodes, and none from 2000 to 4294967295\n");
    tape.clear();
    CHECK(to_string(tape) == "the tape is empty\n");
}

TEST_CASE("names with letters beyond ASCII leave the columns straight") {
    Tape<double> tape;
    (void)tape.scalar(1).named("σ");
    (void)tape.scalar(2).named("ab");
    CHECK(to_string(tape) ==
          "node  name  operation  inputs  shape  value\n"
          "   0  σ     constant           []         1\n"
          "   1  ab    constant           []         2\n");
}

TEST_CASE("a variable prints as the tree that it was computed from") {
    SmallGraph graph;
    graph.tape.retain_grads();
    graph.tape.backward(graph.y);
    CHECK(to_tree(graph.y) ==
          "3 y = add              9  gradient 1\n"
          "|-- 2 mul              6  gradient 1\n"
          "|   |-- 0 w: variable  3  gradient 3\n"
          "|   `-- 1 x: constant  2\n"
          "`-- 0 w: variable      3  gradient 3\n");
}

TEST_CASE("a tree shows a shared branch once, and stops where it is told to") {
    Tape<double> tape;
    const auto x = tape.variable(Array<double>(2.0));
    auto y = x;
    // Without sharing, a tree of 2^30 leaves.
    for (int k = 0; k < 30; ++k) y = y * y * 0.5;
    const std::string text = to_tree(y);
    CHECK(std::count(text.begin(), text.end(), '\n') < 150);
    CHECK(text.find("mul, as above\n") != std::string::npos);

    auto z = x;
    for (int k = 0; k < 1000; ++k) z = -z;
    CHECK(to_tree(z, {.max_depth = 1}) ==
          "1090 neg       2\n"
          "`-- 1089 neg  -2\n"
          "    `-- ...\n");
    CHECK(to_tree(z, {.max_nodes = 2}).find("... more than this tree shows\n") != std::string::npos);
}

TEST_CASE("a tree of a cleared tape is refused") {
    SmallGraph graph;
    graph.tape.clear();
    CHECK_THROWS_WITH_AS(to_tree(graph.y),
                         "Variable: its tape was cleared or destroyed since: copy what outlasts a tape into an array, "
                         "x.value(), and make a new variable from it",
                         TapeError);
}
