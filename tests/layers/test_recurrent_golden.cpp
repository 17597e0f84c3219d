/// The recurrent layers against torch.nn.RNN, LSTM and GRU: values, and gradients of inputs, states and weights.

#include <ebb/autograd/tape.hpp>

#include <algorithm>
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

TEST_CASE(
    "layers of every configuration are PyTorch's: layers, directions, lengths, biases, batch_first, projections") {
    const GoldenFile file("recurrent");
    std::size_t cases = 0, with_lengths = 0;
    for (const std::string kind : recurrent_kinds)
        for (const GoldenCase& golden : file.cases(kind + "/"))
            for (const Granularity granularity : {Granularity::fused, Granularity::elementary}) {
                CAPTURE(golden.name());
                CAPTURE(granularity == Granularity::fused);
                const auto& places = golden.integers("options");
                const auto option = [&](std::size_t k) { return static_cast<std::size_t>(places(k)); };
                const AnyLayer<double> layer({.kind = kind,
                                              .input_size = golden.shape("x")[2],
                                              .hidden_size = option(5),
                                              .bias = option(2) != 0,
                                              .granularity = granularity,
                                              .num_layers = option(0),
                                              .bidirectional = option(1) != 0,
                                              .batch_first = option(3) != 0,
                                              .proj_size = option(4)});
                const Array<double> all = golden["parameters"];
                std::size_t taken = 0;
                for (auto [name, parameter] : layer.parameters) {
                    Array<double> value = parameter.value();
                    REQUIRE(taken + value.size() <= all.size());
                    std::copy_n(all.data() + taken, value.size(), value.data());
                    parameter.set_value(value);
                    taken += value.size();
                }
                CHECK(taken == all.size());

                Tape<double> tape;
                const auto x = tape.variable(golden["x"]);
                States<double> before;
                for (const char* name : {"h0", "c0"})
                    if (golden.has(name)) before.push_back(tape.variable(golden[name]));
                SequenceOptions how;
                if (golden.has("lengths")) how.lengths = golden.integers("lengths");
                const auto [output, after] = layer.run(x, before, how);
                check_value(golden, "output", output.value());
                check_value(golden, "h_n", after.at(0).value());
                auto loss = projected(output, golden["doutput"]) + projected(after.at(0), golden["dh_n"]);
                if (after.size() == 2) {
                    check_value(golden, "c_n", after.at(1).value());
                    loss = loss + projected(after.at(1), golden["dc_n"]);
                }

                tape.backward(loss);
                check_gradient(golden, "x", x.grad());
                if (golden.has("h0")) check_gradient(golden, "h0", before.at(0).grad());
                if (golden.has("c0")) check_gradient(golden, "c0", before.at(1).grad());
                Array<double> gradients = Array<double>::from_shape({all.size()});
                double* place = gradients.data();
                for (const auto& [name, parameter] : layer.parameters)
                    place = std::copy_n(parameter.grad().data(), parameter.size(), place);
                check_gradient(golden, "parameters", gradients);
                ++cases;
                with_lengths += how.lengths.given() ? 1 : 0;
            }
    CHECK(cases == 2 * 230);
    CHECK(with_lengths > 2 * 100);
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
