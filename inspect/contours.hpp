#pragma once
/// Lines of equal value in a heat map, for still pictures; maps.js finds them for the page.

#include <ebb/inspect/figure.hpp>
#include <ebb/inspect/ticks.hpp>

#include <vector>

namespace ebb::inspect {

/// A piece of such a line between the sides of a square of four neighbouring cells' centres. Places count cells: (2, 0)
/// is the centre of column 2 in row 0.
struct ContourSegment {
    double column_from, row_from, column_to, row_to;
};

/// The pieces of `figure.contours` lines, at even distances on the scale, through `values` [rows, columns] (marching
/// squares: Lorensen, Cline 1987, in the plane). None where a corner has no place on the scale.
std::vector<ContourSegment> contour_segments(const HeatMap& figure, const std::vector<double>& values,
                                             const Ticks& scale);

}  // namespace ebb::inspect
