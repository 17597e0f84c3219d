#include <ebb/autograd/gradcheck.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/layers/drop_connect.hpp>
#include <ebb/layers/linear.hpp>
#include <ebb/layers/recurrent_layers.hpp>

#include <cmath>

#include "layers/module_gradcheck.hpp"
#include <doctest/doctest.h>

using namespace ebb;

TEST_CASE("DropConnect drops elements of the recurrent weight, the same at all steps") {
    manual_seed(1);
    // A linear network of no input: h_T = W^T h_0 as long as h stays positive.
    RNNCell<double> cell({.input_size = 1, .hidden_size = 20, .bias = false, .nonlinearity = Nonlinearity::relu});
    for (double& w : cell.weight_hh.mutable_value()) w = std::abs(w);
    Tape<double> tape;
    const auto x = tape.zeros({1, 1});
    Variable<double> h = tape.ones({1, 20}), expected = h;
    {
        const DropConnect dropped(cell.weight_hh, 0.4);
        const Variable<double> weight = cell.weight_hh;
        std::size_t zeros = 0;
        for (std::size_t k = 0; k < 400; ++k) {
            const double w = weight.value().data()[k];
            zeros += w == 0;
            CHECK((w == 0 || w == doctest::Approx(cell.weight_hh.value().data()[k] / 0.6).epsilon(1e-14)));
        }
        CHECK(std::abs(static_cast<double>(zeros) / 400 - 0.4) < 5 * std::sqrt(0.24 / 400));
        for (int t = 0; t < 4; ++t) {
            h = cell(x, h);
            expected = matmul(expected, transpose(weight));
        }
    }
    for (std::size_t k = 0; k < 20; ++k) CHECK(h.value()(0, k) == doctest::Approx(expected.value()(0, k)));
}

TEST_CASE("DropConnect reaches every layer and direction, draws anew each time, and is off in evaluation mode") {
    manual_seed(2);
    LSTM<double> lstm({.input_size = 2, .hidden_size = 4, .num_layers = 2, .bidirectional = true});
    Tape<double> tape;
    const auto x = tape.constant(randn<double>({3, 2, 2}));
    const Array<double> plain = lstm(x).output.value();
    const auto dropped = [&] {
        const DropConnect drop(lstm, 0.5);
        return Array<double>(lstm(x).output.value());
    };
    CHECK(dropped() != dropped());
    CHECK(Array<double>(lstm(x).output.value()) == plain);
    {
        const DropConnect drop(lstm, 1);
        for (const auto& [name, parameter] : lstm.named_parameters()) {
            const bool recurrent = name.find("weight_hh") != std::string::npos;
            for (const double w : Variable(parameter).value()) CHECK((w == 0) == recurrent);
        }
    }
    lstm.eval();
    CHECK(dropped() == plain);
}

TEST_CASE("DropConnect passes gradcheck, and a dropped element has no gradient") {
    manual_seed(3);
    LSTM<double> lstm({.input_size = 2, .hidden_size = 3});
    ModuleCheck check;
    check.inputs = {randn<double>({4, 2, 2})};
    check.parameters = lstm.parameters();
    check.f = [&](const ModuleCheck::Variables& in) {
        Generator generator(5);
        const DropConnect dropped(lstm, 0.4, generator);
        const auto output = lstm(in[0]).output;
        return sum(output * output * output);
    };
    CHECK(check.errors(1) == "");
    lstm.zero_grad();
    Tape<double> tape;
    Generator generator(5);
    const DropConnect dropped(lstm, 0.4, generator);
    const Variable<double> weight = lstm.weight_hh;
    tape.backward(sum(lstm(tape.constant(randn<double>({4, 2, 2}))).output));
    std::size_t zeros = 0;
    for (std::size_t k = 0; k < lstm.weight_hh.size(); ++k) {
        zeros += weight.value().data()[k] == 0;
        CHECK((weight.value().data()[k] == 0) == (lstm.weight_hh.grad().data()[k] == 0));
    }
    CHECK(zeros > 0);
}

TEST_CASE("wrong uses of DropConnect say what is wrong") {
    const Linear<double> linear({.in_features = 2, .out_features = 2});
    Tape<double> tape;
    CHECK_THROWS_WITH_AS(DropConnect(linear, 0.5),
                         "DropConnect: Linear has no parameter whose name begins with weight_hh: expected a recurrent "
                         "layer or the weight itself",
                         ValueError);
    CHECK_THROWS_WITH_AS(DropConnect(linear.weight, 1.5), "DropConnect: p is 1.5: expected 0 to 1", ValueError);
}
