#include <ebb/autograd/grad_mode.hpp>
#include <ebb/inspect/jacobians.hpp>

#include <algorithm>
#include <cmath>
#include <functional>

#include "integration/inspected_cells.hpp"
#include "support/xtensor.hpp"
#include <doctest/doctest.h>
#include <xtensor-blas/xlinalg.hpp>

using namespace ebb;
using namespace inspected;

namespace {

/// ds_{k+1}/ds_k by central differences of one step of the cell, for one sequence of the batch.
Array<double> difference_jacobian(const Cell& cell, const Array<double>& x, const std::vector<Array<double>>& before,
                                  std::size_t sample) {
    const std::size_t H = before[0].shape(1), n = before.size() * H;
    Array<double> jacobian = Array<double>::from_shape({n, n});
    constexpr double step = 1e-6;
    for (std::size_t j = 0; j < n; ++j) {
        std::vector<double> sides[2];
        for (const int side : {0, 1}) {
            std::vector<Array<double>> moved = before;
            moved[j / H](sample, j % H) += side == 0 ? step : -step;
            Tape<double> tape;
            const NoGrad off;
            States<double> states;
            for (const Array<double>& state : moved) states.push_back(tape.constant(state));
            for (const Variable<double>& after : cell.step(tape.constant(x), states))
                for (std::size_t i = 0; i < H; ++i) sides[side].push_back(after.value()(sample, i));
        }
        for (std::size_t i = 0; i < n; ++i) jacobian(i, j) = (sides[0][i] - sides[1][i]) / (2 * step);
    }
    return jacobian;
}

double largest_difference(const Array<double>& a, const Array<double>& b) {
    REQUIRE(a.size() == b.size());
    double largest = 0, scale = 0;
    for (std::size_t k = 0; k < a.size(); ++k) {
        largest = std::max(largest, std::abs(a.data()[k] - b.data()[k]));
        scale = std::max(scale, std::abs(b.data()[k]));
    }
    return largest / scale;
}

Array<double> block_of(const Array<double>& a, std::size_t first_row, std::size_t first_column, std::size_t size) {
    Array<double> block = Array<double>::from_shape({size, size});
    for (std::size_t i = 0; i < size; ++i)
        for (std::size_t j = 0; j < size; ++j) block(i, j) = a(first_row + i, first_column + j);
    return block;
}

void check_singular_values(const std::vector<double>& found, const Array<double>& matrix) {
    const auto svd = xt::linalg::svd(matrix, false, false);
    const Array<double> expected = std::get<1>(svd);
    REQUIRE(found.size() == expected.size());
    for (std::size_t i = 0; i < found.size(); ++i)
        CHECK(std::abs(found[i] - expected.data()[i]) <= 1e-8 * expected.data()[0]);
}

double largest_modulus(const Array<double>& matrix) {
    double radius = 0;
    for (const auto& value : xt::linalg::eigvals(matrix)) radius = std::max(radius, std::abs(value));
    return radius;
}

void check_radius(const inspect::Spectrum& spectrum, const Array<double>& matrix) {
    CHECK(std::abs(spectrum.radius - largest_modulus(matrix)) <= 1e-8 * spectrum.norm());
}

/// By ||J|| ||J^-1||; where it is so large that it says little, only that it is large.
void check_condition(const inspect::Spectrum& spectrum, const Array<double>& matrix) {
    const double expected = xt::linalg::norm(matrix, 2) * xt::linalg::norm(xt::linalg::inv(matrix), 2);
    if (expected < 1e6)
        CHECK(std::abs(spectrum.condition() - expected) <= 1e-8 * expected);
    else
        CHECK(spectrum.condition() > 1e5);
}

}  // namespace

TEST_CASE("the Jacobian of a step is what finite differences of the cell say") {
    test::RandomArrays random(31);
    for (const char* kind : kinds)
        for (const Granularity granularity : {Granularity::fused, Granularity::elementary})
            for (int trial = 0; trial < 3; ++trial) {
                const Sizes sizes = random_sizes(random);
                CAPTURE(kind);
                CAPTURE(trial);
                const Cell cell = cell_of(kind, sizes, granularity);
                const Given given = random_given(kind, sizes, random);
                Tape<double> tape;
                const auto states = unrolled(tape, cell, given);
                const std::size_t sample = random.below(sizes.B);
                const auto jacobians = inspect::state_jacobians(tape, "cell.h", {.sample = sample});
                REQUIRE(jacobians.step.size() == sizes.T - 1);
                CHECK(jacobians.parts.size() == state_count(kind));
                for (std::size_t k = 0; k + 1 < sizes.T; ++k) {
                    std::vector<Array<double>> before;
                    for (const Variable<double>& state : states[k]) before.emplace_back(state.value());
                    const Array<double> expected = difference_jacobian(cell, given.x[k + 1], before, sample);
                    CHECK(largest_difference(jacobians.step[k], expected) < 1e-6);
                }
            }
}

