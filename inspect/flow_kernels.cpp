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
std::size_t count_above(const T* data, std::size_t size, T bound) {
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
GateSums gate(const T* data, std::size_t rows, std::size_t columns, std::size_t stride) {
    constexpr std::size_t W = Vec<T>::width;
    GateSums sums;
    const std::size_t rows_of_piece = columns < piece ? piece / (columns + 1) + 1 : 1;
    while (rows > 0) {
        const std::size_t here = rows < rows_of_piece ? rows : rows_of_piece;
        Vec<T> total(T(0)), closed(T(0)), open(T(0));
        const auto add = [&](Vec<T> x, Vec<T> outside) {
            // Beyond the end of a row there is 0, which must not count as closed.
            total += x;
            closed += where(x < T(0.1), outside, Vec<T>(0));
            open += where(x > T(0.9), Vec<T>(1), Vec<T>(0));
        };
        T ones[W] = {};
        for (std::size_t i = 0; i < columns % W; ++i) ones[i] = 1;
        const Vec<T> counts = Vec<T>::load(ones);
        for (std::size_t r = 0; r < here; ++r, data += stride) {
            std::size_t j = 0;
            for (; j + W <= columns; j += W) add(Vec<T>::load(data + j), Vec<T>(1));
            if (j < columns) add(Vec<T>::load(data + j, columns - j), counts);
        }
        sums.sum += sum(total);
        sums.closed += static_cast<std::size_t>(sum(closed));
        sums.open += static_cast<std::size_t>(sum(open));
        rows -= here;
    }
    return sums;
}

template <class T>
constexpr FlowKernels<T> table{&count_above<T>, &gate<T>};

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
