#pragma once
/// Ebb's cells and a user's own, unrolled step by step with their states in hand, for measures to be checked on.

#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/probe.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/array.hpp>

#include <array>
#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "layers/recurrent_kinds.hpp"
#include "support/random_arrays.hpp"

namespace inspected {

using ebb::Array;
using ebb::Tape;
using ebb::Variable;

inline constexpr std::array kinds{"rnn_tanh", "lstm", "gru", "own"};

struct Sizes {
    std::size_t T, B, I, H;
};

inline Sizes random_sizes(ebb::test::RandomArrays& random) {
    return {3 + random.below(4), 1 + random.below(3), 1 + random.below(4), 2 + random.below(4)};
}

/// A cell as a function of x_t and of the states before: h; h and c of an LSTM.
struct Cell {
    std::function<States<double>(const Variable<double>& x, const States<double>& before)> step;
    std::vector<std::pair<std::string, ebb::Parameter<double>>> parameters;
};

/// A leaky unit of a user's own: h_t = (1 - a) h_{t-1} + a tanh(x U + h_{t-1} W), a = sigmoid(x V).
inline Cell own_cell(const Sizes& sizes, bool probed) {
    ebb::Parameter<double> u("u", random_array<double>({sizes.I, sizes.H}, 1)),
        w("weight_hh", random_array<double>({sizes.H, sizes.H}, 2)),
        v("v", random_array<double>({sizes.I, sizes.H}, 3));
    Cell cell;
    cell.parameters = {{"u", u}, {"weight_hh", w}, {"v", v}};
    cell.step = [=](const Variable<double>& x, const States<double>& before) -> States<double> {
        const Variable<double>& h = before.at(0);
        const Variable<double> a = sigmoid(matmul(x, v));
        const Variable<double> h_t = (1 - a) * h + a * tanh(matmul(x, u) + matmul(h, w));
        if (probed) probe(h_t, "cell.h", h.time_step() + 1);
        return {h_t};
    };
    return cell;
}

inline Cell cell_of(const std::string& kind, const Sizes& sizes,
                    ebb::Granularity granularity = ebb::Granularity::fused) {
    if (kind == "own") return own_cell(sizes, true);
    const AnyCell<double> cell(
        {.kind = kind, .input_size = sizes.I, .hidden_size = sizes.H, .granularity = granularity, .name = "cell"});
    randomize(cell.parameters);
    return {cell.step, cell.parameters};
}

inline std::size_t state_count(const std::string& kind) {
    return kind == "lstm" ? 2 : 1;
}

/// Values of x_0, ..., x_{T-1} and of the first states.
struct Given {
    std::vector<Array<double>> x;
    std::vector<Array<double>> states;
};

inline Given random_given(const std::string& kind, const Sizes& sizes, ebb::test::RandomArrays& random) {
    Given given;
    for (std::size_t t = 0; t < sizes.T; ++t) given.x.push_back(random.array({sizes.B, sizes.I}));
    for (std::size_t k = 0; k < state_count(kind); ++k) given.states.push_back(random.array({sizes.B, sizes.H}));
    return given;
}

/// The states after each of the T steps.
inline std::vector<States<double>> unrolled(Tape<double>& tape, const Cell& cell, const Given& given,
                                            std::size_t first = 0) {
    States<double> states;
    for (const Array<double>& state : given.states) states.push_back(tape.constant(state));
    std::vector<States<double>> all;
    for (std::size_t t = first; t < given.x.size(); ++t)
        all.push_back(states = cell.step(tape.constant(given.x[t]), states));
    return all;
}

/// <c_t, h_t>, a loss at each step.
inline std::vector<Variable<double>> losses_of(Tape<double>& tape, const std::vector<States<double>>& states,
                                               const std::vector<Array<double>>& weights) {
    std::vector<Variable<double>> losses;
    for (std::size_t t = 0; t < states.size(); ++t) losses.push_back(sum(states[t][0] * tape.constant(weights[t])));
    return losses;
}

inline double norm(const double* a, std::size_t size) {
    long double sum = 0;
    for (std::size_t k = 0; k < size; ++k) sum += static_cast<long double>(a[k]) * a[k];
    return static_cast<double>(std::sqrt(sum));
}

}  // namespace inspected
