#include <ebb/autograd/operations/along_axis.hpp>
#include <ebb/autograd/operations/broadcast.hpp>
#include <ebb/autograd/operations/catalogue.hpp>
#include <ebb/autograd/operations/elementwise.hpp>
#include <ebb/autograd/operations/reductions.hpp>
#include <ebb/autograd/operations/shape_operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

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

    bool contains(std::size_t axis) const noexcept { return reduced_[axis]; }

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

// ---- loops ----------------------------------------------------------------------------------------------------------

/// For y, which is x with some axes reduced to extent 1: calls f(offset in x, offset in y, count, step) for runs of
/// neighbours in x, over which y stands still (step 0) or goes along (step 1).
template <class Function>
void for_each_run(const Shape& x, const Shape& y, Function f) {
    if (x.size() == 0) return;
    ElementwiseBlock<float> block;  // of which only the steps count
    const std::array<const Shape*, 1> shapes{&y};
    Broadcast<1>(x, shapes).for_each_block(block, [&](const auto& offsets, std::size_t offset) {
        for (std::size_t r = 0; r < block.rows; ++r) {
            const std::ptrdiff_t in_y = offsets[0] + static_cast<std::ptrdiff_t>(r) * block.row_steps[0];
            f(offset + r * block.columns, static_cast<std::size_t>(in_y), block.columns, block.broadcast[0] ? 0 : 1);
        }
    });
}

template <class T>
T elements_in_each(const Shape& x, const Shape& y) {
    return static_cast<T>(x.size()) / static_cast<T>(y.size());
}

/// `operation` has recorded y with the reduced axes kept.
template <class T>
Variable<T> kept_or_dropped(Tape<T>& tape, NodeIndex index, const Reduced& reduced, bool keepdims) {
    const Variable<T> y = tape.at(index);
    return keepdims ? y : reshape(y, reduced.dropped());
}

// ---- variance -------------------------------------------------------------------------------------------------------

template <class T>
struct VarianceSaved {
    const T* mean;
    T scale;  // 1 / (n - correction)
};

template <class T>
class Variance final : public Operation<T> {
  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info{"var", "y = sum of (x - mean(x))^2 over axes / (n - correction)",
                                            "dx = 2 dy (x - mean(x)) / (n - correction)"};
        return info;
    }
    void vjp(Vjp<T>& pass) const override {
        const T scale = pass.template saved<VarianceSaved<T>>().scale;
        const Variable<T> x = pass.input(0);
        const Shape& shape = pass.node().shape;
        const Variable<T> mean = sum_to(x, shape) / elements_in_each<T>(x.shape(), shape);
        pass.accumulate(0, 2 * scale * pass.dy() * (x - mean));
    }
    void backward(Backward<T>& pass) const override {
        const auto& saved = pass.template saved<VarianceSaved<T>>();
        const T* const x = pass.input(0).value;
        const T* const dy = pass.dy();
        T* const dx = pass.target_zeroed(0);
        for_each_run(pass.input(0).shape, pass.node().shape,
                     [&](std::size_t k, std::size_t in_y, std::size_t count, std::size_t step) {
                         for (std::size_t j = 0; j < count; ++j)
                             dx[k + j] +=
                                 2 * saved.scale * dy[in_y + j * step] * (x[k + j] - saved.mean[in_y + j * step]);
                     });
    }
};

template <class T>
Variable<T> var_over(const Variable<T>& x, const Reduced& reduced, bool keepdims, double correction) {
    static const Variance<T> operation;
    Tape<T>& tape = x.tape();
    const Shape shape = reduced.kept();
    const auto recorded = tape.record(operation, {x}, shape);
    const T* const value = x.node().value;
    const T count = elements_in_each<T>(x.shape(), shape);
    // In two passes: the difference of two sums, of x^2 and of x, may cancel to nothing.
    T* const mean = tape.allocate(shape.size());
    std::fill_n(mean, shape.size(), T(0));
    add_reduced(mean, shape, value, x.shape());
    for (std::size_t k = 0; k < shape.size(); ++k) mean[k] /= count;
    const T scale = 1 / static_cast<T>(std::max(0.0, static_cast<double>(count) - correction));
    T* const y = recorded.value;
    std::fill_n(y, shape.size(), T(0));
    for_each_run(x.shape(), shape, [&](std::size_t k, std::size_t in_y, std::size_t run, std::size_t step) {
        for (std::size_t j = 0; j < run; ++j) {
            const T deviation = value[k + j] - mean[in_y + j * step];
            y[in_y + j * step] += deviation * deviation;
        }
    });
    for (std::size_t k = 0; k < shape.size(); ++k) y[k] *= scale;
    if (recorded.recorded) tape.save(recorded.node, VarianceSaved<T>{mean, scale});
    return kept_or_dropped(tape, recorded.index, reduced, keepdims);
}

