/// Derivatives between the states of a recurrent network: many rows in one sweep, first and second order.

#include <ebb/autograd/gradcheck.hpp>
#include <ebb/autograd/jacobian.hpp>
#include <ebb/autograd/vjp_rows.hpp>

#include <cmath>

#include "layers/recurrent_kinds.hpp"
#include <doctest/doctest.h>

using namespace ebb;

namespace {

constexpr std::size_t T = 4, B = 2, I = 3, H = 5;

/// The states on a tape, by time.
std::vector<Variable<double>> probes(Tape<double>& tape) {
    std::vector<Variable<double>> result;
    for (NodeIndex index = 0; index < tape.size(); ++index) {
        if (tape.node(index).probe) result.push_back(tape.at(index));
    }
    return result;
}

void check_equal(const Array<double>& got, const double* expected, const std::string& what) {
    CAPTURE(what);
    for (std::size_t k = 0; k < got.size(); ++k)
        CHECK(got.data()[k] == doctest::Approx(expected[k]).epsilon(1e-11).scale(1e-2));
}

}  // namespace

TEST_CASE("vjp_rows through every layer is backward, row by row") {
    for (const std::string kind : recurrent_kinds)
        for (const Granularity granularity : {Granularity::fused, Granularity::elementary})
            for (const bool bias : {true, false}) {
                CAPTURE(kind);
                CAPTURE(bias);
                const AnyLayer<double> layer(
                    {.kind = kind, .input_size = I, .hidden_size = H, .bias = bias, .granularity = granularity});
                randomize(layer.parameters);
                Tape<double> tape;
                const auto x = tape.variable(random_array({T, B, I}, 1));
                States<double> before{tape.variable(random_array({1, B, H}, 2))};
                if (kind == "lstm") before.push_back(tape.variable(random_array({1, B, H}, 3)));
                const auto [output, after] = layer.run(x, before);
                // Two roots: the whole output, and the last states.
                const auto y = sum(output * output);
                const Variable<double> z = after.back();
                std::vector<Variable<double>> targets{x};
                targets.insert(targets.end(), before.begin(), before.end());
                for (const auto& state : probes(tape)) targets.push_back(state);
                REQUIRE(targets.size() >= T + 2);
                for (const auto& named : layer.parameters) targets.push_back(tape.use(named.second));

                constexpr std::size_t K = 3;
                const Array<double> seed_y = random_array({K}, 4), seed_z = random_array({K, 1, B, H}, 5);
                const auto rows = vjp_rows<double>({y, z}, {seed_y, seed_z}, targets);
                for (std::size_t k = 0; k < K; ++k) {
                    for (const auto& target : targets) target.zero_grad();
                    for (const auto& named : layer.parameters) Parameter<double>(named.second).zero_grad();
                    Array<double> seed = random_array({1, B, H}, 5);
                    std::copy_n(seed_z.data() + k * B * H, B * H, seed.data());
                    tape.backward(y * seed_y(k) + sum(z * tape.constant(seed)), {.retain_graph = true});
                    for (std::size_t i = 0; i < targets.size(); ++i) {
                        const Variable<double>& target = targets[i];
                        Array<double> got = target.value();
                        std::copy_n(rows[i].data() + k * got.size(), got.size(), got.data());
                        check_equal(got, tape.kept_gradient(target.node()), target.name());
                    }
                }
            }
}

TEST_CASE("the Jacobian of one step of an RNN is diag(1 - h^2) W") {
    for (const Granularity granularity : {Granularity::fused, Granularity::elementary}) {
        const RNNCell<double> cell({.input_size = I, .hidden_size = H, .granularity = granularity});
        Tape<double> tape;
        const auto h0 = tape.variable(random_array({1, H}, 1));
        const auto h1 = cell(tape.constant(random_array({1, I}, 2)), h0);
        const auto h2 = cell(tape.constant(random_array({1, I}, 3)), h1);
        const Array<double> J = vjp_rows<double>({h2}, {identity_rows(h2)}, {h1})[0];
        const Array<double>& W = cell.named_parameters().at(1).second.value();
        REQUIRE(Shape::of(W.shape()) == Shape{H, H});
        for (std::size_t i = 0; i < H; ++i)
            for (std::size_t j = 0; j < H; ++j)
                CHECK(J(i, 0, j) == doctest::Approx((1 - h2.value()(0, i) * h2.value()(0, i)) * W(i, j)));
        // And over two steps the product of both.
        const Array<double> J1 = jacobian(h1, h0).value(), both = jacobian(h2, h0).value();
        for (std::size_t i = 0; i < H; ++i)
            for (std::size_t j = 0; j < H; ++j) {
                double expected = 0;
                for (std::size_t k = 0; k < H; ++k) expected += J(i, 0, k) * J1(0, k, 0, j);
                CHECK(both(0, i, 0, j) == doctest::Approx(expected));
            }
    }
}

TEST_CASE("the step Jacobian of an LSTM's state, held: dc_t/dc_{t-1} is diag(f_t) plus nothing") {
    for (const Granularity granularity : {Granularity::fused, Granularity::elementary}) {
        const LSTMCell<double> cell({.input_size = I, .hidden_size = H, .granularity = granularity});
        Tape<double> tape;
        const auto x = tape.constant(random_array({1, I}, 2));
        const LSTMState<double> s0{tape.variable(random_array({1, H}, 1)), tape.variable(random_array({1, H}, 4))};
        const auto s1 = cell(x, s0);
        const auto s2 = cell(x, s1);
        const auto held = vjp_rows<double>({s2.c}, {identity_rows(s2.c)}, {s1.h, s1.c}, {.hold_targets = true});
        const auto total = vjp_rows<double>({s2.c}, {identity_rows(s2.c)}, {s1.h, s1.c});
        // f_t from the step again, by hand.
        const auto& p = cell.named_parameters();
        const Array<double>&W = p.at(0).second.value(), &U = p.at(1).second.value(), &b = p.at(2).second.value(),
              &d = p.at(3).second.value();
        for (std::size_t i = 0; i < H; ++i) {
            double a = b(H + i) + d(H + i);
            for (std::size_t j = 0; j < I; ++j) a += W(H + i, j) * x.value()(0, j);
            for (std::size_t j = 0; j < H; ++j) a += U(H + i, j) * s1.h.value()(0, j);
            const double f = 1 / (1 + std::exp(-a));
            for (std::size_t j = 0; j < H; ++j) {
                CHECK(held[1](i, 0, j) == doctest::Approx(i == j ? f : 0).scale(1));
                CHECK(held[0](i, 0, j) == total[0](i, 0, j));
            }
            CHECK(std::abs(total[1](i, 0, i) - f) > 1e-6);  // the total one has more
        }
    }
}
