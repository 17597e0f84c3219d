#pragma once
/// The loops behind norm.hpp.

#include <cstddef>

namespace ebb {

template <class T>
struct NormKernels {
    /// The square roots of sum x^2 over each of `count` blocks; returns whether all sums are from `smallest` to
    /// `largest` or NaN, else the norms are of no use. The sums are in T over short pieces, in double over these: where
    /// squares leave the range of T, so do they.
    bool (*norms)(const T* data, std::size_t count, std::ptrdiff_t distance, std::size_t size, T smallest, T largest,
                  double* norms);
};

}  // namespace ebb
