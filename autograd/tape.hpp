#pragma once

#include <ebb/autograd/anomaly.hpp>
#include <ebb/autograd/buffer_pool.hpp>
#include <ebb/autograd/grad_mode.hpp>
#include <ebb/autograd/node.hpp>
#include <ebb/autograd/operation.hpp>
#include <ebb/autograd/parameter.hpp>
#include <ebb/autograd/source_line.hpp>
#include <ebb/autograd/substitution.hpp>
#include <ebb/autograd/variable.hpp>
#include <ebb/core/arena.hpp>
#include <ebb/core/array.hpp>
#include <ebb/core/packed_matrix.hpp>
#include <ebb/core/products.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace ebb {

struct BackwardOptions {
    /// Record the backward pass itself, so that gradients can be derived again.
    bool create_graph = false;
    /// Allow another backward pass over the same nodes. `create_graph` implies it.
    bool retain_graph = false;
};

template <class T>
class ScratchTape;

namespace detail {
/// Its address tells threads apart.
extern constinit thread_local char thread_marker;
}  // namespace detail

/// What a pass thinks of nodes that an earlier one has freed. Their values are there until `clear()`, so looking at
/// derivatives can allow them; training cannot: a second pass is nearly always a mistake.
enum class FreedNodes { refused, allowed };

/// The record of a computation: a growing list of nodes, in the order in which they were computed, and the memory that
/// holds their values and gradients. That order is a topological order, so backward is a loop from the last node to the
/// first.
///
/// A tape is active on its thread from construction to destruction; tapes nest. `clear()` forgets the nodes and keeps
/// the memory: from the second training step on nothing is allocated.
template <class T>
class Tape {
  public:
    Tape();
    ~Tape();
    Tape(const Tape&) = delete;
    Tape& operator=(const Tape&) = delete;

    /// The innermost tape of this thread. Throws TapeError where there is none.
    static Tape& active();
    /// Makes a tape the innermost one of this thread while in scope.
    class Activation {
      public:
        explicit Activation(Tape& tape) noexcept;
        ~Activation();
        Activation(const Activation&) = delete;
        Activation& operator=(const Activation&) = delete;

      private:
        Tape* before_;
    };

    // Leaves. Arrays are copied onto the tape.
    /// No gradient wanted.
    Variable<T> constant(const Array<T>& array, SourceLine at = source_line());
    /// Gradient wanted.
    Variable<T> variable(const Array<T>& array, SourceLine at = source_line());
    /// Row-major elements, copied.
    Variable<T> constant(const T* data, const Shape& shape, SourceLine at = source_line());
    /// A constant of shape [].
    Variable<T> scalar(T value, SourceLine at = source_line());
    /// A constant that is the array itself and no copy: it must live, and stay as it is, until `clear()`.
    Variable<T> borrow(const Array<T>& array);
    Variable<T> borrow(const Array<T>&& array) = delete;
    Variable<T> full(const Shape& shape, T value);
    Variable<T> zeros(const Shape& shape) { return full(shape, T(0)); }
    Variable<T> ones(const Shape& shape) { return full(shape, T(1)); }
    /// A parameter's node: one per tape, before all uses of the parameter. Its value is the parameter's own memory.
    Variable<T> use(const Parameter<T>& parameter);

    /// dL/dx for every x that L depends on. Fills `grad()` of parameters, leaves, probes and what retains its gradient.
    /// `loss` must have one element, else a seed of its shape (dL/dloss) is needed.
    /// Throws TapeError for a loss of another or a cleared tape, one that depends on nothing that wants a gradient, a
    /// graph freed by an earlier pass, a parameter written after it was recorded; ShapeError for a seed of another
    /// shape. After these errors everything is as before. Where an operation of your own throws in the middle of a
    /// pass, the tape can go on, but gradients that were finished by then have been added.
    void backward(const Variable<T>& loss, BackwardOptions options = {});
    /// A template, so that `{.retain_graph = true}` can only be the options and never a seed.
    template <class Seed>
    requires std::is_convertible_v<const Seed&, Array<T>>
    void backward(const Variable<T>& loss, const Seed& seed, BackwardOptions options = {}) {
        backward_from(loss, seed, options);
    }

    /// Forgets all nodes and gradients and keeps the memory. Variables of this tape must not be used any more.
    void clear();

