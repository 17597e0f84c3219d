#pragma once
/// The functions of vector_maths.hpp over arrays, in every variant: `kernels<VectorMathsKernels<float>>().tanh(x, y,
/// n)`.

#include <ebb/core/instruction_set.hpp>

#include <cstddef>

namespace ebb {

/// y[i] = f(x[i]) for i < n, for memory of any alignment; y may be x itself, but not overlap it otherwise.
template <class T>
struct VectorMathsKernels {
    using Unary = void (*)(const T* x, T* y, std::size_t n);
    using Binary = void (*)(const T* a, const T* b, T* y, std::size_t n);

    Unary exp, expm1, log, log1p, tanh, sigmoid, sin, cos, erf;
    Binary pow;
    T (*sum)(const T* x, std::size_t n);
};

}  // namespace ebb
