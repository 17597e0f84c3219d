#include <ebb/autograd/operations.hpp>
#include <ebb/layers/recurrent_elementary.hpp>
#include <ebb/layers/recurrent_formulas.hpp>

namespace ebb {
namespace {

/// Columns k W to (k + 1) W.
template <class T>
Variable<T> block(const Variable<T>& a, std::ptrdiff_t k, std::size_t width) {
    const auto w = static_cast<std::ptrdiff_t>(width);
    return slice(a, 1, k * w, (k + 1) * w);
}

/// Gers, Schmidhuber 2000: i and f see c_{t-1}, o sees c_t, each unit its own:
///     i = sigmoid(a_i + w_ci . c_{t-1}),  f = sigmoid(a_f + w_cf . c_{t-1}),  o = sigmoid(a_o + w_co . c_t)
template <class T>
ElementaryStep<T> peephole_step(const Variable<T>& a, const Variable<T>& c_before, const Variable<T>& weight_ch) {
    const std::size_t H = c_before.shape()[1];
    const auto weight = [&](std::ptrdiff_t k) { return select(weight_ch, 0, k); };
    const auto i = sigmoid(block(a, 0, H) + weight(0) * c_before);
    const auto f = sigmoid(block(a, 1, H) + weight(1) * c_before);
    const auto g = tanh(block(a, 2, H));
    const auto c = f * c_before + i * g;
    const auto o = sigmoid(block(a, 3, H) + weight(2) * c);
    return {o * tanh(c), c, {{"input_gate", i}, {"forget_gate", f}, {"cell_gate", g}, {"output_gate", o}}};
}

template <class T>
ElementaryStep<T> lstm_step(const Variable<T>& a, const Variable<T>& c_before) {
    const std::size_t H = c_before.shape()[1];
    const auto [i, f, g, o, c, h] =
        formulas::LSTMStep::forward(block(a, 0, H), block(a, 1, H), block(a, 2, H), block(a, 3, H), c_before);
    return {h, c, {{"input_gate", i}, {"forget_gate", f}, {"cell_gate", g}, {"output_gate", o}}};
}

/// Cho et al. 2014, as first published, with the reset gate before the product:
///     n = tanh(W_in x_t + b_in + W_hn (r . h_{t-1}) + b_hn)
template <class T>
ElementaryStep<T> reset_before_step(const Variable<T>& from_x, const Variable<T>& h, const RecurrentWeights<T>& w) {
    const std::size_t H = h.shape()[1];
    const auto rows = [&](const Variable<T>& weight, std::size_t first, std::size_t last) {
        return weight.defined()
                   ? slice(weight, 0, static_cast<std::ptrdiff_t>(first * H), static_cast<std::ptrdiff_t>(last * H))
                   : weight;
    };
    const auto from_h = linear(h, rows(w.weight_hh, 0, 2), rows(w.bias_hh, 0, 2));
    const auto r = sigmoid(block(from_x, 0, H) + block(from_h, 0, H));
    const auto z = sigmoid(block(from_x, 1, H) + block(from_h, 1, H));
    const auto n = tanh(block(from_x, 2, H) + linear(r * h, rows(w.weight_hh, 2, 3), rows(w.bias_hh, 2, 3)));
    return {n + z * (h - n), {}, {{"reset_gate", r}, {"update_gate", z}, {"new_gate", n}}};
}

}  // namespace

template <class T>
ElementaryStep<T> elementary_step(CellKind kind, const Variable<T>& x, const Variable<T>& h, const Variable<T>& c,
                                  const RecurrentWeights<T>& w) {
    const Variable<T> from_x = linear(x, w.weight_ih, w.bias_ih);
    if (kind == CellKind::gru_reset_before) return reset_before_step(from_x, h, w);
    const Variable<T> from_h = linear(h, w.weight_hh, w.bias_hh);
    switch (kind) {
        case CellKind::rnn_tanh:
            return {formulas::TanhStep::forward(from_x + from_h), {}, {}};
        case CellKind::rnn_relu:
            return {relu(from_x + from_h), {}, {}};
        case CellKind::rnn_activation:
            return {(*w.activation)(from_x + from_h), {}, {}};
        case CellKind::lstm: {
            const Variable<T> a = from_x + from_h;
            ElementaryStep<T> step = w.weight_ch.defined() ? peephole_step(a, c, w.weight_ch) : lstm_step(a, c);
            if (w.weight_hr.defined()) step.h = linear(step.h, w.weight_hr);
            return step;
        }
        default: {
            const std::size_t H = h.shape()[1];
            const auto [r, z, n, h_t] =
                formulas::GRUStep::forward(block(from_x, 0, H), block(from_x, 1, H), block(from_x, 2, H),
                                           block(from_h, 0, H), block(from_h, 1, H), block(from_h, 2, H), h);
            return {h_t, {}, {{"reset_gate", r}, {"update_gate", z}, {"new_gate", n}}};
        }
    }
}

template ElementaryStep<float> elementary_step(CellKind, const Variable<float>&, const Variable<float>&,
                                               const Variable<float>&, const RecurrentWeights<float>&);
template ElementaryStep<double> elementary_step(CellKind, const Variable<double>&, const Variable<double>&,
                                                const Variable<double>&, const RecurrentWeights<double>&);

}  // namespace ebb
