#pragma once
/// Products of matrices, by OpenBLAS.

#include <ebb/autograd/parameter.hpp>
#include <ebb/autograd/source_line.hpp>
#include <ebb/autograd/variable.hpp>

namespace ebb {

/// NumPy's matmul: [m, k] [k, n] -> [m, n]; leading axes are a batch and broadcast, [.., m, k] [.., k, n] -> [.., m,
/// n]; an array of one axis is a row on the left, a column on the right, and that axis is gone from the result.
/// `matmul(x, transpose(w))` copies no transposed matrix.
/// Throws ShapeError where the inner extents differ, or for an operand without axes.
template <class T>
Variable<T> matmul(const Variable<T>& a, Operand<T> b, SourceLine at = source_line());
template <class T>
Variable<T> matmul(const Parameter<T>& a, Operand<T> b, SourceLine at = source_line()) {
    return matmul(Variable<T>(a), b, at);
}

/// y = x w' + bias (torch.nn.functional.linear), one node: x [.., in], w [out, in], bias [out] or undefined -> y [..,
/// out]. Throws ShapeError where the extents do not fit.
template <class T>
Variable<T> linear(const Variable<T>& x, Operand<T> weight, Operand<T> bias = {}, SourceLine at = source_line());

}  // namespace ebb
