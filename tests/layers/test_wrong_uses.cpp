/// The wrong uses that everyone makes of sequence models once, and the sentence that each is told. After each the tape
/// is as before.

#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/random.hpp>
#include <ebb/layers/attention.hpp>
#include <ebb/layers/cell_wrappers.hpp>
#include <ebb/layers/embedding.hpp>
#include <ebb/layers/init.hpp>
#include <ebb/layers/linear.hpp>
#include <ebb/layers/recurrent_layers.hpp>
#include <ebb/layers/sequence_dropout.hpp>

#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace ebb;

namespace {

// T = 5 time steps, B = 3 sequences, I = 10 inputs, H = 20 units.

template <class E, class F>
void told(const Tape<double>& tape, F wrong_use, const std::string& message) {
    const std::size_t nodes = tape.size();
    CHECK_THROWS_WITH_AS(wrong_use(), message.c_str(), E);
    CHECK(tape.size() == nodes);
}

}  // namespace

TEST_CASE("1. batch and time are exchanged") {
    Tape<double> tape;
    const GRU<double> layer({.input_size = 10, .hidden_size = 20}),
        batch_first({.input_size = 10, .hidden_size = 20, .batch_first = true});
    const auto x = tape.zeros({3, 5, 10}), h0 = tape.zeros({3, 1, 20}), empty = tape.zeros({3, 0, 10}),
               wide = tape.zeros({3, 5, 11}), logits = tape.zeros({5, 3, 7});
    told<ShapeError>(
        tape,
        [&] {
            layer(x, {}, {.lengths = {5, 4, 1}});
        },
        "GRU: lengths has 3 entries, x is [3, 5, 10]: expected one for each of 5 sequences (3 is the number of time "
        "steps: batch_first is false)\n  while running gru (GRU)");
    told<ShapeError>(
        tape,
        [&] {
            batch_first(x, {}, {.lengths = {3, 3, 3, 1, 2}});
        },
        "GRU: lengths has 5 entries, x is [3, 5, 10]: expected one for each of 3 sequences (5 is the number of time "
        "steps: batch_first is true)\n  while running gru (GRU)");
    told<ShapeError>(
        tape, [&] { batch_first(x, h0); },
        "GRU: h0 is [3, 1, 20], x is [3, 5, 10]: expected h0 to be [1, 3, 20], 1 layer in 1 direction, whatever "
        "batch_first says of x\n  while running gru (GRU)");
    told<ShapeError>(
        tape, [&] { batch_first(empty); },
        "GRU: x is [3, 0, 10]: T is 0, expected at least one time step\n  while running gru (GRU)");
    told<ShapeError>(
        tape, [&] { batch_first(wide); },
        "GRU: x is [3, 5, 11], weight_ih_l0 is [60, 10]: expected [B, T, I] with 10 as the last extent\n"
        "  while running gru (GRU)");
    told<ShapeError>(
        tape,
        [&] {
            cross_entropy(logits, Indices::from_shape({3, 5}));
        },
        "cross_entropy: logits is [5, 3, 7], the targets are [3, 5]: expected [5, 3], a class for each row");
}

TEST_CASE("2. lengths are too long, negative, or not one for each sequence") {
    Tape<double> tape;
    const LSTM<double> layer({.input_size = 10, .hidden_size = 20});
    const auto x = tape.zeros({5, 3, 10});
    const auto with = [&](std::vector<int> lengths) { return [&, lengths] { layer(x, {}, {.lengths = lengths}); }; };
    told<ValueError>(tape, with({5, 6, 2}),
                     "LSTM: lengths[1] is 6, x is [5, 3, 10]: expected 0 to 5, the number of time steps\n"
                     "  while running lstm (LSTM)");
    told<ValueError>(tape, with({5, 1, -1}),
                     "LSTM: lengths[2] is -1, x is [5, 3, 10]: expected 0 to 5, the number of time steps\n"
                     "  while running lstm (LSTM)");
    told<ShapeError>(tape, with({5, 4}),
                     "LSTM: lengths has 2 entries, x is [5, 3, 10]: expected one for each of 3 sequences\n"
                     "  while running lstm (LSTM)");
    told<ShapeError>(tape, with({}),
                     "LSTM: lengths has 0 entries, x is [5, 3, 10]: expected one for each of 3 sequences\n"
                     "  while running lstm (LSTM)");
}