template <class T>
Variable<T> root_or_zero(const Variable<T>& x) {
    // Where x is 0, the root is made of a constant: no gradient, instead of 0 / 0.
    const Variable<T> zero = x == 0;
    return where(zero, T(0), sqrt(where(zero, T(1), x)));
}

// ---- largest and smallest -------------------------------------------------------------------------------------------

template <bool largest, class T>
class Extremum final : public Operation<T> {
  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info =
            largest ? OperationInfo{"max", "y = the largest of x over axes", "dx = dy / m at the m places where x = y",
                                    Domain::distinct}
                    : OperationInfo{"min", "y = the smallest of x over axes", "dx = dy / m at the m places where x = y",
                                    Domain::distinct};
        return info;
    }
    void vjp(Vjp<T>& pass) const override {
        const Variable<T> y = pass.output();
        const Variable<T> chosen = pass.input(0) == y;  // a constant
        pass.accumulate(0, pass.dy() / sum_to(chosen, y.shape()) * chosen);
    }
    void backward(Backward<T>& pass) const override {
        const T* const x = pass.input(0).value;
        const T* const y = pass.node().value;
        const Shape& shape = pass.node().shape;
        T* const share = pass.acquire(shape.size());
        std::fill_n(share, shape.size(), T(0));
        T* const dx = pass.target_zeroed(0);
        for_each_run(pass.input(0).shape, shape,
                     [&](std::size_t k, std::size_t in_y, std::size_t count, std::size_t step) {
                         for (std::size_t j = 0; j < count; ++j)
                             if (x[k + j] == y[in_y + j * step]) share[in_y + j * step] += 1;
                     });
        for (std::size_t k = 0; k < shape.size(); ++k) share[k] = pass.dy()[k] / share[k];
        for_each_run(pass.input(0).shape, shape,
                     [&](std::size_t k, std::size_t in_y, std::size_t count, std::size_t step) {
                         for (std::size_t j = 0; j < count; ++j)
                             if (x[k + j] == y[in_y + j * step]) dx[k + j] += share[in_y + j * step];
                     });
        pass.release(share, shape.size());
    }
};

template <bool largest, class T>
Variable<T> extremum_over(const Variable<T>& x, const Reduced& reduced, bool keepdims) {
    static const Extremum<largest, T> operation;
    const Shape shape = reduced.kept();
    if (x.size() == 0 && shape.size() != 0)
        fail<ValueError>(fmt::format("{}: x is {}: of no elements there is no {} one", largest ? "max" : "min",
                                     to_string(x.shape()), largest ? "largest" : "smallest"));
    Tape<T>& tape = x.tape();
    const auto recorded = tape.record(operation, {x}, shape);
    const T* const value = x.node().value;
    T* const y = recorded.value;
    constexpr T infinity = std::numeric_limits<T>::infinity();
    std::fill_n(y, shape.size(), largest ? -infinity : infinity);
    for_each_run(x.shape(), shape, [&](std::size_t k, std::size_t in_y, std::size_t count, std::size_t step) {
        for (std::size_t j = 0; j < count; ++j) {
            const T v = value[k + j];
            T& best = y[in_y + j * step];
            // A NaN is taken, and is then neither smaller nor larger than what comes after it.
            if ((largest ? v > best : v < best) || std::isnan(v)) best = v;
        }
    });
    return kept_or_dropped(tape, recorded.index, reduced, keepdims);
}

// ---- norm -----------------------------------------------------------------------------------------------------------

template <class T>
struct NormSaved {
    T p;
};

/// 1 < p < infinity: the others are sums and maxima of |x|.
template <class T>
class Norm final : public Operation<T> {
  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info{"norm", "y = (sum of |x|^p over axes)^(1/p)",
                                            "dx = dy sign(x) (|x| / y)^(p-1), 0 where y = 0", Domain::nonzero};
        return info;
    }
    void vjp(Vjp<T>& pass) const override {
        const T p = pass.template saved<NormSaved<T>>().p;
        const Variable<T> x = pass.input(0), y = pass.output();
        const Variable<T> zero = y == 0;
        const Variable<T> ratio = where(zero, T(0), x / where(zero, T(1), y));
        if (p == 2)
            pass.accumulate(0, pass.dy() * ratio);
        else
            pass.accumulate(0, pass.dy() * ((x > 0) - (x < 0)) * pow(abs(ratio), p - 1));
    }
    void backward(Backward<T>& pass) const override {
        const T p = pass.template saved<NormSaved<T>>().p;
        const T* const x = pass.input(0).value;
        const T* const y = pass.node().value;
        const T* const dy = pass.dy();
        T* const dx = pass.target_zeroed(0);
        for_each_run(pass.input(0).shape, pass.node().shape,
                     [&](std::size_t k, std::size_t in_y, std::size_t count, std::size_t step) {
                         for (std::size_t j = 0; j < count; ++j) {
                             const std::size_t to = in_y + j * step;
                             if (y[to] == 0) continue;
                             const T ratio = x[k + j] / y[to];
                             dx[k + j] +=
                                 dy[to] * (p == 2 ? ratio : std::copysign(std::pow(std::abs(ratio), p - 1), ratio));
                         }
                     });
    }
};

template <class T>
Variable<T> norm_over(const Variable<T>& x, double p, const Reduced& reduced, bool keepdims) {
    static const Norm<T> operation;
    Tape<T>& tape = x.tape();
    const Shape shape = reduced.kept();
    const auto recorded = tape.record(operation, {x}, shape);
    const T* const value = x.node().value;
    T* const y = recorded.value;
    const T power = static_cast<T>(p);
    std::fill_n(y, shape.size(), T(0));
    for_each_run(x.shape(), shape, [&](std::size_t k, std::size_t in_y, std::size_t count, std::size_t step) {
        for (std::size_t j = 0; j < count; ++j) {
            const T v = value[k + j];
            y[in_y + j * step] += p == 2 ? v * v : std::pow(std::abs(v), power);
        }
    });
    for (std::size_t k = 0; k < shape.size(); ++k) y[k] = p == 2 ? std::sqrt(y[k]) : std::pow(y[k], 1 / power);
    if (recorded.recorded) tape.save(recorded.node, NormSaved<T>{power});
    return kept_or_dropped(tape, recorded.index, reduced, keepdims);
}

template <class T>
Variable<T> norm_of_any_power(const Variable<T>& x, double p, const Reduced& reduced, bool keepdims) {
    if (!(p >= 1)) fail<ValueError>(fmt::format("norm: p is {}: expected a number from 1 to infinity", p));
    if (p == 1 || x.size() == 0) return sum_over(abs(x), reduced, keepdims);
    if (std::isinf(p)) return extremum_over<true>(abs(x), reduced, keepdims);
    return norm_over(x, p, reduced, keepdims);
}

// ---- product --------------------------------------------------------------------------------------------------------

/// x [n, ..] -> [..]
template <class T>
Variable<T> product_of_rows(Variable<T> x) {
    const Shape row = x.shape().erased(0);
    if (x.shape()[0] == 0) return x.tape().ones(row);
    while (x.shape()[0] > 1) {
        const auto n = static_cast<std::ptrdiff_t>(x.shape()[0]), half = n / 2;
        const Variable<T> pairs = slice(x, 0, 0, half) * slice(x, 0, half, 2 * half);
        x = n % 2 == 0 ? pairs : concat(std::vector{pairs, slice(x, 0, n - 1, n)}, 0);
    }
    return reshape(x, row);
}

template <class T>
Variable<T> prod_over(const Variable<T>& x, const Reduced& reduced, bool keepdims) {
    // The reduced axes go to the front, and become one.
    const Shape kept = reduced.kept(), dropped = reduced.dropped();
    Axes order;
    std::size_t count = 1;
    for (const bool wanted : {true, false})
        for (std::size_t axis = 0; axis < x.shape().rank(); ++axis)
            if (reduced.contains(axis) == wanted) {
                order.append(static_cast<std::ptrdiff_t>(axis));
                if (wanted) count *= x.shape()[axis];
            }
    const Variable<T> y = product_of_rows(reshape(permute(x, order), dropped.inserted(0, count)));
    return keepdims ? reshape(y, kept) : y;
}

// ---- running sum ----------------------------------------------------------------------------------------------------

struct CumsumSaved {
    std::size_t axis;
    bool from_the_end;
};

/// y[k] = or += x[0] + ... + x[k], or x[k] + ... + x[n - 1]. `sums` is scratch for one element of the axis.
template <class T>
void running_sum(const T* x, T* y, const Shape& shape, const CumsumSaved& how, T* sums, bool add) {
    const AlongAxis along(shape, how.axis);
    for (std::size_t o = 0; o < along.outer; ++o) {
        std::fill_n(sums, along.inner, T(0));
        for (std::size_t k = 0; k < along.extent; ++k) {
            const std::size_t e = how.from_the_end ? along.extent - 1 - k : k;
            const std::size_t start = (o * along.extent + e) * along.inner;
            for (std::size_t i = 0; i < along.inner; ++i) {
                sums[i] += x[start + i];
                y[start + i] = add ? y[start + i] + sums[i] : sums[i];
            }
        }
    }
}

template <class T>
Variable<T> running_sum(const Variable<T>& x, const CumsumSaved& how);

template <class T>
class Cumsum final : public Operation<T> {
  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info{"cumsum", "y_k = x_0 + ... + x_k along an axis",
                                            "dx_k = dy_k + dy_{k+1} + ... + dy_{n-1}"};
        return info;
    }
    void vjp(Vjp<T>& pass) const override {
        const auto how = pass.template saved<CumsumSaved>();
        pass.accumulate(0, running_sum(pass.dy(), {how.axis, !how.from_the_end}));
    }
    void backward(Backward<T>& pass) const override {
        const auto how = pass.template saved<CumsumSaved>();
        const Shape& shape = pass.node().shape;
        const std::size_t inner = AlongAxis(shape, how.axis).inner;
        T* const sums = pass.acquire(inner);
        const GradientTarget<T> dx = pass.target(0);
        running_sum(pass.dy(), dx.data, shape, {how.axis, !how.from_the_end}, sums, !dx.assign);
        pass.release(sums, inner);
    }
};

template <class T>
Variable<T> running_sum(const Variable<T>& x, const CumsumSaved& how) {
    static const Cumsum<T> operation;
    Tape<T>& tape = x.tape();
    const auto recorded = tape.record(operation, {x}, x.shape());
    running_sum(x.node().value, recorded.value, x.shape(), how, tape.allocate(AlongAxis(x.shape(), how.axis).inner),
                false);
    if (recorded.recorded) tape.save(recorded.node, how);
    return tape.at(recorded.index);
}

}  // namespace

template <class T>
Variable<T> sum(const Variable<T>& x, const Axes& axes, bool keepdims, SourceLine at) {
    const CalledFrom call(at);
    return sum_over(x, Reduced("sum", x.shape(), axes), keepdims);
}

template <class T>
Variable<T> sum_to(const Variable<T>& x, const Shape& shape, SourceLine at) {
    const CalledFrom call(at);
    if (x.shape() == shape) return x;
    if (!broadcasts_to(shape, x.shape()))
        fail<ShapeError>(fmt::format("sum_to: x is {}: expected a shape that broadcasts to it, not {}",
                                     to_string(x.shape()), to_string(shape)));
    return reshape(sum_over(x, Reduced(x.shape(), shape), true), shape);
}

template <class T>
Variable<T> sum(const Variable<T>& x, SourceLine at) {
    const CalledFrom call(at);
    return sum_over(x, Reduced(x.shape()), false);
}

template <class T>
Variable<T> mean(const Variable<T>& x, const Axes& axes, bool keepdims, SourceLine at) {
    const CalledFrom call(at);
    return mean_over(x, Reduced("mean", x.shape(), axes), keepdims);
}

template <class T>
Variable<T> mean(const Variable<T>& x, SourceLine at) {
    const CalledFrom call(at);
    return mean_over(x, Reduced(x.shape()), false);
}

template <class T>
Variable<T> var(const Variable<T>& x, const Axes& axes, bool keepdims, double correction, SourceLine at) {
    const CalledFrom call(at);
    return var_over(x, Reduced("var", x.shape(), axes), keepdims, correction);
}

template <class T>
Variable<T> var(const Variable<T>& x, SourceLine at) {
    const CalledFrom call(at);
    return var_over(x, Reduced(x.shape()), false, 1);
}

template <class T>
Variable<T> stddev(const Variable<T>& x, const Axes& axes, bool keepdims, double correction, SourceLine at) {
    const CalledFrom call(at);
    return root_or_zero(var_over(x, Reduced("stddev", x.shape(), axes), keepdims, correction));
}

template <class T>
Variable<T> stddev(const Variable<T>& x, SourceLine at) {
    const CalledFrom call(at);
    return root_or_zero(var(x));
}

