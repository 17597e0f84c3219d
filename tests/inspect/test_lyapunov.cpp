#include <ebb/core/decompositions.hpp>
#include <ebb/core/error.hpp>
#include <ebb/inspect/lyapunov.hpp>

#include <cmath>
#include <limits>
#include <numbers>

#include "support/random_arrays.hpp"
#include <doctest/doctest.h>
#include <xtensor-blas/xlinalg.hpp>

using namespace ebb;

namespace {

std::vector<double> log_moduli(const Array<double>& w) {
    std::vector<double> logs;
    for (const std::complex<double>& value : linalg::eigenvalues(w)) logs.push_back(std::log(std::abs(value)));
    return logs;
}

}  // namespace

TEST_CASE("a linear network: the exponents are the logs of the moduli of W's eigenvalues") {
    test::RandomArrays random(51);
    for (int trial = 0; trial < 5; ++trial) {
        // S diag(..) S^-1, far from normal: one step tells little of the long run.
        const std::size_t H = 2 + random.below(5);
        const Array<double> s = random.array({H, H});
        Array<double> d = Array<double>::from_shape({H, H});
        d.fill(0);
        for (std::size_t i = 0; i < H; ++i)
            d(i, i) = std::pow(0.7, static_cast<double>(i)) * (random.coin() ? 1.2 : -1.2);
        const Array<double> w = xt::linalg::dot(Array<double>(xt::linalg::dot(s, d)), xt::linalg::inv(s));
        const auto spectrum = inspect::lyapunov_spectrum(std::vector<Array<double>>(300, w), {.discard = 200});
        const auto expected = log_moduli(w);
        REQUIRE(spectrum.exponents.size() == H);
        CHECK(spectrum.running.size() == 100);
        for (std::size_t i = 0; i < H; ++i) CHECK(std::abs(spectrum.exponents[i] - expected[i]) < 1e-6);
    }
}

TEST_CASE("a pair of complex eigenvalues: the mean over whole turns") {
    // A turn by pi/6 seen in a skewed plane, times 0.9; and a real eigenvalue 0.5.
    const double angle = std::numbers::pi / 6, c = 0.9 * std::cos(angle), s = 0.9 * std::sin(angle);
    const Array<double> turn{{c, -s, 0}, {s, c, 0}, {0, 0, 0.5}};
    const Array<double> skew{{1, 0.7, 0.2}, {0, 1.5, -0.4}, {0.3, 0, 1}};
    const Array<double> w = xt::linalg::dot(Array<double>(xt::linalg::dot(skew, turn)), xt::linalg::inv(skew));
    const auto spectrum = inspect::lyapunov_spectrum(std::vector<Array<double>>(240, w), {.discard = 120});
    CHECK(std::abs(spectrum.exponents[0] - std::log(0.9)) < 1e-6);
    CHECK(std::abs(spectrum.exponents[1] - std::log(0.9)) < 1e-6);
    CHECK(std::abs(spectrum.exponents[2] - std::log(0.5)) < 1e-6);
    // Within a turn the estimate of one of the pair runs up and down; of both together it does not.
    const auto& early = spectrum.running[2];
    CHECK(std::abs(early[0] - std::log(0.9)) > 1e-3);
    CHECK(early[0] + early[1] == doctest::Approx(2 * std::log(0.9)).epsilon(1e-6));
}

TEST_CASE("the exponents sum to the mean log of |det J|, whatever the Jacobians") {
    test::RandomArrays random(52);
    std::vector<Array<double>> jacobians;
    double logs = 0;
    for (int k = 0; k < 25; ++k) {
        jacobians.push_back(random.array({4, 4}));
        logs += std::log(std::abs(xt::linalg::det(jacobians.back())));
    }
    const auto spectrum = inspect::lyapunov_spectrum(jacobians);
    double sum = 0;
    for (const double exponent : spectrum.exponents) sum += exponent;
    CHECK(sum == doctest::Approx(logs / 25).epsilon(1e-10));
    for (std::size_t i = 1; i < 4; ++i) CHECK(spectrum.exponents[i] <= spectrum.exponents[i - 1]);
}

TEST_CASE("a direction that dies has an exponent of minus infinity") {
    const auto spectrum = inspect::lyapunov_spectrum({Array<double>{{2.0, 0.0}, {0.0, 0.0}}});
    CHECK(spectrum.exponents[0] == std::log(2.0));
    CHECK(spectrum.exponents[1] == -std::numeric_limits<double>::infinity());
}

TEST_CASE("Lyapunov exponents: every error says what was expected") {
    const Array<double> w{{1.0, 2.0}, {3.0, 4.0}};
    CHECK_THROWS_WITH_AS(inspect::lyapunov_spectrum({}),
                         "lyapunov_spectrum: there are 0 Jacobians and 0 to discard: expected more", ValueError);
    CHECK_THROWS_WITH_AS(inspect::lyapunov_spectrum({w, w}, {.discard = 2}),
                         "lyapunov_spectrum: there are 2 Jacobians and 2 to discard: expected more", ValueError);
    CHECK_THROWS_WITH_AS(inspect::lyapunov_spectrum({w, Array<double>{{1.0, 2.0, 3.0}, {3.0, 4.0, 5.0}}}),
                         "lyapunov_spectrum: Jacobian 1 is [2, 3]: expected a square matrix, of the size of the first",
                         ShapeError);
}
