#pragma once
/// What an operation is to the tape: a name, its documentation, and two ways to go back.

#include <ebb/autograd/node.hpp>
#include <ebb/autograd/operation_info.hpp>
#include <ebb/autograd/variable.hpp>
#include <ebb/core/blas.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace ebb {

/// Where one share of an input's gradient goes.
template <class T>
struct GradientTarget {
    T* data;      ///< as many elements as the input has
    bool assign;  ///< the first share: write `=` (the memory holds anything); else `+=`
};

template <class T>
class RowSweep;

/// K backward passes at one node at once, over raw memory (vjp_rows.hpp): what `Operation::backward_rows` reads and
/// writes. The gradient of an array is [K, its shape]: K rows, one for each pass.
template <class T>
class BackwardRows {
  public:
    BackwardRows(RowSweep<T>& sweep, NodeIndex index, Node<T>& node) noexcept
        : sweep_(sweep), index_(index), node_(node) {}

    Tape<T>& tape() const noexcept;
    std::size_t rows() const noexcept;  ///< K
    const Node<T>& node() const noexcept { return node_; }
    NodeIndex index() const noexcept { return index_; }
    template <class S>
    const S& saved() const noexcept {
        return *static_cast<const S*>(node_.saved);
    }

    /// [K, output]; nullptr for an output that nothing flowed into.
    const T* dy(std::size_t output = 0) const noexcept;
    /// The same memory, for an operation that adds to it what one output gets through another. New memory is zeros.
    T* dy_to_finish(std::size_t output) const;
    const Node<T>& input(std::size_t i) const noexcept;
    /// Whether a target lies behind input i. Only then may `target(i)` be asked for.
    bool wants(std::size_t i) const noexcept;
    /// Where to put the K shares of input i, [K, input]. Call once per share, and fill all of it.
    GradientTarget<T> target(std::size_t i) const;
    /// As `target`, zeroed where it is new. Always `+=`.
    T* target_zeroed(std::size_t i) const;
    /// Y [rows, n] = or += X [rows, k] op(W) for a matrix W on the tape, all dense. A parameter is laid out once for
    /// all products of the sweep, and not by `Tape::multiply`: which products of a tape are its first ones decides the
    /// last bits of what it computes, and looking shall change none.
    void multiply(std::size_t rows, std::size_t k, std::size_t n, const T* x, Node<T>& w, Transpose transposed,
                  bool add, T* y) const;
    /// Runs `Operation::backward` for one row after another: right for every operation.
    void one_by_one() const;
    /// Scratch from the gradient pool.
    T* acquire(std::size_t size) const;
    void release(T* memory, std::size_t size) const;

  private:
    RowSweep<T>& sweep_;
    NodeIndex index_;
    Node<T>& node_;
};

/// A backward pass at one node, over raw memory: what `Operation::backward` reads and writes.
template <class T>
class Backward {
  public:
    /// `rows`: the sweep that this pass is one row of, if it is.
    Backward(Tape<T>& tape, NodeIndex index, Node<T>& node, const BackwardRows<T>* rows = nullptr) noexcept
        : tape_(tape), index_(index), node_(node), rows_(rows) {}

    Tape<T>& tape() const noexcept { return tape_; }
    const Node<T>& node() const noexcept { return node_; }
    NodeIndex index() const noexcept { return index_; }
    /// Tells the passes of a tape apart; the first is 1.
    std::uint64_t number() const noexcept;
    template <class S>
    const S& saved() const noexcept {
        return *static_cast<const S*>(node_.saved);
    }

    /// dL/doutput; nullptr for an output that nothing flowed into.
    const T* dy(std::size_t output = 0) const noexcept;
    const Node<T>& output(std::size_t k) const noexcept;
    const Node<T>& input(std::size_t i) const noexcept;
    /// Whether the gradient of input i is asked for.
    bool wants(std::size_t i) const noexcept { return rows_ ? rows_->wants(i) : input(i).requires_grad; }
    /// Where to put the share of input i. Call once per share, and fill all of it.
    GradientTarget<T> target(std::size_t i) const;
    /// As `target`, for an operation that writes only a part: the memory is zeroed first where it is new. Always `+=`.
    T* target_zeroed(std::size_t i) const;
    /// Adds dy itself, of the same size, to the gradient of input i; hands the memory over instead where nobody else
    /// needs it.
    void pass_on(std::size_t i) const;

