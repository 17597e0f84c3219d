#pragma once
/// Elements picked by number, and the transpose: elements added where the numbers say. The numbers are data: no
/// gradient flows into them.

#include <ebb/autograd/parameter.hpp>
#include <ebb/autograd/source_line.hpp>
#include <ebb/autograd/variable.hpp>
#include <ebb/core/array.hpp>
#include <ebb/core/shape.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace ebb {

/// Indices into an axis, counted from 0. Negative ones are errors: they are more often a mistake in the data than a
/// count from the end.
using Indices = Array<std::int64_t>;

/// Throws IndexError, naming `call`, the array by `name` and `shape`, and the first wrong index, unless each counts
/// along `axis`: for callers that must not have recorded anything by then.
void check_indices(std::string_view call, std::span<const std::int64_t> indices, std::string_view name,
                   const Shape& shape, std::size_t axis = 0);

/// y[.., i, ..] = x[.., indices[i], ..] along `axis`, of extent N: indices of any shape S stand in its place (NumPy's
/// take; torch.index_select for S of one axis). An index may occur many times. Throws IndexError for an axis that x
/// does not have, ShapeError for a scalar x, IndexError, naming the first wrong index, unless 0 <= index < N.
template <class T>
Variable<T> index_select(const Variable<T>& x, std::ptrdiff_t axis, const Indices& indices,
                         SourceLine at = source_line());
/// Along the first axis: rows of x [N, ..], y [S.., ..]. With x the weight [V, E] of a vocabulary this is an embedding.
template <class T>
Variable<T> index_select(const Variable<T>& x, const Indices& indices, SourceLine at = source_line()) {
    return index_select(x, 0, indices, at);
}
template <class T>
Variable<T> index_select(const Parameter<T>& x, const Indices& indices, SourceLine at = source_line()) {
    return index_select(Variable<T>(x), indices, at);
}

/// y = x, then y[.., indices[i], ..] += source[.., i, ..] for every i: the transpose of `index_select`, whose result
/// has the shape of the source. Throws ShapeError where the shapes do not fit, and IndexError as above.
template <class T>
Variable<T> index_add(const Variable<T>& x, std::ptrdiff_t axis, const Indices& indices, Operand<T> source,
                      SourceLine at = source_line());
/// Along the first axis.
template <class T>
Variable<T> index_add(const Variable<T>& x, const Indices& indices, Operand<T> source, SourceLine at = source_line()) {
    return index_add(x, 0, indices, source, at);
}

/// y[i][j].. = x[i][indices[i][j]..].. for axis 1, and so on: an index for every element of y, which has the shape of
/// the indices (torch.gather). Indices and x have as many axes, and the indices are nowhere longer than x but along
/// `axis`. Throws ShapeError where they are not so, and IndexError as above.
template <class T>
Variable<T> gather(const Variable<T>& x, std::ptrdiff_t axis, const Indices& indices, SourceLine at = source_line());

/// y = x, then y[i][indices[i][j]..].. += source[i][j].. for axis 1, and so on (torch.scatter_add): the transpose of
/// `gather`. Source and indices are of one shape. Throws as `gather`.
template <class T>
Variable<T> scatter_add(const Variable<T>& x, std::ptrdiff_t axis, const Indices& indices, Operand<T> source,
                        SourceLine at = source_line());

/// Where the largest (smallest) element along `axis` is: the first one of several, or of NaNs, which count as larger
/// (smaller) than all. Without that axis, or with it and extent 1. Throws ValueError where there are no elements.
template <class T>
Indices argmax(const Variable<T>& x, std::ptrdiff_t axis, bool keepdims = false);
template <class T>
Indices argmin(const Variable<T>& x, std::ptrdiff_t axis, bool keepdims = false);

/// Elements, and where they were found.
template <class T>
struct ValuesAndIndices {
    Variable<T> values;
    Indices indices;
};
/// The largest (smallest) element along `axis` and its place, as `argmax` (`argmin`) has it: torch.max(x, axis). The
/// gradient flows to that one element alone; with `max`, which has no indices, equal ones share it.
///
///     const auto [values, indices] = max_with_indices(x, 1);
template <class T>
ValuesAndIndices<T> max_with_indices(const Variable<T>& x, std::ptrdiff_t axis, bool keepdims = false,
                                     SourceLine at = source_line());
template <class T>
ValuesAndIndices<T> min_with_indices(const Variable<T>& x, std::ptrdiff_t axis, bool keepdims = false,
                                     SourceLine at = source_line());

}  // namespace ebb
