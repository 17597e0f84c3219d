#pragma once
/// Operations that move elements and change none. Where the elements of the result already lie next to each other, no
/// memory is copied: `reshape` never copies, `slice` and `select` of the first axis do not, and a transposed matrix is
/// copied only when something other than `matmul` looks at it.

#include <ebb/autograd/operations/axes.hpp>
#include <ebb/autograd/source_line.hpp>
#include <ebb/autograd/variable.hpp>
#include <ebb/core/shape.hpp>

#include <cstddef>
#include <initializer_list>
#include <vector>

namespace ebb {

/// The same elements in another shape. Throws ShapeError where the numbers of elements differ.
template <class T>
Variable<T> reshape(const Variable<T>& x, const Shape& shape, SourceLine at = source_line());

/// Without the axis, whose extent must be 1 (ShapeError).
template <class T>
Variable<T> squeeze(const Variable<T>& x, std::ptrdiff_t axis, SourceLine at = source_line());
/// With a new axis of extent 1 before `axis`; -1 appends it.
template <class T>
Variable<T> unsqueeze(const Variable<T>& x, std::ptrdiff_t axis, SourceLine at = source_line());

/// With two axes exchanged: y[.., j, .., i, ..] = x[.., i, .., j, ..].
template <class T>
Variable<T> transpose(const Variable<T>& x, std::ptrdiff_t axis0, std::ptrdiff_t axis1, SourceLine at = source_line());
/// The transposed matrix. Throws ShapeError unless x has two axes.
template <class T>
Variable<T> transpose(const Variable<T>& x, SourceLine at = source_line());

/// The axes in another order: axis k of y is axis axes[k] of x (NumPy's transpose). Throws ValueError unless each axis
/// of x is named once, IndexError for one that it does not have.
template <class T>
Variable<T> permute(const Variable<T>& x, const Axes& axes, SourceLine at = source_line());

/// Along each of `axes` from the last element to the first. Throws ValueError for an axis named twice, and IndexError.
template <class T>
Variable<T> flip(const Variable<T>& x, const Axes& axes, SourceLine at = source_line());
template <class T>
Variable<T> flip(const Variable<T>& x, std::ptrdiff_t axis, SourceLine at = source_line()) {
    return flip(x, Axes{axis}, at);
}

/// Repeated along axes of extent 1 and new leading axes. Throws ShapeError where x does not broadcast to the shape.
template <class T>
Variable<T> broadcast_to(const Variable<T>& x, const Shape& shape, SourceLine at = source_line());

/// x[.., start:stop, ..] along `axis`. Negative positions count from the end.
/// Throws IndexError unless 0 <= start <= stop <= extent: nothing is clipped.
template <class T>
Variable<T> slice(const Variable<T>& x, std::ptrdiff_t axis, std::ptrdiff_t start, std::ptrdiff_t stop,
                  SourceLine at = source_line());
/// x[.., index, ..], without `axis`. A negative index counts from the end. Throws IndexError.
template <class T>
Variable<T> select(const Variable<T>& x, std::ptrdiff_t axis, std::ptrdiff_t index, SourceLine at = source_line());
/// Zeros before and after x along `axis`.
template <class T>
Variable<T> pad(const Variable<T>& x, std::ptrdiff_t axis, std::size_t before, std::size_t after,
                SourceLine at = source_line());

/// Joined along an axis that they have: `concat({a, b}, 1)`. Throws ShapeError where the other extents differ,
/// ValueError for no arrays.
template <class T>
Variable<T> concat(const std::vector<Variable<T>>& xs, std::ptrdiff_t axis = 0, SourceLine at = source_line());
template <class T>
Variable<T> concat(std::initializer_list<Variable<T>> xs, std::ptrdiff_t axis = 0, SourceLine at = source_line()) {
    return concat(std::vector<Variable<T>>(xs), axis, at);
}
/// Joined along a new axis. All have one shape.
template <class T>
Variable<T> stack(const std::vector<Variable<T>>& xs, std::ptrdiff_t axis = 0, SourceLine at = source_line());
template <class T>
Variable<T> stack(std::initializer_list<Variable<T>> xs, std::ptrdiff_t axis = 0, SourceLine at = source_line()) {
    return stack(std::vector<Variable<T>>(xs), axis, at);
}

}  // namespace ebb
