#pragma once
/// Whole derivatives and products with them: Jacobians, Hessians, J v, v' J, H v.
///
/// Each takes what was recorded (y, x), or a function and where to evaluate it (f, x). f is called with a variable like
/// x, on x's tape: `hessian([](auto x) { return sum(exp(x)); }, x)`. Nothing is added to any `grad()`, nothing is
/// freed. Results are variables: constants, or with `{.create_graph = true}` such as can be derived again.
///
/// The derivative that is 0 everywhere is a derivative: where y does not depend on x, the results are zeros. TapeError
/// is thrown for an x that is a constant, and as by `grad` for tapes used out of order.

#include <ebb/autograd/grad_mode.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/autograd/variable.hpp>
#include <ebb/autograd/vjp_rows.hpp>

#include <concepts>
#include <vector>

namespace ebb {

/// dy/dx as [shape of y, shape of x]. All rows go through the tape in one sweep (vjp_rows.hpp). With `create_graph`
/// they are recorded one after another, at the price of as many calls of `grad`: together they would be a dy with one
/// axis more, and every operation that names an axis would need a second formula for it, beside the one that it is
/// written in. Throws ShapeError where the two shapes have more than 8 axes together.
template <class T>
Variable<T> jacobian(const Variable<T>& y, Operand<T> x, BackwardOptions options = {});
/// The same for several x at once, for the price of one.
template <class T>
std::vector<Variable<T>> jacobian(const Variable<T>& y, const std::vector<Variable<T>>& xs,
                                  BackwardOptions options = {});

/// v' dy/dx, with the shape of x: one backward pass with seed v, which has the shape of y.
template <class T>
Variable<T> vjp(const Variable<T>& y, Operand<T> x, Operand<T> v, BackwardOptions options = {});

/// dy/dx v, with the shape of y, for a direction v with the shape of x: what y gains where x moves by v. It is the
/// derivative of u' dy/dx v with respect to u: two backward passes, whatever the sizes.
template <class T>
Variable<T> jvp(const Variable<T>& y, Operand<T> x, Operand<T> v, BackwardOptions options = {});

/// d2y/dx2 as [shape of x, shape of x], of a y with one element.
template <class T>
Variable<T> hessian(const Variable<T>& y, Operand<T> x, BackwardOptions options = {});

/// d2y/dx2 v, with the shape of x, of a y with one element: the derivative of <dy/dx, v>. No Hessian is made.
template <class T>
Variable<T> hvp(const Variable<T>& y, Operand<T> x, Operand<T> v, BackwardOptions options = {});

// ---- of a function --------------------------------------------------------------------------------------------------

template <class F, class T>
concept FunctionOf = requires(const F& f, const Variable<T>& x) {
    { f(x) } -> std::convertible_to<Variable<T>>;
};

namespace detail {
/// x itself where it wants a gradient; else a leaf with the same values.
template <class T>
Variable<T> as_leaf(const Variable<T>& x);
/// Recording in spite of a NoGrad.
template <class T, class F>
Variable<T> recorded(const F& f, const Variable<T>& x) {
    const EnableGrad on;
    return f(x);
}
}  // namespace detail

template <class T, class F>
requires FunctionOf<F, T> Variable<T> jacobian(const F& f, const Variable<T>& x, BackwardOptions options = {}) {
    const Variable<T> leaf = detail::as_leaf(x);
    return jacobian(detail::recorded(f, leaf), leaf, options);
}
template <class T, class F>
requires FunctionOf<F, T> Variable<T> vjp(const F& f, const Variable<T>& x, Operand<T> v,
                                          BackwardOptions options = {}) {
    const Variable<T> leaf = detail::as_leaf(x);
    return vjp(detail::recorded(f, leaf), leaf, v, options);
}
template <class T, class F>
requires FunctionOf<F, T> Variable<T> jvp(const F& f, const Variable<T>& x, Operand<T> v,
                                          BackwardOptions options = {}) {
    const Variable<T> leaf = detail::as_leaf(x);
    return jvp(detail::recorded(f, leaf), leaf, v, options);
}
template <class T, class F>
requires FunctionOf<F, T> Variable<T> hessian(const F& f, const Variable<T>& x, BackwardOptions options = {}) {
    const Variable<T> leaf = detail::as_leaf(x);
    return hessian(detail::recorded(f, leaf), leaf, options);
}
template <class T, class F>
requires FunctionOf<F, T> Variable<T> hvp(const F& f, const Variable<T>& x, Operand<T> v,
                                          BackwardOptions options = {}) {
    const Variable<T> leaf = detail::as_leaf(x);
    return hvp(detail::recorded(f, leaf), leaf, v, options);
}

}  // namespace ebb
