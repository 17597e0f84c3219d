#pragma once
/// The gradient's flow over a whole training: FlowRecorder looks at chosen steps and keeps a history of bounded size.
///
///     FlowRecorder<float> recorder(model.parameters(), {.every = 10});
///     train(adam, {.steps = 500,
///                  .after_backward = [&](auto& s) {
///                      recorder.after_backward(s.tape, {s.step, s.loss, s.gradient_norm, s.clipped});
///                  },
///                  .after_step = [&](auto&) { recorder.after_step(); }},
///           loss);
///     recorder.history();
///
/// It reads and never writes: gradients, weights and losses are the same to the bit with it and without.

#include <ebb/autograd/parameter.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/inspect/alignment.hpp>
#include <ebb/inspect/gradient_flow.hpp>
#include <ebb/inspect/graph.hpp>
#include <ebb/inspect/histogram.hpp>
#include <ebb/inspect/jacobians.hpp>
#include <ebb/inspect/loss_surface.hpp>
#include <ebb/inspect/loss_to_state.hpp>
#include <ebb/inspect/units.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace ebb::inspect {

/// A weight at one step of the training.
struct ParameterRecord {
    std::string name;
    double value_norm = 0;  ///< ||w||, before the optimiser's step
    double grad_norm = 0;   ///< ||dL/dw||, before clipping
    /// ||w_new - w|| / ||w||: about 1e-3 where a training goes well (Karpathy, "CS231n", neural networks part 3).
    /// NaN where `after_step` was not called, or the weight is 0.
    double update_ratio = std::numeric_limits<double>::quiet_NaN();
    Histogram values;
    Histogram gradients;  ///< of log10 |dL/dw|
    /// rho of each square block of a recurrent weight [G H, H], in the order of the gates; empty for other weights.
    std::vector<double> spectral_radius;
};

/// What the training loop knows about a step.
struct StepFacts {
    std::int64_t step = 0;
    double loss = std::numeric_limits<double>::quiet_NaN();
    double grad_norm = std::numeric_limits<double>::quiet_NaN();  ///< of all parameters together, before clipping
    bool clipped = false;
};

/// One look at the training: after the backward pass of a step.
struct FlowRecord {
    StepFacts facts;
    std::vector<StateFlow> states;
    std::vector<GateFlow> gates;
    std::vector<WeightContributions> contributions;  ///< of the recurrent weights
    std::vector<ParameterRecord> parameters;
    std::vector<UnitFlow> units;            ///< of the states in FlowRecorderOptions::units
    std::vector<UnitGate> unit_gates;       ///< of the gates in FlowRecorderOptions::unit_gates
    std::vector<JacobianSpectrum> spectra;  ///< of the states in FlowRecorderOptions::spectra, and what was added
    std::vector<ContributionAlignment> alignments;  ///< with FlowRecorderOptions::alignment, of the recurrent weights
    // What `add` was given.
    std::vector<LossToState> triangles;  ///< their norms
    std::optional<GraphNumbers> graph;   ///< of the network in FlowHistory::graph
    std::optional<LossSurface> surface;
};

/// Consecutive steps, summed up.
struct StepInterval {
    std::int64_t first_step = 0;
    std::int64_t last_step = 0;
    std::int64_t steps = 0;
    std::int64_t clipped = 0;  ///< steps whose gradient was clipped
    double mean_loss = 0;
    double largest_loss = 0;
    double mean_grad_norm = 0;
    double largest_grad_norm = 0;
};

struct FlowHistory {
    std::vector<FlowRecord> records;      ///< by rising step
    std::vector<StepInterval> intervals;  ///< all steps of the training, recorded or not
    UnrolledGraph graph;                  ///< the last one that `add` was given; without nodes where it was given none
    std::int64_t steps = 0;
    std::int64_t clipped_steps = 0;
};

struct FlowRecorderOptions {
    std::int64_t every = 1;             ///< record the steps that are multiples of it; 0 for none but those in `at`
    std::vector<std::int64_t> at = {};  ///< and these, which are never thinned out
    /// When there are more, every second one is dropped and `every` doubles, so that they stay evenly spread.
    std::size_t max_records = 64;
    std::size_t max_intervals = 512;           ///< when there are more, neighbours are joined; at least 2
    std::vector<std::string> units = {};       ///< states to record unit by unit: "lstm.h"
    std::vector<std::string> unit_gates = {};  ///< and gates: "lstm.forget_gate"
    std::vector<std::string> spectra = {};  ///< states whose Jacobians to record; these cost far more than all the rest
    bool alignment = false;  ///< record `contribution_alignment` of the recurrent weights; throws where that throws
    bool histograms = true;
    /// A weight is taken as recurrent where its name holds this, and its rows are a multiple of its columns.
    std::string recurrent = "weight_hh";
};

template <class T>
class FlowRecorder {
  public:
    /// Throws ValueError for a parameter that is undefined, a negative `every`, `max_records` of 0, or `max_intervals`
    /// below 2.
    explicit FlowRecorder(std::vector<Parameter<T>> parameters, FlowRecorderOptions options = {});

    /// Whether `after_backward` would record this step.
    bool records(std::int64_t step) const;
    /// Call it at each step when the gradients are there, before they are clipped or used. Throws ValueError where
    /// `step` is not larger than at the call before, or a state in `units` or `spectra` is not on the tape.
    void after_backward(Tape<T>& tape, const StepFacts& facts);
    /// What takes more than the tape and is worth its time at a few steps only: after `after_backward`, into the record
    /// of the same step. Where that step is not recorded they do nothing; `records` says so before the work.
    ///
    ///     if (recorder.records(step)) recorder.add(unrolled_graph(tape, loss));
    ///
    /// Of a graph the network is kept once and its numbers at each record, of a triangle the norms. They throw
    /// ValueError for the graph of another network than the records' before.
    void add(UnrolledGraph graph);
    void add(LossToState triangle);
    void add(LossSurface surface);
    void add(JacobianSpectrum spectrum);  ///< as `spectra` does, and of chosen steps alone
    /// Call it when the optimiser has changed the parameters.
    void after_step();

    const FlowHistory& history() const noexcept { return history_; }

  private:
    FlowRecord look(Tape<T>& tape, const StepFacts& facts) const;
    ParameterRecord look(const Parameter<T>& parameter) const;
    bool is_recurrent(const Parameter<T>& parameter) const;
    void thin_out();
    void count(const StepFacts& facts);

    std::vector<Parameter<T>> parameters_;
    FlowRecorderOptions options_;
    FlowHistory history_;
    std::int64_t interval_steps_ = 1;
    std::vector<Array<T>> values_before_;  // of the parameters, between a recorded backward pass and its step
    bool awaits_step_ = false;
    bool is_recorded_ = false;  // the last step: its record is the last one
};

}  // namespace ebb::inspect