    std::size_t size() const noexcept { return node_count_; }
    const Node<T>& node(NodeIndex index) const noexcept { return chunks_[index / chunk_size][index % chunk_size]; }
    Node<T>& node(NodeIndex index) noexcept { return chunks_[index / chunk_size][index % chunk_size]; }
    NodeIndex input(const Node<T>& node, std::size_t i) const noexcept { return inputs_[node.first_input + i]; }
    /// An operation asks for its own node when its value is complete.
    Variable<T> at(NodeIndex index) {
        if (anomaly_detection()) check_results(index);
        return Variable<T>(anchor_, index);
    }

    /// Keeps the gradient of every node recorded so far, as if `retain_grad()` were called on each: for looking at a
    /// small graph. Without it the memory of a gradient is used again as soon as the node is done.
    void retain_grads() noexcept;
    /// What the backward passes left at a node: the gradient of a leaf, a probe, or a node that retains it; a
    /// parameter's own. nullptr where nothing was kept, or nothing has flowed in.
    const T* kept_gradient(const Node<T>& node) const noexcept;
    /// Prints every node, one in a line: print_tape.hpp has the options.
    void print() const;

    /// Bytes of values, intermediates and gradients that are in use; and that the tape holds for use.
    std::size_t bytes_used() const noexcept { return values_.bytes_used() + gradients_.bytes_used(); }
    std::size_t bytes_reserved() const noexcept { return values_.bytes_reserved() + gradients_.bytes_reserved(); }
    /// The line of the program that a node was recorded for, where `detect_anomaly` was on by then: the innermost call
    /// outside of Ebb that led to it.
    SourceLine line_of(NodeIndex index) const noexcept;
    /// How often the tape had to ask the system for memory since it was made.
    std::size_t allocations() const noexcept;

    // ---- for operations ------------------------------------------------------------------------------------------

    /// A node for the value of an operation, and memory for it where `value` is nullptr. It is recorded where gradients
    /// are enabled and an input wants one; else it is a constant. The references stay good until `clear()`.
    struct Recorded {
        Node<T>& node;
        T* value;
        NodeIndex index;
        bool recorded;  ///< whether a backward pass may come through: only then is `saved` needed
    };
    Recorded record(const Operation<T>& operation, std::span<const Variable<T>> inputs, const Shape& shape,
                    const T* value = nullptr);
    Recorded record(const Operation<T>& operation, std::initializer_list<Variable<T>> inputs, const Shape& shape,
                    const T* value = nullptr) {
        return record(operation, std::span(inputs.begin(), inputs.size()), shape, value);
    }
    /// A node that is x with two axes (axis0 < axis1) exchanged, its elements left where they are.
    NodeIndex record_transposed(const Operation<T>& operation, const Variable<T>& x, const Shape& shape,
                                std::size_t axis0, std::size_t axis1);
    /// The elements of x in order: a transposed array is copied out at the first call.
    const T* contiguous(const Variable<T>& x) { return contiguous(x.node()); }
    const T* contiguous(Node<T>& node) {
        if (node.parameter) refresh(node);
        return !node.transposed || node.value ? node.value : copied_out(node);
    }
    /// One more node of the same operation as `before`, which was recorded on this tape: of the same shape, and with
    /// the same inputs but those that `changed` names by place. What else `before` has been given is copied: its name,
    /// say.
    Recorded record_again(const Recorded& before, std::span<const std::pair<std::size_t, NodeIndex>> changed,
                          const T* value);
    /// One more output of the operation just recorded, directly after its other outputs.
    Recorded record_further_output(const Recorded& first, const Shape& shape, const T* value = nullptr);
    /// Memory of the tape for intermediates, uninitialised, good until `clear()`.
    T* allocate(std::size_t size) { return values_.template allocate<T>(size); }
    /// Keeps a copy of `saved` for the backward of the node.
    template <class S>
    S& save(Node<T>& node, const S& saved) {
        static_assert(std::is_trivially_copyable_v<S>, "the tape's arena runs no destructors");
        S* const memory = values_.template allocate<S>(1);
        *memory = saved;
        node.saved = memory;
        return *memory;
    }
    /// As `save`, for an object with a destructor: it lives as long as the node.
    template <class S>
    void keep(const Recorded& recorded, std::shared_ptr<S> object) {
        recorded.node.saved = object.get();
        kept_.emplace_back(recorded.index, std::move(object));
    }
    /// Keeps a copy of `count` values, as `save` does.
    template <class S>
    const S* save(const S* values, std::size_t count) {
        static_assert(std::is_trivially_copyable_v<S>, "the tape's arena runs no destructors");
        S* const memory = values_.template allocate<S>(count);
        std::copy_n(values, count, memory);
        return memory;
    }
    /// Y [rows, n] = or += X [rows, k] op(W) for a matrix W on this tape, all dense; op(W) is [k, n]. A parameter that
    /// is multiplied with again and again, as by a cell in a loop over time, is laid out once for all of these
    /// products.
    void multiply(std::size_t rows, std::size_t k, std::size_t n, const T* x, Node<T>& w, Transpose transposed,
                  bool add, T* y);
    /// Throws TapeError, naming `call`, unless the variable is alive, of this tape and this thread.
    void check(std::string_view call, const Variable<T>& variable) const {
        if (!is_on_its_thread() || !is_here(variable)) fail_check(call, variable);
    }

