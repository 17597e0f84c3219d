#include <ebb/autograd/operations/catalogue.hpp>
#include <ebb/autograd/operations/elementwise.hpp>
#include <ebb/autograd/operations/loss_kernels.hpp>
#include <ebb/autograd/operations/losses.hpp>
#include <ebb/autograd/operations/reductions.hpp>
#include <ebb/autograd/operations/shape_operations.hpp>
#include <ebb/autograd/operations/softmax.hpp>
#include <ebb/autograd/operations/softmax_kernels.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/instruction_set.hpp>
#include <ebb/core/random.hpp>

#include <algorithm>

#include <fmt/format.h>

namespace ebb {
namespace {

template <class T>
const char* named(const Variable<T>& x, const char* otherwise) {
    return x.name().empty() ? otherwise : x.name().c_str();
}

template <class T>
Variable<T> reduced(const Variable<T>& losses, Reduction reduction) {
    switch (reduction) {
        case Reduction::mean:
            return mean(losses);
        case Reduction::sum:
            return sum(losses);
        default:
            return losses;
    }
}

template <class T>
void check_equal_shapes(const char* call, const char* what, const Variable<T>& a, const Variable<T>& b) {
    if (a.shape() != b.shape())
        fail<ShapeError>(fmt::format("{}: {} is {}, {} is {}: expected equal shapes, nothing is broadcast here", call,
                                     named(a, what), to_string(a.shape()), named(b, "target"), to_string(b.shape())));
}

// ---- a formula of the difference, summed: no array of differences is made -----------------------------------------

template <class T>
struct DifferenceSaved {
    T scale;  // 1, or 1 / the number of elements
    T parameter;
};

template <class F, class T>
class DifferenceLoss final : public Operation<T> {
  public:
    static constexpr std::size_t place = DifferenceFormulas::index_of<F>;

    DifferenceLoss(std::string_view name, std::string_view equation, std::string_view derivative) noexcept
        : info_{name, equation, derivative, F::info.domain} {}
    const OperationInfo& info() const noexcept override { return info_; }

    void vjp(Vjp<T>& pass) const override {
        const auto& saved = pass.template saved<DifferenceSaved<T>>();
        const Variable<T> difference = pass.input(0) - pass.input(1);
        const Variable<T> dy = pass.dy() * saved.scale;
        const Variable<T> share = [&] {
            if constexpr (F::arity == 1)
                return F::vjp(dy, difference, difference);
            else
                return std::get<0>(
                    F::vjp(dy, difference, detail::scalar_like(difference, saved.parameter), difference));
        }();
        if (pass.wants(0)) pass.accumulate(0, share);
        if (pass.wants(1)) pass.accumulate(1, -share);
    }
    void backward(Backward<T>& pass) const override {
        const auto& saved = pass.template saved<DifferenceSaved<T>>();
        const T dy = pass.dy()[0] * saved.scale;
        for (std::size_t i = 0; i < 2; ++i) {
            if (!pass.wants(i)) continue;
            const GradientTarget<T> dx = pass.target(i);
            kernels<LossKernels<T>>().backward[place](pass.input(0).value, pass.input(1).value,
                                                      pass.input(0).shape.size(), saved.parameter, i == 0 ? dy : -dy,
                                                      dx.data, dx.assign);
        }
    }

    Variable<T> record(const Variable<T>& prediction, const Variable<T>& target, T parameter,
                       Reduction reduction) const {
        Tape<T>& tape = prediction.tape();
        const auto recorded = tape.record(*this, {prediction, target}, Shape{});
        const std::size_t size = prediction.size();
        const T scale = reduction == Reduction::mean ? 1 / static_cast<T>(size) : T(1);
        const double total =
            kernels<LossKernels<T>>().sum[place](prediction.node().value, target.node().value, size, parameter);
        *recorded.value = static_cast<T>(reduction == Reduction::mean ? total / static_cast<double>(size) : total);
        if (recorded.recorded) tape.save(recorded.node, DifferenceSaved<T>{scale, parameter});
        return tape.at(recorded.index);
    }

