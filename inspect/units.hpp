#pragma once
/// The flow unit by unit and sequence by sequence: what the norms of gradient_flow.hpp sum up, for heat maps.

#include <ebb/autograd/tape.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ebb::inspect {

/// A state, or an input, through time: its columns are units (or features), its rows the sequences of the batch.
/// Matrices are row-major, with a row for each time step.
struct UnitFlow {
    std::string name;                      ///< "encoder.h"
    std::vector<std::int32_t> time_step;   ///< T, ascending
    bool backwards = false;                ///< computed from the last time step to the first
    std::size_t units = 0;                 ///< H
    std::size_t samples = 0;               ///< B; of sequences of different lengths, the most at any step
    std::vector<double> grad_norm;         ///< T: ||dL/dh_t||, over batch and units
    std::vector<double> unit_grad_norm;    ///< [T, H]: ||dL/dh_t[:, j]||, over the batch
    std::vector<double> sample_grad_norm;  ///< [T, B]: ||dL/dh_t[b, :]||, over the units; NaN where b has no step t
    std::vector<double> unit_mean;         ///< [T, H]: the mean of h_t[:, j] over the batch
    std::vector<double> unit_saturation;   ///< [T, H]: the fraction of the batch where |h_t[:, j]| > 0.9
};

/// The state called `state`, after a backward pass; without one all gradients are 0. Throws ValueError for a name that
/// the tape does not have, ShapeError for a state that is no [B, H], or whose H changes.
template <class T>
UnitFlow unit_flow(const Tape<T>& tape, std::string_view state);

/// A sequence x [T, B, I] that was given to a layer: dL/dx_t. Its gradient must have been kept: x is a leaf
/// (`tape.variable`) or `x.retain_grad()` was called before the backward pass. Throws ShapeError for another rank,
/// TapeError where no gradient was kept.
template <class T>
UnitFlow unit_flow(const Variable<T>& x, std::string_view name = "x");
/// The same for x_0, x_1, ..., each [B, I], that were given to a cell.
template <class T>
UnitFlow unit_flow(const std::vector<Variable<T>>& x, std::string_view name = "x");

/// A gate, unit by unit, with the memory that it gives along the direct path: dc_t/dc_{t-1} = diag(f_t) of an LSTM,
/// (dh_t/dh_{t-1})_direct = diag(z_t) of a GRU.
struct UnitGate {
    std::string name;                     ///< "encoder.forget_gate"
    std::vector<std::int32_t> time_step;  ///< T, ascending
    std::size_t units = 0;                ///< H
    std::vector<double> mean;             ///< [T, H]: over the batch
    std::vector<double> closed;           ///< [T, H]: the fraction of the batch below 0.1
    std::vector<double> open;             ///< [T, H]: the fraction of the batch above 0.9
    /// H: exp(mean of ln f over batch and time), the factor per step; NaN for a gate of tanh that was negative.
    std::vector<double> geometric_mean;
    std::vector<double> half_life;  ///< H: `half_life(geometric_mean)`, in steps
};

/// Throws ValueError for a gate that the tape does not have, ShapeError where its width changes between steps.
template <class T>
UnitGate unit_gate(const Tape<T>& tape, std::string_view gate);

}  // namespace ebb::inspect
