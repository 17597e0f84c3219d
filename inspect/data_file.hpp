#pragma once
/// The numbers of figures, tables and measurements as CSV and JSON, to draw them elsewhere.
///
/// Numbers are written with as few digits as read back to the same double. CSV writes what is no number as `nan`, `inf`
/// and `-inf`, which NumPy and pandas read; JSON has no word for them and gets null.

#include <ebb/inspect/figure.hpp>
#include <ebb/inspect/gradient_flow.hpp>
#include <ebb/inspect/named_arrays.hpp>

#include <string>

namespace ebb::inspect {

/// A column for the slider's step (where the figure has frames), one for x and one per series; a cell is empty where a
/// series has no value. Rows without a step hold at every step. A band has two columns: "tanh, low", "tanh, high".
std::string to_csv(const LineFigure& figure);
/// A row per cell: x, y, value; before them the slider's step, where the figure has frames.
std::string to_csv(const HeatMap& figure);
/// A row per node, then a row per edge; nodes have numbers from 0. Before them the slider's step, where the figure has
/// frames.
std::string to_csv(const GraphFigure& figure);
std::string to_csv(const Table& table);

/// A row for each state and gate at each time step: name, time_step, then grad_norm, value_norm, saturation of a state,
/// mean, closed, open of a gate; the others are empty. Names and meanings are those of StateFlow and GateFlow.
template <class T>
std::string to_csv(const GradientFlow<T>& flow);
/// A row per time step: parameter, time_step, norm.
std::string to_csv(const WeightContributions& contributions);
/// A row for each element: array, i, j, k, value; indices that an array does not have are empty. Throws ValueError for
/// no arrays, or one of more than three axes.
std::string to_csv(const NamedArrays& arrays);

/// {"title", "caption", "x": {"label", "unit", "scale"}, "y": ..., "series": [{"name", "x", "y"}], "frames": [{"step",
/// "series"}]}
std::string to_json(const LineFigure& figure);
/// {"title", "caption", "x", "y", "value": axes, "x_at", "y_at", "values": a list per row, or "frames": [{"step",
/// "values"}]}
std::string to_json(const HeatMap& figure);
/// {"title", "caption", "nodes": [{"name", "operation", ...}], "edges": [{"from", "to", "grad_norm"}], "steps",
/// "step_edges", "frames": [{"step", "value_norm", "grad_norm", "edges", "step_edges"}]}; the frames hold lists in the
/// order of nodes and edges
std::string to_json(const GraphFigure& figure);
/// {"title", "caption", "columns": [{"header", "unit"}], "rows"}
std::string to_json(const Table& table);
/// {"states": [{"name", "time_step", "grad_norm", "value_norm", "saturation"}], "gates": [{"name", "time_step", "mean",
/// "closed", "open"}]}
template <class T>
std::string to_json(const GradientFlow<T>& flow);
/// {"parameter", "time_step", "norm"}
std::string to_json(const WeightContributions& contributions);
/// {"lstm.h.grad_norm": {"shape": [5], "values": [..]}}. Throws ValueError for no arrays.
std::string to_json(const NamedArrays& arrays);

/// These write a file, atomically. They throw ValueError for an empty figure and FileError where they cannot write.
void save_csv(const std::string& path, const LineFigure& figure);
void save_csv(const std::string& path, const HeatMap& figure);
void save_csv(const std::string& path, const GraphFigure& figure);
void save_csv(const std::string& path, const Table& table);
template <class T>
void save_csv(const std::string& path, const GradientFlow<T>& flow);
void save_csv(const std::string& path, const WeightContributions& contributions);
void save_csv(const std::string& path, const NamedArrays& arrays);
void save_json(const std::string& path, const LineFigure& figure);
void save_json(const std::string& path, const HeatMap& figure);
void save_json(const std::string& path, const GraphFigure& figure);
void save_json(const std::string& path, const Table& table);
template <class T>
void save_json(const std::string& path, const GradientFlow<T>& flow);
void save_json(const std::string& path, const WeightContributions& contributions);
void save_json(const std::string& path, const NamedArrays& arrays);

}  // namespace ebb::inspect
