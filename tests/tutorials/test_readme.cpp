/// The program on the README's first screen is the one between the marks below, and it does what the README says.

#include <ebb/core/file.hpp>
#include <ebb/ebb.hpp>

#include <algorithm>
#include <string>
#include <vector>

#include "support/documented.hpp"
#include <doctest/doctest.h>
#include <fmt/ranges.h>

TEST_CASE("the README's program") {
    // begin of the program
    ebb::manual_seed(7);
    ebb::RNNCell<double> cell({.input_size = 3, .hidden_size = 20});
    ebb::Linear<double> readout({.in_features = 20, .out_features = 1});

    ebb::Tape<double> tape;
    auto h = tape.zeros({1, 20});
    for (int t = 0; t < 6; ++t) h = cell(tape.constant(ebb::randn<double>({1, 3})), h);
    auto loss = ebb::mse_loss(readout(h), tape.ones({1, 1}));
    tape.backward(loss);
    fmt::print("{::.3f}\n", ebb::inspect::gradient_flow(tape)["h"].grad_norm);
    // end of the program

    const std::string readme = ebb::read_file(std::string(EBB_GOLDEN_DIR) + "/../../README.md");
    const std::string source = ebb::read_file(std::string(EBB_GOLDEN_DIR) + "/../tutorials/test_readme.cpp");
    const std::string program = between(source, "// begin of the program", "// end of the program");
    CHECK(between(readme, "int main() {", "}\n```") == program);
    // The README prints what the program prints.
    const ebb::inspect::GradientFlow<double> flow = ebb::inspect::gradient_flow(tape);
    const std::vector<double>& norms = flow["h"].grad_norm;
    const std::string printed = fmt::format("{::.3f}", norms);
    INFO("it prints " << printed);
    CHECK(readme.find(printed) != std::string::npos);
    CHECK(std::is_sorted(norms.begin(), norms.end()));
}