template <class T>
Variable<T> max(const Variable<T>& x, const Axes& axes, bool keepdims, SourceLine at) {
    const CalledFrom call(at);
    return extremum_over<true>(x, Reduced("max", x.shape(), axes), keepdims);
}

template <class T>
Variable<T> max(const Variable<T>& x, SourceLine at) {
    const CalledFrom call(at);
    return extremum_over<true>(x, Reduced(x.shape()), false);
}

template <class T>
Variable<T> min(const Variable<T>& x, const Axes& axes, bool keepdims, SourceLine at) {
    const CalledFrom call(at);
    return extremum_over<false>(x, Reduced("min", x.shape(), axes), keepdims);
}

template <class T>
Variable<T> min(const Variable<T>& x, SourceLine at) {
    const CalledFrom call(at);
    return extremum_over<false>(x, Reduced(x.shape()), false);
}

template <class T>
Variable<T> prod(const Variable<T>& x, const Axes& axes, bool keepdims, SourceLine at) {
    const CalledFrom call(at);
    return prod_over(x, Reduced("prod", x.shape(), axes), keepdims);
}

template <class T>
Variable<T> prod(const Variable<T>& x, SourceLine at) {
    const CalledFrom call(at);
    return prod_over(x, Reduced(x.shape()), false);
}

template <class T>
Variable<T> norm(const Variable<T>& x, double p, const Axes& axes, bool keepdims, SourceLine at) {
    const CalledFrom call(at);
    return norm_of_any_power(x, p, Reduced("norm", x.shape(), axes), keepdims);
}

template <class T>
Variable<T> norm(const Variable<T>& x, double p, SourceLine at) {
    const CalledFrom call(at);
    return norm_of_any_power(x, p, Reduced(x.shape()), false);
}

template <class T>
Variable<T> cumsum(const Variable<T>& x, std::ptrdiff_t axis, SourceLine at) {
    const CalledFrom call(at);
    return running_sum(x, {normalized_axis("cumsum", axis, x.shape().rank()), false});
}

std::vector<CatalogueEntry> reduction_catalogue() {
    return {{Sum<double>().info(), 1},
            {Variance<double>().info(), 1},
            {Extremum<true, double>().info(), 1},
            {Extremum<false, double>().info(), 1},
            {Norm<double>().info(), 1},
            {Cumsum<double>().info(), 1},
            derived("mean", "y = sum(x) / n over axes", "dx = dy / n", "sum, div"),
            derived("stddev", "y = sqrt(var(x)) over axes",
                    "dx = dy (x - mean(x)) / (y (n - correction)), 0 where y = 0", "var, sqrt, where"),
            derived("prod", "y = the product of x over axes", "dx_k = dy times the product of the others",
                    "permute, slice, mul, concat")};
}

#define EBB_INSTANTIATE(T)                                                                  \
    template Variable<T> sum(const Variable<T>&, SourceLine);                               \
    template Variable<T> sum(const Variable<T>&, const Axes&, bool, SourceLine);            \
    template Variable<T> mean(const Variable<T>&, SourceLine);                              \
    template Variable<T> mean(const Variable<T>&, const Axes&, bool, SourceLine);           \
    template Variable<T> sum_to(const Variable<T>&, const Shape&, SourceLine);              \
    template Variable<T> var(const Variable<T>&, SourceLine);                               \
    template Variable<T> var(const Variable<T>&, const Axes&, bool, double, SourceLine);    \
    template Variable<T> stddev(const Variable<T>&, SourceLine);                            \
    template Variable<T> stddev(const Variable<T>&, const Axes&, bool, double, SourceLine); \
    template Variable<T> max(const Variable<T>&, SourceLine);                               \
    template Variable<T> max(const Variable<T>&, const Axes&, bool, SourceLine);            \
    template Variable<T> min(const Variable<T>&, SourceLine);                               \
    template Variable<T> min(const Variable<T>&, const Axes&, bool, SourceLine);            \
    template Variable<T> prod(const Variable<T>&, SourceLine);                              \
    template Variable<T> prod(const Variable<T>&, const Axes&, bool, SourceLine);           \
    template Variable<T> norm(const Variable<T>&, double, const Axes&, bool, SourceLine);   \
    template Variable<T> norm(const Variable<T>&, double, SourceLine);                      \
    template Variable<T> cumsum(const Variable<T>&, std::ptrdiff_t, SourceLine);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb
