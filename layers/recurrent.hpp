#pragma once
/// A recurrent layer of any cell: many layers, both directions, sequences of any lengths, probes, a state dict, from a
/// struct with parameters and `operator()`.
///
///     struct MyCell : Module<double> {
///         Linear<double> from_x, from_h;
///         MyCell(std::size_t input_size, std::size_t hidden_size) : Module("MyCell"), ... {}
///         Variable<double> operator()(const Variable<double>& x, const Variable<double>& h) const {
///             return tanh(from_x(x) + from_h(h));
///         }
///     };
///     Recurrent<MyCell> layer({.input_size = 3, .hidden_size = 8, .num_layers = 2, .bidirectional = true});
///     auto [output, state] = layer(x, state0, {.lengths = lengths});
///
/// docs/your-own-cell.md builds one step by step.

#include <ebb/layers/recurrent_stack.hpp>

#include <array>
#include <concepts>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace ebb {

namespace detail {

/// What a cell carries from step to step: a variable, unless it says otherwise by a type `State`.
template <class Cell>
struct StateOf {
    using type = Variable<typename Cell::value_type>;
};
template <class Cell>
requires requires {
    typename Cell::State;
}
struct StateOf<Cell> {
    using type = typename Cell::State;
};

/// How many variables a state has: it is one, or an aggregate of up to four.
template <class State, class T>
consteval std::size_t part_count() {
    using V = Variable<T>;
    if constexpr (std::same_as<State, V>)
        return 1;
    else if constexpr (requires { State{V(), V(), V(), V()}; })
        return 4;
    else if constexpr (requires { State{V(), V(), V()}; })
        return 3;
    else if constexpr (requires { State{V(), V()}; })
        return 2;
    else
        return 1;
}

template <class T, class State>
StateParts<T> parts_of(const State& state) {
    constexpr std::size_t count = part_count<State, T>();
    if constexpr (std::same_as<State, Variable<T>>) {
        return {state};
    } else if constexpr (count == 1) {
        const auto& [a] = state;
        return {a};
    } else if constexpr (count == 2) {
        const auto& [a, b] = state;
        return {a, b};
    } else if constexpr (count == 3) {
        const auto& [a, b, c] = state;
        return {a, b, c};
    } else {
        const auto& [a, b, c, d] = state;
        return {a, b, c, d};
    }
}

template <class State, class T>
State from_parts(const StateParts<T>& parts) {
    constexpr std::size_t count = part_count<State, T>();
    if constexpr (count == 1)
        return State{parts[0]};
    else if constexpr (count == 2)
        return State{parts[0], parts[1]};
    else if constexpr (count == 3)
        return State{parts[0], parts[1], parts[2]};
    else
        return State{parts[0], parts[1], parts[2], parts[3]};
}

inline constexpr std::array default_state_names{"h", "c", "s2", "s3"};

/// What part k of a cell's state is called.
template <class Cell>
constexpr const char* state_name(std::size_t part) {
    if constexpr (requires { Cell::state_names[part]; })
        if (part < Cell::state_names.size()) return Cell::state_names[part];
    return default_state_names[part];
}

}  // namespace detail

template <class T, class State>
struct RecurrentOutput {
    Variable<T> output;  ///< [T, B, D H]: h after every step; with batch_first [B, T, D H]
    State state;         ///< [L D, B, H] each: after each sequence's last step, layer by layer, forward before reverse
};

/// `Cell` is a module over T with
///
/// - `State operator()(const Variable<T>& x, const State& before) const`: one step, x [rows, I]; a cell that goes by a
///   clock takes the time step as well, `(x, before, std::int32_t time_step)`;
/// - optionally a type `State`: an aggregate of up to four variables, of which the first is the output; else the state
///   is a variable [rows, H];
/// - optionally `state_size(k)`, the width of part k of its state, where that is not hidden_size;
/// - optionally `static constexpr std::array state_names{"h", "c"}`; else they are called h, c, s2, s3.
///
/// Probes are called after the layer and the part, "encoder.h"; of several layers "encoder.l0.h", of the reverse
/// direction "encoder.reverse.h" or "encoder.l0.reverse.h". Their time steps are those of the sequence, also in
/// reverse. What the cell names in a step, as `sigmoid(..).named("forget_gate")`, is a gate to `inspect`.
///
/// Parameters are called after the cell that they belong to: "l0.weight", "l0_reverse.weight", "l1.weight".
///
/// Errors: ValueError at construction for sizes of 0 and a dropout outside of 0 to 1; ShapeError where x, a state or
/// the number of lengths does not fit, ValueError for a length below 0 or beyond T.
template <class Cell>
class Recurrent : public RecurrentStack<typename Cell::value_type> {
  public:
    using T = typename Cell::value_type;
    using State = typename detail::StateOf<Cell>::type;
    using Options = RecurrentLayerOptions;
    using Output = RecurrentOutput<T, State>;

