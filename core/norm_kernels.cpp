/// Compiled once for each instruction set: see core/simd.hpp for what may stand in such a file.

#include <ebb/core/norm_kernels.hpp>
#include <ebb/core/simd.hpp>

namespace ebb {
namespace {

using simd::Vec;

template <class T>
inline double sum_of_squares(const T* data, std::size_t size) {
    constexpr std::size_t W = Vec<T>::width, piece = 32 * W;
    double total = 0;
    for (; size >= piece; data += piece, size -= piece) {
        // Four sums, so that one addition need not wait for the other.
        Vec<T> parts[4] = {T(0), T(0), T(0), T(0)};
        for (std::size_t k = 0; k < piece; k += 4 * W)
#pragma GCC unroll 4
            for (std::size_t i = 0; i < 4; ++i) {
                const Vec<T> x = Vec<T>::load(data + k + i * W);
                parts[i] = fma(x, x, parts[i]);
            }
        total += sum((parts[0] + parts[1]) + (parts[2] + parts[3]));
    }
    Vec<T> rest(T(0));
    for (; size >= W; data += W, size -= W) {
        const Vec<T> x = Vec<T>::load(data);
        rest = fma(x, x, rest);
    }
    if (size > 0) {
        const Vec<T> x = Vec<T>::load(data, size);
        rest = fma(x, x, rest);
    }
    return total + sum(rest);
}

/// Of blocks so small that the sum over the lanes takes as long as the squares: as many blocks at a time as there are
/// lanes.
template <class T>
inline void small_sums_of_squares(const T* data, std::size_t count, std::ptrdiff_t distance, std::size_t size,
                                  double* sums_of_blocks) {
    constexpr std::size_t W = Vec<T>::width;
    const std::size_t whole = size / W * W, rest = size - whole;
    for (std::size_t k = 0; k < count; k += W) {
        const std::size_t blocks = count - k < W ? count - k : W;
        Vec<T> squares[W];
        for (std::size_t i = blocks; i < W; ++i) squares[i] = T(0);
        for (std::size_t i = 0; i < blocks; ++i, data += distance) {
            Vec<T> total(T(0));
            for (std::size_t j = 0; j < whole; j += W) {
                const Vec<T> x = Vec<T>::load(data + j);
                total = fma(x, x, total);
            }
            if (rest > 0) {
                const Vec<T> x = Vec<T>::load(data + whole, rest);
                total = fma(x, x, total);
            }
            squares[i] = total;
        }
        T of_blocks[W];
        sums(squares).store(of_blocks);
        for (std::size_t i = 0; i < blocks; ++i) sums_of_blocks[k + i] = of_blocks[i];
    }
}

template <class T>
void sums_of_squares(const T* data, std::size_t count, std::ptrdiff_t distance, std::size_t size, double* sums) {
    constexpr std::size_t small = 16 * Vec<T>::width;
    if (size <= small) return small_sums_of_squares(data, count, distance, size, sums);
    for (std::size_t k = 0; k < count; ++k)
        sums[k] = sum_of_squares(data + static_cast<std::ptrdiff_t>(k) * distance, size);
}

bool roots(double* sums, std::size_t count, double smallest, double largest) {
    constexpr std::size_t W = Vec<double>::width;
    const auto in_range = [=](Vec<double> sum) { return !any((sum < smallest) | (sum > largest)); };
    const std::size_t whole = count / W * W;
    bool all_in_range = true;
    for (std::size_t k = 0; k < whole; k += W) all_in_range &= in_range(Vec<double>::load(sums + k));
    for (std::size_t k = whole; k < count; ++k) all_in_range &= in_range(Vec<double>(sums[k]));
    if (!all_in_range) return false;
    for (std::size_t k = 0; k < whole; k += W) sqrt(Vec<double>::load(sums + k)).store(sums + k);
    if (whole < count) {
        const std::size_t rest = count - whole;
        sqrt(Vec<double>::load(sums + whole, rest)).store(sums + whole, rest);
    }
    return true;
}

template <class T>
constexpr NormKernels<T> table{&sums_of_squares<T>, &roots};

}  // namespace

template <>
const NormKernels<float>& kernels_for<NormKernels<float>, simd::compiled_for>() {
    return table<float>;
}

template <>
const NormKernels<double>& kernels_for<NormKernels<double>, simd::compiled_for>() {
    return table<double>;
}

}  // namespace ebb
