#pragma once
/// RNN, LSTM and GRU over whole sequences: the same steps as in recurrent_cells.hpp, with the input projections of all
/// of them in one product. Every h_t is a node of its own, with its own gradient: nothing is hidden for speed.
///
///     LSTM<double> lstm({.input_size = 10, .hidden_size = 20, .num_layers = 2, .bidirectional = true});
///     auto [output, state] = lstm(x);  // x [T, B, 10] -> output [T, B, 40]; state.h and state.c [4, B, 20]
///     auto [output, state] = lstm(x, state0, {.lengths = lengths});  // a padded batch
///
/// Layouts, gate order and names of parameters are PyTorch's: weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, and
/// for the others _l0_reverse, _l1, ... Probes: "lstm.h", "lstm.c"; of several layers "lstm.l0.h", of the reverse
/// direction "lstm.reverse.h" or "lstm.l0.reverse.h", at the true time steps.
///
/// An initial state is [L D, B, H] with L layers in D directions, in PyTorch's order: layer by layer, forward before
/// reverse. Left out, it is zeros, or what the layer has learned. The final state of one part of a sequence is the
/// initial state of the next; its gradient flows back into the part before, unless it is detached (truncated BPTT).
///
/// Errors: those of `Recurrent` (recurrent.hpp).

#include <ebb/layers/recurrent.hpp>
#include <ebb/layers/recurrent_cells.hpp>

#include <string>

namespace ebb {

struct RNNOptions {
    std::size_t input_size;
    std::size_t hidden_size;
    std::size_t num_layers = 1;
    bool bias = true;
    bool bidirectional = false;
    bool batch_first = false;
    double dropout = 0;
    Nonlinearity nonlinearity = Nonlinearity::tanh;
    InitialState initial_state = InitialState::zeros;
    Granularity granularity = Granularity::fused;
    std::string name = "rnn";
};

template <class T>
using RNNOutput = RecurrentOutput<T, Variable<T>>;

/// RNNCell over sequences (torch.nn.RNN); as the cell, with any activation in the place of tanh.
template <class T>
class RNN : public Recurrent<RNNCell<T>> {
  public:
    using Options = RNNOptions;
    explicit RNN(const Options& options, const Activation<T>& activation = {});
    CellKind kind() const noexcept { return this->cell().kind(); }

    // The weights of the first layer, forward; `cell(layer, reverse)` has those of the others.
    Parameter<T> weight_ih, weight_hh, bias_ih, bias_hh;
};

struct LSTMOptions {
    std::size_t input_size;
    std::size_t hidden_size;
    std::size_t num_layers = 1;
    bool bias = true;
    bool bidirectional = false;
    bool batch_first = false;
    double dropout = 0;
    std::size_t proj_size = 0;  ///< P: h is [L D, B, P], output [T, B, D P]
    bool peepholes = false;
    InitialState initial_state = InitialState::zeros;
    Granularity granularity = Granularity::fused;
    std::string name = "lstm";
};

template <class T>
using LSTMOutput = RecurrentOutput<T, LSTMState<T>>;

/// LSTMCell over sequences (torch.nn.LSTM).
template <class T>
class LSTM : public Recurrent<LSTMCell<T>> {
  public:
    using Options = LSTMOptions;
    explicit LSTM(const Options& options);
    CellKind kind() const noexcept { return this->cell().kind(); }

    // The weights of the first layer, forward; `cell(layer, reverse)` has those of the others.
    Parameter<T> weight_ih, weight_hh, bias_ih, bias_hh;
};

struct GRUOptions {
    std::size_t input_size;
    std::size_t hidden_size;
    std::size_t num_layers = 1;
    bool bias = true;
    bool bidirectional = false;
    bool batch_first = false;
    double dropout = 0;
    ResetGate reset_gate = ResetGate::after_product;
    InitialState initial_state = InitialState::zeros;
    Granularity granularity = Granularity::fused;
    std::string name = "gru";
};

/// GRUCell over sequences (torch.nn.GRU).
template <class T>
class GRU : public Recurrent<GRUCell<T>> {
  public:
    using Options = GRUOptions;
    explicit GRU(const Options& options);
    CellKind kind() const noexcept { return this->cell().kind(); }

    // The weights of the first layer, forward; `cell(layer, reverse)` has those of the others.
    Parameter<T> weight_ih, weight_hh, bias_ih, bias_hh;
};

}  // namespace ebb
