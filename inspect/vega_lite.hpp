#pragma once
/// Figures as Vega-Lite 6 specifications: JSON that the report's page draws, and that any Vega-Lite tool can take over.

#include <ebb/inspect/figure.hpp>

#include <string>

namespace ebb::inspect {

/// A specification that holds its data (as CSV, rounded to seven significant digits). The parameter `step` chooses the
/// stop of the slider. Throws ValueError for an empty figure.
std::string to_vega_lite(const LineFigure& figure);
std::string to_vega_lite(const HeatMap& figure);

}  // namespace ebb::inspect
