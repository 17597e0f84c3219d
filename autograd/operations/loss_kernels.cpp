/// Compiled once for each instruction set: see core/simd.hpp for what may stand in such a file.

#include <ebb/autograd/operations/loss_kernels.hpp>
#include <ebb/core/simd.hpp>
#include <ebb/core/vector_maths.hpp>

namespace ebb {
namespace {

using simd::Vec;

template <class F, class T>
inline Vec<T> value_of(Vec<T> difference, Vec<T> parameter) {
    if constexpr (F::arity == 1)
        return F::forward(difference);
    else
        return F::forward(difference, parameter);
}

template <class F, class T>
inline Vec<T> derivative_of(Vec<T> dy, Vec<T> difference, Vec<T> parameter) {
    // None of these derivatives looks at the value of the loss: the difference stands in for it.
    if constexpr (F::arity == 1)
        return F::vjp(dy, difference, difference);
    else
        return std::get<0>(F::vjp(dy, difference, parameter, difference));
}

template <class F, class T>
double sum_of(const T* a, const T* b, std::size_t n, T parameter) {
    constexpr std::size_t width = Vec<T>::width;
    // A long sum of floats is made of short ones: the rounding error grows with the length of a piece.
    constexpr std::size_t piece = 1024;
    const Vec<T> p(parameter);
    double total = 0;
    for (std::size_t start = 0; start < n; start += piece) {
        const std::size_t end = n - start < piece ? n : start + piece;
        Vec<T> sums(T(0));
        std::size_t j = start;
        for (; j + width <= end; j += width) sums += value_of<F>(Vec<T>::load(a + j) - Vec<T>::load(b + j), p);
        if (j < end) {
            T rest[width] = {};
            value_of<F>(Vec<T>::load(a + j, end - j) - Vec<T>::load(b + j, end - j), p).store(rest, end - j);
            sums += Vec<T>::load(rest);
        }
        total += static_cast<double>(sum(sums));
    }
    return total;
}

template <class F, class T>
void backward_of(const T* a, const T* b, std::size_t n, T parameter, T dy, T* dx, bool assign) {
    constexpr std::size_t width = Vec<T>::width;
    const Vec<T> p(parameter), scale(dy);
    std::size_t j = 0;
    for (; j + width <= n; j += width) {
        const Vec<T> share = derivative_of<F>(scale, Vec<T>::load(a + j) - Vec<T>::load(b + j), p);
        (assign ? share : Vec<T>::load(dx + j) + share).store(dx + j);
    }
    if (j < n) {
        const std::size_t rest = n - j;
        const Vec<T> share = derivative_of<F>(scale, Vec<T>::load(a + j, rest) - Vec<T>::load(b + j, rest), p);
        (assign ? share : Vec<T>::load(dx + j, rest) + share).store(dx + j, rest);
    }
}

template <class T>
void scaled_softmax(const T* x, std::size_t n, T log_sum_exp, T scale, T* dx, bool assign) {
    constexpr std::size_t width = Vec<T>::width;
    std::size_t j = 0;
    for (; j + width <= n; j += width) {
        const Vec<T> share = scale * exp(Vec<T>::load(x + j) - log_sum_exp);
        (assign ? share : Vec<T>::load(dx + j) + share).store(dx + j);
    }
    if (j < n) {
        const Vec<T> share = scale * exp(Vec<T>::load(x + j, n - j) - log_sum_exp);
        (assign ? share : Vec<T>::load(dx + j, n - j) + share).store(dx + j, n - j);
    }
}

template <class T, class... F>
constexpr LossKernels<T> table(formulas::FormulaList<F...>) {
    return {{&sum_of<F, T>...}, {&backward_of<F, T>...}, &scaled_softmax<T>};
}

}  // namespace

template <>
const LossKernels<float>& kernels_for<LossKernels<float>, simd::compiled_for>() {
    static constexpr LossKernels<float> kernels = table<float>(DifferenceFormulas{});
    return kernels;
}

template <>
const LossKernels<double>& kernels_for<LossKernels<double>, simd::compiled_for>() {
    static constexpr LossKernels<double> kernels = table<double>(DifferenceFormulas{});
    return kernels;
}

}  // namespace ebb
