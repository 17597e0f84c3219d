#include <ebb/autograd/operations/shape_operations.hpp>
#include <ebb/autograd/running_step.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>
#include <ebb/layers/sequence_steps.hpp>

#include <algorithm>

#include <fmt/format.h>

namespace ebb {
namespace {

template <class T>
Variable<T> rows_of(const Variable<T>& x, std::size_t start, std::size_t stop) {
    return slice(x, 0, static_cast<std::ptrdiff_t>(start), static_cast<std::ptrdiff_t>(stop));
}

}  // namespace

template <class T>
void check_step_input(std::string_view cell, const Variable<T>& x, const Parameter<T>& weight) {
    const std::size_t I = weight.shape().back();
    const Shape& shape = x.shape();
    if (shape.rank() == 2 && shape[1] == I) return;
    fail<ShapeError>(fmt::format("{}: x is {}, {} is {}: expected [B, I] with {} as the last extent", cell,
                                 to_string(shape), weight.name(), to_string(weight.shape()), I));
}

template <class T>
void check_step_state(std::string_view cell, std::string_view operand, const Variable<T>& given, const Variable<T>& x,
                      std::size_t width) {
    if (!given.defined()) return;
    x.tape().check(cell, given);
    const Shape &shape = given.shape(), &of_x = x.shape();
    if (shape.rank() == 2 && shape[0] == of_x[0] && shape[1] == width) return;
    fail<ShapeError>(fmt::format("{}: {} is {}, x is {}: expected {} to be {}", cell, operand, to_string(shape),
                                 to_string(of_x), operand, to_string(Shape{of_x[0], width})));
}

template <class T>
void label_step(Tape<T>& tape, NodeIndex first, const StateParts<T>& state, const SequenceLabels& labels,
                std::int32_t time_step) {
    // Also where a later time or another cell went in.
    for (NodeIndex index = first; index < tape.size(); ++index) {
        Node<T>& node = tape.node(index);
        if (node.parameter != 0) continue;
        node.time_step = time_step;
        node.step_owner = labels.owner;
        node.intermediate = node.intermediate || !node.name.empty();
    }
    for (std::size_t part = 0; part < state.size(); ++part) {
        if (state[part].index() < first) continue;  // the cell has handed on what it was given
        Node<T>& node = state[part].node();
        node.name = labels.parts[part];
        node.probe = true;
        node.intermediate = false;
        node.retains_gradient = node.requires_grad;
    }
}

PackedSteps::PackedSteps(const std::vector<std::size_t>& sorted)
    : batch_(sorted.size()), steps_(sorted.empty() ? 0 : sorted.front()), starts_(steps_ + 1, 0) {
    std::size_t rows = batch_;
    for (std::size_t t = 0; t < steps_; ++t) {
        while (rows > 0 && sorted[rows - 1] <= t) --rows;
        starts_[t + 1] = starts_[t] + rows;
    }
    if (batch_ > 0 && sorted.back() == steps_) starts_.clear();  // all of one length
}

template <class T>
PackedState<T>::PackedState(const StateParts<T>& before, bool reverse)
    : before_(before), reverse_(reverse), rows_(before.front().shape()[0]), parts_(before) {}

template <class T>
const StateParts<T>& PackedState<T>::with_rows(std::size_t rows) {
    if (rows == rows_) return parts_;
    if (ended_.empty()) ended_.resize(parts_.size());
    for (std::size_t part = 0; part < parts_.size(); ++part) {
        Variable<T>& state = parts_[part];
        if (rows > rows_) {
            state = concat(std::vector{state, rows_of(before_[part], rows_, rows)}, 0);
        } else {
            // In reverse only before the first step: those sequences have not begun.
            if (!reverse_) ended_[part].push_back(rows_of(state, rows, rows_));
            state = rows_of(state, 0, rows);
        }
    }
    rows_ = rows;
    return parts_;
}

template <class T>
StateParts<T> PackedState<T>::last() {
    if (reverse_) return with_rows(before_.front().shape()[0]);  // those of length 0 have never begun
    if (ended_.empty()) return parts_;
    StateParts<T> result;
    for (std::size_t part = 0; part < parts_.size(); ++part) {
        // The shortest ended first, and stand last.
        std::vector<Variable<T>> all{parts_[part]};
        all.insert(all.end(), ended_[part].rbegin(), ended_[part].rend());
        result.push_back(concat(all, 0));
    }
    return result;
}

template <class T>
CellOutput<T> run_steps(const CellInput<T>& input, const CellStep<T>& step) {
    Tape<T>& tape = input.x.tape();
    const PackedSteps& steps = input.steps;
    PackedState<T> state(input.before, input.reverse);
    std::vector<Variable<T>> outputs(steps.steps());
    const bool packed = input.x.shape().rank() == 2;
    for (std::size_t k = 0; k < steps.steps(); ++k) {
        const std::size_t t = steps.time(k, input.reverse);
        const StateParts<T>& before = state.with_rows(steps.rows(t));
        const auto first = static_cast<NodeIndex>(tape.size());
        const Variable<T> x = packed ? rows_of(input.x, steps.start(t), steps.start(t + 1))
                                     : select(input.x, 0, static_cast<std::ptrdiff_t>(t));
        const std::int32_t time_step = input.first_time_step + static_cast<std::int32_t>(t);
        const RunningStep running(time_step);
        const StateParts<T> after = step(x, before, time_step);
        label_step(tape, first, after, input.labels, time_step);
        outputs[t] = after.front();
        for (std::size_t part = 0; part < after.size(); ++part) state.set(part, after[part]);
    }
    return {packed ? concat(outputs, 0) : stack(outputs, 0), state.last()};
}

template class PackedState<float>;
template class PackedState<double>;
#define EBB_INSTANTIATE(T)                                                                                     \
    template void check_step_input(std::string_view, const Variable<T>&, const Parameter<T>&);                 \
    template void check_step_state(std::string_view, std::string_view, const Variable<T>&, const Variable<T>&, \
                                   std::size_t);                                                               \
    template void label_step(Tape<T>&, NodeIndex, const StateParts<T>&, const SequenceLabels&, std::int32_t);  \
    template CellOutput<T> run_steps(const CellInput<T>&, const CellStep<T>&);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb
