// A character model: how many bits does a network need for each character of a text that it has not seen, what does
// mere counting need, and what does the network write?

#include <ebb/core/error.hpp>
#include <ebb/core/random.hpp>
#include <ebb/layers/generation.hpp>
#include <ebb/layers/model_file.hpp>

#include <chrono>
#include <cstdio>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "characters/model.hpp"
#include "characters/ngrams.hpp"
#include "characters/options.hpp"
#include "characters/training.hpp"
#include "support/corpus.hpp"
#include <fmt/format.h>

namespace {

using namespace characters;

/// The start text and what the model makes of it.
std::string sample(const Model& model, const tutorial::Corpus& corpus, const Options& options) {
    ebb::Autoregression text(ebb::tape_step<float, ebb::LSTMState<float>>(model));
    ebb::Tokens characters = tutorial::encode(corpus, options.start);
    text.read(characters);
    ebb::Generator generator = ebb::Generator(options.seed).fork(200);
    const ebb::Tokens written =
        text.generate(options.characters,
                      {.temperature = options.temperature, .top_k = options.top_k, .top_p = options.top_p}, generator);
    characters.insert(characters.end(), written.begin(), written.end());
    return tutorial::decode(corpus, characters);
}

void run(const Options& options) {
    const tutorial::Corpus corpus =
        options.text.empty() ? tutorial::licenses_corpus() : tutorial::read_corpus(options.text, "characters");
    tutorial::check_length(corpus, options.length);
    const auto tenth = corpus.text.begin() + static_cast<std::ptrdiff_t>(corpus.training_size);
    const std::vector<std::int64_t> training(corpus.text.begin(), tenth), held_out(tenth, corpus.text.end());
    fmt::print("{}: {} characters, {} different ones; {} to train, {} held out\n\n", corpus.name, corpus.text.size(),
               corpus.alphabet.size(), training.size(), held_out.size());

    fmt::print("Bits per character, held out\n");
    const NGrams counts(training, options.orders, corpus.alphabet.size());
    fmt::print("  all alike                {:.2f}\n", tutorial::uniform_bits(corpus));
    for (std::size_t n = 1; n <= options.orders; ++n)
        fmt::print("  Witten-Bell, order {}     {:.2f}\n", n, counts.bits_per_character(held_out, n));

    ebb::manual_seed(options.seed);
    const Model model(corpus.alphabet.size(), options.embedding, options.hidden);
    const auto start = std::chrono::steady_clock::now();
    train_model(model, training, options, [&](std::size_t step, double) {
        if (step % 500 == 0 && step < options.steps)
            fmt::print("  LSTM, {:>5} steps        {:.2f}\n", step, bits_per_character(model, held_out));
        std::fflush(stdout);
    });
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    fmt::print(
        "  LSTM, {:>5} steps        {:.2f}   ({:.2f} on the first {} characters of the training text)\n", options.steps,
        bits_per_character(model, held_out),
        bits_per_character(model, {training.begin(), training.begin() + static_cast<std::ptrdiff_t>(held_out.size())}),
        held_out.size());
    fmt::print("\nTrained in {:.0f} s: {} parameters.\n\n", seconds.count(), model.parameter_count());
    fmt::print("{}\n", sample(model, corpus, options));
    if (!options.save.empty()) ebb::save_safetensors(options.save, model);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const auto options = parse_options(std::vector<std::string>(argv + 1, argv + argc), std::cout);
        if (options) run(*options);
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 2;
    }
}
