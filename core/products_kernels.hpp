#pragma once
/// The loops behind products.hpp.

#include <ebb/core/products.hpp>

#include <cstddef>

namespace ebb {

/// As many rows as a call should have: their panels stay in the cache while the kernel goes over C.
constexpr std::size_t products_block_rows = 256;

template <class T>
struct ProductKernels {
    /// How much scratch `add_products` wants for `rows` in all.
    std::size_t (*scratch_size)(std::size_t rows, std::size_t n);
    /// For at most products_block_rows terms. squared_norms[k] = ||a_k' b_k||^2, summed in T; nullptr where not wanted.
    void (*add_products)(const ProductTerm<T>* terms, std::size_t count, std::size_t m, std::size_t n, T* c,
                         std::size_t ldc, T* scratch, double* squared_norms);
    /// sums[j] += sum_r a[r, j]; gives the squared norm of what it adds, summed in T.
    double (*add_column_sums)(const ProductTerm<T>& term, std::size_t m, T* sums);
};

}  // namespace ebb