TEST_CASE("the spectra are those of the Jacobians, and products those of dh_T/dh_t from the whole tape") {
    test::RandomArrays random(32);
    for (const char* kind : kinds)
        for (int trial = 0; trial < 3; ++trial) {
            const Sizes sizes = random_sizes(random);
            CAPTURE(kind);
            CAPTURE(trial);
            const Cell cell = cell_of(kind, sizes);
            const Given given = random_given(kind, sizes, random);
            Tape<double> tape;
            const auto states = unrolled(tape, cell, given);
            const std::size_t sample = random.below(sizes.B), H = sizes.H;
            const auto jacobians = inspect::state_jacobians(tape, "cell.h", {.sample = sample});
            const auto spectrum = inspect::jacobian_spectrum(tape, "cell.h", {.sample = sample});
            REQUIRE(spectrum.step.size() == sizes.T - 1);
            REQUIRE(spectrum.product.size() == sizes.T);
            for (std::size_t k = 0; k + 1 < sizes.T; ++k) {
                const Array<double> block = block_of(jacobians.step[k], 0, 0, H);
                check_singular_values(spectrum.step[k].singular_values, block);
                check_radius(spectrum.step[k], block);
                check_condition(spectrum.step[k], block);

                // dh_{T-1}/dh_k row by row, by backpropagation through the whole tape.
                Array<double> product = Array<double>::from_shape({H, H});
                for (std::size_t i = 0; i < H; ++i) {
                    Array<double> seed = Array<double>::from_shape({sizes.B, H});
                    seed.fill(0);
                    seed(sample, i) = 1;
                    const auto y = sum(states.back()[0] * tape.constant(seed));
                    const auto row = grad(y, {states[k][0]});
                    for (std::size_t j = 0; j < H; ++j) product(i, j) = row[0].value()(sample, j);
                }
                check_singular_values(spectrum.product[k].singular_values, product);
                check_radius(spectrum.product[k], product);
                check_condition(spectrum.product[k], product);
            }
            CHECK(spectrum.product.back().norm() == 1);
        }
}

TEST_CASE("of the whole state: products, and the volumes that the Lyapunov exponents stand for") {
    test::RandomArrays random(36);
    for (const char* kind : kinds)
        for (int trial = 0; trial < 3; ++trial) {
            const Sizes sizes = random_sizes(random);
            CAPTURE(kind);
            CAPTURE(trial);
            const Cell cell = cell_of(kind, sizes);
            Tape<double> tape;
            unrolled(tape, cell, random_given(kind, sizes, random));
            const std::size_t sample = random.below(sizes.B), n = state_count(kind) * sizes.H;
            const auto jacobians = inspect::state_jacobians(tape, "cell.h", {.sample = sample});
            const auto spectrum = inspect::jacobian_spectrum(tape, "cell.h", {.sample = sample, .joint = true});
            REQUIRE(spectrum.size == n);
            for (std::size_t k = 0; k < sizes.T; ++k) {
                Array<double> product = xt::eye<double>(n);
                for (std::size_t later = k; later + 1 < sizes.T; ++later)
                    product = xt::linalg::dot(jacobians.step[later], product);
                check_singular_values(spectrum.product[k].singular_values, product);
                check_radius(spectrum.product[k], product);
            }
            // The first i exponents, times the steps, are ln of what becomes of the volume of a unit cube of i sides:
            // the root of the determinant of P'P, P the first i columns of the product so far.
            REQUIRE(spectrum.lyapunov.running.size() == sizes.T - 1);
            Array<double> product = xt::eye<double>(n);
            for (std::size_t k = 0; k + 1 < sizes.T; ++k) {
                product = xt::linalg::dot(jacobians.step[k], product);
                const std::vector<double>& running = spectrum.lyapunov.running[k];
                double sum = 0;
                for (std::size_t i = 1; i <= n; ++i) {
                    sum += running[i - 1] * static_cast<double>(k + 1);
                    const Array<double> sides = xt::view(product, xt::all(), xt::range(std::size_t{0}, i));
                    const Array<double> turned = xt::transpose(sides);
                    const Array<double> gram = xt::linalg::dot(turned, sides);
                    const double volume = std::sqrt(xt::linalg::det(gram));
                    if (volume < 1e-4) break;  // what cancels in a determinant
                    CHECK(std::abs(sum - std::log(volume)) <= 1e-8);
                }
            }
            std::vector<double> last = spectrum.lyapunov.running.back();
            std::sort(last.begin(), last.end(), std::greater<>());
            CHECK(spectrum.lyapunov.exponents == last);
        }
}

TEST_CASE("a tanh cell never exceeds the bound of its weights") {
    test::RandomArrays random(37);
    for (int trial = 0; trial < 5; ++trial) {
        const Sizes sizes = random_sizes(random);
        const Cell cell = cell_of("rnn_tanh", sizes);
        Tape<double> tape;
        unrolled(tape, cell, random_given("rnn_tanh", sizes, random));
        const Array<double>& w = cell.parameters.at(1).second.value();
        const auto spectrum = inspect::jacobian_spectrum(tape, "cell.h");
        const auto bound = inspect::norm_bound(w, 1, sizes.T);
        for (std::size_t k = 0; k < sizes.T; ++k) {
            const double expected = std::pow(xt::linalg::norm(w, 2), static_cast<double>(sizes.T - 1 - k));
            CHECK(std::abs(bound[k] - expected) <= 1e-8 * expected);
            CHECK(spectrum.product[k].norm() <= bound[k] * (1 + 1e-12));
        }
    }
}

