#include <ebb/autograd/grad_mode.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/probe.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/decompositions.hpp>
#include <ebb/core/error.hpp>
#include <ebb/inspect/jacobians.hpp>

#include <cmath>
#include <functional>
#include <limits>

#include "support/random_arrays.hpp"
#include "support/xtensor.hpp"
#include <doctest/doctest.h>
#include <xtensor-blas/xlinalg.hpp>

using namespace ebb;

namespace {

/// h_t = f(h_{t-1} W' + x_t), T steps of it, as probes "rnn.h".
template <class F>
std::vector<Variable<double>> unrolled(Tape<double>& tape, const Array<double>& w, std::size_t steps,
                                       test::RandomArrays& random, double input_scale, F f) {
    const std::size_t H = w.shape(0);
    const auto weight = tape.variable(w);
    auto h = tape.constant(random.array({1, H}));
    std::vector<Variable<double>> states;
    for (std::size_t t = 0; t < steps; ++t) {
        const Array<double> x = input_scale * random.array({1, H});
        h = probe(f(matmul(h, transpose(weight)) + tape.constant(x)), "rnn.h", static_cast<std::int64_t>(t));
        states.push_back(h);
    }
    return states;
}

const auto identity = [](const Variable<double>& a) { return a; };
const auto squashed = [](const Variable<double>& a) { return tanh(a); };

/// ||W^k|| by repeated products, W scaled to a norm of about 1.
Array<double> power(const Array<double>& w, std::size_t k) {
    Array<double> result = xt::eye<double>(w.shape(0));
    for (std::size_t i = 0; i < k; ++i) result = xt::linalg::dot(result, w);
    return result;
}

}  // namespace

TEST_CASE("a linear network: ||dh_T/dh_t|| is ||W^(T-t)||") {
    test::RandomArrays random(41);
    for (const std::size_t H : {2, 5, 9}) {
        const Array<double> w = random.array({H, H}) / std::sqrt(static_cast<double>(H));
        Tape<double> tape;
        constexpr std::size_t T = 40;
        unrolled(tape, w, T, random, 1, identity);
        const auto spectrum = inspect::jacobian_spectrum(tape, "rnn.h");
        for (std::size_t k = 0; k < T; ++k) {
            const double expected = xt::linalg::norm(power(w, T - 1 - k), 2);
            CHECK(std::abs(spectrum.product[k].norm() - expected) <= 1e-10 * expected);
        }
        // The long-run rate of a linear network is rho(W), which is no more than sigma_max(W).
        CHECK(spectrum.step[0].radius == doctest::Approx(linalg::spectral_radius(w)).epsilon(1e-12));
        CHECK(spectrum.step[0].radius <= spectrum.step[0].norm() * (1 + 1e-14));
        const auto bound = inspect::norm_bound(w, 1, T);
        for (std::size_t k = 0; k < T; ++k) CHECK(spectrum.product[k].norm() <= bound[k] * (1 + 1e-10));
        CHECK(bound.back() == 1);
        const double sigma = xt::linalg::norm(w, 2);
        for (const double gamma : {0.25, 1.0, 1.5}) {
            const auto scaled = inspect::norm_bound(w, gamma, T);
            for (std::size_t k = 0; k < T; ++k)
                CHECK(scaled[k] ==
                      doctest::Approx(std::pow(gamma * sigma, static_cast<double>(T - 1 - k))).epsilon(1e-10).scale(0));
        }
    }
}

TEST_CASE("a linear network: its Lyapunov exponents are the logs of the moduli of W's eigenvalues") {
    test::RandomArrays random(45);
    for (int trial = 0; trial < 3; ++trial) {
        // Eigenvalues that are apart, by turns positive and negative, in axes that are not at right angles.
        const std::size_t H = 2 + random.below(4);
        Array<double> d = xt::zeros<double>({H, H});
        for (std::size_t i = 0; i < H; ++i)
            d(i, i) = 1.1 * std::pow(0.7, static_cast<double>(i)) * (i % 2 == 0 ? 1 : -1);
        const Array<double> axes = random.array({H, H});
        const Array<double> turned = xt::linalg::dot(axes, d);
        const Array<double> w = xt::linalg::dot(turned, xt::linalg::inv(axes));
        Tape<double> tape;
        unrolled(tape, w, 200, random, 1, identity);
        const auto spectrum = inspect::jacobian_spectrum(tape, "rnn.h", {.discard = 100});
        REQUIRE(spectrum.lyapunov.exponents.size() == H);
        for (std::size_t i = 0; i < H; ++i)
            CHECK(std::abs(spectrum.lyapunov.exponents[i] - std::log(std::abs(d(i, i)))) < 1e-6);
    }
}

