#include <ebb/autograd/checkpoint.hpp>
#include <ebb/autograd/grad_mode.hpp>
#include <ebb/autograd/operations/elementwise.hpp>
#include <ebb/autograd/operations/reductions.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/autograd/vjp_rows.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/random.hpp>

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

namespace ebb {

/// The tape that the segments of one tape are computed on, one after another. Its memory is kept for the next one.
template <class T>
class ScratchTape {
  public:
    explicit ScratchTape(Tape<T>& outer) : tape_(of(outer)), active_(*tape_) {}
    ~ScratchTape() { tape_->clear(); }
    ScratchTape(const ScratchTape&) = delete;
    ScratchTape& operator=(const ScratchTape&) = delete;

    Tape<T>& tape() const noexcept { return *tape_; }

    /// Leaves with the values of `outer` nodes, without a copy.
    Variable<T> leaf(Tape<T>& outer, Node<T>& node, bool requires_grad) {
        Node<T>& copy = tape_->append(node.shape, outer.contiguous(node));
        copy.requires_grad = copy.retains_gradient = requires_grad;
        copy.name = node.name;
        copy.time_step = node.time_step;
        copy.step_owner = node.step_owner;
        return tape_->at(static_cast<NodeIndex>(tape_->size() - 1));
    }

    /// The parameters that were used on it.
    std::vector<Parameter<T>> parameters() const {
        std::vector<Parameter<T>> result;
        for (std::size_t k = 0; k < tape_->parameter_count_; ++k) {
            Parameter<T> parameter;
            parameter.state_ = tape_->parameters_[k].state;
            const auto same = [&](const Parameter<T>& other) { return other.shares_with(parameter); };
            if (std::none_of(result.begin(), result.end(), same)) result.push_back(parameter);
        }
        return result;
    }

    /// Parameter number k as it was used, its node, and where its gradient shall go instead of into the parameter.
    std::size_t use_count() const { return tape_->parameter_count_; }
    NodeIndex use_node(std::size_t k) const { return tape_->parameters_[k].node; }
    bool is_use_of(std::size_t k, const Tape<T>& outer, const Node<T>& node) const {
        return node.parameter != 0 && outer.parameters_[node.parameter - 1].state == tape_->parameters_[k].state;
    }
    void redirect(std::size_t k, T* gradient) { tape_->parameters_[k].sink = gradient; }
    /// The first product with a weight is BLAS's, later ones are its layout's, which add in another order. After this
    /// `outer` begins again with the first, as a tape of its own does.
    static void forget_layouts(Tape<T>& outer) {
        for (auto& use : outer.parameters_)
            for (auto& layout : use.layouts) layout.uses = 0;
    }
    const std::string& use_name(std::size_t k) const { return tape_->parameters_[k].state->name.text(); }

  private:
    static Tape<T>* of(Tape<T>& outer) {
        if (!outer.scratch_) {
            const typename Tape<T>::Activation as_before(outer);  // a new tape is the innermost one
            outer.scratch_ = std::make_unique<Tape<T>>();
        }
        return outer.scratch_.get();
    }
    Tape<T>* tape_;
    typename Tape<T>::Activation active_;
};

namespace {

template <class T>
struct Segment {
    detail::CheckpointedFunction<T> f;
    Generator generator;         // as it was before f
    std::size_t argument_count;  // the first inputs of the node; the others are parameters
};

/// The default generator as it was then, while in scope.
class Replayed {
  public:
    explicit Replayed(const Generator& then) : now_(default_generator()) { default_generator() = then; }
    ~Replayed() { default_generator() = now_; }
    Replayed(const Replayed&) = delete;
    Replayed& operator=(const Replayed&) = delete;

  private:
    Generator now_;
};

template <class T>
class CheckpointOperation final : public Operation<T> {
  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info{"checkpoint", "y = f(x), nothing else kept", "f again, then its own dx"};
        return info;
    }

    void vjp(Vjp<T>& pass) const override {
        Tape<T>& tape = pass.tape();
        const Segment<T>& segment = pass.template saved<Segment<T>>();
        const auto first = static_cast<NodeIndex>(tape.size());
        std::vector<Variable<T>> arguments, roots, seeds, targets;
        for (std::size_t i = 0; i < segment.argument_count; ++i) arguments.push_back(pass.input(i));
        {
            const EnableGrad on;
            const Replayed random(segment.generator);
            const typename Tape<T>::Activation active(tape);
            ScratchTape<T>::forget_layouts(tape);
            roots = segment.f(arguments);
        }
        check_again(tape, roots, pass.index());
        std::vector<std::size_t> places;
        for (std::size_t i = 0; i < pass.input_count(); ++i) {
            const auto same = [&](const Variable<T>& other) { return other.index() == pass.input(i).index(); };
            if (!pass.wants(i) || std::any_of(targets.begin(), targets.end(), same)) continue;
            places.push_back(i);
            targets.push_back(pass.input(i));
        }
        for (std::size_t k = 0; k < roots.size(); ++k) seeds.push_back(pass.dy(k));
        const std::vector<Variable<T>> gradients = tape.vjp(roots, seeds, targets, first);
        for (std::size_t k = 0; k < places.size(); ++k)
            if (gradients[k].defined()) pass.accumulate(places[k], gradients[k]);
    }

    void backward(Backward<T>& pass) const override {
        Tape<T>& outer = pass.tape();
        ScratchTape<T> scratch(outer);
        Tape<T>& tape = scratch.tape();
        const std::vector<Variable<T>> arguments = this->arguments(pass, scratch);
        const std::vector<Variable<T>> ys = again(pass.template saved<Segment<T>>(), outer, arguments, pass.index());

        for (std::size_t k = 0; k < scratch.use_count(); ++k) {
            const Node<T>& use = tape.node(scratch.use_node(k));
            if (!use.requires_grad) continue;
            const std::size_t i = input_of_use(pass, scratch, k);
            // Frozen at first and no more: nobody wants it.
            scratch.redirect(k, pass.wants(i) ? pass.target_zeroed(i) : tape.allocate(use.shape.size()));
        }
        // L = sum of <dy_k, y_k>: its gradient at y_k is dy_k, to the bit.
        Variable<T> loss;
        for (std::size_t k = 0; k < ys.size(); ++k) {
            const T* const dy = pass.dy(k);
            if (!dy || !ys[k].requires_grad()) continue;
            const Variable<T> part = sum(ys[k] * tape.constant(dy, ys[k].shape()));
            loss = loss.defined() ? loss + part : part;
        }
        if (!loss.defined()) return;
        // What has flowed into an input already is added to where it lies: every sum in the order that it has without a
        // checkpoint, so with the same bits.
        std::vector<bool> goes_on(arguments.size());
        for (std::size_t i = 0; i < arguments.size(); ++i) {
            T* const gradient = outer.node(outer.input(pass.node(), i)).gradient;
            goes_on[i] = pass.wants(i) && gradient;
            if (goes_on[i]) arguments[i].node().gradient = gradient;
        }
        tape.backward(loss);
        for (std::size_t i = 0; i < arguments.size(); ++i) {
            if (goes_on[i] || !pass.wants(i) || !arguments[i].has_grad()) continue;
            const T* const dx = arguments[i].node().retained_gradient;
            const GradientTarget<T> target = pass.target(i);
            for (std::size_t e = 0; e < arguments[i].size(); ++e)
                target.data[e] = target.assign ? dx[e] : target.data[e] + dx[e];
        }
    }

    /// f once for all rows.
    void backward_rows(BackwardRows<T>& pass) const override {
        Tape<T>& outer = pass.tape();
        ScratchTape<T> scratch(outer);
        const std::vector<Variable<T>> arguments = this->arguments(pass, scratch);
        const std::vector<Variable<T>> all = again(pass.template saved<Segment<T>>(), outer, arguments, pass.index());
        std::vector<Variable<T>> ys, targets;
        std::vector<Array<T>> seeds;
        for (std::size_t k = 0; k < all.size(); ++k) {
            if (!pass.dy(k) || !all[k].requires_grad()) continue;
            std::vector<std::size_t> shape{pass.rows()};
            shape.insert(shape.end(), all[k].shape().begin(), all[k].shape().end());
            seeds.push_back(Array<T>::from_shape(shape));
            std::copy_n(pass.dy(k), seeds.back().size(), seeds.back().data());
            ys.push_back(all[k]);
        }
        std::vector<std::size_t> places;
        for (std::size_t i = 0; i < arguments.size(); ++i)
            if (pass.wants(i)) {
                places.push_back(i);
                targets.push_back(arguments[i]);
            }
        for (std::size_t k = 0; k < scratch.use_count(); ++k) {
            if (!scratch.tape().node(scratch.use_node(k)).requires_grad) continue;
            const std::size_t i = input_of_use(pass, scratch, k);
            if (!pass.wants(i)) continue;
            places.push_back(i);
            targets.push_back(scratch.tape().at(scratch.use_node(k)));
        }
        if (ys.empty() || targets.empty()) return;
        const std::vector<Array<T>> rows = vjp_rows(ys, seeds, targets);
        for (std::size_t k = 0; k < places.size(); ++k) {
            T* const dx = pass.target_zeroed(places[k]);
            for (std::size_t e = 0; e < rows[k].size(); ++e) dx[e] += rows[k].data()[e];
        }
    }