    /// Hands dy out to the inputs, which stand one after another in it, without a copy where that is possible.
    void split_to_inputs() const;

    /// A product with a parameter is not multiplied out here: the weight's gradient is a sum over all its uses,
    /// dW += delta' x, and its node, whose turn comes after all of them, does the whole sum as one product.
    struct Share {
        const T* x;      ///< [rows, columns of W], or nullptr for ones: a bias
        const T* delta;  ///< [rows, delta_stride], of which the first `rows of W` columns count; nullptr: not kept
        std::size_t rows;
        std::size_t x_stride;
        std::size_t delta_stride;
        std::size_t time_steps = 1;  ///< rows = time_steps x batch, time-major
        std::int32_t first_time_step = -1;
        bool transposed = false;  ///< dW += x' delta: W stands on the right, y = x W
        /// ||delta' x|| of each time step, where the sum has found them on its way; else nullptr.
        const double* norms = nullptr;
    };
    /// Whether this pass is one row of `vjp_rows`. Then no memory may change hands.
    bool is_row() const noexcept { return rows_ != nullptr; }
    bool is_parameter(std::size_t i) const noexcept { return input(i).parameter != 0; }
    void defer(std::size_t i, const Share& share) const { defer(input_node(i), share); }
    void defer(Node<T>& parameter, const Share& share) const;
    /// Multiplies the share out now, so that its delta need not stay. Only where `may_add_at_once` says so.
    void add_at_once(std::size_t i, Share share) const;
    /// Whether nobody but the `uses` nodes that have input i in common adds to its gradient on this tape: else a time
    /// step's contribution can be a sum over several, for which their deltas are needed.
    bool may_add_at_once(std::size_t i, std::size_t uses) const;
    /// Whether this is the last pass over the node.
    bool frees_graph() const noexcept;
    /// The gradient of output k stays where it is until the tape is cleared, since a deferred share points into it.
    void keep_dy(std::size_t output = 0) const;
    /// Scratch from the gradient pool.
    T* acquire(std::size_t size) const;
    void release(T* memory, std::size_t size) const;

  private:
    Node<T>& input_node(std::size_t i) const noexcept;
    static void add_to_rows(const Node<T>& parameter, const Share& share);
    Tape<T>& tape_;
    NodeIndex index_;
    Node<T>& node_;
    const BackwardRows<T>* rows_;
    mutable const T* passed_on_ = nullptr;  // dy, once its memory belongs to an input
};

/// A backward pass at one node, on variables: what `Operation::vjp` reads and writes. Whatever it computes is recorded
/// where gradients are wanted (create_graph), and so can be derived again.
template <class T>
class Vjp {
  public:
    Vjp(Tape<T>& tape, NodeIndex index, std::span<const Variable<T>> dys) noexcept
        : tape_(tape), index_(index), dys_(dys) {}

    Tape<T>& tape() const noexcept { return tape_; }
    NodeIndex index() const noexcept { return index_; }
    const Node<T>& node() const;
    template <class S>
    const S& saved() const {
        return *static_cast<const S*>(node().saved);
    }
    /// dL/doutput; zeros for an output that nothing flowed into.
    Variable<T> dy(std::size_t output = 0) const;
    Variable<T> output(std::size_t k = 0) const;
    Variable<T> input(std::size_t i) const;
    std::size_t input_count() const { return node().input_count; }
    bool wants(std::size_t i) const;
    /// Adds `share` to the gradient of input i. Shapes must be equal.
    void accumulate(std::size_t i, const Variable<T>& share);
    /// Adds `share` to the part of it that begins at `start` along `axis`. The parts that many operations add to one
    /// array, as the steps of a loop do to a sequence, are put together once: the whole costs the sum of the parts.
    void accumulate_slice(std::size_t i, std::size_t axis, std::size_t start, const Variable<T>& share);
    /// Says what dL/doutput is in the end, by an operation that `finishes_outputs`.
    void finish_dy(std::size_t output, const Variable<T>& dy) { finished_.push_back({output, dy}); }

