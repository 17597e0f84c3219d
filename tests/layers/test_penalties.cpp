#include <ebb/autograd/gradcheck.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/decompositions.hpp>
#include <ebb/core/random.hpp>
#include <ebb/layers/init.hpp>
#include <ebb/layers/penalties.hpp>
#include <ebb/layers/recurrent_layers.hpp>

#include <algorithm>
#include <cmath>

#include <doctest/doctest.h>

using namespace ebb;

namespace {

void check_gradient_of(const CheckedFunction& f, const std::vector<Array<double>>& inputs) {
    const auto report = gradcheck(f, inputs);
    CHECK_MESSAGE(report.passed, report.message);
}

/// The states of a cell over x [T, B, I], from h_0 on.
std::vector<Variable<double>> states_of(const RNNCell<double>& cell, const Variable<double>& x,
                                        const Variable<double>& h0) {
    std::vector<Variable<double>> states{h0};
    for (std::size_t t = 0; t < x.shape()[0]; ++t)
        states.push_back(cell(select(x, 0, static_cast<std::ptrdiff_t>(t)), states.back()));
    return states;
}

}  // namespace

TEST_CASE("activation penalties on paper") {
    Tape<double> tape;
    const auto h = tape.constant(Array<double>{{1, 2}, {3, -1}, {3, 0}});
    CHECK(activation_penalty(h).item() == doctest::Approx((1 + 4 + 9 + 1 + 9) / 6.0));
    CHECK(temporal_activation_penalty(h).item() == doctest::Approx((4 + 9 + 0 + 1) / 4.0));
    check_gradient_of([](const auto& in) { return activation_penalty(in[0]); }, {randn<double>({3, 2})});
    check_gradient_of([](const auto& in) { return temporal_activation_penalty(in[0]); }, {randn<double>({3, 2, 2})});
    CHECK_THROWS_WITH_AS(temporal_activation_penalty(tape.ones({1, 3})),
                         "temporal_activation_penalty: h is [1, 3]: expected [T, ..] with at least two steps",
                         ShapeError);
}

TEST_CASE("the orthogonality penalty is 0 for orthogonal gates, and sum (sigma^2 - 1)^2 for others") {
    manual_seed(1);
    Array<double> weight = randn<double>({8, 4});
    const auto penalty = [](const Array<double>& values) {
        Tape<double> tape;
        return orthogonality_penalty(tape.constant(values)).item();
    };
    double expected = 0;
    for (std::size_t gate = 0; gate < 2; ++gate) {
        Array<double> block = Array<double>::from_shape({4, 4});
        std::copy_n(weight.data() + gate * 16, 16, block.data());
        for (const double sigma : linalg::singular_values(block)) expected += (sigma * sigma - 1) * (sigma * sigma - 1);
    }
    CHECK(penalty(weight) == doctest::Approx(expected).epsilon(1e-12));
    init::per_gate(weight, 2, [](const init::Weight& block) { init::orthogonal(block); });
    CHECK(penalty(weight) < 1e-24);
    check_gradient_of([](const auto& in) { return orthogonality_penalty(in[0]); }, {randn<double>({6, 3})});
}

TEST_CASE("the spectral norm penalty is sigma_1^2 of each gate, with the gradient 2 sigma_1 u v'") {
    manual_seed(2);
    const Array<double> weight = randn<double>({6, 3});
    double expected = 0;
    for (std::size_t gate = 0; gate < 2; ++gate) {
        Array<double> block = Array<double>::from_shape({3, 3});
        std::copy_n(weight.data() + gate * 9, 9, block.data());
        expected += std::pow(linalg::spectral_norm(block), 2);
    }
    Tape<double> tape;
    CHECK(spectral_norm_penalty(tape.constant(weight)).item() == doctest::Approx(expected).epsilon(1e-10));
    CHECK(spectral_norm_penalty(tape.zeros({3, 3})).item() == 0);
    check_gradient_of([](const auto& in) { return spectral_norm_penalty(in[0]); }, {weight});
    CHECK_THROWS_WITH_AS(spectral_norm_penalty(tape.ones({5, 3})),
                         "spectral_norm_penalty: weight is [5, 3]: expected [G H, H]", ShapeError);
    CHECK_THROWS_WITH_AS(orthogonality_penalty(tape.ones({3})),
                         "orthogonality_penalty: weight is [3]: expected [G H, H]", ShapeError);
}

