/// Compiled once for each instruction set: see core/simd.hpp for what may stand in such a file.

#include <ebb/core/simd.hpp>
#include <ebb/core/vector_maths.hpp>
#include <ebb/layers/recurrent_formulas.hpp>
#include <ebb/layers/recurrent_kernels.hpp>

namespace ebb {
namespace {

using simd::Vec;

/// All lanes of a Vec, or the first few at the end of a row.
template <class T>
struct AllLanes {
    static Vec<T> load(const T* p) { return Vec<T>::load(p); }
    static void store(T* p, Vec<T> v) { v.store(p); }
};
template <class T>
struct FirstLanes {
    std::size_t count;
    Vec<T> load(const T* p) const { return Vec<T>::load(p, count); }
    void store(T* p, Vec<T> v) const { v.store(p, count); }
};

/// Calls f(lanes, b, j) for the units j, j + 1, ... of row b, a Vec at a time.
template <class T, class Function>
inline void for_units(const RecurrentBlock<T>& s, Function f) {
    constexpr std::size_t width = Vec<T>::width;
    for (std::size_t b = 0; b < s.batch; ++b) {
        std::size_t j = 0;
        for (; j + width <= s.hidden; j += width) f(AllLanes<T>{}, b, j);
        if (j < s.hidden) f(FirstLanes<T>{s.hidden - j}, b, j);
    }
}

template <class F, class T>
void simple_forward(const RecurrentBlock<T>& s) {
    for_units<T>(s, [&](const auto lanes, std::size_t b, std::size_t j) {
        const std::size_t k = b * s.hidden + j;
        lanes.store(s.h + k, F::forward(lanes.load(s.gates + k) + lanes.load(s.bias + j)));
    });
}

template <class F, class T>
void simple_backward(const RecurrentBlock<T>& s) {
    for_units<T>(s, [&](const auto lanes, std::size_t b, std::size_t j) {
        const std::size_t k = b * s.hidden + j;
        const Vec<T> h = lanes.load(s.h + k);
        for (std::size_t p = 0; p < s.passes; ++p)
            lanes.store(s.delta + p * s.delta_stride + k, F::vjp(lanes.load(s.dh + p * s.dh_stride + k), h));
    });
}

template <class T>
void lstm_forward(const RecurrentBlock<T>& s) {
    const std::size_t H = s.hidden;
    for_units<T>(s, [&](const auto lanes, std::size_t b, std::size_t j) {
        const std::size_t k = b * H + j;
        T* const gates = s.gates + b * 4 * H + j;
        const auto a = [&](std::size_t gate) {
            return lanes.load(gates + gate * H) + lanes.load(s.bias + gate * H + j);
        };
        const auto [i, f, g, o, c, h] = formulas::LSTMStep::forward(a(0), a(1), a(2), a(3), lanes.load(s.c_before + k));
        lanes.store(gates, i);
        lanes.store(gates + H, f);
        lanes.store(gates + 2 * H, g);
        lanes.store(gates + 3 * H, o);
        lanes.store(s.c + k, c);
        lanes.store(s.h + k, h);
    });
}

template <class T>
void lstm_backward(const RecurrentBlock<T>& s) {
    const std::size_t H = s.hidden;
    for_units<T>(s, [&](const auto lanes, std::size_t b, std::size_t j) {
        const std::size_t k = b * H + j;
        const T* const gates = s.gates + b * 4 * H + j;
        const Vec<T> i = lanes.load(gates), f = lanes.load(gates + H), g = lanes.load(gates + 2 * H),
                     o = lanes.load(gates + 3 * H), c_before = lanes.load(s.c_before + k), c = lanes.load(s.c + k);
        for (std::size_t p = 0; p < s.passes; ++p) {
            T* const delta = s.delta + p * s.delta_stride + b * 4 * H + j;
            T* const dc_t = s.dc + p * s.dc_stride + k;
            T* const before = s.d_before + p * s.before_stride + k;
            const auto [di, df, dg, d_o, dc, dc_before] = formulas::LSTMStep::vjp(
                lanes.load(s.dh + p * s.dh_stride + k), lanes.load(dc_t), i, f, g, o, c_before, c);
            lanes.store(delta, di);
            lanes.store(delta + H, df);
            lanes.store(delta + 2 * H, dg);
            lanes.store(delta + 3 * H, d_o);
            lanes.store(dc_t, dc);
            lanes.store(before, s.assign ? dc_before : lanes.load(before) + dc_before);
        }
    });
}

template <class T>
void gru_forward(const RecurrentBlock<T>& s) {
    const std::size_t H = s.hidden;
    for_units<T>(s, [&](const auto lanes, std::size_t b, std::size_t j) {
        const std::size_t k = b * H + j;
        T* const gates = s.gates + b * 3 * H + j;
        const T* const products = s.products + b * 3 * H + j;
        const auto x = [&](std::size_t gate) {
            return lanes.load(gates + gate * H) + lanes.load(s.bias + gate * H + j);
        };
        const auto h = [&](std::size_t gate) {
            return lanes.load(products + gate * H) + lanes.load(s.hidden_bias + gate * H + j);
        };
        const Vec<T> h_n = h(2);
        const auto [r, z, n, h_t] =
            formulas::GRUStep::forward(x(0), x(1), x(2), h(0), h(1), h_n, lanes.load(s.h_before + k));
        lanes.store(gates, r);
        lanes.store(gates + H, z);
        lanes.store(gates + 2 * H, n);
        lanes.store(s.h_n + k, h_n);
        lanes.store(s.h + k, h_t);
    });
}

template <class T>
void gru_backward(const RecurrentBlock<T>& s) {
    const std::size_t H = s.hidden;
    for_units<T>(s, [&](const auto lanes, std::size_t b, std::size_t j) {
        const std::size_t k = b * H + j;
        const T* const gates = s.gates + b * 3 * H + j;
        const Vec<T> r = lanes.load(gates), z = lanes.load(gates + H), n = lanes.load(gates + 2 * H),
                     h_n = lanes.load(s.h_n + k), h_before = lanes.load(s.h_before + k);
        for (std::size_t p = 0; p < s.passes; ++p) {
            T* const delta = s.delta + p * s.delta_stride + b * 3 * H + j;
            T* const hidden_delta = s.hidden_delta + p * s.delta_stride + b * 3 * H + j;
            T* const before = s.d_before + p * s.before_stride + k;
            const auto [dr, dz, dn, dh_n, dh_before] =
                formulas::GRUStep::vjp(lanes.load(s.dh + p * s.dh_stride + k), r, z, n, h_n, h_before);
            lanes.store(delta, dr);
            lanes.store(delta + H, dz);
            lanes.store(delta + 2 * H, dn);
            lanes.store(hidden_delta, dr);
            lanes.store(hidden_delta + H, dz);
            lanes.store(hidden_delta + 2 * H, dh_n);
            lanes.store(before, s.assign ? dh_before : lanes.load(before) + dh_before);
        }
    });
}

template <class T>
constexpr RecurrentKernels<T> table() {
    return {&simple_forward<formulas::TanhStep, T>,
            &simple_backward<formulas::TanhStep, T>,
            &simple_forward<formulas::ReluStep, T>,
            &simple_backward<formulas::ReluStep, T>,
            &lstm_forward<T>,
            &lstm_backward<T>,
            &gru_forward<T>,
            &gru_backward<T>};
}

}  // namespace

template <>
const RecurrentKernels<float>& kernels_for<RecurrentKernels<float>, simd::compiled_for>() {
    static constexpr RecurrentKernels<float> kernels = table<float>();
    return kernels;
}

template <>
const RecurrentKernels<double>& kernels_for<RecurrentKernels<double>, simd::compiled_for>() {
    static constexpr RecurrentKernels<double> kernels = table<double>();
    return kernels;
}

}  // namespace ebb