  private:
    OperationInfo info_;
};

template <class T>
const DifferenceLoss<formulas::Square, T>& mse_operation() {
    static const DifferenceLoss<formulas::Square, T> operation("mse_loss", "y = mean (a - b)^2",
                                                               "da = 2 dy (a - b) / N, db = -da");
    return operation;
}
template <class T>
const DifferenceLoss<formulas::Abs, T>& l1_operation() {
    static const DifferenceLoss<formulas::Abs, T> operation("l1_loss", "y = mean |a - b|",
                                                            "da = dy sign(a - b) / N, db = -da");
    return operation;
}
template <class T>
const DifferenceLoss<formulas::Huber, T>& huber_operation() {
    static const DifferenceLoss<formulas::Huber, T> operation(
        "huber_loss", "y = mean of (a - b)^2 / 2 where |a - b| <= d, else d (|a - b| - d / 2)",
        "da = dy min(|a - b|, d) sign(a - b) / N, db = -da");
    return operation;
}

// ---- classes by number ----------------------------------------------------------------------------------------------

/// Saved by nll_loss and cross_entropy.
template <class T>
struct ClassesSaved {
    const std::int64_t* targets;
    const T* weight;       // [C], or nullptr for 1
    const T* log_sum_exp;  // of every row; cross_entropy only
    std::size_t rows;
    std::size_t classes;
    std::int64_t ignore_index;
    T scale;          // 1, or 1 / the sum of the weights
    T smoothing = 0;  // cross_entropy only
    bool per_row = false;