TEST_CASE("Omega is eq. 9 of Pascanu, Mikolov, Bengio 2013, term by term") {
    manual_seed(3);
    const RNNCell<double> cell({.input_size = 2, .hidden_size = 3});
    Tape<double> tape;
    const auto x = tape.constant(randn<double>({4, 2, 2}));
    const auto states = states_of(cell, x, tape.variable(randn<double>({2, 3})));
    const auto loss = sum(square(states.back()));
    const double omega = vanishing_gradient_penalty(loss, states).item();

    // By hand: delta_T = 2 h_T, delta_t = (delta_{t+1} . (1 - h_{t+1}^2)) W.
    double expected = 0;
    for (std::size_t b = 0; b < 2; ++b) {
        std::vector<double> delta(3);
        for (std::size_t j = 0; j < 3; ++j) delta[j] = 2 * states[4].value()(b, j);
        for (std::size_t t = 4; t-- > 0;) {
            std::vector<double> back(3, 0.0);
            double norm = 0, norm_back = 0;
            for (std::size_t i = 0; i < 3; ++i) {
                const double h = states[t + 1].value()(b, i);
                for (std::size_t j = 0; j < 3; ++j) back[j] += delta[i] * (1 - h * h) * cell.weight_hh.value()(i, j);
                norm += delta[i] * delta[i];
            }
            for (const double v : back) norm_back += v * v;
            const double ratio = std::sqrt(norm_back / norm) - 1;
            expected += ratio * ratio / 2;
            delta = back;
        }
    }
    CHECK(omega == doctest::Approx(expected).epsilon(1e-12));
}

TEST_CASE("Omega of a layer by the name of its states is that of the same cell in a loop") {
    manual_seed(5);
    const RNN<double> rnn({.input_size = 2, .hidden_size = 3});
    const Array<double> x = randn<double>({5, 2, 2});
    Tape<double> tape;
    const auto [output, last] = rnn(tape.constant(x));
    const double of_layer = vanishing_gradient_penalty(sum(square(last)), "rnn.h").item();
    tape.clear();
    auto states = states_of(rnn.cell(), tape.constant(x), tape.zeros({2, 3}));
    states.erase(states.begin());
    const double of_loop = vanishing_gradient_penalty(sum(square(states.back())), states).item();
    CHECK(of_layer == doctest::Approx(of_loop).epsilon(1e-12));
    CHECK(of_layer > 0.01);
}

TEST_CASE("along the cell state of an LSTM, Omega is that of its forget gates alone, fused and elementary") {
    manual_seed(6);
    constexpr std::size_t T = 5, B = 2, H = 3;
    const Array<double> x = randn<double>({T, B, 2});
    std::vector<Array<double>> gradients;
    for (const Granularity granularity : {Granularity::fused, Granularity::elementary}) {
        CAPTURE(granularity == Granularity::fused);
        manual_seed(7);
        const LSTM<double> lstm({.input_size = 2, .hidden_size = H, .granularity = granularity});
        Parameter<double> w = lstm.cell().weight_hh;
        const auto forget_gates = [](Tape<double>& tape) {
            std::vector<Array<double>> gates;
            for (NodeIndex k = 0; k < tape.size(); ++k)
                if (tape.node(k).intermediate && tape.node(k).name.text() == "forget_gate")
                    gates.push_back(tape.at(k).value());
            return gates;
        };
        // deltas[t] = dL/dc_t, whose steps let through dc_t/dc_{t-1} = diag(f_t).
        const auto by_hand = [&](const std::vector<Array<double>>& deltas, const std::vector<Array<double>>& gates) {
            double omega = 0;
            for (std::size_t t = 1; t < T; ++t)
                for (std::size_t b = 0; b < B; ++b) {
                    double norm = 0, back = 0;
                    for (std::size_t j = 0; j < H; ++j) {
                        norm += std::pow(deltas[t](b, j), 2);
                        back += std::pow(deltas[t](b, j) * gates[t](b, j), 2);
                    }
                    omega += std::pow(std::sqrt(back / norm) - 1, 2) / B;
                }
            return omega;
        };
        const auto loss_of = [](const auto& result) { return sum(square(result.output)) + sum(result.state.c); };
        std::vector<Array<double>> deltas, gates;
        {
            // An elementary LSTM of its own gives the gates and gradients to count with.
            LSTM<double> other({.input_size = 2, .hidden_size = H, .granularity = Granularity::elementary});
            other.load_state_dict(lstm.state_dict());
            Tape<double> tape;
            tape.backward(loss_of(other(tape.constant(x))));
            gates = forget_gates(tape);
            for (NodeIndex k = 0; k < tape.size(); ++k)
                if (tape.node(k).probe && tape.node(k).name.text() == "lstm.c") deltas.push_back(tape.at(k).grad());
            REQUIRE(gates.size() == T);
            REQUIRE(deltas.size() == T);
        }
        Tape<double> tape;
        const auto omega = vanishing_gradient_penalty(loss_of(lstm(tape.constant(x))), "lstm.c");
        const double expected = by_hand(deltas, gates);
        CHECK(expected > 0.1);
        CHECK(omega.item() == doctest::Approx(expected).epsilon(1e-12));

        // Its gradient is by the gates: the deltas are constants.
        tape.backward(omega);
        for (const std::size_t k : {std::size_t{0}, std::size_t{10}, std::size_t{20}, std::size_t{35}}) {
            const auto at = [&](double step) {
                double& place = w.mutable_value().data()[k];
                const double before = place;
                place += step;
                LSTM<double> moved({.input_size = 2, .hidden_size = H, .granularity = Granularity::elementary});
                moved.load_state_dict(lstm.state_dict());
                place = before;
                Tape<double> other;
                moved(other.constant(x));
                return by_hand(deltas, forget_gates(other));
            };
            CHECK(w.grad().data()[k] == doctest::Approx((at(1e-5) - at(-1e-5)) / 2e-5).epsilon(1e-6));
        }
        gradients.push_back(w.grad());
    }
    double largest = 0;
    for (std::size_t k = 0; k < gradients[0].size(); ++k) {
        CHECK(gradients[0].data()[k] == doctest::Approx(gradients[1].data()[k]).epsilon(1e-9));
        largest = std::max(largest, std::abs(gradients[0].data()[k]));
    }
    CHECK(largest > 1e-3);
}

