#pragma once
/// Figures as Vega-Lite 6 specifications: JSON that the report's page draws, and that any Vega-Lite tool can take over.

#include <ebb/inspect/figure.hpp>

#include <string>

namespace ebb::inspect {

/// Whether a specification holds its data.
enum class VegaData {
    inside,  ///< as CSV, rounded to seven significant digits; the parameter `step` chooses the stop of the slider
    named,  ///< "points": who draws it hands over the rows of one stop, with the columns x, s0, s1 ... (or x, y, value)
};

/// The specification of a figure. Throws ValueError for an empty figure.
std::string to_vega_lite(const LineFigure& figure, VegaData data = VegaData::inside);
std::string to_vega_lite(const HeatMap& figure, VegaData data = VegaData::inside);

}  // namespace ebb::inspect
