#pragma once
/// The steps of a recurrent cell as nodes of a tape: the part that cells and layers share.

#include <ebb/autograd/name.hpp>
#include <ebb/autograd/node.hpp>
#include <ebb/autograd/variable.hpp>

#include <cstddef>
#include <string>

namespace ebb {

enum class CellKind { rnn_tanh, rnn_relu, lstm, gru };

/// How many blocks of H rows the weights of a cell have: 1, 4 (i f g o), 3 (r z n).
constexpr std::size_t gate_count(CellKind kind) noexcept {
    return kind == CellKind::lstm ? 4 : kind == CellKind::gru ? 3 : 1;
}

/// How a step is recorded.
enum class Granularity {
    fused,       ///< one node, computed by one kernel; its gates are intermediates that can be read by name
    elementary,  ///< the textbook's graph: products, sums, slices, tanh, sigmoid. The same values and gradients.
};

/// The weights of one cell, on a tape. G is the number of gates.
template <class T>
struct RecurrentWeights {
    Variable<T> weight_ih;  ///< [G H, I]
    Variable<T> weight_hh;  ///< [G H, H]
    Variable<T> bias_ih;    ///< [G H], undefined without bias
    Variable<T> bias_hh;    ///< [G H], undefined without bias
};

/// What the steps are called: the probes that `inspect` finds on the tape.
struct StepLabels {
    Name h;
    Name c;
    StepOwner owner = 0;
    std::int32_t first_time_step = 0;
};

template <class T>
struct RecurrentResult {
    Variable<T> output;  ///< [T, B, H], of a sequence only
    Variable<T> h;       ///< [B, H], after the last step
    Variable<T> c;       ///< [B, H], LSTM only
};

/// One step: x [B, I], h and c [B, H]. Shapes are the caller's to check.
template <class T>
RecurrentResult<T> recurrent_step(CellKind kind, Granularity granularity, const Variable<T>& x, const Variable<T>& h,
                                  const Variable<T>& c, const RecurrentWeights<T>& weights, const StepLabels& labels);

/// A sequence of T >= 1 steps: x [T, B, I]. The input projections of all steps are one product, the states lie next to
/// each other in memory, and yet every h_t is a node of its own. `zero_state` says that h and c are known to be zeros,
/// so that the first step needs no product.
template <class T>
RecurrentResult<T> recurrent_sequence(CellKind kind, Granularity granularity, const Variable<T>& x,
                                      const Variable<T>& h, const Variable<T>& c, bool zero_state,
                                      const RecurrentWeights<T>& weights, const StepLabels& labels);

}  // namespace ebb
