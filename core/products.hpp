#pragma once
/// Sums of products as the gradient of a weight is one: dW = sum_t delta_t' x_t, a term for each time step.

#include <cstddef>
#include <span>

namespace ebb {

/// One term a' b: a is [rows, m], b is [rows, n], with `lda` and `ldb` numbers from row to row.
template <class T>
struct ProductTerm {
    const T* a;
    const T* b;
    std::size_t rows;
    std::size_t lda;
    std::size_t ldb;
};

/// C += sum_k a_k' b_k, with C [m, n] and `ldc` numbers from row to row, and norms[k] = ||a_k' b_k||, the Frobenius
/// norm.
///
/// The norms come nearly for free: the kernel holds each term's product in registers on its way to C, where a square
/// and a sum more are hidden behind the multiplications of a batch. No other way to them is as cheap: the products
/// one by one would be written and read again, and <a a', b b'> costs as many multiplications as the sum itself where
/// the batch is as large as the matrix. A norm is right also where squares of T would leave its range; its rounding
/// error is that of a sum in T.
///
/// `norms` may be nullptr. Terms may have any numbers of rows; many small ones are as fast as few large ones.
template <class T>
void add_products(std::span<const ProductTerm<T>> terms, std::size_t m, std::size_t n, T* c, std::size_t ldc,
                  double* norms);

/// sums[j] += sum_k sum_r a_k[r, j], the same with a column of ones for b: the gradient of a bias. norms[k] is the norm
/// of the term, a row. `b` and `ldb` are not looked at.
template <class T>
void add_column_sums(std::span<const ProductTerm<T>> terms, std::size_t m, T* sums, double* norms);

}  // namespace ebb
