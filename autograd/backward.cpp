/// The backward pass: a loop from the last node to the first. `Tape::backward` runs over raw memory; `Tape::vjp` runs
/// the same formulas on variables, so that what it computes can be derived again.

#include <ebb/autograd/grad_mode.hpp>
#include <ebb/autograd/operations/along_axis.hpp>
#include <ebb/autograd/operations/elementwise.hpp>
#include <ebb/autograd/operations/shape_operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/products.hpp>

#include <algorithm>
#include <unordered_map>

#include <fmt/format.h>

namespace ebb {
namespace {

/// True while in scope.
class Flag {
  public:
    explicit Flag(bool& flag) noexcept : flag_(flag), before_(flag) { flag = true; }
    ~Flag() { flag_ = before_; }
    Flag(const Flag&) = delete;
    Flag& operator=(const Flag&) = delete;

  private:
    bool& flag_;
    bool before_;
};

template <class T>
void add_to(const GradientTarget<T>& target, const T* share, std::size_t size) {
    if (target.assign)
        std::copy_n(share, size, target.data);
    else
        for (std::size_t k = 0; k < size; ++k) target.data[k] += share[k];
}

/// dx[.., start : start + count, ..] += share
template <class T>
void add_slice(T* dx, const Shape& shape, std::size_t axis, std::size_t start, const T* share, std::size_t count) {
    const AlongAxis a(shape, axis);
    for (std::size_t o = 0; o < a.outer; ++o) {
        T* const to = dx + (o * a.extent + start) * a.inner;
        const T* const from = share + o * count * a.inner;
        for (std::size_t k = 0; k < count * a.inner; ++k) to[k] += from[k];
    }
}

/// The first of `count` terms of as many rows: dW = delta' x, or dW = x' delta where the weight stands on the right.
template <class T>
ProductTerm<T> first_term(const typename Backward<T>::Share& share, std::size_t count) {
    const std::size_t rows = count == 1 ? share.rows : share.rows / count;  // a division takes as long as 20 additions
    if (share.transposed) return {share.x, share.delta, rows, share.x_stride, share.delta_stride};
    return {share.delta, share.x, rows, share.delta_stride, share.x_stride};
}

/// Adds terms of one kind to the gradient of a weight: products, or those of a bias, where x stands for ones.
template <class T>
void add_terms(std::span<const ProductTerm<T>> terms, bool has_x, const Shape& shape, T* gradient, double* norms) {
    const std::size_t columns = shape.rank() == 0 ? 1 : shape.back(), rows = shape.rank() == 2 ? shape[0] : 1;
    if (has_x)
        add_products<T>(terms, rows, columns, gradient, columns, norms);
    else
        add_column_sums<T>(terms, columns, gradient, norms);
}

/// Whether the norms of a share's terms are found on the way to their sum. Of few rows that would cost more than it
/// does to compute them when somebody asks.
template <class Share>
bool share_has_norms(const Share& share) {
    constexpr std::size_t few = 8, many = 4096;
    return share.rows >= few * share.time_steps && share.rows <= many * share.time_steps && share.rows > 0;
}

}  // namespace

// ---- one node, raw memory -----------------------------------------------------------------------------------------

template <class T>
T* Backward<T>::target_zeroed(std::size_t i) const {
    const GradientTarget<T> target = this->target(i);
    if (target.assign) std::fill_n(target.data, input(i).shape.size(), T(0));
    return target.data;
}

template <class T>
void Backward<T>::pass_on(std::size_t i) const {
    Node<T>& input = input_node(i);
    if (!input.gradient && node_.gradient && !node_.retains_gradient) {
        input.gradient = node_.gradient;
        passed_on_ = node_.gradient;
        node_.gradient = nullptr;
        return;
    }
    const T* const dy = node_.gradient ? node_.gradient : passed_on_;
    add_to(target(i), dy, node_.shape.size());
}

template <class T>
void Backward<T>::split_to_inputs() const {
    T* const dy = node_.gradient;
    const bool give_away = !node_.retains_gradient;
    std::size_t start = 0;
    for (std::size_t i = 0; i < node_.input_count; ++i) {
        Node<T>& input = input_node(i);
        const std::size_t size = input.shape.size();
        if (give_away && !input.gradient && wants(i))
            input.gradient = dy + start;  // the pool takes a part back as a buffer of its own
        else if (wants(i))
            add_to(target(i), dy + start, size);
        start += size;
    }
    if (give_away) node_.gradient = nullptr;
}

template <class T>
void Backward<T>::add_to_rows(const Node<T>& parameter, const Share& share) {
    const ProductTerm<T> term = first_term<T>(share, 1);
    add_terms<T>({&term, 1}, share.x != nullptr, parameter.shape, parameter.gradient, nullptr);
}

template <class T>
void Backward<T>::add_at_once(std::size_t i, Share share) const {
    tape_.add_shares({&share, 1}, input(i).shape, target_zeroed(i));
    share.delta = nullptr;
    defer(i, share);
}

template <class T>
bool Backward<T>::may_add_at_once(std::size_t i, std::size_t uses) const {
    if (!is_parameter(i) || !tape_.parameters_[input(i).parameter - 1].shares.empty()) return false;
    const auto& inputs = tape_.inputs_;
    return static_cast<std::size_t>(std::count(inputs.begin(), inputs.end(), tape_.input(node_, i))) == uses;
}

template <class T>
bool Backward<T>::frees_graph() const noexcept {
    return tape_.pass_frees_;
}

template <class T>
void Backward<T>::keep_dy(std::size_t output) const {
    if (rows_) return;
    Node<T>& node = tape_.node(index_ + static_cast<NodeIndex>(output));
    if (node.retains_gradient && node.gradient) {
        T* const kept = node.gradient;
        node.gradient = acquire(node.shape.size());
        std::copy_n(kept, node.shape.size(), node.gradient);
        tape_.retain(node);
    }
    node.gradient = nullptr;
}

template <class T>
void Operation<T>::backward(Backward<T>& pass) const {
    Tape<T>& tape = pass.tape();
    // What is copied out of its transposed order must outlive the rewind below.
    for (std::size_t i = 0; i < pass.node().input_count; ++i) tape.contiguous(tape.node(tape.input(pass.node(), i)));
    const auto mark = tape.mark();
    {
        const NoGrad off;
        const DetectAnomaly formula(false);  // what it hands on is looked at, not each step of it
        std::vector<Variable<T>> dys(pass.node().output_count);
        for (std::size_t k = 0; k < dys.size(); ++k)
            if (const T* dy = pass.dy(k)) dys[k] = tape.constant(dy, pass.output(k).shape);
        Vjp<T> on_variables(tape, pass.index(), dys);
        vjp(on_variables);
        for (const auto& share : on_variables.shares()) {
            if (!pass.wants(share.input)) continue;
            const T* const value = tape.contiguous(share.value);
            if (share.axis == Vjp<T>::no_axis)
                add_to(pass.target(share.input), value, share.value.size());
            else
                add_slice(pass.target_zeroed(share.input), pass.input(share.input).shape, share.axis, share.start,
                          value, share.value.shape()[share.axis]);
        }
        for (const auto& [output, dy] : on_variables.finished()) {
            T*& gradient = tape.node(pass.index() + static_cast<NodeIndex>(output)).gradient;
            if (!gradient) gradient = pass.acquire(dy.size());
            std::copy_n(tape.contiguous(dy), dy.size(), gradient);
        }
    }
    tape.rewind(mark);
}

// ---- one node, variables ------------------------------------------------------------------------------------------

template <class T>
const Node<T>& Vjp<T>::node() const {
    return tape_.node(index_);
}

template <class T>
Variable<T> Vjp<T>::dy(std::size_t output) const {
    return dys_[output].defined() ? dys_[output] : tape_.zeros(this->output(output).shape());
}

template <class T>
Variable<T> Vjp<T>::output(std::size_t k) const {
    return tape_.at(index_ + static_cast<NodeIndex>(k));
}

template <class T>
Variable<T> Vjp<T>::input(std::size_t i) const {
    return tape_.at(tape_.input(node(), i));
}

template <class T>
bool Vjp<T>::wants(std::size_t i) const {
    return input(i).requires_grad();
}

template <class T>
void Vjp<T>::accumulate(std::size_t i, const Variable<T>& share) {
    if (share.shape() != input(i).shape())
        fail<ShapeError>(fmt::format("{}: its vjp gives input {} a gradient of shape {}, the input is {}",
                                     node().operation->info().name, i, to_string(share.shape()),
                                     to_string(input(i).shape())));
    shares_.push_back({i, share});
}

template <class T>
void Vjp<T>::accumulate_slice(std::size_t i, std::size_t axis, std::size_t start, const Variable<T>& share) {
    const Shape& whole = input(i).shape();
    Shape expected = whole;
    if (share.shape().rank() == whole.rank()) expected[axis] = share.shape()[axis];
    if (share.shape() != expected || start + share.shape()[axis] > whole[axis])
        fail<ShapeError>(
            fmt::format("{}: its vjp gives input {} a slice of shape {} at {} along axis {}, the input "
                        "is {}",
                        node().operation->info().name, i, to_string(share.shape()), start, axis, to_string(whole)));
    shares_.push_back({i, share, axis, start});
}

// ---- the whole tape, raw memory -----------------------------------------------------------------------------------

template <class T>
void Tape<T>::backward(const Variable<T>& loss, BackwardOptions options) {
    check("backward", loss);
    if (loss.size() != 1)
        fail<ShapeError>(
            fmt::format("backward: {} is {}: expected one element, or a seed of that shape: "
                        "tape.backward(y, seed)",
                        described(node(loss.index()), loss.index()), to_string(loss.shape())));
    start_backward(loss, nullptr, options);
}

template <class T>
void Tape<T>::backward_from(const Variable<T>& loss, const Array<T>& seed, BackwardOptions options) {
    check("backward", loss);
    const Shape given = Shape::of(seed.shape());
    if (given != loss.shape())
        fail<ShapeError>(fmt::format("backward: {} is {}, its seed is {}: expected the same shape",
                                     described(node(loss.index()), loss.index()), to_string(loss.shape()),
                                     to_string(given)));
    start_backward(loss, seed.data(), options);
}

template <class T>
void Tape<T>::start_backward(const Variable<T>& loss, const T* seed, BackwardOptions options) {
    if (!loss.requires_grad())
        fail<TapeError>(fmt::format("backward: {} depends on no parameter and on no variable that wants a gradient",
                                    described(node(loss.index()), loss.index())));
    check_backward("backward", loss.index());
    const Flag running(in_pass_);
    if (options.create_graph) return backward_recorded(loss, seed);
    try {
        run_backward(loss.index(), seed, options.retain_graph);
    } catch (...) {
        forget_pass(loss.index());
        throw;
    }
}

/// After an operation has thrown in the middle of a pass: what the pass has left behind must not flow into the next
/// one.
template <class T>
void Tape<T>::forget_pass(NodeIndex root) {
    for (NodeIndex index = 0; index < node_count_; ++index) node(index).gradient = nullptr;
    for (std::size_t k = 0; k < parameter_count_; ++k) parameters_[k].shares.resize(parameters_[k].shares_done);
    // Nothing that this pass can reach was freed before it, or it would not have begun.
    for_each_reached(root, [&](NodeIndex index, const Node<T>&) { node(index).freed = false; });
}

template <class T>
void Tape<T>::check_backward(std::string_view call, NodeIndex root, FreedNodes freed) const {
    if (in_pass_)
        fail<TapeError>(
            fmt::format("{}: a backward pass is running on this tape: expected no other from within a hook", call));
    if (anomaly_detection()) check_unwritten(call, root);
    // The walk costs a pass over the tape, so it is made only where something can be wrong.
    bool suspicious = any_freed_ && freed == FreedNodes::refused;
    for (std::size_t k = 0; k < parameter_count_; ++k) {
        const typename Parameter<T>::State& state = *parameters_[k].state;
        suspicious |= parameters_[k].version != state.version;
        if (state.gradient.size() != state.shape.size())
            fail<ShapeError>(fmt::format("{}: parameter {} is {}, but its gradient was resized to {} elements", call,
                                         state.name.text(), to_string(state.shape), state.gradient.size()));
    }
    if (!suspicious) return;

    for_each_reached(root, [&](NodeIndex index, const Node<T>& node) {
        if (node.freed && freed == FreedNodes::refused)
            fail<TapeError>(
                fmt::format("{}: {} was freed by an earlier backward pass: expected "
                            "BackwardOptions{{.retain_graph = true}} there, or the forward pass recorded again",
                            call, described(node, index)));
        if (!node.parameter) return;
        const ParameterUse& use = parameters_[node.parameter - 1];
        if (use.version != use.state->version)
            fail<TapeError>(
                fmt::format("{}: parameter {} was written after it was recorded, so the tape mixes its old and its new "
                            "value: run backward before the optimiser's step, or record the forward pass again",
                            call, use.state->name.text()));
    });
}

/// Calls f(index, node) for `root`, for what it was made from, and so on: from the last node to the first.
template <class T>
template <class Function>
void Tape<T>::for_each_reached(NodeIndex root, Function f) const {
    std::vector<bool> reached(root + 1, false);
    reached[root] = true;
    for (std::size_t left = root + 1; left-- > 0;) {
        if (!reached[left]) continue;
        const auto index = static_cast<NodeIndex>(left);
        const Node<T>& node = this->node(index);
        f(index, node);
        if (node.further_output) reached[index - 1] = true;
        for (std::size_t i = 0; i < node.input_count; ++i) reached[input(node, i)] = true;
    }
}

/// Of what no count of writes shows: elements that were written by a reference which the program had kept.
template <class T>
void Tape<T>::check_unwritten(std::string_view call, NodeIndex root) const {
    const auto was_written = [](const Node<T>& node, std::uint64_t digest) {
        return detail::digest(node.value, node.shape.size()) != digest;
    };
    for_each_reached(root, [&](NodeIndex, const Node<T>& node) {
        if (!node.parameter) return;
        const ParameterUse& use = parameters_[node.parameter - 1];
        if (use.version == use.state->version && use.digest && was_written(node, *use.digest))
            fail<TapeError>(
                fmt::format("{}: parameter {} was written after it was recorded, by a reference kept from "
                            "mutable_value(): expected a new call of mutable_value() for each write, after backward",
                            call, use.state->name.text()));
    });
    for (const Borrowed& array : borrowed_) {
        const Node<T>& node = this->node(array.node);
        if (was_written(node, array.digest))
            fail<TapeError>(
                fmt::format("{}: the array borrowed as {} was written since: expected it to stay as it is "
                            "until Tape.clear",
                            call, described(node, array.node)));
    }
}

template <class T>
void Tape<T>::run_backward(NodeIndex root, const T* seed, bool retain_graph) {
    const bool detecting = anomaly_detection();
    NodeIndex index = root;
    {
        Node<T>& node = this->node(root);
        node.gradient = pool_.acquire(node.shape.size());
        if (seed)
            std::copy_n(seed, node.shape.size(), node.gradient);
        else  // one element, or none: an empty seed has no address
            std::fill_n(node.gradient, node.shape.size(), T(1));
        if (detecting) check_gradient("the seed holds", root, node.gradient, node.shape);
        while (this->node(index).further_output) --index;  // the operation's turn is at its first output
    }
    ++passes_;
    pass_frees_ = !retain_graph;
    any_freed_ |= !retain_graph;
    for (std::size_t left = index + 1; left-- > 0;) {
        index = static_cast<NodeIndex>(left);
        Node<T>& node = this->node(index);
        if (node.further_output) continue;
        if (node.parameter) {
            if (node.requires_grad) finish_parameter(node);
            continue;
        }
        bool reached = node.gradient != nullptr;
        for (std::uint32_t k = 1; k < node.output_count; ++k) reached |= this->node(index + k).gradient != nullptr;
        if (!reached) continue;
        if (!hooks_.empty() && !(node.operation && node.operation->calls_hooks())) {
            for (std::uint32_t k = 0; k < node.output_count; ++k)
                if (T* const gradient = this->node(index + k).gradient) call_hooks(index + k, gradient);
        }
        if (node.operation) {
            Backward<T> pass(*this, index, node);
            node.operation->backward(pass);
            if (detecting) check_gradients_of_inputs(index);
        }
        for (std::uint32_t k = 0; k < node.output_count; ++k) {
            Node<T>& output = this->node(index + k);
            output.freed = !retain_graph && node.operation;
            if (!output.gradient) continue;
            if (output.retains_gradient)
                retain(output);
            else
                pool_.release(output.gradient, output.shape.size());
            output.gradient = nullptr;
        }
    }
}

template <class T>
void Tape<T>::retain(Node<T>& node) {
    if (!node.retained_gradient) {
        node.retained_gradient = node.gradient;
        return;
    }
    add_to(GradientTarget<T>{node.retained_gradient, false}, node.gradient, node.shape.size());
    pool_.release(node.gradient, node.shape.size());
}

// ---- hooks --------------------------------------------------------------------------------------------------------

template <class T>
typename Tape<T>::Hooks* Tape<T>::hooks_of(NodeIndex index) {
    const Node<T>& node = this->node(index);
    Hooks* hooks = nullptr;
    if (node.parameter) {
        hooks = &parameters_[node.parameter - 1].state->hooks;
    } else if (!hooks_.empty()) {
        const auto found = hooks_.find(index);
        if (found != hooks_.end()) hooks = &found->second;
    }
    if (hooks) std::erase_if(*hooks, [](const auto& hook) { return !*hook; });
    return hooks && !hooks->empty() ? hooks : nullptr;
}

template <class T>
Variable<T> Tape<T>::called(Hooks& hooks, NodeIndex index, const Variable<T>& gradient) {
    Variable<T> dy = gradient;
    // Copies: a hook may remove itself, or register another one.
    for (const auto& hook : Hooks(hooks)) {
        const GradientHook<T> f = *hook;
        if (!f) continue;
        const Variable<T> replaced = f(dy);
        if (!replaced.defined()) continue;
        check("register_hook", replaced);
        if (replaced.shape() != dy.shape())
            fail<ShapeError>(fmt::format("register_hook: the hook of {} returned a gradient of shape {}: expected {}",
                                         described(node(index), index), to_string(replaced.shape()),
                                         to_string(dy.shape())));
        if (anomaly_detection()) check_gradient("a hook made", index, contiguous(replaced), dy.shape());
        dy = replaced;
    }
    return dy;
}

template <class T>
bool Tape<T>::call_hooks(NodeIndex index, T* gradient) {
    Hooks* const hooks = hooks_of(index);
    if (!hooks) return false;
    // What hooks compute is gone after them, also where they throw. Its variables are of a generation of their own, so
    // that one that was kept is refused.
    struct Rewinding {
        Tape& tape;
        Mark mark;
        std::uint32_t before;
        explicit Rewinding(Tape& t) : tape(t), mark(t.mark()), before(t.anchor_->generation) {
            tape.anchor_->generation = ++tape.anchor_->newest;
        }
        ~Rewinding() {
            tape.rewind(mark);
            tape.anchor_->generation = before;
        }
    } const rewinding(*this);
    const NoGrad off;
    const Variable<T> dy = constant(gradient, node(index).shape);
    const Variable<T> replaced = called(*hooks, index, dy);
    if (replaced.index() == dy.index()) return false;
    std::copy_n(contiguous(replaced), replaced.size(), gradient);
    return true;
}

template <class T>
NodeIndex Tape<T>::last_output(NodeIndex index) const noexcept {
    while (index + 1 < node_count_ && node(index + 1).further_output) ++index;
    return index;
}

// ---- weights wait -------------------------------------------------------------------------------------------------

template <class T>
void Tape<T>::finish_parameter(Node<T>& node) {
    ParameterUse& use = parameters_[node.parameter - 1];
    typename Parameter<T>::State& state = *use.state;
    const std::size_t size = node.shape.size();
    const std::span<Share> shares = std::span(use.shares).subspan(use.shares_done);
    use.shares_done = use.shares.size();
    if (shares.empty() && !node.gradient) return;  // nothing has flowed in
    T* const sink = use.sink;
    const NodeIndex index = use.node;  // a hook may use other parameters: `use` is not good after it
    const bool hooked = !sink && !state.hooks.empty();
    // Hooks see what this pass adds, not the sum over all.
    T* const gradient = sink ? sink : hooked ? pool_.acquire(size) : state.gradient.data();
    if (hooked) std::fill_n(gradient, size, T(0));
    add_shares(shares, state.shape, gradient);
    if (node.gradient) {
        add_to(GradientTarget<T>{gradient, false}, node.gradient, size);
        pool_.release(node.gradient, size);
        node.gradient = nullptr;
    }
    if (anomaly_detection()) check_gradient("the sum over all uses of a parameter gives", index, gradient, node.shape);
    if (hooked) {
        call_hooks(index, gradient);
        add_to(GradientTarget<T>{state.gradient.data(), false}, gradient, size);
        pool_.release(gradient, size);
    }
    if (!sink) state.gradient_is_zero = false;
}

/// A term of the sum for each share, or for each time step of a share where their norms come for free. In the order of
/// time, for backward visits the steps from the last to the first.
template <class T>
void Tape<T>::add_shares(std::span<Share> shares, const Shape& shape, T* gradient) {
    for (std::size_t left = shares.size(); left > 0;) {
        // Those of one kind together: of a weight that is used in one way, all of them.
        const Share& last = shares[left - 1];
        if (!last.delta) {  // added already
            --left;
            continue;
        }
        const bool has_norms = share_has_norms(last);
        const auto is_like_last = [&](const Share& share) {
            return share.delta && !share.x == !last.x && share.transposed == last.transposed &&
                   share_has_norms(share) == has_norms;
        };
        terms_.clear();
        std::size_t first = left;
        for (; first > 0 && is_like_last(shares[first - 1]); --first) {
            const Share& share = shares[first - 1];
            const std::size_t terms = has_norms ? share.time_steps : 1;
            terms_.push_back(first_term<T>(share, terms));
            for (std::size_t t = 1; t < terms; ++t) {
                ProductTerm<T> term = terms_.back();
                term.a += term.rows * term.lda;
                if (term.b) term.b += term.rows * term.ldb;
                terms_.push_back(term);
            }
        }
        double* norms = has_norms ? values_.template allocate<double>(terms_.size()) : nullptr;
        add_terms<T>(terms_, last.x != nullptr, shape, gradient, norms);
        for (; has_norms && left > first; --left) {
            shares[left - 1].norms = norms;
            norms += shares[left - 1].time_steps;
        }
        left = first;
    }
}

// ---- the whole tape, variables ------------------------------------------------------------------------------------

namespace {

/// A gradient as it grows: whole shares, and slices that are put together when somebody asks for it.
template <class T>
class GradientSum {
  public:
    using Slice = typename Vjp<T>::Share;

    bool defined() const noexcept { return whole_.defined() || !slices_.empty(); }
    void set(const Variable<T>& whole) {
        whole_ = whole;
        slices_.clear();
    }
    void add(const Variable<T>& share) { whole_ = whole_.defined() ? whole_ + share : share; }
    void add_slice(const Slice& slice) { slices_.push_back(slice); }

    /// Undefined where nothing was added.
    const Variable<T>& whole(const Shape& shape) {
        while (!slices_.empty()) join_slices(shape);
        return whole_;
    }

  private:
    /// Slices along one axis, side by side with zeros between them, are one array. Those that overlap otherwise than
    /// one on the other wait for the next round.
    void join_slices(const Shape& shape) {
        const std::size_t axis = slices_[0].axis;
        std::stable_sort(slices_.begin(), slices_.end(),
                         [](const Slice& a, const Slice& b) { return a.start < b.start; });
        std::vector<Slice> later;
        std::vector<Variable<T>> parts;
        std::size_t part_start = 0, end = 0;  // of the last part, of all parts
        const auto add_zeros = [&](std::size_t until) {
            Shape gap = shape;
            gap[axis] = until - end;
            if (until > end) parts.push_back(slices_[0].value.tape().zeros(gap));
            end = until;
        };
        for (const Slice& slice : slices_) {
            const std::size_t extent = slice.value.shape()[axis];
            if (slice.axis == axis && slice.start >= end) {
                add_zeros(slice.start);
                parts.push_back(slice.value);
                part_start = slice.start;
                end += extent;
            } else if (slice.axis == axis && slice.start == part_start && slice.start + extent == end) {
                parts.back() = parts.back() + slice.value;
            } else {
                later.push_back(slice);
            }
        }
        add_zeros(shape[axis]);
        add(concat(parts, static_cast<std::ptrdiff_t>(axis)));
        slices_ = std::move(later);
    }

