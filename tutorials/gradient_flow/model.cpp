#include "gradient_flow/model.hpp"

#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>
#include <ebb/layers/init.hpp>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace lab {
namespace {

using ebb::Array;
using ebb::Generator;
using ebb::Parameter;
using ebb::Shape;
using ebb::Variable;

// Which numbers of the seed are drawn for what: the parts of a model do not shift each other's.
enum Stream : std::uint64_t { embedding_stream, recurrent_stream, readout_stream, recurrent_matrix_stream };

/// What `make` returns, drawn from `generator` instead of the thread's own.
template <class Make>
auto drawn_from(const Generator& generator, Make make) {
    struct Restore {
        Generator before = ebb::default_generator();
        ~Restore() { ebb::default_generator() = before; }
    } restore;
    ebb::default_generator() = generator;
    return make();
}

template <class T>
std::variant<ebb::RNN<T>, ebb::LSTM<T>, ebb::GRU<T>> make_cell(Cell cell, std::size_t input_size,
                                                               std::size_t hidden_size) {
    switch (cell) {
        case Cell::tanh:
            return ebb::RNN<T>({.input_size = input_size, .hidden_size = hidden_size, .name = name_of(cell)});
        case Cell::lstm:
            return ebb::LSTM<T>({.input_size = input_size, .hidden_size = hidden_size, .name = name_of(cell)});
        default:
            return ebb::GRU<T>({.input_size = input_size, .hidden_size = hidden_size, .name = name_of(cell)});
    }
}

void scale(const ebb::init::Weight& weight, double factor) {
    Array<double> values = weight.values();
    for (double& element : values) element *= factor;
    weight.set("scale", values);
}

}  // namespace

template <class T>
SequenceModel<T>::SequenceModel(Cell cell, const Options& options, const Ports& ports)
    : ebb::Module<T>("SequenceModel"),
      cell_(cell),
      ports_(ports),
      recurrent_(drawn_from(
          Generator(options.seed).fork(recurrent_stream),
          [&] { return make_cell<T>(cell, ports.symbols > 0 ? options.embedding : ports.numbers, options.hidden); })),
      readout_(drawn_from(Generator(options.seed).fork(readout_stream), [&] {
          return ebb::Linear<T>({.in_features = options.hidden, .out_features = ports.outputs});
      })) {
    if (ports.symbols > 0)
        embedding_ = this->register_module(
            "embedding", drawn_from(Generator(options.seed).fork(embedding_stream), [&] {
                return ebb::Embedding<T>({.num_embeddings = ports.symbols, .embedding_dim = options.embedding});
            }));
    std::visit([&](auto& recurrent) { recurrent = this->register_module(name_of(cell), recurrent); }, recurrent_);
    readout_ = this->register_module("readout", readout_);
    Generator generator = Generator(options.seed).fork(recurrent_matrix_stream);
    start_recurrent_weights(options, generator);
}

template <class T>
void SequenceModel<T>::start_recurrent_weights(const Options& options, Generator& generator) {
    const ebb::RecurrentBase<T>& cell = weights();
    ebb::init::per_gate(cell.weight_hh, ebb::gate_count(cell.kind()), [&](const ebb::init::Weight& w) {  // [H, H]
        switch (options.init) {
            case Init::uniform:
                break;  // as the cell itself has drawn it
            case Init::normal:
                ebb::init::normal(w, 0, 1 / std::sqrt(static_cast<double>(options.hidden)), generator);
                break;
            case Init::orthogonal:
                ebb::init::orthogonal(w, 1, generator);
                break;
            case Init::identity:
                ebb::init::identity(w);
                break;
        }
        if (options.gain) scale(w, *options.gain);
        if (options.spectral_radius) ebb::init::set_spectral_radius(w, *options.spectral_radius);
    });
    if (options.input_scale != 1)
        for (const Parameter<T>& parameter : {cell.weight_ih, cell.bias_ih, cell.bias_hh})
            scale(parameter, options.input_scale);
    if (options.forget_bias && cell_ != Cell::tanh) ebb::init::forget_gate_bias(cell, *options.forget_bias);
}

template <class T>
const ebb::RecurrentBase<T>& SequenceModel<T>::weights() const {
    return std::visit([](const auto& recurrent) -> const ebb::RecurrentBase<T>& { return recurrent.cell(); },
                      recurrent_);
}

template <class T>
Variable<T> SequenceModel<T>::input(const Batch& batch) const {
    if (embedding_) return (*embedding_)(batch.symbols);  // [T, B] -> [T, B, I]
    ebb::Tape<T>& tape = ebb::Tape<T>::active();
    if constexpr (std::is_same_v<T, double>)
        return tape.constant(batch.numbers);
    else
        return tape.constant(Array<T>(xt::cast<T>(batch.numbers)));
}

template <class T>
typename SequenceModel<T>::Hidden SequenceModel<T>::run(const Batch& batch) const {
    const Variable<T> x = input(batch);
    return std::visit(
        [&](const auto& recurrent) -> Hidden {
            const auto result = recurrent(x);
            if constexpr (requires { result.state.h; })
                return {result.output, result.state.h};
            else
                return {result.output, result.state};
        },
        recurrent_);
}

template <class T>
Variable<T> SequenceModel<T>::outputs(const Batch& batch) const {
    const std::size_t K = ports_.classes ? batch.classes.shape(0) : batch.values.shape(0);
    const Variable<T> every = run(batch).every;  // [T, B, H]
    const std::size_t steps = every.shape()[0];
    if (K == steps) return readout_(every);
    return readout_(ebb::slice(every, 0, static_cast<std::ptrdiff_t>(steps - K), static_cast<std::ptrdiff_t>(steps)));
}

template <class T>
Variable<T> SequenceModel<T>::last_outputs(const Batch& batch) const {
    const Variable<T> last = run(batch).last;
    return readout_(ebb::reshape(last, {last.shape()[1], last.shape()[2]}));
}

template <class T>
template <class U>
void SequenceModel<T>::copy_weights(const SequenceModel<U>& other) {
    const auto mine = this->named_parameters();
    const auto theirs = other.named_parameters();
    for (std::size_t k = 0; k < mine.size(); ++k) {
        const Array<U>& from = theirs[k].second.value();
        for (const U element : from)
            if (!std::isfinite(element))
                ebb::fail<ebb::ValueError>(fmt::format("copy_weights: {} of the {} model holds {}: expected numbers",
                                                       theirs[k].first, title_of(other.cell()), element));
        Parameter<T> parameter = mine[k].second;
        std::copy(from.begin(), from.end(), parameter.mutable_value().begin());
    }
}

template class SequenceModel<float>;
template class SequenceModel<double>;
template void SequenceModel<double>::copy_weights(const SequenceModel<float>&);
template void SequenceModel<double>::copy_weights(const SequenceModel<double>&);

}  // namespace lab
