/// The cells against torch.nn.RNNCell, LSTMCell and GRUCell: values, and gradients of inputs, states and weights.

#include <ebb/autograd/tape.hpp>

#include <string>

#include "layers/recurrent_kinds.hpp"
#include "support/golden.hpp"
#include <doctest/doctest.h>

using namespace ebb;

TEST_CASE("one step is PyTorch's, forward and backward, fused and in elementary operations") {
    const GoldenFile file("cells");
    for (const std::string kind : recurrent_kinds)
        for (const GoldenCase& golden : file.cases(kind + "/"))
            for (const Granularity granularity : {Granularity::fused, Granularity::elementary}) {
                CAPTURE(granularity == Granularity::fused);
                const RecurrentOptions options{.kind = kind,
                                               .input_size = golden.shape("x")[1],
                                               .hidden_size = golden.shape("h0")[1],
                                               .bias = golden.has("bias_ih"),
                                               .granularity = granularity};
                const AnyCell<double> cell(options);
                CHECK(cell.parameters.size() == (options.bias ? 4 : 2));
                for (auto [name, parameter] : cell.parameters) parameter.set_value(golden[name]);

                Tape<double> tape;
                const auto x = tape.variable(golden["x"]);
                States<double> before{tape.variable(golden["h0"])};
                if (options.has_cell_state()) before.push_back(tape.variable(golden["c0"]));
                const States<double> after = cell.step(x, before);
                check_value(golden, "h1", after.at(0).value());
                auto loss = projected(after.at(0), golden["dh1"]);
                if (options.has_cell_state()) {
                    check_value(golden, "c1", after.at(1).value());
                    loss = loss + projected(after.at(1), golden["dc1"]);
                }

                tape.backward(loss);
                check_gradient(golden, "x", x.grad());
                check_gradient(golden, "h0", before.at(0).grad());
                if (options.has_cell_state()) check_gradient(golden, "c0", before.at(1).grad());
                for (const auto& [name, parameter] : cell.parameters) check_gradient(golden, name, parameter.grad());
            }
}
