#include <ebb/inspect/loss_to_state.hpp>
#include <ebb/layers/recurrent_layers.hpp>

#include "integration/inspected_cells.hpp"
#include <doctest/doctest.h>

using namespace ebb;
using namespace inspected;

TEST_CASE("each row is the gradient of one loss on a tape of its own, and columns sum to that of all losses") {
    test::RandomArrays random(61);
    for (const char* kind : kinds)
        for (const Granularity granularity : {Granularity::fused, Granularity::elementary})
            for (int trial = 0; trial < 2; ++trial) {
                const Sizes sizes = random_sizes(random);
                const Cell cell = cell_of(kind, sizes, granularity);
                const Given given = random_given(kind, sizes, random);
                std::vector<Array<double>> weights;
                for (std::size_t t = 0; t < sizes.T; ++t) weights.push_back(random.array({sizes.B, sizes.H}));
                for (std::size_t state = 0; state < state_count(kind); ++state) {
                    CAPTURE(kind);
                    CAPTURE(state);
                    Tape<double> tape;
                    const auto states = unrolled(tape, cell, given);
                    const auto losses = losses_of(tape, states, weights);
                    const auto triangle = inspect::loss_to_state(tape, losses, state == 0 ? "cell.h" : "cell.c",
                                                                 {.keep_gradients = true});
                    REQUIRE(triangle.norm.size() == sizes.T * sizes.T);
                    const std::size_t size = sizes.B * sizes.H;

                    for (std::size_t k = 0; k < sizes.T; ++k) {
                        CHECK(triangle.loss_step[k] == static_cast<std::int32_t>(k));
                        Tape<double> alone;
                        const auto same = unrolled(alone, cell, given);
                        alone.backward(losses_of(alone, same, weights)[k]);
                        for (std::size_t t = 0; t < sizes.T; ++t) {
                            const double* const expected = same[t][state].node().retained_gradient;
                            const double expected_norm = expected ? norm(expected, size) : 0;
                            CHECK(std::abs(triangle(k, t) - expected_norm) <= 1e-8 * expected_norm);
                            if (t > k) CHECK(triangle(k, t) == 0);
                            for (std::size_t i = 0; expected && i < size; ++i)
                                CHECK(std::abs(triangle.gradient[k](t, i) - expected[i]) <= 1e-8 * expected_norm);
                        }
                    }
                    Variable<double> total = losses[0];
                    for (std::size_t k = 1; k < sizes.T; ++k) total = total + losses[k];
                    tape.backward(total);
                    for (std::size_t t = 0; t < sizes.T; ++t) {
                        const double* const expected = states[t][state].node().retained_gradient;
                        for (std::size_t i = 0; i < size; ++i) {
                            double sum = 0;
                            for (std::size_t k = 0; k < sizes.T; ++k) sum += triangle.gradient[k](t, i);
                            CHECK(std::abs(sum - expected[i]) <= 1e-8 * norm(expected, size));
                        }
                    }
                    const auto after = inspect::loss_to_state(tape, losses, state == 0 ? "cell.h" : "cell.c");
                    CHECK(after.norm == triangle.norm);
                    CHECK(after.gradient.empty());
                }
            }
}

TEST_CASE("more losses than go in one sweep") {
    test::RandomArrays random(62);
    const Sizes sizes{70, 1, 2, 3};
    const Cell cell = cell_of("gru", sizes);
    const Given given = random_given("gru", sizes, random);
    std::vector<Array<double>> weights(sizes.T, random.array({1, 3}));
    Tape<double> tape;
    const auto losses = losses_of(tape, unrolled(tape, cell, given), weights);
    const auto all = inspect::loss_to_state(tape, losses, "cell.h");
    for (const std::size_t k : {0, 31, 32, 63, 64, 69}) {
        const auto one = inspect::loss_to_state(tape, {losses[k]}, "cell.h");
        for (std::size_t t = 0; t < sizes.T; ++t) CHECK(one(0, t) == doctest::Approx(all(k, t)).epsilon(1e-12));
        CHECK(all(k, k) == doctest::Approx(norm(weights[k].data(), 3)));
    }
}

TEST_CASE("loss-to-state: every error says what was expected") {
    Tape<double> tape, other;
    const auto w = tape.variable(Array<double>{{1.0, 2.0}, {3.0, 4.0}});
    const auto h = probe(matmul(tape.zeros({3, 2}), w), "a.h", 0);
    const auto loss = sum(h);
    CHECK_THROWS_WITH_AS(inspect::loss_to_state<double>(tape, {}, "a.h"),
                         "loss_to_state: there are no losses: expected at least one", ValueError);
    CHECK_THROWS_WITH_AS(inspect::loss_to_state<double>(tape, {loss, h}, "a.h"),
                         "loss_to_state: loss 1 is [3, 2]: expected one element", ShapeError);
    CHECK_THROWS_WITH_AS(inspect::loss_to_state<double>(tape, {loss}, "b.h"),
                         "loss_to_state: no state is called b.h: the tape has a.h", ValueError);
    CHECK_THROWS_WITH_AS(inspect::loss_to_state<double>(tape, {other.ones({1})}, "a.h"),
                         "loss_to_state: the operands are on two different tapes: expected all on one", TapeError);
    probe(matmul(tape.zeros({4, 2}), w), "a.h", 1);
    CHECK_NOTHROW(inspect::loss_to_state<double>(tape, {loss}, "a.h"));
    CHECK_THROWS_WITH_AS(
        inspect::loss_to_state<double>(tape, {loss}, "a.h", {.keep_gradients = true}),
        "loss_to_state: a.h is [3, 2] and at time step 1 [4, 2]: expected one shape, to keep gradients", ShapeError);
}

TEST_CASE("losses of a layer's whole output are each of their own step, in both directions") {
    manual_seed(17);
    const LSTM<double> lstm(
        {.input_size = 2, .hidden_size = 3, .num_layers = 2, .bidirectional = true, .name = "lstm"});
    test::RandomArrays random(71);
    Tape<double> tape;
    const auto output = lstm(tape.constant(random.array({6, 2, 2}))).output;  // [T, B, 2 H]
    std::vector<Variable<double>> losses;
    for (const std::ptrdiff_t t : {4, 0, 5, 2}) losses.push_back(sum(square(select(output, 0, t))));
    for (const char* state : {"lstm.l1.h", "lstm.l1.reverse.h", "lstm.l1.reverse.c"}) {
        CAPTURE(state);
        CHECK(inspect::loss_to_state(tape, losses, state).loss_step == std::vector<std::int32_t>{4, 0, 5, 2});
    }
}

TEST_CASE("a loss of c alone is of the step of that c, and one of no state of none") {
    manual_seed(18);
    const LSTMCell<double> cell({.input_size = 2, .hidden_size = 3});
    test::RandomArrays random(72);
    Tape<double> tape;
    LSTMState<double> state{tape.zeros({1, 3}), tape.zeros({1, 3})};
    std::vector<Variable<double>> losses;
    for (int t = 0; t < 3; ++t) {
        state = cell(tape.constant(random.array({1, 2})), state);
        losses.push_back(sum(state.c));
    }
    losses.push_back(sum(tape.variable(random.array({2}))));
    CHECK(inspect::loss_to_state(tape, losses, "h").loss_step == std::vector<std::int32_t>{0, 1, 2, -1});
}
