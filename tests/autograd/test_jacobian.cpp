#include <ebb/autograd/gradcheck.hpp>
#include <ebb/autograd/jacobian.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/core/error.hpp>

#include <cmath>

#include "support/random_arrays.hpp"
#include <doctest/doctest.h>

using namespace ebb;
using ebb::test::array_of;
using ebb::test::RandomArrays;

namespace {

Array<double> values(const Variable<double>& x) {
    return x.value();
}

/// x0^2 x1 + e^(x0 x1), whose derivatives are short on paper.
Variable<double> scalar_field(const Variable<double>& x) {
    const auto a = select(x, 0, 0), b = select(x, 0, 1);
    return a * a * b + exp(a * b);
}

}  // namespace

TEST_CASE("the Jacobian of polar coordinates") {
    // x = r cos p, y = r sin p: dx/dr = cos p, dx/dp = -r sin p, dy/dr = sin p, dy/dp = r cos p.
    const double r = 2, p = 0.7;
    Tape<double> tape;
    const auto polar = tape.variable(Array<double>{r, p});
    const auto f = [](const Variable<double>& in) {
        const auto radius = select(in, 0, 0), angle = select(in, 0, 1);
        return stack(std::vector<Variable<double>>{radius * cos(angle), radius * sin(angle)}, 0);
    };
    for (const bool recorded : {false, true}) {
        const Variable<double> J = jacobian(f, polar, {.create_graph = recorded});
        REQUIRE(J.shape() == Shape{2, 2});
        CHECK(J.requires_grad() == recorded);
        CHECK(J.value()(0, 0) == doctest::Approx(std::cos(p)));
        CHECK(J.value()(0, 1) == doctest::Approx(-r * std::sin(p)));
        CHECK(J.value()(1, 0) == doctest::Approx(std::sin(p)));
        CHECK(J.value()(1, 1) == doctest::Approx(r * std::cos(p)));
    }
    // Its determinant is r, and the gradient of that is (1, 0).
    const Variable<double> J = jacobian(f, polar, {.create_graph = true});
    const auto at = [&](std::ptrdiff_t i, std::ptrdiff_t j) { return select(select(J, 0, i), 0, j); };
    const auto gradient = values(grad(at(0, 0) * at(1, 1) - at(0, 1) * at(1, 0), {polar})[0]);
    CHECK(gradient(0) == doctest::Approx(1));
    CHECK(gradient(1) == doctest::Approx(0).scale(1));
    CHECK(!polar.has_grad());
}

TEST_CASE("the Hessian and its products, against paper") {
    const double a = 0.6, b = -1.2, e = std::exp(a * b);
    const double H[2][2] = {{2 * b + b * b * e, 2 * a + (1 + a * b) * e}, {2 * a + (1 + a * b) * e, a * a * e}};
    Tape<double> tape;
    const auto x = tape.variable(Array<double>{a, b});
    const auto v = tape.constant(Array<double>{2, -3});
    const auto y = scalar_field(x);
    for (const Variable<double>& hessian_of_x : {hessian(y, x), hessian(scalar_field, x)})
        for (std::size_t i = 0; i < 2; ++i)
            for (std::size_t j = 0; j < 2; ++j) CHECK(hessian_of_x.value()(i, j) == doctest::Approx(H[i][j]));
    for (const Variable<double>& product : {hvp(y, x, v), hvp(scalar_field, x, v)})
        for (std::size_t i = 0; i < 2; ++i) CHECK(product.value()(i) == doctest::Approx(2 * H[i][0] - 3 * H[i][1]));
    // d/dx <v, H v> needs third derivatives: d3y/da3 = b^3 e.
    const auto along_a = tape.constant(Array<double>{1, 0});
    const auto curvature = sum(hvp(y, x, along_a, {.create_graph = true}) * along_a);
    CHECK(grad(curvature, {x})[0].value()(0) == doctest::Approx(b * b * b * e));
    // The point may be a constant, and recording off.
    const NoGrad off;
    CHECK(values(hessian(scalar_field, tape.constant(Array<double>{a, b}))) == values(hessian(y, x)));
}

TEST_CASE("J v and v' J are products with the Jacobian") {
    RandomArrays random(3);
    Tape<double> tape;
    const auto x = tape.variable(random.array({3, 4}));
    const auto w = tape.constant(random.array({4, 5}));
    const auto f = [&](const Variable<double>& in) { return tanh(matmul(in, w)) * sum(in); };
    const auto y = f(x);
    const Array<double> J = values(jacobian(y, x));
    const auto v = tape.constant(random.array({3, 4})), u = tape.constant(random.array({3, 5}));
    const Array<double> Jv = values(jvp(y, x, v)), uJ = values(vjp(y, x, u));
    CHECK(values(jvp(f, x, v)) == Jv);
    CHECK(values(vjp(f, x, u)) == uJ);
    REQUIRE(Jv.size() == 15);
    for (std::size_t i = 0; i < 15; ++i) {
        double expected = 0;
        for (std::size_t j = 0; j < 12; ++j) expected += J.data()[i * 12 + j] * v.value().data()[j];
        CHECK(Jv.data()[i] == doctest::Approx(expected));
    }
    for (std::size_t j = 0; j < 12; ++j) {
        double expected = 0;
        for (std::size_t i = 0; i < 15; ++i) expected += J.data()[i * 12 + j] * u.value().data()[i];
        CHECK(uJ.data()[j] == doctest::Approx(expected));
    }
}

