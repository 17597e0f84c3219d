#include <ebb/layers/recurrent_cells.hpp>

namespace ebb {

template <class T>
RNNCell<T>::RNNCell(const Options& options)
    : RecurrentBase<T>("RNNCell", options.name,
                       options.nonlinearity == Nonlinearity::tanh ? CellKind::rnn_tanh : CellKind::rnn_relu,
                       options.input_size, options.hidden_size, options.bias, options.granularity, "") {}

template <class T>
Variable<T> RNNCell<T>::operator()(const Variable<T>& x, const Variable<T>& h) const {
    return this->run_step(x, h, {}).h;
}

template <class T>
LSTMCell<T>::LSTMCell(const Options& options)
    : RecurrentBase<T>("LSTMCell", options.name, CellKind::lstm, options.input_size, options.hidden_size, options.bias,
                       options.granularity, "") {}

template <class T>
LSTMState<T> LSTMCell<T>::operator()(const Variable<T>& x, const LSTMState<T>& state) const {
    const RecurrentResult<T> result = this->run_step(x, state.h, state.c);
    return {result.h, result.c};
}

template <class T>
GRUCell<T>::GRUCell(const Options& options)
    : RecurrentBase<T>("GRUCell", options.name, CellKind::gru, options.input_size, options.hidden_size, options.bias,
                       options.granularity, "") {}

template <class T>
Variable<T> GRUCell<T>::operator()(const Variable<T>& x, const Variable<T>& h) const {
    return this->run_step(x, h, {}).h;
}

template class RNNCell<float>;
template class RNNCell<double>;
template class LSTMCell<float>;
template class LSTMCell<double>;
template class GRUCell<float>;
template class GRUCell<double>;

}  // namespace ebb
