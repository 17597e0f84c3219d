#pragma once
/// The measures of this folder as figures: what report.hpp, svg.hpp and terminal.hpp draw. Each can be changed before
/// it is added: its title, its caption, an axis.

#include <ebb/inspect/alignment.hpp>
#include <ebb/inspect/figure.hpp>
#include <ebb/inspect/flow_recorder.hpp>
#include <ebb/inspect/jacobians.hpp>
#include <ebb/inspect/loss_surface.hpp>
#include <ebb/inspect/loss_to_state.hpp>
#include <ebb/inspect/lyapunov.hpp>
#include <ebb/inspect/units.hpp>

#include <string_view>
#include <vector>

namespace ebb::inspect {

// ---- over training: a slider through the records of a FlowRecorder. They throw ValueError for a history without
// records, or one that holds nothing of what they draw.

/// ||dL/dh_t|| through time, a line for each state.
LineFigure gradient_norm_figure(const FlowHistory& history);

/// What each step added to the gradient of each recurrent weight.
LineFigure contribution_figure(const FlowHistory& history);

/// Mean activations of the gates through time.
LineFigure gate_figure(const FlowHistory& history);

/// The loss over training, and its largest value within each interval of steps.
LineFigure loss_figure(const FlowHistory& history);

/// ||w_new - w|| / ||w|| over training, a line for each weight, beside the rule of thumb of 1e-3.
LineFigure update_ratio_figure(const FlowHistory& history);

/// The spectral radius of each block of each recurrent weight over training.
LineFigure spectral_radius_figure(const FlowHistory& history);

/// The part of the steps whose gradient was clipped, within each interval of steps.
LineFigure clipping_figure(const FlowHistory& history);

/// How the weights are spread, a line for each: the density of their histograms.
LineFigure weight_histogram_figure(const FlowHistory& history);

/// The same of their gradients, over log10 |dL/dw|.
LineFigure gradient_histogram_figure(const FlowHistory& history);

/// Whether the steps agree: the cosine between what each adds to a recurrent weight's gradient and the whole.
LineFigure alignment_figure(const FlowHistory& history);

/// Singular values over distance, of a state that the recorder was given in `spectra`.
LineFigure singular_value_figure(const FlowHistory& history, std::string_view state);

/// The gradient and a gate unit by unit, of what the recorder was given in `units` and `unit_gates`. These and the
/// following throw ValueError besides where records differ in rows or columns.
HeatMap unit_gradient_map(const FlowHistory& history, std::string_view state);
HeatMap unit_gate_map(const FlowHistory& history, std::string_view gate);

/// Of what FlowRecorder::add was given: the triangle of a state, the loss surface, the unrolled graph.
HeatMap loss_to_state_map(const FlowHistory& history, std::string_view state);
HeatMap loss_surface_map(const FlowHistory& history);
GraphFigure graph_figure(const FlowHistory& history);

// ---- of one tape

/// The cosine between what each step adds to a weight's gradient and the whole: whether the steps agree.
LineFigure alignment_figure(const ContributionAlignment& alignment);

/// Mean activations of a gate, unit by unit.
HeatMap unit_gate_map(const UnitGate& gate);

/// ||dL/dh_t[:, j]||: unit by unit.
HeatMap unit_gradient_map(const UnitFlow& flow);

/// ||dL_k/dh_t||: a triangle. Losses after no time step have no place in it. A row is the step of its loss; where the
/// steps are not evenly spaced and rising (losses that were all taken after the last step), the number of the loss.
HeatMap loss_to_state_map(const LossToState& flow);

/// Singular values of dh_{T-1}/dh_k over the distance T-1-k: the largest, the median and the smallest; where `bound` is
/// given (`norm_bound`), beside it. Singular values below 1e-16 of the largest are rounding: their lines end there.
LineFigure singular_value_figure(const JacobianSpectrum& spectrum, const std::vector<double>& bound = {});

/// The running estimate of the Lyapunov exponents, the largest `most` of them.
LineFigure lyapunov_figure(const LyapunovSpectrum& spectrum, std::size_t most = 5);

/// The loss along two directions, with lines of equal loss.
HeatMap loss_surface_map(const LossSurface& surface);

}  // namespace ebb::inspect
