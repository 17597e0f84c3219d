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

struct Figures {
    std::vector<double> mean, closed, open;
};

/// What the kernel says of gates side by side.
template <class T>
std::vector<Figures> figures_of(const FlowKernels<T>& kernel, const T* data, std::size_t steps, std::ptrdiff_t distance,
                                std::size_t rows, std::size_t columns, std::size_t stride, std::size_t gates) {
    std::vector<Figures> all(gates);
    std::vector<inspect::GateFigures> places;
    for (Figures& gate : all) {
        for (std::vector<double>* list : {&gate.mean, &gate.closed, &gate.open}) list->assign(steps, -1);
        places.push_back({gate.mean.data(), gate.closed.data(), gate.open.data()});
    }
    kernel.gates(data, steps, distance, rows, columns, stride, places.data(), gates);
    return all;
}

/// Gates at some steps, the later ones before the earlier in memory, counted one by one.
template <class T>
void check_gates(const FlowKernels<T>& kernel, std::size_t steps, std::size_t rows, std::size_t columns,
                 std::size_t gates) {
    CAPTURE(steps);
    CAPTURE(rows);
    CAPTURE(columns);
    CAPTURE(gates);
    const std::size_t stride = gates * columns + 4, distance = rows * stride + 5;
    const Array<T> numbers = uniform<T>({steps * distance}, 0, 1);
    const T* const first = numbers.data() + (steps - 1) * distance;
    const std::vector<Figures> all =
        figures_of(kernel, first, steps, -static_cast<std::ptrdiff_t>(distance), rows, columns, stride, gates);
    const auto size = static_cast<double>(rows * columns);
    for (std::size_t g = 0; g < gates; ++g)
        for (std::size_t k = 0; k < steps; ++k) {
            double sum = 0, closed = 0, open = 0;
            for (std::size_t r = 0; r < rows; ++r)
                for (std::size_t j = 0; j < columns; ++j) {
                    const T x = numbers((steps - 1 - k) * distance + r * stride + g * columns + j);
                    sum += static_cast<double>(x);
                    closed += x < T(0.1);
                    open += x > T(0.9);
                }
            CHECK(all[g].mean[k] == doctest::Approx(sum / size).epsilon(1e-6));
            CHECK(all[g].closed[k] == doctest::Approx(closed / size).epsilon(1e-12));
            CHECK(all[g].open[k] == doctest::Approx(open / size).epsilon(1e-12));
        }
}

}  // namespace

TEST_CASE_TEMPLATE("the figures of gates side by side, of every size, by every instruction set", T, float, double) {
    for (const InstructionSet set : available_instruction_sets()) {
        CAPTURE(to_string(set));
        manual_seed(3);
        const FlowKernels<T>& kernel = kernels<FlowKernels<T>>(set);
        for (const std::size_t rows : {1u, 3u, 300u})
            for (const std::size_t columns : {1u, 16u, 19u, 64u})
                for (const std::size_t gates : {1u, 3u, 4u}) check_gates<T>(kernel, 3, rows, columns, gates);
        // More steps than are summed at once, and wider than what is added up in T.
        check_gates<T>(kernel, 37, 2, 18, 4);
        for (const std::size_t columns : {8u, 16u, 32u, 35u, 48u, 64u}) check_gates<T>(kernel, 37, 1, columns, 4);
        check_gates<T>(kernel, 3, 5, 5001, 2);
    }
}

TEST_CASE_TEMPLATE("a gate that is all open, or all closed, is counted to the last unit", T, float, double) {
    for (const InstructionSet set : available_instruction_sets()) {
        CAPTURE(to_string(set));
        const FlowKernels<T>& kernel = kernels<FlowKernels<T>>(set);
        for (const std::size_t columns : {4095u, 4096u, 10001u}) {
            const std::vector<T> open(2 * columns, T(1)), closed(2 * columns, T(0));
            const Figures of_open = figures_of(kernel, open.data(), 1, 0, 2, columns, columns, 1)[0];
            CHECK(of_open.mean[0] == doctest::Approx(1));
            CHECK(of_open.open[0] == doctest::Approx(1).epsilon(1e-12));
            CHECK(of_open.closed[0] == 0);
            const auto distance = static_cast<std::ptrdiff_t>(columns);
            const Figures of_closed = figures_of(kernel, closed.data(), 2, distance, 1, columns, columns, 1)[0];
            CHECK(of_closed.open[1] == 0);
            CHECK(of_closed.closed[1] == doctest::Approx(1).epsilon(1e-12));
        }
    }
}

TEST_CASE("gates without numbers are all zero") {
    for (const std::size_t rows : {0u, 2u}) {
        const float none = 0;
        const std::size_t columns = rows == 0 ? 3 : 0;
        const Figures gate = figures_of(kernels<FlowKernels<float>>(), &none, 2, 0, rows, columns, 3, 1)[0];
        for (std::size_t k = 0; k < 2; ++k) {
            CHECK(gate.mean[k] == 0);
            CHECK(gate.closed[k] == 0);
            CHECK(gate.open[k] == 0);
        }
    }
}

TEST_CASE_TEMPLATE("saturated units are counted in each of many blocks, of every size", T, float, double) {
    for (const InstructionSet set : available_instruction_sets()) {
        CAPTURE(to_string(set));
        manual_seed(4);
        for (const std::size_t size : {1u, 8u, 16u, 37u, 300u}) {
            CAPTURE(size);
            const std::size_t blocks = 19, distance = size + 3;
            const Array<T> states = uniform<T>({blocks * distance}, -1, 1);
            std::vector<double> fractions(blocks);
            kernels<FlowKernels<T>>(set).fractions_above(states.data(), blocks, static_cast<std::ptrdiff_t>(distance),
                                                         size, T(0.9), fractions.data());
            for (std::size_t k = 0; k < blocks; ++k) {
                double expected = 0;
                for (std::size_t j = 0; j < size; ++j) expected += std::abs(states(k * distance + j)) > T(0.9);
                CHECK(fractions[k] == doctest::Approx(expected / static_cast<double>(size)).epsilon(1e-15));
            }
        }
        double of_nothing = -1;
        kernels<FlowKernels<T>>(set).fractions_above(nullptr, 1, 0, 0, T(0.9), &of_nothing);
        CHECK(of_nothing == 0);
    }
}
