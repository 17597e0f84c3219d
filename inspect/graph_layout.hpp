#pragma once
/// Places for the nodes of an unrolled graph.

#include <ebb/inspect/graph.hpp>

namespace ebb::inspect {

/// Distances between neighbours, in the unit of all places.
inline constexpr double node_distance = 120;  // in one row
inline constexpr double row_distance = 90;
inline constexpr double step_distance = 110;  // between steps that are drawn as one node
inline constexpr double lane_distance = 110;

/// Sets x and y of all nodes and steps.
///
/// A node stands above those of its step that it was computed from, and in the order of these from left to right; a
/// step stands right of the one before. What several steps use stands below all steps and what gathers them above, both
/// about the middle. No two nodes share a place.
void lay_out(UnrolledGraph& graph);

}  // namespace ebb::inspect
