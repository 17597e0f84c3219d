/// What cells and layers say when something does not fit, and that nothing has changed after they have said it.

#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>
#include <ebb/layers/recurrent_cells.hpp>
#include <ebb/layers/recurrent_layers.hpp>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "layers/recurrent_kinds.hpp"
#include "support/golden.hpp"
#include <doctest/doctest.h>

using namespace ebb;

namespace {

const LSTMCell<double>& encoder() {
    static const LSTMCell<double> cell({.input_size = 10, .hidden_size = 20, .name = "encoder"});
    return cell;
}

}  // namespace

TEST_CASE("a size of 0 is refused when the module is made") {
    CHECK_THROWS_WITH_AS(RNNCell<double>({.input_size = 3, .hidden_size = 0}),
                         "RNNCell: hidden_size is 0: expected at least 1", ValueError);
    CHECK_THROWS_WITH_AS(LSTMCell<double>({.input_size = 0, .hidden_size = 4}),
                         "LSTMCell: input_size is 0: expected at least 1", ValueError);
    CHECK_THROWS_WITH_AS(GRUCell<float>({.input_size = 3, .hidden_size = 0, .name = "decoder"}),
                         "decoder: hidden_size is 0: expected at least 1", ValueError);
    CHECK_THROWS_WITH_AS(RNN<double>({.input_size = 0, .hidden_size = 4}), "rnn: input_size is 0: expected at least 1",
                         ValueError);
    CHECK_THROWS_WITH_AS(LSTM<double>({.input_size = 3, .hidden_size = 0}),
                         "lstm: hidden_size is 0: expected at least 1", ValueError);
    CHECK_THROWS_WITH_AS(GRU<double>({.input_size = 3, .hidden_size = 0}), "gru: hidden_size is 0: expected at least 1",
                         ValueError);
}

TEST_CASE("a cell refuses an input of another size, and says which cell it was at which step") {
    Tape<double> tape;
    CHECK_THROWS_WITH_AS(encoder()(tape.zeros({32, 12})),
                         "LSTMCell: x is [32, 12], weight_ih is [80, 10]: expected [B, I] with 10 as the last extent\n"
                         "  while running encoder (LSTMCell), time step 0",
                         ShapeError);
}

TEST_CASE("a cell refuses an input of another rank") {
    Tape<double> tape;
    CHECK_THROWS_WITH_AS(
        encoder()(tape.zeros({5, 32, 10})),
        "LSTMCell: x is [5, 32, 10], weight_ih is [80, 10]: expected [B, I] with 10 as the last extent\n"
        "  while running encoder (LSTMCell), time step 0",
        ShapeError);
}

TEST_CASE("the time step of an error is the one that failed") {
    Tape<double> tape;
    LSTMState<double> state;
    for (int t = 0; t < 3; ++t) state = encoder()(tape.zeros({2, 10}), state);
    CHECK_THROWS_WITH_AS(encoder()(tape.zeros({2, 11}), state),
                         "LSTMCell: x is [2, 11], weight_ih is [80, 10]: expected [B, I] with 10 as the last extent\n"
                         "  while running encoder (LSTMCell), time step 3",
                         ShapeError);
}

TEST_CASE("a cell without a name goes by its type") {
    Tape<double> tape;
    const GRUCell<double> cell({.input_size = 2, .hidden_size = 3});
    CHECK_THROWS_WITH_AS(cell(tape.zeros({1, 3})),
                         "GRUCell: x is [1, 3], weight_ih is [9, 2]: expected [B, I] with 2 as the last extent\n"
                         "  while running GRUCell, time step 0",
                         ShapeError);
}

TEST_CASE("a cell refuses a hidden state of another size") {
    Tape<double> tape;
    const RNNCell<double> cell({.input_size = 2, .hidden_size = 3, .name = "encoder"});
    CHECK_THROWS_WITH_AS(cell(tape.zeros({4, 2}), tape.zeros({4, 2})),
                         "RNNCell: h is [4, 2], x is [4, 2]: expected h to be [4, 3]\n"
                         "  while running encoder (RNNCell), time step 0",
                         ShapeError);
}

