#include "characters/options.hpp"

#include <map>

#include "support/command_line.hpp"
#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace characters {

std::optional<Options> parse_options(const std::vector<std::string>& arguments, std::ostream& help) {
    Options options;
    CLI::App app(
        "Trains an LSTM to predict the next character of a text, compares it with n-gram models on a part that none "
        "of\n"
        "them has seen, and lets it write.",
        "characters");
    app.get_formatter()->column_width(30);
    const CLI::Range size(1, 4096), any(0.0, 1e9);
    // The parser would take -1 for 2^64 - 1.
    const CLI::Validator natural(
        [](const std::string& text) {
            const bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
            return digits ? std::string() : fmt::format("'{}': expected a whole number, at least 0", text);
        },
        "");
    app.add_option("--text", options.text, "The text, in UTF-8; default: the licences in /usr/share/common-licenses");
    app.add_option("--embedding", options.embedding, "Numbers that stand for a character")->check(size);
    app.add_option("--hidden", options.hidden, "Hidden units of the LSTM")->check(size);
    app.add_option("--length", options.length, "Characters in a piece")->check(CLI::Range(1, 100000));
    app.add_option("--batch", options.batch, "Pieces in a training step")->check(size);
    app.add_option("--steps", options.steps, "Training steps")->check(CLI::Range(0, 100000000));
    app.add_option("--learning-rate", options.learning_rate, "Of Adam")->check(any);
    app.add_option("--clip", options.clip, "Clip the norm of the gradient to this; 0 does not clip")->check(any);
    app.add_option("--batching", options.batching,
                   "streams: pieces one after another, with the state carried on; windows: pieces from random places")
        ->transform(CLI::CheckedTransformer(
            std::map<std::string, Batching>{{"streams", Batching::streams}, {"windows", Batching::windows}}));
    app.add_option("--orders", options.orders, "N-gram models of orders 1 to this")->check(CLI::Range(1, 8));
    app.add_option("--seed", options.seed, "Of the weights, the random places and the sample")->check(natural);
    app.add_option("--start", options.start, "What the sample continues");
    app.add_option("--characters", options.characters, "Characters of the sample")->check(CLI::Range(0, 1000000));
    app.add_option("--temperature", options.temperature, "Of the sample; 0 is greedy")->check(any);
    app.add_option("--top-k", options.top_k, "Sample from the k most probable characters; 0: from all")->check(natural);
    app.add_option("--top-p", options.top_p, "Sample from the nucleus of this probability; 1: from all")
        ->check(CLI::Range(1e-9, 1.0));
    app.add_option("--save", options.save, "Write the trained model to this file (safetensors)");
    for (CLI::Option* option : app.get_options())
        if (option->get_name() != "--help") option->capture_default_str();
    if (!tutorial::parse_command_line(app, arguments, help)) return std::nullopt;
    return options;
}

}  // namespace characters
