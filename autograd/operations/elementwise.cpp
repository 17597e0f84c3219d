#include <ebb/autograd/grad_mode.hpp>
#include <ebb/autograd/operations/broadcast.hpp>
#include <ebb/autograd/operations/catalogue.hpp>
#include <ebb/autograd/operations/elementwise.hpp>
#include <ebb/autograd/operations/reductions.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/instruction_set.hpp>

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

namespace ebb {
namespace {

/// Blocks begin as its copy, not by their initialisers: `rep stos`, by which compilers zero so much, takes longer to
/// begin than the copy.
template <class T>
constexpr ElementwiseBlock<T> blank_block{};

template <std::size_t arity, class T>
void run_forward(ElementwiseKernel<T> kernel, const std::array<const Node<T>*, arity>& inputs, const Shape& shape,
                 T* y) {
    ElementwiseBlock<T> block = blank_block<T>;
    std::array<const Shape*, arity> shapes;
    bool same = true;
    for (std::size_t i = 0; i < arity; ++i) {
        block.inputs[i] = inputs[i]->value;
        shapes[i] = &inputs[i]->shape;
        same = same && *shapes[i] == shape;
    }
    block.y = y;
    if (same) {
        block.columns = shape.size();
        return kernel(block);
    }
    if (shape.size() == 0) return;
    Broadcast<arity>(shape, shapes).for_each_block(block, [&](const auto& offsets, std::size_t offset) {
        for (std::size_t i = 0; i < arity; ++i) block.inputs[i] = inputs[i]->value + offsets[i];
        block.y = y + offset;
        kernel(block);
    });
}

template <std::size_t arity, class T>
void run_backward(const ElementwiseKernel<T>* kernels, Backward<T>& pass) {
    const Node<T>& node = pass.node();
    const Shape& shape = node.shape;
    ElementwiseBlock<T> block = blank_block<T>;
    std::array<const Node<T>*, arity> inputs;
    std::array<const Shape*, arity> shapes;
    bool same = true;
    for (std::size_t i = 0; i < arity; ++i) {
        inputs[i] = &pass.input(i);
        block.inputs[i] = inputs[i]->value;
        shapes[i] = &inputs[i]->shape;
        same = same && *shapes[i] == shape;
    }
    block.y = const_cast<T*>(node.value);  // the backward kernels only read it
    block.dy = node.gradient;
    for (std::size_t wrt = 0; wrt < arity; ++wrt) {
        if (!pass.wants(wrt)) continue;
        if (same) {
            const GradientTarget<T> target = pass.target(wrt);
            block.columns = shape.size();
            block.dx = target.data;
            block.assign = target.assign;
            kernels[wrt](block);
            continue;
        }
        // The gradient of an input that was broadcast is a sum, which starts from zero.
        T* dx = nullptr;
        block.assign = false;
        if (shapes[wrt]->size() == shape.size()) {
            const GradientTarget<T> target = pass.target(wrt);
            dx = target.data;
            block.assign = target.assign;
        } else {
            dx = pass.target_zeroed(wrt);
        }
        if (shape.size() == 0) continue;
        Broadcast<arity>(shape, shapes).for_each_block(block, [&](const auto& offsets, std::size_t offset) {
            for (std::size_t i = 0; i < arity; ++i) block.inputs[i] = inputs[i]->value + offsets[i];
            block.y = const_cast<T*>(node.value) + offset;
            block.dy = node.gradient + offset;
            block.dx = dx + offsets[wrt];
            kernels[wrt](block);
        });
    }
}

/// K rows of dy at once: one table of numbers whose rows differ in dy alone. Not where an input is broadcast whose
/// gradient is wanted, nor where one is broadcast otherwise than a single number.
template <std::size_t arity, class T>
bool run_backward_of_rows(const ElementwiseKernel<T>* kernels, BackwardRows<T>& pass) {
    const Node<T>& node = pass.node();
    ElementwiseBlock<T> block = blank_block<T>;
    block.rows = pass.rows();
    block.columns = node.shape.size();
    block.y = const_cast<T*>(node.value);
    block.rows_of_dy = true;
    block.dy = pass.dy();
    for (std::size_t i = 0; i < arity; ++i) {
        const Node<T>& input = pass.input(i);
        block.inputs[i] = input.value;
        if (input.shape == node.shape) continue;
        if (input.shape.size() != 1 || pass.wants(i)) return false;
        block.broadcast[i] = block.columns > 1;
    }
    for (std::size_t wrt = 0; wrt < arity; ++wrt) {
        if (!pass.wants(wrt)) continue;
        const GradientTarget<T> target = pass.target(wrt);
        block.dx = target.data;
        block.assign = target.assign;
        kernels[wrt](block);
    }
    return true;
}

// ---- one operation per formula ------------------------------------------------------------------------------------

template <class F, class T>
class ElementwiseOperation final : public Operation<T> {
  public:
    const OperationInfo& info() const noexcept override { return F::info; }

    void backward(Backward<T>& pass) const override {
        if constexpr (F::differentiable) {
            if constexpr (std::is_same_v<F, formulas::Add>) {
                if (pass.input(0).shape == pass.input(1).shape) {
                    // dy itself is the gradient of both: its memory can move on.
                    for (std::size_t i = 2; i-- > 0;)
                        if (pass.wants(i)) pass.pass_on(i);
                    return;
                }
            }
            run_backward<F::arity>(kernels<ElementwiseKernels<T>>().backward[formulas::Formulas::index_of<F>], pass);
        }
    }

    void backward_rows(BackwardRows<T>& pass) const override {
        if constexpr (F::differentiable) {
            const auto& all = kernels<ElementwiseKernels<T>>().backward[formulas::Formulas::index_of<F>];
            if (!run_backward_of_rows<F::arity>(all, pass)) pass.one_by_one();
        }
    }