    bool ignored(std::size_t row) const { return targets[row] == ignore_index; }
    std::size_t target(std::size_t row) const { return static_cast<std::size_t>(targets[row]); }
    T weight_of(std::size_t c) const { return weight ? weight[c] : T(1); }
    /// The loss of a row is A log_sum_exp - sum_c a_c x_c, where A is the sum of the a_c:
    T hard(std::size_t row) const { return (1 - smoothing) * weight_of(target(row)); }          // of the target's class
    T soft(std::size_t c) const { return smoothing / static_cast<T>(classes) * weight_of(c); }  // of every class
    T sum_of_soft() const {
        T total = 0;
        for (std::size_t c = 0; smoothing != 0 && c < classes; ++c) total += soft(c);
        return total;
    }
    T dy(const T* dy, std::size_t row) const { return per_row ? dy[row] : dy[0] * scale; }
};

/// dy for every row, [.., 1].
template <class T>
Variable<T> row_dy(const Vjp<T>& pass, const ClassesSaved<T>& saved) {
    return saved.per_row ? unsqueeze(pass.dy(), -1) : pass.dy() * saved.scale;
}

/// A constant [.., C] on the tape, all zeros but a_c of the rows that count.
template <class T>
Variable<T> target_distribution(Tape<T>& tape, const Shape& shape, const ClassesSaved<T>& saved) {
    const Variable<T> result = tape.zeros(shape);
    T* a = const_cast<T*>(result.node().value);  // nobody else has seen it yet
    for (std::size_t row = 0; row < saved.rows; ++row, a += saved.classes) {
        if (saved.ignored(row)) continue;
        for (std::size_t c = 0; saved.smoothing != 0 && c < saved.classes; ++c) a[c] = saved.soft(c);
        a[saved.target(row)] += saved.hard(row);
    }
    return result;
}

template <class T>
class NllLoss final : public Operation<T> {
  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info{"nll_loss", "y = -sum_n w_t x_nt / sum_n w_t, t = target of n",
                                            "dx_nt = -dy w_t / sum_n w_t, 0 elsewhere"};
        return info;
    }
    void vjp(Vjp<T>& pass) const override {
        const auto& saved = pass.template saved<ClassesSaved<T>>();
        pass.accumulate(0, -row_dy(pass, saved) * target_distribution(pass.tape(), pass.input(0).shape(), saved));
    }
    void backward(Backward<T>& pass) const override {
        const auto& saved = pass.template saved<ClassesSaved<T>>();
        T* const dx = pass.target_zeroed(0);
        for (std::size_t row = 0; row < saved.rows; ++row)
            if (!saved.ignored(row))
                dx[row * saved.classes + saved.target(row)] -= saved.dy(pass.dy(), row) * saved.hard(row);
    }
    static double loss(const ClassesSaved<T>& saved, const T* x, std::size_t row) {
        return static_cast<double>(-saved.hard(row) * x[saved.target(row)]);
    }
};

template <class T>
class CrossEntropy final : public Operation<T> {
  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info{"cross_entropy",
                                            "y = -sum_n w_t log(softmax(x)_nt) / sum_n w_t, t = target of n",
                                            "dx_n = dy w_t (softmax(x)_n - onehot(t)) / sum_n w_t"};
        return info;
    }
    void vjp(Vjp<T>& pass) const override {
        const auto& saved = pass.template saved<ClassesSaved<T>>();
        Tape<T>& tape = pass.tape();
        const Shape& shape = pass.input(0).shape();
        const Variable<T> a = target_distribution(tape, shape, saved);
        pass.accumulate(0, row_dy(pass, saved) * (sum(a, -1, true) * softmax(pass.input(0)) - a));
    }
    void backward(Backward<T>& pass) const override {
        const auto& saved = pass.template saved<ClassesSaved<T>>();
        const T* x = pass.input(0).value;
        const GradientTarget<T> target = pass.target(0);
        T* dx = target.data;
        const T sum_of_soft = saved.sum_of_soft();
        const auto softmax = kernels<LossKernels<T>>().scaled_softmax;
        for (std::size_t row = 0; row < saved.rows; ++row, x += saved.classes, dx += saved.classes) {
            if (saved.ignored(row)) {
                if (target.assign) std::fill_n(dx, saved.classes, T(0));
                continue;
            }
            const T dy = saved.dy(pass.dy(), row);
            softmax(x, saved.classes, saved.log_sum_exp[row], dy * (saved.hard(row) + sum_of_soft), dx, target.assign);
            dx[saved.target(row)] -= dy * saved.hard(row);
            for (std::size_t c = 0; saved.smoothing != 0 && c < saved.classes; ++c) dx[c] -= dy * saved.soft(c);
        }
    }
    static double loss(const ClassesSaved<T>& saved, const T* x, std::size_t row) {
        const T log_sum_exp = saved.log_sum_exp[row];
        double result = static_cast<double>(saved.hard(row) * (log_sum_exp - x[saved.target(row)]));
        for (std::size_t c = 0; saved.smoothing != 0 && c < saved.classes; ++c)
            result += static_cast<double>(saved.soft(c) * (log_sum_exp - x[c]));
        return result;
    }
};