TEST_CASE("a tanh network never exceeds Pascanu's bound") {
    test::RandomArrays random(42);
    for (const double gain : {0.3, 1.0, 3.0})
        for (int trial = 0; trial < 5; ++trial) {
            const std::size_t H = 2 + random.below(7);
            const Array<double> w = gain * random.array({H, H});
            Tape<double> tape;
            constexpr std::size_t T = 30;
            unrolled(tape, w, T, random, 1, squashed);
            const auto spectrum = inspect::jacobian_spectrum(tape, "rnn.h");
            const auto bound = inspect::norm_bound(w, 1, T);
            const double sigma = linalg::spectral_norm(w);
            for (std::size_t k = 0; k < T; ++k) CHECK(spectrum.product[k].norm() <= bound[k] * (1 + 1e-12));
            for (const auto& step : spectrum.step) CHECK(step.norm() < sigma);
        }
}

TEST_CASE("with an orthogonal W and no inputs no singular value exceeds 1") {
    test::RandomArrays random(43);
    for (int trial = 0; trial < 5; ++trial) {
        const std::size_t H = 2 + random.below(7);
        const Array<double> w = linalg::qr(random.array({H, H})).q;
        Tape<double> tape;
        unrolled(tape, w, 50, random, 0, squashed);
        const auto spectrum = inspect::jacobian_spectrum(tape, "rnn.h");
        for (const auto& product : spectrum.product)
            for (const double sigma : product.singular_values) CHECK(sigma <= 1 + 1e-13);
        CHECK(spectrum.lyapunov.exponents.front() < 0);
    }
    // Without tanh all of them stay at 1.
    const Array<double> w = linalg::qr(random.array({6, 6})).q;
    Tape<double> tape;
    unrolled(tape, w, 50, random, 1, identity);
    const auto spectrum = inspect::jacobian_spectrum(tape, "rnn.h");
    for (const double sigma : spectrum.product.front().singular_values)
        CHECK(sigma == doctest::Approx(1).epsilon(1e-12));
    CHECK(spectrum.product.front().condition() == doctest::Approx(1).epsilon(1e-12));
}

TEST_CASE("products far outside of the range of squares") {
    // h_t = W h_{t-1} with W = diag(1e30, 1e-30): after 9 steps 1e270 and 1e-270, after 11 infinity and a denormal.
    const Array<double> w{{1e30, 0}, {0, 1e-30}};
    Tape<double> tape;
    const auto weight = tape.variable(w);
    auto h = tape.zeros({1, 2});
    for (int t = 0; t < 12; ++t) h = probe(matmul(h, weight), "h", t);
    const auto spectrum = inspect::jacobian_spectrum(tape, "h");
    CHECK(spectrum.product[2].norm() == doctest::Approx(1e270).epsilon(1e-10));
    CHECK(spectrum.product[2].radius == doctest::Approx(1e270).epsilon(1e-10));
    CHECK(spectrum.product[0].norm() == std::numeric_limits<double>::infinity());
    CHECK(spectrum.lyapunov.exponents[0] == doctest::Approx(std::log(1e30)).epsilon(1e-12));
    CHECK(spectrum.lyapunov.exponents[1] == doctest::Approx(std::log(1e-30)).epsilon(1e-12));
}

