/// Compiled once for each instruction set: see core/simd.hpp for what may stand in such a file.

#include <ebb/core/block_sums.hpp>
#include <ebb/core/norm_kernels.hpp>
#include <ebb/core/simd.hpp>

namespace ebb {
namespace {

using simd::block_sums;
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

template <class T>
bool norms(const T* data, std::size_t count, std::ptrdiff_t distance, std::size_t size, T smallest, T largest,
           double* norms) {
    constexpr std::size_t W = Vec<T>::width, small = 16 * W;
    bool in_range = true;
    if (size <= small) {
        const auto root = [&](Vec<T> sums) {
            const auto outside = (sums < smallest) | (sums > largest);
            in_range &= !any(outside);
            return where(outside, Vec<T>(-1), sqrt(sums));
        };
        block_sums(
            data, count, distance, size, [](Vec<T> sum, Vec<T> x) { return fma(x, x, sum); }, root, norms);
        return in_range;
    }
    for (std::size_t k = 0; k < count; ++k) {
        const double sum = sum_of_squares(data + static_cast<std::ptrdiff_t>(k) * distance, size);
        const bool outside = sum < smallest || sum > largest;
        in_range &= !outside;
        norms[k] = outside ? -1 : sum;
    }
    const auto root = [](Vec<double> sums) { return where(sums < 0, sums, sqrt(sums)); };
    constexpr std::size_t D = Vec<double>::width;
    std::size_t k = 0;
    for (; k + D <= count; k += D) root(Vec<double>::load(norms + k)).store(norms + k);
    if (k < count) root(Vec<double>::load(norms + k, count - k)).store(norms + k, count - k);
    return in_range;
}

template <class T>
constexpr NormKernels<T> table{&norms<T>};

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
