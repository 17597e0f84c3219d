#include <ebb/core/instruction_set.hpp>
#include <ebb/core/products.hpp>
#include <ebb/core/products_kernels.hpp>
#include <ebb/core/threads.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace ebb {
namespace {

/// Reused, so that a training step allocates nothing.
template <class T>
struct Scratch {
    std::vector<T> panels, scaled_a, scaled_b, discarded;
    std::vector<double> squared_norms;

    T* panels_for(std::size_t size) {
        if (panels.size() < size) panels.resize(size);
        return panels.data();
    }
};

template <class T>
Scratch<T>& scratch() {
    thread_local Scratch<T> memory;
    return memory;
}

/// Whether a sum of squares is so small or so large that squares of T may have left their range on the way.
template <class T>
bool has_left_range(double squared) {
    using Limits = std::numeric_limits<T>;
    return !(squared >= static_cast<double>(Limits::min()) / static_cast<double>(Limits::epsilon())) ||
           squared > static_cast<double>(Limits::max());
}

/// A copy of a [rows, columns] times 2^-exponent, so that its largest element is about 1. False where a has no such
/// element: it is zero, or holds infinity or NaN.
template <class T>
bool scaled_copy(const T* a, std::size_t rows, std::size_t columns, std::size_t ld, std::vector<T>& copy,
                 int& exponent) {
    T largest = 0;
    for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t j = 0; j < columns; ++j) {
            const T size = std::abs(a[r * ld + j]);
            if (!(size <= largest)) largest = size;  // NaN stays
            if (std::isnan(size)) return false;
        }
    if (largest == 0 || std::isinf(largest)) return false;
    exponent = std::ilogb(largest);
    copy.resize(rows * columns);
    for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t j = 0; j < columns; ++j) copy[r * columns + j] = std::scalbn(a[r * ld + j], -exponent);
    return true;
}

/// ||a' b|| of a term whose squares have left the range of T. Without b: of its column sums.
template <class T>
double norm_of_scaled(const ProductTerm<T>& term, std::size_t m, std::size_t n, double squared) {
    Scratch<T>& memory = scratch<T>();
    int a_exponent = 0, b_exponent = 0;
    if (!scaled_copy(term.a, term.rows, m, term.lda, memory.scaled_a, a_exponent)) return std::sqrt(squared);
    ProductTerm<T> scaled{memory.scaled_a.data(), nullptr, term.rows, m, n};
    if (term.b) {
        if (!scaled_copy(term.b, term.rows, n, term.ldb, memory.scaled_b, b_exponent)) return std::sqrt(squared);
        scaled.b = memory.scaled_b.data();
    }
    const ProductKernels<T>& kernel = kernels<ProductKernels<T>>();
    memory.discarded.assign(m * n, T(0));
    if (term.b)
        kernel.add_products(&scaled, 1, m, n, memory.discarded.data(), n,
                            memory.panels_for(kernel.scratch_size(term.rows, n)), &squared);
    else
        squared = kernel.add_column_sums(scaled, m, memory.discarded.data());
    return std::scalbn(std::sqrt(squared), a_exponent + b_exponent);
}

template <class T>
double norm_of(double squared, const ProductTerm<T>& term, std::size_t m, std::size_t n) {
    return has_left_range<T>(squared) ? norm_of_scaled(term, m, n, squared) : std::sqrt(squared);
}

}  // namespace

namespace {

/// `add_products` for some of the rows of C, and the squares of the norms of what these rows get.
template <class T>
void add_to_rows(std::span<const ProductTerm<T>> terms, std::size_t first, std::size_t m, std::size_t n, T* c,
                 std::size_t ldc, double* squared_norms) {
    const ProductKernels<T>& kernel = kernels<ProductKernels<T>>();
    Scratch<T>& memory = scratch<T>();
    ProductTerm<T> block[products_block_rows];
    for (std::size_t k = 0; k < terms.size();) {
        // As many terms as fit into a block; of a term whose norm is wanted all rows, however many.
        std::size_t count = 0, rows = 0;
        for (; k + count < terms.size() && count < products_block_rows; ++count) {
            const ProductTerm<T>& term = terms[k + count];
            if (count > 0 && rows + term.rows > products_block_rows) break;
            block[count] = {term.a + first, term.b, term.rows, term.lda, term.ldb};
            rows += term.rows;
        }
        if (!squared_norms && rows > products_block_rows) {
            for (ProductTerm<T> part = block[0]; rows > 0; rows -= part.rows) {
                part.rows = std::min(rows, products_block_rows);
                kernel.add_products(&part, 1, m, n, c, ldc, memory.panels_for(kernel.scratch_size(part.rows, n)),
                                    nullptr);
                part.a += part.rows * part.lda;
                part.b += part.rows * part.ldb;
            }
        } else {
            kernel.add_products(block, count, m, n, c, ldc, memory.panels_for(kernel.scratch_size(rows, n)),
                                squared_norms ? squared_norms + k : nullptr);
        }
        k += count;
    }
}

/// Rows of C for each part. It does not depend on the number of threads: neither do the bits of the norms.
std::size_t rows_of_part(std::size_t m, std::size_t n, std::size_t rows) {
    constexpr std::size_t fewest = 64, large = std::size_t{1} << 20;
    return m * n * rows < large ? m : std::max(fewest, (m / 4 + 15) / 16 * 16);
}

}  // namespace

template <class T>
void add_products(std::span<const ProductTerm<T>> terms, std::size_t m, std::size_t n, T* c, std::size_t ldc,
                  double* norms) {
    if (m == 0 || n == 0) {
        if (norms) std::fill_n(norms, terms.size(), 0.0);
        return;
    }
    std::size_t rows = 0;
    for (const ProductTerm<T>& term : terms) rows += term.rows;
    const std::size_t size = rows_of_part(m, n, rows), parts = (m + size - 1) / size;
    std::vector<double>& squared = scratch<T>().squared_norms;
    if (norms && squared.size() < parts * terms.size()) squared.resize(parts * terms.size());
    parallel_for(parts, [&, all = squared.data()](std::size_t part) {
        const std::size_t first = part * size;
        add_to_rows(terms, first, std::min(size, m - first), n, c + first * ldc, ldc,
                    norms ? all + part * terms.size() : nullptr);
    });
    for (std::size_t k = 0; norms && k < terms.size(); ++k) {
        double total = 0;
        for (std::size_t part = 0; part < parts; ++part) total += squared[part * terms.size() + k];
        norms[k] = norm_of(total, terms[k], m, n);
    }
}

template <class T>
void add_column_sums(std::span<const ProductTerm<T>> terms, std::size_t m, T* sums, double* norms) {
    const ProductKernels<T>& kernel = kernels<ProductKernels<T>>();
    for (std::size_t k = 0; k < terms.size(); ++k) {
        ProductTerm<T> term = terms[k];
        term.b = nullptr;
        const double squared = kernel.add_column_sums(term, m, sums);
        if (norms) norms[k] = norm_of(squared, term, m, 1);
    }
}

template void add_products(std::span<const ProductTerm<float>>, std::size_t, std::size_t, float*, std::size_t, double*);
template void add_products(std::span<const ProductTerm<double>>, std::size_t, std::size_t, double*, std::size_t,
                           double*);
template void add_column_sums(std::span<const ProductTerm<float>>, std::size_t, float*, double*);
template void add_column_sums(std::span<const ProductTerm<double>>, std::size_t, double*, double*);

}  // namespace ebb
