#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>
#include <ebb/layers/linear.hpp>

#include <doctest/doctest.h>

using namespace ebb;

TEST_CASE("Linear refuses an input of another size, and leaves the tape as it was") {
    const Linear<double> layer({.in_features = 3, .out_features = 5, .name = "readout"});
    Tape<double> tape;
    const auto x = tape.zeros({4, 7});
    CHECK_THROWS_WITH_AS(layer(x),
                         "Linear: x is [4, 7], weight is [5, 3]: expected 3 as the last extent of x\n"
                         "  while running readout (Linear)",
                         ShapeError);
    CHECK(tape.size() == 1);
}

TEST_CASE("Linear refuses a scalar") {
    const Linear<double> layer({.in_features = 1, .out_features = 5});
    Tape<double> tape;
    CHECK_THROWS_WITH_AS(layer(tape.scalar(1)),
                         "Linear: x is [], weight is [5, 1]: expected 1 as the last extent of x\n"
                         "  while running Linear",
                         ShapeError);
}

TEST_CASE("Linear refuses a size of 0") {
    CHECK_THROWS_WITH_AS(Linear<double>({.in_features = 0, .out_features = 5}),
                         "Linear: in_features is 0, out_features is 5: expected at least 1 each", ValueError);
}
