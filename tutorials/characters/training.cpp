#include "characters/training.hpp"

#include <ebb/autograd/grad_mode.hpp>
#include <ebb/autograd/operations/losses.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/random.hpp>
#include <ebb/layers/kept_state.hpp>
#include <ebb/layers/likelihood.hpp>
#include <ebb/optim/adam.hpp>
#include <ebb/optim/training.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

namespace characters {
namespace {

constexpr std::uint64_t batch_stream = 100;  // of the seed

using CarriedState = ebb::KeptState<float, ebb::LSTMState<float>>;

/// Pieces of T characters, and what follows each character: [T, B].
struct Pieces {
    ebb::Indices characters, next;
    Pieces(std::size_t T, std::size_t B)
        : characters(ebb::Indices::from_shape({T, B})), next(ebb::Indices::from_shape({T, B})) {}
    void put(std::size_t b, const std::vector<std::int64_t>& text, std::size_t start) {
        const std::size_t T = characters.shape(0), B = characters.shape(1);
        for (std::size_t t = 0; t < T; ++t) {
            characters.data()[t * B + b] = text[start + t];
            next.data()[t * B + b] = text[start + t + 1];
        }
    }
};

}  // namespace

double bits_per_character(const Model& model, const std::vector<std::int64_t>& text) {
    const std::size_t alphabet_size = model.alphabet_size();
    if (text.size() < 2)
        ebb::fail<ebb::ValueError>(
            fmt::format("bits_per_character: the text has {} characters: expected at least 2", text.size()));
    constexpr std::size_t most = 256;  // characters at a time: memory, not meaning
    const ebb::NoGrad off;
    ebb::LogLikelihood total;
    CarriedState carried;
    ebb::Tape<float> tape;
    for (std::size_t start = 0; start + 1 < text.size(); start += most) {
        Pieces piece(std::min(most, text.size() - 1 - start), 1);
        piece.put(0, text, start);
        tape.clear();
        const auto [logits, state] = model(piece.characters, carried.on(tape));
        total.add(logits, piece.next);
        carried.keep(state);
    }
    // The first character, before which nothing stands, costs as much as any: log2 V.
    const double first = std::log2(static_cast<double>(alphabet_size));
    return (first - ebb::bits(total.nats())) / static_cast<double>(total.tokens() + 1);
}

void train_model(const Model& model, const std::vector<std::int64_t>& text, const Options& options,
                 const std::function<void(std::size_t step, double bits)>& after_step) {
    const std::size_t T = options.length, B = options.batch;
    const std::size_t stream = text.size() / B;
    if (stream <= T)
        ebb::fail<ebb::ValueError>(
            fmt::format("train_model: the text has {} characters: expected more than --batch times --length, {} x {}",
                        text.size(), B, T));
    model.clear_unseen(text);
    ebb::Generator generator = ebb::Generator(options.seed).fork(batch_stream);
    Pieces pieces(T, B);
    CarriedState carried;
    std::size_t at = 0;  // in each stream
    ebb::Adam<float> adam(model.parameters(), {.learning_rate = options.learning_rate});
    ebb::TrainingOptions<float> training{
        .steps = static_cast<std::int64_t>(options.steps),
        .clip_norm = options.clip > 0 ? options.clip : std::numeric_limits<double>::infinity()};
    if (after_step)
        training.after_step = [&](ebb::TrainingStep<float>& now) {
            after_step(static_cast<std::size_t>(now.step) + 1, ebb::bits(now.loss));
        };
    ebb::train(adam, training, [&](ebb::Tape<float>& tape, std::int64_t) {
        const bool windows = options.batching == Batching::windows;
        for (std::size_t b = 0; b < B; ++b)
            pieces.put(b, text, windows ? generator.integer(text.size() - T) : b * stream + at);
        const auto [logits, state] = model(pieces.characters, carried.on(tape));
        if (!windows) {
            carried.keep(state);
            at += T;
            if (at + T >= stream) {
                at = 0;
                carried = {};
            }
        }
        return ebb::cross_entropy(logits, pieces.next);
    });
}

}  // namespace characters
