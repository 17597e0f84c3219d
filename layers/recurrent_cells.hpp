#pragma once
/// One step of a recurrent network: for loops over time that a reader writes out. The layers in recurrent_layers.hpp
/// take a whole sequence.
///
///     Tape<double> tape;
///     auto h = tape.zeros({batch, 20});
///     for (const auto& x_t : x) h = cell(tape.constant(x_t), h);
///
/// Each step is one node of the tape, a probe called "h" (and "c"), after the name of the cell: "encoder.h". Time steps
/// are counted along the chain of states: a step that follows a step of the same cell has the next number.
///
/// Shapes: x [B, I], h and c [B, H]. A state that is left out is zeros.
/// Errors: ValueError at construction for a size of 0; ShapeError where x or a state does not fit, with the name of the
/// cell and the time step.

#include <ebb/layers/recurrent_base.hpp>

#include <string>

namespace ebb {

enum class Nonlinearity { tanh, relu };

struct RNNCellOptions {
    std::size_t input_size;
    std::size_t hidden_size;
    bool bias = true;
    Nonlinearity nonlinearity = Nonlinearity::tanh;
    Granularity granularity = Granularity::fused;
    std::string name = {};
};

/// h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh), or max(.., 0) (Elman 1990; torch.nn.RNNCell), or any function of
/// variables in the place of tanh:
///
///     RNNCell<double> cell({.input_size = 3, .hidden_size = 8}, [](const auto& a) { return softplus(a); });
template <class T>
class RNNCell : public RecurrentBase<T> {
  public:
    using Options = RNNCellOptions;
    /// `suffix` goes behind the names of the parameters, as in a layer: "_l0".
    explicit RNNCell(const Options& options, const Activation<T>& activation = {}, const std::string& suffix = {});
    Variable<T> operator()(const Variable<T>& x, const Variable<T>& h = {}, SourceLine at = source_line()) const;
};

struct LSTMCellOptions {
    std::size_t input_size;
    std::size_t hidden_size;
    bool bias = true;
    std::size_t proj_size = 0;  ///< P: h_t = W_hr (o . tanh(c_t)) [B, P] (Sak, Senior, Beaufays 2014); 0 for none
    bool peepholes = false;     ///< the gates see the cell state (Gers, Schmidhuber 2000): weight_ch [3, H], rows i f o
    Granularity granularity = Granularity::fused;
    std::string name = {};
};

/// What an LSTM carries from step to step.
template <class T>
struct LSTMState {
    Variable<T> h;  ///< hidden state, the output
    Variable<T> c;  ///< cell state
};

/// i, f, o = sigmoid(..), g = tanh(..), c_t = f . c_{t-1} + i . g, h_t = o . tanh(c_t)
/// (Hochreiter, Schmidhuber 1997; forget gate: Gers, Schmidhuber, Cummins 2000; torch.nn.LSTMCell).
/// Gates stand in the order i f g o in the weights. Intermediates: input_gate, forget_gate, cell_gate, output_gate.
/// With peepholes i and f get w_ci . c_{t-1} and w_cf . c_{t-1} more, o gets w_co . c_t.
template <class T>
class LSTMCell : public RecurrentBase<T> {
  public:
    using Options = LSTMCellOptions;
    using State = LSTMState<T>;
    explicit LSTMCell(const Options& options, const std::string& suffix = {});
    LSTMState<T> operator()(const Variable<T>& x, const LSTMState<T>& state = {}, SourceLine at = source_line()) const;
};

/// Where the reset gate of a GRU stands.
enum class ResetGate {
    after_product,   ///< n = tanh(W_in x_t + b_in + r . (W_hn h_{t-1} + b_hn)), PyTorch's
    before_product,  ///< n = tanh(W_in x_t + b_in + W_hn (r . h_{t-1}) + b_hn), as first published
};

struct GRUCellOptions {
    std::size_t input_size;
    std::size_t hidden_size;
    bool bias = true;
    ResetGate reset_gate = ResetGate::after_product;
    Granularity granularity = Granularity::fused;
    std::string name = {};
};

/// h_t = (1 - z) . n + z . h_{t-1}, n = tanh(W_in x_t + b_in + r . (W_hn h_{t-1} + b_hn))
/// (Cho et al. 2014, with the reset gate after the product; torch.nn.GRUCell).
/// Gates stand in the order r z n in the weights. Intermediates: reset_gate, update_gate, new_gate.
template <class T>
class GRUCell : public RecurrentBase<T> {
  public:
    using Options = GRUCellOptions;
    explicit GRUCell(const Options& options, const std::string& suffix = {});
    Variable<T> operator()(const Variable<T>& x, const Variable<T>& h = {}, SourceLine at = source_line()) const;
};

}  // namespace ebb
