/// Compiled once for each instruction set: see core/simd.hpp for what may stand in such a file.

#include <ebb/core/norm_kernels.hpp>
#include <ebb/core/simd.hpp>

namespace ebb {
namespace {

using simd::Vec;

template <class T>
inline double sum_of_squares(const T* data, std::size_t size) {
    constexpr std::size_t W = Vec<T>::width, piece = 64 * W;
    double total = 0;
    for (; size >= piece; data += piece, size -= piece) {
        // Two sums, so that one addition need not wait for the other.
        Vec<T> even(T(0)), odd(T(0));
        for (std::size_t k = 0; k < piece; k += 2 * W) {
            const Vec<T> x = Vec<T>::load(data + k), y = Vec<T>::load(data + k + W);
            even = fma(x, x, even);
            odd = fma(y, y, odd);
        }
        total += sum(even + odd);
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

template <class T>
void sums_of_squares(const T* data, std::size_t count, std::ptrdiff_t distance, std::size_t size, double* sums) {
    for (std::size_t k = 0; k < count; ++k)
        sums[k] = sum_of_squares(data + static_cast<std::ptrdiff_t>(k) * distance, size);
}

template <class T>
constexpr NormKernels<T> table{&sums_of_squares<T>};

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
