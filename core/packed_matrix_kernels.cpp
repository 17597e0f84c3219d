/// Compiled once for each instruction set: see core/simd.hpp for what may stand in such a file.

#include <ebb/core/packed_matrix_kernels.hpp>
#include <ebb/core/simd.hpp>

namespace ebb {
namespace {

using simd::Vec;

// Two vectors of columns; of rows as many as the registers hold sums for.
template <class T>
constexpr std::size_t panel_width = 2 * Vec<T>::width;
constexpr std::size_t most_rows = simd::compiled_for == InstructionSet::avx512 ? 8 : 4;

/// `count` rows by one panel, of which `columns` count. A sum runs over k in order, whatever rows stand beside it.
template <std::size_t count, class T>
inline void multiply_rows(std::size_t k, const T* x, std::size_t ldx, const T* panel, bool add, T* y, std::size_t ldy,
                          std::size_t columns) {
    constexpr std::size_t W = Vec<T>::width;
    Vec<T> sums[count][2];
    const bool whole = columns == panel_width<T>;
    if (add && whole) {
#pragma GCC unroll 8
        for (std::size_t r = 0; r < count; ++r) {
            sums[r][0] = Vec<T>::load(y + r * ldy);
            sums[r][1] = Vec<T>::load(y + r * ldy + W);
        }
    } else {
#pragma GCC unroll 8
        for (std::size_t r = 0; r < count; ++r) {
            T start[2 * W] = {};
            if (add)
                for (std::size_t j = 0; j < columns; ++j) start[j] = y[r * ldy + j];
            sums[r][0] = add ? Vec<T>::load(start) : Vec<T>(0);
            sums[r][1] = add ? Vec<T>::load(start + W) : Vec<T>(0);
        }
    }
    for (std::size_t i = 0; i < k; ++i, panel += 2 * W) {
        const Vec<T> left = Vec<T>::load(panel), right = Vec<T>::load(panel + W);
#pragma GCC unroll 8
        for (std::size_t r = 0; r < count; ++r) {
            const Vec<T> factor(x[r * ldx + i]);
            sums[r][0] = fma(factor, left, sums[r][0]);
            sums[r][1] = fma(factor, right, sums[r][1]);
        }
    }
#pragma GCC unroll 8
    for (std::size_t r = 0; r < count; ++r) {
        if (whole) {
            sums[r][0].store(y + r * ldy);
            sums[r][1].store(y + r * ldy + W);
            continue;
        }
        T result[2 * W];
        sums[r][0].store(result);
        sums[r][1].store(result + W);
        for (std::size_t j = 0; j < columns; ++j) y[r * ldy + j] = result[j];
    }
}

template <class T>
void multiply(std::size_t rows, std::size_t k, std::size_t n, const T* x, std::size_t ldx, const T* packed, bool add,
              T* y, std::size_t ldy) {
    for (std::size_t j = 0; j < n; j += panel_width<T>) {
        const std::size_t columns = n - j < panel_width<T> ? n - j : panel_width<T>;
        const T* const panel = packed + j * k;
        std::size_t r = 0;
        for (; r + most_rows <= rows; r += most_rows)
            multiply_rows<most_rows>(k, x + r * ldx, ldx, panel, add, y + r * ldy + j, ldy, columns);
        for (; r + 2 <= rows; r += 2) multiply_rows<2>(k, x + r * ldx, ldx, panel, add, y + r * ldy + j, ldy, columns);
        if (r < rows) multiply_rows<1>(k, x + r * ldx, ldx, panel, add, y + r * ldy + j, ldy, columns);
    }
}

/// One row by the first `halves` vectors of a panel. One sum would wait for each of its additions: there are four, of
/// every fourth i.
template <std::size_t halves, class T>
inline void multiply_row_by_panel(std::size_t k, const T* x, const T* panel, bool add, T* y, std::size_t columns) {
    constexpr std::size_t W = Vec<T>::width, at_once = 4;
    Vec<T> sums[at_once][halves];
    const auto add_product = [&](std::size_t i, Vec<T>(&sum)[halves]) {
        const Vec<T> factor(x[i]);
#pragma GCC unroll 2
        for (std::size_t h = 0; h < halves; ++h) sum[h] = fma(factor, Vec<T>::load(panel + i * 2 * W + h * W), sum[h]);
    };
#pragma GCC unroll 4
    for (std::size_t q = 0; q < at_once; ++q)
#pragma GCC unroll 2
        for (std::size_t h = 0; h < halves; ++h) sums[q][h] = T(0);
    std::size_t i = 0;
    for (; i + at_once <= k; i += at_once)
#pragma GCC unroll 4
        for (std::size_t q = 0; q < at_once; ++q) add_product(i + q, sums[q]);
    for (; i < k; ++i) add_product(i, sums[0]);
#pragma GCC unroll 2
    for (std::size_t h = 0; h < halves; ++h) {
        T* const to = y + h * W;
        const std::size_t count = columns - h * W;
        const Vec<T> sum = (sums[0][h] + sums[1][h]) + (sums[2][h] + sums[3][h]);
        if (count >= W)
            (add ? Vec<T>::load(to) + sum : sum).store(to);
        else
            (add ? Vec<T>::load(to, count) + sum : sum).store(to, count);
    }
}

template <class T>
void multiply_row(std::size_t k, std::size_t n, const T* x, const T* packed, bool add, T* y) {
    for (std::size_t j = 0; j < n; j += panel_width<T>) {
        const std::size_t columns = n - j < panel_width<T> ? n - j : panel_width<T>;
        if (columns > Vec<T>::width)
            multiply_row_by_panel<2>(k, x, packed + j * k, add, y + j, columns);
        else
            multiply_row_by_panel<1>(k, x, packed + j * k, add, y + j, columns);
    }
}

template <class T>
constexpr PackedMatrixKernels<T> table{panel_width<T>, &multiply<T>, &multiply_row<T>};

}  // namespace

template <>
const PackedMatrixKernels<float>& kernels_for<PackedMatrixKernels<float>, simd::compiled_for>() {
    return table<float>;
}

template <>
const PackedMatrixKernels<double>& kernels_for<PackedMatrixKernels<double>, simd::compiled_for>() {
    return table<double>;
}

}  // namespace ebb