    void vjp(Vjp<T>& pass) const override {
        if constexpr (F::differentiable) {
            const auto accumulate = [&](std::size_t i, const Variable<T>& share) {
                if (pass.wants(i)) pass.accumulate(i, sum_to(share, pass.input(i).shape()));
            };
            if constexpr (F::arity == 1) {
                accumulate(0, F::vjp(pass.dy(), pass.input(0), pass.output()));
            } else if constexpr (F::arity == 2) {
                const auto [da, db] = F::vjp(pass.dy(), pass.input(0), pass.input(1), pass.output());
                accumulate(0, da);
                accumulate(1, db);
            } else {
                const auto [da, db, dc] = F::vjp(pass.dy(), pass.input(0), pass.input(1), pass.input(2), pass.output());
                accumulate(0, da);
                accumulate(1, db);
                accumulate(2, dc);
            }
        }
    }
};

template <class T, class... F>
const Operation<T>& operation_of(std::size_t formula, formulas::FormulaList<F...>) {
    static const std::tuple<ElementwiseOperation<F, T>...> all;
    static const std::array<const Operation<T>*, sizeof...(F)> table = std::apply(
        [](const auto&... operation) { return std::array<const Operation<T>*, sizeof...(F)>{&operation...}; }, all);
    return *table[formula];
}

template <class... F>
constexpr std::array<std::size_t, sizeof...(F)> arities(formulas::FormulaList<F...>) {
    return {F::arity...};
}
template <class... F>
constexpr std::array<bool, sizeof...(F)> differentiable(formulas::FormulaList<F...>) {
    return {F::differentiable...};
}

constexpr auto formula_arities = arities(formulas::Formulas{});
constexpr auto formula_differentiable = differentiable(formulas::Formulas{});

template <std::size_t arity, class T>
Variable<T> run(std::size_t formula, const Operation<T>& operation, const Variable<T>* inputs) {
    Tape<T>& tape = inputs[0].tape();
    const std::string_view call = operation.info().name;
    std::array<const Node<T>*, arity> nodes;
    for (std::size_t i = 0; i < arity; ++i) {
        tape.check(call, inputs[i]);
        nodes[i] = &tape.node(inputs[i].index());
    }
    Shape shape = nodes[0]->shape;
    for (std::size_t i = 1; i < arity; ++i)
        if (nodes[i]->shape != shape) shape = broadcast_shape(call.data(), shape, nodes[i]->shape);
    const auto recorded = tape.record(operation, std::span(inputs, arity), shape);
    run_forward<arity, T>(kernels<ElementwiseKernels<T>>().forward[formula], nodes, shape, recorded.value);
    return tape.at(recorded.index);
}

template <class T>
Variable<T> dispatch(std::size_t formula, const Variable<T>* inputs) {
    const Operation<T>& operation = operation_of<T>(formula, formulas::Formulas{});
    switch (formula_arities[formula]) {
        case 1:
            return run<1>(formula, operation, inputs);
        case 2:
            return run<2>(formula, operation, inputs);
        default:
            return run<3>(formula, operation, inputs);
    }
}

}  // namespace

template <class T>
Variable<T> detail::elementwise(std::size_t formula, std::initializer_list<Variable<T>> inputs, SourceLine at) {
    const CalledFrom call(at);
    if (formula_differentiable[formula]) return dispatch(formula, inputs.begin());
    const NoGrad off;
    return dispatch(formula, inputs.begin());
}

template <class T>
Variable<T> where(const Variable<T>& condition, Operand<T> a, Operand<T> b, SourceLine at) {
    const CalledFrom call(at);
    // Before anything is put on the tape.
    broadcast_shape("where", broadcast_shape("where", condition.shape(), a.shape()), b.shape());
    // A comparison is a constant already.
    return detail::elementwise<T>(formulas::Formulas::index_of<formulas::Where>,
                                  {condition.requires_grad() ? condition.detach() : condition, a, b}, at);
}

template <class T>
Variable<T> where(const Variable<T>& condition, std::type_identity_t<T> a, Operand<T> b, SourceLine at) {
    const CalledFrom call(at);
    broadcast_shape("where", condition.shape(), b.shape());
    return where(condition, detail::scalar_like(condition, a), b);
}

template <class T>
Variable<T> where(const Variable<T>& condition, Operand<T> a, std::type_identity_t<T> b, SourceLine at) {
    const CalledFrom call(at);
    broadcast_shape("where", condition.shape(), a.shape());
    return where(condition, a, detail::scalar_like(condition, b));
}

template <class T>
Variable<T> detail::scalar_like(const Variable<T>& like, T value) {
    return like.tape().scalar(value);
}

namespace {
template <class... F>
std::vector<CatalogueEntry> entries(formulas::FormulaList<F...>) {
    return {CatalogueEntry{F::info, F::arity, F::differentiable}...};
}
}  // namespace

std::vector<CatalogueEntry> elementwise_catalogue() {
    return entries(formulas::Formulas{});
}

#define EBB_INSTANTIATE(T)                                                                                 \
    template Variable<T> detail::elementwise(std::size_t, std::initializer_list<Variable<T>>, SourceLine); \
    template Variable<T> detail::scalar_like(const Variable<T>&, T);                                       \
    template Variable<T> where(const Variable<T>&, Operand<T>, Operand<T>, SourceLine);                    \
    template Variable<T> where(const Variable<T>&, std::type_identity_t<T>, Operand<T>, SourceLine);       \
    template Variable<T> where(const Variable<T>&, Operand<T>, std::type_identity_t<T>, SourceLine);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb
