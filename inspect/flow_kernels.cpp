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

/// Of some numbers of a gate, lane by lane: their sum, and how many are below 0.1 and above 0.9. W times each, since
/// the sums over the lanes are made of W Vecs at once.
template <class T>
struct GateSums {
    static constexpr std::size_t W = Vec<T>::width;
    Vec<T> sum[W], closed[W], open[W];
};

/// Rows are read as they lie in memory, gate after gate: a gate by itself would be read in small pieces far apart. W
/// pieces of that, of one step or of more, are summed over their lanes at a time.
template <class T>
void gates(const T* data, std::size_t count, std::ptrdiff_t distance, std::size_t rows, std::size_t columns,
           std::size_t stride, const inspect::GateFigures* figures, std::size_t gates) {
    constexpr std::size_t W = Vec<T>::width, most_gates = FlowKernels<T>::most_gates;
    const std::size_t whole = columns / W * W, rest = columns - whole;
    // Of so many numbers a sum in T loses nothing that matters; the pieces are added up in double.
    constexpr std::size_t most_numbers = 4096;
    const std::size_t most_rows = columns < most_numbers ? most_numbers / (columns + (columns == 0)) : 1;
    for (std::size_t g = 0; g < gates; ++g)
        for (std::size_t k = 0; k < count; ++k) figures[g].mean[k] = figures[g].closed[k] = figures[g].open[k] = 0;
    std::size_t step = 0, row = 0;
    while (step < count && rows > 0) {
        GateSums<T> pieces[most_gates];
        for (std::size_t g = 0; g < gates; ++g)
            for (std::size_t i = 0; i < W; ++i) pieces[g].sum[i] = pieces[g].closed[i] = pieces[g].open[i] = T(0);
        std::size_t step_of[W];
        std::size_t used = 0;
        for (; used < W && step < count; ++used) {
            const std::size_t end = rows - row < most_rows ? rows : row + most_rows;
            const T* from = data + static_cast<std::ptrdiff_t>(step) * distance + row * stride;
            for (; row < end; ++row, from += stride)
                for (std::size_t g = 0; g < gates; ++g) {
                    Vec<T> sum = pieces[g].sum[used], closed = pieces[g].closed[used], open = pieces[g].open[used];
                    const auto add = [&](Vec<T> x) {
                        sum += x;
                        closed += where(x < T(0.1), Vec<T>(1), Vec<T>(0));
                        open += where(x > T(0.9), Vec<T>(1), Vec<T>(0));
                    };
                    const T* const gate = from + g * columns;
                    for (std::size_t j = 0; j < whole; j += W) add(Vec<T>::load(gate + j));
                    if (rest > 0) add(Vec<T>::load(gate + whole, rest));
                    pieces[g].sum[used] = sum;
                    pieces[g].closed[used] = closed;
                    pieces[g].open[used] = open;
                }
            step_of[used] = step;
            if (row == rows) {
                row = 0;
                ++step;
            }
        }
        for (std::size_t g = 0; g < gates; ++g) {
            T sum[W], closed[W], open[W];
            sums(pieces[g].sum).store(sum);
            sums(pieces[g].closed).store(closed);
            sums(pieces[g].open).store(open);
            for (std::size_t i = 0; i < used; ++i) {
                figures[g].mean[step_of[i]] += sum[i];
                figures[g].closed[step_of[i]] += closed[i];
                figures[g].open[step_of[i]] += open[i];
            }
        }
    }
    // The last Vec of a row is filled up with zeros, which have counted as closed.
    const double numbers = static_cast<double>(rows * columns), share = 1 / (numbers > 0 ? numbers : 1);
    const double zeros = rest > 0 ? static_cast<double>(rows * (W - rest)) : 0;
    for (std::size_t g = 0; g < gates; ++g)
        for (std::size_t k = 0; k < count; ++k) {
            figures[g].mean[k] *= share;
            figures[g].closed[k] = (figures[g].closed[k] - zeros) * share;
            figures[g].open[k] *= share;
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
