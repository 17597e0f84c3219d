#pragma once
/// Cells with remedies that reach inside of a step: layer normalisation in all, and dropout of what is new in LSTM and
/// GRU. With both off they are RNNCell, LSTMCell and GRUCell, whose parameters and gate order they have.
///
///     const RegularizedLSTMCell<double> cell({.input_size = 3, .hidden_size = 8, .layer_norm = true});
///     const Recurrent<RegularizedLSTMCell<double>> layer({.input_size = 3, .hidden_size = 8}, [](auto I, auto H) {
///         return RegularizedLSTMCell<double>({.input_size = I, .hidden_size = H, .recurrent_dropout = 0.25});
///     });
///
/// They are recorded in elementary operations. Shapes: x [B, I], h and c [B, H]; a state that is left out is zeros.
/// Errors: ValueError at construction for a size of 0 and a dropout outside of 0 to 1; ShapeError where x or a state
/// does not fit.

#include <ebb/autograd/source_line.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/autograd/variable.hpp>
#include <ebb/layers/layer_norm.hpp>
#include <ebb/layers/module.hpp>
#include <ebb/layers/recurrent_cells.hpp>
#include <ebb/layers/sequence_steps.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace ebb {

struct RegularizedCellOptions {
    std::size_t input_size;
    std::size_t hidden_size;
    /// Each product is normalised over its units before the two are added (Ba, Kiros, Hinton 2016, eq. 20 to 25).
    bool layer_norm = false;
    /// How probable it is that an element of what is new in a step is dropped: of g_t in an LSTM, of n_t in a GRU. What
    /// is remembered is never dropped (Semeniuta, Severyn, Barth 2016). Drawn anew at each step.
    double recurrent_dropout = 0;
    std::string name = {};
};

struct RegularizedRNNCellOptions {
    std::size_t input_size;
    std::size_t hidden_size;
    /// The sum of both products is normalised over its units (Ba, Kiros, Hinton 2016, eq. 4).
    bool layer_norm = false;
    Nonlinearity nonlinearity = Nonlinearity::tanh;
    std::string name = {};
};

/// The parameters of all three.
template <class T>
class RegularizedCell : public Module<T> {
  public:
    Parameter<T> weight_ih;  ///< [G H, I], gate after gate
    Parameter<T> weight_hh;  ///< [G H, H]
    Parameter<T> bias_ih;    ///< [G H]
    Parameter<T> bias_hh;    ///< [G H]

    std::size_t hidden_size() const noexcept { return options_.hidden_size; }

  protected:
    RegularizedCell(std::string type, std::size_t gates, const RegularizedCellOptions& options);
    /// Throws unless x and the state fit.
    void check(const Variable<T>& x, const Variable<T>& h, const Variable<T>& c = {}) const;
    Variable<T> or_zeros(const Variable<T>& given, const Variable<T>& x) const;
    Variable<T> dropped(const Variable<T>& x) const;
    /// What the running step has recorded from node `first` on, for `inspect`.
    void label(NodeIndex first, const StateParts<T>& after) const;

    RegularizedCellOptions options_;
    StepOwner owner_ = new_step_owner();
};

/// h_t = f(N(W_ih x_t + W_hh h_{t-1}) + b_ih + b_hh), with f tanh or relu, and N layer normalisation (with a gain) or
/// nothing. All of h_t is new in every step: there is nothing that recurrent dropout could keep. ZoneoutCell and
/// VariationalDropoutCell go around it.
template <class T>
class RegularizedRNNCell : public RegularizedCell<T> {
  public:
    using Options = RegularizedRNNCellOptions;
    explicit RegularizedRNNCell(const Options& options);
    Variable<T> operator()(const Variable<T>& x, const Variable<T>& h = {}, SourceLine at = source_line()) const;

  private:
    Nonlinearity nonlinearity_;
    std::vector<LayerNorm<T>> norms_;  // of the sum
};

/// (i f g o) = N(W_ih x_t) + b_ih + N(W_hh h_{t-1}) + b_hh, with N layer normalisation (with a gain) or nothing,
///
///     c_t = sigmoid(f) . c_{t-1} + sigmoid(i) . d(tanh(g)),    h_t = sigmoid(o) . tanh(N(c_t))
///
/// with d the dropout. All 4 H units of a product are normalised together, as in eq. 20.
template <class T>
class RegularizedLSTMCell : public RegularizedCell<T> {
  public:
    using Options = RegularizedCellOptions;
    using State = LSTMState<T>;
    explicit RegularizedLSTMCell(const Options& options);
    State operator()(const Variable<T>& x, const State& state = {}, SourceLine at = source_line()) const;

  private:
    std::vector<LayerNorm<T>> norms_;  // of W_ih x, of W_hh h, of c
};

/// r, z = sigmoid of the first 2 H units of N(W_ih x_t) + b_ih + N(W_hh h_{t-1}) + b_hh, and of the others
///
///     n = tanh(N(W_in x_t) + b_in + r . (N(W_hn h_{t-1}) + b_hn)),    h_t = (1 - z) . d(n) + z . h_{t-1}
///
/// The units of r and z are normalised together, those of n by themselves, as in eq. 23 to 25.
template <class T>
class RegularizedGRUCell : public RegularizedCell<T> {
  public:
    using Options = RegularizedCellOptions;
    explicit RegularizedGRUCell(const Options& options);
    Variable<T> operator()(const Variable<T>& x, const Variable<T>& h = {}, SourceLine at = source_line()) const;

  private:
    std::vector<LayerNorm<T>> norms_;  // of r and z from x and from h, of n from x and from h
};

}  // namespace ebb
