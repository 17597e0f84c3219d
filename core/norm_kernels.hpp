#pragma once
/// The loops behind norm.hpp.

#include <cstddef>

namespace ebb {

template <class T>
struct NormKernels {
    /// Sum x^2 of each of `count` blocks: in T over short pieces, in double over these. Where squares leave the range
    /// of T, so does the result.
    void (*sums_of_squares)(const T* data, std::size_t count, std::ptrdiff_t distance, std::size_t size, double* sums);
    /// The square roots of `count` sums, in their place, where each is from `smallest` to `largest` or NaN; else leaves
    /// all as they are and returns false.
    bool (*roots)(double* sums, std::size_t count, double smallest, double largest);
};

}  // namespace ebb
