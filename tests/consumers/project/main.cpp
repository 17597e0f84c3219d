/// A program outside of Ebb: one header of one module, and the umbrella; a step of training, and where its gradient
/// went. It links to all of Ebb's modules and to what they stand on.

#include <ebb/core/shape.hpp>
#include <ebb/ebb.hpp>

#include <cstdio>
#include <string>

int main() {
    ebb::manual_seed(1);
    const ebb::LSTM<double> lstm({.input_size = 3, .hidden_size = 4});
    ebb::Adam<double> adam(lstm.parameters(), {.learning_rate = 0.01});

    ebb::Tape<double> tape;
    const auto [output, state] = lstm(tape.constant(ebb::randn<double>({5, 2, 3})));
    const auto loss = ebb::mse_loss(output, tape.zeros(output.shape()));
    tape.backward(loss);
    adam.step();

    const ebb::inspect::GradientFlow flow = ebb::inspect::gradient_flow(tape);
    ebb::inspect::Report report("A program outside of Ebb");
    report.add_fact("||dL/dh_5||", std::to_string(flow["lstm.h"].grad_norm.back()));

    std::printf("%s\n", ebb::to_string(output.shape()).c_str());
    const bool whole = output.shape() == ebb::Shape{5, 2, 4} && flow["lstm.h"].grad_norm.back() > 0 &&
                       report.html().find("||dL/dh_5||") != std::string::npos;
    return whole ? 0 : 1;
}
