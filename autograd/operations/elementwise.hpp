#pragma once
/// Elementwise operations on variables, with NumPy's broadcasting. Their equations and derivatives are in
/// elementwise_formulas.hpp. Each throws ShapeError where shapes do not broadcast, and TapeError for operands of two
/// tapes.

#include <ebb/autograd/operations/elementwise_formulas.hpp>
#include <ebb/autograd/operators.hpp>
#include <ebb/autograd/parameter.hpp>
#include <ebb/autograd/source_line.hpp>
#include <ebb/autograd/variable.hpp>

#include <initializer_list>
#include <type_traits>

namespace ebb {

namespace detail {

/// Computes formula number `formula` of `formulas::Formulas`, and records it.
template <class T>
Variable<T> elementwise(std::size_t formula, std::initializer_list<Variable<T>> inputs, SourceLine at = source_line());

/// A constant of shape [] on the tape of `like`.
template <class T>
Variable<T> scalar_like(const Variable<T>& like, T value);

template <class F, class T>
Variable<T> apply(const Variable<T>& x, SourceLine at) {
    return elementwise<T>(formulas::Formulas::index_of<F>, {x}, at);
}
template <class F, class T>
Variable<T> apply(const Variable<T>& x, std::type_identity_t<T> number, SourceLine at) {
    return elementwise<T>(formulas::Formulas::index_of<F>, {x, scalar_like(x, number)}, at);
}
template <class F, class T>
Variable<T> apply(const OperatorSide<T>& a, const OperatorSide<T>& b) {
    return elementwise<T>(formulas::Formulas::index_of<F>,
                          {a.is_number ? scalar_like(b.variable, a.number) : a.variable,
                           b.is_number ? scalar_like(a.variable, b.number) : b.variable},
                          b.at);
}

/// The scalar type of two operands, of which one may be a number.
template <class A, class B>
struct ScalarOf {};
template <template <class> class A, class T, class B>
requires std::is_constructible_v < OperatorSide<T>,
const A<T>& > &&std::is_constructible_v<OperatorSide<T>, const B&> struct ScalarOf<A<T>, B> { using type = T; };
template <class A, template <class> class B, class T>
requires std::is_arithmetic_v<A> && std::is_constructible_v < OperatorSide<T>,
const B<T>& > struct ScalarOf<A, B<T>> { using type = T; };

/// As the operators take them: two variables or parameters of one scalar type, or one and a number.
template <class A, class B>
concept Operands = requires {
    typename ScalarOf<A, B>::type;
};

template <class F, class A, class B>
auto apply_to_operands(const A& a, const B& b, SourceLine at) {
    using Side = OperatorSide<typename ScalarOf<A, B>::type>;
    return apply<F>(Side(a, at), Side(b, at));
}

}  // namespace detail

/// What the operators do (operators.hpp).
template <class F, class T>
Variable<T> apply_operator(std::type_identity<F>, const OperatorSide<T>& a, const OperatorSide<T>& b) {
    return detail::apply<F>(a, b);
}
template <class F, class T>
Variable<T> apply_operator(std::type_identity<F>, const OperatorSide<T>& x) {
    return detail::apply<F>(x.variable, x.at);
}

// ---- functions of two ---------------------------------------------------------------------------------------------

/// a^b. The gradient of a needs a != 0 or b >= 1, that of b needs a > 0.
template <class A, class B>
requires detail::Operands<A, B>
auto pow(const A& a, const B& b, SourceLine at = source_line()) {
    return detail::apply_to_operands<formulas::Power>(a, b, at);
}
/// The larger one, the smaller one; where both are equal, each gets half of the gradient.
template <class A, class B>
requires detail::Operands<A, B>
auto maximum(const A& a, const B& b, SourceLine at = source_line()) {
    return detail::apply_to_operands<formulas::Maximum>(a, b, at);
}
template <class A, class B>
requires detail::Operands<A, B>
auto minimum(const A& a, const B& b, SourceLine at = source_line()) {
    return detail::apply_to_operands<formulas::Minimum>(a, b, at);
}

// ---- functions of one ---------------------------------------------------------------------------------------------

template <class T>
Variable<T> neg(const Variable<T>& x, SourceLine at = source_line()) {
    return detail::apply<formulas::Negate>(x, at);
}
template <class T>
Variable<T> exp(const Variable<T>& x, SourceLine at = source_line()) {
    return detail::apply<formulas::Exp>(x, at);
}
/// e^x - 1, exact also near 0.
template <class T>
Variable<T> expm1(const Variable<T>& x, SourceLine at = source_line()) {
    return detail::apply<formulas::Expm1>(x, at);
}
template <class T>
Variable<T> log(const Variable<T>& x, SourceLine at = source_line()) {
    return detail::apply<formulas::Log>(x, at);
}
/// log(1 + x), exact also near 0.
template <class T>
Variable<T> log1p(const Variable<T>& x, SourceLine at = source_line()) {
    return detail::apply<formulas::Log1p>(x, at);
}
template <class T>
Variable<T> sqrt(const Variable<T>& x, SourceLine at = source_line()) {
    return detail::apply<formulas::Sqrt>(x, at);
}
template <class T>
Variable<T> square(const Variable<T>& x, SourceLine at = source_line()) {
    return detail::apply<formulas::Square>(x, at);
}
template <class T>
Variable<T> abs(const Variable<T>& x, SourceLine at = source_line()) {
    return detail::apply<formulas::Abs>(x, at);
}
template <class T>
Variable<T> sin(const Variable<T>& x, SourceLine at = source_line()) {
    return detail::apply<formulas::Sin>(x, at);
}
template <class T>
Variable<T> cos(const Variable<T>& x, SourceLine at = source_line()) {
    return detail::apply<formulas::Cos>(x, at);
}
template <class T>
Variable<T> erf(const Variable<T>& x, SourceLine at = source_line()) {
    return detail::apply<formulas::Erf>(x, at);
}
template <class T>
Variable<T> tanh(const Variable<T>& x, SourceLine at = source_line()) {
    return detail::apply<formulas::Tanh>(x, at);
}
template <class T>
Variable<T> sigmoid(const Variable<T>& x, SourceLine at = source_line()) {
    return detail::apply<formulas::Sigmoid>(x, at);
}
template <class T>
Variable<T> relu(const Variable<T>& x, SourceLine at = source_line()) {
    return detail::apply<formulas::Relu>(x, at);
}
template <class T>
Variable<T> leaky_relu(const Variable<T>& x, std::type_identity_t<T> negative_slope = T(0.01),
                       SourceLine at = source_line()) {
    return detail::apply<formulas::LeakyRelu>(x, negative_slope, at);
}
template <class T>
Variable<T> elu(const Variable<T>& x, std::type_identity_t<T> alpha = T(1), SourceLine at = source_line()) {
    return detail::apply<formulas::Elu>(x, alpha, at);
}
template <class T>
Variable<T> gelu(const Variable<T>& x, SourceLine at = source_line()) {
    return detail::apply<formulas::Gelu>(x, at);
}
template <class T>
Variable<T> softplus(const Variable<T>& x, SourceLine at = source_line()) {
    return detail::apply<formulas::Softplus>(x, at);
}
/// x sigmoid(x).
template <class T>
Variable<T> silu(const Variable<T>& x, SourceLine at = source_line()) {
    return detail::apply<formulas::Silu>(x, at);
}
template <class T>
Variable<T> softsign(const Variable<T>& x, SourceLine at = source_line()) {
    return detail::apply<formulas::Softsign>(x, at);
}
/// x^2 / 2 near 0, linear beyond delta: the element of huber_loss.
template <class T>
Variable<T> huber(const Variable<T>& x, std::type_identity_t<T> delta = T(1), SourceLine at = source_line()) {
    return detail::apply<formulas::Huber>(x, delta, at);
}
/// x, held between low and high. Outside of them the gradient is 0.
template <class T>
Variable<T> clamp(const Variable<T>& x, std::type_identity_t<T> low, std::type_identity_t<T> high,
                  SourceLine at = source_line()) {
    return detail::elementwise<T>(formulas::Formulas::index_of<formulas::Clamp>,
                                  {x, detail::scalar_like(x, low), detail::scalar_like(x, high)}, at);
}
/// a where the condition is not 0, b elsewhere: `where(x > 0, x, 0.01 * x)`. Nothing flows into the condition, and 0
/// into the branch not taken, whatever its value. What made that value may still turn the 0 into NaN, as 0 times
/// infinity: `where(x < 1, exp(x), 0)` overflows for large x, `exp(where(x < 1, x, 1))` does not.
template <class T>
Variable<T> where(const Variable<T>& condition, Operand<T> a, Operand<T> b, SourceLine at = source_line());

template <class T>
Variable<T> where(const Variable<T>& condition, std::type_identity_t<T> a, Operand<T> b, SourceLine at = source_line());
template <class T>
Variable<T> where(const Variable<T>& condition, Operand<T> a, std::type_identity_t<T> b, SourceLine at = source_line());

}  // namespace ebb
