#pragma once
/// Remedies around a cell: each is a cell again, and goes into a loop, into another of them, and into `Recurrent`.
///
///     const ZoneoutCell cell(LSTMCell<double>({.input_size = 3, .hidden_size = 8}), {.h = 0.05, .others = 0.5});
///     state = cell(x, state);
///
///     using Cell = ZoneoutCell<VariationalDropoutCell<LSTMCell<double>>>;
///     const Recurrent<Cell> layer({.input_size = 3, .hidden_size = 8}, [](std::size_t inputs, std::size_t hidden) {
///         LSTMCell<double> lstm({.input_size = inputs, .hidden_size = hidden});
///         return Cell(VariationalDropoutCell(lstm, {.input = 0.2, .state = 0.3}), {.h = 0.05, .others = 0.5});
///     });
///
/// They act in training mode, and draw from the thread's default generator. In evaluation mode a cell does what it does
/// in training on average, and nothing is drawn.

#include <ebb/autograd/operations/elementwise.hpp>
#include <ebb/autograd/source_line.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/random.hpp>
#include <ebb/layers/module.hpp>
#include <ebb/layers/recurrent.hpp>
#include <ebb/layers/recurrent_cells.hpp>
#include <ebb/layers/regularized_cells.hpp>
#include <ebb/layers/sequence_dropout.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace ebb {

/// What the wrappers have in common: the cell inside, and its state. `inspect` sees the wrapper in the place of the
/// cell: its states are called after it, "h", and the gates inside belong to it.
template <class Cell>
class CellWrapper : public Module<typename Cell::value_type> {
  public:
    using T = typename Cell::value_type;
    using value_type = T;
    using State = typename detail::StateOf<Cell>::type;

    static constexpr std::array state_names{detail::state_name<Cell>(0), detail::state_name<Cell>(1),
                                            detail::state_name<Cell>(2), detail::state_name<Cell>(3)};

    /// The cell inside. A copy is the same cell.
    const Cell& cell() const noexcept { return cell_; }
    std::size_t hidden_size() const { return cell_.hidden_size(); }
    /// The width of a part of the state, where the cell tells it.
    std::size_t state_size(std::size_t part) const requires requires(const Cell& cell) { cell.state_size(part); }
    { return cell_.state_size(part); }

  protected:
    CellWrapper(std::string type, Cell cell)
        : Module<T>(std::move(type), cell.name()), cell_(this->register_module("cell", std::move(cell))) {}

    /// `parts` as the state after a step, made of what the cell inside has given.
    State state_of(const StateParts<T>& inner, const StateParts<T>& parts) const {
        for (std::size_t k = 0; k < parts.size(); ++k) {
            Node<T>& from = inner[k].node();
            if (!from.probe) continue;  // a cell of one's own, outside of a layer
            Node<T>& to = parts[k].node();
            if (&from != &to) {
                to.time_step = from.time_step;
                to.step_owner = from.step_owner;
                to.probe = true;
                to.retains_gradient = to.requires_grad;
                from.probe = from.retains_gradient = false;
                from.intermediate = true;
                from.name = Name();
            }
            to.name = Name(this->probe_name(state_names[k]));
        }
        return detail::from_parts<State>(parts);
    }

  private:
    Cell cell_;
};

struct ZoneoutOptions {
    double h = 0.05;      ///< how probable it is that an element of the output state stays as it was
    double others = 0.5;  ///< the same for the other parts of the state: an LSTM's c
};

/// Zoneout (Krueger et al. 2017): each element of a state keeps its old value with probability p,
///
///     h_t = m . h_{t-1} + (1 - m) . cell(x_t, h_{t-1}),  m ~ Bernoulli(p), drawn anew at each step
///
/// and in evaluation mode h_t = p h_{t-1} + (1 - p) cell(..), the mean. The gradient passes where the state stayed. The
/// defaults are the paper's for an LSTM on characters. Throws ValueError at construction unless both are from 0 to 1.
template <class Cell>
class ZoneoutCell : public CellWrapper<Cell> {
  public:
    using typename CellWrapper<Cell>::State;
    using typename CellWrapper<Cell>::T;

