#pragma once
/// What an experiment shows, as figures and tables: the report draws them, the terminal prints some of them.

#include <ebb/inspect/figure.hpp>
#include <ebb/inspect/report.hpp>

#include <optional>
#include <string>

#include "gradient_flow/experiment.hpp"

namespace lab {

/// ||dL/dh|| over the distance from the loss, a line a cell: before training (faint), at each stop of the slider, and
/// for the tanh cell what the bound of Pascanu et al. allows.
ebb::inspect::LineFigure gradient_figure(const Experiment& experiment);

/// Bits per character over training: on held-out text, and (dashed) on the text that was trained on.
ebb::inspect::LineFigure loss_figure(const Experiment& experiment);

/// The factor a step by which the gradient falls or grows, over training.
ebb::inspect::LineFigure decay_figure(const Experiment& experiment);

/// Spectral radius and largest singular value of the tanh cell's W_hh over training. Nothing without that cell.
std::optional<ebb::inspect::LineFigure> recurrent_matrix_figure(const Experiment& experiment);

/// The gradient along the state that the gates carry, and what they would carry alone. Nothing for a tanh cell alone.
std::optional<ebb::inspect::LineFigure> carried_figure(const Experiment& experiment);

/// Mean gate activations through time. The cell must have gates.
ebb::inspect::LineFigure gate_figure(const CellResult& result);

/// What each step adds to the gradient of W_hh, over the distance from the loss.
ebb::inspect::LineFigure contribution_figure(const Experiment& experiment);

/// The network unrolled through time, with a slider over training.
ebb::inspect::GraphFigure graph_figure(const CellResult& result);

/// Whether the steps agree on the gradient of W_hh: the cosine of what each adds with the whole, a line a cell.
ebb::inspect::LineFigure alignment_figure(const Experiment& experiment);

/// Largest and middle singular value of dh_T/dh_t over the distance, a line a cell. Nothing where no spectrum was
/// taken.
std::optional<ebb::inspect::LineFigure> spectra_figure(const Experiment& experiment);

/// What close looks at each model show: units, gates, which loss reaches which step, spectra, the unrolled graph.
void add_close_looks(ebb::inspect::Report& report, const Experiment& experiment);

/// A row for each cell before and after training: size, loss, gradient norms at distances 1, 10, 50, 100, half-life.
ebb::inspect::Table summary_table(const Experiment& experiment);

/// A row for each cell before and after training: the decay per step beside what theory says of it.
ebb::inspect::Table decay_table(const Experiment& experiment);

/// "3.0 steps", "doubles in 12 steps", "-" where no line could be fitted.
std::string half_life_text(const std::optional<Decay>& decay);

/// "1 to 100", the distances that all decays are fitted to where the norms go so far.
std::string fit_range(const Experiment& experiment);

ebb::inspect::Report make_report(const Experiment& experiment);

}  // namespace lab
