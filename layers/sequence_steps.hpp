#pragma once
/// A cell over sequences of any lengths, in either direction: what all recurrent layers run on.
///
/// Sequences lie packed: the rows of time step 0, then those of step 1, and so on, [N, ..] with N the sum of the
/// lengths. They are sorted, the longest first, so that the sequences which reach a step are the first rows of the step
/// before it, and a step costs what its own rows cost: nothing is computed for padding.
///
///     lengths 4, 2, 1      step   0      1    2  3
///                          rows   a b c  a b  a  a        N = 7

#include <ebb/autograd/name.hpp>
#include <ebb/autograd/node.hpp>
#include <ebb/autograd/parameter.hpp>
#include <ebb/autograd/variable.hpp>
#include <ebb/core/array.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace ebb {

/// Which rows belong to which step.
class PackedSteps {
  public:
    /// All of one length: [T, B, ..] as it is.
    PackedSteps(std::size_t steps, std::size_t batch) : batch_(batch), steps_(steps) {}
    /// `sorted`: the lengths, longest first; of them, 0 takes part in no step.
    explicit PackedSteps(const std::vector<std::size_t>& sorted);

    std::size_t steps() const noexcept { return steps_; }
    /// The number of sequences, those of length 0 included.
    std::size_t batch() const noexcept { return batch_; }
    /// The first row of step t.
    std::size_t start(std::size_t t) const noexcept { return starts_.empty() ? t * batch_ : starts_[t]; }
    std::size_t rows(std::size_t t) const noexcept { return start(t + 1) - start(t); }
    /// N
    std::size_t total() const noexcept { return start(steps_); }
    /// `start` of all steps, and N; empty where all sequences have one length.
    const std::vector<std::size_t>& starts() const noexcept { return starts_; }
    /// The step that is taken k-th.
    std::size_t time(std::size_t k, bool reverse) const noexcept { return reverse ? steps_ - 1 - k : k; }

  private:
    std::size_t batch_;
    std::size_t steps_;
    std::vector<std::size_t> starts_;
};

/// What the steps of a cell are called on a tape.
struct SequenceLabels {
    std::vector<Name> parts;  ///< of the state: "encoder.h", "encoder.c"
    StepOwner owner = 0;
};

/// The variables that a state consists of, up to four: a list that takes no memory from the heap.
template <class T>
using StateParts = xt::svector<Variable<T>, 4>;

/// What a cell runs over, in one direction.
template <class T>
struct CellInput {
    const Variable<T>& x;         ///< [N, I], or [T, B, I] where all sequences have one length
    const StateParts<T>& before;  ///< the parts of the state, [B, ..] each, in the order of the sequences
    bool zero_state;              ///< `before` is known to be zeros
    const PackedSteps& steps;
    bool reverse;  ///< from each sequence's own end to its beginning
    const SequenceLabels& labels;
    std::int32_t first_time_step = 0;
};

template <class T>
struct CellOutput {
    Variable<T> output;   ///< the first part of the state after each step, in the shape of x
    StateParts<T> after;  ///< the parts of the state after each sequence's last step, [B, ..] each
};

/// A state whose rows come and go with the sequences: forward they end one after another, in reverse they begin so.
/// Where the number of rows stays, nothing is recorded.
template <class T>
class PackedState {
  public:
    PackedState(const StateParts<T>& before, bool reverse);

    /// The state before a step of so many rows.
    const StateParts<T>& with_rows(std::size_t rows);
    /// The state after that step.
    void set(std::size_t part, const Variable<T>& value) { parts_[part] = value; }
    /// The state of every sequence after its last step.
    StateParts<T> last();

  private:
    const StateParts<T>& before_;
    bool reverse_;
    std::size_t rows_;
    StateParts<T> parts_;
    std::vector<std::vector<Variable<T>>> ended_;  // of each part, in the order in which they ended
};

/// Throws ShapeError, naming the cell, unless the x of a step is [B, I], as `weight` takes it, [.., I].
template <class T>
void check_step_input(std::string_view cell, const Variable<T>& x, const Parameter<T>& weight);

/// Throws unless a part of the state before a step is [B, width] and on the tape of x [B, I], or left out. Every part
/// is checked before anything is recorded, so that after an error the tape is as before.
template <class T>
void check_step_state(std::string_view cell, std::string_view operand, const Variable<T>& given, const Variable<T>& x,
                      std::size_t width);

/// Makes probes of the parts of a state that a step has recorded from node `first` on. Every node of the step belongs
/// to its time, and what the step has named is an intermediate, a gate: so `inspect` finds them.
template <class T>
void label_step(Tape<T>& tape, NodeIndex first, const StateParts<T>& state, const SequenceLabels& labels,
                std::int32_t time_step);

/// One step of a cell: x [rows, I] and the parts of the state before it to those after it.
template <class T>
using CellStep =
    std::function<StateParts<T>(const Variable<T>& x, const StateParts<T>& before, std::int32_t time_step)>;

/// A cell over packed sequences, step by step. The states become probes, and every node of a step belongs to its time:
/// what the step has named is an intermediate that `inspect` shows.
template <class T>
CellOutput<T> run_steps(const CellInput<T>& input, const CellStep<T>& step);

}  // namespace ebb
