#include <ebb/layers/recurrent_layers.hpp>

namespace ebb {

template <class T>
RNN<T>::RNN(const Options& options)
    : RecurrentBase<T>("RNN", options.name,
                       options.nonlinearity == Nonlinearity::tanh ? CellKind::rnn_tanh : CellKind::rnn_relu,
                       options.input_size, options.hidden_size, options.bias, options.granularity, "_l0") {}

template <class T>
RNNOutput<T> RNN<T>::operator()(const Variable<T>& x, const Variable<T>& state) const {
    const RecurrentResult<T> result = this->run_sequence(x, state, {});
    return {result.output, result.h};
}

template <class T>
LSTM<T>::LSTM(const Options& options)
    : RecurrentBase<T>("LSTM", options.name, CellKind::lstm, options.input_size, options.hidden_size, options.bias,
                       options.granularity, "_l0") {}

template <class T>
LSTMOutput<T> LSTM<T>::operator()(const Variable<T>& x, const LSTMState<T>& state) const {
    const RecurrentResult<T> result = this->run_sequence(x, state.h, state.c);
    return {result.output, {result.h, result.c}};
}

template <class T>
GRU<T>::GRU(const Options& options)
    : RecurrentBase<T>("GRU", options.name, CellKind::gru, options.input_size, options.hidden_size, options.bias,
                       options.granularity, "_l0") {}

template <class T>
RNNOutput<T> GRU<T>::operator()(const Variable<T>& x, const Variable<T>& state) const {
    const RecurrentResult<T> result = this->run_sequence(x, state, {});
    return {result.output, result.h};
}

template class RNN<float>;
template class RNN<double>;
template class LSTM<float>;
template class LSTM<double>;
template class GRU<float>;
template class GRU<double>;

}  // namespace ebb
