#pragma once
/// Elementwise operations, one formula each.
///
/// A formula is generic over what it is applied to. Applied to `simd::Vec` inside a loop over contiguous memory it is
/// the fast path (elementwise_kernels.cpp); applied to Variables, the same line records itself on the tape, and that is
/// the derivative of the derivative. `forward` sees Vecs only. `vjp` gets dy, the inputs and the output y, and gives
/// the gradient of each input, in a tuple where there are several. Broadcasting is the engine's: no formula sees it.
///
/// To add an operation, write its formula, add it to `Formulas` at the end, and declare its function in
/// elementwise.hpp. The tests find it there.

#include <ebb/autograd/operation_info.hpp>

#include <cstddef>
#include <tuple>
#include <type_traits>

namespace ebb::formulas {

struct Unary {
    static constexpr std::size_t arity = 1;
    static constexpr bool differentiable = true;
};
struct Binary {
    static constexpr std::size_t arity = 2;
    static constexpr bool differentiable = true;
};
struct Ternary {
    static constexpr std::size_t arity = 3;
    static constexpr bool differentiable = true;
};
struct Comparison {
    static constexpr std::size_t arity = 2;
    static constexpr bool differentiable = false;
};

// ---- arithmetic ---------------------------------------------------------------------------------------------------

struct Add : Binary {
    static constexpr OperationInfo info{"add", "y = a + b", "da = dy, db = dy"};
    static auto forward(const auto& a, const auto& b) { return a + b; }
    static auto vjp(const auto& dy, const auto&, const auto&, const auto&) { return std::tuple{dy, dy}; }
};

struct Subtract : Binary {
    static constexpr OperationInfo info{"sub", "y = a - b", "da = dy, db = -dy"};
    static auto forward(const auto& a, const auto& b) { return a - b; }
    static auto vjp(const auto& dy, const auto&, const auto&, const auto&) { return std::tuple{dy, -dy}; }
};

struct Multiply : Binary {
    static constexpr OperationInfo info{"mul", "y = a b", "da = dy b, db = dy a"};
    static auto forward(const auto& a, const auto& b) { return a * b; }
    static auto vjp(const auto& dy, const auto& a, const auto& b, const auto&) { return std::tuple{dy * b, dy * a}; }
};

struct Divide : Binary {
    static constexpr OperationInfo info{"div", "y = a / b", "da = dy / b, db = -dy y / b", Domain::nonzero};
    static auto forward(const auto& a, const auto& b) { return a / b; }
    static auto vjp(const auto& dy, const auto&, const auto& b, const auto& y) {
        return std::tuple{dy / b, -dy * y / b};
    }
};

struct Power : Binary {
    static constexpr OperationInfo info{"pow", "y = a^b", "da = dy b a^(b-1), db = dy y log(a)", Domain::positive};
    static auto forward(const auto& a, const auto& b) { return pow(a, b); }
    static auto vjp(const auto& dy, const auto& a, const auto& b, const auto& y) {
        // 0^b does not change with b > 0, though log(0) is infinite.
        return std::tuple{where(b == 0, 0, dy * b * pow(a, b - 1)), where(a == 0, 0, dy * y * log(a))};
    }
};

struct Negate : Unary {
    static constexpr OperationInfo info{"neg", "y = -x", "dx = -dy"};
    static auto forward(const auto& x) { return -x; }
    static auto vjp(const auto& dy, const auto&, const auto&) { return -dy; }
};

// ---- functions ----------------------------------------------------------------------------------------------------

struct Exp : Unary {
    static constexpr OperationInfo info{"exp", "y = e^x", "dx = dy y"};
    static auto forward(const auto& x) { return exp(x); }
    static auto vjp(const auto& dy, const auto&, const auto& y) { return dy * y; }
};

struct Expm1 : Unary {
    static constexpr OperationInfo info{"expm1", "y = e^x - 1", "dx = dy (y + 1)"};
    static auto forward(const auto& x) { return expm1(x); }
    static auto vjp(const auto& dy, const auto&, const auto& y) { return dy * (y + 1); }
};

struct Log : Unary {
    static constexpr OperationInfo info{"log", "y = log(x)", "dx = dy / x", Domain::positive};
    static auto forward(const auto& x) { return log(x); }
    static auto vjp(const auto& dy, const auto& x, const auto&) { return dy / x; }
};

struct Log1p : Unary {
    static constexpr OperationInfo info{"log1p", "y = log(1 + x)", "dx = dy / (1 + x)", Domain::positive};
    static auto forward(const auto& x) { return log1p(x); }
    static auto vjp(const auto& dy, const auto& x, const auto&) { return dy / (1 + x); }
};

struct Sqrt : Unary {
    static constexpr OperationInfo info{"sqrt", "y = sqrt(x)", "dx = dy / (2 y)", Domain::positive};
    static auto forward(const auto& x) { return sqrt(x); }
    static auto vjp(const auto& dy, const auto&, const auto& y) { return dy / (2 * y); }
};

struct Square : Unary {
    static constexpr OperationInfo info{"square", "y = x^2", "dx = 2 dy x"};
    static auto forward(const auto& x) { return x * x; }
    static auto vjp(const auto& dy, const auto& x, const auto&) { return 2 * dy * x; }
};

struct Abs : Unary {
    static constexpr OperationInfo info{"abs", "y = |x|", "dx = dy sign(x)", Domain::nonzero};
    static auto forward(const auto& x) { return abs(x); }
    static auto vjp(const auto& dy, const auto& x, const auto&) { return where(x > 0, dy, where(x < 0, -dy, 0)); }
};

struct Sin : Unary {
    static constexpr OperationInfo info{"sin", "y = sin(x)", "dx = dy cos(x)"};
    static auto forward(const auto& x) { return sin(x); }
    static auto vjp(const auto& dy, const auto& x, const auto&) { return dy * cos(x); }
};

struct Cos : Unary {
    static constexpr OperationInfo info{"cos", "y = cos(x)", "dx = -dy sin(x)"};
    static auto forward(const auto& x) { return cos(x); }
    static auto vjp(const auto& dy, const auto& x, const auto&) { return -dy * sin(x); }
};

struct Erf : Unary {
    static constexpr OperationInfo info{"erf", "y = erf(x)", "dx = dy 2 / sqrt(pi) e^(-x^2)"};
    static auto forward(const auto& x) { return erf(x); }
    static auto vjp(const auto& dy, const auto& x, const auto&) { return dy * (1.1283791670955126 * exp(-(x * x))); }
};

// ---- activations --------------------------------------------------------------------------------------------------

struct Tanh : Unary {
    static constexpr OperationInfo info{"tanh", "y = tanh(x)", "dx = dy (1 - y^2)"};
    static auto forward(const auto& x) { return tanh(x); }
    static auto vjp(const auto& dy, const auto&, const auto& y) { return dy * (1 - y * y); }
};

struct Sigmoid : Unary {
    static constexpr OperationInfo info{"sigmoid", "y = 1 / (1 + e^(-x))", "dx = dy y (1 - y)"};
    static auto forward(const auto& x) { return sigmoid(x); }
    static auto vjp(const auto& dy, const auto&, const auto& y) { return dy * (y * (1 - y)); }
};

struct Relu : Unary {
    static constexpr OperationInfo info{"relu", "y = max(x, 0)", "dx = dy where x > 0, else 0", Domain::nonzero};
    static auto forward(const auto& x) { return where(x < 0, 0, x); }
    static auto vjp(const auto& dy, const auto& x, const auto&) { return where(x > 0, dy, 0); }
};

struct LeakyRelu : Binary {
    static constexpr OperationInfo info{"leaky_relu", "y = x where x > 0, else a x",
                                        "dx = dy where x > 0, else a dy; da = 0 where x > 0, else dy x",
                                        Domain::nonzero};
    static auto forward(const auto& x, const auto& slope) { return where(x > 0, x, slope * x); }
    static auto vjp(const auto& dy, const auto& x, const auto& slope, const auto&) {
        return std::tuple{where(x > 0, dy, slope * dy), where(x > 0, 0, dy * x)};
    }
};

/// Clevert, Unterthiner, Hochreiter 2016, eq. 15.
struct Elu : Binary {
    static constexpr OperationInfo info{"elu", "y = x where x > 0, else a (e^x - 1)",
                                        "dx = dy where x > 0, else dy a e^x; da = 0 where x > 0, else dy (e^x - 1)",
                                        Domain::nonzero};
    static auto forward(const auto& x, const auto& alpha) { return where(x > 0, x, alpha * expm1(x)); }
    static auto vjp(const auto& dy, const auto& x, const auto& alpha, const auto&) {
        // Where x > 0 is not looked at, but e^x overflows there, and 0 times infinity would be NaN in the derivative.
        const auto below = where(x > 0, 0, x);
        return std::tuple{where(x > 0, dy, dy * alpha * exp(below)), dy * expm1(below)};
    }
};

/// Hendrycks, Gimpel 2016, sect. 2: the exact form, with the normal distribution function.
struct Gelu : Unary {
    static constexpr OperationInfo info{"gelu", "y = x Phi(x), Phi(x) = (1 + erf(x / sqrt(2))) / 2",
                                        "dx = dy (Phi(x) + x phi(x)), phi(x) = e^(-x^2 / 2) / sqrt(2 pi)"};
    static auto forward(const auto& x) { return 0.5 * x * (1 + erf(0.7071067811865476 * x)); }
    static auto vjp(const auto& dy, const auto& x, const auto&) {
        return dy * (0.5 * (1 + erf(0.7071067811865476 * x)) + 0.3989422804014327 * x * exp(-0.5 * (x * x)));
    }
};

struct Softplus : Unary {
    static constexpr OperationInfo info{"softplus", "y = log(1 + e^x)", "dx = dy sigmoid(x)"};
    static auto forward(const auto& x) { return where(x < 0, 0, x) + log1p(exp(-abs(x))); }
    static auto vjp(const auto& dy, const auto& x, const auto&) { return dy * sigmoid(x); }
};

/// Ramachandran, Zoph, Le 2017 (swish).
struct Silu : Unary {
    static constexpr OperationInfo info{"silu", "y = x s, s = sigmoid(x)", "dx = dy s (1 + x (1 - s))"};
    static auto forward(const auto& x) { return x * sigmoid(x); }
    static auto vjp(const auto& dy, const auto& x, const auto&) {
        const auto s = sigmoid(x);
        return dy * (s * (1 + x * (1 - s)));
    }
};

/// Glorot, Bengio 2010, sect. 1: like tanh, with tails that fall as 1 / x^2 in the derivative.
struct Softsign : Unary {
    static constexpr OperationInfo info{"softsign", "y = x / (1 + |x|)", "dx = dy / (1 + |x|)^2", Domain::nonzero};
    static auto forward(const auto& x) { return x / (1 + abs(x)); }
    static auto vjp(const auto& dy, const auto& x, const auto&) {
        const auto d = 1 + abs(x);
        return dy / (d * d);
    }
};

// ---- choice -------------------------------------------------------------------------------------------------------

/// Where both are equal, each gets half of dy, as in PyTorch. A NaN in either operand comes through.
struct Maximum : Binary {
    static constexpr OperationInfo info{"maximum", "y = max(a, b)", "da = dy where a > b, db = dy where b > a",
                                        Domain::distinct};
    static auto forward(const auto& a, const auto& b) { return where(a != a, a, where(a > b, a, b)); }
    static auto vjp(const auto& dy, const auto& a, const auto& b, const auto&) {
        return std::tuple{where(a > b, dy, where(a == b, 0.5 * dy, 0)), where(b > a, dy, where(a == b, 0.5 * dy, 0))};
    }
};

struct Minimum : Binary {
    static constexpr OperationInfo info{"minimum", "y = min(a, b)", "da = dy where a < b, db = dy where b < a",
                                        Domain::distinct};
    static auto forward(const auto& a, const auto& b) { return where(a != a, a, where(a < b, a, b)); }
    static auto vjp(const auto& dy, const auto& a, const auto& b, const auto&) {
        return std::tuple{where(a < b, dy, where(a == b, 0.5 * dy, 0)), where(b < a, dy, where(a == b, 0.5 * dy, 0))};
    }
};

/// Where low > high, y = high and its is the gradient; where they are equal, nobody's: PyTorch's rules.
struct Clamp : Ternary {
    static constexpr OperationInfo info{"clamp", "y = min(max(x, low), high)",
                                        "dx = dy where low <= x <= high, dlow = dy where x < low < high, "
                                        "dhigh = dy where x > high or low > high",
                                        Domain::distinct};
    static auto forward(const auto& x, const auto& low, const auto& high) {
        const auto raised = where(x < low, low, x);
        return where(raised > high, high, raised);
    }
    static auto vjp(const auto& dy, const auto& x, const auto& low, const auto& high, const auto&) {
        return std::tuple{where(x < low, 0, where(x > high, 0, dy)), where(low < high, where(x < low, dy, 0), 0),
                          where(high < low, dy, where(x > high, dy, 0))};
    }
};

struct Where : Ternary {
    static constexpr OperationInfo info{"where", "y = a where c is not 0, else b",
                                        "da = dy where c, db = dy where not c; c gets none"};
    static auto forward(const auto& c, const auto& a, const auto& b) { return where(c != 0, a, b); }
    static auto vjp(const auto& dy, const auto& c, const auto&, const auto&, const auto&) {
        return std::tuple{0 * dy, where(c != 0, dy, 0), where(c != 0, 0, dy)};
    }
};

// ---- losses, of one element ---------------------------------------------------------------------------------------

/// Huber 1964; quadratic near 0, linear beyond d. Also right, if odd, for d < 0.
struct Huber : Binary {
    static constexpr OperationInfo info{"huber", "y = x^2 / 2 where |x| <= d, else d (|x| - d / 2)",
                                        "dx = dy min(|x|, d) sign(x); dd = 0 where |x| <= d, else dy (|x| - d)",
                                        Domain::distinct};
    static auto forward(const auto& x, const auto& d) {
        return where(abs(x) <= d, 0.5 * x * x, d * (abs(x) - 0.5 * d));
    }
    static auto vjp(const auto& dy, const auto& x, const auto& d, const auto&) {
        return std::tuple{dy * where(abs(x) <= d, x, where(x < 0, -d, d)), where(abs(x) <= d, 0, dy * (abs(x) - d))};
    }
};

/// -t log(p) - (1 - t) log(1 - p) for p = sigmoid(x), without p: no x is too large for it.
struct BinaryCrossEntropyWithLogits : Binary {
    static constexpr OperationInfo info{"binary_cross_entropy_with_logits", "y = log(1 + e^x) - t x",
                                        "dx = dy (sigmoid(x) - t), dt = -dy x"};
    static auto forward(const auto& x, const auto& t) { return where(x < 0, 0, x) - x * t + log1p(exp(-abs(x))); }
    static auto vjp(const auto& dy, const auto& x, const auto& t, const auto&) {
        return std::tuple{dy * (sigmoid(x) - t), -dy * x};
    }
};

// ---- comparisons: 1 where true, 0 where false; constants to the tape ----------------------------------------------

struct Equal : Comparison {
    static constexpr OperationInfo info{"eq", "y = 1 where a = b, else 0", "no gradient"};
    template <class V>
    static V forward(const V& a, const V& b) {
        return where(a == b, V(1), V(0));
    }
};

struct NotEqual : Comparison {
    static constexpr OperationInfo info{"ne", "y = 1 where a != b, else 0", "no gradient"};
    template <class V>
    static V forward(const V& a, const V& b) {
        return where(a != b, V(1), V(0));
    }
};

struct Less : Comparison {
    static constexpr OperationInfo info{"lt", "y = 1 where a < b, else 0", "no gradient"};
    template <class V>
    static V forward(const V& a, const V& b) {
        return where(a < b, V(1), V(0));
    }
};

struct LessEqual : Comparison {
    static constexpr OperationInfo info{"le", "y = 1 where a <= b, else 0", "no gradient"};
    template <class V>
    static V forward(const V& a, const V& b) {
        return where(a <= b, V(1), V(0));
    }
};

// ---- the list -----------------------------------------------------------------------------------------------------

template <class... F>
struct FormulaList {
    static constexpr std::size_t size = sizeof...(F);
    template <class Formula>
    static constexpr std::size_t index_of = [] {
        std::size_t index = 0, found = size;
        ((std::is_same_v<F, Formula> ? found = index++ : index++), ...);
        return found;
    }();
};

/// Every elementwise operation.
// clang-format off
using Formulas = FormulaList<
    Add, Subtract, Multiply, Divide, Power, Negate,
    Exp, Expm1, Log, Log1p, Sqrt, Square, Abs, Sin, Cos, Erf,
    Tanh, Sigmoid, Relu, LeakyRelu, Elu, Gelu, Softplus, Silu, Softsign,
    Maximum, Minimum, Clamp, Where,
    Huber, BinaryCrossEntropyWithLogits,
    Equal, NotEqual, Less, LessEqual>;
// clang-format on

}  // namespace ebb::formulas
