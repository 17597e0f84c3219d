#pragma once
/// Where the gradient of one loss goes: that of the last step of a sequence, on its way back through time.
///
/// L is the loss of the last target alone (of the character after the last one, say; the mean over B sequences), so
/// that a distance means something: dL/dh_{T-d} has come back d steps, and by no other way.

#include <ebb/inspect/decay.hpp>

#include <cstddef>
#include <string>
#include <vector>

#include "gradient_flow/training.hpp"

namespace lab {

struct GateMean {
    std::string name;          // "forget gate"
    std::vector<double> mean;  // over batch and units, at each of the T steps
};

/// One look at a model. A list over distances has T entries, d = 0, ..., T - 1.
struct Measurement {
    double loss = 0;                    // L
    std::vector<double> hidden;         // ||dL/dh_{T-d}||, the Frobenius norm over [B, H]
    std::vector<double> cell_state;     // LSTM: ||dL/dc_{T-d}||
    std::vector<double> gates_alone;    // LSTM: ||dL/dc_T . f_T . ... . f_{T-d+1}||; GRU: the same of h and z
    std::vector<double> contributions;  // ||delta_{T-d}' h_{T-d-1}||: what this step adds to dL/dW_hh
    std::vector<GateMean> gates;        // LSTM: input, forget, output; GRU: reset, update
    double mean_gate = 0;               // of the gate in `gates_alone`, over the steps that the decay is fitted to
    double geometric_gate = 0;          // exp(mean ln f), likewise
    double spectral_radius = 0;         // tanh: of W_hh
    double largest_singular_value = 0;  // tanh: of W_hh

    /// What the direct path's curve belongs to: cell_state where there is one, else hidden.
    const std::vector<double>& carried() const { return cell_state.empty() ? hidden : cell_state; }
};

using ebb::inspect::Decay;
using ebb::inspect::fit_decay;

/// The distances that decays are fitted to: from 1 to the farthest, and no farther than this.
inline constexpr std::size_t longest_fit = ebb::inspect::DecayOptions().longest;

/// The loss of the last target of the sequences, their mean, on the tape that is active.
ebb::Variable<double> last_loss(const SequenceModel<double>& model, const Batch& sequences);

/// Runs the sequences through the model, the loss of the last target back through it, and reads the tape.
/// The model's gradients are set to zero before and hold those of L afterwards; its weights are not touched.
Measurement measure(const SequenceModel<double>& model, const Batch& sequences);

/// Pascanu, Mikolov, Bengio 2013, sect. 2.1: ||dL/dh_{T-d}|| <= ||dL/dh_T|| sigma_max(W_hh)^d for a tanh cell, since
/// dh_t/dh_{t-1} = diag(1 - h_t^2) W_hh and no slope of tanh exceeds 1.
std::vector<double> bound(const Measurement& tanh);

}  // namespace lab
