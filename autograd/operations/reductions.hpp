#pragma once
/// Sums and means over axes, as NumPy's: all axes, one, or several; negative ones count from the end; with `keepdims`
/// the reduced axes stay, with extent 1. Each throws IndexError for an axis that x does not have.

#include <ebb/autograd/variable.hpp>

#include <array>
#include <cstddef>
#include <initializer_list>
#include <vector>

namespace ebb {

/// Axes of an array, negative ones counted from the end; kept in place, so that naming them does not allocate.
class Axes {
  public:
    Axes() = default;
    /// Throws ShapeError for more axes than an array can have.
    Axes(std::initializer_list<std::ptrdiff_t> axes);
    explicit Axes(const std::vector<std::ptrdiff_t>& axes);

    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    const std::ptrdiff_t* begin() const noexcept { return axes_.data(); }
    const std::ptrdiff_t* end() const noexcept { return axes_.data() + size_; }

  private:
    void append(std::ptrdiff_t axis);
    std::array<std::ptrdiff_t, Shape::max_rank> axes_{};
    std::size_t size_ = 0;
};

/// The sum of all elements, of shape [].
template <class T>
Variable<T> sum(const Variable<T>& x);
/// The sum over `axes`; over none of them where the list is empty.
template <class T>
Variable<T> sum(const Variable<T>& x, const Axes& axes, bool keepdims = false);
template <class T>
Variable<T> sum(const Variable<T>& x, std::ptrdiff_t axis, bool keepdims = false) {
    return sum(x, Axes{axis}, keepdims);
}

/// The sum over the axes along which `shape` broadcasts to the shape of x, in that shape: the transpose of
/// `broadcast_to`. Throws ShapeError where it does not broadcast.
template <class T>
Variable<T> sum_to(const Variable<T>& x, const Shape& shape);

/// The arithmetic mean; NaN of no elements, as in NumPy.
template <class T>
Variable<T> mean(const Variable<T>& x);
template <class T>
Variable<T> mean(const Variable<T>& x, const Axes& axes, bool keepdims = false);
template <class T>
Variable<T> mean(const Variable<T>& x, std::ptrdiff_t axis, bool keepdims = false) {
    return mean(x, Axes{axis}, keepdims);
}

}  // namespace ebb
