#pragma once
/// The loops of the elementwise operations: between the formulas, which know nothing of memory, and the engine, which
/// knows nothing of formulas.

#include <ebb/autograd/operations/elementwise_formulas.hpp>

#include <cstddef>

namespace ebb {

constexpr std::size_t max_arity = 3;

/// A table of numbers, `rows` x `columns`, at which a formula is evaluated. The output and dy are contiguous; an input
/// moves by its own step from row to row, and along a row it is contiguous, or one number for all columns (broadcast).
template <class T>
struct ElementwiseBlock {
    std::size_t rows = 1;
    std::size_t columns = 0;
    const T* inputs[max_arity] = {};
    std::ptrdiff_t row_steps[max_arity] = {};
    bool broadcast[max_arity] = {};  // along the columns
    T* y = nullptr;
    bool rows_of_dy = false;  // backward only: rows differ in dy and dx alone, all of them have the inputs of the first
    const T* dy = nullptr;    // backward only
    T* dx = nullptr;          // backward only: lies as its input does
    bool assign = false;      // backward only: dx = ..., else dx += ...; never with an input that is broadcast at all
};

template <class T>
using ElementwiseKernel = void (*)(const ElementwiseBlock<T>&);

/// The loops of all formulas, in the order of `formulas::Formulas`.
template <class T>
struct ElementwiseKernels {
    ElementwiseKernel<T> forward[formulas::Formulas::size];
    ElementwiseKernel<T> backward[formulas::Formulas::size][max_arity];  // by the input whose gradient is wanted
};

}  // namespace ebb
