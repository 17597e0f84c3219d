#pragma once
/// One number in the place of many, over axes as NumPy names them: all axes, one, or several; negative ones count from
/// the end; with `keepdims` the reduced axes stay, with extent 1. Each throws IndexError for an axis that x does not
/// have, ValueError for one named twice.

#include <ebb/autograd/operations/axes.hpp>
#include <ebb/autograd/source_line.hpp>
#include <ebb/autograd/variable.hpp>

#include <cstddef>

namespace ebb {

/// The sum of all elements, of shape [].
template <class T>
Variable<T> sum(const Variable<T>& x, SourceLine at = source_line());
/// The sum over `axes`; over none of them where the list is empty.
template <class T>
Variable<T> sum(const Variable<T>& x, const Axes& axes, bool keepdims = false, SourceLine at = source_line());
template <class T>
Variable<T> sum(const Variable<T>& x, std::ptrdiff_t axis, bool keepdims = false, SourceLine at = source_line()) {
    return sum(x, Axes{axis}, keepdims, at);
}

/// The sum over the axes along which `shape` broadcasts to the shape of x, in that shape: the transpose of
/// `broadcast_to`. Throws ShapeError where it does not broadcast.
template <class T>
Variable<T> sum_to(const Variable<T>& x, const Shape& shape, SourceLine at = source_line());

/// The arithmetic mean; NaN of no elements, as in NumPy.
template <class T>
Variable<T> mean(const Variable<T>& x, SourceLine at = source_line());
template <class T>
Variable<T> mean(const Variable<T>& x, const Axes& axes, bool keepdims = false, SourceLine at = source_line());
template <class T>
Variable<T> mean(const Variable<T>& x, std::ptrdiff_t axis, bool keepdims = false, SourceLine at = source_line()) {
    return mean(x, Axes{axis}, keepdims, at);
}

/// The variance: sum (x - mean)^2 / (n - correction) of n elements (torch.var). The correction 1 makes it unbiased for
/// a sample, 0 is that of the numbers themselves, NumPy's default. NaN where n <= correction, and of no elements.
template <class T>
Variable<T> var(const Variable<T>& x, const Axes& axes, bool keepdims = false, double correction = 1,
                SourceLine at = source_line());
template <class T>
Variable<T> var(const Variable<T>& x, std::ptrdiff_t axis, bool keepdims = false, double correction = 1,
                SourceLine at = source_line()) {
    return var(x, Axes{axis}, keepdims, correction, at);
}
template <class T>
Variable<T> var(const Variable<T>& x, SourceLine at = source_line());

/// The standard deviation, the root of `var` (torch.std; `std` itself is the standard library's name). Where it is 0
/// its gradient is 0, as PyTorch's.
template <class T>
Variable<T> stddev(const Variable<T>& x, const Axes& axes, bool keepdims = false, double correction = 1,
                   SourceLine at = source_line());
template <class T>
Variable<T> stddev(const Variable<T>& x, std::ptrdiff_t axis, bool keepdims = false, double correction = 1,
                   SourceLine at = source_line()) {
    return stddev(x, Axes{axis}, keepdims, correction, at);
}
template <class T>
Variable<T> stddev(const Variable<T>& x, SourceLine at = source_line());

/// The largest and the smallest element (torch.amax, amin; of two arrays: `maximum`). Equal ones share the gradient
/// evenly. A NaN among the elements comes through. Throws ValueError for the largest of no elements.
/// `max_with_indices` (indexing.hpp) says where it is as well.
template <class T>
Variable<T> max(const Variable<T>& x, const Axes& axes, bool keepdims = false, SourceLine at = source_line());
template <class T>
Variable<T> max(const Variable<T>& x, std::ptrdiff_t axis, bool keepdims = false, SourceLine at = source_line()) {
    return max(x, Axes{axis}, keepdims, at);
}
template <class T>
Variable<T> max(const Variable<T>& x, SourceLine at = source_line());
template <class T>
Variable<T> min(const Variable<T>& x, const Axes& axes, bool keepdims = false, SourceLine at = source_line());
template <class T>
Variable<T> min(const Variable<T>& x, std::ptrdiff_t axis, bool keepdims = false, SourceLine at = source_line()) {
    return min(x, Axes{axis}, keepdims, at);
}
template <class T>
Variable<T> min(const Variable<T>& x, SourceLine at = source_line());

/// The product; 1 of no elements. It is multiplied by halves, so that the gradient is exact where elements are 0.
template <class T>
Variable<T> prod(const Variable<T>& x, const Axes& axes, bool keepdims = false, SourceLine at = source_line());
template <class T>
Variable<T> prod(const Variable<T>& x, std::ptrdiff_t axis, bool keepdims = false, SourceLine at = source_line()) {
    return prod(x, Axes{axis}, keepdims, at);
}
template <class T>
Variable<T> prod(const Variable<T>& x, SourceLine at = source_line());

/// The p-norm of the elements as one vector: (sum |x|^p)^(1/p) for p >= 1, max |x| for p = infinity
/// (torch.linalg.vector_norm; of a matrix, p = 2 is the Frobenius norm). The gradient at 0 is 0. Throws ValueError for
/// other p.
template <class T>
Variable<T> norm(const Variable<T>& x, double p, const Axes& axes, bool keepdims = false,
                 SourceLine at = source_line());
template <class T>
Variable<T> norm(const Variable<T>& x, double p, std::ptrdiff_t axis, bool keepdims = false,
                 SourceLine at = source_line()) {
    return norm(x, p, Axes{axis}, keepdims, at);
}
template <class T>
Variable<T> norm(const Variable<T>& x, double p = 2, SourceLine at = source_line());

/// y[.., k, ..] = x[.., 0, ..] + ... + x[.., k, ..] along `axis`.
template <class T>
Variable<T> cumsum(const Variable<T>& x, std::ptrdiff_t axis, SourceLine at = source_line());

}  // namespace ebb
