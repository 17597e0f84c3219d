#pragma once

#include <ebb/autograd/tape.hpp>
#include <ebb/autograd/variable.hpp>
#include <ebb/core/array.hpp>
#include <ebb/layers/recurrent.hpp>

#include <cstddef>
#include <vector>

namespace ebb {

/// The values of a recurrent state, without a tape: what lives on from one tape, or from before `tape.clear()`, to the
/// next. `State` is a variable or an aggregate of up to four, as a cell's.
///
/// In truncated backpropagation through time the states go on from piece to piece of a sequence, and the gradient stops
/// where a piece begins:
///
///     KeptState<float, LSTMState<float>> kept;
///     for (const Array<float>& piece : pieces) {
///         tape.clear();
///         const auto [output, state] = lstm(tape.constant(piece), kept.on(tape));
///         ...
///         kept.keep(state);
///     }
template <class T, class State>
class KeptState {
  public:
    KeptState() = default;
    explicit KeptState(const State& state) { keep(state); }

    /// Copies the values. What is undefined stays so: zeros, to cells and layers.
    void keep(const State& state) {
        const StateParts<T> parts = detail::parts_of<T>(state);
        values_.resize(parts.size());
        defined_.resize(parts.size());
        for (std::size_t k = 0; k < parts.size(); ++k) {
            defined_[k] = parts[k].defined();
            if (defined_[k]) values_[k] = parts[k].value();
        }
    }

    /// The state as constants of a tape: no gradient flows back through them. `State()` where nothing was kept.
    State on(Tape<T>& tape) const {
        if (values_.empty()) return State();
        StateParts<T> parts(values_.size(), Variable<T>());
        for (std::size_t k = 0; k < parts.size(); ++k)
            if (defined_[k]) parts[k] = tape.constant(values_[k]);
        return detail::from_parts<State>(parts);
    }

    /// The values of the parts: h, c.
    const std::vector<Array<T>>& values() const noexcept { return values_; }

  private:
    std::vector<Array<T>> values_;
    std::vector<bool> defined_;
};

}  // namespace ebb