    Variable<T> whole_;
    std::vector<Slice> slices_;
};

}  // namespace

template <class T>
std::vector<Variable<T>> Tape<T>::vjp(std::span<const Variable<T>> roots, std::span<const Variable<T>> seeds,
                                      std::span<const Variable<T>> targets, NodeIndex first) {
    const Flag running(in_pass_);
    NodeIndex top = first;
    for (const Variable<T>& root : roots) top = std::max(top, last_output(root.index()));
    // Gradients of the nodes from `first` to `top`, and of the few inputs before `first`.
    std::vector<GradientSum<T>> gradients(top - first + 1);
    std::unordered_map<NodeIndex, GradientSum<T>> before;
    const auto slot = [&](NodeIndex index) -> GradientSum<T>& {
        return index >= first ? gradients[index - first] : before[index];
    };
    const auto hooked = [&](NodeIndex index) {
        Hooks* const hooks = hooks_of(index);
        GradientSum<T>& sum = slot(index);
        if (!hooks || !sum.defined()) return;
        sum.set(called(*hooks, index, sum.whole(node(index).shape)));
    };
    for (std::size_t r = 0; r < roots.size(); ++r) slot(roots[r].index()).add(seeds[r]);
    std::vector<Variable<T>> dys;
    for (std::size_t left = top + 1; left-- > first;) {
        const auto index = static_cast<NodeIndex>(left);
        const Node<T>& node = this->node(index);
        if (node.further_output) continue;
        const std::uint32_t ready = node.operation && node.operation->finishes_outputs() ? 1 : node.output_count;
        for (std::uint32_t k = 0; k < ready; ++k) hooked(index + k);
        if (!node.operation) continue;
        dys.assign(node.output_count, {});
        bool reached = false;
        for (std::uint32_t k = 0; k < node.output_count; ++k) {
            dys[k] = slot(index + k).whole(this->node(index + k).shape);
            reached |= dys[k].defined();
        }
        if (!reached) continue;
        Vjp<T> pass(*this, index, dys);
        const auto first_of_formula = static_cast<NodeIndex>(node_count_);
        {
            const DetectAnomaly formula(false);  // what it hands on is looked at, not each step of it
            node.operation->vjp(pass);
        }
        if (anomaly_detection()) {
            note_lines(first_of_formula, line_of(index));
            for (const auto& share : pass.shares())
                check_gradient_from(index, share.input, contiguous(share.value), share.value.shape());
        }
        for (const auto& share : pass.shares()) {
            GradientSum<T>& sum = slot(input(node, share.input));
            if (share.axis == Vjp<T>::no_axis)
                sum.add(share.value);
            else
                sum.add_slice(share);
        }
        for (const auto& [output, dy] : pass.finished()) slot(index + static_cast<NodeIndex>(output)).set(dy);
    }
    std::vector<Variable<T>> result;
    result.reserve(targets.size());
    for (const Variable<T>& target : targets)
        result.push_back(target.index() <= top || target.index() < first ? slot(target.index()).whole(target.shape())
                                                                         : Variable<T>());
    return result;
}

template <class T>
void Tape<T>::backward_recorded(const Variable<T>& loss, const T* seed) {
    std::vector<Variable<T>> targets;
    for (NodeIndex index = 0; index <= last_output(loss.index()); ++index) {
        const Node<T>& node = this->node(index);
        if (node.requires_grad && (node.retains_gradient || node.parameter)) targets.push_back(at(index));
    }
    const Variable<T> roots[] = {loss};
    const Mark before = mark();
    std::vector<Variable<T>> gradients;
    try {
        const Variable<T> seeds[] = {seed ? constant(seed, loss.shape()) : full(loss.shape(), T(1))};
        gradients = vjp(roots, seeds, targets);
    } catch (...) {
        rewind(before);
        throw;
    }
    for (std::size_t k = 0; k < targets.size(); ++k) {
        if (!gradients[k].defined()) continue;
        Node<T>& node = targets[k].node();
        const T* const value = contiguous(gradients[k]);
        if (node.parameter) {
            typename Parameter<T>::State& state = *parameters_[node.parameter - 1].state;
            add_to(GradientTarget<T>{state.gradient.data(), state.gradient_is_zero}, value, node.shape.size());
            state.gradient_is_zero = false;
        } else {
            node.gradient = pool_.acquire(node.shape.size());
            std::copy_n(value, node.shape.size(), node.gradient);
            retain(node);
            node.gradient = nullptr;
        }
    }
}

template <class T>
std::vector<Variable<T>> grad(const Variable<T>& y, std::vector<Variable<T>> xs, BackwardOptions options) {
    Tape<T>& tape = y.tape();
    tape.check("grad", y);
    if (y.size() != 1) fail<ShapeError>(fmt::format("grad: y is {}: expected one element", to_string(y.shape())));
    for (const Variable<T>& x : xs) tape.check("grad", x);
    tape.check_backward("grad", y.index());
    const Variable<T> roots[] = {y};
    std::vector<Variable<T>> result;
    const auto run = [&] {
        const Variable<T> seeds[] = {tape.ones(y.shape())};
        result = tape.vjp(roots, seeds, xs);
        for (std::size_t k = 0; k < xs.size(); ++k)
            if (!result[k].defined())
                fail<TapeError>(fmt::format("grad: y does not depend on x number {} ({})", k,
                                            described(xs[k].node(), xs[k].index())));
    };
    const auto before = tape.mark();
    try {
        if (options.create_graph) {
            run();
        } else {
            const NoGrad off;
            run();
        }
    } catch (...) {
        tape.rewind(before);
        throw;
    }
    return result;
}

template class Backward<float>;
template class Backward<double>;
template class Vjp<float>;
template class Vjp<double>;
template class Operation<float>;
template class Operation<double>;
template std::vector<Variable<float>> grad(const Variable<float>&, std::vector<Variable<float>>, BackwardOptions);
template std::vector<Variable<double>> grad(const Variable<double>&, std::vector<Variable<double>>, BackwardOptions);

// Tape's own members, from this file.
#define EBB_INSTANTIATE(T)                                                                                     \
    template void Tape<T>::backward(const Variable<T>&, BackwardOptions);                                      \
    template void Tape<T>::backward_from(const Variable<T>&, const Array<T>&, BackwardOptions);                \
    template void Tape<T>::start_backward(const Variable<T>&, const T*, BackwardOptions);                      \
    template void Tape<T>::check_backward(std::string_view, NodeIndex, FreedNodes) const;                      \
    template void Tape<T>::check_unwritten(std::string_view, NodeIndex) const;                                 \
    template void Tape<T>::forget_pass(NodeIndex);                                                             \
    template void Tape<T>::run_backward(NodeIndex, const T*, bool);                                            \
    template void Tape<T>::backward_recorded(const Variable<T>&, const T*);                                    \
    template bool Tape<T>::call_hooks(NodeIndex, T*);                                                          \
    template Variable<T> Tape<T>::called(Hooks&, NodeIndex, const Variable<T>&);                               \
    template typename Tape<T>::Hooks* Tape<T>::hooks_of(NodeIndex);                                            \
    template NodeIndex Tape<T>::last_output(NodeIndex) const noexcept;                                         \
    template void Tape<T>::retain(Node<T>&);                                                                   \
    template void Tape<T>::finish_parameter(Node<T>&);                                                         \
    template void Tape<T>::add_shares(std::span<Share>, const Shape&, T*);                                     \
    template std::vector<Variable<T>> Tape<T>::vjp(std::span<const Variable<T>>, std::span<const Variable<T>>, \
                                                   std::span<const Variable<T>>, NodeIndex);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb
