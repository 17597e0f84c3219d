/// Every snippet of docs/sequence-models.md stands in this file, runs, and does what the page says.

#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/inspect/gradient_flow.hpp>
#include <ebb/layers/attention.hpp>
#include <ebb/layers/cell_wrappers.hpp>
#include <ebb/layers/clockwork.hpp>
#include <ebb/layers/drop_connect.hpp>
#include <ebb/layers/embedding.hpp>
#include <ebb/layers/generation.hpp>
#include <ebb/layers/linear.hpp>
#include <ebb/layers/penalties.hpp>
#include <ebb/layers/recurrent_layers.hpp>
#include <ebb/layers/regularized_cells.hpp>
#include <ebb/layers/scheduled_sampling.hpp>
#include <ebb/layers/sequence_dropout.hpp>
#include <ebb/optim/adam.hpp>
#include <ebb/optim/clip.hpp>
#include <ebb/optim/training.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "support/documented.hpp"
#include <doctest/doctest.h>

using namespace ebb;

TEST_CASE("every snippet of the page stands in this file") {
    CHECK(check_snippets("sequence-models.md", "integration/test_sequence_models_page.cpp") == 13);
}

TEST_CASE("prediction rules: softmax, identity and sigmoid, at every step, at the last, or every k steps") {
    manual_seed(1);
    constexpr std::size_t steps = 6, batch = 3, inputs = 4, hidden = 5, classes = 7;
    const LSTM<double> lstm({.input_size = inputs, .hidden_size = hidden});
    const Linear<double> readout({.in_features = hidden, .out_features = classes});
    const Linear<double> slow_readout({.in_features = hidden, .out_features = 2});
    Tape<double> tape;
    const auto x = tape.constant(randn<double>({steps, batch, inputs}));
    const Indices labels = randint({steps, batch}, 0, classes), last_labels = randint({batch}, 0, classes);
    const auto numbers = tape.constant(randn<double>({steps, batch, classes}));
    const auto yes_or_no = tape.constant(bernoulli<double>({steps, batch, classes}, 0.5));
    const auto slow_targets = tape.constant(randn<double>({2, batch, 2}));

    const auto [output, state] = lstm(x);  // [T, B, H]; h and c [1, B, H]
    const auto y = readout(output);        // [T, B, C]: W_hy h_t + b_y at every step

    const auto classification = cross_entropy(y, labels);                 // f is softmax: labels [T, B]
    const auto regression = mse_loss(y, numbers);                         // f is the identity
    const auto tagging = binary_cross_entropy_with_logits(y, yes_or_no);  // f is sigmoid

    const auto last = readout(select(state.h, 0, 0));  // [B, C]: many-to-one
    const auto verdict = cross_entropy(last, last_labels);

    const auto every_third = slow_readout(index_select(output, every(3, steps)));  // [T / 3, B, ..]
    const auto slow = mse_loss(every_third, slow_targets);

    tape.backward(classification + regression + tagging + verdict + slow);
    CHECK(y.shape() == Shape{steps, batch, classes});
    for (std::size_t j = 0; j < classes; ++j)
        CHECK(last.value()(1, j) == doctest::Approx(y.value()(steps - 1, 1, j)).epsilon(1e-13));
    CHECK(every_third.shape() == Shape{2, batch, 2});
    CHECK(grad_norm(lstm.parameters()) > 0);
}

TEST_CASE("one-to-many: a state that feeds itself") {
    manual_seed(2);
    const GRUCell<double> cell({.input_size = 2, .hidden_size = 4});
    const Linear<double> readout({.in_features = 4, .out_features = 2});
    Tape<double> tape;
    auto h = tape.variable(randn<double>({1, 4}));
    const auto start = h;

    auto y = readout(h);
    std::vector<Variable<double>> written{y};
    for (int t = 1; t < 5; ++t) {
        h = cell(y, h);
        y = readout(h);
        written.push_back(y);
    }

    tape.backward(sum(stack(written, 0)));
    CHECK(start.grad()(0, 0) != 0);
}

TEST_CASE("a clockwork network, and a decoder with its own tokens") {
    manual_seed(3);
    const auto check_backward = [](const auto& loss, const auto& module) {
        loss.tape().backward(loss);
        CHECK(grad_norm(module.parameters()) > 0);
    };
    Tape<double> tape;
    const auto x = tape.constant(randn<double>({9, 2, 3}));

    const Recurrent<ClockworkCell<double>> clockwork({.input_size = 3, .hidden_size = 32});  // periods 1, 2, 4, 8
    const auto output = clockwork(x).output;
    const auto fast = slice(output, 2, 0, 8), slow = slice(output, 2, 24, 32);

    check_backward(sum(fast) + sum(slow), clockwork);
    for (std::ptrdiff_t t = 1; t < 8; ++t)
        CHECK(Array<double>(select(slow, 0, t).value()) == Array<double>(select(slow, 0, 0).value()));
    CHECK(Array<double>(select(slow, 0, 8).value()) != Array<double>(select(slow, 0, 0).value()));

    const Embedding<double> embedding({.num_embeddings = 5, .embedding_dim = 3});
    const GRUCell<double> decoder({.input_size = 3, .hidden_size = 4});
    const Linear<double> readout({.in_features = 4, .out_features = 5});
    const Indices answers = randint({6, 2}, 0, 5);
    Variable<double> h = tape.zeros({2, 4});
    Indices before{4, 4};
    const double truth = 0.5;

    std::vector<Variable<double>> logits;
    for (std::size_t t = 0; t < 6; ++t) {
        h = decoder(embedding(before), h);
        logits.push_back(readout(h));
        before = next_inputs(logits.back(), answers, t, truth);  // truth 1: teacher forcing; 0: its own
    }
    const auto loss = cross_entropy(stack(logits, 0), answers);

    check_backward(loss, decoder);
}