TEST_CASE("a cell refuses a hidden state of another batch size: nothing is broadcast") {
    Tape<double> tape;
    const RNNCell<double> cell({.input_size = 2, .hidden_size = 3, .name = "encoder"});
    CHECK_THROWS_WITH_AS(cell(tape.zeros({4, 2}), tape.zeros({1, 3})),
                         "RNNCell: h is [1, 3], x is [4, 2]: expected h to be [4, 3]\n"
                         "  while running encoder (RNNCell), time step 0",
                         ShapeError);
}

TEST_CASE("an LSTM cell refuses a cell state of another size") {
    Tape<double> tape;
    CHECK_THROWS_WITH_AS(encoder()(tape.zeros({4, 10}), {tape.zeros({4, 20}), tape.zeros({4, 10})}),
                         "LSTMCell: c is [4, 10], x is [4, 10]: expected c to be [4, 20]\n"
                         "  while running encoder (LSTMCell), time step 0",
                         ShapeError);
}

TEST_CASE("a layer refuses an empty sequence") {
    Tape<double> tape;
    const LSTM<double> layer({.input_size = 10, .hidden_size = 20, .name = "encoder"});
    CHECK_THROWS_WITH_AS(layer(tape.zeros({0, 3, 10})),
                         "LSTM: x is [0, 3, 10]: T is 0, expected at least one time step\n"
                         "  while running encoder (LSTM)",
                         ShapeError);
}

TEST_CASE("a layer refuses an input of another size") {
    Tape<double> tape;
    const GRU<double> layer({.input_size = 10, .hidden_size = 20});
    CHECK_THROWS_WITH_AS(
        layer(tape.zeros({5, 3, 11})),
        "GRU: x is [5, 3, 11], weight_ih_l0 is [60, 10]: expected [T, B, I] with 10 as the last extent\n"
        "  while running gru (GRU)",
        ShapeError);
}

TEST_CASE("an LSTM layer refuses a cell state of another batch size") {
    Tape<double> tape;
    const LSTM<double> layer({.input_size = 10, .hidden_size = 20});
    CHECK_THROWS_WITH_AS(layer(tape.zeros({5, 3, 10}), {tape.zeros({1, 3, 20}), tape.zeros({1, 2, 20})}),
                         "LSTM: c0 is [1, 2, 20], x is [5, 3, 10]: expected c0 to be [1, 3, 20]\n"
                         "  while running lstm (LSTM)",
                         ShapeError);
}

TEST_CASE("a layer refuses options that make no layer") {
    CHECK_THROWS_WITH_AS(LSTM<double>({.input_size = 3, .hidden_size = 4, .num_layers = 0}),
                         "lstm: num_layers is 0: expected at least 1", ValueError);
    CHECK_THROWS_WITH_AS(GRU<double>({.input_size = 3, .hidden_size = 4, .dropout = 1.5}),
                         "gru: dropout is 1.5: expected 0 to 1", ValueError);
    CHECK_THROWS_WITH_AS(LSTM<double>({.input_size = 3, .hidden_size = 4, .proj_size = 4}),
                         "lstm: proj_size is 4, hidden_size is 4: expected a smaller one, or 0 for none", ValueError);
}

TEST_CASE("a weight refuses NaN and infinity and keeps its value") {
    const RNNCell<double> cell({.input_size = 2, .hidden_size = 2});
    Parameter<double> weight = cell.weight_hh;
    const Array<double> before = weight.value();
    CHECK_THROWS_WITH_AS(weight.set_value({{1, 2}, {std::nan(""), 4}}),
                         "Parameter.set_value: weight_hh holds nan at [1, 0]: expected finite numbers", ValueError);
    CHECK_THROWS_WITH_AS(weight.set_value({{1, std::numeric_limits<double>::infinity()}, {3, 4}}),
                         "Parameter.set_value: weight_hh holds inf at [0, 1]: expected finite numbers", ValueError);
    CHECK(difference(weight.value(), before, 0, 0) == "");
}

