/// Models for exchange.py, which carries them to PyTorch and back:
///
///     exchange_models write FOLDER    models, an input of each and what it gives
///     exchange_models check FOLDER    the weights that PyTorch has put into the same files, and what they give there

#include <ebb/ebb.hpp>

#include <cmath>
#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace {

using namespace ebb;
using Outputs = std::map<std::string, AnyArray>;

struct Model {
    std::string name;
    std::string torch;  // an expression of torch.nn
    std::function<void(const std::string& path, const std::map<std::string, std::string>& metadata)> save;
    std::function<void(const std::string& path)> load;
    std::function<Outputs()> run;  // the input too
};

template <class M>
Model model(const std::string& name, const std::string& torch, M module, std::function<Outputs(const M&)> run) {
    return {name, torch, [module](const auto& path, const auto& metadata) { save_safetensors(path, module, metadata); },
            [module](const auto& path) mutable { load_safetensors(path, module); },
            [module, run] { return run(module); }};
}

template <class T>
Array<T> input(const Shape& shape) {
    Generator generator(5);
    Array<T> x = Array<T>::from_shape(std::vector<std::size_t>(shape.begin(), shape.end()));
    fill_uniform(x.data(), x.size(), -1, 1, generator);
    return x;
}

/// y = module(x)
template <class M, class T = typename M::value_type>
std::function<Outputs(const M&)> plain(const Shape& shape) {
    return [shape](const M& module) -> Outputs {
        Tape<T> tape;
        const Array<T> x = input<T>(shape);
        return {{"x", x}, {"y", Array<T>(module(tape.constant(x)).value())}};
    };
}

/// output, h and c of a recurrent layer
template <class M>
std::function<Outputs(const M&)> recurrent(const Shape& shape) {
    return [shape](const M& layer) {
        Tape<double> tape;
        const Array<double> x = input<double>(shape);
        const auto result = layer(tape.constant(x));
        Outputs outputs{{"x", x}, {"y", Array<double>(result.output.value())}};
        if constexpr (std::is_same_v<M, LSTM<double>>) {
            outputs.emplace("h", Array<double>(result.state.h.value()));
            outputs.emplace("c", Array<double>(result.state.c.value()));
        } else {
            outputs.emplace("h", Array<double>(result.state.value()));
        }
        return outputs;
    };
}

struct Tagger : Module<double> {
    Embedding<double> embedding =
        register_module("embedding", Embedding<double>({.num_embeddings = 7, .embedding_dim = 3}));
    LSTM<double> encoder =
        register_module("encoder", LSTM<double>({.input_size = 3, .hidden_size = 4, .bidirectional = true}));
    Linear<double> decoder = register_module("decoder", Linear<double>({.in_features = 8, .out_features = 2}));
    Tagger() : Module("Tagger") {}
};

Indices some_indices(std::size_t count, std::size_t rows) {
    Indices indices = Indices::from_shape({count, 2});
    for (std::size_t k = 0; k < 2 * count; ++k) indices.data()[k] = static_cast<std::int64_t>(k * k % rows);
    return indices;
}

