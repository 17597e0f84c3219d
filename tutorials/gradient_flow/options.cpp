#include "gradient_flow/options.hpp"

#include <ebb/core/error.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <ostream>
#include <string_view>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace lab {
namespace {

using ebb::fail;
using ebb::ValueError;

constexpr std::size_t largest_size = 4096;       // of H, B and the embedding
constexpr std::size_t largest_length = 100'000;  // T
constexpr std::size_t most_steps = 100'000'000;
constexpr std::size_t most_threads = 1024;

[[noreturn]] void refuse(std::string_view option, std::string_view is, std::string_view expected) {
    fail<ValueError>(fmt::format("gradient_flow: {} is {}: expected {}", option, is, expected));
}

template <class Number>
Number parse_number(const char* option, const std::string& text, const char* expected) {
    Number number{};
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc() || rest != end) refuse(option, fmt::format("'{}'", text), expected);
    return number;
}

template <class Choice>
struct Named {
    const char* name;
    Choice choice;
};
constexpr Named<Cell> cells[] = {{"tanh", Cell::tanh}, {"lstm", Cell::lstm}, {"gru", Cell::gru}};
constexpr Named<Init> inits[] = {{"uniform", Init::uniform},
                                 {"normal", Init::normal},
                                 {"orthogonal", Init::orthogonal},
                                 {"identity", Init::identity}};
constexpr Named<Precision> precisions[] = {{"float", Precision::float32}, {"double", Precision::float64}};

template <class Choice, std::size_t count>
Choice parse_choice(const char* option, const std::string& text, const Named<Choice> (&choices)[count]) {
    std::vector<std::string_view> names;
    for (const Named<Choice>& named : choices) {
        if (text == named.name) return named.choice;
        names.emplace_back(named.name);
    }
    refuse(option, fmt::format("'{}'", text), fmt::format("one of {}", fmt::join(names, ", ")));
}

template <class Choice, std::size_t count>
const char* find_name(Choice choice, const Named<Choice> (&choices)[count]) {
    for (const Named<Choice>& named : choices)
        if (named.choice == choice) return named.name;
    return "";
}

std::vector<Cell> parse_cells(const std::string& text) {
    std::vector<Cell> chosen;
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        chosen.push_back(parse_choice("--cells", text.substr(begin, end - begin), cells));
        begin = end + 1;
    }
    return chosen;
}

void check_whole(const char* option, std::size_t value, std::size_t low, std::size_t high) {
    if (value < low || value > high)
        refuse(option, fmt::to_string(value), fmt::format("a whole number from {} to {}", low, high));
}

void check_at_least_0(const char* option, double value) {
    if (!(value >= 0) || !std::isfinite(value)) refuse(option, fmt::to_string(value), "a number, at least 0");
}

std::string cell_list(const std::vector<Cell>& chosen) {
    std::vector<const char*> names;
    for (const Cell cell : chosen) names.push_back(name_of(cell));
    return fmt::to_string(fmt::join(names, ","));
}

}  // namespace

const char* title_of(Cell cell) {
    return cell == Cell::tanh ? "tanh" : cell == Cell::lstm ? "LSTM" : "GRU";
}

const char* name_of(Cell cell) {
    return find_name(cell, cells);
}

const char* name_of(Init init) {
    return find_name(init, inits);
}

const char* name_of(Precision precision) {
    return find_name(precision, precisions);
}

