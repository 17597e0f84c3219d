/// What it costs to look: each measure beside the training step (forward and backward, without the optimiser) of the
/// layer that it looks at, in double. Medians of process CPU time.
///
/// A row: cell,T,B,I,H,measure,ms,steps: milliseconds, and how many training steps that is.

#include <ebb/ebb.hpp>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "cpu_seconds.hpp"
#include <fmt/format.h>

namespace {

using namespace ebb;

struct Configuration {
    std::size_t T, B, I, H;
};

/// The median of five runs at least and half a second, after one that does not count.
double measure(const std::function<void()>& f) {
    f();
    std::vector<double> times;
    for (double total = 0; total < 500 || times.size() < 5;) {
        const double start = 1e3 * cpu_seconds();
        f();
        times.push_back(1e3 * cpu_seconds() - start);
        total += times.back();
    }
    std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
    return times[times.size() / 2];
}

template <class Layer>
void run(const std::string& cell, const Configuration& c) {
    manual_seed(1);
    Layer layer({.input_size = c.I, .hidden_size = c.H, .name = "layer"});
    const Array<double> x = randn<double>({c.T, c.B, c.I});
    Tape<double> tape;
    std::vector<Variable<double>> losses;
    const auto step = [&](bool retain_graph) {
        tape.clear();
        layer.zero_grad();
        const auto output = layer(tape.constant(x)).output;
        tape.backward(mean(output * output), {.retain_graph = retain_graph});
    };
    const double step_ms = measure([&] { step(false); });
    const auto row = [&](const char* name, double ms) {
        fmt::print("{},{},{},{},{},{},{:.3f},{:.3f}\n", cell, c.T, c.B, c.I, c.H, name, ms, ms / step_ms);
    };
    row("training step", step_ms);
    row("gradient_flow", measure([&] { inspect::gradient_flow(tape); }));
    row("weight_contributions", measure([&] { inspect::weight_contributions(tape, layer.weight_hh); }));
    step(true);  // of a long sequence the deltas, which alignment reads, are kept on request only
    row("contribution_alignment", measure([&] { inspect::contribution_alignment(tape, layer.weight_hh); }));
    row("unit_flow", measure([&] { inspect::unit_flow(tape, "layer.h"); }));
    row("diagnose", measure([&] { inspect::diagnose(tape, layer.parameters()); }));
    if (c.B > 1) return;

    row("state_jacobians", measure([&] { inspect::state_jacobians(tape, "layer.h"); }));
    const auto jacobians = inspect::state_jacobians(tape, "layer.h");
    row("jacobian_spectrum, of these", measure([&] { inspect::jacobian_spectrum(jacobians); }));
    row("lyapunov_spectrum, of these", measure([&] { inspect::lyapunov_spectrum(jacobians.step); }));
    tape.clear();
    const auto output = layer(tape.constant(x)).output;
    for (std::size_t t = 0; t < c.T; ++t) losses.push_back(mean(select(output, 0, static_cast<std::ptrdiff_t>(t))));
    row("loss_to_state", measure([&] { inspect::loss_to_state(tape, losses, "layer.h"); }));
}

}  // namespace

int main() {
    fmt::print("cell,T,B,I,H,measure,ms,steps\n");
    for (const Configuration& c : {Configuration{100, 32, 64, 64}, Configuration{200, 1, 64, 64}}) {
        run<RNN<double>>("rnn_tanh", c);
        run<LSTM<double>>("lstm", c);
        run<GRU<double>>("gru", c);
    }
}
