/// Compiled once for each instruction set: see core/simd.hpp for what may stand in such a file.

#include <ebb/core/simd.hpp>
#include <ebb/inspect/flow_kernels.hpp>

namespace ebb {
namespace {

using inspect::GateSums;
using simd::Vec;

// A Vec of T counts exactly up to 2^24: a piece at a time.
constexpr std::size_t piece = 1 << 16;

template <class T>
inline std::size_t count_above(const T* data, std::size_t size, T bound) {
    constexpr std::size_t W = Vec<T>::width;
    std::size_t total = 0;
    while (size > 0) {
        const std::size_t here = size < piece ? size : piece;
        Vec<T> count(T(0));
        std::size_t k = 0;
        for (; k + W <= here; k += W) count += where(abs(Vec<T>::load(data + k)) > bound, Vec<T>(1), Vec<T>(0));
        if (k < here) count += where(abs(Vec<T>::load(data + k, here - k)) > bound, Vec<T>(1), Vec<T>(0));
        total += static_cast<std::size_t>(sum(count));
        data += here;
        size -= here;
    }
    return total;
}

template <class T>
void counts_above(const T* data, std::size_t count, std::ptrdiff_t distance, std::size_t size, T bound,
                  double* counts) {
    for (std::size_t k = 0; k < count; ++k)
        counts[k] = static_cast<double>(count_above(data + static_cast<std::ptrdiff_t>(k) * distance, size, bound));
}

// Both counts of a gate are found in one sum, in which an open unit counts as much as this many closed ones. It is
// exact for so few numbers, even in float.
constexpr std::size_t open_one = 4096;

template <class T>
inline void add_gate_block(const T* data, std::size_t rows, std::size_t columns, std::size_t stride,
                           std::size_t count_of_zeros, GateSums& sums) {
    constexpr std::size_t W = Vec<T>::width;
    Vec<T> total(T(0)), counts(T(0));
    const auto add = [&](Vec<T> x) {
        total += x;
        counts += where(x < T(0.1), Vec<T>(1), where(x > T(0.9), Vec<T>(open_one), Vec<T>(0)));
    };
    for (std::size_t r = 0; r < rows; ++r, data += stride) {
        std::size_t j = 0;
        for (; j + W <= columns; j += W) add(Vec<T>::load(data + j));
        if (j < columns) add(Vec<T>::load(data + j, columns - j));
    }
    const auto both = static_cast<std::size_t>(sum(counts));
    sums.sum += static_cast<double>(sum(total));
    sums.closed += both % open_one - count_of_zeros;
    sums.open += both / open_one;
}

template <class T>
void gate(const T* data, std::size_t count, std::ptrdiff_t distance, std::size_t rows, std::size_t columns,
          std::size_t stride, GateSums* sums) {
    constexpr std::size_t W = Vec<T>::width, widest = open_one / 2;
    for (std::size_t k = 0; k < count; ++k) sums[k] = GateSums();
    for (std::size_t j = 0; j < columns; j += widest) {
        const std::size_t width = columns - j < widest ? columns - j : widest;
        // The last Vec of a row is filled up with zeros, which count as closed.
        const std::size_t zeros = (W - width % W) % W, most = (open_one - 1) / (width + zeros);
        for (std::size_t k = 0; k < count; ++k)
            for (std::size_t r = 0; r < rows; r += most) {
                const std::size_t here = rows - r < most ? rows - r : most;
                add_gate_block(data + static_cast<std::ptrdiff_t>(k) * distance + r * stride + j, here, width, stride,
                               here * zeros, sums[k]);
            }
    }
}

template <class T>
constexpr FlowKernels<T> table{&counts_above<T>, &gate<T>};

}  // namespace

template <>
const FlowKernels<float>& kernels_for<FlowKernels<float>, simd::compiled_for>() {
    return table<float>;
}

template <>
const FlowKernels<double>& kernels_for<FlowKernels<double>, simd::compiled_for>() {
    return table<double>;
}

}  // namespace ebb