  private:
    template <class Pass>
    static std::vector<Variable<T>> arguments(const Pass& pass, ScratchTape<T>& scratch) {
        std::vector<Variable<T>> result;
        for (std::size_t i = 0; i < pass.template saved<Segment<T>>().argument_count; ++i) {
            Node<T>& node = pass.tape().node(pass.tape().input(pass.node(), i));
            result.push_back(scratch.leaf(pass.tape(), node, pass.wants(i)));
        }
        return result;
    }

    static std::vector<Variable<T>> again(const Segment<T>& segment, Tape<T>& outer,
                                          const std::vector<Variable<T>>& arguments, NodeIndex index) {
        const EnableGrad on;
        const Replayed random(segment.generator);
        const std::vector<Variable<T>> ys = segment.f(arguments);
        check_again(outer, ys, index);
        return ys;
    }

    /// f must give what it gave.
    static void check_again(const Tape<T>& outer, const std::vector<Variable<T>>& ys, NodeIndex index) {
        const std::size_t count = outer.node(index).output_count;
        bool same = ys.size() == count;
        for (std::size_t k = 0; same && k < count; ++k) {
            const Node<T>& before = outer.node(index + static_cast<NodeIndex>(k));
            same = ys[k].shape() == before.shape &&
                   std::memcmp(ys[k].tape().contiguous(ys[k]), before.value, before.shape.size() * sizeof(T)) == 0;
        }
        if (!same)
            fail<ValueError>(
                fmt::format("checkpoint (node {}): f gives another result in backward than at first: "
                            "expected a function of its arguments, of parameters, and of arrays that stay "
                            "as they are; random numbers only from default_generator()",
                            index));
    }

    template <class Pass>
    static std::size_t input_of_use(const Pass& pass, const ScratchTape<T>& scratch, std::size_t k) {
        const Tape<T>& outer = pass.tape();
        for (std::size_t i = 0; i < pass.node().input_count; ++i)
            if (scratch.is_use_of(k, outer, outer.node(outer.input(pass.node(), i)))) return i;
        fail<ValueError>(fmt::format("checkpoint: f uses the parameter {} in backward, which it did not use at first",
                                     scratch.use_name(k)));
    }
};

}  // namespace

template <class T>
std::vector<Variable<T>> detail::checkpoint(CheckpointedFunction<T> f, const std::vector<Variable<T>>& inputs) {
    static const CheckpointOperation<T> operation;
    if (inputs.empty()) fail<ValueError>("checkpoint: no inputs: expected at least one");
    Tape<T>& tape = inputs[0].tape();
    for (const Variable<T>& input : inputs) tape.check("checkpoint", input);
    const Generator generator = default_generator();

    // On a tape of its own, which keeps nothing that a backward pass would need.
    ScratchTape<T> scratch(tape);
    std::vector<Variable<T>> arguments, ys, all_inputs = inputs;
    {
        const NoGrad off;
        for (const Variable<T>& input : inputs) arguments.push_back(scratch.leaf(tape, input.node(), false));
        ys = f(arguments);
    }
    if (ys.empty()) fail<ValueError>("checkpoint: f returns no variable: expected at least one");
    for (const Variable<T>& y : ys) scratch.tape().check("checkpoint", y);
    for (const Parameter<T>& parameter : scratch.parameters()) all_inputs.push_back(tape.use(parameter));

    std::vector<typename Tape<T>::Recorded> outputs;
    for (const Variable<T>& y : ys) {
        if (outputs.empty())
            outputs.push_back(tape.record(operation, std::span<const Variable<T>>(all_inputs), y.shape()));
        else
            outputs.push_back(tape.record_further_output(outputs.front(), y.shape()));
        const Node<T>& inner = y.node();
        Node<T>& node = outputs.back().node;
        std::copy_n(scratch.tape().contiguous(y), y.size(), outputs.back().value);
        node.name = inner.name;
        node.time_step = inner.time_step;
        node.step_owner = inner.step_owner;
        node.probe = inner.probe;
        node.retains_gradient = inner.probe && node.requires_grad;
    }
    if (outputs.front().recorded)
        tape.keep(outputs.front(), std::make_shared<Segment<T>>(Segment<T>{std::move(f), generator, inputs.size()}));
    std::vector<Variable<T>> result;
    for (const auto& output : outputs) result.push_back(tape.at(output.index));
    return result;
}

template std::vector<Variable<float>> detail::checkpoint(CheckpointedFunction<float>,
                                                         const std::vector<Variable<float>>&);
template std::vector<Variable<double>> detail::checkpoint(CheckpointedFunction<double>,
                                                          const std::vector<Variable<double>>&);

}  // namespace ebb