    /// Throws TapeError, naming `call`, where a backward pass from `root` would meet a freed node or a parameter that
    /// was written since it was recorded.
    void check_backward(std::string_view call, NodeIndex root, FreedNodes freed = FreedNodes::refused) const;

    /// What each use of a parameter added to its gradient in the passes since the last `clear()`: dW += delta' x.
    using Share = typename Backward<T>::Share;
    std::span<const Share> shares(const Parameter<T>& parameter) const noexcept;

    bool has_hooks(NodeIndex index) const { return !hooks_.empty() && hooks_.count(index) != 0; }
    /// Whether a node from `begin` to `end` has.
    bool has_hooks(NodeIndex begin, NodeIndex end) const {
        return std::any_of(hooks_.begin(), hooks_.end(),
                           [&](const auto& entry) { return entry.first >= begin && entry.first < end; });
    }
    /// Calls them on a gradient in memory, which they may overwrite. Returns whether they have.
    bool call_hooks(NodeIndex index, T* gradient);
    /// For an operation that goes back by recording itself anew: the hooks of `from` stand at `to` as well, until they
    /// are dropped.
    void share_hooks(NodeIndex from, NodeIndex to) {
        if (has_hooks(from)) hooks_[to] = Hooks(hooks_[from]);
    }
    void drop_hooks(NodeIndex index) { hooks_.erase(index); }

    /// A place to come back to: what was recorded after it is forgotten by `rewind`.
    struct Mark {
        std::size_t node_count;
        std::size_t input_count;
        std::size_t copied_out;
        Arena::Mark values;
    };
    Mark mark() const noexcept { return {node_count_, inputs_.size(), copied_out_.size(), values_.mark()}; }
    void rewind(const Mark& mark);

    BufferPool<T>& pool() noexcept { return pool_; }

    /// The backward pass on variables: the gradients of `roots` (with `seeds` flowing into them) with respect to
    /// `targets`, through the nodes from `first` on. A target that nothing flows into gets an undefined variable.
    std::vector<Variable<T>> vjp(std::span<const Variable<T>> roots, std::span<const Variable<T>> seeds,
                                 std::span<const Variable<T>> targets, NodeIndex first = 0);

  private:
    friend class Backward<T>;
    friend class Variable<T>;
    friend class ScratchTape<T>;
    static constexpr std::size_t chunk_size = 1024;

    /// W or W', laid out for products; at its second use, since of the first nobody knows whether it is the last.
    struct Layout {
        std::size_t uses = 0;
        PackedMatrix<T> matrix;
        std::vector<T> memory;  // kept over clear()
    };

    struct ParameterUse {
        std::shared_ptr<typename Parameter<T>::State> state;
        std::size_t size = 0;  // of its value
        NodeIndex node = 0;
        std::uint64_t version = 0;
        std::vector<Share> shares;
        std::size_t shares_done = 0;          // of an earlier pass
        T* sink = nullptr;                    // where its gradient goes instead of into the parameter
        std::optional<std::uint64_t> digest;  // of its value, while anomalies are looked for
        std::array<Layout, 2> layouts;
    };

    /// Of a result, while anomalies are looked for.
    struct Origin {
        NodeIndex node;
        const Operation<T>* operation;
        bool nan_came_in;
        bool infinity_came_in;
        Mark before;
        NodeIndex checked;  // how many nodes, from the tape's first on, need no look any more
    };
    /// Of an array that the tape does not own, while anomalies are looked for.
    struct Borrowed {
        NodeIndex node;
        std::uint64_t digest;
    };
    struct NodeLine {
        NodeIndex node;
        SourceLine line;
    };