std::vector<Model> models() {
    std::vector<Model> all;
    const auto add = [&](Model m) { all.push_back(std::move(m)); };
    using Sequence = Sequential<double>;
    add(model("linear", "Linear(3, 5)", Linear<double>({.in_features = 3, .out_features = 5}),
              plain<Linear<double>>({4, 3})));
    add(model("linear_no_bias", "Linear(3, 5, bias=False)",
              Linear<double>({.in_features = 3, .out_features = 5, .bias = false}), plain<Linear<double>>({4, 3})));
    add(model("linear_float", "Linear(3, 5)", Linear<float>({.in_features = 3, .out_features = 5}),
              plain<Linear<float>>({4, 3})));
    add(model("layer_norm", "LayerNorm(6)", LayerNorm<double>({.normalized_shape = {6}}),
              plain<LayerNorm<double>>({4, 6})));
    add(model("sequential", "Sequential(Linear(3, 4), Tanh(), Linear(4, 2))",
              Sequence(
                  Linear<double>({.in_features = 3, .out_features = 4}), [](const auto& x) { return tanh(x); },
                  Linear<double>({.in_features = 4, .out_features = 2})),
              plain<Sequence>({5, 3})));
    add(model<Embedding<double>>("embedding", "Embedding(7, 3)",
                                 Embedding<double>({.num_embeddings = 7, .embedding_dim = 3}),
                                 [](const Embedding<double>& embedding) -> Outputs {
                                     Tape<double> tape;
                                     const Indices x = some_indices(4, 7);
                                     return {{"x", x}, {"y", Array<double>(embedding(x).value())}};
                                 }));
    add(model("rnn_cell", "RNNCell(3, 4)", RNNCell<double>({.input_size = 3, .hidden_size = 4}),
              plain<RNNCell<double>>({2, 3})));
    add(model("gru_cell", "GRUCell(3, 4)", GRUCell<double>({.input_size = 3, .hidden_size = 4}),
              plain<GRUCell<double>>({2, 3})));
    add(model<LSTMCell<double>>("lstm_cell", "LSTMCell(3, 4)", LSTMCell<double>({.input_size = 3, .hidden_size = 4}),
                                [](const LSTMCell<double>& cell) -> Outputs {
                                    Tape<double> tape;
                                    const Array<double> x = input<double>({2, 3});
                                    const auto [h, c] = cell(tape.constant(x));
                                    return {{"x", x}, {"y", Array<double>(h.value())}, {"h", Array<double>(c.value())}};
                                }));
    add(model("rnn", "RNN(3, 4)", RNN<double>({.input_size = 3, .hidden_size = 4}), recurrent<RNN<double>>({5, 2, 3})));
    add(model("rnn_relu", "RNN(3, 4, nonlinearity='relu', bias=False)",
              RNN<double>({.input_size = 3, .hidden_size = 4, .bias = false, .nonlinearity = Nonlinearity::relu}),
              recurrent<RNN<double>>({5, 2, 3})));
    add(model("lstm", "LSTM(3, 4, num_layers=2, bidirectional=True)",
              LSTM<double>({.input_size = 3, .hidden_size = 4, .num_layers = 2, .bidirectional = true}),
              recurrent<LSTM<double>>({5, 2, 3})));
    add(model("lstm_projected", "LSTM(3, 4, num_layers=2, batch_first=True, proj_size=2)",
              LSTM<double>({.input_size = 3, .hidden_size = 4, .num_layers = 2, .batch_first = true, .proj_size = 2}),
              recurrent<LSTM<double>>({2, 5, 3})));
    add(model("gru", "GRU(3, 4, num_layers=3)", GRU<double>({.input_size = 3, .hidden_size = 4, .num_layers = 3}),
              recurrent<GRU<double>>({5, 2, 3})));
    add(model<Tagger>("model",
                      "ModuleDict({'embedding': Embedding(7, 3), 'encoder': LSTM(3, 4, bidirectional=True), "
                      "'decoder': Linear(8, 2)})",
                      Tagger(), [](const Tagger& tagger) -> Outputs {
                          Tape<double> tape;
                          const Indices x = some_indices(4, 7);
                          const auto y = tagger.decoder(tagger.encoder(tagger.embedding(x)).output);
                          return {{"x", x}, {"y", Array<double>(y.value())}};
                      }));
    return all;
}

/// The largest difference; infinity for arrays of other shapes or types.
double difference(const AnyArray& a, const AnyArray& b) {
    return std::visit(
        [](const auto& x, const auto& y) {
            if constexpr (!std::is_same_v<decltype(x), decltype(y)>) {
                return HUGE_VAL;
            } else {
                if (x.shape() != y.shape()) return HUGE_VAL;
                double largest = 0;
                for (std::size_t k = 0; k < x.size(); ++k) {
                    const double d = std::abs(static_cast<double>(x.data()[k]) - static_cast<double>(y.data()[k]));
                    if (!(d <= largest)) largest = d;
                }
                return largest;
            }
        },
        a, b);
}

int write(const std::string& folder) {
    for (const Model& m : models()) {
        m.save(fmt::format("{}/{}.safetensors", folder, m.name), {{"torch", m.torch}});
        save_safetensors(fmt::format("{}/{}.example", folder, m.name), m.run());
    }
    return 0;
}

int check(const std::string& folder) {
    int failed = 0;
    for (const Model& m : models()) {
        m.load(fmt::format("{}/{}.safetensors", folder, m.name));
        const ArrayFile expected = load_safetensors(fmt::format("{}/{}.example", folder, m.name));
        for (const auto& [name, value] : m.run()) {
            const double d = expected.contains(name) ? difference(value, expected.arrays.at(name)) : HUGE_VAL;
            const double tolerance = std::holds_alternative<Array<float>>(value) ? 1e-6 : 1e-12;
            if (d <= tolerance) continue;
            fmt::print("{}: {} of PyTorch's weights differs by {}\n", m.name, name, d);
            ++failed;
        }
    }
    return failed == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string what = argc == 3 ? argv[1] : "";
    if (what != "write" && what != "check") {
        fmt::print(stderr, "usage: exchange_models write FOLDER | exchange_models check FOLDER\n");
        return 2;
    }
    try {
        manual_seed(7);
        return what == "write" ? write(argv[2]) : check(argv[2]);
    } catch (const Error& error) {
        fmt::print(stderr, "{}\n", error.what());
        return 1;
    }
}