TEST_CASE("a Jacobian of more rows than go in one sweep") {
    Tape<double> tape;
    const std::size_t n = 300;
    Array<double> numbers = Array<double>::from_shape({n});
    for (std::size_t k = 0; k < n; ++k) numbers(k) = static_cast<double>(k) / 100;
    const auto x = tape.variable(numbers);
    const Array<double> J = values(jacobian(x * x, x));
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j)
            if (J(i, j) != (i == j ? 2 * numbers(i) : 0)) FAIL("J is not diag(2 x) at ", i, ", ", j);
}

TEST_CASE("Jacobians with respect to several variables, parameters, and what y does not depend on") {
    const Parameter<double> w("w", Array<double>{3, 5});
    Tape<double> tape;
    const auto x = tape.variable(Array<double>{2, 4});
    const auto unused = tape.variable(Array<double>{1});
    const auto y = x * w;
    for (const bool recorded : {false, true}) {
        const auto J = jacobian(y, {x, tape.use(w), unused}, {.create_graph = recorded});
        CHECK(values(J[0]) == Array<double>{{3, 0}, {0, 5}});
        CHECK(values(J[1]) == Array<double>{{2, 0}, {0, 4}});
        CHECK(values(J[2]) == array_of({2, 1}, {0, 0}));
    }
    CHECK(values(jacobian(y, w)) == Array<double>{{2, 0}, {0, 4}});
    CHECK(values(jvp(y, unused, tape.ones({1}))) == Array<double>{0, 0});
    CHECK(values(vjp(y, unused, tape.ones({2}))) == Array<double>{0});
    CHECK(values(hessian(sum(y), x)) == Array<double>{{0, 0}, {0, 0}});
    CHECK(w.grad() == Array<double>{0, 0});
    const auto none = slice(x, 0, 0, 0);
    CHECK(jacobian(none, x).shape() == Shape{0, 2});
    CHECK(jacobian(none, x, {.create_graph = true}).shape() == Shape{0, 2});
}

TEST_CASE("a recorded Jacobian passes gradcheck and gradgradcheck") {
    RandomArrays random(11);
    const CheckedFunction squared_norm_of_jacobian = [](const std::vector<Variable<double>>& in) {
        const auto y = tanh(matmul(in[0], in[1]));
        const auto J = jacobian(y, in[0], {.create_graph = true});
        return sum(J * J);
    };
    const std::vector<Array<double>> inputs{random.array({2, 3}), random.array({3, 2})};
    const auto first = gradcheck(squared_norm_of_jacobian, inputs);
    CHECK_MESSAGE(first.passed, first.message);
    const auto second = gradgradcheck(squared_norm_of_jacobian, inputs);
    CHECK_MESSAGE(second.passed, second.message);
}

TEST_CASE("Jacobians and their products: errors") {
    Tape<double> tape;
    const auto x = tape.variable(Array<double>{2, 4});
    const auto c = tape.constant(Array<double>{2, 4}).named("target");
    const auto y = x * x;
    CHECK_THROWS_WITH_AS(jacobian(y, c),
                         "jacobian: target is a constant: expected tape.variable(array), a parameter, or something "
                         "made from one",
                         TapeError);
    CHECK_THROWS_WITH_AS(hessian(y, x), "hessian: y (node 2) is [2]: expected one element", ShapeError);
    CHECK_THROWS_WITH_AS(hvp(y, x, c), "hvp: y (node 2) is [2]: expected one element", ShapeError);
    CHECK_THROWS_WITH_AS(vjp(y, x, tape.ones({3})), "vjp: v is [3], y (node 2) is [2]: expected the same shape",
                         ShapeError);
    CHECK_THROWS_WITH_AS(jvp(y, x, tape.ones({3})), "jvp: v is [3], x (node 0) is [2]: expected the same shape",
                         ShapeError);
    CHECK_THROWS_AS(jacobian(reshape(y, {1, 1, 1, 1, 2}), reshape(x, {1, 1, 1, 2})), ShapeError);
    Tape<double> other;
    CHECK_THROWS_AS(jacobian(y, other.variable(Array<double>{1})), TapeError);
    CHECK_THROWS_AS(vjp(y, x, other.variable(Array<double>{1, 2})), TapeError);
    tape.backward(sum(y));
    CHECK_THROWS_AS(jacobian(y, x), TapeError);  // freed
}
