#pragma once
/// The loops of gradient_flow over the numbers of a state and of gates.

#include <cstddef>

namespace ebb::inspect {

/// Where the figures of one gate go to, one for each step: fractions of its numbers, but for the mean.
struct GateFigures {
    double* mean;
    double* closed;  // below 0.1
    double* open;    // above 0.9
};

}  // namespace ebb::inspect

namespace ebb {

template <class T>
struct FlowKernels {
    /// Which part of the |x| is above `bound`, in each of `count` blocks that begin `distance` numbers apart; 0 of
    /// none.
    void (*fractions_above)(const T* data, std::size_t count, std::ptrdiff_t distance, std::size_t size, T bound,
                            double* fractions);
    /// Of gates that stand side by side, at most `most_gates`, at `count` steps that begin `distance` apart: each step
    /// is rows that are `stride` numbers apart, and a row has `columns` numbers of each gate.
    void (*gates)(const T* data, std::size_t count, std::ptrdiff_t distance, std::size_t rows, std::size_t columns,
                  std::size_t stride, const inspect::GateFigures* figures, std::size_t gates);
    static constexpr std::size_t most_gates = 4;
};

}  // namespace ebb
