#pragma once
/// The loops behind norm.hpp.

#include <cstddef>

namespace ebb {

template <class T>
struct NormKernels {
    /// The square roots of sum x^2 over each of `count` blocks; -1 where the sum is less than `smallest` or more than
    /// `largest`, and then it returns false. The sums, and the roots of small blocks, are in T; over larger blocks
    /// pieces are added up in double. Where squares leave the range of T, so do the sums.
    bool (*norms)(const T* data, std::size_t count, std::ptrdiff_t distance, std::size_t size, T smallest, T largest,
                  double* norms);
};

}  // namespace ebb