std::optional<Options> parse_options(const std::vector<std::string>& arguments, std::ostream& help) {
    Options options;
    CLI::App app(
        "Trains a tanh RNN, an LSTM and a GRU side by side to predict the next character of a text, and shows how the\n"
        "gradient of the loss at the last character shrinks or grows on its way back through time.",
        "gradient_flow");
    app.get_formatter()->column_width(30);

    const auto text = [&](const char* name, std::string& into, const char* type, const std::string& what) {
        return app.add_option(name, into, what)->type_name(type);
    };
    const auto whole = [&](const char* name, auto& into, const std::string& what) {
        using Number = std::remove_reference_t<decltype(into)>;
        app.add_option_function<std::string>(
               name,
               [name, &into](const std::string& given) { into = parse_number<Number>(name, given, "a whole number"); },
               what)
            ->type_name("N")
            ->default_str(fmt::to_string(into));
    };
    const auto number = [&](const char* name, auto& into, const std::string& what) {
        CLI::Option* const option = app.add_option_function<std::string>(
            name, [name, &into](const std::string& given) { into = parse_number<double>(name, given, "a number"); },
            what);
        option->type_name("X");
        if constexpr (std::is_same_v<std::remove_reference_t<decltype(into)>, double>)
            option->default_str(fmt::to_string(into));
    };
    const auto choice = [&](const char* name, auto& into, const auto& choices, const std::string& what) {
        std::vector<const char*> names;
        for (const auto& named : choices) names.push_back(named.name);
        app.add_option_function<std::string>(
               name, [name, &into, &choices](const std::string& given) { into = parse_choice(name, given, choices); },
               what)
            ->type_name(fmt::to_string(fmt::join(names, "|")))
            ->default_str(find_name(into, choices));
    };

    text("--text", options.text, "FILE", "The text, in UTF-8; default: the GNU GPL of /usr/share/common-licenses");
    text("--out", options.out, "FOLDER", "Where the report, the figures and the numbers go")->default_str(options.out);
    app.add_option_function<std::string>(
           "--cells", [&](const std::string& given) { options.cells = parse_cells(given); },
           "Which cells, with commas between them")
        ->type_name("LIST")
        ->default_str(cell_list(options.cells));

    whole("--hidden", options.hidden, "Hidden units of each cell");
    whole("--embedding", options.embedding, "Numbers that stand for a character at the cell's input");
    whole("--length", options.length, "Characters in a sequence, when training and when measuring");
    whole("--batch", options.batch, "Sequences in a training step");
    whole("--steps", options.steps, "Training steps; 0 measures the untrained cells");
    number("--learning-rate", options.learning_rate, "Of Adam");
    number("--clip", options.clip, "Clip the norm of the gradient to this; 0 does not clip");

    choice("--init", options.init, inits, "How the recurrent matrix of each gate starts");
    number("--gain", options.gain, "Multiply the recurrent matrices by this at the start");
    number("--spectral-radius", options.spectral_radius, "Scale each recurrent matrix to this at the start");
    number("--input-scale", options.input_scale, "Multiply the input's weights and the biases by this at the start");
    number("--forget-bias", options.forget_bias,
           "Bias of the LSTM's forget gate and of the GRU's update gate at the start");
    whole("--seed", options.seed, "Of the weights and of the order of the training sequences");
    choice("--precision", options.precision, precisions, "Of the training; gradients are measured in double always");
    whole("--threads", options.threads, "Cells trained at once, with the same result; 0: as many as there are cores");

    try {
        std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
        app.parse(std::move(reversed));
    } catch (const CLI::CallForHelp&) {
        help << app.help();
        return std::nullopt;
    } catch (const CLI::ParseError& error) {
        std::string message = error.what();
        std::replace(message.begin(), message.end(), '\n', ' ');
        fail<ValueError>(fmt::format("gradient_flow: {}: --help lists the options", message));
    }
    check(options);
    return options;
}

void check(const Options& options) {
    if (options.cells.empty()) refuse("--cells", "empty", "at least one of tanh, lstm, gru");
    for (const Cell cell : options.cells)
        if (std::count(options.cells.begin(), options.cells.end(), cell) > 1)
            refuse("--cells", cell_list(options.cells), "each cell once");
    check_whole("--hidden", options.hidden, 1, largest_size);
    check_whole("--embedding", options.embedding, 1, largest_size);
    check_whole("--length", options.length, 2, largest_length);  // one step back, at least
    check_whole("--batch", options.batch, 1, largest_size);
    check_whole("--steps", options.steps, 0, most_steps);
    check_whole("--threads", options.threads, 0, most_threads);
    check_at_least_0("--learning-rate", options.learning_rate);
    check_at_least_0("--clip", options.clip);
    check_at_least_0("--input-scale", options.input_scale);
    if (options.gain) check_at_least_0("--gain", *options.gain);
    // No factor but 0 takes a matrix to the radius 0, and that is --gain 0.
    if (options.spectral_radius && !(*options.spectral_radius > 0 && std::isfinite(*options.spectral_radius)))
        refuse("--spectral-radius", fmt::to_string(*options.spectral_radius), "a number above 0");
    if (options.gain && options.spectral_radius)
        refuse("--gain", fmt::format("{}, --spectral-radius is {}", *options.gain, *options.spectral_radius),
               "one of the two: both scale the recurrent matrix");
    if (options.forget_bias && !std::isfinite(*options.forget_bias))
        refuse("--forget-bias", fmt::to_string(*options.forget_bias), "a number");
    if (options.out.empty()) refuse("--out", "empty", "a folder");
}

std::string command_line(const Options& options) {
    // Quoted as a shell reads it back: inside of '..' only ' itself is special.
    const auto quoted = [](const std::string& word) {
        std::string result = "'";
        for (const char c : word) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
        return result + "'";
    };
    std::string line = fmt::format(
        "./run demo --cells {} --hidden {} --embedding {} --length {} --batch {} --steps {} --learning-rate {} "
        "--clip {} --init {}",
        cell_list(options.cells), options.hidden, options.embedding, options.length, options.batch, options.steps,
        options.learning_rate, options.clip, name_of(options.init));
    if (options.gain) line += fmt::format(" --gain {}", *options.gain);
    if (options.spectral_radius) line += fmt::format(" --spectral-radius {}", *options.spectral_radius);
    line += fmt::format(" --input-scale {}", options.input_scale);
    if (options.forget_bias) line += fmt::format(" --forget-bias {}", *options.forget_bias);
    line += fmt::format(" --seed {} --precision {} --out {}", options.seed, name_of(options.precision),
                        quoted(options.out));
    if (!options.text.empty()) line += " --text " + quoted(options.text);
    return line;
}

}  // namespace lab
