#include <ebb/autograd/gradcheck.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/random.hpp>
#include <ebb/layers/recurrent_cells.hpp>
#include <ebb/layers/recurrent_layers.hpp>

#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace ebb;

namespace {

/// A function of x, the weights and nothing else, so that gradcheck sees every operand.
template <class Layer>
CheckedFunction sequence_of(CellKind kind, Granularity granularity) {
    return [=](const std::vector<Variable<double>>& in) {
        const auto& x = in[0];
        const std::size_t batch = x.shape()[1], hidden = in[2].shape()[1];
        Tape<double>& tape = x.tape();
        StepLabels labels;
        const RecurrentWeights<double> weights{in[1], in[2], in[3], in[4]};
        const auto h0 = tape.full({batch, hidden}, 0.3);
        const auto r = recurrent_sequence(kind, granularity, x, h0, kind == CellKind::lstm ? in[5] : Variable<double>(),
                                          false, weights, labels, PackedSteps(x.shape()[0], batch));
        return sum(r.output * r.output) + sum(r.h) + (r.c.defined() ? sum(tanh(r.c)) : tape.scalar(0));
    };
}

}  // namespace

TEST_CASE("fused steps pass gradcheck to the second order, and equal elementary ones") {
    manual_seed(1);
    for (const CellKind kind : {CellKind::rnn_tanh, CellKind::lstm, CellKind::gru}) {
        const std::size_t G = gate_count(kind);
        std::vector<Array<double>> in{uniform<double>({4, 3, 2}, -1, 1), uniform<double>({G * 5, 2}, -1, 1),
                                      uniform<double>({G * 5, 5}, -1, 1), uniform<double>({G * 5}, -1, 1),
                                      uniform<double>({G * 5}, -1, 1)};
        if (kind == CellKind::lstm) in.push_back(uniform<double>({3, 5}, -1, 1));
        for (const Granularity granularity : {Granularity::fused, Granularity::elementary}) {
            CAPTURE(static_cast<int>(kind));
            const auto f = sequence_of<int>(kind, granularity);
            const auto first = gradcheck(f, in);
            CHECK_MESSAGE(first.passed, first.message);
            const auto second = gradgradcheck(f, in);
            CHECK_MESSAGE(second.passed, second.message);
        }
    }
}

TEST_CASE("states are called after the layer, however often a model has named it") {
    struct Model : Module<double> {
        Model() : Module("Model") {}
        LSTM<double> add(const std::string& name) {
            return register_module(name, LSTM<double>({.input_size = 1, .hidden_size = 2}));
        }
    } model;
    for (const std::size_t times : {0, 1, 2, 3}) {
        CAPTURE(times);
        const std::string name = "encoder" + std::to_string(times);
        LSTM<double> layer = model.add(name);  // the first naming
        for (std::size_t k = 0; k < times; ++k) layer.set_name(name);
        Tape<double> tape;
        layer(tape.zeros({1, 1, 1}));
        std::size_t found = 0;
        for (NodeIndex index = 0; index < tape.size(); ++index) {
            const Node<double>& node = tape.node(index);
            if (node.probe) found += node.name.text() == name + ".h" || node.name.text() == name + ".c";
        }
        CHECK(found == 2);
    }
}

TEST_CASE("a state's gradient is the whole one: also what reaches c_t through h_t of the same step") {
    const std::size_t T = 4, B = 2, I = 3, H = 5;
    for (const bool last_only : {true, false}) {
        CAPTURE(last_only);
        std::vector<std::vector<double>> gradients;  // of h_0, c_0, h_1, ..., for each granularity
        for (const Granularity granularity : {Granularity::fused, Granularity::elementary}) {
            manual_seed(3);
            LSTM<double> layer({.input_size = I, .hidden_size = H, .granularity = granularity});
            Tape<double> tape;
            const auto result = layer(tape.constant(uniform<double>({T, B, I}, -1, 1)));
            tape.backward(last_only ? sum(result.state.h * result.state.h) : sum(result.output * result.output));
            std::vector<std::vector<double>> by_state(2 * T);
            for (NodeIndex index = 0; index < tape.size(); ++index) {
                const Node<double>& node = tape.node(index);
                if (!node.probe) continue;
                REQUIRE(node.retained_gradient != nullptr);
                const auto place = 2 * static_cast<std::size_t>(node.time_step) + (node.name.text() == "lstm.c");
                by_state[place].assign(node.retained_gradient, node.retained_gradient + B * H);
            }
            gradients.emplace_back();
            for (const auto& state : by_state)
                gradients.back().insert(gradients.back().end(), state.begin(), state.end());
        }
        REQUIRE(gradients[0].size() == 2 * T * B * H);
        REQUIRE(gradients[1].size() == 2 * T * B * H);
        for (std::size_t k = 0; k < gradients[0].size(); ++k) {
            CHECK(std::abs(gradients[1][k]) > 1e-9);
            CHECK(gradients[0][k] == doctest::Approx(gradients[1][k]).epsilon(1e-12).scale(0));
        }
    }
}

TEST_CASE("a layer is a loop over its cell") {
    manual_seed(2);
    LSTM<double> layer({.input_size = 3, .hidden_size = 4});
    LSTMCell<double> cell({.input_size = 3, .hidden_size = 4, .name = "encoder"});
    cell.weight_ih.set_value(layer.weight_ih.value());
    cell.weight_hh.set_value(layer.weight_hh.value());
    cell.bias_ih.set_value(layer.bias_ih.value());
    cell.bias_hh.set_value(layer.bias_hh.value());
    Tape<double> tape;
    const auto x = tape.variable(uniform<double>({6, 2, 3}, -1, 1));
    const auto [output, state] = layer(x);
    tape.backward(sum(output * output) + sum(state.c));
    const Array<double> dx = x.grad();
    const auto x2 = tape.variable(Array<double>(x.value()));
    LSTMState<double> s;
    auto loss = tape.scalar(0);
    for (std::ptrdiff_t t = 0; t < 6; ++t) {
        s = cell(select(x2, 0, t), s);
        CHECK(s.h.time_step() == t);
        loss = loss + sum(s.h * s.h);
    }
    tape.backward(loss + sum(s.c));
    for (std::size_t k = 0; k < dx.size(); ++k)
        CHECK(dx.data()[k] == doctest::Approx(x2.grad().data()[k]).epsilon(1e-12));
    for (std::size_t k = 0; k < layer.weight_hh.size(); ++k)
        CHECK(layer.weight_hh.grad().data()[k] == doctest::Approx(cell.weight_hh.grad().data()[k]).epsilon(1e-12));
    for (std::size_t k = 0; k < layer.weight_ih.size(); ++k)
        CHECK(layer.weight_ih.grad().data()[k] == doctest::Approx(cell.weight_ih.grad().data()[k]).epsilon(1e-12));
    for (std::size_t k = 0; k < layer.bias_hh.size(); ++k)
        CHECK(layer.bias_hh.grad().data()[k] == doctest::Approx(cell.bias_ih.grad().data()[k]).epsilon(1e-12));
    CHECK_THROWS_WITH_AS(cell(tape.zeros({2, 7})),
                         "LSTMCell: x is [2, 7], weight_ih is [16, 3]: expected [B, I] with 3 as the last extent\n"
                         "  while running encoder (LSTMCell), time step 0",
                         ShapeError);
}
