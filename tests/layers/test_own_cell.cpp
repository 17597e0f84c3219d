/// Cells that a user writes, in layers by `Recurrent<Cell>`.

#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/layers/linear.hpp>
#include <ebb/layers/recurrent_layers.hpp>
#include <ebb/layers/summary.hpp>

#include <map>
#include <string>
#include <vector>

#include "layers/module_gradcheck.hpp"
#include "layers/recurrent_kinds.hpp"
#include "support/golden.hpp"
#include <doctest/doctest.h>

using namespace ebb;

namespace {

/// The minimal gated unit (Zhou et al. 2016): one gate that forgets and updates.
///     f = sigmoid(W_f [h_{t-1}, x_t] + b_f),  n = tanh(W_h [f . h_{t-1}, x_t] + b_h),  h_t = (1 - f) . h_{t-1} + f . n
struct MinimalGatedUnit : Module<double> {
    Linear<double> forget, update;
    MinimalGatedUnit(std::size_t inputs, std::size_t hidden)
        : Module("MinimalGatedUnit"),
          forget(register_module("forget", Linear<double>({.in_features = hidden + inputs, .out_features = hidden}))),
          update(register_module("update", Linear<double>({.in_features = hidden + inputs, .out_features = hidden}))) {}
    Variable<double> operator()(const Variable<double>& x, const Variable<double>& h) const {
        const auto f = sigmoid(forget(concat(std::vector{h, x}, 1))).named("forget_gate");
        const auto n = tanh(update(concat(std::vector{f * h, x}, 1)));
        return (1 - f) * h + f * n;
    }
};

/// Three states of two widths, an LSTM's and a running sum of the inputs.
struct Counter : Module<double> {
    struct State {
        Variable<double> h, c, total;
    };
    static constexpr std::array state_names{"h", "c", "total"};
    LSTMCell<double> lstm;
    std::size_t inputs;
    Counter(std::size_t input_size, std::size_t hidden)
        : Module("Counter"),
          lstm(register_module("lstm", LSTMCell<double>({.input_size = input_size, .hidden_size = hidden}))),
          inputs(input_size) {}
    std::size_t state_size(std::size_t part) const { return part == 2 ? inputs : lstm.hidden_size(); }
    State operator()(const Variable<double>& x, const State& before) const {
        const auto [h, c] = lstm(x, {before.h, before.c});
        return {h, c, before.total + x};
    }
};

/// Gives back what it is given.
struct Frozen : Module<double> {
    Frozen(std::size_t, std::size_t) : Module("Frozen") {}
    Variable<double> operator()(const Variable<double>&, const Variable<double>& h) const { return h; }
};

}  // namespace

TEST_CASE("a cell of one's own in a layer is a loop of the cell") {
    Recurrent<MinimalGatedUnit> layer({.input_size = 2, .hidden_size = 3});
    const MinimalGatedUnit& cell = layer.cell();
    Tape<double> tape;
    const auto x = tape.variable(random_array({4, 2, 2}, 1));
    const auto [output, state] = layer(x);
    auto h = tape.zeros({2, 3});
    for (std::ptrdiff_t t = 0; t < 4; ++t) {
        h = cell(select(x, 0, t), h);
        CHECK(difference(select(output, 0, t).value(), h.value(), 1e-13, 1e-15) == "");
    }
    CHECK(difference(state.value(), unsqueeze(h, 0).value(), 1e-13, 1e-15) == "");
}

