#include <ebb/core/array.hpp>
#include <ebb/core/instruction_set.hpp>
#include <ebb/core/random.hpp>
#include <ebb/inspect/flow_kernels.hpp>

#include <cmath>
#include <cstddef>
#include <vector>

#include <doctest/doctest.h>

using namespace ebb;

namespace {

/// A gate at 3 steps, the later ones before the earlier in memory, counted one by one.
template <class T>
void check_gate(const FlowKernels<T>& kernel, std::size_t rows, std::size_t columns, std::size_t stride) {
    CAPTURE(rows);
    CAPTURE(columns);
    const std::size_t steps = 3, distance = rows * stride + 5;
    const Array<T> gates = uniform<T>({steps * distance}, 0, 1);
    std::vector<inspect::GateSums> sums(steps);
    const T* const first = gates.data() + (steps - 1) * distance;
    kernel.gate(first, steps, -static_cast<std::ptrdiff_t>(distance), rows, columns, stride, sums.data());
    for (std::size_t k = 0; k < steps; ++k) {
        double sum = 0;
        std::size_t closed = 0, open = 0;
        for (std::size_t r = 0; r < rows; ++r)
            for (std::size_t j = 0; j < columns; ++j) {
                const T x = gates((steps - 1 - k) * distance + r * stride + j);
                sum += static_cast<double>(x);
                closed += x < T(0.1);
                open += x > T(0.9);
            }
        CHECK(sums[k].sum == doctest::Approx(sum).epsilon(1e-5));
        CHECK(sums[k].closed == closed);
        CHECK(sums[k].open == open);
    }
}

}  // namespace

TEST_CASE_TEMPLATE("a gate's sum and counts, of every size, by every instruction set", T, float, double) {
    for (const InstructionSet set : available_instruction_sets()) {
        CAPTURE(to_string(set));
        manual_seed(3);
        const FlowKernels<T>& kernel = kernels<FlowKernels<T>>(set);
        for (const std::size_t rows : {1u, 3u, 300u})
            for (const std::size_t columns : {1u, 16u, 19u, 64u}) check_gate<T>(kernel, rows, columns, columns + 4);
        check_gate<T>(kernel, 5, 5001, 5001);  // wider than what is counted at once
    }
}

TEST_CASE_TEMPLATE("a gate that is all open, or all closed, is counted to the last unit", T, float, double) {
    for (const InstructionSet set : available_instruction_sets()) {
        CAPTURE(to_string(set));
        for (const std::size_t columns : {4095u, 4096u, 10001u}) {
            const std::vector<T> open(2 * columns, T(1)), closed(2 * columns, T(0));
            std::vector<inspect::GateSums> sums(2);
            kernels<FlowKernels<T>>(set).gate(open.data(), 1, 0, 2, columns, columns, sums.data());
            CHECK(sums[0].open == 2 * columns);
            CHECK(sums[0].closed == 0);
            kernels<FlowKernels<T>>(set).gate(closed.data(), 2, static_cast<std::ptrdiff_t>(columns), 1, columns,
                                              columns, sums.data());
            CHECK(sums[1].open == 0);
            CHECK(sums[1].closed == columns);
        }
    }
}

TEST_CASE_TEMPLATE("saturated units are counted in each of many blocks", T, float, double) {
    for (const InstructionSet set : available_instruction_sets()) {
        CAPTURE(to_string(set));
        manual_seed(4);
        const std::size_t blocks = 4, size = 37, distance = 40;
        const Array<T> states = uniform<T>({blocks * distance}, -1, 1);
        std::vector<double> counts(blocks);
        kernels<FlowKernels<T>>(set).count_above(states.data(), blocks, distance, size, T(0.9), counts.data());
        for (std::size_t k = 0; k < blocks; ++k) {
            double expected = 0;
            for (std::size_t j = 0; j < size; ++j) expected += std::abs(states(k * distance + j)) > T(0.9);
            CHECK(counts[k] == expected);
        }
    }
}
