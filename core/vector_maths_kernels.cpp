#include <ebb/core/vector_maths.hpp>
#include <ebb/core/vector_maths_kernels.hpp>

// Compiled once per instruction set; simd.hpp says why everything here has internal linkage.

namespace ebb {

namespace {

using simd::Vec;

template <class T, class Function>
void map(const T* x, T* y, std::size_t n, Function function) {
    std::size_t i = 0;
    for (; i + Vec<T>::width <= n; i += Vec<T>::width) function(Vec<T>::load(x + i)).store(y + i);
    if (i < n) function(Vec<T>::load(x + i, n - i)).store(y + i, n - i);
}

template <class T>
void map_pow(const T* a, const T* b, T* y, std::size_t n) {
    std::size_t i = 0;
    for (; i + Vec<T>::width <= n; i += Vec<T>::width) pow(Vec<T>::load(a + i), Vec<T>::load(b + i)).store(y + i);
    if (i < n) pow(Vec<T>::load(a + i, n - i), Vec<T>::load(b + i, n - i)).store(y + i, n - i);
}

template <class T>
T total(const T* x, std::size_t n) {
    Vec<T> lanes = 0;
    std::size_t i = 0;
    for (; i + Vec<T>::width <= n; i += Vec<T>::width) lanes += Vec<T>::load(x + i);
    if (i < n) lanes += Vec<T>::load(x + i, n - i);
    return sum(lanes);
}

template <class T>
constexpr VectorMathsKernels<T> table{
    .exp = [](const T* x, T* y, std::size_t n) { map(x, y, n, [](Vec<T> v) { return exp(v); }); },
    .expm1 = [](const T* x, T* y, std::size_t n) { map(x, y, n, [](Vec<T> v) { return expm1(v); }); },
    .log = [](const T* x, T* y, std::size_t n) { map(x, y, n, [](Vec<T> v) { return log(v); }); },
    .log1p = [](const T* x, T* y, std::size_t n) { map(x, y, n, [](Vec<T> v) { return log1p(v); }); },
    .tanh = [](const T* x, T* y, std::size_t n) { map(x, y, n, [](Vec<T> v) { return tanh(v); }); },
    .sigmoid = [](const T* x, T* y, std::size_t n) { map(x, y, n, [](Vec<T> v) { return sigmoid(v); }); },
    .sin = [](const T* x, T* y, std::size_t n) { map(x, y, n, [](Vec<T> v) { return sin(v); }); },
    .cos = [](const T* x, T* y, std::size_t n) { map(x, y, n, [](Vec<T> v) { return cos(v); }); },
    .erf = [](const T* x, T* y, std::size_t n) { map(x, y, n, [](Vec<T> v) { return erf(v); }); },
    .pow = &map_pow<T>,
    .sum = &total<T>,
};

}  // namespace

template <>
const VectorMathsKernels<float>& kernels_for<VectorMathsKernels<float>, simd::compiled_for>() {
    return table<float>;
}

template <>
const VectorMathsKernels<double>& kernels_for<VectorMathsKernels<double>, simd::compiled_for>() {
    return table<double>;
}

}  // namespace ebb
