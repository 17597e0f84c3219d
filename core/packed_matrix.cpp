#include <ebb/core/instruction_set.hpp>
#include <ebb/core/packed_matrix.hpp>
#include <ebb/core/packed_matrix_kernels.hpp>
#include <ebb/core/threads.hpp>

#include <algorithm>

namespace ebb {

template <class T>
std::size_t PackedMatrix<T>::size(std::size_t k, std::size_t n) {
    const std::size_t width = kernels<PackedMatrixKernels<T>>().panel_width;
    return (n + width - 1) / width * width * k;
}

template <class T>
PackedMatrix<T> PackedMatrix<T>::pack(Transpose transposed, std::size_t k, std::size_t n, const T* matrix, T* memory) {
    const std::size_t width = kernels<PackedMatrixKernels<T>>().panel_width;
    T* to = memory;
    for (std::size_t j = 0; j < n; j += width) {
        const std::size_t columns = std::min(width, n - j);
        for (std::size_t i = 0; i < k; ++i, to += width) {
            if (transposed == Transpose::yes)
                for (std::size_t q = 0; q < columns; ++q) to[q] = matrix[(j + q) * k + i];
            else
                std::copy_n(matrix + i * n + j, columns, to);
            std::fill(to + columns, to + width, T(0));
        }
    }
    PackedMatrix result;
    result.packed_ = memory;
    result.k_ = k;
    result.n_ = n;
    return result;
}

template <class T>
void PackedMatrix<T>::multiply(std::size_t rows, const T* x, std::size_t ldx, bool add, T* y, std::size_t ldy) const {
    constexpr std::size_t smallest = 8, worthwhile = std::size_t{1} << 21;
    const auto multiply = kernels<PackedMatrixKernels<T>>().multiply;
    if (rows * k_ * n_ < worthwhile) return multiply(rows, k_, n_, x, ldx, packed_, add, y, ldy);
    const std::size_t parts = std::clamp<std::size_t>(rows / smallest, 1, static_cast<std::size_t>(get_num_threads()));
    const auto begin = [&](std::size_t part) {
        return part == parts ? rows : rows * part / parts / smallest * smallest;
    };
    parallel_for(parts, [&](std::size_t part) {
        const std::size_t first = begin(part);
        multiply(begin(part + 1) - first, k_, n_, x + first * ldx, ldx, packed_, add, y + first * ldy, ldy);
    });
}

template <class T>
void PackedMatrix<T>::multiply_row(const T* x, bool add, T* y) const {
    kernels<PackedMatrixKernels<T>>().multiply_row(k_, n_, x, packed_, add, y);
}

template class PackedMatrix<float>;
template class PackedMatrix<double>;

}  // namespace ebb
