/// The gradient check of a model, with its parameters.

#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>
#include <ebb/layers/embedding.hpp>
#include <ebb/layers/linear.hpp>
#include <ebb/layers/module_gradcheck.hpp>
#include <ebb/layers/recurrent_layers.hpp>

#include <string>
#include <vector>

#include "layers/recurrent_kinds.hpp"
#include <doctest/doctest.h>

using namespace ebb;

namespace {

/// y = w^2 x, with a derivative that may be wrong: half of w's gradient is cut off.
struct Square : Module<double> {
    Parameter<double> w = register_parameter("w", {{0.5, -1.5}});
    bool wrong = false;
    Square() : Module("Square") {}
    Variable<double> operator()(const Variable<double>& x) const {
        const Variable<double> v = x.tape().use(w);
        return (wrong ? v * v.detach() : v * v) * x;
    }
};

const Array<double> x = random_array({3, 2}, 1);

}  // namespace

TEST_CASE("a model with right derivatives passes, with inputs and without") {
    const Square square;
    const auto report = gradcheck(square, [&](const auto& in) { return square(in[0]); }, {x});
    CHECK_MESSAGE(report.passed, report.message);
    CHECK(report.message.starts_with("passed: the largest relative error is "));
    CHECK(report.max_error < 1e-8);

    const Embedding<double> embedding({.num_embeddings = 5, .embedding_dim = 2});
    const auto by_index = gradcheck(embedding, [&](const auto&) { return tanh(embedding(Indices{1, 4, 1})); }, {});
    CHECK_MESSAGE(by_index.passed, by_index.message);
}

TEST_CASE("a model whose parameter has a wrong derivative fails, and the message has its name") {
    Square square;
    square.wrong = true;
    const auto report = gradcheck(square, [&](const auto& in) { return square(in[0]); }, {x});
    CHECK_FALSE(report.passed);
    CHECK(report.message.starts_with("w, element 0: dL/dw is "));
    CHECK(report.input == 1);
    CHECK(report.numeric == doctest::Approx(2 * report.analytic));
}

TEST_CASE("a wrong derivative of an input is found first") {
    const Square square;
    const auto report = gradcheck(square, [&](const auto& in) { return square(in[0] * in[0].detach()); }, {x});
    CHECK_FALSE(report.passed);
    CHECK(report.message.starts_with("failed: "));
    CHECK(report.input == 0);
}

TEST_CASE("a model that nothing depends on is vacuous, and frozen parameters are left out") {
    Linear<double> unused({.in_features = 2, .out_features = 2});
    const auto f = [](const auto& in) { return tanh(in[0]); };
    const auto report = gradcheck(unused, f, {x});
    CHECK_FALSE(report.passed);
    CHECK(report.message == "vacuous: the gradient of every parameter is 0, so any derivative would pass");
    CHECK(gradcheck(unused, f, {x}, {.allow_zero_gradient = true}).passed);
    unused.freeze();
    CHECK(unused.trainable_parameter_count() == 0);
    CHECK(unused.parameter_count() == 6);
    CHECK(gradcheck(unused, f, {x}).passed);
    unused.unfreeze();
    CHECK(unused.trainable_parameter_count() == 6);
}

TEST_CASE("after a check the model is as before, also when the function throws") {
    Square square;
    square.w.mutable_grad()(0, 1) = 7;
    const Array<double> value = square.w.value();
    gradcheck(square, [&](const auto& in) { return square(in[0]); }, {x});
    CHECK(square.w.value() == value);
    CHECK(square.w.grad()(0, 1) == 7);

    int calls = 0;
    const auto throwing = [&](const auto& in) {
        if (++calls > 16) fail<ValueError>("enough");
        return square(in[0]);
    };
    CHECK_THROWS_WITH_AS(gradcheck(square, throwing, {x}), "enough", ValueError);
    CHECK(square.w.value() == value);
    CHECK(square.w.grad()(0, 1) == 7);
}

TEST_CASE("layers pass the gradient check of models") {
    const LSTM<double> lstm({.input_size = 2, .hidden_size = 2, .num_layers = 2, .bidirectional = true});
    const auto report = gradcheck(lstm,
                                  [&](const auto& in) {
                                      return lstm(in[0], {}, {.lengths = {3, 1}}).output;
                                  },
                                  {random_array({3, 2, 2}, 1)});
    CHECK_MESSAGE(report.passed, report.message);
}
