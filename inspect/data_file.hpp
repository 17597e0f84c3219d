#pragma once
/// The numbers of figures and tables as CSV and JSON, to draw them elsewhere.
///
/// Numbers are written with as few digits as read back to the same double. CSV writes what is no number as `nan`, `inf`
/// and `-inf`, which NumPy and pandas read; JSON has no word for them and gets null.

#include <ebb/inspect/figure.hpp>

#include <string>

namespace ebb::inspect {

/// A column for the slider's step (where the figure has frames), one for x and one per series; a cell is empty where a
/// series has no value. Rows without a step hold at every step.
std::string to_csv(const LineFigure& figure);
/// A row per cell: x, y, value.
std::string to_csv(const HeatMap& figure);
std::string to_csv(const Table& table);

/// {"title", "caption", "x": {"label", "unit", "scale"}, "y": ..., "series": [{"name", "x", "y"}], "frames": [{"step",
/// "series"}]}
std::string to_json(const LineFigure& figure);
/// {"title", "caption", "x", "y", "value": axes, "x_at", "y_at", "values": a list per row}
std::string to_json(const HeatMap& figure);
/// {"title", "caption", "columns": [{"header", "unit"}], "rows"}
std::string to_json(const Table& table);

/// These write a file, atomically. They throw ValueError for an empty figure and FileError where they cannot write.
void save_csv(const std::string& path, const LineFigure& figure);
void save_csv(const std::string& path, const HeatMap& figure);
void save_csv(const std::string& path, const Table& table);
void save_json(const std::string& path, const LineFigure& figure);
void save_json(const std::string& path, const HeatMap& figure);
void save_json(const std::string& path, const Table& table);

}  // namespace ebb::inspect
