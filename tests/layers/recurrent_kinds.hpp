#pragma once
/// The four recurrent cells and their layers behind one signature, so that a test is written once for all.

#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/layers/recurrent_cells.hpp>
#include <ebb/layers/recurrent_layers.hpp>

#include <array>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

/// The names are those of the golden cases.
inline constexpr std::array recurrent_kinds{"rnn_tanh", "rnn_relu", "lstm", "gru"};

/// h; or h and c; or nothing, for a layer's zero state.
template <class T>
using States = std::vector<ebb::Variable<T>>;

struct RecurrentOptions {
    std::string kind;
    std::size_t input_size = 0;
    std::size_t hidden_size = 0;
    bool bias = true;
    ebb::Granularity granularity = ebb::Granularity::fused;
    std::string name = {};
    // Of layers.
    std::size_t num_layers = 1;
    bool bidirectional = false;
    bool batch_first = false;
    double dropout = 0;
    std::size_t proj_size = 0;
    bool peepholes = false;
    ebb::ResetGate reset_gate = ebb::ResetGate::after_product;
    ebb::InitialState initial_state = ebb::InitialState::zeros;

    bool has_cell_state() const { return kind == "lstm"; }
    ebb::Nonlinearity nonlinearity() const {
        return kind == "rnn_relu" ? ebb::Nonlinearity::relu : ebb::Nonlinearity::tanh;
    }
};

template <class T>
struct AnyCell {
    std::function<States<T>(const ebb::Variable<T>& x, const States<T>& before)> step;
    std::vector<std::pair<std::string, ebb::Parameter<T>>> parameters;

    explicit AnyCell(const RecurrentOptions& o) {
        if (o.kind == "lstm") {
            const ebb::LSTMCell<T> cell({.input_size = o.input_size,
                                         .hidden_size = o.hidden_size,
                                         .bias = o.bias,
                                         .granularity = o.granularity,
                                         .name = o.name});
            parameters = cell.named_parameters();
            step = [cell](const ebb::Variable<T>& x, const States<T>& before) -> States<T> {
                const auto [h, c] = cell(x, {before.at(0), before.at(1)});
                return {h, c};
            };
        } else if (o.kind == "gru") {
            const ebb::GRUCell<T> cell({.input_size = o.input_size,
                                        .hidden_size = o.hidden_size,
                                        .bias = o.bias,
                                        .granularity = o.granularity,
                                        .name = o.name});
            parameters = cell.named_parameters();
            step = [cell](const ebb::Variable<T>& x, const States<T>& before) -> States<T> {
                return {cell(x, before.at(0))};
            };
        } else {
            const ebb::RNNCell<T> cell({.input_size = o.input_size,
                                        .hidden_size = o.hidden_size,
                                        .bias = o.bias,
                                        .nonlinearity = o.nonlinearity(),
                                        .granularity = o.granularity,
                                        .name = o.name});
            parameters = cell.named_parameters();
            step = [cell](const ebb::Variable<T>& x, const States<T>& before) -> States<T> {
                return {cell(x, before.at(0))};
            };
        }
    }
};

template <class T>
class AnyLayer {
  public:
    std::vector<std::pair<std::string, ebb::Parameter<T>>> parameters;

    explicit AnyLayer(const RecurrentOptions& o) {
        if (o.kind == "lstm") {
            auto options = layer_options<ebb::LSTMOptions>(o);
            options.proj_size = o.proj_size;
            options.peepholes = o.peepholes;
            take(ebb::LSTM<T>(options), [](const auto& layer, const auto& x, const States<T>& before, const auto& how) {
                const auto [output, state] =
                    layer(x, before.empty() ? ebb::LSTMState<T>() : ebb::LSTMState<T>{before.at(0), before.at(1)}, how);
                return std::pair{output, States<T>{state.h, state.c}};
            });
            return;
        }
        const auto run = [](const auto& layer, const auto& x, const States<T>& before, const auto& how) {
            const auto [output, state] = layer(x, before.empty() ? ebb::Variable<T>() : before.at(0), how);
            return std::pair{output, States<T>{state}};
        };
        if (o.kind == "gru") {
            auto options = layer_options<ebb::GRUOptions>(o);
            options.reset_gate = o.reset_gate;
            take(ebb::GRU<T>(options), run);
        } else {
            auto options = layer_options<ebb::RNNOptions>(o);
            options.nonlinearity = o.nonlinearity();
            take(ebb::RNN<T>(options), run);
        }
    }

    /// output [T, B, D H], and the final states [L D, B, H]
    std::pair<ebb::Variable<T>, States<T>> run(const ebb::Variable<T>& x, const States<T>& before,
                                               const ebb::SequenceOptions& how = {}) const {
        return run_(x, before, how);
    }
    /// Training mode or evaluation mode.
    void train(bool on) const { train_(on); }

  private:
    template <class Options>
    static Options layer_options(const RecurrentOptions& o) {
        return {.input_size = o.input_size,
                .hidden_size = o.hidden_size,
                .num_layers = o.num_layers,
                .bias = o.bias,
                .bidirectional = o.bidirectional,
                .batch_first = o.batch_first,
                .dropout = o.dropout,
                .initial_state = o.initial_state,
                .granularity = o.granularity,
                .name = o.name};
    }
    template <class Layer, class Run>
    void take(Layer layer, Run run) {
        parameters = layer.named_parameters();
        run_ = [layer, run](const ebb::Variable<T>& x, const States<T>& before, const ebb::SequenceOptions& how) {
            return run(layer, x, before, how);
        };
        train_ = [layer](bool on) mutable { layer.train(on); };
    }

    std::function<std::pair<ebb::Variable<T>, States<T>>(const ebb::Variable<T>&, const States<T>&,
                                                         const ebb::SequenceOptions&)>
        run_;
    std::function<void(bool)> train_;
};

/// Uniform numbers in [-scale, scale): the same for float and double up to rounding.
template <class T = double>
ebb::Array<T> random_array(const ebb::Shape& shape, unsigned seed, double scale = 1) {
    std::mt19937 engine(seed);
    auto result = ebb::Array<T>::from_shape(std::vector<std::size_t>(shape.begin(), shape.end()));
    for (T& v : result) v = static_cast<T>(scale * (static_cast<double>(engine()) / 2147483648.0 - 1));
    return result;
}

/// New values in [-scale, scale) for all parameters.
template <class T>
void randomize(const std::vector<std::pair<std::string, ebb::Parameter<T>>>& parameters, double scale = 0.8) {
    unsigned seed = 314;  // with it no relu is off for all of a test's inputs
    for (const auto& [name, parameter] : parameters) {
        ebb::Parameter<T> p = parameter;
        p.set_value(random_array<T>(p.shape(), ++seed, scale));
    }
}

/// <c, y>
template <class T>
ebb::Variable<T> projected(const ebb::Variable<T>& y, const ebb::Array<T>& c) {
    return ebb::sum(y * y.tape().constant(c));
}
