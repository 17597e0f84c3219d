#include <ebb/autograd/operations/along_axis.hpp>
#include <ebb/autograd/operations/catalogue.hpp>
#include <ebb/autograd/operations/elementwise.hpp>
#include <ebb/autograd/operations/reductions.hpp>
#include <ebb/autograd/operations/shape_operations.hpp>
#include <ebb/autograd/operations/softmax.hpp>
#include <ebb/autograd/operations/softmax_kernels.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/instruction_set.hpp>

#include <array>
#include <limits>

#include <fmt/format.h>

namespace ebb {
namespace {

struct SavedAxis {
    std::size_t axis;
    std::ptrdiff_t as_signed() const { return static_cast<std::ptrdiff_t>(axis); }
};

template <class T>
class Softmax final : public Operation<T> {
  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info{"softmax", "y_i = e^(x_i) / sum_j e^(x_j)",
                                            "dx_i = y_i (dy_i - sum_j dy_j y_j)"};
        return info;
    }
    void vjp(Vjp<T>& pass) const override {
        const Variable<T> y = pass.output(), dy = pass.dy();
        pass.accumulate(0, y * (dy - sum(dy * y, pass.template saved<SavedAxis>().as_signed(), true)));
    }
    void backward(Backward<T>& pass) const override {
        const AlongAxis a(pass.node().shape, pass.template saved<SavedAxis>().axis);
        const GradientTarget<T> dx = pass.target(0);
        kernels<SoftmaxKernels<T>>().softmax_backward(a.outer, a.extent, a.inner, pass.node().value, pass.dy(), dx.data,
                                                      dx.assign);
    }
};

template <class T>
class LogSoftmax final : public Operation<T> {
  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info{"log_softmax", "y_i = x_i - log sum_j e^(x_j)",
                                            "dx_i = dy_i - e^(y_i) sum_j dy_j"};
        return info;
    }
    void vjp(Vjp<T>& pass) const override {
        const Variable<T> y = pass.output(), dy = pass.dy();
        pass.accumulate(0, dy - exp(y) * sum(dy, pass.template saved<SavedAxis>().as_signed(), true));
    }
    void backward(Backward<T>& pass) const override {
        const AlongAxis a(pass.node().shape, pass.template saved<SavedAxis>().axis);
        const GradientTarget<T> dx = pass.target(0);
        kernels<SoftmaxKernels<T>>().log_softmax_backward(a.outer, a.extent, a.inner, pass.node().value, pass.dy(),
                                                          dx.data, dx.assign);
    }
};

/// y has the reduced axis with extent 1.
template <class T>
class LogSumExp final : public Operation<T> {
  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info{"logsumexp", "y = log sum_j e^(x_j)", "dx_i = dy e^(x_i - y)"};
        return info;
    }
    void vjp(Vjp<T>& pass) const override {
        const Variable<T> x = pass.input(0), y = pass.output();
        constexpr T infinity = std::numeric_limits<T>::infinity();
        pass.accumulate(0, pass.dy() * exp(where(y == -infinity, -infinity, x - y)));
    }
    void backward(Backward<T>& pass) const override {
        const Node<T>& x = pass.input(0);
        const AlongAxis a(x.shape, pass.template saved<SavedAxis>().axis);
        const GradientTarget<T> dx = pass.target(0);
        kernels<SoftmaxKernels<T>>().logsumexp_backward(a.outer, a.extent, a.inner, x.value, pass.node().value,
                                                        pass.dy(), dx.data, dx.assign);
    }
};

template <class T>
Variable<T> along(const Operation<T>& operation, typename SoftmaxKernels<T>::Forward kernel, const Variable<T>& x,
                  std::size_t axis, const Shape& shape) {
    Tape<T>& tape = x.tape();
    const auto recorded = tape.record(operation, {x}, shape);
    const AlongAxis a(x.shape(), axis);
    kernel(a.outer, a.extent, a.inner, x.node().value, recorded.value);
    if (recorded.recorded) tape.save(recorded.node, SavedAxis{axis});
    return tape.at(recorded.index);
}

}  // namespace

template <class T>
Variable<T> softmax(const Variable<T>& x, std::ptrdiff_t axis, SourceLine at) {
    const CalledFrom call(at);
    static const Softmax<T> operation;
    const std::size_t a = normalized_axis("softmax", axis, x.shape().rank());
    return along(operation, kernels<SoftmaxKernels<T>>().softmax, x, a, x.shape());
}

template <class T>
Variable<T> log_softmax(const Variable<T>& x, std::ptrdiff_t axis, SourceLine at) {
    const CalledFrom call(at);
    static const LogSoftmax<T> operation;
    const std::size_t a = normalized_axis("log_softmax", axis, x.shape().rank());
    return along(operation, kernels<SoftmaxKernels<T>>().log_softmax, x, a, x.shape());
}

template <class T>
Variable<T> logsumexp(const Variable<T>& x, std::ptrdiff_t axis, bool keepdims, SourceLine at) {
    const CalledFrom call(at);
    static const LogSumExp<T> operation;
    const std::size_t a = normalized_axis("logsumexp", axis, x.shape().rank());
    Shape kept = x.shape();
    kept[a] = 1;
    const Variable<T> y = along(operation, kernels<SoftmaxKernels<T>>().logsumexp, x, a, kept);
    return keepdims ? y : reshape(y, kept.erased(a));
}

template <class T>
Variable<T> logsumexp(const Variable<T>& x, const Axes& axes, bool keepdims, SourceLine at) {
    const CalledFrom call(at);
    // One axis after the other: log sum e^(log sum e^x) is the log of the sum over both.
    Shape reduced;
    std::array<bool, Shape::max_rank> named{};
    for (const std::ptrdiff_t axis : axes) {
        const std::size_t a = normalized_axis("logsumexp", axis, x.shape().rank());
        if (named[a]) fail<ValueError>(fmt::format("logsumexp: axis {} is named twice", axis));
        named[a] = true;
    }
    for (std::size_t a = 0; a < x.shape().rank(); ++a)
        if (!named[a]) reduced.push_back(x.shape()[a]);
    Variable<T> y = x;
    for (std::size_t a = 0; a < x.shape().rank(); ++a)
        if (named[a]) y = logsumexp(y, static_cast<std::ptrdiff_t>(a), true);
    return keepdims ? y : reshape(y, reduced);
}

template <class T>
Variable<T> logsumexp(const Variable<T>& x, SourceLine at) {
    const CalledFrom call(at);
    return reshape(logsumexp(reshape(x, Shape{x.size()}), 0), Shape{});
}

std::vector<CatalogueEntry> softmax_catalogue() {
    return {{Softmax<double>().info(), 1}, {LogSoftmax<double>().info(), 1}, {LogSumExp<double>().info(), 1}};
}

#define EBB_INSTANTIATE(T)                                                                \
    template Variable<T> softmax(const Variable<T>&, std::ptrdiff_t, SourceLine);         \
    template Variable<T> log_softmax(const Variable<T>&, std::ptrdiff_t, SourceLine);     \
    template Variable<T> logsumexp(const Variable<T>&, SourceLine);                       \
    template Variable<T> logsumexp(const Variable<T>&, std::ptrdiff_t, bool, SourceLine); \
    template Variable<T> logsumexp(const Variable<T>&, const Axes&, bool, SourceLine);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb
