#pragma once
/// Which states of which cells stand on a tape: what the measures of this folder have in common.

#include <ebb/autograd/tape.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

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

/// Gates of one run of one cell through time: their activations, where they lie on the tape.
template <class T>
struct GateSeries {
    std::vector<std::string> names;  ///< "encoder.forget_gate": of gates that stand side by side in each row
    std::vector<std::int32_t> time_step;
    std::vector<Block<T>> step;  ///< of the first; each further one begins `columns` behind the one before it
};

template <class T>
struct AllSeries {
    std::vector<ProbeSeries> states;
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
