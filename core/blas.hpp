#pragma once
/// Matrix products, by the one BLAS that Ebb is linked with. Only blas.cpp and decompositions.cpp include <cblas.h>.

#include <cstddef>
#include <type_traits>

namespace ebb {

/// Whether an operand of `gemm` is used as it lies in memory or transposed.
enum class Transpose { no, yes };

/// C = alpha op(A) op(B) + beta C, for float and double, all row-major.
///
/// op(A) is [m, k]: A is [m, k] in memory, or [k, m] when `transpose_a` is yes; op(B) is [k, n]; C is [m, n].
/// `lda`, `ldb` and `ldc` are the distances between the beginnings of rows in memory, at least the length of a row.
/// C must not overlap A or B. When beta is 0, C is only written: what was there, NaN for instance, does not matter.
/// When k or alpha is 0, C = beta C. A matrix times a vector (n = 1 or m = 1) and an outer product (k = 1) have ways of
/// their own, which are several times faster than the general one: the last is dL/dW of a batch of one.
///
/// A large product is divided among the threads of threads.hpp; the bits of the result do not depend on how many these
/// are.
///
/// Throws ShapeError when rows overlap (a distance is too small), ValueError when an extent exceeds what BLAS counts
/// (2^31 - 1).
template <class T>
void gemm(Transpose transpose_a, Transpose transpose_b, std::size_t m, std::size_t n, std::size_t k,
          std::type_identity_t<T> alpha, const T* a, std::size_t lda, const T* b, std::size_t ldb,
          std::type_identity_t<T> beta, T* c, std::size_t ldc);

/// Whatever the environment says, OpenBLAS computes on the thread that calls it; threads.hpp has the threads. `gemm`
/// sees to it by itself.
void hold_blas_to_one_thread();

}  // namespace ebb