TEST_CASE("of an LSTM: the block of c is the forget gate, the joint spectrum has 2 H values") {
    test::RandomArrays random(33);
    const Sizes sizes{5, 2, 3, 4};
    const Cell cell = cell_of("lstm", sizes);
    Tape<double> tape;
    const auto states = unrolled(tape, cell, random_given("lstm", sizes, random));
    const auto jacobians = inspect::state_jacobians(tape, "cell.c", {.sample = 1});
    CHECK(jacobians.parts.at(0).name == "cell.c");
    CHECK(jacobians.parts.at(1).name == "cell.h");
    for (std::size_t k = 0; k + 1 < sizes.T; ++k) {
        const Node<double>& node = states[k + 1][0].node();
        for (const auto& gate : node.operation->intermediates(tape, node)) {
            if (gate.name != "forget_gate") continue;
            for (std::size_t i = 0; i < sizes.H; ++i)
                for (std::size_t j = 0; j < sizes.H; ++j)
                    CHECK(jacobians.step[k](i, j) ==
                          doctest::Approx(i == j ? gate.data[gate.stride + i] : 0).epsilon(1e-12));
        }
    }
    const auto joint = inspect::jacobian_spectrum(tape, "cell.h", {.sample = 1, .joint = true});
    CHECK(joint.state == "cell.h, cell.c");
    CHECK(joint.size == 8);
    CHECK(joint.step[0].singular_values.size() == 8);
    CHECK(joint.lyapunov.exponents.size() == 8);
    const auto part = inspect::jacobian_spectrum(tape, "cell.h", {.sample = 1});
    CHECK(part.lyapunov.exponents == joint.lyapunov.exponents);
    // The order of the parts does not matter to the whole.
    for (std::size_t i = 0; i < 8; ++i)
        CHECK(inspect::jacobian_spectrum(tape, "cell.c", {.sample = 1, .joint = true}).step[0].singular_values[i] ==
              doctest::Approx(joint.step[0].singular_values[i]).epsilon(1e-10));
}

TEST_CASE("Jacobians change no gradient, and come the same before and after a backward pass") {
    test::RandomArrays random(34);
    for (const char* kind : kinds) {
        CAPTURE(kind);
        const Sizes sizes{4, 2, 3, 3};
        const Cell cell = cell_of(kind, sizes);
        const Given given = random_given(kind, sizes, random);
        std::vector<std::vector<double>> gradients[2];
        std::vector<double> singular_values[2];
        for (const bool looked : {false, true}) {
            Tape<double> tape;
            for (auto [name, parameter] : cell.parameters) parameter.zero_grad();
            const auto states = unrolled(tape, cell, given);
            if (looked) singular_values[0] = inspect::jacobian_spectrum(tape, "cell.h").product.front().singular_values;
            tape.backward(sum(states.back()[0] * states.back()[0]));
            if (looked) singular_values[1] = inspect::jacobian_spectrum(tape, "cell.h").product.front().singular_values;
            for (const auto& named : cell.parameters)
                gradients[looked].emplace_back(named.second.grad().begin(), named.second.grad().end());
            for (const auto& state : states)
                gradients[looked].emplace_back(state[0].grad().begin(), state[0].grad().end());
        }
        CHECK(gradients[0] == gradients[1]);
        CHECK(singular_values[0] == singular_values[1]);
    }
}

TEST_CASE("sequences of different lengths, in both directions: each has the Jacobians that it has alone") {
    test::RandomArrays random(35);
    LSTM<double> lstm({.input_size = 2, .hidden_size = 3, .bidirectional = true});
    const Array<double> x = random.array({5, 3, 2});
    // By falling length: 5, 4, 2.
    const std::vector<std::size_t> lengths{5, 4, 2};
    Tape<double> tape;
    lstm(tape.constant(x), {}, {.lengths = lengths});
    for (const char* state : {"lstm.h", "lstm.reverse.h"})
        for (std::size_t b = 0; b < 3; ++b) {
            Array<double> own = Array<double>::from_shape({lengths[b], std::size_t{1}, std::size_t{2}});
            for (std::size_t t = 0; t < lengths[b]; ++t)
                for (std::size_t i = 0; i < 2; ++i) own(t, 0, i) = x(t, b, i);
            Tape<double> alone;
            lstm(alone.constant(own));
            const auto expected = inspect::state_jacobians(alone, state);
            const auto found = inspect::state_jacobians(tape, state, {.sample = b});
            CHECK(found.time_step == expected.time_step);
            REQUIRE(found.step.size() == expected.step.size());
            for (std::size_t k = 0; k < found.step.size(); ++k)
                CHECK(largest_difference(found.step[k], expected.step[k]) < 1e-12);
        }
    CHECK_THROWS_WITH_AS(inspect::state_jacobians(tape, "lstm.h", {.sample = 3}),
                         "state_jacobians: sample is 3, lstm.h has 3 rows: expected less", IndexError);
}