TEST_CASE("remedies, each in its few lines") {
    manual_seed(4);
    constexpr std::size_t V = 12, H = 8;
    const Indices tokens = randint({7, 2}, 0, V), targets = randint({7, 2}, 0, V);
    Tape<double> tape;

    using Cell = ZoneoutCell<VariationalDropoutCell<LSTMCell<double>>>;
    const Recurrent<Cell> remedied({.input_size = H, .hidden_size = H}, [](std::size_t inputs, std::size_t hidden) {
        const LSTMCell<double> lstm({.input_size = inputs, .hidden_size = hidden});
        return Cell(VariationalDropoutCell(lstm, {.input = 0.2, .state = 0.3}), {.h = 0.05, .others = 0.5});
    });

    const Recurrent<RegularizedLSTMCell<double>> normalised(
        {.input_size = H, .hidden_size = H}, [](std::size_t inputs, std::size_t hidden) {
            return RegularizedLSTMCell<double>(
                {.input_size = inputs, .hidden_size = hidden, .layer_norm = true, .recurrent_dropout = 0.25});
        });

    const Embedding<double> embedding({.num_embeddings = V, .embedding_dim = H});
    const LSTM<double> lstm({.input_size = H, .hidden_size = H});
    const Linear<double> readout({.in_features = H, .out_features = V}, embedding.weight);  // tied

    const auto words = embedding_dropout(embedding, tokens, 0.1);  // whole words, wherever they stand
    const DropConnect dropped(lstm, 0.5);                          // elements of W_hh, as long as it is in scope
    const auto raw = lstm(words).output;
    const auto output = locked_dropout(raw, 0.4);  // one mask for all time steps
    auto loss = cross_entropy(readout(output), targets);

    loss = loss + 2.0 * activation_penalty(output) + 1.0 * temporal_activation_penalty(raw);
    loss = loss + 0.01 * orthogonality_penalty(lstm.weight_hh) + 0.01 * spectral_norm_penalty(lstm.weight_hh);
    loss = loss + 0.1 * vanishing_gradient_penalty(loss, "lstm.h");

    tape.backward(loss);
    CHECK(grad_norm(lstm.parameters()) > 0);
    CHECK(normalised(words).output.shape() == remedied(words).output.shape());
    CHECK(readout.weight.shares_with(embedding.weight));
}

TEST_CASE("causal attention of each state over the states before it") {
    manual_seed(5);
    const RNN<double> rnn({.input_size = 3, .hidden_size = 4});
    const Attention<double> attention({.query_size = 4, .key_size = 4});
    Tape<double> tape;
    const auto x = tape.constant(randn<double>({6, 2, 3}));

    const auto h = rnn(x).output;  // [T, B, H]
    const auto [context, weights] = attention(h, attention.remember(h), causal_mask(6, Causal::past));

    for (std::size_t t = 0; t < 6; ++t)
        for (std::size_t s = t; s < 6; ++s) CHECK(weights.value()(t, 0, s) == 0);
    CHECK(context.shape() == Shape{6, 2, 4});
}

TEST_CASE("a text goes on, step by step") {
    manual_seed(6);
    const Embedding<float> embedding({.num_embeddings = 10, .embedding_dim = 4});
    const LSTM<float> lstm({.input_size = 4, .hidden_size = 8});
    const Linear<float> readout({.in_features = 8, .out_features = 10});
    const Tokens start{3, 1, 4};
    Generator generator(1);

    const auto model = [&](const Indices& tokens, const LSTMState<float>& state) {  // tokens [T, B]
        const auto [output, next] = lstm(embedding(tokens), state);
        return std::pair{readout(output), next};  // logits [T, B, V]
    };
    Autoregression text(tape_step<float, LSTMState<float>>(model));
    text.read(start);
    const Tokens greedy = Autoregression(text).generate(5, {.temperature = 0});
    const Tokens sampled = text.generate(20, {.temperature = 0.8, .top_p = 0.9}, generator);
    const std::vector<Hypothesis> best = text.beam_search({.width = 8, .length = 5});

    CHECK(greedy.size() == 5);
    CHECK(sampled.size() == 20);
    CHECK(best.size() == 8);
    CHECK(text.log_likelihood() < 0);
}
