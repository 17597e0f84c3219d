#pragma once
/// A model from near: what a norm for each time step does not show.

#include <ebb/inspect/graph.hpp>
#include <ebb/inspect/health.hpp>
#include <ebb/inspect/jacobians.hpp>
#include <ebb/inspect/loss_to_state.hpp>
#include <ebb/inspect/units.hpp>

#include <optional>
#include <vector>

#include "gradient_flow/measurement.hpp"

namespace lab {

struct CloseLook {
    ebb::inspect::UnrolledGraph graph;                       ///< of the loss of the last target
    ebb::inspect::UnitFlow units;                            ///< of h, from the same loss
    std::vector<ebb::inspect::Finding> findings;             ///< from the same loss
    std::optional<ebb::inspect::LossToState> reach;          ///< which target's loss reaches which h
    std::optional<ebb::inspect::JacobianSpectrum> spectrum;  ///< of h, for the first sequence
};

/// What takes long for large models is left out: `reach` above this length, `spectrum` above this length or size.
inline constexpr std::size_t longest_close_look = 256;
inline constexpr std::size_t largest_close_look = 64;

/// Looks at the first few sequences. The model's gradients are set to zero before and afterwards; its weights are not
/// touched.
CloseLook look_closely(const SequenceModel<double>& model, const Batch& sequences);

}  // namespace lab