    static constexpr std::size_t no_axis = Shape::max_rank;
    struct Share {
        std::size_t input;
        Variable<T> value;
        std::size_t axis = no_axis;  ///< of a slice
        std::size_t start = 0;
    };
    const std::vector<Share>& shares() const noexcept { return shares_; }
    const std::vector<std::pair<std::size_t, Variable<T>>>& finished() const noexcept { return finished_; }

  private:
    Tape<T>& tape_;
    NodeIndex index_;
    std::span<const Variable<T>> dys_;
    std::vector<Share> shares_;
    std::vector<std::pair<std::size_t, Variable<T>>> finished_;
};

/// What an operation computes on the way and keeps, by name: the gates of a cell. Rows of numbers in the tape's memory.
template <class T>
struct Intermediate {
    std::string_view name;
    const T* data;
    std::size_t rows;
    std::size_t columns;
    std::size_t stride;  ///< from row to row
};

/// The intermediates of a node, at most 8: a range that is made for every node of a tape, so it must not allocate.
template <class T>
class Intermediates {
  public:
    Intermediates() = default;
    Intermediates(std::initializer_list<Intermediate<T>> all) : size_(all.size()) {
        std::copy(all.begin(), all.end(), all_.begin());
    }
    const Intermediate<T>* begin() const noexcept { return all_.data(); }
    const Intermediate<T>* end() const noexcept { return all_.data() + size_; }
    std::size_t size() const noexcept { return size_; }

  private:
    std::array<Intermediate<T>, 8> all_;
    std::size_t size_ = 0;
};

/// Steps of a cell that lie on the tape at one distance from each other, as those of a layer do: all with the same
/// outputs, which are all probes, of the same shapes; with the same intermediates; of rising or of falling time step.
struct StepRun {
    std::size_t steps = 1;
    NodeIndex nodes = 1;                        ///< from a step to the next one
    std::ptrdiff_t intermediates_distance = 0;  ///< from a step's to those of the next one, in numbers
};

/// How a recorded operation goes back. One constant object per operation and scalar type; what differs from node to
/// node is in the node and in its saved memory.
template <class T>
class Operation {
  public:
    virtual ~Operation() = default;
    virtual const OperationInfo& info() const noexcept = 0;

    /// The vector-Jacobian product on variables: the formula as the textbook has it.
    virtual void vjp(Vjp<T>& pass) const = 0;

    /// The named intermediates of a node: none by default.
    virtual Intermediates<T> intermediates(const Tape<T>& /*tape*/, const Node<T>& /*node*/) const { return {}; }

    /// The steps of which the node is the first: by default itself alone. Who looks at all steps can take a run as one.
    virtual StepRun run_from(const Node<T>& /*node*/) const { return {}; }

    /// Whether it reads a transposed input as it lies in memory (transposed.hpp); else such an input is copied in
    /// order.
    virtual bool takes_transposed() const noexcept { return false; }

    /// The same over raw memory. By default it evaluates `vjp`; operations on the fast path have a kernel instead, and
    /// a test holds the two to each other.
    virtual void backward(Backward<T>& pass) const;

    /// K passes at once (vjp_rows.hpp). By default one row after the other by `backward`; where K rows are but more
    /// rows of a matrix product, one product is many times faster.
    virtual void backward_rows(BackwardRows<T>& pass) const { pass.one_by_one(); }

    /// Whether one of its outputs is made from another, as an LSTM's h_t from its c_t: then its backward adds to the
    /// gradient of that other output, which is whole only after it.
    virtual bool finishes_outputs() const noexcept { return false; }

    /// Whether its `backward` calls the hooks of its outputs itself (`Tape::call_hooks`), with what has flowed in.
    virtual bool calls_hooks() const noexcept { return false; }

  protected:
    Operation() = default;
    Operation(const Operation&) = default;
    Operation& operator=(const Operation&) = default;
};

}  // namespace ebb