    /// Cells are made as `Cell(input_size, hidden_size)` or `Cell({.input_size = .., .hidden_size = ..})`.
    explicit Recurrent(const Options& options) : Recurrent(options, make_cell) {}

    /// Cells are made as `make(input_size, hidden_size)`, for each layer and direction.
    template <class Make>
    requires std::invocable<Make&, std::size_t, std::size_t> Recurrent(const Options& options, Make make)
        : RecurrentStack<T>("Recurrent", options) {
        for (std::size_t k = 0; k < this->cell_count(); ++k) {
            cells_.push_back(make(this->inputs_of(k, k == 0 ? 0 : width(0)), options.hidden_size));
            this->register_module(this->suffix(k).substr(1), cells_.back());
        }
        add_state();
    }

    /// x [T, B, I]; states [L D, B, H], which may be left out.
    Output operator()(const Variable<T>& x, const State& state = {}, const SequenceOptions& options = {},
                      SourceLine at = source_line()) const {
        const CalledFrom call(at);
        const auto run_cell = [this](std::size_t k, const CellInput<T>& input) {
            const Cell& cell = cells_[k];
            if constexpr (requires { cell.run_sequence(input); }) {
                return cell.run_sequence(input);
            } else {
                return run_steps<T>(input, [&cell](const Variable<T>& x_t, const StateParts<T>& parts, std::int32_t t) {
                    const State before = detail::from_parts<State>(parts);
                    if constexpr (std::invocable<const Cell&, const Variable<T>&, const State&, std::int32_t>)
                        return detail::parts_of<T>(cell(x_t, before, t));
                    else
                        return detail::parts_of<T>(cell(x_t, before));
                });
            }
        };
        StackOutput<T> result = this->run(x, detail::parts_of<T>(state), options, run_cell);
        return {result.output, detail::from_parts<State>(result.states)};
    }

    /// The cell of a layer and a direction. A copy is the same cell.
    const Cell& cell(std::size_t layer = 0, bool reverse = false) const {
        return cells_.at(layer * this->directions() + (reverse ? 1 : 0));
    }

  protected:
    /// For layers whose parameters stand in a row, as PyTorch's: weight_ih_l0, weight_ih_l0_reverse. Cells are made as
    /// `make(input_size, suffix)`.
    struct InARow {};
    template <class Make>
    Recurrent(InARow, std::string type, const Options& options, Make make)
        : RecurrentStack<T>(std::move(type), options) {
        for (std::size_t k = 0; k < this->cell_count(); ++k) {
            cells_.push_back(make(this->inputs_of(k, k == 0 ? 0 : width(0)), this->suffix(k)));
            for (auto& [name, parameter] : cells_.back().named_parameters()) this->register_parameter(name, parameter);
        }
        add_state();
    }

  private:
    static Cell make_cell(std::size_t inputs, std::size_t hidden) {
        if constexpr (std::constructible_from<Cell, std::size_t, std::size_t>)
            return Cell(inputs, hidden);
        else
            return Cell({.input_size = inputs, .hidden_size = hidden});
    }
    static constexpr std::size_t part_count = detail::part_count<State, T>();

    std::size_t width(std::size_t part) const {
        if constexpr (requires { cells_.front().state_size(part); })
            return cells_.front().state_size(part);
        else
            return this->hidden_size();
    }
    void add_state() {
        std::vector<typename RecurrentStack<T>::StatePart> parts;
        for (std::size_t k = 0; k < part_count; ++k) parts.push_back({detail::state_name<Cell>(k), width(k)});
        std::string takes;
        if constexpr (requires { cells_.front().takes(); }) takes = cells_.front().takes();
        this->set_state(std::move(parts), takes);
    }

    std::vector<Cell> cells_;  // layer by layer, forward before reverse
};

}  // namespace ebb
