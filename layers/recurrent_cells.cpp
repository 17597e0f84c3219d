#include <ebb/layers/recurrent_cells.hpp>

namespace ebb {

namespace {

CellKind kind_of(Nonlinearity nonlinearity, bool own_activation) {
    if (own_activation) return CellKind::rnn_activation;
    return nonlinearity == Nonlinearity::tanh ? CellKind::rnn_tanh : CellKind::rnn_relu;
}

}  // namespace

template <class T>
RNNCell<T>::RNNCell(const Options& o, const Activation<T>& activation, const std::string& suffix)
    : RecurrentBase<T>("RNNCell", o.name, kind_of(o.nonlinearity, activation != nullptr),
                       {.input = o.input_size, .hidden = o.hidden_size},
                       {.bias = o.bias, .granularity = o.granularity, .activation = activation}, suffix) {}

template <class T>
Variable<T> RNNCell<T>::operator()(const Variable<T>& x, const Variable<T>& h, SourceLine at) const {
    const CalledFrom call(at);
    return this->run_step(x, h, {}).h;
}

template <class T>
LSTMCell<T>::LSTMCell(const Options& o, const std::string& suffix)
    : RecurrentBase<T>("LSTMCell", o.name, CellKind::lstm,
                       {.input = o.input_size, .hidden = o.hidden_size, .projected = o.proj_size},
                       {.bias = o.bias, .peepholes = o.peepholes, .granularity = o.granularity}, suffix) {}

template <class T>
LSTMState<T> LSTMCell<T>::operator()(const Variable<T>& x, const LSTMState<T>& state, SourceLine at) const {
    const CalledFrom call(at);
    const RecurrentResult<T> result = this->run_step(x, state.h, state.c);
    return {result.h, result.c};
}

template <class T>
GRUCell<T>::GRUCell(const Options& o, const std::string& suffix)
    : RecurrentBase<T>(
          "GRUCell", o.name, o.reset_gate == ResetGate::after_product ? CellKind::gru : CellKind::gru_reset_before,
          {.input = o.input_size, .hidden = o.hidden_size}, {.bias = o.bias, .granularity = o.granularity}, suffix) {}

template <class T>
Variable<T> GRUCell<T>::operator()(const Variable<T>& x, const Variable<T>& h, SourceLine at) const {
    const CalledFrom call(at);
    return this->run_step(x, h, {}).h;
}

template class RNNCell<float>;
template class RNNCell<double>;
template class LSTMCell<float>;
template class LSTMCell<double>;
template class GRUCell<float>;
template class GRUCell<double>;

}  // namespace ebb
