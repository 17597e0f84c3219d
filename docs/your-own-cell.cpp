//: # Your own cell
//:
//: A recurrent cell is a struct with parameters and one step, `operator()`. From that, `Recurrent<Cell>` makes a layer:
//: over whole sequences, in many layers and both directions, for sequences of different lengths; with a gradient check,
//: and with everything that the report draws.
//:
//: The example is the *minimal gated unit* (Zhou, Wu, Zhang, Zhou 2016), a GRU whose two gates are one:
//:
//:     f_t = sigmoid(W_f [h_{t-1}, x_t] + b_f)
//:     n_t = tanh(W_n [f_t . h_{t-1}, x_t] + b_n)
//:     h_t = (1 - f_t) . h_{t-1} + f_t . n_t

#include <ebb/ebb.hpp>

#include <vector>

#include "support/lesson.hpp"
#include <fmt/format.h>
#include <fmt/ranges.h>

using namespace ebb;

struct MinimalGatedUnit : Module<double> {
    Linear<double> forget, candidate;

    MinimalGatedUnit(std::size_t inputs, std::size_t hidden)
        : Module("MinimalGatedUnit"),
          forget(register_module("forget", Linear<double>({.in_features = hidden + inputs, .out_features = hidden}))),
          candidate(
              register_module("candidate", Linear<double>({.in_features = hidden + inputs, .out_features = hidden}))) {}

    Variable<double> operator()(const Variable<double>& x, const Variable<double>& h) const {
        const auto f = sigmoid(forget(concat(std::vector{h, x}, 1))).named("forget_gate");
        const auto n = tanh(candidate(concat(std::vector{f * h, x}, 1)));
        return (1 - f) * h + f * n;
    }
};

//: That is all. `register_module` gives the two linear maps their names in the state dict; `named` says that f is a
//: gate, which is looked at by that name.

// [hide]
namespace {

/// A second cell, for the last section.
struct Leaky : Module<double> {
    struct State {
        Variable<double> h, trace;
    };
    static constexpr std::array state_names{"h", "trace"};

    Linear<double> in;
    Leaky(std::size_t inputs, std::size_t hidden)
        : Module("Leaky"),
          in(register_module("in", Linear<double>({.in_features = inputs + hidden, .out_features = hidden}))) {}

    State operator()(const Variable<double>& x, const State& before) const {
        const auto h = tanh(in(concat(std::vector{before.trace, x}, 1)));
        return {h, 0.9 * before.trace + 0.1 * h};
    }
};

}  // namespace
// [show]

