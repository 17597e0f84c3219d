#pragma once
/// A model from near: what a norm for each time step does not show.

#include <ebb/inspect/graph.hpp>

#include "gradient_flow/measurement.hpp"

namespace lab {

struct CloseLook {
    ebb::inspect::UnrolledGraph graph;  ///< of the loss of the last character
};

/// The model's gradients are set to zero before and hold those of the loss afterwards; its weights are not touched.
CloseLook look_closely(const CharacterModel<double>& model, const Sequences& sequences);

}  // namespace lab
