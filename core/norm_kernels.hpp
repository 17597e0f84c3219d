#pragma once
/// The loops behind norm.hpp.

#include <cstddef>

namespace ebb {

template <class T>
struct NormKernels {
    /// Sum x^2: in T over short pieces, in double over these. Where squares leave the range of T, so does the result.
    double (*sum_of_squares)(const T* data, std::size_t size);
};

}  // namespace ebb
