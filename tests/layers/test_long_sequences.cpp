/// Sequences that are longer than memory: checkpoints, and backpropagation cut off in time.

#include <ebb/autograd/checkpoint.hpp>
#include <ebb/autograd/gradcheck.hpp>
#include <ebb/autograd/jacobian.hpp>

#include <algorithm>
#include <cmath>

#include "layers/recurrent_kinds.hpp"
#include <doctest/doctest.h>

using namespace ebb;

namespace {

using V = Variable<double>;
using Vs = std::vector<V>;

constexpr std::size_t B = 2, I = 3, H = 4;

Array<double> step_input(std::size_t t) {
    return random_array({B, I}, static_cast<unsigned>(t % 97));
}

/// The states after the steps from `begin` to `end`.
Vs steps(const AnyCell<double>& cell, Vs state, std::size_t begin, std::size_t end) {
    for (std::size_t t = begin; t < end; ++t) state = cell.step(state[0].tape().constant(step_input(t)), state);
    return state;
}

}  // namespace

TEST_CASE("every cell in segments has the gradients of the whole loop") {
    constexpr std::size_t T = 12, segment = 4;
    for (const std::string kind : recurrent_kinds)
        for (const Granularity granularity : {Granularity::fused, Granularity::elementary}) {
            CAPTURE(kind);
            const AnyCell<double> cell(
                {.kind = kind, .input_size = I, .hidden_size = H, .granularity = granularity, .name = "cell"});
            randomize(cell.parameters);
            std::vector<Array<double>> plain;
            for (const bool checked : {false, true}) {
                for (const auto& named : cell.parameters) Parameter<double>(named.second).zero_grad();
                Tape<double> tape;
                Vs before{tape.variable(random_array({B, H}, 1))};
                if (kind == "lstm") before.push_back(tape.variable(random_array({B, H}, 2)));
                Vs state = before;
                for (std::size_t begin = 0; begin < T; begin += segment)
                    state =
                        checked
                            ? checkpoint([&cell, begin](const Vs& s) { return steps(cell, s, begin, begin + segment); },
                                         state)
                            : steps(cell, state, begin, begin + segment);
                CHECK(state[0].time_step() == T - 1);
                CHECK(state[0].name() == "cell.h");
                V loss = tape.scalar(0);
                for (const V& s : state) loss = loss + sum(s * s);
                tape.backward(loss);
                std::vector<Array<double>> results{loss.value()};
                for (const V& s : before) results.push_back(s.grad());
                for (const auto& named : cell.parameters) results.push_back(named.second.grad());
                if (!checked) {
                    plain = results;
                    continue;
                }
                for (std::size_t k = 0; k < plain.size(); ++k)
                    for (std::size_t e = 0; e < plain[k].size(); ++e)
                        CHECK(results[k].data()[e] == doctest::Approx(plain[k].data()[e]).epsilon(1e-12));
            }
        }
}

TEST_CASE("with segments of sqrt(T) steps, four times as many steps need twice the memory") {
    const AnyCell<double> cell({.kind = "lstm", .input_size = I, .hidden_size = H});
    const auto bytes = [&](std::size_t T) {
        const auto segment = static_cast<std::size_t>(std::sqrt(static_cast<double>(T)));
        Tape<double> tape;
        Vs state{tape.zeros({B, H}), tape.zeros({B, H})};
        std::size_t most = 0;
        for (std::size_t begin = 0; begin < T; begin += segment)
            state = checkpoint(
                [&, begin](const Vs& s) {
                    const Vs result = steps(cell, s, begin, begin + segment);
                    most = std::max(most, tape.bytes_used() + s[0].tape().bytes_used());
                    return result;
                },
                state);
        tape.backward(sum(state[0]));
        return static_cast<double>(most);
    };
    const double small = bytes(400), large = bytes(1600);
    CHECK(large / small > 1.8);
    CHECK(large / small < 2.2);
}

TEST_CASE("truncated backpropagation through 100,000 steps, in the memory of one window") {
    constexpr std::size_t T = 100'000, window = 50;
    const LSTMCell<double> cell({.input_size = 1, .hidden_size = 2});
    Tape<double> tape;
    Array<double> h = Array<double>::from_shape({1, 2}), c = h;
    h.fill(0);
    c.fill(0);
    std::size_t reserved = 0, allocations = 0;
    for (std::size_t begin = 0; begin < T; begin += window) {
        // The state is carried over as an array: the next window does not know where it comes from.
        tape.clear();
        LSTMState<double> state{tape.constant(h), tape.constant(c)};
        V loss = tape.scalar(0);
        for (std::size_t t = begin; t < begin + window; ++t) {
            state = cell(tape.full({1, 1}, std::sin(0.1 * static_cast<double>(t))), state);
            loss = loss + sum(state.h * state.h);
        }
        tape.backward(loss);
        h = state.h.value();
        c = state.c.value();
        if (begin == window) {
            reserved = tape.bytes_reserved();
            allocations = tape.allocations();
        }
    }
    CHECK(tape.bytes_reserved() == reserved);
    CHECK(tape.allocations() == allocations);
    CHECK(tape.size() < 10 * window);  // and not of 2,000 windows
    for (const auto& parameter : cell.parameters())
        for (const double g : parameter.grad()) CHECK(std::isfinite(g));
}

TEST_CASE("a state carried over as an array is a detached one") {
    constexpr std::size_t window = 5;
    const AnyCell<double> cell({.kind = "gru", .input_size = I, .hidden_size = H});
    const auto gradients = [&] {
        std::vector<Array<double>> result;
        for (const auto& named : cell.parameters) {
            result.push_back(named.second.grad());
            Parameter<double>(named.second).zero_grad();
        }
        return result;
    };
    {
        Tape<double> tape;
        Vs state{tape.zeros({B, H})};
        V loss = tape.scalar(0);
        for (const std::size_t begin : {std::size_t{0}, window}) {
            state = steps(cell, {state[0].detach()}, begin, begin + window);
            loss = loss + sum(state[0] * state[0]);
        }
        tape.backward(loss);
    }
    const auto on_one_tape = gradients();
    Tape<double> tape;
    Array<double> carried = tape.zeros({B, H}).value();
    for (const std::size_t begin : {std::size_t{0}, window}) {
        tape.clear();
        const Vs state = steps(cell, {tape.constant(carried)}, begin, begin + window);
        tape.backward(sum(state[0] * state[0]));
        carried = state[0].value();
    }
    const auto window_by_window = gradients();
    for (std::size_t k = 0; k < on_one_tape.size(); ++k)
        for (std::size_t e = 0; e < on_one_tape[k].size(); ++e)
            CHECK(window_by_window[k].data()[e] == doctest::Approx(on_one_tape[k].data()[e]).epsilon(1e-13));
}

TEST_CASE("a gradient with respect to a sequence, recorded, takes memory in proportion to its length") {
    const auto bytes = [](Granularity granularity, std::size_t T) {
        const AnyLayer<double> layer(
            {.kind = "rnn_tanh", .input_size = I, .hidden_size = H, .granularity = granularity});
        Tape<double> tape;
        const V x = tape.variable(random_array({T, B, I}, 1));
        const auto [output, state] = layer.run(x, {});
        const V g = grad(sum(output * output), {x}, {.create_graph = true})[0];
        tape.backward(sum(g * g));
        return static_cast<double>(tape.bytes_used());
    };
    for (const Granularity granularity : {Granularity::fused, Granularity::elementary}) {
        const double ratio = bytes(granularity, 400) / bytes(granularity, 100);
        CHECK(ratio > 3.5);
        CHECK(ratio < 4.5);
    }
}
