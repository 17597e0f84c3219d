#include <ebb/core/blas_kernels.hpp>
#include <ebb/core/simd.hpp>

// Compiled once per instruction set; simd.hpp says why everything here has internal linkage.

namespace ebb {

namespace {

using simd::Vec;

/// y = function(x) for one row.
template <class T, class Function>
void map(std::size_t n, const T* x, T* y, Function function) {
    std::size_t j = 0;
    for (; j + Vec<T>::width <= n; j += Vec<T>::width) function(Vec<T>::load(x + j)).store(y + j);
    if (j < n) function(Vec<T>::load(x + j, n - j)).store(y + j, n - j);
}

/// y = function(x, y) for one row.
template <class T, class Function>
void update(std::size_t n, const T* x, T* y, Function function) {
    std::size_t j = 0;
    for (; j + Vec<T>::width <= n; j += Vec<T>::width) function(Vec<T>::load(x + j), Vec<T>::load(y + j)).store(y + j);
    if (j < n) function(Vec<T>::load(x + j, n - j), Vec<T>::load(y + j, n - j)).store(y + j, n - j);
}

template <class T>
void outer_product(std::size_t m, std::size_t n, T alpha, const T* a, std::size_t stride_a, const T* b, T beta, T* c,
                   std::size_t ldc) {
    for (std::size_t i = 0; i < m; ++i) {
        const Vec<T> factor = alpha * a[i * stride_a];
        T* row = c + i * ldc;
        if (beta == 0)
            map(n, b, row, [factor](Vec<T> x) { return factor * x; });
        else if (beta == 1)
            update(n, b, row, [factor](Vec<T> x, Vec<T> y) { return fma(factor, x, y); });
        else
            update(n, b, row, [factor, beta](Vec<T> x, Vec<T> y) { return fma(factor, x, beta * y); });
    }
}

template <class T>
void scale(std::size_t m, std::size_t n, T beta, T* c, std::size_t ldc) {
    for (std::size_t i = 0; i < m; ++i) {
        T* row = c + i * ldc;
        if (beta == 0)
            // Not 0 * x, which keeps NaN.
            for (std::size_t j = 0; j < n; ++j) row[j] = 0;
        else
            map(n, row, row, [beta](Vec<T> x) { return beta * x; });
    }
}

template <class T>
constexpr BlasKernels<T> table{&outer_product<T>, &scale<T>};

}  // namespace

template <>
const BlasKernels<float>& kernels_for<BlasKernels<float>, simd::compiled_for>() {
    return table<float>;
}

template <>
const BlasKernels<double>& kernels_for<BlasKernels<double>, simd::compiled_for>() {
    return table<double>;
}

}  // namespace ebb
