#pragma once

#include <ebb/autograd/tape.hpp>
#include <ebb/inspect/figure.hpp>

#include <cstddef>
#include <string_view>

namespace ebb::inspect {

/// Where one sequence of the batch looked: a row for each query, a column for each position, the weight as colour. The
/// weights are a probe of queries that came one at a time, as in a decoder's loop: [B, S] at each time step, called
/// "attention.weights" after their Attention.
///
///     report.add(inspect::attention_map(tape, "attention.weights"));
///
/// Throws ValueError for a name that the tape does not have, IndexError for a sequence that is not in the batch,
/// ShapeError where the weights are no [B, S] or S changes.
template <class T>
HeatMap attention_map(const Tape<T>& tape, std::string_view weights, std::size_t sequence = 0);

/// The same of queries that came all together: weights [T, B, S].
template <class T>
HeatMap attention_map(const Variable<T>& weights, std::size_t sequence = 0);

}  // namespace ebb::inspect
