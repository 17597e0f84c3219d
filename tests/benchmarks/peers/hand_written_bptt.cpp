/// Compiled for this machine and with -ffast-math: nothing here meets an infinity or a NaN.

#include "hand_written_bptt.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <utility>

#include <cblas.h>

namespace hand_written {
namespace {

/// e^x to 1e-7 between -87 and 88: 2^n e^r with n = round(x / ln 2). Branch-free, so that loops over it vectorise.
inline float exponential(float x) {
    x = std::min(std::max(x, -87.0f), 88.0f);
    const float n = __builtin_rintf(x * 1.44269504f);
    const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    // Taylor's series, of which the last coefficients are bent a little to serve |r| <= ln(2) / 2.
    float p = 1.3888889e-3f;
    p = p * r + 8.3682997e-3f;
    p = p * r + 4.1668000e-2f;
    p = p * r + 1.6666520e-1f;
    p = p * r + 5.0000000e-1f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    return std::bit_cast<float>((static_cast<std::int32_t>(n) + 127) << 23) * p;
}
inline float logistic(float x) {
    return 1.0f / (1.0f + exponential(-x));
}
inline float hyperbolic_tangent(float x) {
    return 1.0f - 2.0f / (1.0f + exponential(2.0f * x));
}

using Out = float* __restrict;
using In = const float* __restrict;

constexpr std::size_t gate_count(Cell cell) {
    return cell == Cell::lstm ? 4 : cell == Cell::gru ? 3 : 1;
}

int as_int(std::size_t n) {
    return static_cast<int>(n);
}

/// C [m, n] = A [m, k] B [k, n] + beta C. A product with one row reads B once: gemv, where gemm would copy all of B.
void product(std::size_t m, std::size_t n, std::size_t k, const float* a, const float* b, float beta, float* c) {
    if (m == 1)
        cblas_sgemv(CblasRowMajor, CblasTrans, as_int(k), as_int(n), 1, b, as_int(n), a, 1, beta, c, 1);
    else
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, as_int(m), as_int(n), as_int(k), 1, a, as_int(k), b,
                    as_int(n), beta, c, as_int(n));
}

/// C [m, n] = A' [m, k] B [k, n].
void transposed_product(std::size_t m, std::size_t n, std::size_t k, const float* a, std::size_t lda, const float* b,
                        float* c) {
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, as_int(m), as_int(n), as_int(k), 1, a, as_int(lda), b,
                as_int(n), 0, c, as_int(n));
}

void column_sums(std::size_t rows, std::size_t columns, In a, Out sums) {
    std::fill_n(sums, columns, 0.0f);
    for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t j = 0; j < columns; ++j) sums[j] += a[r * columns + j];
}

}  // namespace

Bptt::Bptt(Cell cell, Sizes sizes, std::vector<float> x, std::vector<float> y, Weights weights)
    : cell_(cell),
      n_(sizes),
      gates_(gate_count(cell) * sizes.H),
      x_(std::move(x)),
      y_(std::move(y)),
      weights_(std::move(weights)),
      gradients_(weights_),
      w_hh_transposed_(gates_ * n_.H),
      zeros_(n_.B * n_.H),
      h_(n_.T * n_.B * n_.H),
      a_(n_.T * n_.B * gates_),
      dh_(n_.B * n_.H) {
    if (cell == Cell::lstm) {
        c_.resize(h_.size());
        tanh_c_.resize(h_.size());
        dc_.resize(dh_.size());
    }
    if (cell == Cell::gru) u_.resize(a_.size());
}

std::size_t Bptt::bytes() const {
    std::size_t numbers = 0;
    for (const auto* v : {&x_, &y_, &w_hh_transposed_, &zeros_, &h_, &c_, &tanh_c_, &a_, &u_, &dh_, &dc_})
        numbers += v->size();
    for (const Weights* w : {&weights_, &gradients_})
        numbers += w->w_ih.size() + w->w_hh.size() + w->b_ih.size() + w->b_hh.size();
    return numbers * sizeof(float);
}

