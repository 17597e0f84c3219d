#pragma once

#include <ebb/autograd/parameter.hpp>
#include <ebb/autograd/tape.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace ebb::inspect {

/// How each step's contribution to a weight's gradient stands to the whole: G = sum_t G_t, G_t = x_t' delta_t.
struct ContributionAlignment {
    std::string parameter;
    std::vector<std::int32_t> time_step;  ///< ascending
    std::vector<double> norm;             ///< ||G_t||, as `weight_contributions` gives it
    /// <G_t, G> / (||G_t|| ||G||), from -1 (works against the others) to 1; 0 where either is 0.
    std::vector<double> cosine;
    /// <G_t, G> / ||G||^2: what part of the gradient's length comes from this step. They sum to 1; some are negative
    /// where steps cancel.
    std::vector<double> share;
    double whole_norm = 0;  ///< ||G||
};

/// The alignment in the backward passes since the last `tape.clear()`; costs about as much as the weight's gradient
/// itself. Throws ValueError as `weight_contributions` does, and after a pass over a long sequence that has not kept
/// its deltas: `BackwardOptions{.retain_graph = true}` keeps them.
template <class T>
ContributionAlignment contribution_alignment(const Tape<T>& tape, const Parameter<T>& parameter);

}  // namespace ebb::inspect