    Node<T>& append(const Shape& shape, const T* value);
    /// The elements of a transposed node in order, from its first use on.
    const T* copied_out(Node<T>& transposed);
    /// Whether the node that was made for a parameter serves it as it is now.
    bool is_good(const ParameterUse& use, const typename Parameter<T>::State& state) const noexcept {
        return use.state.get() == &state && use.version == state.version &&
               node(use.node).requires_grad == (state.requires_grad && grad_enabled());
    }
    /// `use`, where the parameter is not the one that was expected.
    Variable<T> find_or_add(const Parameter<T>& parameter);
    std::string whereabouts(const Operation<T>& operation, NodeIndex index, const std::string& time) const;
    const NodeLine* noted_line(NodeIndex index) const noexcept;
    void note_lines(NodeIndex begin, SourceLine line);
    void note_origin(const Operation<T>& operation, std::span<const Variable<T>> inputs, const Mark& before);
    void note_origin_again(NodeIndex before, std::span<const std::pair<std::size_t, NodeIndex>> changed,
                           const Mark& without);
    void note_origin(Origin origin);
    void check_results(NodeIndex last);
    void check_leaf(const T* data, const Shape& shape) const;
    void check_gradient(const std::string& source, NodeIndex index, const T* gradient, const Shape& shape,
                        const std::string& line = {}) const;
    void check_gradient_from(NodeIndex index, std::size_t i, const T* gradient, const Shape& shape) const;
    void check_gradients_of_inputs(NodeIndex index) const;
    void check_unwritten(std::string_view call, NodeIndex root) const;
    bool is_here(const Variable<T>& variable) const noexcept {
        return variable.anchor_ == anchor_ && anchor_->is_alive(variable.generation_);
    }
    bool is_on_its_thread() const noexcept { return thread_ == &detail::thread_marker; }
    void check_thread(std::string_view call) const {
        if (!is_on_its_thread()) fail_on_thread(call);
    }
    [[noreturn]] void fail_check(std::string_view call, const Variable<T>& variable) const;
    [[noreturn]] void fail_on_thread(std::string_view call) const;
    Variable<T> leaf(const T* data, const Shape& shape, bool requires_grad);
    void backward_from(const Variable<T>& loss, const Array<T>& seed, BackwardOptions options);
    void start_backward(const Variable<T>& loss, const T* seed, BackwardOptions options);
    using Hooks = std::vector<std::shared_ptr<GradientHook<T>>>;
    Hooks* hooks_of(NodeIndex index);
    Variable<T> called(Hooks& hooks, NodeIndex index, const Variable<T>& gradient);
    NodeIndex last_output(NodeIndex index) const noexcept;
    template <class Function>
    void for_each_reached(NodeIndex root, Function f) const;
    void forget_pass(NodeIndex root);
    /// The value of a parameter may have moved to other memory: `p.mutable_value() = array`.
    void refresh(Node<T>& parameter) const {
        const ParameterUse& use = parameters_[parameter.parameter - 1];
        const Array<T>& value = use.state->value;
        if (parameter.value != value.data() || use.size != value.size()) refresh_moved(parameter);
    }
    void refresh_moved(Node<T>& parameter) const;
    void backward_recorded(const Variable<T>& loss, const T* seed);
    void run_backward(NodeIndex root, const T* seed, bool retain_graph);
    void retain(Node<T>& node);
    void finish_parameter(Node<T>& node);
    void add_shares(std::span<Share> shares, const Shape& shape, T* gradient);

