#pragma once
/// The loops of gradient_flow over the numbers of a state and of a gate.

#include <cstddef>

namespace ebb::inspect {

/// Of the numbers of a gate: sums and counts, not yet divided by how many they are.
struct GateSums {
    double sum = 0;
    std::size_t closed = 0;  // below 0.1
    std::size_t open = 0;    // above 0.9
};

}  // namespace ebb::inspect

namespace ebb {

template <class T>
struct FlowKernels {
    /// How many |x| are above `bound`, in each of `count` blocks that begin `distance` numbers apart.
    void (*count_above)(const T* data, std::size_t count, std::ptrdiff_t distance, std::size_t size, T bound,
                        double* counts);
    /// Of a gate at `count` steps, `distance` apart: each is rows that are `stride` numbers apart.
    void (*gate)(const T* data, std::size_t count, std::ptrdiff_t distance, std::size_t rows, std::size_t columns,
                 std::size_t stride, inspect::GateSums* sums);
};

}  // namespace ebb
