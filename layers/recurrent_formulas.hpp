#pragma once
/// The equations of the recurrent cells after their matrix products, one unit at a time.
///
/// As in autograd/operations/elementwise_formulas.hpp, a formula is generic: applied to `simd::Vec` it is the inside of
/// the fused step (recurrent_kernels.cpp), applied to Variables it is the same cell in elementary operations. The
/// derivatives serve the fused step; on Variables the elementary operations bring their own.
///
/// a_.. are pre-activations, the sums of both products and both biases.

#include <cstddef>
#include <tuple>

namespace ebb::formulas {

/// h_t = tanh(a_t), a_t = W_ih x_t + b_ih + W_hh h_{t-1} + b_hh (Elman 1990; torch.nn.RNNCell).
struct TanhStep {
    static auto forward(const auto& a) { return tanh(a); }
    static auto vjp(const auto& dh, const auto& h) { return dh * (1 - h * h); }
};

/// h_t = max(a_t, 0) (Le, Jaitly, Hinton 2015; torch.nn.RNNCell with nonlinearity='relu').
struct ReluStep {
    static auto forward(const auto& a) { return where(a < 0, 0, a); }
    static auto vjp(const auto& dh, const auto& h) { return where(h > 0, dh, 0); }
};

/// Hochreiter, Schmidhuber 1997, with the forget gate of Gers, Schmidhuber, Cummins 2000 (torch.nn.LSTMCell):
///     i = sigmoid(a_i),  f = sigmoid(a_f),  g = tanh(a_g),  o = sigmoid(a_o)
///     c_t = f . c_{t-1} + i . g
///     h_t = o . tanh(c_t)
struct LSTMStep {
    static auto forward(const auto& a_i, const auto& a_f, const auto& a_g, const auto& a_o, const auto& c_before) {
        const auto i = sigmoid(a_i);
        const auto f = sigmoid(a_f);
        const auto g = tanh(a_g);
        const auto o = sigmoid(a_o);
        const auto c = f * c_before + i * g;
        const auto h = o * tanh(c);
        return std::tuple{i, f, g, o, c, h};
    }
    /// (da_i, da_f, da_g, da_o, dc_t, dc_{t-1}) from dh_t and from what reaches c_t other than through h_t.
    static auto vjp(const auto& dh, const auto& dc_later, const auto& i, const auto& f, const auto& g, const auto& o,
                    const auto& c_before, const auto& c) {
        const auto tanh_c = tanh(c);
        const auto dc = dc_later + dh * o * (1 - tanh_c * tanh_c);
        return std::tuple{dc * g * (i * (1 - i)),
                          dc * c_before * (f * (1 - f)),
                          dc * i * (1 - g * g),
                          dh * tanh_c * (o * (1 - o)),
                          dc,
                          dc * f};
    }
};

/// Cho et al. 2014, with the reset gate applied after the product (torch.nn.GRUCell):
///     r = sigmoid(x_r + h_r),  z = sigmoid(x_z + h_z),  n = tanh(x_n + r . h_n)
///     h_t = (1 - z) . n + z . h_{t-1}
/// where x_.. = W_ih x_t + b_ih and h_.. = W_hh h_{t-1} + b_hh.
struct GRUStep {
    static auto forward(const auto& x_r, const auto& x_z, const auto& x_n, const auto& h_r, const auto& h_z,
                        const auto& h_n, const auto& h_before) {
        const auto r = sigmoid(x_r + h_r);
        const auto z = sigmoid(x_z + h_z);
        const auto n = tanh(x_n + r * h_n);
        const auto h = n + z * (h_before - n);
        return std::tuple{r, z, n, h};
    }
    /// (dx_r, dx_z, dx_n, dh_n, the part of dh_{t-1} that goes around the products); dh_r = dx_r and dh_z = dx_z.
    static auto vjp(const auto& dh, const auto& r, const auto& z, const auto& n, const auto& h_n,
                    const auto& h_before) {
        const auto dx_n = dh * (1 - z) * (1 - n * n);
        const auto dx_z = dh * (h_before - n) * (z * (1 - z));
        const auto dx_r = dx_n * h_n * (r * (1 - r));
        return std::tuple{dx_r, dx_z, dx_n, dx_n * r, dh * z};
    }
};

}  // namespace ebb::formulas
