#pragma once
/// The loops behind packed_matrix.hpp.

#include <cstddef>

namespace ebb {

template <class T>
struct PackedMatrixKernels {
    /// Columns that lie together: panel after panel, in each row after row, zeros beyond column n.
    std::size_t panel_width;
    /// y [rows, n] = x [rows, k] w [k, n], or += .
    void (*multiply)(std::size_t rows, std::size_t k, std::size_t n, const T* x, std::size_t ldx, const T* packed,
                     bool add, T* y, std::size_t ldy);
    /// y [n] = x [k] w, or += .
    void (*multiply_row)(std::size_t k, std::size_t n, const T* x, const T* packed, bool add, T* y);
};

}  // namespace ebb
