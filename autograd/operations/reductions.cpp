#include <ebb/autograd/operations/broadcast.hpp>
#include <ebb/autograd/operations/catalogue.hpp>
#include <ebb/autograd/operations/elementwise.hpp>
#include <ebb/autograd/operations/reductions.hpp>
#include <ebb/autograd/operations/shape_operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace ebb {
namespace {

/// Which axes of a shape are reduced.
class Reduced {
  public:
    /// Throws IndexError for an axis that is not there, ValueError for one named twice.
    Reduced(const char* call, const Shape& shape, const Axes& axes) : shape_(shape) {
        for (const std::ptrdiff_t signed_axis : axes) {
            const std::size_t axis = normalized_axis(call, signed_axis, shape.rank());
            if (reduced_[axis]) fail<ValueError>(fmt::format("{}: axis {} is named twice", call, signed_axis));
            reduced_[axis] = true;
        }
    }
    /// Those along which `part` broadcasts to `shape`.
    Reduced(const Shape& shape, const Shape& part) : shape_(shape) {
        const std::size_t missing = shape.rank() - part.rank();
        for (std::size_t axis = 0; axis < shape.rank(); ++axis)
            reduced_[axis] = axis < missing || part[axis - missing] != shape[axis];
    }
    /// Over all axes.
    explicit Reduced(const Shape& shape) : shape_(shape) { reduced_.fill(true); }

    /// With extent 1 in their place.
    Shape kept() const {
        Shape result = shape_;
        for (std::size_t axis = 0; axis < shape_.rank(); ++axis)
            if (reduced_[axis]) result[axis] = 1;
        return result;
    }
    /// Without them.
    Shape dropped() const {
        Shape result;
        for (std::size_t axis = 0; axis < shape_.rank(); ++axis)
            if (!reduced_[axis]) result.push_back(shape_[axis]);
        return result;
    }

  private:
    Shape shape_;
    std::array<bool, Shape::max_rank> reduced_{};
};

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

template <class T>
Variable<T> sum_over(const Variable<T>& x, const Reduced& reduced, bool keepdims) {
    static const Sum<T> operation;
    Tape<T>& tape = x.tape();
    const Shape kept = reduced.kept();
    const auto recorded = tape.record(operation, {x}, kept);
    std::fill_n(recorded.value, kept.size(), T(0));
    add_reduced(recorded.value, kept, x.node().value, x.shape());
    const Variable<T> y = tape.at(recorded.index);
    return keepdims ? y : reshape(y, reduced.dropped());
}

template <class T>
Variable<T> mean_over(const Variable<T>& x, const Reduced& reduced, bool keepdims) {
    const T count = static_cast<T>(x.size()) / static_cast<T>(reduced.kept().size());
    return sum_over(x, reduced, keepdims) / count;
}

}  // namespace

void Axes::append(std::ptrdiff_t axis) {
    if (size_ == axes_.size()) fail<ShapeError>(fmt::format("Axes: an array has at most {} axes", Shape::max_rank));
    axes_[size_++] = axis;
}

Axes::Axes(std::initializer_list<std::ptrdiff_t> axes) {
    for (const std::ptrdiff_t axis : axes) append(axis);
}

Axes::Axes(const std::vector<std::ptrdiff_t>& axes) {
    for (const std::ptrdiff_t axis : axes) append(axis);
}

template <class T>
Variable<T> sum(const Variable<T>& x, const Axes& axes, bool keepdims) {
    return sum_over(x, Reduced("sum", x.shape(), axes), keepdims);
}

template <class T>
Variable<T> sum_to(const Variable<T>& x, const Shape& shape) {
    if (x.shape() == shape) return x;
    if (shape.rank() > x.shape().rank() || broadcast_shape("sum_to", shape, x.shape()) != x.shape())
        fail<ShapeError>(fmt::format("sum_to: x is {}: expected a shape that broadcasts to it, not {}",
                                     to_string(x.shape()), to_string(shape)));
    return reshape(sum_over(x, Reduced(x.shape(), shape), true), shape);
}

template <class T>
Variable<T> sum(const Variable<T>& x) {
    return sum_over(x, Reduced(x.shape()), false);
}

template <class T>
Variable<T> mean(const Variable<T>& x, const Axes& axes, bool keepdims) {
    return mean_over(x, Reduced("mean", x.shape(), axes), keepdims);
}

template <class T>
Variable<T> mean(const Variable<T>& x) {
    return mean_over(x, Reduced(x.shape()), false);
}

std::vector<CatalogueEntry> reduction_catalogue() {
    return {{Sum<double>().info(), 1}};
}

#define EBB_INSTANTIATE(T)                                            \
    template Variable<T> sum(const Variable<T>&);                     \
    template Variable<T> sum(const Variable<T>&, const Axes&, bool);  \
    template Variable<T> mean(const Variable<T>&);                    \
    template Variable<T> mean(const Variable<T>&, const Axes&, bool); \
    template Variable<T> sum_to(const Variable<T>&, const Shape&);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb
