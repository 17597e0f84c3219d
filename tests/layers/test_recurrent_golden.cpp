/// The recurrent layers against torch.nn.RNN, LSTM and GRU: values, and gradients of inputs, states and weights.

#include <ebb/autograd/tape.hpp>

#include <string>

#include "layers/recurrent_kinds.hpp"
#include "support/golden.hpp"
#include <doctest/doctest.h>

using namespace ebb;

TEST_CASE("a sequence is PyTorch's, forward and backward, fused and in elementary operations") {
    const GoldenFile file("layers");
    for (const std::string kind : recurrent_kinds)
        for (const GoldenCase& golden : file.cases(kind + "/"))
            for (const Granularity granularity : {Granularity::fused, Granularity::elementary}) {
                CAPTURE(granularity == Granularity::fused);
                const RecurrentOptions options{.kind = kind,
                                               .input_size = golden.shape("x")[2],
                                               .hidden_size = golden.shape("output")[2],
                                               .bias = golden.has("bias_ih_l0"),
                                               .granularity = granularity};
                const AnyLayer<double> layer(options);
                CHECK(layer.parameters.size() == (options.bias ? 4 : 2));
                for (auto [name, parameter] : layer.parameters) parameter.set_value(golden[name]);

                Tape<double> tape;
                const auto x = tape.variable(golden["x"]);
                States<double> before;
                if (golden.has("h0")) before.push_back(tape.variable(golden["h0"]));
                if (golden.has("c0")) before.push_back(tape.variable(golden["c0"]));
                const auto [output, after] = layer.run(x, before);
                check_value(golden, "output", output.value());
                check_value(golden, "h_n", after.at(0).value());
                auto loss = projected(output, golden["doutput"]) + projected(after.at(0), golden["dh_n"]);
                if (options.has_cell_state()) {
                    check_value(golden, "c_n", after.at(1).value());
                    loss = loss + projected(after.at(1), golden["dc_n"]);
                }

                tape.backward(loss);
                check_gradient(golden, "x", x.grad());
                if (golden.has("h0")) check_gradient(golden, "h0", before.at(0).grad());
                if (golden.has("c0")) check_gradient(golden, "c0", before.at(1).grad());
                for (const auto& [name, parameter] : layer.parameters) check_gradient(golden, name, parameter.grad());
            }
}

TEST_CASE("the unrolled tanh RNN of the tutorial has PyTorch's shapes") {
    const GoldenFile file("layers");
    const GoldenCase golden = file.one("rnn_tanh/t5_b3_i10_h20");
    const RNN<double> rnn({.input_size = 10, .hidden_size = 20});
    Tape<double> tape;
    const auto [output, state] = rnn(tape.constant(golden["x"]));
    // torch.Size([5, 3, 20]) torch.Size([1, 3, 20])
    CHECK(to_string(output.shape()) == "[5, 3, 20]");
    CHECK(to_string(state.shape()) == "[1, 3, 20]");
    CHECK(output.shape() == golden.shape("output"));
    CHECK(state.shape() == golden.shape("h_n"));
    for (const auto& [bound_name, parameter] : rnn.named_parameters()) {
        const auto& name = bound_name;  // clang++ 14 captures no structured binding
        CAPTURE(name);
        CHECK(parameter.shape() == golden.shape(name));
    }
    CHECK(rnn.parameter_count() == 20 * 10 + 20 * 20 + 20 + 20);
}
