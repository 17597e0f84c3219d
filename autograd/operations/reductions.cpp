#include <ebb/autograd/operations/broadcast.hpp>
#include <ebb/autograd/operations/elementwise.hpp>
#include <ebb/autograd/operations/reductions.hpp>
#include <ebb/autograd/operations/shape_operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>

#include <algorithm>

#include <fmt/format.h>

namespace ebb {
namespace {

/// `shape` with extent 1 at each of `axes`. Throws IndexError for an axis that is not there, ValueError for one named
/// twice.
Shape kept_shape(const char* call, const Shape& shape, const Axes& axes) {
    Shape kept = shape;
    std::vector<bool> named(shape.rank(), false);
    for (const std::ptrdiff_t signed_axis : axes) {
        const std::size_t axis = normalized_axis(call, signed_axis, shape.rank());
        if (named[axis]) fail<ValueError>(fmt::format("{}: axis {} is named twice", call, signed_axis));
        named[axis] = true;
        kept[axis] = 1;
    }
    return kept;
}

Axes all_axes(const Shape& shape) {
    Axes axes(shape.rank());
    for (std::size_t axis = 0; axis < axes.size(); ++axis) axes[axis] = static_cast<std::ptrdiff_t>(axis);
    return axes;
}

Shape without(const Shape& shape, const Axes& axes) {
    std::vector<bool> named(shape.rank(), false);
    for (const std::ptrdiff_t axis : axes) named[normalized_axis("sum", axis, shape.rank())] = true;
    Shape result;
    for (std::size_t axis = 0; axis < shape.rank(); ++axis)
        if (!named[axis]) result.push_back(shape[axis]);
    return result;
}

/// y has the reduced axes with extent 1.
template <class T>
class Sum final : public Operation<T> {
  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info{"sum", "y = sum of x over axes", "dx = dy, broadcast along the axes"};
        return info;
    }
    void vjp(Vjp<T>& pass) const override { pass.accumulate(0, broadcast_to(pass.dy(), pass.input(0).shape())); }
    void backward(Backward<T>& pass) const override {
        add_broadcast(pass.target_zeroed(0), pass.input(0).shape, pass.dy(), pass.node().shape);
    }
};

}  // namespace

template <class T>
Variable<T> sum(const Variable<T>& x, const Axes& axes, bool keepdims) {
    static const Sum<T> operation;
    Tape<T>& tape = x.tape();
    const Shape kept = kept_shape("sum", x.shape(), axes);
    const auto recorded = tape.record(operation, {x}, kept);
    std::fill_n(recorded.value, kept.size(), T(0));
    add_reduced(recorded.value, kept, x.node().value, x.shape());
    const Variable<T> y = tape.at(recorded.index);
    return keepdims || axes.empty() ? y : reshape(y, without(x.shape(), axes));
}

template <class T>
Variable<T> sum(const Variable<T>& x) {
    return sum(x, all_axes(x.shape()));
}

template <class T>
Variable<T> mean(const Variable<T>& x, const Axes& axes, bool keepdims) {
    const Shape kept = kept_shape("mean", x.shape(), axes);
    const T count = static_cast<T>(x.size()) / static_cast<T>(kept.size());
    return sum(x, axes, keepdims) / count;
}

template <class T>
Variable<T> mean(const Variable<T>& x) {
    return mean(x, all_axes(x.shape()));
}

#define EBB_INSTANTIATE(T)                                           \
    template Variable<T> sum(const Variable<T>&);                    \
    template Variable<T> sum(const Variable<T>&, const Axes&, bool); \
    template Variable<T> mean(const Variable<T>&);                   \
    template Variable<T> mean(const Variable<T>&, const Axes&, bool);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb
