#pragma once
/// What flowed back through time: read off a tape after any backward pass. Nothing is recomputed, and nothing has to be
/// prepared: recurrent cells name their states and gates with the time step as they record them.

#include <ebb/autograd/parameter.hpp>
#include <ebb/autograd/tape.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ebb::inspect {

/// A state through time: h or c of one cell, layer by layer. Index k of every list belongs to time_step[k], ascending.
struct StateFlow {
    std::string name;  ///< "encoder.h"
    std::vector<std::int32_t> time_step;
    std::vector<double> grad_norm;   ///< ||dL/dh_t||, the Frobenius norm over [B, H]; 0 where nothing flowed
    std::vector<double> value_norm;  ///< ||h_t||
    std::vector<double> saturation;  ///< the fraction of |h_t| > 0.9, where tanh passes less than a fifth of a gradient
    bool backwards = false;  ///< computed from the last time step to the first, as half of a bidirectional layer
};

/// A gate through time, averaged over batch and units.
struct GateFlow {
    std::string name;  ///< "encoder.forget_gate"
    std::vector<std::int32_t> time_step;
    std::vector<double> mean;
    std::vector<double>
        closed;                ///< the fraction below 0.1: left-saturated (Karpathy, Johnson, Fei-Fei 2015, sect. 4.2)
    std::vector<double> open;  ///< the fraction above 0.9: right-saturated
};

/// Everything that `gradient_flow` found on a tape.
template <class T>
class GradientFlow {
  public:
    /// The state called `name`. Throws ValueError, listing the names that there are, for any other.
    const StateFlow& operator[](std::string_view name) const;
    const GateFlow& gate(std::string_view name) const;
    const std::vector<StateFlow>& states() const noexcept { return states_; }
    const std::vector<GateFlow>& gates() const noexcept { return gates_; }

  private:
    template <class U>
    friend void gradient_flow(const Tape<U>& tape, GradientFlow<U>& flow);
    std::vector<StateFlow> states_;
    std::vector<GateFlow> gates_;
};

/// The flow through every recurrent cell on the tape. Where several backward passes have run since `tape.clear()`,
/// gradients are their sums, as everywhere. Two cells of the same name are told apart: "h", "h (2)"; and so are two
/// runs of one cell or layer, which has been called again for another sequence.
template <class T>
GradientFlow<T> gradient_flow(const Tape<T>& tape);
/// The same into one that is there, in the place of what it held, whose memory is used again: in a loop over thousands
/// of short runs, asking the system for memory would take as long as looking.
template <class T>
void gradient_flow(const Tape<T>& tape, GradientFlow<T>& flow);

/// What each time step added to the gradient of a weight: dL/dW = sum_t x_t' delta_t, seen term by term.
struct WeightContributions {
    std::string parameter;
    std::vector<std::int32_t>
        time_step;             ///< ascending; one that is known to add nothing, from a state of zeros, may be missing
    std::vector<double> norm;  ///< ||x_t' delta_t||, the Frobenius norm
};

/// The contributions in the backward passes since the last `tape.clear()`. Where a layer has run more than once, a time
/// step's term is the sum over the runs, as over the sequences of a batch. Uses of the weight outside of matrix
/// products with it (an elementwise product, say) belong to no time step and are not in the list. Throws ValueError
/// where the parameter was not used on the tape, or no backward pass has run; and where a step's term is a sum over
/// several passes of which one has gone over a long sequence without keeping its deltas (BackwardOptions).
template <class T>
WeightContributions weight_contributions(const Tape<T>& tape, const Parameter<T>& parameter);

/// Those of each of the parameters: `weight_contributions(tape, lstm.parameters())`. What they have in common, as the
/// deltas of a cell's weights and biases, is looked at once. Throws as above where one of them has none.
template <class T>
std::vector<WeightContributions> weight_contributions(const Tape<T>& tape, const std::vector<Parameter<T>>& parameters);
/// The same into those that are there, as `gradient_flow` does. Where it throws, they hold nothing of use any more.
template <class T>
void weight_contributions(const Tape<T>& tape, const std::vector<Parameter<T>>& parameters,
                          std::vector<WeightContributions>& contributions);

}  // namespace ebb::inspect
