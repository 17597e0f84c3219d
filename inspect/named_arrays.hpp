#pragma once
/// Every measure as arrays with names, to be saved and read elsewhere: by `save_npz` (npz.hpp) for NumPy and PyTorch,
/// by `save_json` and `save_csv` (data_file.hpp) for all else. docs/python.md draws figures from them.
///
///     NamedArrays arrays = named_arrays(gradient_flow(tape));
///     arrays.merge(named_arrays(jacobian_spectrum(tape, "lstm.h")));
///     save_npz("run.npz", arrays);

#include <ebb/core/array.hpp>
#include <ebb/inspect/alignment.hpp>
#include <ebb/inspect/flow_recorder.hpp>
#include <ebb/inspect/gradient_flow.hpp>
#include <ebb/inspect/jacobians.hpp>
#include <ebb/inspect/loss_surface.hpp>
#include <ebb/inspect/loss_to_state.hpp>
#include <ebb/inspect/units.hpp>

#include <map>
#include <string>

namespace ebb::inspect {

/// Arrays by name. A time step, too, is a number like any other here.
using NamedArrays = std::map<std::string, Array<double>>;

/// "lstm.h.time_step", "lstm.h.grad_norm", "lstm.h.value_norm", "lstm.h.saturation" [T]; of a gate
/// "lstm.forget_gate.time_step", ".mean", ".closed", ".open" [T].
template <class T>
NamedArrays named_arrays(const GradientFlow<T>& flow);
/// "weight_hh.contribution.time_step", "weight_hh.contribution.norm" [T].
NamedArrays named_arrays(const WeightContributions& contributions);
/// "weight_hh.contribution.time_step", ".norm", ".cosine", ".share" [T].
NamedArrays named_arrays(const ContributionAlignment& alignment);
/// "lstm.h.units.time_step", ".grad_norm" [T], ".unit_grad_norm", ".unit_mean", ".unit_saturation" [T, H],
/// ".sample_grad_norm" [T, B].
NamedArrays named_arrays(const UnitFlow& flow);
/// "lstm.forget_gate.units.time_step" [T], ".mean", ".closed", ".open" [T, H], ".geometric_mean", ".half_life" [H].
NamedArrays named_arrays(const UnitGate& gate);
/// "lstm.h.loss_to_state.loss_step" [K], ".time_step" [T], ".norm" [K, T].
NamedArrays named_arrays(const LossToState& triangle);
/// "lstm.h.jacobian.time_step" [T], ".step.singular_values" [T - 1, n], ".step.radius" [T - 1],
/// ".product.singular_values" [T, n], ".product.radius" [T], "lstm.h.lyapunov.exponents" [n], ".running" [steps, n].
NamedArrays named_arrays(const JacobianSpectrum& spectrum);
/// "surface.alpha" [A], "surface.beta" [B], "surface.loss" [B, A], "surface.centre" [].
NamedArrays named_arrays(const LossSurface& surface);
/// R records: "history.step", ".loss", ".grad_norm", ".clipped" [R]; of each state and gate what GradientFlow has, as
/// "history.lstm.h.grad_norm" [R, T]; of each weight "history.weight_hh.value_norm", ".grad_norm", ".update_ratio"
/// [R], ".spectral_radius" [R, gates] and ".contribution" [R, T], and as `numpy.histogram` gives them ".values.count"
/// [R, bins], ".values.edges" [R, bins + 1], ".gradients.count", ".gradients.edges" (of log10), each with ".zeros" and
/// ".nonfinite" [R]; of a state that was recorded unit by unit what UnitFlow has, with R before its axes, as
/// "history.lstm.h.units.unit_grad_norm" [R, T, H], and likewise of one whose Jacobians were recorded, as
/// "history.lstm.h.jacobian.product.singular_values" [R, T, n], of gates unit by unit, triangles and loss surfaces; of
/// alignments "history.weight_hh.contribution.cosine", ".share" [R, T]; of a graph "history.graph.node.value_norm",
/// ".grad_norm" [R, nodes] and "history.graph.edge.grad_norm" [R, edges], NaN where there is none; of all steps
/// "history.interval.first_step", ".steps", ".clipped", ".mean_loss", ".mean_grad_norm", ".largest_grad_norm"
/// [intervals].
/// Where records differ in length, the shorter ones end in NaN.
NamedArrays named_arrays(const FlowHistory& history);

}  // namespace ebb::inspect
