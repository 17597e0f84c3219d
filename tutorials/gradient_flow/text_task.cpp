#include "gradient_flow/text_task.hpp"

#include <ebb/core/error.hpp>

#include <algorithm>
#include <numbers>

#include <fmt/format.h>

namespace lab {
namespace {

void put_sequence(const Corpus& corpus, std::size_t start, std::size_t b, Batch& into) {
    const std::size_t T = into.symbols.shape(0), B = into.symbols.shape(1);
    for (std::size_t t = 0; t < T; ++t) {
        into.symbols.data()[t * B + b] = corpus.text[start + t];
        into.classes.data()[t * B + b] = corpus.text[start + t + 1];
    }
}

}  // namespace

Batch take_sequences(const Corpus& corpus, const std::vector<std::size_t>& starts, std::size_t T) {
    Batch result = empty_batch(symbol_ports(corpus.alphabet.size()), T, T, starts.size());
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

Batch spread_sequences(const Corpus& corpus, bool held_out, std::size_t T, std::size_t most) {
    check_length(corpus, T);
    const std::size_t begin = held_out ? corpus.training_size : 0;
    // The last character of the part is only ever a target.
    const std::size_t size = (held_out ? corpus.held_out_size() : corpus.training_size) - 1;
    const std::size_t count = std::min(size / T, most);
    std::vector<std::size_t> starts;
    for (std::size_t k = 0; k < count; ++k) starts.push_back(begin + (count > 1 ? k * (size - T) / (count - 1) : 0));
    return take_sequences(corpus, starts, T);
}

TextTask::TextTask(const Corpus& corpus, std::size_t T) : corpus_(&corpus), T_(T) {
    check_length(corpus, T);
}

Baseline TextTask::baseline() const {
    return {frequency_bits(*corpus_) * std::numbers::ln2, "knowing how often each character occurs"};
}

std::string TextTask::definition() const {
    return fmt::format(
        "The next character of a text, at each of {} steps: {} characters, {} different ones, of which the last tenth "
        "is not trained on.",
        T_, corpus_->text.size(), corpus_->alphabet.size());
}

void TextTask::draw(ebb::Generator& generator, Batch& batch) const {
    for (std::size_t b = 0; b < batch.symbols.shape(1); ++b)
        put_sequence(*corpus_, generator.integer(corpus_->training_size - T_), b, batch);
}

}  // namespace lab
