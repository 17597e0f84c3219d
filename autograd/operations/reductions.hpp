#pragma once
/// Sums and means over axes, as NumPy's: all axes, one, or several; negative ones count from the end; with `keepdims`
/// the reduced axes stay, with extent 1. Each throws IndexError for an axis that x does not have.

#include <ebb/autograd/variable.hpp>

#include <cstddef>
#include <vector>

namespace ebb {

using Axes = std::vector<std::ptrdiff_t>;

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