TEST_CASE("Omega does not count the steps of a sequence into which no gradient comes") {
    manual_seed(8);
    const RNNCell<double> cell({.input_size = 2, .hidden_size = 3});
    const Array<double> x = randn<double>({4, 2, 2}), h0 = randn<double>({2, 3});
    Tape<double> tape;
    const auto all = tape.constant(x), start = tape.constant(h0);
    // The loss looks at the first sequence after step 4, at the second after step 2.
    const auto states = states_of(cell, all, start + tape.variable(Array<double>(0.0 * h0)));
    const auto loss = sum(square(slice(states[4], 0, 0, 1))) + sum(square(slice(states[2], 0, 1, 2)));
    const double omega = vanishing_gradient_penalty(loss, states).item();
    const auto alone = [&](std::ptrdiff_t b, std::ptrdiff_t steps) {
        const auto own = states_of(cell, slice(slice(all, 1, b, b + 1), 0, 0, steps),
                                   slice(start, 0, b, b + 1) + tape.variable(Array<double>{{0, 0, 0}}));
        return vanishing_gradient_penalty(sum(square(own.back())), own).item();
    };
    CHECK(omega == doctest::Approx((alone(0, 4) + alone(1, 2)) / 2).epsilon(1e-12));
}

TEST_CASE("Omega is 0 where each step is orthogonal, and following its gradient brings it down") {
    manual_seed(4);
    RNNCell<double> cell({.input_size = 2, .hidden_size = 3, .nonlinearity = Nonlinearity::relu});
    // Positive states, so that relu lets everything through, and a permutation: J = W is orthogonal.
    init::constant(cell.bias_ih, 1);
    init::constant(cell.bias_hh, 0);
    cell.weight_hh.set_value({{0, 1, 0}, {0, 0, 1}, {1, 0, 0}});
    const auto omega_of = [&](Tape<double>& tape) {
        const auto states = states_of(cell, tape.constant(Array<double>(rand<double>({4, 2, 2}) * 0.1)),
                                      tape.full({2, 3}, 5) + tape.variable(Array<double>(rand<double>({2, 3}))));
        return vanishing_gradient_penalty(sum(square(states.back())), states);
    };
    {
        Tape<double> tape;
        CHECK(omega_of(tape).item() < 1e-24);
    }
    cell.weight_hh.set_value({{0, 0.5, 0}, {0, 0, 0.5}, {0.5, 0, 0}});
    double before = 0;
    for (int step = 0; step < 60; ++step) {
        Tape<double> tape;
        const auto omega = omega_of(tape);
        // Each of 4 steps halves the gradient: 4 (1/2 - 1)^2.
        if (step == 0) CHECK(omega.item() == doctest::Approx(1).epsilon(1e-10));
        if (step == 0) before = omega.item();
        cell.zero_grad();
        tape.backward(omega);
        for (std::size_t k = 0; k < 9; ++k)
            cell.weight_hh.mutable_value().data()[k] -= 0.02 * cell.weight_hh.grad().data()[k];
    }
    Tape<double> tape;
    CHECK(omega_of(tape).item() < 0.01 * before);
}

TEST_CASE("wrong uses of Omega say what is wrong") {
    Tape<double> tape;
    const auto h = tape.variable(Array<double>{{1, 2}});
    CHECK_THROWS_WITH_AS(vanishing_gradient_penalty(sum(h), {h}),
                         "vanishing_gradient_penalty: there are 1 states: expected at least two", ValueError);
    CHECK_THROWS_WITH_AS(
        vanishing_gradient_penalty(sum(h), "rnn.h"),
        "vanishing_gradient_penalty: the tape has 0 states that are called rnn.h: expected at least two", ValueError);
    const RNN<double> rnn({.input_size = 1, .hidden_size = 2});
    const auto x = tape.ones({3, 1, 1});
    CHECK_THROWS_WITH_AS(vanishing_gradient_penalty(sum(rnn(x).output + rnn(x).output), "rnn.h"),
                         "vanishing_gradient_penalty: rnn.h of time step 0 follows that of time step 2: expected the "
                         "states of one sequence on the tape",
                         ValueError);
    CHECK_THROWS_WITH_AS(vanishing_gradient_penalty(sum(h), {h, tape.ones({2, 2})}),
                         "vanishing_gradient_penalty: state 1 is [2, 2]: expected [B, H], as state 0, [1, 2]",
                         ShapeError);
}
