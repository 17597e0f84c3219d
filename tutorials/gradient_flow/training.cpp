#include "gradient_flow/training.hpp"

#include <ebb/autograd/grad_mode.hpp>
#include <ebb/autograd/operations/losses.hpp>
#include <ebb/core/error.hpp>
#include <ebb/optim/adam.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <numbers>

#include <fmt/format.h>

namespace lab {
namespace {

constexpr std::uint64_t batch_stream = 100;  // of the seed; the model's streams lie below

void put_sequence(const Corpus& corpus, std::size_t start, std::size_t b, Sequences& into) {
    const std::size_t T = into.characters.shape(0), B = into.characters.shape(1);
    for (std::size_t t = 0; t < T; ++t) {
        into.characters.data()[t * B + b] = corpus.text[start + t];
        into.next.data()[t * B + b] = corpus.text[start + t + 1];
    }
}

Sequences empty_sequences(std::size_t T, std::size_t B) {
    return {ebb::Indices::from_shape({T, B}), ebb::Indices::from_shape({T, B})};
}

}  // namespace

Sequences take_sequences(const Corpus& corpus, const std::vector<std::size_t>& starts, std::size_t T) {
    Sequences result = empty_sequences(T, starts.size());
    for (std::size_t b = 0; b < starts.size(); ++b) {
        if (starts[b] + T >= corpus.text.size())
            ebb::fail<ebb::IndexError>(
                fmt::format("take_sequences: sequence {} is {} to {}, the text has {} characters: expected one more "
                            "character after it",
                            b, starts[b], starts[b] + T, corpus.text.size()));
        put_sequence(corpus, starts[b], b, result);
    }
    return result;
}

Sequences spread_sequences(const Corpus& corpus, bool held_out, std::size_t T, std::size_t most) {
    check_length(corpus, T);
    const std::size_t begin = held_out ? corpus.training_size : 0;
    // The last character of the part is only ever a target.
    const std::size_t size = (held_out ? corpus.held_out_size() : corpus.training_size) - 1;
    const std::size_t count = std::min(size / T, most);
    std::vector<std::size_t> starts;
    for (std::size_t k = 0; k < count; ++k) starts.push_back(begin + (count > 1 ? k * (size - T) / (count - 1) : 0));
    return take_sequences(corpus, starts, T);
}

template <class T>
double bits_per_character(const CharacterModel<T>& model, const Sequences& sequences) {
    const ebb::NoGrad off;
    ebb::Tape<T> tape;
    const auto loss = ebb::cross_entropy(model.every_logits(sequences.characters), sequences.next);
    return static_cast<double>(loss.item()) / std::numbers::ln2;
}

template <class T>
void train_model(const CharacterModel<T>& model, const Options& options, const Corpus& corpus,
                 const std::function<void(Step&)>& after_step) {
    check_length(corpus, options.length);
    ebb::Adam<T> adam(model.parameters(), {.learning_rate = options.learning_rate});
    ebb::Generator generator = ebb::Generator(options.seed).fork(batch_stream);
    // Filled anew for each step, so that a step takes no memory from the system.
    Sequences batch = empty_sequences(options.length, options.batch);
    ebb::TrainingOptions<T> training{
        .steps = static_cast<std::int64_t>(options.steps),
        .clip_norm = options.clip > 0 ? options.clip : std::numeric_limits<double>::infinity()};
    if (after_step)
        training.after_step = [&](ebb::TrainingStep<T>& now) {
            Step step{static_cast<std::size_t>(now.step) + 1, now.loss / std::numbers::ln2, now.gradient_norm};
            after_step(step);
            now.stop = step.stop;
        };
    ebb::train(adam, training, [&](ebb::Tape<T>&, std::int64_t) {
        for (std::size_t b = 0; b < options.batch; ++b)
            put_sequence(corpus, generator.integer(corpus.training_size - options.length), b, batch);
        return ebb::cross_entropy(model.every_logits(batch.characters), batch.next);
    });
}

template double bits_per_character(const CharacterModel<float>&, const Sequences&);
template double bits_per_character(const CharacterModel<double>&, const Sequences&);
template void train_model(const CharacterModel<float>&, const Options&, const Corpus&,
                          const std::function<void(Step&)>&);
template void train_model(const CharacterModel<double>&, const Options&, const Corpus&,
                          const std::function<void(Step&)>&);

}  // namespace lab