TEST_CASE("3. the state is of another number of layers or directions, or without the projection") {
    Tape<double> tape;
    const LSTM<double> layer({.input_size = 10,
                              .hidden_size = 20,
                              .num_layers = 2,
                              .bidirectional = true,
                              .proj_size = 5,
                              .name = "encoder"});
    const GRU<double> single({.input_size = 10, .hidden_size = 20});
    const auto x = tape.zeros({4, 3, 10});
    const auto two_h = tape.zeros({2, 3, 5}), two_c = tape.zeros({2, 3, 20}), h = tape.zeros({4, 3, 5}),
               c = tape.zeros({4, 3, 20});
    told<ShapeError>(
        tape,
        [&] {
            layer(x, {two_h, two_c});
        },
        "LSTM: h0 is [2, 3, 5], x is [4, 3, 10]: expected h0 to be [4, 3, 5], 2 layers in 2 directions\n"
        "  while running encoder (LSTM)");
    told<ShapeError>(
        tape,
        [&] {
            layer(x, {c, c});
        },
        "LSTM: h0 is [4, 3, 20], x is [4, 3, 10]: expected h0 to be [4, 3, 5], 2 layers in 2 directions\n"
        "  while running encoder (LSTM)");
    told<ShapeError>(
        tape,
        [&] {
            layer(x, {h, h});
        },
        "LSTM: c0 is [4, 3, 5], x is [4, 3, 10]: expected c0 to be [4, 3, 20], 2 layers in 2 directions\n"
        "  while running encoder (LSTM)");
    told<ShapeError>(
        tape, [&] { single(x, two_c); },
        "GRU: h0 is [2, 3, 20], x is [4, 3, 10]: expected h0 to be [1, 3, 20], 1 layer in 1 direction\n"
        "  while running gru (GRU)");
}

TEST_CASE("4. a mask is of another shape") {
    Tape<double> tape;
    const Attention<double> attention({.query_size = 20, .key_size = 20, .name = ""});
    const auto memory = attention.remember(tape.zeros({5, 3, 20}));
    const auto one = tape.zeros({3, 20}), all = tape.zeros({4, 3, 20}), scores = tape.zeros({3, 5});
    told<ShapeError>(
        tape,
        [&] {
            attention(one, memory, length_mask({4, 4, 1}, 4));
        },
        "Attention: mask is [3, 4]: expected [B, S], [3, 5]\n  while running Attention");
    told<ShapeError>(
        tape, [&] { attention(all, memory, causal_mask(5)); },
        "Attention: mask is [5, 5]: expected [T, S], [4, 5], or [T, B, S], [4, 3, 5]\n"
        "  while running Attention");
    told<ShapeError>(
        tape,
        [&] {
            masked_softmax(scores, Mask::from_shape({5, 3}));
        },
        "masked_softmax: mask is [5, 3], x is [3, 5]: expected the mask to broadcast to x");
}

TEST_CASE("5. tied weights are of unequal shape") {
    const Tape<double> tape;
    const Embedding<double> embedding({.num_embeddings = 80, .embedding_dim = 16});
    told<ShapeError>(
        tape, [&] { Linear<double>({.in_features = 32, .out_features = 80, .name = "readout"}, embedding.weight); },
        "readout: the tied weight is [80, 16]: expected [out_features, in_features], [80, 32]: a Linear between them "
        "can bring the width to that of the weight");
}

TEST_CASE("6. a layer gets one step, a cell gets a sequence") {
    Tape<double> tape;
    const RNN<double> layer({.input_size = 10, .hidden_size = 20});
    const RNNCell<double> cell({.input_size = 10, .hidden_size = 20});
    const auto step = tape.zeros({3, 10}), sequence = tape.zeros({5, 3, 10});
    told<ShapeError>(
        tape, [&] { layer(step); },
        "RNN: x is [3, 10], weight_ih_l0 is [20, 10]: expected [T, B, I] with 10 as the last extent\n"
        "  while running rnn (RNN)");
    told<ShapeError>(
        tape, [&] { cell(sequence); },
        "RNNCell: x is [5, 3, 10], weight_ih is [20, 10]: expected [B, I] with 10 as the last extent\n"
        "  while running RNNCell, time step 0");
}

TEST_CASE("7. the state of a cell goes into a layer, and that of a layer into a cell") {
    Tape<double> tape;
    const RNN<double> layer({.input_size = 10, .hidden_size = 20});
    const RNNCell<double> cell({.input_size = 10, .hidden_size = 20});
    const auto step = tape.zeros({3, 10}), sequence = tape.zeros({5, 3, 10}), of_cell = tape.zeros({3, 20}),
               of_layer = tape.zeros({1, 3, 20});
    told<ShapeError>(
        tape, [&] { layer(sequence, of_cell); },
        "RNN: h0 is [3, 20], x is [5, 3, 10]: expected h0 to be [1, 3, 20]\n  while running rnn (RNN)");
    told<ShapeError>(
        tape, [&] { cell(step, of_layer); },
        "RNNCell: h is [1, 3, 20], x is [3, 10]: expected h to be [3, 20]\n"
        "  while running RNNCell, time step 0");
}

