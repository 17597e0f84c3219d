#pragma once
/// Rows picked by number, and its transpose. The numbers are data: no gradient flows into them.

#include <ebb/autograd/parameter.hpp>
#include <ebb/autograd/variable.hpp>
#include <ebb/core/array.hpp>

#include <cstdint>

namespace ebb {

/// Indices into an axis, counted from 0. Negative ones are errors: they are more often a mistake in the data than a
/// count from the end.
using Indices = Array<std::int64_t>;

/// y[i, ..] = x[indices[i], ..]: rows of x [N, ..] along its first axis; indices of any shape S -> y [S.., ..]. An
/// index may occur many times. With x the weight [V, E] of a vocabulary this is an embedding. Throws ShapeError for x
/// without an axis, IndexError, naming the first wrong index, unless 0 <= index < N.
template <class T>
Variable<T> index_select(const Variable<T>& x, const Indices& indices);
template <class T>
Variable<T> index_select(const Parameter<T>& x, const Indices& indices) {
    return index_select(Variable<T>(x), indices);
}

/// y = x, then y[indices[i], ..] += source[i, ..] for every i: x [N, ..], indices of shape S, source [S.., ..] -> y
/// [N, ..]. The transpose of `index_select`. Throws ShapeError where the shapes do not fit, and IndexError as above.
template <class T>
Variable<T> index_add(const Variable<T>& x, const Indices& indices, Operand<T> source);

}  // namespace ebb
