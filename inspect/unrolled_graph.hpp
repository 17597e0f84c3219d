#pragma once
/// The network unrolled through time, read off a tape.

#include <ebb/autograd/variable.hpp>
#include <ebb/inspect/graph.hpp>

namespace ebb::inspect {

/// The graph of everything that went into `loss`.
///
/// The gradients are those of dL/dL = 1, found by a walk of its own over the tape, node by node through each
/// operation's vector-Jacobian product. So it shows also what no backward pass keeps, the share of each edge:
///
///     dL/dx = sum over the uses y of x of (dy/dx)' dL/dy
///
/// It may come before or after `tape.backward(loss)`, and changes no gradient. In a fused LSTM step dL/dc_t is what the
/// backward pass has kept, since a part of it comes through h_t within the step; without a pass it is what comes from
/// the next step alone. An edge into a fused step carries what comes from the whole step.
///
/// Throws TapeError for a loss of another or a cleared tape, ShapeError for a loss of more than one element.
template <class T>
UnrolledGraph unrolled_graph(Tape<T>& tape, const Variable<T>& loss);

}  // namespace ebb::inspect
