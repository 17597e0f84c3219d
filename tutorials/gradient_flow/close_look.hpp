#pragma once
/// A model from near, at each stop of its training: what a norm for each time step does not show.

#include <ebb/inspect/flow_recorder.hpp>
#include <ebb/inspect/health.hpp>

#include <cstddef>
#include <vector>

#include "gradient_flow/measurement.hpp"

namespace lab {

/// What takes long for large models is left out: triangles above this length, the spectrum above this length or size.
inline constexpr std::size_t longest_close_look = 256;
inline constexpr std::size_t largest_close_look = 64;

/// Looks at a model again and again, always at the first few of these sequences.
class CloseLooks {
  public:
    /// The model's gradients are set to zero before and after each look; its weights are not touched.
    CloseLooks(const SequenceModel<double>& model, const Batch& sequences, const std::vector<std::size_t>& stops);

    /// Of the loss of the last target: the unrolled graph, h unit by unit, the gate that keeps it, alignment of W_hh.
    /// Of the loss of each target: which reaches which h. Of the last stop also the spectrum of h, for the first
    /// sequence, and findings.
    void look(std::size_t step);

    const ebb::inspect::FlowHistory& history() const { return recorder_.history(); }
    const std::vector<ebb::inspect::Finding>& findings() const { return findings_; }

  private:
    SequenceModel<double> model_;
    Batch sequences_;
    std::size_t last_stop_;
    ebb::inspect::FlowRecorder<double> recorder_;
    std::vector<ebb::inspect::Finding> findings_;
};

/// "lstm.h"; "lstm.forget_gate", empty for a cell without a gate that keeps its state.
std::string state_of(Cell cell);
std::string keeping_gate_of(Cell cell);

}  // namespace lab
