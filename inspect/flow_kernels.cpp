/// Compiled once for each instruction set: see core/simd.hpp for what may stand in such a file.

#include <ebb/core/simd.hpp>
#include <ebb/inspect/flow_kernels.hpp>

namespace ebb {
namespace {

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

/// Of the numbers of a gate: their sum, and how many are below 0.1 and above 0.9.
template <class T>
struct GateSums {
    Vec<T> sum{T(0)}, closed{T(0)}, open{T(0)};

    void add(Vec<T> x) {
        sum += x;
        closed += where(x < T(0.1), Vec<T>(1), Vec<T>(0));
        open += where(x > T(0.9), Vec<T>(1), Vec<T>(0));
    }
};

/// The same of W blocks, one in each lane.
template <class T>
struct BlockSums {
    static constexpr std::size_t W = Vec<T>::width;
    T sum[W], closed[W], open[W];
};

/// The sums of `count` <= W blocks of rows. They are read as they lie in memory, gate after gate: a gate by itself
/// would be read in small pieces far apart. All gates' lanes are summed up at the end, W blocks at once.
template <std::size_t gates, class T>
inline void sum_blocks(const T* data, std::size_t count, std::ptrdiff_t distance, std::size_t rows, std::size_t columns,
                       std::size_t stride, BlockSums<T>* results) {
    constexpr std::size_t W = Vec<T>::width;
    const std::size_t whole = columns / W * W, rest = columns - whole;
    Vec<T> sum[gates][W], closed[gates][W], open[gates][W];
    for (std::size_t k = 0; k < count; ++k, data += distance) {
        GateSums<T> total[gates];
        for (std::size_t r = 0; r < rows; ++r)
#pragma GCC unroll 4
            for (std::size_t g = 0; g < gates; ++g) {
                const T* const gate = data + r * stride + g * columns;
                for (std::size_t j = 0; j < whole; j += W) total[g].add(Vec<T>::load(gate + j));
                if (rest > 0) total[g].add(Vec<T>::load(gate + whole, rest));
            }
#pragma GCC unroll 4
        for (std::size_t g = 0; g < gates; ++g) {
            sum[g][k] = total[g].sum;
            closed[g][k] = total[g].closed;
            open[g][k] = total[g].open;
        }
    }
    for (std::size_t g = 0; g < gates; ++g) {
        for (std::size_t k = count; k < W; ++k) sum[g][k] = closed[g][k] = open[g][k] = T(0);
        sums(sum[g]).store(results[g].sum);
        sums(closed[g]).store(results[g].closed);
        sums(open[g]).store(results[g].open);
    }
}

template <std::size_t gates, class T>
void figures_of(const T* data, std::size_t count, std::ptrdiff_t distance, std::size_t rows, std::size_t columns,
                std::size_t stride, const inspect::GateFigures* figures) {
    constexpr std::size_t W = Vec<T>::width;
    // Of so many numbers a sum in T loses nothing that matters; of larger steps pieces are added up in double.
    constexpr std::size_t most_numbers = 4096;
    const std::size_t most_rows = columns < most_numbers ? most_numbers / (columns + (columns == 0)) : 1;
    const double numbers = static_cast<double>(rows * columns), share = 1 / (numbers > 0 ? numbers : 1);
    // The last Vec of a row is filled up with zeros, which count as closed.
    const double zeros = columns % W > 0 ? static_cast<double>(rows * (W - columns % W)) : 0;
    BlockSums<T> of_blocks[gates];
    if (rows > 0 && rows <= most_rows) {
        for (std::size_t k = 0; k < count; k += W) {
            const std::size_t steps = count - k < W ? count - k : W;
            sum_blocks<gates>(data + static_cast<std::ptrdiff_t>(k) * distance, steps, distance, rows, columns, stride,
                              of_blocks);
            for (std::size_t g = 0; g < gates; ++g)
                for (std::size_t i = 0; i < steps; ++i) {
                    figures[g].mean[k + i] = of_blocks[g].sum[i] * share;
                    figures[g].closed[k + i] = (of_blocks[g].closed[i] - zeros) * share;
                    figures[g].open[k + i] = of_blocks[g].open[i] * share;
                }
        }
        return;
    }
    for (std::size_t k = 0; k < count; ++k) {
        const T* const step = data + static_cast<std::ptrdiff_t>(k) * distance;
        double sum[gates] = {}, closed[gates] = {}, open[gates] = {};
        for (std::size_t r = 0; r < rows;) {
            const std::size_t pieces = (rows - r) / most_rows < W ? (rows - r) / most_rows : W;
            const std::size_t blocks = pieces > 0 ? pieces : 1, block_rows = pieces > 0 ? most_rows : rows - r;
            sum_blocks<gates>(step + r * stride, blocks, static_cast<std::ptrdiff_t>(block_rows * stride), block_rows,
                              columns, stride, of_blocks);
            for (std::size_t g = 0; g < gates; ++g)
                for (std::size_t i = 0; i < blocks; ++i) {
                    sum[g] += of_blocks[g].sum[i];
                    closed[g] += of_blocks[g].closed[i];
                    open[g] += of_blocks[g].open[i];
                }
            r += blocks * block_rows;
        }
        for (std::size_t g = 0; g < gates; ++g) {
            figures[g].mean[k] = sum[g] * share;
            figures[g].closed[k] = (closed[g] - zeros) * share;
            figures[g].open[k] = open[g] * share;
        }
    }
}

template <class T>
void gates(const T* data, std::size_t count, std::ptrdiff_t distance, std::size_t rows, std::size_t columns,
           std::size_t stride, const inspect::GateFigures* figures, std::size_t gates) {
    static_assert(FlowKernels<T>::most_gates == 4);
    switch (gates) {
        case 1:
            return figures_of<1>(data, count, distance, rows, columns, stride, figures);
        case 2:
            return figures_of<2>(data, count, distance, rows, columns, stride, figures);
        case 3:
            return figures_of<3>(data, count, distance, rows, columns, stride, figures);
        default:
            return figures_of<4>(data, count, distance, rows, columns, stride, figures);
    }
}

template <class T>
constexpr FlowKernels<T> table{&counts_above<T>, &gates<T>};

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