TEST_CASE("8. the last batch is smaller than the state that was kept") {
    Tape<double> tape;
    const RNN<double> layer({.input_size = 10, .hidden_size = 20});
    const auto last = tape.zeros({5, 2, 10}), kept = tape.zeros({1, 3, 20});
    told<ShapeError>(
        tape, [&] { layer(last, kept); },
        "RNN: h0 is [1, 3, 20], x is [5, 2, 10]: expected h0 to be [1, 2, 20]\n  while running rnn (RNN)");
}

TEST_CASE("9. a state is carried over a cleared tape as it is, and not as an array") {
    Tape<double> tape;
    const RNN<double> layer({.input_size = 10, .hidden_size = 20});
    const auto state = layer(tape.zeros({5, 3, 10})).state;
    tape.clear();
    const auto x = tape.zeros({5, 3, 10});
    told<TapeError>(
        tape, [&] { layer(x, state); },
        "Variable: its tape was cleared or destroyed since: copy what outlasts a tape into an array, "
        "x.value(), and make a new variable from it\n  while running rnn (RNN)");
}

TEST_CASE("10. two losses go back through one graph: the state was not cut") {
    manual_seed(1);
    Tape<double> tape;
    const RNN<double> layer({.input_size = 10, .hidden_size = 20});
    const auto first = layer(tape.ones({5, 3, 10}));
    tape.backward(sum(first.output));
    const auto loss = sum(layer(tape.ones({5, 3, 10}), first.state).output);
    told<TapeError>(
        tape, [&] { tape.backward(loss); },
        "backward: rnn.h (node 10) was freed by an earlier backward pass: expected BackwardOptions{.retain_graph = "
        "true} there, or the forward pass recorded again");
}

TEST_CASE("11. backward gets the whole output instead of a loss") {
    Tape<double> tape;
    const RNN<double> layer({.input_size = 10, .hidden_size = 20});
    const auto output = layer(tape.zeros({5, 3, 10})).output;
    told<ShapeError>(
        tape, [&] { tape.backward(output); },
        "backward: node 11 is [5, 3, 20]: expected one element, or a seed of that shape: tape.backward(y, seed)");
}

TEST_CASE("12. a token is not in the vocabulary, a target is not among the classes") {
    Tape<double> tape;
    const Embedding<double> embedding({.num_embeddings = 7, .embedding_dim = 2});
    const auto logits = tape.zeros({3, 7});
    told<IndexError>(
        tape,
        [&] {
            embedding(Indices{1, 7, 0});
        },
        "Embedding: index 7 at flat position 1 of the indices: weight is [7, 2], expected 0 to 6\n  while running "
        "Embedding");
    told<IndexError>(
        tape,
        [&] {
            cross_entropy(logits, Indices{1, 7, 0});
        },
        "cross_entropy: target 7 at flat position 1: logits is [3, 7], expected 0 to 6, or -100 to ignore it");
}

TEST_CASE("13. a rate is given in per cent") {
    const Tape<double> tape;
    told<ValueError>(
        tape, [] { GRU<double>({.input_size = 3, .hidden_size = 4, .dropout = 50}); },
        "gru: dropout is 50: expected 0 to 1");
    told<ValueError>(
        tape, [] { LockedDropout<double>({.p = 50}); }, "LockedDropout: p is 50: expected 0 to 1");
}

TEST_CASE("14. an RNN is asked for a forget gate") {
    const Tape<double> tape;
    const RNN<double> layer({.input_size = 10, .hidden_size = 20});
    told<ValueError>(
        tape, [&] { init::forget_gate_bias(layer, 1); },
        "forget_gate_bias: rnn is an RNN, which has no gates: expected an LSTM or a GRU");
}

TEST_CASE("15. the weights are those of another model") {
    const Tape<double> tape;
    LSTM<double> one({.input_size = 10, .hidden_size = 20});
    const LSTM<double> two({.input_size = 10, .hidden_size = 20, .num_layers = 2}),
        wide({.input_size = 10, .hidden_size = 24}), less({.input_size = 10, .hidden_size = 20, .bias = false});
    const auto before = one.state_dict();
    told<ValueError>(
        tape, [&] { one.load_state_dict(two.state_dict()); },
        "load_state_dict: lstm does not fit: unexpected: bias_hh_l1, bias_ih_l1, weight_hh_l1, weight_ih_l1");
    told<ValueError>(
        tape, [&] { one.load_state_dict(less.state_dict()); },
        "load_state_dict: lstm does not fit: missing: bias_ih_l0, bias_hh_l0");
    told<ShapeError>(
        tape, [&] { one.load_state_dict(wide.state_dict()); },
        "load_state_dict: lstm does not fit: weight_ih_l0 is [96, 10], expected [80, 10]; weight_hh_l0 is [96, 24], "
        "expected [80, 20]; bias_ih_l0 is [96], expected [80]; bias_hh_l0 is [96], expected [80]");
    CHECK(one.state_dict() == before);
}
