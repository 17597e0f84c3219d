#include <ebb/layers/recurrent_layers.hpp>

namespace ebb {
namespace {

template <class Options>
RecurrentLayerOptions layer_options(const Options& o) {
    return {.input_size = o.input_size,
            .hidden_size = o.hidden_size,
            .num_layers = o.num_layers,
            .bidirectional = o.bidirectional,
            .batch_first = o.batch_first,
            .dropout = o.dropout,
            .initial_state = o.initial_state,
            .name = o.name};
}

template <class Layer>
void take_weights(Layer& layer) {
    const auto& cell = layer.cell();
    layer.weight_ih = cell.weight_ih;
    layer.weight_hh = cell.weight_hh;
    layer.bias_ih = cell.bias_ih;
    layer.bias_hh = cell.bias_hh;
}

}  // namespace

template <class T>
RNN<T>::RNN(const Options& o, const Activation<T>& activation)
    : Recurrent<RNNCell<T>>(typename Recurrent<RNNCell<T>>::InARow{}, "RNN", layer_options(o),
                            [&](std::size_t input_size, const std::string& suffix) {
                                return RNNCell<T>({.input_size = input_size,
                                                   .hidden_size = o.hidden_size,
                                                   .bias = o.bias,
                                                   .nonlinearity = o.nonlinearity,
                                                   .granularity = o.granularity,
                                                   .name = o.name},
                                                  activation, suffix);
                            }) {
    take_weights(*this);
}

template <class T>
LSTM<T>::LSTM(const Options& o)
    : Recurrent<LSTMCell<T>>(typename Recurrent<LSTMCell<T>>::InARow{}, "LSTM", layer_options(o),
                             [&](std::size_t input_size, const std::string& suffix) {
                                 return LSTMCell<T>({.input_size = input_size,
                                                     .hidden_size = o.hidden_size,
                                                     .bias = o.bias,
                                                     .proj_size = o.proj_size,
                                                     .peepholes = o.peepholes,
                                                     .granularity = o.granularity,
                                                     .name = o.name},
                                                    suffix);
                             }) {
    take_weights(*this);
}

template <class T>
GRU<T>::GRU(const Options& o)
    : Recurrent<GRUCell<T>>(typename Recurrent<GRUCell<T>>::InARow{}, "GRU", layer_options(o),
                            [&](std::size_t input_size, const std::string& suffix) {
                                return GRUCell<T>({.input_size = input_size,
                                                   .hidden_size = o.hidden_size,
                                                   .bias = o.bias,
                                                   .reset_gate = o.reset_gate,
                                                   .granularity = o.granularity,
                                                   .name = o.name},
                                                  suffix);
                            }) {
    take_weights(*this);
}

template class RNN<float>;
template class RNN<double>;
template class LSTM<float>;
template class LSTM<double>;
template class GRU<float>;
template class GRU<double>;

}  // namespace ebb