    TapeAnchor<T>* anchor_;
    Tape* outer_;
    const void* thread_;
    Arena values_;
    Arena gradients_;
    BufferPool<T> pool_;
    std::vector<std::unique_ptr<Node<T>[]>> chunks_;
    std::size_t node_count_ = 0;
    std::vector<NodeIndex> inputs_;
    // Entries keep their vectors' memory over clear(). They move when a parameter is used for the first time: no
    // reference to one is good after `use`, nor after a hook.
    std::vector<ParameterUse> parameters_;
    std::size_t parameter_count_ = 0;                                // of those that are in use
    std::size_t last_used_ = 0;                                      // the parameter that was asked for last
    std::vector<ProductTerm<T>> terms_;                              // of the weight that is at its turn
    std::vector<std::pair<NodeIndex, std::shared_ptr<void>>> kept_;  // objects of nodes, in their order
    std::unique_ptr<Tape> scratch_;                                  // of checkpoints
    std::vector<Origin> origins_;
    std::vector<NodeLine> lines_;  // in the order of nodes
    std::vector<Borrowed> borrowed_;
    std::map<NodeIndex, Hooks> hooks_;
    std::vector<Node<T>*> copied_out_;  // transposed nodes whose elements were copied in order, in that order
    std::uint64_t passes_ = 0;          // backward passes over raw memory, since the tape was made
    bool in_pass_ = false;              // a backward pass is running
    bool pass_frees_ = false;           // whether the running one is the last over its nodes
    bool any_freed_ = false;            // whether a pass has freed nodes since the last clear()
};

/// The functional form (torch.autograd.grad): the gradients of y, which has one element, with respect to xs, as
/// variables. Nothing is added to any `grad()`, and nothing is freed. With `create_graph` the results can be derived
/// again. Throws TapeError where y does not depend on one of xs, and as `Tape::backward` does.
template <class T>
std::vector<Variable<T>> grad(const Variable<T>& y, std::vector<Variable<T>> xs, BackwardOptions options = {});

/// A number for a cell, by which its steps on a tape recognise each other.
StepOwner new_step_owner() noexcept;

// ---- what operations ask for at every node ------------------------------------------------------------------------

// Here, and so inline: the calls would take as long as a small node's arithmetic.

template <class T>
Node<T>& Variable<T>::node() const {
    if (!anchor_ || !anchor_->is_alive(generation_)) fail_without_node();
    return anchor_->tape->node(index_);
}
template <class T>
Tape<T>& Variable<T>::tape() const {
    if (!anchor_ || !anchor_->is_alive(generation_)) fail_without_node();
    return *anchor_->tape;
}
template <class T>
const Shape& Variable<T>::shape() const {
    return node().shape;
}
template <class T>
std::size_t Variable<T>::size() const {
    return node().shape.size();
}
template <class T>
bool Variable<T>::requires_grad() const {
    return node().requires_grad;
}
template <class T>
std::int32_t Variable<T>::time_step() const {
    return node().time_step;
}

template <class T>
Variable<T> Tape<T>::use(const Parameter<T>& parameter) {
    if (!is_on_its_thread() || Substitution<T>::is_active()) return find_or_add(parameter);
    // A loop over time takes its parameters in one order, again and again: the next one is expected.
    const std::size_t next = last_used_ + 1 < parameter_count_ ? last_used_ + 1 : 0;
    if (next < parameter_count_ && parameter.state_) {
        const ParameterUse& use = parameters_[next];
        if (is_good(use, *parameter.state_)) {
            last_used_ = next;
            return at(use.node);
        }
    }
    return find_or_add(parameter);
}

template <class T>
const T* Backward<T>::dy(std::size_t output) const noexcept {
    return this->output(output).gradient;
}
template <class T>
const Node<T>& Backward<T>::output(std::size_t k) const noexcept {
    return tape_.node(index_ + static_cast<NodeIndex>(k));
}
template <class T>
Node<T>& Backward<T>::input_node(std::size_t i) const noexcept {
    return tape_.node(tape_.input(node_, i));
}
template <class T>
const Node<T>& Backward<T>::input(std::size_t i) const noexcept {
    return input_node(i);
}
template <class T>
std::uint64_t Backward<T>::number() const noexcept {
    return tape_.passes_;
}
template <class T>
GradientTarget<T> Backward<T>::target(std::size_t i) const {
    Node<T>& input = input_node(i);
    if (input.gradient) return {input.gradient, false};
    input.gradient = acquire(input.shape.size());
    return {input.gradient, true};
}
template <class T>
void Backward<T>::defer(Node<T>& parameter, const Share& share) const {
    if (rows_) return add_to_rows(parameter, share);
    // A parameter's gradient is needed though nothing has flowed into the node itself: its turn must come.
    tape_.parameters_[parameter.parameter - 1].shares.push_back(share);
}
template <class T>
T* Backward<T>::acquire(std::size_t size) const {
    return tape_.pool_.acquire(size);
}
template <class T>
void Backward<T>::release(T* memory, std::size_t size) const {
    tape_.pool_.release(memory, size);
}

}  // namespace ebb
