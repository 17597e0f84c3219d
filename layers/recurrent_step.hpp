#pragma once
/// The steps of a recurrent cell as nodes of a tape: the part that cells and layers share.

#include <ebb/autograd/name.hpp>
#include <ebb/autograd/node.hpp>
#include <ebb/autograd/variable.hpp>
#include <ebb/layers/sequence_steps.hpp>

#include <cstddef>
#include <functional>
#include <string>

namespace ebb {

enum class CellKind {
    rnn_tanh,
    rnn_relu,
    rnn_activation,  ///< any function in the place of tanh
    lstm,
    gru,
    gru_reset_before,  ///< the reset gate before the product
};

/// How many blocks of H rows the weights of a cell have: 1, 4 (i f g o), 3 (r z n).
constexpr std::size_t gate_count(CellKind kind) noexcept {
    switch (kind) {
        case CellKind::lstm:
            return 4;
        case CellKind::gru:
        case CellKind::gru_reset_before:
            return 3;
        default:
            return 1;
    }
}

/// How a step is recorded.
enum class Granularity {
    fused,       ///< one node, computed by one kernel; its gates are intermediates that can be read by name
    elementary,  ///< the textbook's graph: products, sums, slices, tanh, sigmoid. The same values and gradients.
};

/// What stands in the place of tanh in a cell of kind `rnn_activation`.
template <class T>
using Activation = std::function<Variable<T>(const Variable<T>&)>;

/// The weights of one cell, on a tape. G is the number of gates, P the width of h: H unless an LSTM projects it.
template <class T>
struct RecurrentWeights {
    Variable<T> weight_ih;       ///< [G H, I]
    Variable<T> weight_hh;       ///< [G H, P]
    Variable<T> bias_ih;         ///< [G H], undefined without bias
    Variable<T> bias_hh;         ///< [G H], undefined without bias
    Variable<T> weight_hr = {};  ///< [P, H], of an LSTM with a projection: h_t = W_hr (o . tanh(c_t))
    Variable<T> weight_ch = {};  ///< [3, H], of an LSTM with peepholes: from c to the gates i f o
    const Activation<T>* activation = nullptr;
};

/// Whether one kernel computes the step; else it is recorded in elementary operations.
template <class T>
bool has_fused_step(CellKind kind, Granularity granularity, const RecurrentWeights<T>& weights) noexcept {
    return granularity == Granularity::fused && kind != CellKind::rnn_activation &&
           kind != CellKind::gru_reset_before && !weights.weight_hr.defined() && !weights.weight_ch.defined();
}

/// What the steps are called: the probes that `inspect` finds on the tape.
struct StepLabels {
    Name h;
    Name c;
    StepOwner owner = 0;
    std::int32_t first_time_step = 0;
};

template <class T>
struct RecurrentResult {
    Variable<T> output;  ///< [T, B, H] or [N, H], of a sequence only
    Variable<T> h;       ///< [B, H], after the last step of each sequence
    Variable<T> c;       ///< [B, H], LSTM only
};

/// One step: x [B, I], h and c [B, H]. Shapes are the caller's to check.
template <class T>
RecurrentResult<T> recurrent_step(CellKind kind, Granularity granularity, const Variable<T>& x, const Variable<T>& h,
                                  const Variable<T>& c, const RecurrentWeights<T>& weights, const StepLabels& labels);

/// Sequences: x [T, B, I], or packed [N, I] with the rows of at least one step (sequence_steps.hpp); h and c [B, H].
/// The input projections of all steps are one product, the states lie next to each other in memory, and yet every h_t
/// is a node of its own. `zero_state` says that h and c are known to be zeros, so that the first step needs no product.
/// `reverse` takes the steps from the last to the first. The output has the shape of x, [.., H].
template <class T>
RecurrentResult<T> recurrent_sequence(CellKind kind, Granularity granularity, const Variable<T>& x,
                                      const Variable<T>& h, const Variable<T>& c, bool zero_state,
                                      const RecurrentWeights<T>& weights, const StepLabels& labels,
                                      const PackedSteps& steps, bool reverse = false);

}  // namespace ebb
