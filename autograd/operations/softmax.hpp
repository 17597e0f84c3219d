#pragma once
/// Softmax and its relatives along one axis, safe for numbers of any size: the largest one is subtracted first.
/// Each throws IndexError for an axis that x does not have. NaN, or infinity where the limit does not exist, gives NaN,
/// as in PyTorch: a row of softmax whose entries are all -infinity, or one of them +infinity.

#include <ebb/autograd/operations/reductions.hpp>
#include <ebb/autograd/source_line.hpp>
#include <ebb/autograd/variable.hpp>

#include <cstddef>

namespace ebb {

/// y_i = e^(x_i) / sum_j e^(x_j) along `axis`.
template <class T>
Variable<T> softmax(const Variable<T>& x, std::ptrdiff_t axis = -1, SourceLine at = source_line());

/// y_i = x_i - log sum_j e^(x_j) along `axis`: log(softmax(x)) without its loss of small numbers.
template <class T>
Variable<T> log_softmax(const Variable<T>& x, std::ptrdiff_t axis = -1, SourceLine at = source_line());

/// y = log sum_j e^(x_j) over all elements, over one axis or several; with `keepdims` the reduced axes stay, with
/// extent
/// 1. -infinity where nothing is summed or all entries are -infinity (and then no gradient flows), +infinity where one
/// entry is.
template <class T>
Variable<T> logsumexp(const Variable<T>& x, SourceLine at = source_line());
template <class T>
Variable<T> logsumexp(const Variable<T>& x, std::ptrdiff_t axis, bool keepdims = false, SourceLine at = source_line());
template <class T>
Variable<T> logsumexp(const Variable<T>& x, const Axes& axes, bool keepdims = false, SourceLine at = source_line());

}  // namespace ebb