/// Checks everything, and gives what is the same in both losses; the pointers are the caller's until they are saved.
template <class T>
ClassesSaved<T> checked_classes(const char* call, const char* what, const Variable<T>& x, const Indices& targets,
                                std::int64_t ignore_index, const std::optional<Array<T>>& weight, Reduction reduction) {
    const Shape& shape = x.shape();
    if (shape.rank() == 0)
        fail<ShapeError>(
            fmt::format("{}: {} is a scalar: expected [.., C], the classes as last axis", call, named(x, what)));
    const Shape leading = shape.erased(shape.rank() - 1);
    const Shape given = Shape::of(targets.shape());
    if (given != leading)
        fail<ShapeError>(fmt::format("{}: {} is {}, the targets are {}: expected {}, a class for each row", call,
                                     named(x, what), to_string(shape), to_string(given), to_string(leading)));
    ClassesSaved<T> saved{targets.data(), nullptr, nullptr, leading.size(), shape.back(), ignore_index, T(1)};
    if (weight) {
        const Shape weight_shape = Shape::of(weight->shape());
        if (weight_shape != Shape{saved.classes})
            fail<ShapeError>(fmt::format("{}: {} is {}, the weight of the classes is {}: expected [{}]", call,
                                         named(x, what), to_string(shape), to_string(weight_shape), saved.classes));
        saved.weight = weight->data();
    }
    double total = 0;
    for (std::size_t row = 0; row < saved.rows; ++row) {
        if (saved.ignored(row)) continue;
        const std::int64_t t = targets.data()[row];
        if (t < 0 || t >= static_cast<std::int64_t>(saved.classes))
            fail<IndexError>(fmt::format("{}: target {} at flat position {}: {} is {}, expected {}, or {} to ignore it",
                                         call, t, row, named(x, what), to_string(shape),
                                         saved.classes == 0 ? "no class" : fmt::format("0 to {}", saved.classes - 1),
                                         ignore_index));
        total += static_cast<double>(saved.weight_of(static_cast<std::size_t>(t)));
    }
    saved.per_row = reduction == Reduction::none;
    if (reduction == Reduction::mean) saved.scale = static_cast<T>(1 / total);
    return saved;
}

template <class Loss, class T>
Variable<T> record_classes(const Loss& operation, const Variable<T>& x, ClassesSaved<T> saved) {
    Tape<T>& tape = x.tape();
    const Shape& shape = x.shape();
    const auto recorded = tape.record(operation, {x}, saved.per_row ? shape.erased(shape.rank() - 1) : Shape{});
    const T* const value = x.node().value;
    if constexpr (std::is_same_v<Loss, CrossEntropy<T>>) {
        T* const log_sum_exp = tape.allocate(saved.rows);
        kernels<SoftmaxKernels<T>>().logsumexp(saved.rows, saved.classes, 1, value, log_sum_exp);
        saved.log_sum_exp = log_sum_exp;
    }
    double total = 0;
    for (std::size_t row = 0; row < saved.rows; ++row) {
        const double loss = saved.ignored(row) ? 0 : Loss::loss(saved, value + row * saved.classes, row);
        if (saved.per_row)
            recorded.value[row] = static_cast<T>(loss);
        else
            total += loss;
    }
    if (!saved.per_row) *recorded.value = static_cast<T>(total * static_cast<double>(saved.scale));
    if (recorded.recorded) {
        saved.targets = tape.save(saved.targets, saved.rows);
        if (saved.weight) saved.weight = tape.save(saved.weight, saved.classes);
        tape.save(recorded.node, saved);
    }
    return tape.at(recorded.index);
}

}  // namespace

template <class T>
Variable<T> mse_loss(const Variable<T>& prediction, Operand<T> target, Reduction reduction, SourceLine at) {
    const CalledFrom call(at);
    check_equal_shapes("mse_loss", "prediction", prediction, target);
    if (reduction == Reduction::none) return square(prediction - target);
    return mse_operation<T>().record(prediction, target, T(0), reduction);
}

template <class T>
Variable<T> l1_loss(const Variable<T>& prediction, Operand<T> target, Reduction reduction, SourceLine at) {
    const CalledFrom call(at);
    check_equal_shapes("l1_loss", "prediction", prediction, target);
    if (reduction == Reduction::none) return abs(prediction - target);
    return l1_operation<T>().record(prediction, target, T(0), reduction);
}

template <class T>
Variable<T> huber_loss(const Variable<T>& prediction, Operand<T> target, const HuberOptions& options, SourceLine at) {
    const CalledFrom call(at);
    check_equal_shapes("huber_loss", "prediction", prediction, target);
    if (!(options.delta > 0))
        fail<ValueError>(fmt::format("huber_loss: delta is {}: expected a number above 0", options.delta));
    const T delta = static_cast<T>(options.delta);
    if (options.reduction == Reduction::none) return huber(prediction - target, delta);
    return huber_operation<T>().record(prediction, target, delta, options.reduction);
}

