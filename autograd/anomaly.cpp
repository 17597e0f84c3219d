/// The checks themselves are the tape's: `Tape::at` calls them for results, `Tape::backward` for gradients.

#include <ebb/autograd/anomaly.hpp>
#include <ebb/autograd/running_step.hpp>
#include <ebb/autograd/source_line.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <string>
#include <type_traits>

#include <fmt/format.h>

namespace ebb {

constinit thread_local bool detail::anomaly_wanted = false;
constinit thread_local std::int32_t detail::running_step = -1;

void detect_anomaly(bool on) noexcept {
    detail::anomaly_wanted = on;
}

DetectAnomaly::DetectAnomaly(bool on) noexcept : before_(detail::anomaly_wanted) {
    detail::anomaly_wanted = on;
}
DetectAnomaly::~DetectAnomaly() {
    detail::anomaly_wanted = before_;
}

namespace {

template <class T>
struct Found {
    bool nan = false;
    bool infinite = false;
};

template <class T>
Found<T> look(const T* data, std::size_t size) {
    Found<T> found;
    for (std::size_t k = 0; k < size; ++k) {
        found.nan |= std::isnan(data[k]);
        found.infinite |= std::isinf(data[k]);
    }
    return found;
}

/// "-inf at flat index 1 of [4]": the first NaN, or the first infinity where `nan` is false.
template <class T>
std::string place(const T* data, const Shape& shape, bool nan) {
    const T* const end = data + shape.size();
    const T* const bad = std::find_if(data, end, [&](T v) { return nan ? std::isnan(v) : std::isinf(v); });
    // A NaN has a sign that says nothing.
    return fmt::format("{} at flat index {} of {}", nan ? "nan" : fmt::format("{}", *bad), bad - data,
                       to_string(shape));
}

/// The time of a node that is just recorded. A state has been labelled by then; another node has the time of the newest
/// state that went into it, and belongs to the step after it or to what reads it: only a running step tells.
template <class T>
std::string time_of_new(const Node<T>& node) {
    if (node.probe) return fmt::format(", time step {}", node.time_step);
    if (RunningStep::time() >= 0) return fmt::format(", time step {}", RunningStep::time());
    return node.time_step < 0 ? "" : fmt::format(", after time step {}", node.time_step);
}

}  // namespace

template <class T>
std::string Tape<T>::whereabouts(const Operation<T>& operation, NodeIndex index, const std::string& time) const {
    const Node<T>& node = this->node(index);
    std::string text{operation.info().name};
    text +=
        node.name.empty() ? fmt::format(" (node {})", index) : fmt::format(" ({}, node {})", node.name.text(), index);
    return text + time;
}

/// FNV-1a over the elements' bits.
template <class T>
std::uint64_t detail::digest(const T* data, std::size_t size) noexcept {
    using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
    std::uint64_t result = 14695981039346656037u;
    for (std::size_t k = 0; k < size; ++k) result = (result ^ std::bit_cast<Bits>(data[k])) * 1099511628211u;
    return result;
}

template <class T>
const typename Tape<T>::NodeLine* Tape<T>::noted_line(NodeIndex index) const noexcept {
    while (index > 0 && node(index).further_output) --index;
    const auto found = std::lower_bound(lines_.begin(), lines_.end(), index,
                                        [](const NodeLine& line, NodeIndex node) { return line.node < node; });
    return found != lines_.end() && found->node == index ? &*found : nullptr;
}

template <class T>
SourceLine Tape<T>::line_of(NodeIndex index) const noexcept {
    const NodeLine* const noted = noted_line(index);
    return noted ? noted->line : SourceLine::unknown();
}

/// What a backward pass records for a node belongs to the line of that node.
template <class T>
void Tape<T>::note_lines(NodeIndex begin, SourceLine line) {
    for (NodeIndex index = begin; index < node_count_; ++index) lines_.push_back({index, line});
}

namespace {
std::string second_line(const SourceLine& line) {
    return line.known() ? "\n  called at " + line.text() : "";
}
}  // namespace

template <class T>
void Tape<T>::note_origin(Origin origin) {
    origins_.push_back(origin);
    lines_.push_back({origin.node, CalledFrom::now()});
}

template <class T>
void Tape<T>::note_origin(const Operation<T>& operation, std::span<const Variable<T>> inputs, const Mark& before) {
    const auto node = static_cast<NodeIndex>(node_count_ - 1);
    Origin origin{node, &operation, false, false, before, node};
    for (const Variable<T>& input : inputs) {
        Node<T>& in = this->node(input.index_);
        const Found<T> found = look(contiguous(in), in.shape.size());
        origin.nan_came_in |= found.nan;
        origin.infinity_came_in |= found.infinite;
    }
    note_origin(origin);
}

template <class T>
void Tape<T>::note_origin_again(NodeIndex before, std::span<const std::pair<std::size_t, NodeIndex>> changed,
                                const Mark& without) {
    const auto first =
        std::find_if(origins_.rbegin(), origins_.rend(), [&](const Origin& origin) { return origin.node == before; });
    if (first == origins_.rend()) return;  // recorded before anomalies were looked for
    Origin origin = *first;
    origin.node = origin.checked = static_cast<NodeIndex>(node_count_ - 1);
    origin.before = without;
    for (const auto& [place, index] : changed) {
        const Node<T>& in = node(index);
        const Found<T> found = look(in.value, in.shape.size());
        origin.nan_came_in |= found.nan;
        origin.infinity_came_in |= found.infinite;
    }
    note_origin(origin);
}

template <class T>
void Tape<T>::check_results(NodeIndex last) {
    // An operation looks at its own node when it is done with it, so the newest one is all there is to check.
    if (origins_.empty()) return;
    Origin& origin = origins_.back();
    for (; origin.checked <= last && origin.checked < node_count_; ++origin.checked) {
        const Node<T>& node = this->node(origin.checked);
        if (origin.checked != origin.node && !node.further_output) return;  // a leaf, recorded since
        if (!node.value) continue;  // transposed: its elements were looked at already
        const Found<T> found = look(node.value, node.shape.size());
        const bool nan = found.nan && !origin.nan_came_in;
        if (!nan && !(found.infinite && !origin.nan_came_in && !origin.infinity_came_in)) continue;
        const std::string message =
            fmt::format("detect_anomaly: {} made {}{}",
                        whereabouts(*origin.operation, origin.node, time_of_new(this->node(origin.node))),
                        place(node.value, node.shape, nan), second_line(line_of(origin.node)));
        rewind(Mark(origin.before));
        fail<AnomalyError>(message);
    }
}

template <class T>
void Tape<T>::check_leaf(const T* data, const Shape& shape) const {
    if (look(data, shape.size()).nan)
        fail<AnomalyError>(fmt::format("detect_anomaly: an array with {} comes onto the tape{}",
                                       place(data, shape, true), second_line(CalledFrom::now())));
}

template <class T>
void Tape<T>::check_gradient(const std::string& source, NodeIndex index, const T* gradient, const Shape& shape,
                             const std::string& line) const {
    const Found<T> found = look(gradient, shape.size());
    if (!found.nan && !found.infinite) return;
    fail<AnomalyError>(fmt::format("detect_anomaly: {} {} in the gradient of {}{}", source,
                                   place(gradient, shape, found.nan), described(node(index), index), line));
}

template <class T>
void Tape<T>::check_gradient_from(NodeIndex index, std::size_t i, const T* gradient, const Shape& shape) const {
    const NodeLine* const noted = noted_line(index);
    const Node<T>& from = node(index);
    const std::string time = from.time_step < 0 ? "" : fmt::format(", time step {}", from.time_step);
    check_gradient("the backward of " + whereabouts(*from.operation, index, time) + " made", input(from, i), gradient,
                   shape,
                   noted ? second_line(noted->line)
                         : "\n  called at a line that is not known, since detect_anomaly was off by then");
}

template <class T>
void Tape<T>::check_gradients_of_inputs(NodeIndex index) const {
    const Node<T>& node = this->node(index);
    for (std::size_t i = 0; i < node.input_count; ++i) {
        const Node<T>& in = this->node(input(node, i));
        if (in.gradient) check_gradient_from(index, i, in.gradient, in.shape);
    }
}

#define EBB_INSTANTIATE(T)                                                                                           \
    template std::uint64_t detail::digest(const T*, std::size_t) noexcept;                                           \
    template std::string Tape<T>::whereabouts(const Operation<T>&, NodeIndex, const std::string&) const;             \
    template const typename Tape<T>::NodeLine* Tape<T>::noted_line(NodeIndex) const noexcept;                        \
    template void Tape<T>::note_origin(Origin);                                                                      \
    template SourceLine Tape<T>::line_of(NodeIndex) const noexcept;                                                  \
    template void Tape<T>::note_lines(NodeIndex, SourceLine);                                                        \
    template void Tape<T>::note_origin(const Operation<T>&, std::span<const Variable<T>>, const Mark&);              \
    template void Tape<T>::note_origin_again(NodeIndex, std::span<const std::pair<std::size_t, NodeIndex>>,          \
                                             const Mark&);                                                           \
    template void Tape<T>::check_results(NodeIndex);                                                                 \
    template void Tape<T>::check_leaf(const T*, const Shape&) const;                                                 \
    template void Tape<T>::check_gradient(const std::string&, NodeIndex, const T*, const Shape&, const std::string&) \
        const;                                                                                                       \
    template void Tape<T>::check_gradient_from(NodeIndex, std::size_t, const T*, const Shape&) const;                \
    template void Tape<T>::check_gradients_of_inputs(NodeIndex) const;
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb
