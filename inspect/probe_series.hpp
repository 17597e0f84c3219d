#pragma once
/// Which states of which cells stand on a tape: what the measures of this folder have in common.

#include <ebb/autograd/tape.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <xtensor/xstorage.hpp>

namespace ebb::inspect {

/// A state of one run of one cell through time, in the order in which it was computed: by rising time step, or by
/// falling, where the cell reads backwards.
struct ProbeSeries {
    std::string name;  ///< "encoder.h"; a second cell of that name, or a second run, is "encoder.h (2)"
    StepOwner owner = 0;
    std::size_t run = 0;  ///< of this cell on this tape
    std::vector<NodeIndex> node;
    std::vector<std::int32_t> time_step;

    std::size_t steps() const noexcept { return node.size(); }
};

/// What a step has of something: rows of numbers on the tape. nullptr for nothing.
template <class T>
struct Block {
    const T* data;
    std::size_t rows;
    std::size_t columns;
    std::size_t stride;  ///< from row to row

    std::size_t size() const noexcept { return rows * columns; }
};

/// The blocks of steps that follow each other, all of one form and at one distance in memory, as those of a layer are.
template <class T>
struct BlockRun {
    Block<T> first;
    std::size_t begin;    ///< the place of its first step among all
    std::size_t steps;    ///< how many they are
    std::intptr_t bytes;  ///< from a step to the next: they may be arrays of their own

    /// The same in numbers.
    std::ptrdiff_t distance() const noexcept { return bytes / static_cast<std::ptrdiff_t>(sizeof(T)); }
    Block<T> operator[](std::size_t k) const noexcept {
        return {first.data ? first.data + static_cast<std::ptrdiff_t>(k) * distance() : nullptr, first.rows,
                first.columns, first.stride};
    }
};

/// What step after step has, in as few runs as it takes: of small steps a call for each would take longer than what it
/// does.
template <class T>
class BlockRuns {
  public:
    /// The next step's.
    void add(const Block<T>& block) {
        if (!runs_.empty() && goes_on(runs_.back(), block)) {
            BlockRun<T>& run = runs_.back();
            if (run.steps == 1) run.bytes = address(block) - address(run.first);
            next_ = address(block) + run.bytes;
            ++run.steps;
        } else {
            runs_.push_back({block, steps(), 1, 0});
        }
    }
    /// Those of `steps` steps, `bytes` from one to the next.
    void add(const Block<T>& first, std::size_t steps, std::intptr_t bytes) {
        if (steps == 1) return add(first);
        runs_.push_back({first, this->steps(), steps, bytes});
        next_ = address(first) + static_cast<std::intptr_t>(steps) * bytes;
    }
    std::size_t steps() const noexcept { return runs_.empty() ? 0 : runs_.back().begin + runs_.back().steps; }
    const BlockRun<T>* begin() const noexcept { return runs_.data(); }
    const BlockRun<T>* end() const noexcept { return begin() + runs_.size(); }
    /// From the last step to the first. Nothing may be added after it.
    void reverse() {
        const std::size_t all = steps();
        std::reverse(runs_.begin(), runs_.end());
        for (BlockRun<T>& run : runs_) run = {run[run.steps - 1], all - run.begin - run.steps, run.steps, -run.bytes};
    }
    /// On to what stands `blocks` blocks further in the same rows. Nothing may be added after it.
    void shift(std::size_t blocks) {
        for (BlockRun<T>& run : runs_)
            if (run.first.data) run.first.data += blocks * run.first.columns;
    }

  private:
    static std::intptr_t address(const Block<T>& block) { return reinterpret_cast<std::intptr_t>(block.data); }
    bool goes_on(const BlockRun<T>& run, const Block<T>& block) const {
        return block.rows == run.first.rows && block.columns == run.first.columns && block.stride == run.first.stride &&
               !block.data == !run.first.data && (run.steps == 1 || address(block) == next_);
    }

    xt::svector<BlockRun<T>, 2> runs_;
    std::intptr_t next_ = 0;  // where the next step's block is expected
};

/// Gates of one run of one cell through time: their activations, where they lie on the tape.
template <class T>
struct GateSeries {
    std::vector<std::string> names;  ///< "encoder.forget_gate": of gates that stand side by side in each row
    std::vector<std::int32_t> time_step;
    BlockRuns<T> blocks;  ///< of the first; each further one begins `columns` behind the one before it
};

/// A state, and its arrays on the tape.
template <class T>
struct StateSeries : ProbeSeries {
    BlockRuns<T> values;
    BlockRuns<T> gradients;  ///< kept ones
};

template <class T>
struct AllSeries {
    std::vector<StateSeries<T>> states;
    std::vector<GateSeries<T>> gates;
};

/// Every state and every gate on the tape, in the order in which they first appear.
template <class T>
AllSeries<T> all_series(const Tape<T>& tape);

/// The state called `name`. Throws ValueError, which names `call` and lists the states that there are, for any other.
template <class T>
ProbeSeries find_series(const char* call, const Tape<T>& tape, std::string_view name);

/// The same, and all states of its cell in this run, the named one first: h and c of an LSTM are one state to its
/// dynamics. Throws ShapeError besides where a state is no [B, H], or H is not the same at each step (B may change: in
/// packed sequences it does), and ValueError where the states of the cell have not the same time steps.
template <class T>
std::vector<ProbeSeries> find_cell(const char* call, const Tape<T>& tape, std::string_view name);

/// The gate called `name`, by itself. Throws ValueError, which names `call` and lists the gates that there are, for any
/// other.
template <class T>
GateSeries<T> find_gate(const char* call, const Tape<T>& tape, std::string_view name);

}  // namespace ebb::inspect
