/// Compiled once for each instruction set: see core/simd.hpp for what may stand in such a file.

#include <ebb/core/block_sums.hpp>
#include <ebb/core/simd.hpp>
#include <ebb/inspect/flow_kernels.hpp>

namespace ebb {
namespace {

using simd::block_sums;
using simd::Vec;

/// How many |x| are above `bound`.
template <class T>
inline std::size_t count_above(const T* data, std::size_t size, T bound) {
    constexpr std::size_t W = Vec<T>::width;
    std::size_t total = 0, k = 0;
    for (; k + W <= size; k += W) total += count(abs(Vec<T>::load(data + k)) > bound);
    if (k < size) total += count(abs(Vec<T>::load(data + k, size - k)) > bound);
    return total;
}

template <class T>
void fractions_above(const T* data, std::size_t count, std::ptrdiff_t distance, std::size_t size, T bound,
                     double* fractions) {
    const double share = 1 / static_cast<double>(size > 0 ? size : 1);
    for (std::size_t k = 0; k < count; ++k, data += distance)
        fractions[k] = static_cast<double>(count_above(data, size, bound)) * share;
}

/// Gates that stand side by side at many steps: rows that are `stride` numbers apart, with `columns` numbers of each.
template <class T>
struct Gates {
    const T* data;
    std::size_t steps;
    std::ptrdiff_t distance;  // from step to step
    std::size_t rows, columns, stride;

    const T* row(std::size_t step, std::size_t gate, std::size_t r) const {
        return data + static_cast<std::ptrdiff_t>(step) * distance + r * stride + gate * columns;
    }
};

/// The figures of a gate of which each step is one short row: it is near when it is read for the second time.
template <class T>
void figures_of_rows(const Gates<T>& gates, std::size_t gate, const inspect::GateFigures& figures) {
    constexpr std::size_t W = Vec<T>::width;
    const std::size_t columns = gates.columns, whole = columns / W * W, rest = columns - whole;
    const T* row = gates.row(0, gate, 0);
    const double share = 1 / static_cast<double>(columns);
    block_sums(
        row, gates.steps, gates.distance, columns, [](Vec<T> sum, Vec<T> x) { return sum + x; },
        [](Vec<T> sums) { return sums; }, figures.mean);
    for (std::size_t step = 0; step < gates.steps; ++step, row += gates.distance) {
        std::size_t closed = 0, open = 0;
        const auto add = [&](Vec<T> x) {
            closed += count(x < T(0.1));
            open += count(x > T(0.9));
        };
        for (std::size_t j = 0; j < whole; j += W) add(Vec<T>::load(row + j));
        if (rest > 0) {
            add(Vec<T>::load(row + whole, rest));
            closed -= W - rest;  // the zeros that fill up the last Vec
        }
        figures.mean[step] *= share;
        figures.closed[step] = static_cast<double>(closed) * share;
        figures.open[step] = static_cast<double>(open) * share;
    }
}

/// The figures of all gates at one step, with counts in lanes, which cost less than counts of masks where there are
/// many. They are read as they lie in memory, gate after gate: a gate by itself would be read in small pieces far
/// apart.
template <std::size_t count, class T>
void figures_of_step(const Gates<T>& gates, std::size_t step, const inspect::GateFigures* figures) {
    constexpr std::size_t W = Vec<T>::width;
    const std::size_t whole = gates.columns / W * W, rest = gates.columns - whole;
    double sums[count] = {}, closed[count] = {}, open[count] = {};
    // Of so many numbers a sum in T loses nothing that matters.
    constexpr std::size_t most_numbers = 4096;
    const std::size_t most_rows = gates.columns > 0 && gates.columns < most_numbers ? most_numbers / gates.columns : 1;
    for (std::size_t begin = 0, end = 0; begin < gates.rows; begin = end) {
        end = gates.rows - begin < most_rows ? gates.rows : begin + most_rows;
        Vec<T> sums_of[count], closed_of[count], open_of[count];
        for (std::size_t g = 0; g < count; ++g) sums_of[g] = closed_of[g] = open_of[g] = T(0);
        const auto add = [&](std::size_t g, Vec<T> x) {
            sums_of[g] += x;
            closed_of[g] += where(x < T(0.1), Vec<T>(1), Vec<T>(0));
            open_of[g] += where(x > T(0.9), Vec<T>(1), Vec<T>(0));
        };
        for (std::size_t r = begin; r < end; ++r)
#pragma GCC unroll 4
            for (std::size_t g = 0; g < count; ++g) {
                const T* const row = gates.row(step, g, r);
                for (std::size_t j = 0; j < whole; j += W) add(g, Vec<T>::load(row + j));
                if (rest > 0) add(g, Vec<T>::load(row + whole, rest));
            }
        for (std::size_t g = 0; g < count; ++g) {
            sums[g] += sum(sums_of[g]);
            closed[g] += sum(closed_of[g]);
            open[g] += sum(open_of[g]);
        }
    }
    const std::size_t numbers = gates.rows * gates.columns, padding = gates.rows * ((W - gates.columns % W) % W);
    const double share = 1 / static_cast<double>(numbers > 0 ? numbers : 1);
    for (std::size_t g = 0; g < count; ++g) {
        figures[g].mean[step] = sums[g] * share;
        figures[g].closed[step] = (closed[g] - static_cast<double>(padding)) * share;
        figures[g].open[step] = open[g] * share;
    }
}

template <std::size_t count, class T>
void figures_of(const Gates<T>& gates, const inspect::GateFigures* figures) {
    constexpr std::size_t small = 16 * Vec<T>::width;
    if (gates.rows == 1 && gates.columns > 0 && gates.columns <= small)
        for (std::size_t g = 0; g < count; ++g) figures_of_rows(gates, g, figures[g]);
    else
        for (std::size_t step = 0; step < gates.steps; ++step) figures_of_step<count>(gates, step, figures);
}

template <class T>
void gates(const T* data, std::size_t count, std::ptrdiff_t distance, std::size_t rows, std::size_t columns,
           std::size_t stride, const inspect::GateFigures* figures, std::size_t gates) {
    static_assert(FlowKernels<T>::most_gates == 4);
    const Gates<T> all{data, count, distance, rows, columns, stride};
    switch (gates) {
        case 1:
            return figures_of<1>(all, figures);
        case 2:
            return figures_of<2>(all, figures);
        case 3:
            return figures_of<3>(all, figures);
        default:
            return figures_of<4>(all, figures);
    }
}

template <class T>
constexpr FlowKernels<T> table{&fractions_above<T>, &gates<T>};

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
