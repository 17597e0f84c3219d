#include <ebb/autograd/operation.hpp>
#include <ebb/autograd/operations/elementwise.hpp>
#include <ebb/autograd/operations/reductions.hpp>
#include <ebb/autograd/operations/shape_operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>
#include <ebb/layers/catalogue.hpp>
#include <ebb/layers/layer_norm.hpp>

#include <cmath>
#include <vector>

#include <fmt/format.h>

namespace ebb {
namespace {

/// Saved: 1 / s for each row.
template <class T>
struct NormalizeSaved {
    const T* inverse_deviation;
    T eps;
};

/// Rows of x [R, N] with mean 0 and variance 1.
template <class T>
class Normalize final : public Operation<T> {
  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info{"normalize", "y = (x - mean(x)) / s, s = sqrt(var(x) + eps), for each row",
                                            "dx = (dy - mean(dy) - y mean(dy y)) / s"};
        return info;
    }
    void vjp(Vjp<T>& pass) const override {
        const Variable<T> x = pass.input(0), y = pass.output(), dy = pass.dy();
        // From x again: s depends on it, which a second derivative must see.
        const Variable<T> s =
            sqrt(mean(square(x - mean(x, 1, true)), 1, true) + pass.template saved<NormalizeSaved<T>>().eps);
        pass.accumulate(0, (dy - mean(dy, 1, true) - y * mean(dy * y, 1, true)) / s);
    }
    void backward(Backward<T>& pass) const override {
        const T* const inverse_deviation = pass.template saved<NormalizeSaved<T>>().inverse_deviation;
        const std::size_t rows = pass.node().shape[0], n = pass.node().shape[1];
        const GradientTarget<T> target = pass.target(0);
        for (std::size_t r = 0; r < rows; ++r) {
            const T* const y = pass.node().value + r * n;
            const T* const dy = pass.dy() + r * n;
            T* const dx = target.data + r * n;
            T mean_dy = 0, mean_dy_y = 0;
            for (std::size_t k = 0; k < n; ++k) {
                mean_dy += dy[k];
                mean_dy_y += dy[k] * y[k];
            }
            mean_dy /= static_cast<T>(n);
            mean_dy_y /= static_cast<T>(n);
            for (std::size_t k = 0; k < n; ++k) {
                const T share = (dy[k] - mean_dy - y[k] * mean_dy_y) * inverse_deviation[r];
                dx[k] = target.assign ? share : dx[k] + share;
            }
        }
    }
};

template <class T>
Variable<T> normalize(const Variable<T>& x, double eps) {
    static const Normalize<T> operation;
    Tape<T>& tape = x.tape();
    const std::size_t rows = x.shape()[0], n = x.shape()[1];
    const auto recorded = tape.record(operation, {x}, x.shape());
    T* const inverse_deviation = tape.allocate(rows);
    for (std::size_t r = 0; r < rows; ++r) {
        const T* const from = x.node().value + r * n;
        T* const y = recorded.value + r * n;
        T mean = 0, variance = 0;
        for (std::size_t k = 0; k < n; ++k) mean += from[k];
        mean /= static_cast<T>(n);
        // Two passes: the mean of squares minus the square of the mean loses all digits where the mean is large.
        for (std::size_t k = 0; k < n; ++k) variance += (from[k] - mean) * (from[k] - mean);
        variance /= static_cast<T>(n);
        inverse_deviation[r] = 1 / std::sqrt(variance + static_cast<T>(eps));
        for (std::size_t k = 0; k < n; ++k) y[k] = (from[k] - mean) * inverse_deviation[r];
    }
    if (recorded.recorded) tape.save(recorded.node, NormalizeSaved<T>{inverse_deviation, static_cast<T>(eps)});
    return tape.at(recorded.index);
}

void check_options(const std::string& call, const Shape& normalized_shape, double eps) {
    if (normalized_shape.rank() == 0 || normalized_shape.size() == 0)
        fail<ValueError>(fmt::format("{}: normalized_shape is {}: expected at least one axis and one element", call,
                                     to_string(normalized_shape)));
    if (!std::isfinite(eps) || eps < 0)
        fail<ValueError>(fmt::format("{}: eps is {}: expected a finite number, not negative", call, eps));
}

void check_ends_in(const Shape& shape, const Shape& end) {
    bool ends_in = shape.rank() >= end.rank();
    for (std::size_t axis = 0; ends_in && axis < end.rank(); ++axis)
        ends_in = shape[shape.rank() - end.rank() + axis] == end[axis];
    if (!ends_in)
        fail<ShapeError>(fmt::format("layer_norm: x is {}, normalized_shape is {}: expected x to end in it",
                                     to_string(shape), to_string(end)));
}

}  // namespace

template <class T>
Variable<T> layer_norm(const Variable<T>& x, const Shape& normalized_shape, Operand<T> weight, Operand<T> bias,
                       double eps, SourceLine at) {
    const CalledFrom call(at);
    check_options("layer_norm", normalized_shape, eps);
    check_ends_in(x.shape(), normalized_shape);
    const auto check = [&](const char* name, const Variable<T>& operand) {
        if (operand.defined() && operand.shape() != normalized_shape)
            fail<ShapeError>(fmt::format("layer_norm: {} is {}, expected normalized_shape, {}", name,
                                         to_string(operand.shape()), to_string(normalized_shape)));
    };
    check("weight", weight);
    check("bias", bias);
    const std::size_t n = normalized_shape.size();
    Variable<T> y = reshape(normalize(reshape(x, {x.size() / n, n}), eps), x.shape());
    if (weight.defined()) y = y * weight;
    if (bias.defined()) y = y + bias;
    return y;
}

template <class T>
LayerNorm<T>::LayerNorm(const Options& options)
    : Module<T>("LayerNorm", options.name), normalized_shape_(options.normalized_shape), eps_(options.eps) {
    check_options(this->display_name(), normalized_shape_, eps_);
    if (!options.elementwise_affine) return;
    Array<T> begin = Array<T>::from_shape(std::vector<std::size_t>(normalized_shape_.begin(), normalized_shape_.end()));
    begin.fill(1);
    weight = this->register_parameter("weight", begin);
    begin.fill(0);
    if (options.bias) bias = this->register_parameter("bias", begin);
}

template <class T>
Variable<T> LayerNorm<T>::operator()(const Variable<T>& x, SourceLine at) const {
    const CalledFrom call(at);
    const ErrorContext context(this->name(), "LayerNorm");
    check_ends_in(x.shape(), normalized_shape_);  // before the parameters are recorded: the tape is as before
    Tape<T>& tape = x.tape();
    const auto on_tape = [&](const Parameter<T>& p) { return p.defined() ? tape.use(p) : Variable<T>(); };
    return layer_norm(x, normalized_shape_, on_tape(weight), on_tape(bias), eps_);
}

std::vector<CatalogueEntry> normalization_catalogue() {
    return {{Normalize<double>().info(), 1}};
}

#define EBB_INSTANTIATE(T)                                                                                         \
    template Variable<T> layer_norm(const Variable<T>&, const Shape&, Operand<T>, Operand<T>, double, SourceLine); \
    template class LayerNorm<T>;
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb
