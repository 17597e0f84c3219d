#include <ebb/core/error.hpp>

#include <algorithm>
#include <cmath>

#include "support/operation_cases.hpp"
#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace ebb;
using namespace ebb::test;

std::vector<OperationCase> ebb::test::linear_algebra_cases() {
    RandomArrays random(41);
    std::vector<OperationCase> cases;
    const auto add = [&](const char* operation, const char* label, const std::vector<Shape>& shapes, auto f) {
        cases.push_back(operation_case(operation, label, random.arrays(shapes), f));
    };
    const auto product = [](const auto& in) { return matmul(in[0], in[1]); };
    const std::vector<std::vector<Shape>> pairs = {
        // every pair of ranks
        {{3}, {3}},
        {{3}, {3, 4}},
        {{2, 3}, {3}},
        {{2, 3}, {3, 4}},
        {{3}, {2, 3, 4}},
        {{2, 4, 3}, {3}},
        {{2, 4, 3}, {3, 5}},
        {{4, 3}, {2, 3, 5}},
        {{2, 4, 3}, {2, 3, 5}},
        {{2, 3, 4, 2}, {2, 3}},
        // batches that broadcast
        {{1, 4, 3}, {3, 3, 2}},
        {{3, 4, 3}, {1, 3, 2}},
        {{2, 1, 2, 3}, {4, 3, 2}},
        {{2, 3, 1, 2}, {1, 3, 2, 4}},
        {{1, 1, 2, 3}, {1, 1, 3, 2}},
        // one row, one column, an outer product, one number
        {{1, 5}, {5, 4}},
        {{4, 5}, {5, 1}},
        {{4, 1}, {1, 5}},
        {{1, 1}, {1, 1}},
        {{2, 1, 5}, {2, 5, 1}},
    };
    for (const auto& shapes : pairs) add("matmul", "", shapes, product);
    add("matmul", "a' b", {{3, 2}, {3, 4}}, [](const auto& in) { return matmul(transpose(in[0]), in[1]); });
    add("matmul", "a b'", {{2, 3}, {4, 3}}, [](const auto& in) { return matmul(in[0], transpose(in[1])); });
    add("matmul", "a' b'", {{3, 2}, {4, 3}}, [](const auto& in) { return matmul(transpose(in[0]), transpose(in[1])); });
    add("matmul", "a a'", {{3, 4}}, [](const auto& in) { return matmul(in[0], transpose(in[0])); });
    add("matmul", "a' a", {{3, 4}}, [](const auto& in) { return matmul(transpose(in[0]), in[0]); });
    add("matmul", "a a", {{3, 3}}, [](const auto& in) { return matmul(in[0], in[0]); });
    add("matmul", "a batch of a' b, one b", {{2, 3, 4}, {3, 5}},
        [](const auto& in) { return matmul(transpose(in[0], 1, 2), in[1]); });
    add("matmul", "a batch of a' b'", {{2, 3, 4}, {2, 5, 3}},
        [](const auto& in) { return matmul(transpose(in[0], 1, 2), transpose(in[1], 1, 2)); });
    add("matmul", "transposed along other axes", {{3, 2, 4}, {2, 4, 5}},
        [](const auto& in) { return matmul(transpose(in[0], 0, 1), in[1]); });
    add("matmul", "a transposed product, looked at as well", {{3, 4}, {3, 2}}, [](const auto& in) {
        const auto t = transpose(in[0]);
        return matmul(t, in[1]) * sum(t * t);
    });

    const auto with_bias = [](const auto& in) { return linear(in[0], in[1], in[2]); };
    for (const Shape& x : {Shape{3}, Shape{2, 3}, Shape{1, 3}, Shape{4, 2, 3}, Shape{2, 1, 2, 3}})
        add("linear", "", {x, {5, 3}, {5}}, with_bias);
    add("linear", "one output", {{4, 3}, {1, 3}, {1}}, with_bias);
    add("linear", "no bias", {{4, 3}, {5, 3}}, [](const auto& in) { return linear(in[0], in[1]); });
    add("linear", "x is the weight", {{3, 3}, {3}}, [](const auto& in) { return linear(in[0], in[0], in[1]); });
    return cases;
}

TEST_CASE("products of matrices: every case") {
    for (const OperationCase& c : linear_algebra_cases()) check_case(c);
}

namespace {

/// The element of a batched product that the definition gives.
Array<double> product_by_definition(const Array<double>& a, const Array<double>& b) {
    const std::size_t m = a.shape()[a.dimension() - 2], k = a.shape()[a.dimension() - 1],
                      n = b.shape()[b.dimension() - 1];
    const std::size_t batch = a.size() / (m * k);
    std::vector<std::size_t> shape(a.shape().begin(), a.shape().end());
    shape.back() = n;
    Array<double> y = Array<double>::from_shape(shape);
    const bool one_b = b.dimension() == 2;
    for (std::size_t o = 0; o < batch; ++o)
        for (std::size_t i = 0; i < m; ++i)
            for (std::size_t j = 0; j < n; ++j) {
                double sum = 0;
                for (std::size_t l = 0; l < k; ++l)
                    sum += a.data()[(o * m + i) * k + l] * b.data()[(one_b ? 0 : o) * k * n + l * n + j];
                y.data()[(o * m + i) * n + j] = sum;
            }
    return y;
}

bool near(const Array<double>& a, const Array<double>& b) {
    if (a.shape() != b.shape()) return false;
    for (std::size_t k = 0; k < a.size(); ++k)
        if (!(std::abs(a.data()[k] - b.data()[k]) <= 1e-12 * std::max(1.0, std::abs(b.data()[k])))) return false;
    return true;
}

Array<double> swapped(const Array<double>& x) {
    Tape<double> tape;
    return transpose(tape.constant(x), -1, -2).value();
}

}  // namespace

TEST_CASE("products of matrices: values, as they lie and transposed") {
    RandomArrays random(42);
    for (const auto& [as, bs] : {std::pair{Shape{3, 4}, Shape{4, 5}}, std::pair{Shape{2, 3, 4}, Shape{4, 5}},
                                 std::pair{Shape{2, 3, 4}, Shape{2, 4, 5}}, std::pair{Shape{1, 4}, Shape{4, 1}}}) {
        const Array<double> a = random.array(as), b = random.array(bs), expected = product_by_definition(a, b);
        Tape<double> tape;
        const auto va = tape.constant(a), vb = tape.constant(b);
        const auto ta = transpose(tape.constant(swapped(a)), -1, -2), tb = transpose(tape.constant(swapped(b)), -1, -2);
        CHECK(near(matmul(va, vb).value(), expected));
        CHECK(near(matmul(ta, vb).value(), expected));
        CHECK(near(matmul(va, tb).value(), expected));
        CHECK(near(matmul(ta, tb).value(), expected));
        if (bs.rank() == 2) {
            CHECK(near(linear(va, tape.constant(swapped(b))).value(), expected));
            CHECK(near(linear(va, transpose(vb)).value(), expected));
        }
    }
}

TEST_CASE("products of matrices: extents of 0") {
    Tape<double> tape;
    const auto zeros = [&](const Shape& shape) {
        Array<double> a = Array<double>::from_shape(std::vector<std::size_t>(shape.begin(), shape.end()));
        a.fill(1);
        return tape.variable(a);
    };
    const auto gradient_is = [](const Variable<double>& x, double expected) {
        const auto dx = x.grad();
        return std::all_of(dx.begin(), dx.end(), [=](double v) { return v == expected; });
    };
    {  // an empty sum is 0
        const auto a = zeros({2, 0}), b = zeros({0, 3});
        const auto y = matmul(a, b);
        CHECK(y.shape() == Shape{2, 3});
        CHECK(sum(y * y).item() == 0);
        tape.backward(sum(y));
        CHECK(Shape::of(a.grad().shape()) == Shape{2, 0});
    }
    {  // no rows
        const auto a = zeros({0, 3}), b = zeros({3, 2});
        tape.backward(sum(matmul(a, b)));
        CHECK(gradient_is(b, 0));
    }
    {  // no columns
        const auto a = zeros({4, 3}), b = zeros({3, 0});
        tape.backward(sum(matmul(a, b)));
        CHECK(gradient_is(a, 0));
    }
    {  // an empty batch
        const auto a = zeros({0, 2, 3}), b = zeros({1, 3, 2});
        const auto y = matmul(a, b);
        CHECK(y.shape() == Shape{0, 2, 2});
        tape.backward(sum(y));
        CHECK(gradient_is(b, 0));
    }
    {  // no features in: the bias alone
        const auto x = zeros({4, 0}), w = zeros({2, 0}), b = zeros({2});
        const auto y = linear(x, w, b);
        CHECK(sum(y).item() == 8);
        tape.backward(sum(y));
        CHECK(gradient_is(b, 4));
    }
    {  // no features out
        const auto x = zeros({4, 3}), w = zeros({0, 3}), b = zeros({0});
        const auto y = linear(x, w, b);
        CHECK(y.shape() == Shape{4, 0});
        tape.backward(sum(y));
        CHECK(gradient_is(x, 0));
    }
}

// ---- parameters: their gradients wait ---------------------------------------------------------------------------

namespace {

/// The same function of x and two weights, with the weights as parameters and as variables: deferred gradients against
/// those that are not.
void check_parameters(const char* label, const Array<double>& x, const std::vector<Array<double>>& weights,
                      const CheckedFunction& f) {
    CAPTURE(label);
    const auto square_sum = [&](const Variable<double>& y) { return sum(y * y); };
    std::vector<Array<double>> expected;
    Array<double> expected_dx;
    {
        Tape<double> tape;
        Variables<double> in{tape.variable(x)};
        for (const auto& w : weights) in.push_back(tape.variable(w));
        tape.backward(square_sum(f(in)));
        for (std::size_t k = 1; k < in.size(); ++k) expected.emplace_back(in[k].grad());
        expected_dx = in[0].grad();
    }
    for (const bool recorded : {false, true}) {
        Tape<double> tape;
        std::vector<Parameter<double>> parameters;
        Variables<double> in{tape.variable(x)};
        for (const auto& w : weights) {
            parameters.emplace_back("w", w);
            in.push_back(tape.use(parameters.back()));
        }
        tape.backward(square_sum(f(in)), {.create_graph = recorded});
        for (std::size_t k = 0; k < parameters.size(); ++k) CHECK(near(parameters[k].grad(), expected[k]));
        CHECK(near(in[0].grad(), expected_dx));
        // A second pass adds.
        tape.clear();
        in = {tape.variable(x)};
        for (const auto& p : parameters) in.push_back(tape.use(p));
        tape.backward(square_sum(f(in)));
        for (std::size_t k = 0; k < parameters.size(); ++k) {
            Array<double> twice = expected[k];
            for (double& v : twice) v *= 2;
            CHECK(near(parameters[k].grad(), twice));
        }
    }
}

}  // namespace

TEST_CASE("parameters: gradients that wait are those that do not") {
    RandomArrays random(43);
    const Array<double> x = random.array({4, 3}), w = random.array({3, 3}), u = random.array({3, 5}),
                        v = random.array({5, 3}), b = random.array({5}), sequence = random.array({6, 4, 3});
    using In = const Variables<double>&;
    check_parameters("x W", x, {u}, [](In in) { return matmul(in[0], in[1]); });
    check_parameters("x W'", x, {v}, [](In in) { return matmul(in[0], transpose(in[1])); });
    check_parameters("linear", x, {v, b}, [](In in) { return linear(in[0], in[1], in[2]); });
    check_parameters("linear without bias", x, {v}, [](In in) { return linear(in[0], in[1]); });
    check_parameters("linear over a sequence", sequence, {v, b}, [](In in) { return linear(in[0], in[1], in[2]); });
    check_parameters("matmul over a sequence", sequence, {u}, [](In in) { return matmul(in[0], in[1]); });
    check_parameters("both sides", x, {w}, [](In in) { return matmul(matmul(in[0], in[1]), transpose(in[1])); });
    check_parameters("W x'", x, {v}, [](In in) { return matmul(in[1], transpose(in[0])); });
    check_parameters("W W", x, {w}, [](In in) { return matmul(in[0], matmul(in[1], in[1])); });
    check_parameters("linear of itself", x, {w}, [](In in) { return matmul(in[0], linear(in[1], in[1])); });
    check_parameters("also elementwise", x, {w},
                     [](In in) { return matmul(in[0], in[1]) * sum(in[1] * in[1]) + matmul(in[0], transpose(in[1])); });
    check_parameters("transposed and looked at", x, {w}, [](In in) {
        const auto t = transpose(in[1]);
        return matmul(in[0], t) + sum(tanh(t));
    });
    check_parameters("transposed input", x, {random.array({4, 2})},
                     [](In in) { return matmul(transpose(in[0]), in[1]); });
    check_parameters("many steps", x, {w, random.array({3})}, [](In in) {
        auto h = in[0];
        for (int t = 0; t < 150; ++t) h = tanh(linear(h, in[1], in[2]));
        return h;
    });
    check_parameters("many steps, both ways", x, {w}, [](In in) {
        auto h = in[0];
        for (int t = 0; t < 20; ++t) h = tanh(matmul(h, in[1]) + matmul(h, transpose(in[1])));
        return h;
    });
    check_parameters("a batch of weights", sequence, {random.array({6, 3, 2})},
                     [](In in) { return matmul(in[0], in[1]); });
    check_parameters("a vector", x, {random.array({3})}, [](In in) { return matmul(in[0], in[1]); });
    check_parameters("a number", x, {random.array(Shape{})}, [](In in) { return in[0] * in[1] + in[1]; });
    check_parameters("retained in between", x, {w}, [](In in) {
        const auto y = linear(in[0], in[1]);
        y.retain_grad();
        const auto t = transpose(in[1]);
        t.retain_grad();
        return matmul(y, t);
    });
}

TEST_CASE("shares: what each use of a weight added, and no more") {
    RandomArrays random(44);
    const Parameter<double> w("w", random.array({5, 3}));
    const Parameter<double> b("b", random.array({5}));
    const Parameter<double> u("u", random.array({5, 3}));
    Tape<double> tape;
    const auto x = tape.variable(random.array({4, 3}));
    const auto y = linear(x, w, b);
    const auto z = linear(x * 2, w, b);
    const auto v = matmul(tanh(y) + z, u);
    const auto sequence = linear(tape.constant(random.array({7, 2, 3})), w);
    tape.backward(sum(v * v) + sum(sequence * sequence));

    const auto total = [](std::span<const Tape<double>::Share> shares, const Shape& shape) {
        Array<double> sum = Array<double>::from_shape(std::vector<std::size_t>(shape.begin(), shape.end()));
        sum.fill(0);
        const std::size_t columns = shape.back(), rows = shape.rank() == 2 ? shape[0] : 1;
        for (const auto& s : shares)
            for (std::size_t r = 0; r < s.rows; ++r)
                for (std::size_t i = 0; i < rows; ++i)
                    for (std::size_t j = 0; j < columns; ++j) {
                        const double* const delta = s.delta + r * s.delta_stride;
                        const double* const from = s.x ? s.x + r * s.x_stride : nullptr;
                        sum.data()[i * columns + j] += !from          ? delta[j]
                                                       : s.transposed ? from[i] * delta[j]
                                                                      : delta[i] * from[j];
                    }
        return sum;
    };
    CHECK(tape.shares(w).size() == 3);
    CHECK(tape.shares(b).size() == 2);
    CHECK(tape.shares(u).size() == 1);
    CHECK(near(total(tape.shares(w), w.shape()), w.grad()));
    CHECK(near(total(tape.shares(b), b.shape()), b.grad()));
    CHECK(near(total(tape.shares(u), u.shape()), u.grad()));
    // Backward meets the uses from the last to the first; a sequence says which rows belong to which step.
    CHECK(tape.shares(w)[0].time_steps == 7);
    CHECK(tape.shares(w)[0].first_time_step == 0);
    CHECK(tape.shares(w)[0].rows == 14);
    CHECK(tape.shares(w)[2].time_steps == 1);
    CHECK(tape.shares(w)[2].first_time_step == -1);

    tape.clear();
    CHECK(tape.shares(w).empty());
}

TEST_CASE("products of matrices: errors, and the tape is as before") {
    Tape<double> tape;
    const auto x = tape.constant(Array<double>::from_shape({32, 10}));
    const auto w = tape.constant(Array<double>::from_shape({20, 12}));
    const auto scalar = tape.scalar(2);
    const auto a = tape.constant(Array<double>::from_shape({2, 3, 4}));
    const auto b = tape.constant(Array<double>::from_shape({3, 4, 5}));
    const auto v = tape.constant(Array<double>::from_shape({11}));
    const std::size_t size = tape.size();
    CHECK_THROWS_WITH_AS(matmul(x, w), "matmul: inner dimensions differ: a is [32, 10], b is [20, 12]: 10 != 20",
                         ShapeError);
    CHECK_THROWS_WITH_AS(matmul(x, v), "matmul: inner dimensions differ: a is [32, 10], b is [11]: 10 != 11",
                         ShapeError);
    CHECK_THROWS_WITH_AS(matmul(v, x), "matmul: inner dimensions differ: a is [11], b is [32, 10]: 11 != 32",
                         ShapeError);
    CHECK_THROWS_WITH_AS(matmul(a, b),
                         "matmul: shapes [2] and [3] do not broadcast: extents 2 and 3 differ and neither is 1",
                         ShapeError);
    CHECK_THROWS_WITH_AS(matmul(scalar, x),
                         "matmul: a is [], b is [32, 10]: expected at least one axis each; a scalar multiplies by *",
                         ShapeError);
    CHECK_THROWS_WITH_AS(linear(x, w), "linear: x is [32, 10], weight is [20, 12]: expected 12 as the last extent of x",
                         ShapeError);
    CHECK_THROWS_WITH_AS(linear(scalar, w), "linear: x is [], weight is [20, 12]: expected 12 as the last extent of x",
                         ShapeError);
    CHECK_THROWS_WITH_AS(linear(x, v), "linear: weight is [11]: expected [out_features, in_features]", ShapeError);
    CHECK_THROWS_WITH_AS(linear(w, tape.at(w.index()), v), "linear: bias is [11], weight is [20, 12]: expected [20]",
                         ShapeError);
    CHECK(tape.size() == size);
    x.named("x");
    w.named("weight_ih");
    CHECK_THROWS_WITH_AS(matmul(x, w),
                         "matmul: inner dimensions differ: x is [32, 10], weight_ih is [20, 12]: 10 != 20", ShapeError);
    v.named("bias_ih");
    CHECK_THROWS_WITH_AS(linear(w, tape.at(w.index()), v),
                         "linear: bias_ih is [11], weight_ih is [20, 12]: expected [20]", ShapeError);
}
