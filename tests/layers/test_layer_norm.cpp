#include <ebb/autograd/gradcheck.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/random.hpp>
#include <ebb/core/safetensors.hpp>
#include <ebb/layers/layer_norm.hpp>

#include <cmath>

#include <doctest/doctest.h>

using namespace ebb;

namespace {

void check_close(const Array<double>& got, const Array<double>& expected, double tolerance) {
    REQUIRE(got.shape() == expected.shape());
    for (std::size_t k = 0; k < got.size(); ++k)
        CHECK(std::abs(got.data()[k] - expected.data()[k]) <= tolerance * std::max(1.0, std::abs(expected.data()[k])));
}

}  // namespace

TEST_CASE("layer_norm has PyTorch's values and gradients") {
    const ArrayFile golden = load_safetensors(EBB_GOLDEN_DIR "/layer_norm.safetensors");
    struct {
        const char* name;
        std::size_t axes;
        double eps;
    } const cases[] = {
        {"plain", 1, 1e-5}, {"affine", 1, 1e-5}, {"two_axes", 2, 1e-5}, {"no_bias", 1, 1e-5}, {"large_eps", 1, 0.5}};
    for (const auto& c : cases) {
        CAPTURE(c.name);
        const std::string prefix = std::string("layer_norm/") + c.name + "/";
        Tape<double> tape;
        const auto operand = [&](const char* name) {
            return golden.contains(prefix + name) ? tape.variable(golden.get<double>(prefix + name))
                                                  : Variable<double>();
        };
        const auto x = operand("x"), weight = operand("weight"), bias = operand("bias");
        const Shape shape(x.shape().end() - c.axes, x.shape().end());
        const auto y = layer_norm(x, shape, weight, bias, c.eps);
        check_close(y.value(), golden.get<double>(prefix + "y"), 1e-12);
        tape.backward(y, golden.get<double>(prefix + "dy"));
        check_close(x.grad(), golden.get<double>(prefix + "dx"), 1e-10);
        if (weight.defined()) check_close(weight.grad(), golden.get<double>(prefix + "dweight"), 1e-10);
        if (bias.defined()) check_close(bias.grad(), golden.get<double>(prefix + "dbias"), 1e-10);
    }
}

TEST_CASE("layer_norm passes gradcheck to the second order, with x used elsewhere too") {
    manual_seed(1);
    const CheckedFunction f = [](const std::vector<Variable<double>>& in) {
        return sum(tanh(layer_norm(in[0], {2, 3}, in[1], in[2], 0.1)) * in[0]);
    };
    const std::vector<Array<double>> in{randn<double>({4, 2, 3}), randn<double>({2, 3}), randn<double>({2, 3})};
    const auto first = gradcheck(f, in);
    CHECK_MESSAGE(first.passed, first.message);
    const auto second = gradgradcheck(f, in);
    CHECK_MESSAGE(second.passed, second.message);
}

TEST_CASE_TEMPLATE("every row has mean 0 and variance 1, whatever its scale, and a constant row is 0", T, float,
                   double) {
    manual_seed(2);
    Array<T> x = randn<T>({3, 64});
    for (std::size_t k = 0; k < 64; ++k) {
        x(0, k) = 1000 + 10 * x(0, k);
        x(1, k) *= T(1e-2);
        x(2, k) = 7;
    }
    Tape<T> tape;
    LayerNorm<T> norm({.normalized_shape = {64}, .eps = 1e-10});
    const auto y = norm(tape.constant(x));
    for (std::size_t r = 0; r < 3; ++r) {
        double mean = 0, square = 0;
        for (std::size_t k = 0; k < 64; ++k) {
            mean += y.value()(r, k) / 64;
            square += y.value()(r, k) * y.value()(r, k) / 64;
        }
        CHECK(std::abs(mean) < 1e-5);
        CHECK(std::abs(square - (r == 2 ? 0 : 1)) < 1e-4);
    }
}

TEST_CASE("the layer has a weight of ones and a bias of zeros, or none") {
    LayerNorm<double> full({.normalized_shape = {2}}), no_bias({.normalized_shape = {2}, .bias = false}),
        plain({.normalized_shape = {2}, .elementwise_affine = false});
    CHECK(full.weight.value() == Array<double>{1, 1});
    CHECK(full.bias.value() == Array<double>{0, 0});
    CHECK(no_bias.parameters().size() == 1);
    CHECK(plain.parameters().empty());
    full.weight.set_value(Array<double>{2, 3});
    full.bias.set_value(Array<double>{5, 7});
    Tape<double> tape;
    const auto x = tape.constant(Array<double>{{1, 3}, {4, 2}});
    const double one = 1 / std::sqrt(1 + 1e-5);
    check_close(full(x).value(), Array<double>{{5 - 2 * one, 7 + 3 * one}, {5 + 2 * one, 7 - 3 * one}}, 1e-14);
    check_close(plain(x).value(), Array<double>{{-one, one}, {one, -one}}, 1e-14);
}

TEST_CASE("errors of layer_norm") {
    Tape<double> tape;
    const auto x = tape.ones({2, 3});
    CHECK_THROWS_WITH_AS(LayerNorm<double>({.normalized_shape = {}}),
                         "LayerNorm: normalized_shape is []: expected at least one axis and one element", ValueError);
    CHECK_THROWS_WITH_AS(LayerNorm<double>({.normalized_shape = {3}, .eps = -1, .name = "norm"}),
                         "norm: eps is -1: expected a finite number, not negative", ValueError);
    LayerNorm<double> norm({.normalized_shape = {4}, .name = "norm"});
    CHECK_THROWS_WITH_AS(norm(x),
                         "layer_norm: x is [2, 3], normalized_shape is [4]: expected x to end in it\n"
                         "  while running norm (LayerNorm)",
                         ShapeError);
    CHECK(tape.size() == 1);
    CHECK_THROWS_WITH_AS(layer_norm(x, {1, 2, 3}),
                         "layer_norm: x is [2, 3], normalized_shape is [1, 2, 3]: expected x to end in it", ShapeError);
    CHECK_THROWS_WITH_AS(layer_norm(x, {3}, tape.ones({2})),
                         "layer_norm: weight is [2], expected normalized_shape, [3]", ShapeError);
    CHECK_THROWS_WITH_AS(layer_norm(x, {3}, tape.ones({3}), tape.ones({1, 3})),
                         "layer_norm: bias is [1, 3], expected normalized_shape, [3]", ShapeError);
}
