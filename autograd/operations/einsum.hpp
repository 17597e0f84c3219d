#pragma once

#include <ebb/autograd/source_line.hpp>
#include <ebb/autograd/variable.hpp>

#include <string_view>

namespace ebb {

/// Einstein's sum: every axis has a letter, and the products are summed over the letters that the result has not:
/// `einsum("bik,bkj->bij", a, b)` is a batched matrix product, `einsum("i,j->ij", u, v)` an outer product.
///
/// As NumPy's and PyTorch's: a letter twice in one operand is its diagonal; without an arrow the result has the letters
/// that occur once, in alphabetical order; an extent of 1 broadcasts; spaces are skipped. "..." stands for the axes
/// without letters, which broadcast: `einsum("...ij,...jk->...ik", a, b)`. Without an arrow they come first in the
/// result; a result that has an arrow and no "..." is summed over them, as in PyTorch. It is one `matmul`, between
/// operations that order axes.
///
/// Throws ValueError, with the equation, for one that cannot be read or does not fit the number of operands; ShapeError
/// where an operand has not as many axes as letters, or a letter stands for two extents.
template <class T>
Variable<T> einsum(std::string_view equation, const Variable<T>& a, Operand<T> b, SourceLine at = source_line());
/// Of one operand: sums, diagonals, the trace, axes in another order.
template <class T>
Variable<T> einsum(std::string_view equation, const Variable<T>& a, SourceLine at = source_line());

}  // namespace ebb