TEST_CASE("Jacobians of a network that reads backwards, and of two cells of one name") {
    test::RandomArrays random(44);
    const Array<double> w = random.array({3, 3}), u = random.array({3, 3});
    Tape<double> tape;
    const auto weight = tape.variable(w), other = tape.variable(u);
    auto h = tape.zeros({1, 3});
    for (int t = 4; t >= 0; --t) h = probe(matmul(h, transpose(weight)), "rnn.h", t);
    const auto jacobians = inspect::state_jacobians(tape, "rnn.h");
    CHECK(jacobians.time_step == std::vector<std::int32_t>{4, 3, 2, 1, 0});
    for (const auto& step : jacobians.step)
        for (std::size_t k = 0; k < 9; ++k) CHECK(step.data()[k] == w.data()[k]);

    const StepOwner owner = new_step_owner();
    for (int t = 0; t < 3; ++t) {
        h = probe(matmul(h, transpose(other)), "rnn.h", t);
        h.node().step_owner = owner;
    }
    const auto second = inspect::state_jacobians(tape, "rnn.h (2)");
    REQUIRE(second.step.size() == 2);
    for (std::size_t k = 0; k < 9; ++k) CHECK(second.step[1].data()[k] == u.data()[k]);
}

TEST_CASE("Jacobians: every error says what was expected") {
    Tape<double> tape;
    CHECK_THROWS_WITH_AS(inspect::state_jacobians(tape, "h"),
                         "state_jacobians: no state is called h: the tape has none", ValueError);
    const auto w = tape.variable(Array<double>{{1.0, 2.0}, {3.0, 4.0}});
    auto h = probe(matmul(tape.zeros({3, 2}), w), "a.h", 0);
    CHECK_THROWS_WITH_AS(inspect::state_jacobians(tape, "a.h"),
                         "state_jacobians: a.h has one time step: expected at least two", ValueError);
    h = probe(matmul(h, w), "a.h", 1);
    CHECK_THROWS_WITH_AS(inspect::state_jacobians(tape, "a.c"),
                         "state_jacobians: no state is called a.c: the tape has a.h", ValueError);
    CHECK_THROWS_WITH_AS(inspect::state_jacobians(tape, "a.h", {.sample = 3}),
                         "state_jacobians: sample is 3, a.h has 3 rows: expected less", IndexError);
    // Another run of the same cell is a series of its own.
    h = probe(matmul(h, w), "a.h", 0);
    CHECK(inspect::state_jacobians(tape, "a.h").step.size() == 1);
    CHECK_THROWS_WITH_AS(inspect::state_jacobians(tape, "a.h (2)"),
                         "state_jacobians: a.h (2) has one time step: expected at least two", ValueError);
    probe(sum(h), "b.h", 0);
    probe(sum(h), "b.h", 1);
    CHECK_THROWS_WITH_AS(inspect::state_jacobians(tape, "b.h"),
                         "state_jacobians: b.h is []: expected a state of shape [B, H]", ShapeError);
    probe(h + h, "c.h", 0);
    probe(concat(std::vector{h, h}, 1), "c.h", 1);
    CHECK_THROWS_WITH_AS(inspect::state_jacobians(tape, "c.h"),
                         "state_jacobians: c.h is [3, 2] at time step 0 and [3, 4] at time step 1: expected one width",
                         ShapeError);
    {
        const NoGrad off;
        for (int t = 0; t < 2; ++t) probe(matmul(h, w), "d.h", t);
    }
    CHECK_THROWS_WITH_AS(inspect::state_jacobians(tape, "d.h"),
                         "state_jacobians: d.h is a constant: expected a forward pass outside of NoGrad, with weights "
                         "or inputs that want a gradient",
                         TapeError);
    for (int t = 0; t < 2; ++t) probe(h * h, "e.h", t), probe(h * h, "e.c", t + 1);
    CHECK_THROWS_WITH_AS(inspect::state_jacobians(tape, "e.h"),
                         "state_jacobians: e.h and e.c are of one cell and have different time steps", ValueError);

    h = probe(matmul(h, w), "f.h", 0);
    probe(h * tape.full({3, 2}, std::numeric_limits<double>::quiet_NaN()), "f.h", 1);
    CHECK_THROWS_WITH_AS(inspect::jacobian_spectrum(tape, "f.h"),
                         "jacobian_spectrum: the Jacobian of f.h from time step 0 to 1 holds NaN or infinity",
                         ValueError);
    CHECK_THROWS_WITH_AS(inspect::norm_bound(Array<double>{{1.0, 2.0}, {3.0, 4.0}}, -1, 3),
                         "norm_bound: gamma is -1: expected a number >= 0", ValueError);
}