TEST_CASE("a cell of one's own gets layers, directions and lengths: each sequence is what it is alone") {
    Recurrent<MinimalGatedUnit> layer({.input_size = 2, .hidden_size = 3, .num_layers = 2, .bidirectional = true});
    const std::vector<std::size_t> lengths{2, 5, 1};
    const Array<double> x = random_array({5, 3, 2}, 1);
    Tape<double> tape;
    const auto in = tape.variable(x);
    const auto [output, state] = layer(in, {}, {.lengths = lengths});
    CHECK(output.shape() == Shape{5, 3, 6});
    CHECK(state.shape() == Shape{4, 3, 3});
    tape.backward(sum(square(output)) + sum(state));
    for (std::size_t b = 0; b < 3; ++b) {
        const auto at = static_cast<std::ptrdiff_t>(b), end = static_cast<std::ptrdiff_t>(lengths[b]);
        const auto x_b = tape.variable(Array<double>(slice(slice(in, 1, at, at + 1), 0, 0, end).value()));
        const auto [y, last] = layer(x_b);
        tape.backward(sum(square(y)) + sum(last));
        CHECK(difference(slice(slice(output, 1, at, at + 1), 0, 0, end).value(), y.value(), 1e-13, 1e-15) == "");
        CHECK(difference(slice(state, 1, at, at + 1).value(), last.value(), 1e-13, 1e-15) == "");
        const auto dx = tape.constant(Array<double>(in.grad()));
        CHECK(difference(slice(slice(dx, 1, at, at + 1), 0, 0, end).value(), x_b.grad(), 1e-12, 1e-14) == "");
    }
}

TEST_CASE("a cell of one's own passes the gradient check in a layer") {
    Recurrent<MinimalGatedUnit> layer({.input_size = 2, .hidden_size = 2, .num_layers = 2, .bidirectional = true});
    ModuleCheck check;
    check.inputs = {random_array({3, 2, 2}, 1), random_array({4, 2, 2}, 2)};
    check.parameters = layer.parameters();
    check.f = [&](const std::vector<Variable<double>>& in) {
        const auto [output, state] = layer(in[0], in[1], {.lengths = {2, 3}});
        return concat(std::vector{reshape(output, {output.size()}), reshape(state, {state.size()})}, 0);
    };
    CHECK(check.errors(1) == "");
    CHECK(check.errors(2) == "");
}

TEST_CASE("a cell of one's own has probes and gates at the times of the sequence") {
    Recurrent<MinimalGatedUnit> layer({.input_size = 2, .hidden_size = 3, .bidirectional = true, .name = "mgu"});
    Tape<double> tape;
    const auto [output, state] = layer(tape.constant(random_array({3, 1, 2}, 1)));
    tape.backward(sum(output));
    std::map<std::string, std::vector<std::int32_t>> probes, gates;
    for (NodeIndex index = 0; index < tape.size(); ++index) {
        const Node<double>& node = tape.node(index);
        if (node.probe) {
            probes[node.name.text()].push_back(node.time_step);
            CHECK(node.retained_gradient != nullptr);
        }
        if (node.intermediate) gates[node.name.text()].push_back(node.time_step);
    }
    CHECK(probes.size() == 2);
    CHECK(probes["mgu.h"] == std::vector<std::int32_t>{0, 1, 2});
    CHECK(probes["mgu.reverse.h"] == std::vector<std::int32_t>{2, 1, 0});
    CHECK(gates.size() == 1);
    CHECK(gates["forget_gate"] == std::vector<std::int32_t>{0, 1, 2, 2, 1, 0});
    // The step of a weight's use is that of the state which it makes.
    for (const auto& share : tape.shares(layer.cell().forget.weight))
        CHECK((share.first_time_step >= 0 && share.first_time_step <= 2));
}