    explicit ZoneoutCell(Cell cell, const ZoneoutOptions& options = {})
        : CellWrapper<Cell>("ZoneoutCell", std::move(cell)), options_(options) {
        check_probability("ZoneoutCell", options.h, "h");
        check_probability("ZoneoutCell", options.others, "others");
    }

    State operator()(const Variable<T>& x, const State& before = {}, SourceLine at = source_line()) const {
        const CalledFrom call(at);
        const StateParts<T> old = detail::parts_of<T>(before), inner = detail::parts_of<T>(this->cell()(x, before));
        StateParts<T> parts = inner;
        for (std::size_t k = 0; k < parts.size(); ++k) {
            const double p = k == 0 ? options_.h : options_.others;
            if (p == 0) continue;
            Tape<T>& tape = x.tape();
            const Variable<T> from = old[k].defined() ? old[k] : tape.zeros(parts[k].shape());
            if (this->training())
                parts[k] = where(bernoulli_on(tape, parts[k].shape(), p), from, parts[k]);
            else
                parts[k] = static_cast<T>(p) * from + static_cast<T>(1 - p) * parts[k];
        }
        return this->state_of(inner, parts);
    }

  private:
    ZoneoutOptions options_;
};

struct VariationalDropoutOptions {
    double input = 0;  ///< how probable it is that an element of x is dropped, at all steps
    double state = 0;  ///< the same for h_{t-1}, on its way into the cell
};

/// Variational dropout (Gal, Ghahramani 2016, sect. 4.2): one mask for all steps of a sequence, on the input and on the
/// state that enters the products,
///
///     h_t = cell(x_t . m_x, h_{t-1} . m_h)
///
/// with m in {0, 1 / (1 - p)}. A sequence begins with a state that is left out, or into which no recurrent step of the
/// tape went: masks are drawn then, for each row of the batch. One that begins with the state of another network, as a
/// decoder's, is announced by `draw()`. Only h is masked, not an LSTM's c. In evaluation mode the cell is as it is.
///
/// Throws ValueError at construction unless both are from 0 to 1, and for a state rate with a GRU: its h_{t-1} goes
/// around the products too, and 1 / (1 - p) at every step would let it grow without bound.
template <class Cell>
class VariationalDropoutCell : public CellWrapper<Cell> {
  public:
    using typename CellWrapper<Cell>::State;
    using typename CellWrapper<Cell>::T;

    explicit VariationalDropoutCell(Cell cell, const VariationalDropoutOptions& options = {})
        : CellWrapper<Cell>("VariationalDropoutCell", std::move(cell)),
          options_(options),
          masks_(std::make_shared<Masks>()) {
        check_probability("VariationalDropoutCell", options.input, "input");
        check_probability("VariationalDropoutCell", options.state, "state");
        if (options.state > 0 && (std::is_same_v<Cell, GRUCell<T>> || std::is_same_v<Cell, RegularizedGRUCell<T>>))
            detail::refuse_state_rate(options.state, this->cell().type());
    }

    State operator()(const Variable<T>& x, const State& before = {}, SourceLine at = source_line()) const {
        const CalledFrom call(at);
        StateParts<T> parts = detail::parts_of<T>(before);
        if (!parts[0].defined() || parts[0].time_step() < 0) draw();
        const double input = this->training() ? options_.input : 0, h = this->training() ? options_.state : 0;
        const Variable<T> x_t = input > 0 ? x * masks_->x.on(x.tape(), x.shape(), input) : x;
        if (h > 0 && parts[0].defined()) parts[0] = parts[0] * masks_->h.on(x.tape(), parts[0].shape(), h);
        const StateParts<T> after = detail::parts_of<T>(this->cell()(x_t, detail::from_parts<State>(parts)));
        return this->state_of(after, after);
    }

    /// The next step begins a sequence, whatever state it gets.
    void draw() const { *masks_ = {}; }

  private:
    struct Masks {
        SequenceMask<T> x, h;
    };
    VariationalDropoutOptions options_;
    std::shared_ptr<Masks> masks_;  // of the sequence that is running
};

}  // namespace ebb
