#pragma once
/// Elementwise operations on variables, with NumPy's broadcasting. Their equations and derivatives are in
/// elementwise_formulas.hpp. Each throws ShapeError where shapes do not broadcast, and TapeError for operands of two
/// tapes.

#include <ebb/autograd/operations/elementwise_formulas.hpp>
#include <ebb/autograd/parameter.hpp>
#include <ebb/autograd/variable.hpp>

#include <initializer_list>
#include <type_traits>

namespace ebb {

namespace detail {

/// Computes formula number `formula` of `formulas::Formulas`, and records it.
template <class T>
Variable<T> elementwise(std::size_t formula, std::initializer_list<Variable<T>> inputs);
extern template Variable<float> elementwise(std::size_t, std::initializer_list<Variable<float>>);
extern template Variable<double> elementwise(std::size_t, std::initializer_list<Variable<double>>);

/// A constant of shape [] on the tape of `like`.
template <class T>
Variable<T> scalar_like(const Variable<T>& like, T value);
extern template Variable<float> scalar_like(const Variable<float>&, float);
extern template Variable<double> scalar_like(const Variable<double>&, double);

template <class F, class T>
Variable<T> apply(const Variable<T>& x) {
    return elementwise<T>(formulas::Formulas::index_of<F>, {x});
}
template <class F, class T>
Variable<T> apply(const Variable<T>& a, Operand<T> b) {
    return elementwise<T>(formulas::Formulas::index_of<F>, {a, b});
}
template <class F, class T>
Variable<T> apply(const Variable<T>& a, std::type_identity_t<T> b) {
    return elementwise<T>(formulas::Formulas::index_of<F>, {a, scalar_like(a, b)});
}
template <class F, class T>
Variable<T> apply(std::type_identity_t<T> a, const Variable<T>& b) {
    return elementwise<T>(formulas::Formulas::index_of<F>, {scalar_like(b, a), b});
}

/// The scalar type of an operand, which is a Variable<T> or a Parameter<T>.
template <class X>
struct ScalarOf {};
template <class T>
struct ScalarOf<Variable<T>> {
    using type = T;
};
template <class T>
struct ScalarOf<Parameter<T>> {
    using type = T;
};

template <class X>
concept IsOperand = requires {
    typename ScalarOf<X>::type;
};
/// At least one operand, and the other one an operand of the same scalar type or a number.
template <class A, class B>
concept Operands = (IsOperand<A> && (IsOperand<B> || std::is_arithmetic_v<B>)) ||
                   (std::is_arithmetic_v<A> && IsOperand<B>);

template <class F, class A, class B>
auto apply_operator(const A& a, const B& b) {
    if constexpr (!IsOperand<A>) {
        using T = typename ScalarOf<B>::type;
        return apply<F>(static_cast<T>(a), Variable<T>(b));
    } else if constexpr (!IsOperand<B>) {
        using T = typename ScalarOf<A>::type;
        return apply<F>(Variable<T>(a), static_cast<T>(b));
    } else {
        static_assert(std::is_same_v<typename ScalarOf<A>::type, typename ScalarOf<B>::type>,
                      "one operand is of floats, the other of doubles: make both from arrays of one type");
        using T = typename ScalarOf<A>::type;
        return apply<F>(Variable<T>(a), Variable<T>(b));
    }
}

}  // namespace detail

// ---- operators, on variables, parameters and numbers
// -----------------------------------------------------------------

template <class A, class B>
requires detail::Operands<A, B>
auto operator+(const A& a, const B& b) {
    return detail::apply_operator<formulas::Add>(a, b);
}
template <class A, class B>
requires detail::Operands<A, B>
auto operator-(const A& a, const B& b) {
    return detail::apply_operator<formulas::Subtract>(a, b);
}
template <class A, class B>
requires detail::Operands<A, B>
auto operator*(const A& a, const B& b) {
    return detail::apply_operator<formulas::Multiply>(a, b);
}
template <class A, class B>
requires detail::Operands<A, B>
auto operator/(const A& a, const B& b) {
    return detail::apply_operator<formulas::Divide>(a, b);
}
/// a^b. The gradient of a needs a != 0 or b >= 1, that of b needs a > 0.
template <class A, class B>
requires detail::Operands<A, B>
auto pow(const A& a, const B& b) {
    return detail::apply_operator<formulas::Power>(a, b);
}
/// The larger one, the smaller one; where both are equal, each gets half of the gradient.
template <class A, class B>
requires detail::Operands<A, B>
auto maximum(const A& a, const B& b) {
    return detail::apply_operator<formulas::Maximum>(a, b);
}
template <class A, class B>
requires detail::Operands<A, B>
auto minimum(const A& a, const B& b) {
    return detail::apply_operator<formulas::Minimum>(a, b);
}

// Comparisons give 1 where true and 0 where false, and no gradient flows through them.
template <class A, class B>
requires detail::Operands<A, B>
auto operator==(const A& a, const B& b) {
    return detail::apply_operator<formulas::Equal>(a, b);
}
template <class A, class B>
requires detail::Operands<A, B>
auto operator!=(const A& a, const B& b) {
    return detail::apply_operator<formulas::NotEqual>(a, b);
}
template <class A, class B>
requires detail::Operands<A, B>
auto operator<(const A& a, const B& b) {
    return detail::apply_operator<formulas::Less>(a, b);
}
template <class A, class B>
requires detail::Operands<A, B>
auto operator<=(const A& a, const B& b) {
    return detail::apply_operator<formulas::LessEqual>(a, b);
}
template <class A, class B>
requires detail::Operands<A, B>
auto operator>(const A& a, const B& b) {
    return detail::apply_operator<formulas::Less>(b, a);
}
template <class A, class B>
requires detail::Operands<A, B>
auto operator>=(const A& a, const B& b) {
    return detail::apply_operator<formulas::LessEqual>(b, a);
}

// ---- functions
// --------------------------------------------------------------------------------------------------------

template <class T>
Variable<T> operator-(const Variable<T>& x) {
    return detail::apply<formulas::Negate>(x);
}
template <class T>
Variable<T> neg(const Variable<T>& x) {
    return detail::apply<formulas::Negate>(x);
}
template <class T>
Variable<T> exp(const Variable<T>& x) {
    return detail::apply<formulas::Exp>(x);
}
/// e^x - 1, exact also near 0.
template <class T>
Variable<T> expm1(const Variable<T>& x) {
    return detail::apply<formulas::Expm1>(x);
}
template <class T>
Variable<T> log(const Variable<T>& x) {
    return detail::apply<formulas::Log>(x);
}
/// log(1 + x), exact also near 0.
template <class T>
Variable<T> log1p(const Variable<T>& x) {
    return detail::apply<formulas::Log1p>(x);
}
template <class T>
Variable<T> sqrt(const Variable<T>& x) {
    return detail::apply<formulas::Sqrt>(x);
}
template <class T>
Variable<T> square(const Variable<T>& x) {
    return detail::apply<formulas::Square>(x);
}
template <class T>
Variable<T> abs(const Variable<T>& x) {
    return detail::apply<formulas::Abs>(x);
}
template <class T>
Variable<T> sin(const Variable<T>& x) {
    return detail::apply<formulas::Sin>(x);
}
template <class T>
Variable<T> cos(const Variable<T>& x) {
    return detail::apply<formulas::Cos>(x);
}
template <class T>
Variable<T> erf(const Variable<T>& x) {
    return detail::apply<formulas::Erf>(x);
}
template <class T>
Variable<T> tanh(const Variable<T>& x) {
    return detail::apply<formulas::Tanh>(x);
}
template <class T>
Variable<T> sigmoid(const Variable<T>& x) {
    return detail::apply<formulas::Sigmoid>(x);
}
template <class T>
Variable<T> relu(const Variable<T>& x) {
    return detail::apply<formulas::Relu>(x);
}
template <class T>
Variable<T> leaky_relu(const Variable<T>& x, std::type_identity_t<T> negative_slope = T(0.01)) {
    return detail::apply<formulas::LeakyRelu>(x, negative_slope);
}
template <class T>
Variable<T> elu(const Variable<T>& x, std::type_identity_t<T> alpha = T(1)) {
    return detail::apply<formulas::Elu>(x, alpha);
}
template <class T>
Variable<T> gelu(const Variable<T>& x) {
    return detail::apply<formulas::Gelu>(x);
}
template <class T>
Variable<T> softplus(const Variable<T>& x) {
    return detail::apply<formulas::Softplus>(x);
}
/// x sigmoid(x).
template <class T>
Variable<T> silu(const Variable<T>& x) {
    return detail::apply<formulas::Silu>(x);
}
template <class T>
Variable<T> softsign(const Variable<T>& x) {
    return detail::apply<formulas::Softsign>(x);
}
/// x^2 / 2 near 0, linear beyond delta: the element of huber_loss.
template <class T>
Variable<T> huber(const Variable<T>& x, std::type_identity_t<T> delta = T(1)) {
    return detail::apply<formulas::Huber>(x, delta);
}
/// x, held between low and high. Outside of them the gradient is 0.
template <class T>
Variable<T> clamp(const Variable<T>& x, std::type_identity_t<T> low, std::type_identity_t<T> high) {
    return detail::elementwise<T>(formulas::Formulas::index_of<formulas::Clamp>,
                                  {x, detail::scalar_like(x, low), detail::scalar_like(x, high)});
}
/// a where the condition is not 0, b elsewhere: `where(x > 0, x, 0.01 * x)`. Nothing flows into the condition, and 0
/// into the branch not taken, whatever its value. What made that value may still turn the 0 into NaN, as 0 times
/// infinity: `where(x < 1, exp(x), 0)` overflows for large x, `exp(where(x < 1, x, 1))` does not.
template <class T>
Variable<T> where(const Variable<T>& condition, Operand<T> a, Operand<T> b);

template <class T>
Variable<T> where(const Variable<T>& condition, std::type_identity_t<T> a, Operand<T> b);
template <class T>
Variable<T> where(const Variable<T>& condition, Operand<T> a, std::type_identity_t<T> b);

}  // namespace ebb
