#pragma once
/// Operations that move elements and change none. Where the elements of the result already lie next to each other, no
/// memory is copied: `reshape` never copies, `slice` and `select` of the first axis do not, and a transposed matrix is
/// copied only when something other than `matmul` looks at it.

#include <ebb/autograd/operations/axes.hpp>
#include <ebb/autograd/source_line.hpp>
#include <ebb/autograd/variable.hpp>
#include <ebb/core/shape.hpp>

#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace ebb {

/// A shape of which one extent may be -1: the one that the number of elements makes it.
class OpenShape {
  public:
    // NOLINTBEGIN(google-explicit-constructor): it stands where a shape is written, `reshape(x, {-1, 20})`
    OpenShape(const Shape& shape) : extents_(shape) {}
    /// Throws ValueError for a negative extent but one -1.
    template <std::integral... Extents>
    OpenShape(Extents... extents) {
        // An unsigned extent that is too large for any array must not come to stand for -1.
        (append(std::in_range<std::ptrdiff_t>(extents) ? static_cast<std::ptrdiff_t>(extents) : too_large), ...);
    }
    // NOLINTEND(google-explicit-constructor)

    /// The shape for so many elements. Throws ShapeError, naming `call` and x by its shape, where there is none.
    Shape filled_by(const char* call, const Shape& x) const;

  private:
    static constexpr std::ptrdiff_t too_large = std::numeric_limits<std::ptrdiff_t>::max();
    void append(std::ptrdiff_t extent);
    std::string text() const;
    Shape extents_;
    std::optional<std::size_t> open_;  // the axis whose extent is -1
};

/// The same elements in another shape, `reshape(x, {B, T * I})`, `reshape(x, {-1, 20})`, `reshape(x, {-1})` for all in
/// a row. Throws ShapeError where the numbers of elements differ.
template <class T>
Variable<T> reshape(const Variable<T>& x, const OpenShape& shape, SourceLine at = source_line());

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
/// Zeros before and after x along `axis`. Throws ValueError for a negative number of them: `slice` takes elements away.
template <class T>
Variable<T> pad(const Variable<T>& x, std::ptrdiff_t axis, std::ptrdiff_t before, std::ptrdiff_t after,
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

namespace detail {
/// Of a list whose elements are not all variables of one type, since for such a list the functions above are preferred.
struct OfAnyType {
    template <class T>
    OfAnyType(const Operators<T>&) {}  // NOLINT(google-explicit-constructor): what the list is made of
};
template <class Element>
constexpr void refuse_list() {
    static_assert(sizeof(Element) == 0,
                  "a list joins variables of one type: float and double do not mix, and a Parameter stands in it as "
                  "tape.use(parameter)");
}
}  // namespace detail

/// Of other lists there is none: the compiler says so in a sentence.
template <class Element = detail::OfAnyType>
void concat(std::initializer_list<std::type_identity_t<Element>>, std::ptrdiff_t = 0) {
    detail::refuse_list<Element>();
}
template <class Element = detail::OfAnyType>
void stack(std::initializer_list<std::type_identity_t<Element>>, std::ptrdiff_t = 0) {
    detail::refuse_list<Element>();
}

}  // namespace ebb
