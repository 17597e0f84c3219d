/// Compiled once for each instruction set: see core/simd.hpp for what may stand in such a file.

#include <ebb/core/products_kernels.hpp>
#include <ebb/core/simd.hpp>

namespace ebb {
namespace {

using simd::Vec;

// C is computed in tiles of tile_rows x NV vectors: with the products of one term and their sum, that is what 32
// registers hold. (With 16 the sums wait on the stack, which costs a tenth.)
constexpr std::size_t tile_rows = 4;
// Columns of a that lie together in the scratch: a cache line of floats.
constexpr std::size_t panel = 16;

template <class T, std::size_t NV>
using Tile = Vec<T>[tile_rows][NV];

template <std::size_t NV, class T>
inline void set_zero(Tile<T, NV>& tile) {
#pragma GCC unroll 8
    for (std::size_t i = 0; i < tile_rows; ++i)
#pragma GCC unroll 2
        for (std::size_t v = 0; v < NV; ++v) tile[i][v] = T(0);
}

/// Where a tile lies in C; at the right and lower edge fewer rows and columns of it count.
template <class T>
struct Place {
    T* c;
    std::size_t ldc, rows, columns;
};

template <std::size_t NV, class T>
inline void add_to_c(const Tile<T, NV>& sum, const Place<T>& to) {
    constexpr std::size_t W = Vec<T>::width;
    if (to.rows == tile_rows && to.columns == NV * W) {
#pragma GCC unroll 8
        for (std::size_t i = 0; i < tile_rows; ++i)
#pragma GCC unroll 2
            for (std::size_t v = 0; v < NV; ++v) {
                T* const c = to.c + i * to.ldc + v * W;
                (Vec<T>::load(c) + sum[i][v]).store(c);
            }
        return;
    }
    T whole[tile_rows][NV * W];
    for (std::size_t i = 0; i < tile_rows; ++i)
        for (std::size_t v = 0; v < NV; ++v) sum[i][v].store(&whole[i][v * W]);
    for (std::size_t i = 0; i < to.rows; ++i)
        for (std::size_t j = 0; j < to.columns; ++j) to.c[i * to.ldc + j] += whole[i][j];
}

/// One tile: the terms' a from column i on, their b from `offset` on. norms: a Vec of partial sums for each term.
template <bool with_norms, std::size_t NV, class T>
inline void add_tile(const ProductTerm<T>* terms, std::size_t count, std::size_t i, std::size_t offset,
                     const Place<T>& to, T* norms) {
    constexpr std::size_t W = Vec<T>::width;
    Tile<T, NV> sum;
    set_zero<NV, T>(sum);
    for (std::size_t k = 0; k < count; ++k) {
        const T* a = terms[k].a + i;
        const T* b = terms[k].b + offset;
        const std::size_t lda = terms[k].lda, ldb = terms[k].ldb;
        Tile<T, NV> product;
        if constexpr (with_norms) set_zero<NV, T>(product);
        auto& into = [&]() -> Tile<T, NV>& {
            if constexpr (with_norms)
                return product;
            else
                return sum;
        }();
        for (std::size_t r = terms[k].rows; r > 0; --r, a += lda, b += ldb) {
            Vec<T> row[NV];
#pragma GCC unroll 2
            for (std::size_t v = 0; v < NV; ++v) row[v] = Vec<T>::load(b + v * W);
#pragma GCC unroll 8
            for (std::size_t q = 0; q < tile_rows; ++q) {
                const Vec<T> factor(a[q]);
#pragma GCC unroll 2
                for (std::size_t v = 0; v < NV; ++v) into[q][v] = fma(factor, row[v], into[q][v]);
            }
        }
        if constexpr (with_norms) {
            Vec<T> squares[NV];
#pragma GCC unroll 2
            for (std::size_t v = 0; v < NV; ++v) squares[v] = T(0);
#pragma GCC unroll 8
            for (std::size_t q = 0; q < tile_rows; ++q)
#pragma GCC unroll 2
                for (std::size_t v = 0; v < NV; ++v) {
                    sum[q][v] += product[q][v];
                    squares[v] = fma(product[q][v], product[q][v], squares[v]);
                }
            Vec<T> total = Vec<T>::load(norms + k * W);
#pragma GCC unroll 2
            for (std::size_t v = 0; v < NV; ++v) total += squares[v];
            total.store(norms + k * W);
        }
    }
    add_to_c<NV, T>(sum, to);
}

/// Copies `columns` numbers of each row, with zeros up to `width`.
template <class T>
inline void pack(const T* from, std::size_t ld, std::size_t rows, std::size_t columns, std::size_t width, T* to) {
    constexpr std::size_t W = Vec<T>::width;
    for (std::size_t r = 0; r < rows; ++r, from += ld, to += width) {
        std::size_t j = 0;
        for (; j + W <= columns; j += W) Vec<T>::load(from + j).store(to + j);
        for (; j < columns; ++j) to[j] = from[j];
        for (; j < width; ++j) to[j] = 0;
    }
}

constexpr std::size_t at_most(std::size_t a, std::size_t b) {
    return a < b ? a : b;
}

/// As the terms lie, where tiles fit without a rest, terms have some rows, and these are so near to each other that
/// they do not fall upon the same few sets of the cache.
template <bool with_norms, std::size_t NV, class T>
void add_in_place(const ProductTerm<T>* terms, std::size_t count, std::size_t m, std::size_t n, T* c, std::size_t ldc,
                  T* norms) {
    constexpr std::size_t columns = NV * Vec<T>::width;
    for (std::size_t j = 0; j < n; j += columns)
        for (std::size_t i = 0; i < m; i += tile_rows)
            add_tile<with_norms, NV, T>(terms, count, i, j, {c + i * ldc + j, ldc, tile_rows, columns}, norms);
}

/// From copies in which the rows of a tile follow each other.
template <bool with_norms, std::size_t NV, class T>
void add_packed(const ProductTerm<T>* terms, std::size_t count, std::size_t m, std::size_t n, T* c, std::size_t ldc,
                T* scratch, T* norms) {
    constexpr std::size_t columns = NV * Vec<T>::width;
    ProductTerm<T> packed[products_block_rows];
    std::size_t rows = 0;
    for (std::size_t k = 0; k < count; ++k) rows += terms[k].rows;
    T* const a = scratch;
    T* const b = scratch + rows * panel;
    for (std::size_t k = 0, row = 0; k < count; row += terms[k++].rows) {
        packed[k] = {a + row * panel, b + row * columns, terms[k].rows, panel, columns};
        for (std::size_t j = 0; j < n; j += columns)
            pack(terms[k].b + j, terms[k].ldb, terms[k].rows, at_most(columns, n - j), columns,
                 b + j * rows + row * columns);
    }
    // Where no norms are wanted, the copies are one term.
    const std::size_t terms_left = with_norms ? count : 1;
    const ProductTerm<T> all{a, b, rows, panel, columns};
    const ProductTerm<T>* const copies = with_norms ? packed : &all;
    for (std::size_t i = 0; i < m; i += panel) {
        const std::size_t width = at_most(panel, m - i);
        for (std::size_t k = 0; k < count; ++k)
            pack(terms[k].a + i, terms[k].lda, terms[k].rows, width, panel, const_cast<T*>(packed[k].a));
        for (std::size_t j = 0; j < n; j += columns)
            for (std::size_t q = 0; q < width; q += tile_rows)
                add_tile<with_norms, NV, T>(
                    copies, terms_left, q, j * rows,
                    {c + (i + q) * ldc + j, ldc, at_most(tile_rows, width - q), at_most(columns, n - j)}, norms);
    }
}

template <bool with_norms, std::size_t NV, class T>
void add_products_by(const ProductTerm<T>* terms, std::size_t count, std::size_t m, std::size_t n, T* c,
                     std::size_t ldc, T* scratch, T* norms) {
    bool in_place = m % tile_rows == 0 && n % (NV * Vec<T>::width) == 0;
    for (std::size_t k = 0; k < count; ++k)
        in_place = in_place && terms[k].rows >= tile_rows && terms[k].lda * sizeof(T) <= 1024 &&
                   terms[k].ldb * sizeof(T) <= 1024;
    if (in_place)
        add_in_place<with_norms, NV, T>(terms, count, m, n, c, ldc, norms);
    else
        add_packed<with_norms, NV, T>(terms, count, m, n, c, ldc, scratch, norms);
}

template <class T>
void add_products(const ProductTerm<T>* terms, std::size_t count, std::size_t m, std::size_t n, T* c, std::size_t ldc,
                  T* scratch, double* squared_norms) {
    constexpr std::size_t W = Vec<T>::width;
    const bool narrow = n <= W;
    if (!squared_norms) {
        if (narrow) return add_products_by<false, 1, T>(terms, count, m, n, c, ldc, scratch, nullptr);
        return add_products_by<false, 2, T>(terms, count, m, n, c, ldc, scratch, nullptr);
    }
    T norms[products_block_rows * W];
    for (std::size_t k = 0; k < count * W; ++k) norms[k] = 0;
    if (narrow)
        add_products_by<true, 1, T>(terms, count, m, n, c, ldc, scratch, norms);
    else
        add_products_by<true, 2, T>(terms, count, m, n, c, ldc, scratch, norms);
    for (std::size_t k = 0; k < count; ++k) squared_norms[k] = sum(Vec<T>::load(norms + k * W));
}

template <class T>
std::size_t scratch_size(std::size_t rows, std::size_t n) {
    constexpr std::size_t widest = 2 * Vec<T>::width;
    return rows * (panel + (n + widest - 1) / widest * widest);
}

/// The sums over the rows, for the columns from j on.
template <class T, class Load>
inline Vec<T> column_sums(const ProductTerm<T>& term, std::size_t j, Load load) {
    Vec<T> total(T(0));
    const T* a = term.a + j;
    for (std::size_t r = term.rows; r > 0; --r, a += term.lda) total += load(a);
    return total;
}

template <class T>
double add_column_sums(const ProductTerm<T>& term, std::size_t m, T* sums) {
    constexpr std::size_t W = Vec<T>::width;
    Vec<T> squares(T(0));
    std::size_t j = 0;
    for (; j + W <= m; j += W) {
        const Vec<T> total = column_sums(term, j, [](const T* a) { return Vec<T>::load(a); });
        squares = fma(total, total, squares);
        (Vec<T>::load(sums + j) + total).store(sums + j);
    }
    if (j < m) {
        const std::size_t rest = m - j;
        const Vec<T> total = column_sums(term, j, [rest](const T* a) { return Vec<T>::load(a, rest); });
        squares = fma(total, total, squares);
        (Vec<T>::load(sums + j, rest) + total).store(sums + j, rest);
    }
    return sum(squares);
}

template <class T>
constexpr ProductKernels<T> table{&scratch_size<T>, &add_products<T>, &add_column_sums<T>};

}  // namespace

template <>
const ProductKernels<float>& kernels_for<ProductKernels<float>, simd::compiled_for>() {
    return table<float>;
}

template <>
const ProductKernels<double>& kernels_for<ProductKernels<double>, simd::compiled_for>() {
    return table<double>;
}

}  // namespace ebb
