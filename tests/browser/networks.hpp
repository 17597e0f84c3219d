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
#include <cstdint>
#include <vector>

namespace ebb::inspect::sample {

inline constexpr std::size_t inputs = 3, hidden = 8;

/// The sum of the losses of some steps of a network that `step` makes, (x, first) -> h; each loss is the mean of y². At
/// three moments of a training that makes its weights larger.
template <class Step>
GraphFigure network(const char* title, std::size_t steps, std::vector<Parameter<double>> weights, Step step) {
    const Linear<double> readout({.in_features = hidden, .out_features = 2});
    GraphFigure figure{title, "Each step of the cell, the readouts of every fourth step, and the loss.", {}};
    for (const std::int64_t moment : {0, 500, 1000}) {
        Tape<double> tape;
        Variable<double> loss;
        for (std::size_t t = 0; t < steps; ++t) {
            const Variable<double> h = step(tape.constant(randn<double>({4, inputs})).named("x"), t == 0);
            if (t % 4 != 3 && t + 1 < steps) continue;
            const Variable<double> y = readout(h);
            const Variable<double> here = mean(y * y);
            loss = loss.defined() ? loss + here : here;
        }
        tape.backward(loss.named("L"));
        add_frame(figure, moment, unrolled_graph(tape, loss));
        for (Parameter<double>& weight : weights) {
            Array<double> value = weight.value();
            for (double& element : value) element *= 1.3;
            weight.set_value(value);
        }
    }
    return figure;
}

inline GraphFigure lstm_network(const char* title, std::size_t steps, Granularity granularity) {
    manual_seed(4);
    const LSTMCell<double> cell(
        {.input_size = inputs, .hidden_size = hidden, .granularity = granularity, .name = "lstm"});
    LSTMState<double> state;
    return network(title, steps, cell.parameters(), [&](const Variable<double>& x, bool first) {
        state = cell(x, first ? LSTMState<double>() : state);
        return state.h;
    });
}

inline GraphFigure gru_network(const char* title, std::size_t steps) {
    manual_seed(4);
    const GRUCell<double> cell({.input_size = inputs, .hidden_size = hidden, .name = "gru"});
    Variable<double> h;
    return network(title, steps, cell.parameters(),
                   [&](const Variable<double>& x, bool first) { return h = cell(x, first ? Variable<double>() : h); });
}

}  // namespace ebb::inspect::sample
