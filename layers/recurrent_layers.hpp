#pragma once
/// A recurrent cell over a whole sequence: the same steps as in recurrent_cells.hpp, with the input projections of all
/// of them in one product. Every h_t is a node of its own, with its own gradient: nothing is hidden for speed.
///
///     LSTM<double> lstm({.input_size = 10, .hidden_size = 20});
///     auto [output, state] = lstm(x);        // x [T, B, I] -> output [T, B, H], state.h and state.c [1, B, H]
///
/// Parameters have PyTorch's names: weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0. Probes: "lstm.h", "lstm.c".
/// An initial state is [1, B, H], as PyTorch's; left out, it is zeros.
/// Errors: ValueError at construction for a size of 0; ShapeError for T = 0, or where x or a state does not fit.

#include <ebb/layers/recurrent_base.hpp>
#include <ebb/layers/recurrent_cells.hpp>

#include <string>

namespace ebb {

struct RNNOptions {
    std::size_t input_size;
    std::size_t hidden_size;
    bool bias = true;
    Nonlinearity nonlinearity = Nonlinearity::tanh;
    Granularity granularity = Granularity::fused;
    std::string name = "rnn";
};

template <class T>
struct RNNOutput {
    Variable<T> output;  ///< [T, B, H]: h_0, ..., h_{T-1}
    Variable<T> state;   ///< [1, B, H]: h_{T-1}
};

/// RNNCell over a sequence (torch.nn.RNN).
template <class T>
class RNN : public RecurrentBase<T> {
  public:
    using Options = RNNOptions;
    explicit RNN(const Options& options);
    RNNOutput<T> operator()(const Variable<T>& x, const Variable<T>& state = {}) const;
};

struct LSTMOptions {
    std::size_t input_size;
    std::size_t hidden_size;
    bool bias = true;
    Granularity granularity = Granularity::fused;
    std::string name = "lstm";
};

template <class T>
struct LSTMOutput {
    Variable<T> output;  ///< [T, B, H]: h_0, ..., h_{T-1}
    LSTMState<T> state;  ///< [1, B, H] each: h_{T-1} and c_{T-1}
};

/// LSTMCell over a sequence (torch.nn.LSTM).
template <class T>
class LSTM : public RecurrentBase<T> {
  public:
    using Options = LSTMOptions;
    explicit LSTM(const Options& options);
    LSTMOutput<T> operator()(const Variable<T>& x, const LSTMState<T>& state = {}) const;
};

struct GRUOptions {
    std::size_t input_size;
    std::size_t hidden_size;
    bool bias = true;
    Granularity granularity = Granularity::fused;
    std::string name = "gru";
};

/// GRUCell over a sequence (torch.nn.GRU).
template <class T>
class GRU : public RecurrentBase<T> {
  public:
    using Options = GRUOptions;
    explicit GRU(const Options& options);
    RNNOutput<T> operator()(const Variable<T>& x, const Variable<T>& state = {}) const;
};

extern template class RNN<float>;
extern template class RNN<double>;
extern template class LSTM<float>;
extern template class LSTM<double>;
extern template class GRU<float>;
extern template class GRU<double>;

}  // namespace ebb