TEST_CASE("a cell of one's own has a state dict and a summary") {
    Recurrent<MinimalGatedUnit> layer({.input_size = 1, .hidden_size = 2, .bidirectional = true, .name = "mgu"});
    const auto named = layer.named_parameters();
    REQUIRE(named.size() == 8);
    CHECK(named[0].first == "l0.forget.weight");
    CHECK(named[7].first == "l0_reverse.update.bias");
    Recurrent<MinimalGatedUnit> other({.input_size = 1, .hidden_size = 2, .bidirectional = true});
    other.load_state_dict(layer.state_dict());
    Tape<double> tape;
    const auto x = tape.constant(random_array({3, 1, 1}, 1));
    CHECK(Array<double>(other(x).output.value()) == Array<double>(layer(x).output.value()));
    CHECK(summary(layer) ==
          "module        type, shape       parameters\n"
          "------------------------------------------\n"
          "mgu           Recurrent\n"
          "  l0          MinimalGatedUnit\n"
          "    forget    Linear\n"
          "      weight  [2, 3]                     6\n"
          "      bias    [2]                        2\n"
          "    update    Linear\n"
          "      weight  [2, 3]                     6\n"
          "      bias    [2]                        2\n"
          "  l0_reverse  MinimalGatedUnit\n"
          "    forget    Linear\n"
          "      weight  [2, 3]                     6\n"
          "      bias    [2]                        2\n"
          "    update    Linear\n"
          "      weight  [2, 3]                     6\n"
          "      bias    [2]                        2\n"
          "------------------------------------------\n"
          "trainable                               32\n");
}

TEST_CASE("a state may have several parts of several widths") {
    Recurrent<Counter> layer({.input_size = 2, .hidden_size = 3, .bidirectional = true});
    const LSTM<double> lstm({.input_size = 2, .hidden_size = 3, .bidirectional = true});
    for (std::size_t k = 0; k < 8; ++k) lstm.parameters()[k].set_value(layer.parameters()[k].value());
    Tape<double> tape;
    const auto x = tape.constant(random_array({4, 2, 2}, 1));
    const auto [output, state] = layer(x, {}, {.lengths = {4, 2}});
    const auto [expected, expected_state] = lstm(x, {}, {.lengths = {4, 2}});
    CHECK(difference(output.value(), expected.value(), 1e-14, 1e-15) == "");
    CHECK(difference(state.c.value(), expected_state.c.value(), 1e-14, 1e-15) == "");
    REQUIRE(state.total.shape() == Shape{2, 2, 2});
    const auto total = sum(slice(select(x, 1, 1), 0, 0, 2), 0);
    for (std::ptrdiff_t direction : {0, 1})
        CHECK(difference(select(select(state.total, 0, direction), 0, 1).value(), total.value(), 1e-14, 1e-15) == "");
    CHECK_THROWS_WITH_AS(layer(x, {{}, {}, tape.zeros({2, 2, 3})}),
                         "Recurrent: total0 is [2, 2, 3], x is [4, 2, 2]: expected total0 to be [2, 2, 2], 1 layer in "
                         "2 directions\n  while running recurrent (Recurrent)",
                         ShapeError);
}

TEST_CASE("the layer of a built-in cell is the built-in layer") {
    Recurrent<GRUCell<double>> layer({.input_size = 2, .hidden_size = 3, .num_layers = 2});
    const GRU<double> gru({.input_size = 2, .hidden_size = 3, .num_layers = 2});
    for (std::size_t k = 0; k < 8; ++k) gru.parameters()[k].set_value(layer.parameters()[k].value());
    CHECK(layer.named_parameters()[4].first == "l1.weight_ih");
    Tape<double> tape;
    const auto x = tape.constant(random_array({4, 2, 2}, 1));
    CHECK(Array<double>(layer(x).output.value()) == Array<double>(gru(x).output.value()));
}

TEST_CASE("a cell that hands its state on keeps it, whatever comes in") {
    Recurrent<Frozen> layer({.input_size = 2, .hidden_size = 3});
    Tape<double> tape;
    const auto h0 = tape.variable(random_array({1, 2, 3}, 1));
    const auto [output, state] = layer(tape.ones({4, 2, 2}), h0, {.lengths = {1, 4}});
    CHECK(Array<double>(state.value()) == Array<double>(h0.value()));
    tape.backward(sum(output));
    CHECK(h0.grad()(0, 0, 0) == 1);
    CHECK(h0.grad()(0, 1, 0) == 4);
}
