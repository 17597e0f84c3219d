#include <ebb/autograd/grad_mode.hpp>
#include <ebb/autograd/operations/transposed.hpp>
#include <ebb/autograd/substitution.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>

#include <algorithm>
#include <atomic>
#include <deque>
#include <limits>
#include <mutex>

#include <fmt/format.h>

namespace ebb {

constinit thread_local char detail::thread_marker = 0;

namespace {

template <class T>
thread_local Tape<T>* innermost_tape = nullptr;

/// The number of elements. Shape::size() itself does not look whether the product is too large for it. `call` gives the
/// name of what was called, for the error.
template <class T, class Call>
std::size_t checked_size(Call call, const char* what, const Shape& shape) {
    constexpr std::size_t most = std::numeric_limits<std::ptrdiff_t>::max() / sizeof(T);
    std::size_t product = 1;
    bool overflow = false;
    for (const std::size_t extent : shape) overflow |= __builtin_mul_overflow(product, extent, &product);
    if (!overflow && product <= most) return product;
    if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
    fail<ShapeError>(fmt::format("{}: {} is {}: more elements than memory can hold", call(), what, to_string(shape)));
}

template <class T>
class AnchorStore {
  public:
    TapeAnchor<T>* take() {
        const std::lock_guard lock(mutex_);
        if (free_.empty()) return &all_.emplace_back();
        TapeAnchor<T>* const anchor = free_.back();
        free_.pop_back();
        return anchor;
    }
    void give_back(TapeAnchor<T>* anchor) {
        const std::lock_guard lock(mutex_);
        free_.push_back(anchor);
    }

  private:
    std::mutex mutex_;
    std::deque<TapeAnchor<T>> all_;
    std::vector<TapeAnchor<T>*> free_;
};

template <class T>
AnchorStore<T>& anchors() {
    static auto& store = *new AnchorStore<T>();  // never destroyed: variables may outlive every tape
    return store;
}

}  // namespace

template <class T>
std::string described(const Node<T>& node, NodeIndex index) {
    return node.name.empty() ? fmt::format("node {}", index) : fmt::format("{} (node {})", node.name.text(), index);
}
template std::string described(const Node<float>&, NodeIndex);
template std::string described(const Node<double>&, NodeIndex);

StepOwner new_step_owner() noexcept {
    static std::atomic<StepOwner> last = 0;
    return ++last;
}

// ---- life -----------------------------------------------------------------------------------------------------------

template <class T>
Tape<T>::Tape()
    : anchor_(anchors<T>().take()), outer_(innermost_tape<T>), thread_(&detail::thread_marker), pool_(gradients_) {
    anchor_->tape = this;
    innermost_tape<T> = this;
}

template <class T>
Tape<T>::~Tape() {
    anchor_->begin_generation();
    anchor_->tape = nullptr;
    anchors<T>().give_back(anchor_);
    // Tapes are scoped, so this one is the innermost; a tape in a container may go out of order.
    Tape** link = &innermost_tape<T>;
    while (*link && *link != this) link = &(*link)->outer_;
    if (*link) *link = outer_;
}

template <class T>
Tape<T>::Activation::Activation(Tape& tape) noexcept : before_(innermost_tape<T>) {
    innermost_tape<T> = &tape;
}

template <class T>
Tape<T>::Activation::~Activation() {
    innermost_tape<T> = before_;
}

template <class T>
Tape<T>& Tape<T>::active() {
    if (!innermost_tape<T>)
        fail<TapeError>(
            "no tape is active on this thread: expected a Tape<T> in scope, or an operand that is on a tape");
    return *innermost_tape<T>;
}

template <class T>
void Tape<T>::clear() {
    check_thread("Tape.clear");
    if (in_pass_) fail<TapeError>("Tape.clear: a backward pass is running: expected no clear() from within a hook");
    anchor_->begin_generation();
    rewind({0, 0, 0, {}});
    any_freed_ = false;
    pool_.clear();
    values_.clear();
    gradients_.clear();
}

template <class T>
std::size_t Tape<T>::allocations() const noexcept {
    return values_.allocations() + gradients_.allocations() + chunks_.size();
}

template <class T>
void Tape<T>::fail_on_thread(std::string_view call) const {
    fail<TapeError>(fmt::format("{}: the tape belongs to another thread: expected one tape per thread", call));
}

template <class T>
void Tape<T>::fail_check(std::string_view call, const Variable<T>& variable) const {
    check_thread(call);
    if (!variable.anchor_)
        fail<TapeError>(fmt::format("{}: an operand is a default-constructed Variable, which is on no tape", call));
    variable.node();  // throws for a tape that was cleared or destroyed
    fail<TapeError>(fmt::format("{}: the operands are on two different tapes: expected all on one", call));
}

// ---- recording ------------------------------------------------------------------------------------------------------

template <class T>
Node<T>& Tape<T>::append(const Shape& shape, const T* value) {
    if (node_count_ == chunks_.size() * chunk_size) chunks_.push_back(std::make_unique<Node<T>[]>(chunk_size));
    Node<T>& node = this->node(static_cast<NodeIndex>(node_count_++));
    // A copy, not Node<T>{}: a temporary of this size is zeroed by `rep stos`, which takes longer to begin than the
    // copy.
    static constexpr Node<T> blank{};
    node = blank;
    node.shape = shape;
    node.value = value;
    return node;
}

template <class T>
Variable<T> Tape<T>::leaf(const T* data, const Shape& shape, bool requires_grad) {
    check_thread("Tape");
    const std::size_t size = checked_size<T>([] { return "Tape"; }, "an array", shape);
    if (anomaly_detection() && data) check_leaf(data, shape);
    T* const memory = values_.template allocate<T>(size);
    if (data) std::copy_n(data, size, memory);
    Node<T>& node = append(shape, memory);
    node.requires_grad = node.retains_gradient = requires_grad;
    return Variable<T>(anchor_, static_cast<NodeIndex>(node_count_ - 1));
}

template <class T>
Variable<T> Tape<T>::constant(const Array<T>& array, SourceLine at) {
    const CalledFrom call(at);
    return leaf(array.data(), Shape::of(array.shape()), false);
}

template <class T>
Variable<T> Tape<T>::variable(const Array<T>& array, SourceLine at) {
    const CalledFrom call(at);
    return leaf(array.data(), Shape::of(array.shape()), true);
}

template <class T>
Variable<T> Tape<T>::constant(const T* data, const Shape& shape, SourceLine at) {
    const CalledFrom call(at);
    return leaf(data, shape, false);
}

template <class T>
Variable<T> Tape<T>::scalar(T value, SourceLine at) {
    const CalledFrom call(at);
    return leaf(&value, Shape{}, false);
}

template <class T>
Variable<T> Tape<T>::borrow(const Array<T>& array) {
    check_thread("Tape");
    append(Shape::of(array.shape()), array.data());
    const auto index = static_cast<NodeIndex>(node_count_ - 1);
    if (anomaly_detection()) borrowed_.push_back({index, detail::digest(array.data(), array.size())});
    return at(index);
}

template <class T>
Variable<T> Tape<T>::full(const Shape& shape, T value) {
    const Variable<T> result = leaf(nullptr, shape, false);
    std::fill_n(const_cast<T*>(node(result.index_).value), shape.size(), value);
    return result;
}

namespace {
template <class T>
void check_not_resized(const std::string& name, const Shape& shape, const Array<T>& value) {
    const Shape now = Shape::of(value.shape());
    if (now != shape)
        fail<ShapeError>(fmt::format("Parameter: {} is {}, but its value was replaced by one of shape {}", name,
                                     to_string(shape), to_string(now)));
}
}  // namespace

template <class T>
void Tape<T>::refresh_moved(Node<T>& parameter) const {
    const typename Parameter<T>::State& state = *parameters_[parameter.parameter - 1].state;
    check_not_resized(state.name.text(), state.shape, state.value);
    parameter.value = state.value.data();
}

template <class T>
Variable<T> Tape<T>::find_or_add(const Parameter<T>& parameter) {
    check_thread("Tape.use");
    if (const Variable<T>* const other = Substitution<T>::of(parameter)) {
        check("Tape.use", *other);
        return *other;
    }
    const typename Parameter<T>::State& state = parameter.state();
    // From the one behind the last on, and round.
    for (std::size_t k = 0; k < parameter_count_; ++k) {
        last_used_ = last_used_ + 1 < parameter_count_ ? last_used_ + 1 : 0;
        const ParameterUse& use = parameters_[last_used_];
        if (is_good(use, state)) return at(use.node);
    }
    check_not_resized(state.name.text(), state.shape, state.value);
    // Else the vector would copy, and layouts and spans of shares would point to what was.
    static_assert(std::is_nothrow_move_constructible_v<ParameterUse>);
    if (parameter_count_ == parameters_.size()) parameters_.emplace_back();
    ParameterUse& use = parameters_[parameter_count_++];
    Node<T>& node = append(state.shape, state.value.data());
    use.state = parameter.state_;
    use.size = state.value.size();
    use.node = static_cast<NodeIndex>(node_count_ - 1);
    use.version = state.version;
    if (anomaly_detection()) use.digest = detail::digest(state.value.data(), state.value.size());
    node.requires_grad = state.requires_grad && grad_enabled();
    node.name = state.name;
    node.parameter = static_cast<std::uint32_t>(parameter_count_);
    return at(use.node);
}

template <class T>
typename Tape<T>::Recorded Tape<T>::record(const Operation<T>& operation, std::span<const Variable<T>> inputs,
                                           const Shape& shape, const T* value) {
    const auto call = [&]() -> std::string_view { return operation.info().name; };  // looked up for errors only
    if (!is_on_its_thread()) fail_on_thread(call());
    bool wanted = false;
    std::int32_t time_step = -1;
    StepOwner owner = 0;
    for (const Variable<T>& input : inputs) {
        if (!is_here(input)) fail_check(call(), input);
        Node<T>& node = this->node(input.index_);
        if (node.parameter) refresh(node);
        if (node.transposed && !operation.takes_transposed()) contiguous(node);
        wanted |= node.requires_grad;
        if (node.time_step > time_step) {
            time_step = node.time_step;
            owner = node.step_owner;
        }
    }
    const std::size_t size = checked_size<T>(call, "its result", shape);
    const std::optional<Mark> before = anomaly_detection() ? std::optional(mark()) : std::nullopt;
    T* const memory = value ? nullptr : values_.template allocate<T>(size);
    Node<T>& node = append(shape, value ? value : memory);
    node.time_step = time_step;
    node.step_owner = owner;
    if (wanted && grad_enabled()) {
        node.operation = &operation;
        node.requires_grad = true;
        node.first_input = static_cast<std::uint32_t>(inputs_.size());
        node.input_count = static_cast<std::uint32_t>(inputs.size());
        for (const Variable<T>& input : inputs) inputs_.push_back(input.index_);
    }
    if (before) note_origin(operation, inputs, *before);
    return {node, memory, static_cast<NodeIndex>(node_count_ - 1), node.operation != nullptr};
}

template <class T>
typename Tape<T>::Recorded Tape<T>::record_again(const Recorded& before,
                                                 std::span<const std::pair<std::size_t, NodeIndex>> changed,
                                                 const T* value) {
    const std::optional<Mark> without = anomaly_detection() ? std::optional(mark()) : std::nullopt;
    Node<T>& node = append(before.node.shape, value);
    node = before.node;
    node.value = value;
    node.gradient = node.retained_gradient = nullptr;
    node.saved = nullptr;
    node.output_count = 1;
    if (before.recorded) {
        node.first_input = static_cast<std::uint32_t>(inputs_.size());
        inputs_.resize(inputs_.size() + node.input_count);
        std::copy_n(inputs_.begin() + before.node.first_input, node.input_count, inputs_.end() - node.input_count);
        for (const auto& [place, index] : changed) inputs_[node.first_input + place] = index;
    }
    if (without) note_origin_again(before.index, changed, *without);
    return {node, nullptr, static_cast<NodeIndex>(node_count_ - 1), before.recorded};
}

template <class T>
NodeIndex Tape<T>::record_transposed(const Operation<T>& operation, const Variable<T>& x, const Shape& shape,
                                     std::size_t axis0, std::size_t axis1) {
    // Two transpositions of one matrix are the matrix again, but the gradient takes the long way: both nodes stay.
    static const T placeholder{};  // in the place of a value, so that no memory is taken
    const auto recorded = record(operation, {x}, shape, &placeholder);
    recorded.node.value = nullptr;
    recorded.node.transposed = true;
    save(recorded.node, Transposed{x.index_, axis0, axis1});
    return recorded.index;
}

template <class T>
const T* Tape<T>::copied_out(Node<T>& node) {
    const auto& saved = *static_cast<const Transposed*>(node.saved);
    Node<T>& source = this->node(saved.source);
    const T* const elements = contiguous(source);
    T* const memory = values_.template allocate<T>(node.shape.size());
    exchange_axes<false>(memory, elements, source.shape, saved.axis0, saved.axis1);
    copied_out_.push_back(&node);
    return node.value = memory;
}

template <class T>
typename Tape<T>::Recorded Tape<T>::record_further_output(const Recorded& first, const Shape& shape, const T* value) {
    T* const memory = value ? nullptr : values_.template allocate<T>(shape.size());
    Node<T>& node = append(shape, value ? value : memory);
    node.time_step = first.node.time_step;
    node.step_owner = first.node.step_owner;
    if (first.recorded) {
        node.requires_grad = true;
        node.further_output = true;
        ++first.node.output_count;
    }
    return {node, memory, static_cast<NodeIndex>(node_count_ - 1), first.recorded};
}

template <class T>
void Tape<T>::multiply(std::size_t rows, std::size_t k, std::size_t n, const T* x, Node<T>& w, Transpose transposed,
                       bool add, T* y) {
    const T* const matrix = contiguous(w);
    constexpr std::size_t most_rows = 256;  // beyond, BLAS's own blocks serve better
    if (w.parameter && (rows == 1 ? PackedMatrix<T>::pays_for_single_rows(k, n) : rows <= most_rows)) {
        ParameterUse& use = parameters_[w.parameter - 1];
        Layout& layout = use.layouts[transposed == Transpose::yes];
        if (use.version == use.state->version && ++layout.uses > 1) {
            if (layout.uses == 2) {
                layout.memory.resize(PackedMatrix<T>::size(k, n));
                layout.matrix = PackedMatrix<T>::pack(transposed, k, n, matrix, layout.memory.data());
            }
            if (rows == 1) return layout.matrix.multiply_row(x, add, y);
            return layout.matrix.multiply(rows, x, k, add, y, n);
        }
    }
    gemm(Transpose::no, transposed, rows, n, k, T(1), x, k, matrix, transposed == Transpose::yes ? k : n,
         add ? T(1) : T(0), y, n);
}

template <class T>
void Tape<T>::rewind(const Mark& mark) {
    // What was copied out of its transposed order since then lies in memory that goes away: it is transposed again.
    for (; copied_out_.size() > mark.copied_out; copied_out_.pop_back()) copied_out_.back()->value = nullptr;
    if (!hooks_.empty()) std::erase_if(hooks_, [&](const auto& entry) { return entry.first >= mark.node_count; });
    node_count_ = mark.node_count;
    while (!kept_.empty() && kept_.back().first >= node_count_) kept_.pop_back();
    while (!origins_.empty() && origins_.back().node >= node_count_) origins_.pop_back();
    while (!lines_.empty() && lines_.back().node >= node_count_) lines_.pop_back();
    while (!borrowed_.empty() && borrowed_.back().node >= node_count_) borrowed_.pop_back();
    inputs_.resize(mark.input_count);
    while (parameter_count_ > 0 && parameters_[parameter_count_ - 1].node >= node_count_) {
        ParameterUse& use = parameters_[--parameter_count_];
        use.state.reset();
        use.shares.clear();
        use.shares_done = 0;
        use.sink = nullptr;
        use.digest.reset();
        for (Layout& layout : use.layouts) layout.uses = 0;
    }
    values_.rewind(mark.values);
}

// ---- looking --------------------------------------------------------------------------------------------------------

template <class T>
void Tape<T>::retain_grads() noexcept {
    for (std::size_t index = 0; index < node_count_; ++index) {
        Node<T>& node = this->node(static_cast<NodeIndex>(index));
        node.retains_gradient = node.requires_grad && !node.parameter;
    }
}

template <class T>
const T* Tape<T>::kept_gradient(const Node<T>& node) const noexcept {
    if (!node.parameter) return node.retained_gradient;
    const typename Parameter<T>::State& state = *parameters_[node.parameter - 1].state;
    return node.requires_grad && !state.gradient_is_zero ? state.gradient.data() : nullptr;
}

template <class T>
std::span<const typename Tape<T>::Share> Tape<T>::shares(const Parameter<T>& parameter) const noexcept {
    // A parameter that was written since has a second node: the newest one counts.
    for (std::size_t k = parameter_count_; k-- > 0;)
        if (parameters_[k].state == parameter.state_ && !parameters_[k].shares.empty()) return parameters_[k].shares;
    return {};
}

template class Tape<float>;
template class Tape<double>;

}  // namespace ebb
