#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/probe.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>
#include <ebb/inspect/attention_map.hpp>

#include <doctest/doctest.h>

using namespace ebb;

TEST_CASE("a map of attention has a row for each query and a column for each position") {
    Tape<double> tape;
    const auto first = tape.constant(Array<double>{{0.25, 0.75, 0}, {1, 0, 0}});
    const auto second = tape.constant(Array<double>{{0.5, 0.125, 0.375}, {0, 0, 1}});
    probe(first, "attention.weights", 0);
    probe(second, "attention.weights", 1);
    const inspect::HeatMap map = inspect::attention_map(tape, "attention.weights", 1);
    CHECK(map.title == "Where attention.weights looked");
    CHECK(map.x_at == std::vector<double>{0, 1, 2});
    CHECK(map.y_at == std::vector<double>{0, 1});
    CHECK(map.values == std::vector<double>{1, 0, 0, 0, 0, 1});
    inspect::check("test", map);
    // All queries together: [T, B, S], here as a transposed node.
    const auto all = transpose(stack(std::vector{transpose(first, 0, 1), transpose(second, 0, 1)}, 0), 1, 2);
    const inspect::HeatMap same = inspect::attention_map(all, 0);
    CHECK(same.values == std::vector<double>{0.25, 0.75, 0, 0.5, 0.125, 0.375});

    CHECK_THROWS_WITH_AS(inspect::attention_map(tape, "attention.weights", 2),
                         "attention_map: sequence is 2, the batch has 2: expected 0 to 1", IndexError);
    CHECK_THROWS_WITH_AS(inspect::attention_map(tape, "weights"),
                         "attention_map: no state is called weights: the tape has attention.weights", ValueError);
    CHECK_THROWS_WITH_AS(inspect::attention_map(first), "attention_map: weights is [2, 3]: expected [T, B, S]",
                         ShapeError);
    probe(tape.ones({2, 4}), "attention.weights", 2);
    CHECK_THROWS_WITH_AS(inspect::attention_map(tape, "attention.weights"),
                         "attention_map: attention.weights is [2, 4]: expected [B, S], the same at each step",
                         ShapeError);
}
