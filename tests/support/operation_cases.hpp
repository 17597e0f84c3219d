#pragma once
/// Every way in which an operation is checked, given one case of it: a function and its inputs.

#include <ebb/autograd/gradcheck.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "support/random_arrays.hpp"

namespace ebb::test {

template <class T>
using Variables = std::vector<Variable<T>>;

/// The T of a `const Variables<T>&`, for a generic case.
template <class V>
using ScalarOf = typename std::decay_t<V>::value_type::value_type;

/// The same numbers as T.
template <class T>
Array<T> as(const Array<double>& x) {
    Array<T> result = Array<T>::from_shape(x.shape());
    for (std::size_t k = 0; k < x.size(); ++k) result.data()[k] = static_cast<T>(x.data()[k]);
    return result;
}

struct OperationCase {
    std::string operation;  ///< its name in the catalogue
    std::string label;      ///< which case of it
    std::vector<Array<double>> inputs;
    std::function<Variable<double>(const Variables<double>&)> in_double;
    std::function<Variable<float>(const Variables<float>&)> in_float;
    bool flat = false;    ///< its gradient is 0 everywhere
    bool kinked = false;  ///< there is a kink where two of its inputs are equal
};

/// `f` is generic: called with variables of doubles and of floats.
template <class F>
OperationCase operation_case(std::string operation, std::string label, std::vector<Array<double>> inputs, F f) {
    return {std::move(operation), std::move(label), std::move(inputs), f, f};
}

/// The shapes of a case, for messages.
std::string shapes_of(const std::vector<Array<double>>& inputs);

/// Whether any of its gradients differs from 0.
bool shows_something(const OperationCase& c);

/// Checks, in double: the gradient and its gradient against central differences, and both ways of computing them
/// against each other; inputs that lie in memory otherwise (transposed, unaligned); inputs used twice; each input
/// wanted alone; and in float: value and gradient against those in double.
void check_case(const OperationCase& c);

/// The gradients of <cotangent, f(inputs)> in T, over raw memory. Inputs with `wanted` false are constants, and their
/// gradients are left empty.
template <class T>
std::vector<Array<T>> raw_gradients(const std::function<Variable<T>(const Variables<T>&)>& f,
                                    const std::vector<Array<T>>& inputs, const std::vector<bool>& wanted);

// The cases of each family, beside the tests that run them.
std::vector<OperationCase> elementwise_cases();
std::vector<OperationCase> indexing_cases();
std::vector<OperationCase> linear_algebra_cases();
std::vector<OperationCase> loss_cases();
std::vector<OperationCase> reduction_cases();
std::vector<OperationCase> shape_cases();
std::vector<OperationCase> softmax_cases();

}  // namespace ebb::test
