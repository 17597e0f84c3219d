#pragma once
/// Unrolled graphs of true networks.

#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/random.hpp>
#include <ebb/inspect/figure.hpp>
#include <ebb/inspect/unrolled_graph.hpp>
#include <ebb/layers/linear.hpp>
#include <ebb/layers/recurrent_cells.hpp>

#include <cstddef>

namespace ebb::inspect::sample {

inline constexpr std::size_t inputs = 3, hidden = 8;

/// The sum of the losses of some steps of a network that `step` makes, x -> h; each loss is the mean of y².
template <class Step>
GraphFigure network(const char* title, std::size_t steps, Step step) {
    const Linear<double> readout({.in_features = hidden, .out_features = 2});
    Tape<double> tape;
    Variable<double> loss;
    for (std::size_t t = 0; t < steps; ++t) {
        const Variable<double> h = step(tape.constant(randn<double>({4, inputs})).named("x"));
        if (t % 4 != 3 && t + 1 < steps) continue;
        const Variable<double> y = readout(h);
        const Variable<double> here = mean(y * y);
        loss = loss.defined() ? loss + here : here;
    }
    tape.backward(loss.named("L"));
    return {title, "Each step of the cell, the readouts of every fourth step, and the loss.",
            unrolled_graph(tape, loss)};
}

inline GraphFigure lstm_network(const char* title, std::size_t steps, Granularity granularity) {
    manual_seed(4);
    const LSTMCell<double> cell(
        {.input_size = inputs, .hidden_size = hidden, .granularity = granularity, .name = "lstm"});
    LSTMState<double> state;
    return network(title, steps, [&](const Variable<double>& x) {
        state = cell(x, state);
        return state.h;
    });
}

inline GraphFigure gru_network(const char* title, std::size_t steps) {
    manual_seed(4);
    const GRUCell<double> cell({.input_size = inputs, .hidden_size = hidden, .name = "gru"});
    Variable<double> h;
    return network(title, steps, [&](const Variable<double>& x) { return h = cell(x, h); });
}

}  // namespace ebb::inspect::sample