void Bptt::transpose_w_hh() {
    for (std::size_t i = 0; i < n_.H; ++i)
        for (std::size_t j = 0; j < gates_; ++j) w_hh_transposed_[i * gates_ + j] = weights_.w_hh[j * n_.H + i];
}

void Bptt::forward() {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, as_int(n_.T * n_.B), as_int(gates_), as_int(n_.I), 1,
                x_.data(), as_int(n_.I), weights_.w_ih.data(), as_int(n_.I), 0, a_.data(), as_int(gates_));
    if (n_.B > 1) transpose_w_hh();
    for (std::size_t t = 0; t < n_.T; ++t) forward_step(t);
}

void Bptt::forward_step(std::size_t t) {
    const std::size_t B = n_.B, H = n_.H, states = B * H;
    In h_before = t ? &h_[(t - 1) * states] : zeros_.data();
    Out a = &a_[t * B * gates_];
    Out h = &h_[t * states];
    float* const products = cell_ == Cell::gru ? &u_[t * B * gates_] : a;
    if (t == 0) {
        if (cell_ == Cell::gru) std::fill_n(products, B * gates_, 0.0f);
    } else if (B == 1) {
        cblas_sgemv(CblasRowMajor, CblasNoTrans, as_int(gates_), as_int(H), 1, weights_.w_hh.data(), as_int(H),
                    h_before, 1, cell_ == Cell::gru ? 0 : 1, products, 1);
    } else {
        product(B, gates_, H, h_before, w_hh_transposed_.data(), cell_ == Cell::gru ? 0 : 1, products);
    }
    In b_x = weights_.b_ih.data();
    In b_h = weights_.b_hh.data();
    for (std::size_t b = 0; b < B; ++b) {
        Out g = a + b * gates_;
        In before = h_before + b * H;
        Out after = h + b * H;
        switch (cell_) {
            case Cell::rnn_tanh:
                for (std::size_t j = 0; j < H; ++j) after[j] = hyperbolic_tangent(g[j] + b_x[j] + b_h[j]);
                break;
            case Cell::lstm: {
                In c_before = t ? &c_[(t - 1) * states + b * H] : zeros_.data();
                Out c = &c_[t * states + b * H];
                Out tanh_c = &tanh_c_[t * states + b * H];
#pragma GCC ivdep
                for (std::size_t j = 0; j < H; ++j) {
                    const float i = logistic(g[j] + b_x[j] + b_h[j]);
                    const float f = logistic(g[H + j] + b_x[H + j] + b_h[H + j]);
                    const float candidate = hyperbolic_tangent(g[2 * H + j] + b_x[2 * H + j] + b_h[2 * H + j]);
                    const float o = logistic(g[3 * H + j] + b_x[3 * H + j] + b_h[3 * H + j]);
                    const float c_t = f * c_before[j] + i * candidate;
                    g[j] = i;
                    g[H + j] = f;
                    g[2 * H + j] = candidate;
                    g[3 * H + j] = o;
                    c[j] = c_t;
                    tanh_c[j] = hyperbolic_tangent(c_t);
                    after[j] = o * tanh_c[j];
                }
                break;
            }
            case Cell::gru: {
                Out u = products + b * gates_;
#pragma GCC ivdep
                for (std::size_t j = 0; j < H; ++j) {
                    const float r = logistic(g[j] + u[j] + b_x[j] + b_h[j]);
                    const float z = logistic(g[H + j] + u[H + j] + b_x[H + j] + b_h[H + j]);
                    const float h_n = u[2 * H + j] + b_h[2 * H + j];
                    const float n = hyperbolic_tangent(g[2 * H + j] + b_x[2 * H + j] + r * h_n);
                    g[j] = r;
                    g[H + j] = z;
                    g[2 * H + j] = n;
                    u[2 * H + j] = h_n;
                    after[j] = n + z * (before[j] - n);
                }
                break;
            }
        }
    }
}

double Bptt::step() {
    forward();
    std::fill(dh_.begin(), dh_.end(), 0.0f);
    std::fill(dc_.begin(), dc_.end(), 0.0f);
    double squares = 0;
    for (std::size_t t = n_.T; t-- > 0;) squares += backward_step(t);
    weight_gradients();
    return squares / static_cast<double>(h_.size());
}

