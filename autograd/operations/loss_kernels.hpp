#pragma once
/// The loops of the losses that are one node.

#include <ebb/autograd/operations/elementwise_formulas.hpp>

#include <cstddef>

namespace ebb {

/// The losses that are a formula of the difference of prediction and target.
using DifferenceFormulas = formulas::FormulaList<formulas::Square, formulas::Abs, formulas::Huber>;

template <class T>
struct LossKernels {
    /// The sum of f(a - b, parameter) over n elements.
    double (*sum[DifferenceFormulas::size])(const T* a, const T* b, std::size_t n, T parameter);
    /// dx = dy f'(a - b, parameter) where `assign`, else dx += ...
    void (*backward[DifferenceFormulas::size])(const T* a, const T* b, std::size_t n, T parameter, T dy, T* dx,
                                               bool assign);
    /// dx = scale e^(x - log_sum_exp) where `assign`, else dx += ...: scale times the softmax of a row.
    void (*scaled_softmax)(const T* x, std::size_t n, T log_sum_exp, T scale, T* dx, bool assign);
};

}  // namespace ebb