template <class T>
Variable<T> nll_loss(const Variable<T>& log_probabilities, const Indices& targets,
                     const std::type_identity_t<NllOptions<T>>& options, SourceLine at) {
    const CalledFrom call(at);
    static const NllLoss<T> operation;
    return record_classes(operation, log_probabilities,
                          checked_classes("nll_loss", "log_probabilities", log_probabilities, targets,
                                          options.ignore_index, options.weight, options.reduction));
}

template <class T>
Variable<T> cross_entropy(const Variable<T>& logits, const Indices& targets,
                          const std::type_identity_t<CrossEntropyOptions<T>>& options, SourceLine at) {
    const CalledFrom call(at);
    static const CrossEntropy<T> operation;
    check_probability("cross_entropy", options.label_smoothing, "label_smoothing");
    ClassesSaved<T> saved = checked_classes("cross_entropy", "logits", logits, targets, options.ignore_index,
                                            options.weight, options.reduction);
    saved.smoothing = static_cast<T>(options.label_smoothing);
    return record_classes(operation, logits, saved);
}

template <class T>
Variable<T> binary_cross_entropy_with_logits(const Variable<T>& logits, Operand<T> targets,
                                             const std::type_identity_t<BinaryCrossEntropyOptions<T>>& options,
                                             SourceLine at) {
    const CalledFrom line(at);
    const char* const call = "binary_cross_entropy_with_logits";
    check_equal_shapes(call, "logits", logits, targets);
    const auto check_weight = [&](const char* what, const Array<T>& weight) {
        const Shape shape = Shape::of(weight.shape());
        if (!broadcasts_to(shape, logits.shape()))
            fail<ShapeError>(fmt::format("{}: {} is {}, {} is {}: expected one that broadcasts to it", call,
                                         named(logits, "logits"), to_string(logits.shape()), what, to_string(shape)));
    };
    if (options.weight) check_weight("weight", *options.weight);
    if (options.positive_weight) check_weight("positive_weight", *options.positive_weight);

    Tape<T>& tape = logits.tape();
    Variable<T> losses;
    if (options.positive_weight) {
        // -p t log(sigmoid(x)) - (1 - t) log(1 - sigmoid(x))
        losses =
            targets * tape.constant(*options.positive_weight) * softplus(-logits) + (1 - targets) * softplus(logits);
    } else {
        losses = detail::apply_to_operands<formulas::BinaryCrossEntropyWithLogits>(logits, targets, at);
    }
    if (options.weight) losses = losses * tape.constant(*options.weight);
    return reduced(losses, options.reduction);
}

std::vector<CatalogueEntry> loss_catalogue() {
    return {{mse_operation<double>().info(), 2},
            {l1_operation<double>().info(), 2},
            {huber_operation<double>().info(), 2},
            {NllLoss<double>().info(), 1},
            {CrossEntropy<double>().info(), 1}};
}

#define EBB_INSTANTIATE(T)                                                                                             \
    template Variable<T> mse_loss(const Variable<T>&, Operand<T>, Reduction, SourceLine);                              \
    template Variable<T> l1_loss(const Variable<T>&, Operand<T>, Reduction, SourceLine);                               \
    template Variable<T> huber_loss(const Variable<T>&, Operand<T>, const HuberOptions&, SourceLine);                  \
    template Variable<T> nll_loss(const Variable<T>&, const Indices&, const NllOptions<T>&, SourceLine);               \
    template Variable<T> cross_entropy(const Variable<T>&, const Indices&, const CrossEntropyOptions<T>&, SourceLine); \
    template Variable<T> binary_cross_entropy_with_logits(const Variable<T>&, Operand<T>,                              \
                                                          const BinaryCrossEntropyOptions<T>&, SourceLine);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb
