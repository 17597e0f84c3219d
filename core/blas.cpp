#include <ebb/core/blas.hpp>
#include <ebb/core/blas_kernels.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/instruction_set.hpp>
#include <ebb/core/threads.hpp>

#include <algorithm>
#include <limits>

#include <cblas.h>
#include <fmt/format.h>

namespace ebb {

namespace {

CBLAS_TRANSPOSE cblas_transpose(Transpose transpose) {
    return transpose == Transpose::yes ? CblasTrans : CblasNoTrans;
}

void cblas_gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, blasint m, blasint n, blasint k, float alpha, const float* a,
                blasint lda, const float* b, blasint ldb, float beta, float* c, blasint ldc) {
    cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void cblas_gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, blasint m, blasint n, blasint k, double alpha, const double* a,
                blasint lda, const double* b, blasint ldb, double beta, double* c, blasint ldc) {
    cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void cblas_gemv(CBLAS_TRANSPOSE ta, blasint rows, blasint columns, float alpha, const float* a, blasint lda,
                const float* x, blasint stride_x, float beta, float* y, blasint stride_y) {
    cblas_sgemv(CblasRowMajor, ta, rows, columns, alpha, a, lda, x, stride_x, beta, y, stride_y);
}

void cblas_gemv(CBLAS_TRANSPOSE ta, blasint rows, blasint columns, double alpha, const double* a, blasint lda,
                const double* x, blasint stride_x, double beta, double* y, blasint stride_y) {
    cblas_dgemv(CblasRowMajor, ta, rows, columns, alpha, a, lda, x, stride_x, beta, y, stride_y);
}

/// y = alpha op(A) x + beta y, where A is [rows, columns] in memory.
template <class T>
void gemv(Transpose transpose, std::size_t rows, std::size_t columns, T alpha, const T* a, std::size_t lda, const T* x,
          std::size_t stride_x, T beta, T* y, std::size_t stride_y) {
    // gemv may multiply y by beta even when that is 0, and 0 * NaN is NaN.
    if (beta == 0) {
        const std::size_t length = transpose == Transpose::yes ? columns : rows;
        for (std::size_t i = 0; i < length; ++i) y[i * stride_y] = 0;
    }
    cblas_gemv(cblas_transpose(transpose), static_cast<blasint>(rows), static_cast<blasint>(columns), alpha, a,
               static_cast<blasint>(lda), x, static_cast<blasint>(stride_x), beta, y, static_cast<blasint>(stride_y));
}

void check_row_distance(const char* name, std::size_t distance, std::size_t row) {
    if (distance < row)
        throw ShapeError(
            fmt::format("gemm: ld{} is {}, expected at least {}, the length of a row", name, distance, row));
}

}  // namespace

template <class T>
void gemm(Transpose transpose_a, Transpose transpose_b, std::size_t m, std::size_t n, std::size_t k,
          std::type_identity_t<T> alpha, const T* a, std::size_t lda, const T* b, std::size_t ldb,
          std::type_identity_t<T> beta, T* c, std::size_t ldc) {
    const bool a_transposed = transpose_a == Transpose::yes;
    const bool b_transposed = transpose_b == Transpose::yes;
    check_row_distance("a", lda, a_transposed ? m : k);
    check_row_distance("b", ldb, b_transposed ? k : n);
    check_row_distance("c", ldc, n);
    if (m == 0 || n == 0) return;
    if (k == 0 || alpha == 0) {
        if (beta != 1) kernels<BlasKernels<T>>().scale(m, n, beta, c, ldc);
        return;
    }
    const bool b_contiguous = !b_transposed || ldb == 1;
    if (k == 1 && b_contiguous) {
        kernels<BlasKernels<T>>().outer_product(m, n, alpha, a, a_transposed ? 1 : lda, b, beta, c, ldc);
        return;
    }

    const std::size_t largest = std::max({m, n, k, lda, ldb, ldc});
    if (largest > static_cast<std::size_t>(std::numeric_limits<blasint>::max()))
        throw ValueError(
            fmt::format("gemm: an extent is {}, expected at most {}", largest, std::numeric_limits<blasint>::max()));
    hold_blas_to_one_thread();
    if (n == 1) {
        gemv<T>(transpose_a, a_transposed ? k : m, a_transposed ? m : k, alpha, a, lda, b, b_transposed ? 1 : ldb, beta,
                c, ldc);
        return;
    }
    if (m == 1) {
        // The transpose of the product: c' = op(B)' a'.
        gemv<T>(b_transposed ? Transpose::no : Transpose::yes, b_transposed ? n : k, b_transposed ? k : n, alpha, b,
                ldb, a, a_transposed ? lda : 1, beta, c, 1);
        return;
    }
    // A large product in blocks of C, whose borders do not depend on the number of threads: neither do the bits.
    constexpr std::size_t block = 256, large = std::size_t{1} << 21;
    const bool by_rows = m >= n;
    const std::size_t extent = by_rows ? m : n;
    const std::size_t blocks = m * n * k >= large ? std::max<std::size_t>((extent + block / 2) / block, 1) : 1;
    parallel_for(blocks, [&](std::size_t i) {
        const std::size_t begin = i * block, size = i + 1 == blocks ? extent - begin : block;
        const T* const a_block = by_rows ? a + begin * (a_transposed ? 1 : lda) : a;
        const T* const b_block = by_rows ? b : b + begin * (b_transposed ? ldb : 1);
        T* const c_block = c + begin * (by_rows ? ldc : 1);
        cblas_gemm(cblas_transpose(transpose_a), cblas_transpose(transpose_b), static_cast<blasint>(by_rows ? size : m),
                   static_cast<blasint>(by_rows ? n : size), static_cast<blasint>(k), alpha, a_block,
                   static_cast<blasint>(lda), b_block, static_cast<blasint>(ldb), beta, c_block,
                   static_cast<blasint>(ldc));
    });
}

void hold_blas_to_one_thread() {
    static const bool once = [] {
        openblas_set_num_threads(1);
        return true;
    }();
    static_cast<void>(once);
}

template void gemm(Transpose, Transpose, std::size_t, std::size_t, std::size_t, float, const float*, std::size_t,
                   const float*, std::size_t, float, float*, std::size_t);
template void gemm(Transpose, Transpose, std::size_t, std::size_t, std::size_t, double, const double*, std::size_t,
                   const double*, std::size_t, double, double*, std::size_t);

}  // namespace ebb
