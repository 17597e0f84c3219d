#include <ebb/autograd/gradcheck.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>

#include <cmath>

#include <doctest/doctest.h>

using namespace ebb;

TEST_CASE("a scalar graph goes forward and back") {
    Tape<double> tape;
    const auto x = tape.variable(Array<double>(2.0));
    const auto w = tape.variable(Array<double>(-3.0));
    const auto y = tanh(x * w + 1) * x;
    tape.backward(y);
    const double a = std::tanh(-5.0), d = 1 - a * a;
    CHECK(y.item() == doctest::Approx(2 * a));
    CHECK(x.grad()() == doctest::Approx(2 * d * -3 + a));
    CHECK(w.grad()() == doctest::Approx(2 * d * 2));
}

TEST_CASE("gradcheck agrees on a little network") {
    const Array<double> x{{0.1, -0.2, 0.3}, {0.5, 0.4, -0.7}};
    const Array<double> w{{0.3, -0.1, 0.2}, {-0.5, 0.6, 0.1}, {0.2, 0.2, 0.9}, {0.7, -0.3, 0.4}};
    const Array<double> b{0.1, 0.2, -0.3, 0.4};
    const CheckedFunction f = [](const std::vector<Variable<double>>& in) {
        const auto h = tanh(matmul(in[0], transpose(in[1])) + in[2]);
        const auto g = sigmoid(linear(in[0], in[1], in[2]));
        return mean(h * g, 0) / (1 + exp(sum(h, 1, true))) + transpose(slice(transpose(h), 0, 1, 2)) +
               sum(transpose(h));
    };
    const auto r = gradcheck(f, {x, w, b});
    CHECK_MESSAGE(r.passed, r.message);
    const auto rr = gradgradcheck(f, {x, w, b});
    CHECK_MESSAGE(rr.passed, rr.message);
}
