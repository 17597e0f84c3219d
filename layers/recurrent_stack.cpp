#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/random.hpp>
#include <ebb/layers/dropout.hpp>
#include <ebb/layers/recurrent_stack.hpp>

#include <algorithm>
#include <numeric>
#include <optional>

#include <fmt/format.h>

namespace ebb {
namespace {

/// A padded batch, and the same packed.
class Packing {
  public:
    Packing(std::size_t steps, std::size_t batch, bool batch_first)
        : steps_(steps), batch_(batch), batch_first_(batch_first), packed_(steps, batch) {}

    Packing(std::size_t steps, const std::vector<std::size_t>& lengths, bool batch_first)
        : Packing(steps, lengths.size(), batch_first) {
        std::vector<std::size_t> order(batch_);
        std::iota(order.begin(), order.end(), std::size_t{0});
        const auto longer = [&](std::size_t a, std::size_t b) { return lengths[a] > lengths[b]; };
        std::stable_sort(order.begin(), order.end(), longer);
        std::vector<std::size_t> sorted;
        for (const std::size_t b : order) sorted.push_back(lengths[b]);
        packed_ = PackedSteps(sorted);

        Indices& rows = rows_.emplace(Indices::from_shape({packed_.total()}));
        for (std::size_t t = 0, row = 0; t < packed_.steps(); ++t)
            for (std::size_t k = 0; k < packed_.rows(t); ++k)
                rows(row++) = static_cast<std::int64_t>(batch_first ? order[k] * steps + t : t * batch_ + order[k]);
        if (std::is_sorted(order.begin(), order.end())) return;
        order_ = places_ = Indices::from_shape({batch_});
        for (std::size_t k = 0; k < batch_; ++k) {
            (*order_)(k) = static_cast<std::int64_t>(order[k]);
            (*places_)(order[k]) = static_cast<std::int64_t>(k);
        }
    }

    const PackedSteps& steps() const noexcept { return packed_; }

    /// x as it came -> [N, I]; [T, B, I] where there are no lengths.
    template <class T>
    Variable<T> pack(const Variable<T>& x) const {
        if (rows_) return index_select(reshape(x, {steps_ * batch_, x.shape()[2]}), *rows_);
        return batch_first_ ? transpose(x, 0, 1) : x;
    }
    /// And back, zeros at the padding.
    template <class T>
    Variable<T> unpack(const Variable<T>& y) const {
        if (!rows_) return batch_first_ ? transpose(y, 0, 1) : y;
        const std::size_t width = y.shape()[1];
        const auto padded = index_add(y.tape().zeros({steps_ * batch_, width}), *rows_, y);
        return reshape(padded, batch_first_ ? Shape{batch_, steps_, width} : Shape{steps_, batch_, width});
    }
    /// Rows of sequences [B, W] in the order in which they lie packed, and back in the order in which they came.
    template <class T>
    Variable<T> sorted(const Variable<T>& state) const {
        return order_ ? index_select(state, *order_) : state;
    }
    template <class T>
    Variable<T> restored(const Variable<T>& state) const {
        return places_ ? index_select(state, *places_) : state;
    }

  private:
    std::size_t steps_, batch_;
    bool batch_first_;
    PackedSteps packed_;
    // An empty array is on the heap too, so that these are only there where they are needed.
    std::optional<Indices> rows_;    // of the padded batch, for each packed row
    std::optional<Indices> order_;   // the sequence at each place, where they did not come sorted
    std::optional<Indices> places_;  // the place of each sequence
};

}  // namespace

template <class T>
RecurrentStack<T>::RecurrentStack(std::string type, const RecurrentLayerOptions& options)
    : Module<T>(std::move(type), options.name), options_(options) {
    const auto at_least_one = [&](const char* what, std::size_t size) {
        if (size == 0) fail<ValueError>(fmt::format("{}: {} is 0: expected at least 1", this->display_name(), what));
    };
    at_least_one("input_size", options.input_size);
    at_least_one("hidden_size", options.hidden_size);
    at_least_one("num_layers", options.num_layers);
    check_probability(this->display_name(), options.dropout, "dropout");
    labels_.resize(cell_count());
    for (SequenceLabels& labels : labels_) labels.owner = new_step_owner();
}

template <class T>
void RecurrentStack<T>::set_state(std::vector<StatePart> parts, const std::string& takes) {
    parts_ = std::move(parts);
    takes_ = takes;
    if (options_.initial_state == InitialState::zeros) return;
    for (const StatePart& part : parts_) {
        Array<T> zeros = Array<T>::from_shape({cell_count(), 1, part.size});
        zeros.fill(T(0));
        initial_.push_back(this->register_parameter(part.name + "_0", std::move(zeros)));
    }
}

template <class T>
std::string RecurrentStack<T>::suffix(std::size_t cell) const {
    return fmt::format("_l{}{}", cell / directions(), cell % directions() == 1 ? "_reverse" : "");
}

template <class T>
std::size_t RecurrentStack<T>::inputs_of(std::size_t cell, std::size_t width) const {
    return cell < directions() ? options_.input_size : directions() * width;
}

template <class T>
void RecurrentStack<T>::update_labels() const {
    this->refresh_names(labels_version_, [this] {
        for (std::size_t cell = 0; cell < labels_.size(); ++cell) {
            std::string prefix;
            if (options_.num_layers > 1) prefix += fmt::format("l{}.", cell / directions());
            if (cell % directions() == 1) prefix += "reverse.";
            labels_[cell].parts.clear();
            for (const StatePart& part : parts_) labels_[cell].parts.emplace_back(this->probe_name(prefix + part.name));
        }
    });
}

template <class T>
typename RecurrentStack<T>::Extents RecurrentStack<T>::check_input(const Variable<T>& x) const {
    const char* const expected = options_.batch_first ? "[B, T, I]" : "[T, B, I]";
    if (x.shape().rank() != 3 || x.shape().back() != options_.input_size)
        fail<ShapeError>(fmt::format("{}: x is {}{}: expected {} with {} as the last extent", this->type(),
                                     to_string(x.shape()), takes_.empty() ? "" : ", " + takes_, expected,
                                     options_.input_size));
    const Extents extents =
        options_.batch_first ? Extents{x.shape()[1], x.shape()[0]} : Extents{x.shape()[0], x.shape()[1]};
    if (extents.steps == 0)
        fail<ShapeError>(
            fmt::format("{}: x is {}: T is 0, expected at least one time step", this->type(), to_string(x.shape())));
    return extents;
}

template <class T>
void RecurrentStack<T>::check_states(const Variable<T>& x, const StateParts<T>& given, std::size_t batch) const {
    for (std::size_t p = 0; p < parts_.size(); ++p) {
        if (!given[p].defined()) continue;
        x.tape().check(this->type(), given[p]);
        const Shape expected{cell_count(), batch, parts_[p].size};
        if (given[p].shape() == expected) continue;
        const std::string operand = parts_[p].name + "0";
        std::string why;
        const bool other_count = given[p].shape().rank() == 3 && given[p].shape()[0] != cell_count();
        if (cell_count() > 1 || other_count)
            why = fmt::format(", {} layer{} in {} direction{}", options_.num_layers, options_.num_layers > 1 ? "s" : "",
                              directions(), options_.bidirectional ? "s" : "");
        if (options_.batch_first) why += ", whatever batch_first says of x";
        fail<ShapeError>(fmt::format("{}: {} is {}, x is {}: expected {} to be {}{}", this->type(), operand,
                                     to_string(given[p].shape()), to_string(x.shape()), operand, to_string(expected),
                                     why));
    }
}

template <class T>
std::vector<std::size_t> RecurrentStack<T>::check_lengths(const Variable<T>& x, const Lengths& lengths,
                                                          const Extents& extents) const {
    const std::vector<std::int64_t>& values = lengths.values();
    if (values.size() != extents.batch) {
        const bool confused = values.size() == extents.steps;
        fail<ShapeError>(fmt::format("{}: lengths has {} entries, x is {}: expected one for each of {} sequences{}",
                                     this->type(), values.size(), to_string(x.shape()), extents.batch,
                                     confused ? fmt::format(" ({} is the number of time steps: batch_first is {})",
                                                            extents.steps, options_.batch_first)
                                              : ""));
    }
    std::vector<std::size_t> result;
    for (std::size_t b = 0; b < values.size(); ++b) {
        if (values[b] < 0 || values[b] > static_cast<std::int64_t>(extents.steps))
            fail<ValueError>(fmt::format("{}: lengths[{}] is {}, x is {}: expected 0 to {}, the number of time steps",
                                         this->type(), b, values[b], to_string(x.shape()), extents.steps));
        result.push_back(static_cast<std::size_t>(values[b]));
    }
    return result;
}

template <class T>
StackOutput<T> RecurrentStack<T>::run(const Variable<T>& x, const StateParts<T>& given, const SequenceOptions& options,
                                      const RunCell& run_cell) const {
    const ErrorContext context(this->name(), this->type().c_str());
    const Extents extents = check_input(x);
    const std::size_t batch = extents.batch;
    check_states(x, given, batch);
    const Packing packing = options.lengths.given() ? Packing(extents.steps, check_lengths(x, options.lengths, extents),
                                                              options_.batch_first)
                                                    : Packing(extents.steps, batch, options_.batch_first);
    update_labels();
    Tape<T>& tape = x.tape();

    // The state of all cells, [L D, B, W], where one is given or learned.
    StateParts<T> initial = given;
    for (std::size_t p = 0; p < initial_.size(); ++p)
        if (!initial[p].defined())
            initial[p] = broadcast_to(tape.use(initial_[p]), {cell_count(), batch, parts_[p].size});
    const bool zero_state = std::none_of(initial.begin(), initial.end(), [](const auto& s) { return s.defined(); });

    if (packing.steps().total() == 0) {  // no sequences, or all of length 0
        for (std::size_t p = 0; p < parts_.size(); ++p)
            if (!initial[p].defined()) initial[p] = tape.zeros({cell_count(), batch, parts_[p].size});
        return {tape.zeros({x.shape()[0], x.shape()[1], output_size()}), initial};
    }

    StateParts<T> zeros(parts_.size(), Variable<T>());
    const auto before = [&](std::size_t cell) {
        StateParts<T> result;
        for (std::size_t p = 0; p < parts_.size(); ++p) {
            const Shape shape{batch, parts_[p].size};
            if (initial[p].defined()) {
                result.push_back(packing.sorted(cell_count() == 1
                                                    ? reshape(initial[p], shape)
                                                    : select(initial[p], 0, static_cast<std::ptrdiff_t>(cell))));
            } else {
                if (!zeros[p].defined()) zeros[p] = tape.zeros(shape);
                result.push_back(zeros[p]);
            }
        }
        return result;
    };

    // Of several cells the states are stacked; a single cell, the usual case, needs no list from the heap.
    std::vector<std::vector<Variable<T>>> after(cell_count() > 1 ? parts_.size() : 0);
    StateParts<T> last, outputs;
    Variable<T> y = packing.pack(x);
    for (std::size_t layer = 0; layer < options_.num_layers; ++layer) {
        outputs.clear();
        for (std::size_t direction = 0; direction < directions(); ++direction) {
            const std::size_t cell = layer * directions() + direction;
            const StateParts<T> state = before(cell);
            const CellOutput<T> result = run_cell(
                cell, {y, state, zero_state, packing.steps(), direction == 1, labels_[cell], options.first_time_step});
            outputs.push_back(result.output);
            last = result.after;
            for (std::size_t p = 0; p < parts_.size(); ++p) {
                last[p] = packing.restored(last[p]);
                if (!after.empty()) after[p].push_back(last[p]);
            }
        }
        y = outputs.size() == 1 ? outputs[0] : concat(std::vector<Variable<T>>(outputs.begin(), outputs.end()), -1);
        if (layer + 1 < options_.num_layers && this->training()) y = dropout(y, options_.dropout);
    }

    StackOutput<T> result{packing.unpack(y), {}};
    for (std::size_t p = 0; p < parts_.size(); ++p)
        result.states.push_back(after.empty() ? reshape(last[p], {1, batch, parts_[p].size}) : stack(after[p], 0));
    return result;
}

template class RecurrentStack<float>;
template class RecurrentStack<double>;

}  // namespace ebb
