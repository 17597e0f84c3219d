#pragma once
/// The loops over memory behind blas.hpp.

#include <cstddef>

namespace ebb {

template <class T>
struct BlasKernels {
    /// c_ij = alpha a_i b_j + beta c_ij; the elements of a are `stride_a` apart. When beta is 0, c is only written.
    void (*outer_product)(std::size_t m, std::size_t n, T alpha, const T* a, std::size_t stride_a, const T* b, T beta,
                          T* c, std::size_t ldc);
    /// c_ij = beta c_ij. When beta is 0, c is only written.
    void (*scale)(std::size_t m, std::size_t n, T beta, T* c, std::size_t ldc);
};

}  // namespace ebb
