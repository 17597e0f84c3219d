#pragma once
/// The operators of variables, parameters and numbers. They compute as elementwise.hpp says, which must be included
/// where they are used.

#include <ebb/autograd/source_line.hpp>

#include <type_traits>

namespace ebb {

template <class T>
class Variable;
template <class T>
class Parameter;
template <class T>
struct Operators;

namespace detail {
/// Called by constructors that only a meeting of float and double chooses, so that the compiler tells it in a sentence.
template <class U>
constexpr void refuse_another_scalar() {
    static_assert(sizeof(U) == 0,
                  "float and double do not mix: a Variable<float> and a Variable<double> (or Parameters) meet in one "
                  "operation; make the tape, the layers and the arrays of one type");
}
}  // namespace detail

namespace formulas {
struct Add;
struct Subtract;
struct Multiply;
struct Divide;
struct Negate;
struct Equal;
struct NotEqual;
struct Less;
struct LessEqual;
}  // namespace formulas

/// One side of an operator: a variable, a parameter or a number. An operator has no parameter for the line that it
/// stands on; the conversion of a side to this type has.
template <class T>
struct OperatorSide {
    // NOLINTBEGIN(google-explicit-constructor): a side reads like what it is made of
    OperatorSide(const Variable<T>& x, SourceLine line = source_line()) noexcept : variable(x), at(line) {}
    OperatorSide(const Parameter<T>& p, SourceLine line = source_line()) : variable(p), at(line) {}
    template <class Number>
    requires std::is_arithmetic_v<Number> OperatorSide(Number value, SourceLine line = source_line())
    noexcept : number(static_cast<T>(value)), is_number(true), at(line) {}
    // Of a float and a double only the float's operators take the other side, so that the choice is not ambiguous.
    template <class U>
    requires(sizeof(U) > sizeof(T)) OperatorSide(const Operators<U>&, SourceLine line = source_line()) : at(line) {
        detail::refuse_another_scalar<U>();
    }
    // NOLINTEND(google-explicit-constructor)

    Variable<T> variable;
    T number = T(0);
    bool is_number = false;
    SourceLine at;
};

/// The base of variables and parameters, through which both find the operators.
template <class T>
struct Operators {
    using Side = OperatorSide<T>;

    friend Variable<T> operator+(Side a, Side b) { return compute<formulas::Add>(a, b); }
    friend Variable<T> operator-(Side a, Side b) { return compute<formulas::Subtract>(a, b); }
    friend Variable<T> operator*(Side a, Side b) { return compute<formulas::Multiply>(a, b); }
    friend Variable<T> operator/(Side a, Side b) { return compute<formulas::Divide>(a, b); }
    friend Variable<T> operator-(Side x) { return compute<formulas::Negate>(x); }

    // a += b is a = a + b: `a` stands for the result from here on. Other handles of what it was keep that, and nothing
    // that a backward pass needs is overwritten.
    friend Variable<T>& operator+=(Variable<T>& a, Side b) { return a = a + b; }
    friend Variable<T>& operator-=(Variable<T>& a, Side b) { return a = a - b; }
    friend Variable<T>& operator*=(Variable<T>& a, Side b) { return a = a * b; }
    friend Variable<T>& operator/=(Variable<T>& a, Side b) { return a = a / b; }

    // Comparisons give 1 where true and 0 where false, and no gradient flows through them.
    friend Variable<T> operator==(Side a, Side b) { return compute<formulas::Equal>(a, b); }
    friend Variable<T> operator!=(Side a, Side b) { return compute<formulas::NotEqual>(a, b); }
    friend Variable<T> operator<(Side a, Side b) { return compute<formulas::Less>(a, b); }
    friend Variable<T> operator<=(Side a, Side b) { return compute<formulas::LessEqual>(a, b); }
    friend Variable<T> operator>(Side a, Side b) { return compute<formulas::Less>(b, a); }
    friend Variable<T> operator>=(Side a, Side b) { return compute<formulas::LessEqual>(b, a); }

  private:
    template <class F, class... Sides>
    static Variable<T> compute(const Sides&... sides) {
        return apply_operator(std::type_identity<F>(), sides...);
    }
};

}  // namespace ebb
