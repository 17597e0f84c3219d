#pragma once
/// Recurrent networks as their equations stand in the papers, number by number, without a tape: what the measurements
/// are held to. Slow, and short enough to be seen to be right.

#include <ebb/core/array.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace slow {

using Vector = std::vector<double>;
using Matrix = std::vector<Vector>;    // [rows][columns]
using Sequence = std::vector<Matrix>;  // [T][B][features]

inline Vector vector_of(const ebb::Array<double>& a) {
    return {a.begin(), a.end()};
}

inline Matrix matrix_of(const ebb::Array<double>& a) {
    Matrix result;
    for (std::size_t r = 0; r < a.shape(0); ++r)
        result.emplace_back(a.data() + r * a.shape(1), a.data() + (r + 1) * a.shape(1));
    return result;
}

inline Sequence sequence_of(const ebb::Array<double>& a) {
    Sequence result(a.shape(0));
    for (std::size_t t = 0; t < a.shape(0); ++t)
        for (std::size_t b = 0; b < a.shape(1); ++b) {
            const double* const row = a.data() + (t * a.shape(1) + b) * a.shape(2);
            result[t].emplace_back(row, row + a.shape(2));
        }
    return result;
}

/// Weights in PyTorch's layout: gates i f g o of an LSTM, r z n of a GRU, one below the other.
struct Weights {
    Matrix weight_ih, weight_hh;  // [G H][I], [G H][H]
    Vector bias_ih, bias_hh;      // [G H]
};

/// A small change of one number somewhere in the computation, for difference quotients.
struct Nudge {
    enum class Of { nothing, h, c, weight_ih, weight_hh, bias_ih, bias_hh } of = Of::nothing;
    std::size_t t = 0;  // in this time step only
    std::size_t row = 0, column = 0;
    double by = 0;
};

/// What came out: the states of each step, and its gates by name.
struct States {
    Sequence h, c;  // [T][B][H]
    std::map<std::string, Sequence> gates;
};

inline double sigmoid(double a) {
    return 1 / (1 + std::exp(-a));
}

/// From states of zeros. `kind` is rnn_tanh, rnn_relu, lstm or gru.
inline States run(const std::string& kind, const Weights& weights, const Sequence& x, const Nudge& nudge = {}) {
    using Of = Nudge::Of;
    const std::size_t T = x.size(), B = x[0].size(), I = x[0][0].size(), H = weights.weight_hh[0].size();
    States states{Sequence(T, Matrix(B, Vector(H))), Sequence(T, Matrix(B, Vector(H))), {}};
    const auto gate = [&](const char* name) -> Sequence& {
        return states.gates.try_emplace(name, Sequence(T, Matrix(B, Vector(H)))).first->second;
    };
    for (std::size_t t = 0; t < T; ++t) {
        Weights w = weights;
        if (nudge.t == t) {
            if (nudge.of == Of::weight_ih) w.weight_ih[nudge.row][nudge.column] += nudge.by;
            if (nudge.of == Of::weight_hh) w.weight_hh[nudge.row][nudge.column] += nudge.by;
            if (nudge.of == Of::bias_ih) w.bias_ih[nudge.row] += nudge.by;
            if (nudge.of == Of::bias_hh) w.bias_hh[nudge.row] += nudge.by;
        }
        for (std::size_t b = 0; b < B; ++b) {
            const Vector h_before = t ? states.h[t - 1][b] : Vector(H, 0),
                         c_before = t ? states.c[t - 1][b] : Vector(H, 0);
            for (std::size_t j = 0; j < H; ++j) {
                const auto from_x = [&](std::size_t k) {  // row k H + j of W_ih x + b_ih
                    double a = w.bias_ih[k * H + j];
                    for (std::size_t i = 0; i < I; ++i) a += w.weight_ih[k * H + j][i] * x[t][b][i];
                    return a;
                };
                const auto from_h = [&](std::size_t k) {  // row k H + j of W_hh h + b_hh
                    double a = w.bias_hh[k * H + j];
                    for (std::size_t i = 0; i < H; ++i) a += w.weight_hh[k * H + j][i] * h_before[i];
                    return a;
                };
                const auto nudged = [&](Of of) {
                    return nudge.of == of && nudge.t == t && nudge.row == b && nudge.column == j ? nudge.by : 0;
                };
                double& h = states.h[t][b][j];
                double& c = states.c[t][b][j];
                if (kind == "rnn_tanh") h = std::tanh(from_x(0) + from_h(0));
                if (kind == "rnn_relu") h = std::max(from_x(0) + from_h(0), 0.0);
                if (kind == "lstm") {
                    const double i = gate("input_gate")[t][b][j] = sigmoid(from_x(0) + from_h(0));
                    const double f = gate("forget_gate")[t][b][j] = sigmoid(from_x(1) + from_h(1));
                    const double g = gate("cell_gate")[t][b][j] = std::tanh(from_x(2) + from_h(2));
                    const double o = gate("output_gate")[t][b][j] = sigmoid(from_x(3) + from_h(3));
                    c = f * c_before[j] + i * g + nudged(Of::c);
                    h = o * std::tanh(c);
                }
                if (kind == "gru") {
                    const double r = gate("reset_gate")[t][b][j] = sigmoid(from_x(0) + from_h(0));
                    const double z = gate("update_gate")[t][b][j] = sigmoid(from_x(1) + from_h(1));
                    const double n = gate("new_gate")[t][b][j] = std::tanh(from_x(2) + r * from_h(2));
                    h = (1 - z) * n + z * h_before[j];
                }
                h += nudged(Of::h);
            }
        }
    }
    return states;
}

/// The norm of dL/d(what `nudge` changes), over all its rows and columns, by central differences.
inline double gradient_norm(const std::function<double(const Nudge&)>& loss, Nudge nudge, std::size_t rows,
                            std::size_t columns) {
    double squares = 0;
    for (nudge.row = 0; nudge.row < rows; ++nudge.row)
        for (nudge.column = 0; nudge.column < columns; ++nudge.column) {
            constexpr double step = 1e-5;
            nudge.by = step;
            const double above = loss(nudge);
            nudge.by = -step;
            const double slope = (above - loss(nudge)) / (2 * step);
            squares += slope * slope;
        }
    return std::sqrt(squares);
}

}  // namespace slow