int main(int argc, char** argv) {
    tutorial::Lesson lesson(argc, argv);

    lesson.section("A layer of it");
    //: Two layers, in both directions, over three sequences of which the second has 5 steps, the others 2 and 4. A
    //: batch is padded to the longest; what stands at the padding is not looked at.

    manual_seed(1);
    Recurrent<MinimalGatedUnit> layer(
        {.input_size = 2, .hidden_size = 4, .num_layers = 2, .bidirectional = true, .name = "mgu"});
    const Array<double> batch = randn<double>({5, 3, 2});
    const std::vector<std::size_t> lengths{2, 5, 4};

    Tape<double> tape;
    const auto [output, state] = layer(tape.constant(batch), {}, {.lengths = lengths});
    fmt::print("output {}, state {}\n", to_string(output.shape()), to_string(state.shape()));

    // [output]
    //: The output has h_t of both directions side by side, and zeros after a sequence's end; the state has each
    //: sequence's last h of layer 0 forward, layer 0 in reverse, layer 1 forward, layer 1 in reverse. The reverse
    //: direction begins at each sequence's own end. Each sequence gives what it would give alone:

    const Array<double> first = slice(slice(tape.constant(batch), 1, 0, 1), 0, 0, 2).value();  // 2 steps of sequence 0
    const auto alone = layer(tape.constant(first));
    const auto apart = sum(abs(alone.output - slice(slice(output, 1, 0, 1), 0, 0, 2))).item();
    fmt::print("sum of differences to sequence 0 alone: {:.1f}\n", apart);
    // [hide]
    lesson.fact(output.shape() == Shape{5, 3, 8} && state.shape() == Shape{4, 3, 4}, "the shapes");
    lesson.fact(apart < 1e-14, "a sequence gives what it gives alone");
    lesson.fact(sum(abs(slice(slice(output, 1, 0, 1), 0, 2, 5))).item() == 0, "zeros after the end");
    // [show]

    lesson.section("Is the gradient right?");
    //: The operations know their derivatives, so there is none to write. Where a cell has an operation of its own, or
    //: for peace of mind, `gradcheck` compares with central differences: inputs, and every weight of a model.

    const GradCheckReport report =
        gradcheck(layer, [&](const auto& in) { return layer(in[0], in[1], {.lengths = lengths}).output; },
                  {batch, randn<double>({4, 3, 4})});
    fmt::print("{}\n", report.passed ? "passed" : report.message);
    // [hide]
    lesson.fact(report.passed, "the gradient is right: " + report.message);
    // [show]

    lesson.section("What it consists of");
    //: Names are paths. The state dict has them, and so have the files that PyTorch reads (`save_safetensors`).

    fmt::print("{}", summary(layer));
    // [output]
    //: `layer.freeze()` makes constants of the weights, `layer.cell(1).forget.freeze()` of some; `layer.eval()` turns
    //: off the dropout that `.dropout` puts between the layers.
    // [hide]
    lesson.fact(layer.named_parameters()[0].first == "l0.forget.weight", "names are paths");
    layer.cell(1);
    // [show]

    lesson.section("What flows through it");
    //: The states are probes without a line more, called after layer and direction, and each belongs to its time step.
    //: After a backward pass the flow is on the tape:

    Recurrent<MinimalGatedUnit> one({.input_size = 2, .hidden_size = 4, .name = "mgu"});
    tape.clear();
    const auto last = one(tape.constant(batch)).state;
    tape.backward(sum(last));
    const auto flow = inspect::gradient_flow(tape);
    fmt::print("||dL/dh_t||    {:.3f}\n", fmt::join(flow["mgu.h"].grad_norm, "  "));
    fmt::print("mean of f_t    {:.3f}\n", fmt::join(flow.gate("mgu.forget_gate").mean, "  "));
    // [output]
    //: Here a gate that is *closed* keeps the state: the gradient goes back by 1 - f. `weight_contributions`, the
    //: Jacobians and the report work on the cell in the same way.
    // [hide]
    lesson.fact(flow["mgu.h"].grad_norm.size() == 5 && flow["mgu.h"].grad_norm[4] > flow["mgu.h"].grad_norm[0],
                "the gradient decreases backwards");
    lesson.fact(inspect::weight_contributions(tape, one.cell().forget.weight).time_step ==
                    std::vector<std::int32_t>{0, 1, 2, 3, 4},
                "each step's contribution to a weight");
    // [show]

    lesson.section("It learns");
    //: A sequence of 20 numbers, of which the first has to be told at the end. With a gate near 1/2, half of the past
    //: is gone after each step, and with it the gradient; so the gate begins nearly closed, at sigmoid(-3) = 0.05.

    Recurrent<MinimalGatedUnit> memory({.input_size = 1, .hidden_size = 8});
    init::constant(memory.cell().forget.bias, -3);
    Linear<double> readout({.in_features = 8, .out_features = 1});
    std::vector<Parameter<double>> parameters = memory.parameters();
    for (const auto& parameter : readout.parameters()) parameters.push_back(parameter);
    Adam<double> adam(parameters, {.learning_rate = 0.01});

    std::vector<double> losses;
    for (int step = 0; step < 400; ++step) {
        tape.clear();
        const auto x = tape.constant(uniform<double>({20, 32, 1}, -1, 1));
        const auto [states, at_the_end] = memory(x);
        const auto loss = mse_loss(readout(squeeze(at_the_end, 0)), select(x, 0, 0));
        tape.backward(loss);
        adam.step();
        adam.zero_grad();
        losses.push_back(loss.item());
    }
    fmt::print("squared error at first {:.3f}, after 400 steps {:.3f}\n", losses.front(), losses.back());
    // [output]
    //: Who always says 0 has an error of 1/3.
    // [hide]
    lesson.fact(losses.back() < 0.1 * losses.front(), "it learns to remember");
    // [show]

    lesson.section("A state of several parts");
    //: An LSTM carries two variables from step to step. Such a cell says so by a type `State`, an aggregate of up to
    //: four variables, of which the first is the output:
    //:
    //: ```cpp
    //: struct Leaky : Module<double> {
    //:     struct State {
    //:         Variable<double> h, trace;
    //:     };
    //:     static constexpr std::array state_names{"h", "trace"};      // of the probes; optional
    //:     ...
    //:     State operator()(const Variable<double>& x, const State& before) const {
    //:         const auto h = tanh(in(concat(std::vector{before.trace, x}, 1)));
    //:         return {h, 0.9 * before.trace + 0.1 * h};
    //:     }
    //: };
    //: ```
    //:
    //: Parts that are not as wide as `hidden_size` are told by `std::size_t state_size(std::size_t part) const`.

    const Recurrent<Leaky> leaky({.input_size = 2, .hidden_size = 3});
    const auto [hs, after] = leaky(tape.constant(batch), {}, {.lengths = lengths});
    fmt::print("h {}, trace {}\n", to_string(after.h.shape()), to_string(after.trace.shape()));
    // [hide]
    lesson.fact(after.trace.shape() == Shape{1, 3, 3}, "a state of two parts");
    // [show]
    // [output]
    //: A cell whose constructor takes more than two sizes is made by a function:
    //: `Recurrent<Cell> layer(options, [](std::size_t inputs, std::size_t hidden) { return Cell(inputs, hidden, 0.9);
    //: })`.
    return lesson.end();
}
