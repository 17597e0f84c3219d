/// The program of docs/python.md, between the two lines of slashes: the page shows it as it stands here, and a test
/// compares the two. It writes its files into the working folder.

#include <ebb/ebb.hpp>

int main() {
    // ////////////////////////////////////////////////////////////////////////////////////////////////////////////////
    using namespace ebb;
    using namespace ebb::inspect;

    manual_seed(1);
    LSTM<double> lstm({.input_size = 3, .hidden_size = 16});
    Linear<double> readout({.in_features = 16, .out_features = 1});

    Tape<double> tape;
    const auto output = lstm(tape.constant(randn<double>({50, 4, 3}))).output;  // [T, B, H]
    std::vector<Variable<double>> losses;
    for (std::ptrdiff_t t = 0; t < 50; ++t) {
        const auto y = readout(select(output, 0, t));
        losses.push_back(mse_loss(y, tape.constant(randn<double>({4, 1}))));
    }
    tape.backward(mean(stack(losses, 0)));

    NamedArrays arrays = named_arrays(gradient_flow(tape));
    arrays.merge(named_arrays(unit_flow(tape, "lstm.h")));
    arrays.merge(named_arrays(unit_gate(tape, "lstm.forget_gate")));
    arrays.merge(named_arrays(contribution_alignment(tape, lstm.weight_hh)));
    arrays.merge(named_arrays(loss_to_state(tape, losses, "lstm.h")));
    arrays.merge(named_arrays(jacobian_spectrum(tape, "lstm.h")));
    save_npz("flow.npz", arrays);
    // ////////////////////////////////////////////////////////////////////////////////////////////////////////////////
    save_json("flow.json", arrays);
    save_csv("flow.csv", arrays);

    const auto flow = gradient_flow(tape);
    LineFigure figure;
    figure.title = "Gradient norm through time";
    figure.x = {.label = "time step t"};
    figure.y = {.label = "‖∂L/∂hₜ‖", .scale = Scale::log};
    std::vector<double> t;
    for (const std::int32_t step : flow["lstm.h"].time_step) t.push_back(step);
    figure.series = {{.name = "LSTM", .x = t, .y = flow["lstm.h"].grad_norm}};
    save_svg("figure.svg", figure);
}
