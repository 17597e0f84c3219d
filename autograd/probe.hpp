#pragma once

#include <ebb/autograd/variable.hpp>

#include <cstdint>
#include <string_view>

namespace ebb {

/// Makes a state of a cell of your own visible to `inspect`, as Ebb's cells do with theirs: it gets a name and a time
/// step, and keeps its gradient.
///
///     for (std::size_t t = 0; t < x.size(); ++t) {
///         h = tanh(matmul(x[t], w) + matmul(h, u));
///         probe(h, "mycell.h", t);
///     }
///
/// What stands before the last dot is the cell: probes of one cell are one state, (h, c), to the measures that need
/// the whole of it. Call it when the state is computed, before the next step uses it. What the state was computed from
/// since the probe before gets the time step as well, so that products with weights count to the step they belong to;
/// what was computed before the first step counts to that. Returns the variable itself.
/// Throws ValueError for an empty name or a time step that is negative or above 2^31 - 1.
template <class T>
const Variable<T>& probe(const Variable<T>& state, std::string_view name, std::int64_t time_step);

}  // namespace ebb
