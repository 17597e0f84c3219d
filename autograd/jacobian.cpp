#include <ebb/autograd/jacobian.hpp>
#include <ebb/autograd/operations/elementwise.hpp>
#include <ebb/autograd/operations/reductions.hpp>
#include <ebb/autograd/operations/shape_operations.hpp>
#include <ebb/core/error.hpp>

#include <algorithm>
#include <optional>

#include <fmt/format.h>

namespace ebb {
namespace {

template <class T>
std::string called(const Variable<T>& x, const char* what) {
    return x.name().empty() ? fmt::format("{} (node {})", what, x.index()) : x.name();
}

template <class T>
void check(const char* call, const Variable<T>& y, const Variable<T>& x) {
    Tape<T>& tape = y.tape();
    tape.check(call, y);
    tape.check(call, x);
    if (!x.requires_grad())
        fail<TapeError>(
            fmt::format("{}: {} is a constant: expected tape.variable(array), a parameter, or something "
                        "made from one",
                        call, called(x, "x")));
    tape.check_backward(call, y.index());
}

template <class T>
void check_shape(const char* call, const char* what, const Variable<T>& v, const char* of, const Variable<T>& x) {
    x.tape().check(call, v);
    if (v.shape() != x.shape())
        fail<ShapeError>(fmt::format("{}: {} is {}, {} is {}: expected the same shape", call, what,
                                     to_string(v.shape()), called(x, of), to_string(x.shape())));
}

template <class T>
void check_scalar(const char* call, const Variable<T>& y) {
    if (y.size() != 1)
        fail<ShapeError>(fmt::format("{}: {} is {}: expected one element", call, called(y, "y"), to_string(y.shape())));
}

/// v' dy/dx, recorded or not.
template <class T>
Variable<T> product(const Variable<T>& y, const Variable<T>& x, const Variable<T>& v, bool record) {
    std::optional<NoGrad> off;
    if (!record) off.emplace();
    Tape<T>& tape = y.tape();
    const Variable<T> roots[] = {y}, seeds[] = {v}, targets[] = {x};
    const Variable<T> result = tape.vjp(roots, seeds, targets).front();
    return result.defined() ? result : tape.zeros(x.shape());
}

Shape joined(Shape first, const Shape& second) {
    for (const std::size_t extent : second) first.push_back(extent);
    return first;
}

/// Row by row, on variables.
template <class T>
std::vector<Variable<T>> recorded_jacobian(const Variable<T>& y, const std::vector<Variable<T>>& xs) {
    Tape<T>& tape = y.tape();
    std::vector<std::vector<Variable<T>>> rows(xs.size());
    for (std::size_t k = 0; k < y.size(); ++k) {
        const Variable<T> seed = tape.zeros(y.shape());
        const_cast<T*>(seed.node().value)[k] = T(1);  // nobody else has seen it yet
        const Variable<T> roots[] = {y}, seeds[] = {seed};
        const std::vector<Variable<T>> row = tape.vjp(roots, seeds, xs);
        for (std::size_t i = 0; i < xs.size(); ++i)
            rows[i].push_back(row[i].defined() ? row[i] : tape.zeros(xs[i].shape()));
    }
    std::vector<Variable<T>> result;
    for (std::size_t i = 0; i < xs.size(); ++i) {
        const Shape shape = joined(y.shape(), xs[i].shape());
        result.push_back(rows[i].empty() ? tape.zeros(shape) : reshape(stack(rows[i], 0), shape));
    }
    return result;
}

}  // namespace

template <class T>
std::vector<Variable<T>> jacobian(const Variable<T>& y, const std::vector<Variable<T>>& xs, BackwardOptions options) {
    std::vector<Shape> shapes;
    for (const Variable<T>& x : xs) {
        check("jacobian", y, x);
        shapes.push_back(joined(y.shape(), x.shape()));
    }
    if (options.create_graph) return recorded_jacobian(y, xs);

    Tape<T>& tape = y.tape();
    std::vector<Array<T>> results;
    for (const Shape& shape : shapes) results.push_back(Array<T>::from_shape(std::vector(shape.begin(), shape.end())));
    // More rows at once gain nothing, and each takes the memory of one more gradient.
    constexpr std::size_t most_rows = 128;
    const std::size_t n = y.size();
    for (std::size_t first = 0; first < n; first += most_rows) {
        const std::size_t rows = std::min(most_rows, n - first);
        std::vector<std::size_t> shape{rows};
        shape.insert(shape.end(), y.shape().begin(), y.shape().end());
        Array<T> seeds = Array<T>::from_shape(shape);
        seeds.fill(T(0));
        for (std::size_t k = 0; k < rows; ++k) seeds.data()[k * n + first + k] = T(1);
        const std::vector<Array<T>> part = vjp_rows<T>({y}, {seeds}, xs);
        for (std::size_t i = 0; i < xs.size(); ++i)
            std::copy(part[i].data(), part[i].data() + part[i].size(), results[i].data() + first * xs[i].size());
    }
    std::vector<Variable<T>> variables;
    for (const Array<T>& result : results) variables.push_back(tape.constant(result));
    return variables;
}

template <class T>
Variable<T> jacobian(const Variable<T>& y, Operand<T> x, BackwardOptions options) {
    return jacobian(y, std::vector<Variable<T>>{x}, options).front();
}

template <class T>
Variable<T> vjp(const Variable<T>& y, Operand<T> x, Operand<T> v, BackwardOptions options) {
    check("vjp", y, x);
    check_shape("vjp", "v", v, "y", y);
    return product(y, x, v, options.create_graph);
}

template <class T>
Variable<T> jvp(const Variable<T>& y, Operand<T> x, Operand<T> v, BackwardOptions options) {
    check("jvp", y, x);
    check_shape("jvp", "v", v, "x", x);
    const EnableGrad on;
    // u' dy/dx is linear in u: its derivative in direction v is the same at every u, and 1 is as good as any.
    const Variable<T> u = y.tape().variable(Array<T>(y.value() * T(0) + T(1)));
    return product(product(y, x, u, true), u, v, options.create_graph);
}

template <class T>
Variable<T> hessian(const Variable<T>& y, Operand<T> x, BackwardOptions options) {
    check("hessian", y, x);
    check_scalar("hessian", y);
    const EnableGrad on;
    const Variable<T> gradient = product(y, x, y.tape().ones(y.shape()), true);
    return jacobian(gradient, x, options);
}

template <class T>
Variable<T> hvp(const Variable<T>& y, Operand<T> x, Operand<T> v, BackwardOptions options) {
    check("hvp", y, x);
    check_scalar("hvp", y);
    check_shape("hvp", "v", v, "x", x);
    const EnableGrad on;
    const Variable<T> gradient = product(y, x, y.tape().ones(y.shape()), true);
    return product(gradient, x, v, options.create_graph);
}

template <class T>
Variable<T> detail::as_leaf(const Variable<T>& x) {
    return x.requires_grad() ? x : x.tape().variable(Array<T>(x.value()));
}

#define EBB_INSTANTIATE(T)                                                                                            \
    template Variable<T> jacobian(const Variable<T>&, Operand<T>, BackwardOptions);                                   \
    template std::vector<Variable<T>> jacobian(const Variable<T>&, const std::vector<Variable<T>>&, BackwardOptions); \
    template Variable<T> vjp(const Variable<T>&, Operand<T>, Operand<T>, BackwardOptions);                            \
    template Variable<T> jvp(const Variable<T>&, Operand<T>, Operand<T>, BackwardOptions);                            \
    template Variable<T> hessian(const Variable<T>&, Operand<T>, BackwardOptions);                                    \
    template Variable<T> hvp(const Variable<T>&, Operand<T>, Operand<T>, BackwardOptions);                            \
    template Variable<T> detail::as_leaf(const Variable<T>&);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb
