#pragma once
/// A matrix that is laid out once and multiplied many times, as a recurrent weight is at every step.
///
/// A product of few rows spends a third of its time on laying its matrix out, and BLAS does that again in every call.
/// Besides, a row of the result here has the same bits whatever rows stand beside it, so a batch may be divided among
/// any number of threads.

#include <ebb/core/blas.hpp>

#include <cstddef>

namespace ebb {

/// Y [rows, n] += or = X [rows, k] W [k, n].
template <class T>
class PackedMatrix {
  public:
    /// How many numbers `pack` wants memory for.
    static std::size_t size(std::size_t k, std::size_t n);
    /// W = op(matrix): the matrix is [k, n] in memory, or [n, k] when `transposed` is yes, and dense. `memory` must
    /// outlive the packed matrix.
    static PackedMatrix pack(Transpose transposed, std::size_t k, std::size_t n, const T* matrix, T* memory);

    /// Y must not overlap X.
    void multiply(std::size_t rows, const T* x, std::size_t ldx, bool add, T* y, std::size_t ldy) const;
    /// The same for a single row of a batch of one. It has not the bits that `multiply` would give it beside others:
    /// its sum is taken apart, since alone it would wait for each of its own additions.
    void multiply_row(const T* x, bool add, T* y) const;
    /// Whether a matrix is worth laying out to be multiplied with single rows, many times: where it is small, BLAS
    /// spends more time on finding out what to do than on doing it. A large one is read once in either way.
    static bool pays_for_single_rows(std::size_t k, std::size_t n) { return k * n <= std::size_t{1} << 14; }

  private:
    const T* packed_ = nullptr;  // panels of a few columns, row after row
    std::size_t k_ = 0, n_ = 0;
};

}  // namespace ebb