TEST_CASE("a state of another tape or of a cleared tape is refused, and neither tape changes") {
    for (const std::string kind : recurrent_kinds) {
        CAPTURE(kind);
        const AnyCell<double> cell({.kind = kind, .input_size = 2, .hidden_size = 3});
        const AnyLayer<double> layer({.kind = kind, .input_size = 2, .hidden_size = 3});
        const std::size_t states = kind == "lstm" ? 2 : 1;
        Tape<double> other;
        const States<double> elsewhere(states, other.zeros({1, 3})), elsewhere_3d(states, other.zeros({1, 1, 3}));
        Tape<double> tape;
        const States<double> stale(states, tape.zeros({1, 3})), stale_3d(states, tape.zeros({1, 1, 3}));
        tape.clear();
        const auto x = tape.zeros({1, 2}), sequence = tape.zeros({4, 1, 2});
        const std::size_t nodes = tape.size(), nodes_elsewhere = other.size();
        CHECK_THROWS_AS(cell.step(x, elsewhere), TapeError);
        CHECK_THROWS_AS(cell.step(x, stale), TapeError);
        CHECK_THROWS_AS(layer.run(sequence, elsewhere_3d), TapeError);
        CHECK_THROWS_AS(layer.run(sequence, stale_3d), TapeError);
        CHECK(tape.size() == nodes);
        CHECK(other.size() == nodes_elsewhere);
    }
}

TEST_CASE("after an error the tape and the weights are as before, and the next step is right") {
    for (const std::string kind : recurrent_kinds)
        for (const Granularity granularity : {Granularity::fused, Granularity::elementary}) {
            CAPTURE(kind);
            CAPTURE(granularity == Granularity::fused);
            const AnyCell<double> cell({.kind = kind, .input_size = 2, .hidden_size = 3, .granularity = granularity});
            const AnyLayer<double> layer({.kind = kind, .input_size = 2, .hidden_size = 3, .granularity = granularity});
            randomize(cell.parameters);
            randomize(layer.parameters);
            const std::size_t states = kind == "lstm" ? 2 : 1;
            const auto gradients = [&](bool with_errors) {
                for (auto [name, parameter] : cell.parameters) parameter.zero_grad();
                Tape<double> tape;
                const auto x = tape.variable(random_array({2, 2}, 1));
                const auto wrong = tape.zeros({2, 7}), wrong_sequence = tape.zeros({4, 2, 7});
                const auto empty = tape.zeros({0, 2, 2}), sequence = tape.zeros({4, 2, 2});
                States<double> state(states, tape.variable(random_array({2, 3}, 2)));
                state = cell.step(x, state);
                if (with_errors) {
                    const std::size_t nodes = tape.size();
                    CHECK_THROWS_AS(cell.step(wrong, state), ShapeError);
                    CHECK_THROWS_AS(cell.step(x, States<double>(states, wrong)), ShapeError);
                    CHECK_THROWS_AS(layer.run(wrong_sequence, {}), ShapeError);
                    CHECK_THROWS_AS(layer.run(empty, {}), ShapeError);
                    CHECK_THROWS_AS(layer.run(sequence, States<double>(states, wrong)), ShapeError);
                    CHECK(tape.size() == nodes);
                    if (kind == "lstm") {
                        // The good half of a state is no reason to begin.
                        CHECK_THROWS_AS(cell.step(x, {Variable<double>(), wrong}), ShapeError);
                        CHECK_THROWS_AS(layer.run(sequence, {Variable<double>(), wrong}), ShapeError);
                        CHECK_THROWS_AS(layer.run(sequence, {unsqueeze(state[0], 0), wrong}), ShapeError);
                        CHECK(tape.size() == nodes + 1);  // the state that was unsqueezed here
                    }
                }
                state = cell.step(x, state);
                tape.backward(sum(square(state.back())));
                std::vector<Array<double>> result{Array<double>(x.grad())};
                for (const auto& [name, parameter] : cell.parameters) result.push_back(parameter.grad());
                return result;
            };
            const auto expected = gradients(false), found = gradients(true);
            for (std::size_t i = 0; i < expected.size(); ++i) CHECK(difference(found[i], expected[i], 0, 0) == "");
        }
}