/// From dh_t and dc_t, which hold what the later steps sent back, to dh_{t-1} and dc_{t-1}; the gates become their
/// gradients. Returns the sum of (h_t - y_t)^2.
double Bptt::backward_step(std::size_t t) {
    const std::size_t B = n_.B, H = n_.H, states = B * H;
    const float scale = 2.0f / static_cast<float>(h_.size());
    float squares = 0;
    for (std::size_t b = 0; b < B; ++b) {
        const std::size_t at = t * states + b * H;
        In h = &h_[at];
        In y = &y_[at];
        Out g = &a_[(t * B + b) * gates_];
        Out dh = &dh_[b * H];
        switch (cell_) {
            case Cell::rnn_tanh:
                for (std::size_t j = 0; j < H; ++j) {
                    const float e = h[j] - y[j];
                    squares += e * e;
                    g[j] = (dh[j] + scale * e) * (1 - h[j] * h[j]);
                }
                break;
            case Cell::lstm: {
                In c_before = t ? &c_[at - states] : zeros_.data();
                In tanh_c = &tanh_c_[at];
                Out dc = &dc_[b * H];
#pragma GCC ivdep
                for (std::size_t j = 0; j < H; ++j) {
                    const float e = h[j] - y[j], dh_t = dh[j] + scale * e;
                    const float i = g[j], f = g[H + j], candidate = g[2 * H + j], o = g[3 * H + j];
                    squares += e * e;
                    const float dc_t = dc[j] + dh_t * o * (1 - tanh_c[j] * tanh_c[j]);
                    g[j] = dc_t * candidate * (i * (1 - i));
                    g[H + j] = dc_t * c_before[j] * (f * (1 - f));
                    g[2 * H + j] = dc_t * i * (1 - candidate * candidate);
                    g[3 * H + j] = dh_t * tanh_c[j] * (o * (1 - o));
                    dc[j] = dc_t * f;
                }
                break;
            }
            case Cell::gru: {
                In before = t ? &h_[at - states] : zeros_.data();
                Out u = &u_[(t * B + b) * gates_];
#pragma GCC ivdep
                for (std::size_t j = 0; j < H; ++j) {
                    const float e = h[j] - y[j], dh_t = dh[j] + scale * e;
                    const float r = g[j], z = g[H + j], n = g[2 * H + j];
                    squares += e * e;
                    const float dn = dh_t * (1 - z) * (1 - n * n);
                    const float dr = dn * u[2 * H + j] * (r * (1 - r));
                    const float dz = dh_t * (before[j] - n) * (z * (1 - z));
                    g[j] = u[j] = dr;
                    g[H + j] = u[H + j] = dz;
                    g[2 * H + j] = dn;
                    u[2 * H + j] = dn * r;
                    dh[j] = dh_t * z;
                }
                break;
            }
        }
    }
    if (t > 0)
        product(B, H, gates_, cell_ == Cell::gru ? &u_[t * B * gates_] : &a_[t * B * gates_], weights_.w_hh.data(),
                cell_ == Cell::gru ? 1 : 0, dh_.data());
    return squares;
}

void Bptt::weight_gradients() {
    const std::size_t rows = n_.T * n_.B;
    const std::vector<float>& hidden = cell_ == Cell::gru ? u_ : a_;
    transposed_product(gates_, n_.I, rows, a_.data(), gates_, x_.data(), gradients_.w_ih.data());
    // h_0 = 0 adds nothing: from the second step on.
    transposed_product(gates_, n_.H, rows - n_.B, hidden.data() + n_.B * gates_, gates_, h_.data(),
                       gradients_.w_hh.data());
    column_sums(rows, gates_, a_.data(), gradients_.b_ih.data());
    if (cell_ == Cell::gru)
        column_sums(rows, gates_, u_.data(), gradients_.b_hh.data());
    else
        gradients_.b_hh = gradients_.b_ih;
}

}  // namespace hand_written
