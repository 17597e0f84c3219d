#include "gradient_flow/options.hpp"

#include <ebb/core/error.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "gradient_flow/values.hpp"
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace lab {
namespace {

using ebb::fail;
using ebb::ValueError;

/// The whole numbers that an option takes.
struct Range {
    std::uint64_t low, high;
};
constexpr Range sizes{1, 4096};       // H, B and the embedding
constexpr Range lengths{2, 100'000};  // T: one step back, at least
constexpr Range delays{0, 100'000};
constexpr Range training_steps{0, 100'000'000};
constexpr Range seeds{0, std::numeric_limits<std::uint64_t>::max()};
constexpr Range thread_counts{0, 1024};

/// Of --gain, --spectral-radius, --input-scale and the size of --forget-bias: far more than any network stands, and a
/// weight times this is still a number in float.
constexpr double largest_scale = 1e6;
constexpr char scale_text[] = "a number from 0 to 1000000";
constexpr char radius_text[] = "a number above 0, up to 1000000";
constexpr char bias_text[] = "a number from -1000000 to 1000000";
constexpr char rate_text[] = "a number, at least 0";

std::string text_of(const Range& range) {
    return fmt::format("a whole number from {} to {}", range.low, range.high);
}

[[noreturn]] void refuse(std::string_view option, std::string_view is, std::string_view expected) {
    fail<ValueError>(fmt::format("gradient_flow: --{} is {}: expected {}", option, is, expected));
}

template <class Number>
Number parse_number(const char* option, const std::string& text, std::string_view expected) {
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
constexpr Named<TaskName> tasks[] = {{"text", TaskName::text},       {"adding", TaskName::adding},
                                     {"copying", TaskName::copying}, {"order", TaskName::order},
                                     {"echo", TaskName::echo},       {"series", TaskName::series}};

template <class Choice, std::size_t count>
std::vector<std::string_view> names_of(const Named<Choice> (&choices)[count]) {
    std::vector<std::string_view> names;
    for (const Named<Choice>& named : choices) names.emplace_back(named.name);
    return names;
}

template <class Choice, std::size_t count>
Choice parse_choice(const char* option, const std::string& text, const Named<Choice> (&choices)[count]) {
    for (const Named<Choice>& named : choices)
        if (text == named.name) return named.choice;
    refuse(option, fmt::format("'{}'", text), fmt::format("one of {}", fmt::join(names_of(choices), ", ")));
}

template <class Choice, std::size_t count>
const char* find_name(Choice choice, const Named<Choice> (&choices)[count]) {
    for (const Named<Choice>& named : choices)
        if (named.choice == choice) return named.name;
    return "";
}

std::vector<Cell> parse_cells(const std::string& text) {
    std::vector<Cell> chosen;
    for (const std::string& name : split_at_commas(text)) chosen.push_back(parse_choice("cells", name, cells));
    return chosen;
}

std::string cell_list(const std::vector<Cell>& chosen) {
    std::vector<const char*> names;
    for (const Cell cell : chosen) names.push_back(name_of(cell));
    return fmt::to_string(fmt::join(names, ","));
}

// ---- the kinds of fields; `member` is a pointer to one of Options

template <class Number>
Field whole(const char* name, const char* group, Number Options::*member, Range range, const char* help,
            Field::Kind kind = Field::Kind::setting) {
    return {name,
            group,
            "N",
            fmt::format("{}: {}", help, text_of(range)),
            kind,
            [=](Options& o, const std::string& text) { o.*member = parse_number<Number>(name, text, text_of(range)); },
            [=](const Options& o) { return fmt::to_string(o.*member); }};
}

std::string written(double value) {
    return fmt::to_string(value);
}
std::string written(const std::optional<double>& value) {
    return value ? written(*value) : std::string();
}

/// A double, or one that may be missing.
template <class Number>
Field number(const char* name, const char* group, Number Options::*member, const char* range, const char* help) {
    return {name,
            group,
            "X",
            fmt::format("{}: {}", help, range),
            Field::Kind::setting,
            [=](Options& o, const std::string& text) { o.*member = parse_number<double>(name, text, range); },
            [=](const Options& o) { return written(o.*member); }};
}

template <class Choice, std::size_t count>
Field choice(const char* name, const char* group, Choice Options::*member, const Named<Choice> (&choices)[count],
             const char* help) {
    return {name,
            group,
            fmt::to_string(fmt::join(names_of(choices), "|")),
            help,
            Field::Kind::setting,
            [=, &choices](Options& o, const std::string& text) { o.*member = parse_choice(name, text, choices); },
            [=, &choices](const Options& o) { return std::string(find_name(o.*member, choices)); }};
}

Field text(const char* name, const char* group, std::string Options::*member, const char* type, const char* help,
           const char* expected, Field::Kind kind) {
    return {name,
            group,
            type,
            help,
            kind,
            [=](Options& o, const std::string& given) {
                // Empty is what is not given.
                if (given.empty()) refuse(name, "empty", expected);
                o.*member = given;
            },
            [=](const Options& o) { return o.*member; }};
}

std::vector<Field> make_fields() {
    using O = Options;
    const char *const learned = "What is learned", *const start = "The cells, and how they start",
                      *const training = "Training", *const results = "Results";
    return {
        choice("task", learned, &O::task, tasks, "What the sequences are"),
        whole("length", learned, &O::length, lengths, "Steps in a sequence, when training and when measuring"),
        whole("delay", learned, &O::delay, delays, "Of the echo, in steps"),
        text("text", learned, &O::text, "FILE",
             "The text, in UTF-8; default: the GNU GPL of /usr/share/common-licenses, where missing Ebb's own pages",
             "the name of a file", Field::Kind::file),
        text("csv", learned, &O::csv, "FILE", "The series: numbers in columns, with commas between them",
             "the name of a file", Field::Kind::file),
        text("columns", learned, &O::columns, "LIST", "Which columns of the series, by name or number; default: all",
             "names or numbers of columns", Field::Kind::file),
        {"cells", start, "LIST", "Which cells, with commas between them", Field::Kind::list,
         [](O& o, const std::string& given) { o.cells = parse_cells(given); },
         [](const O& o) { return cell_list(o.cells); }},
        whole("hidden", start, &O::hidden, sizes, "Hidden units of each cell"),
        whole("embedding", start, &O::embedding, sizes, "Numbers that stand for a symbol at the cell's input"),
        choice("init", start, &O::init, inits, "How the recurrent matrix of each gate starts"),
        number("gain", start, &O::gain, scale_text, "Multiply the recurrent matrices by this at the start"),
        number("spectral-radius", start, &O::spectral_radius, radius_text,
               "Scale each recurrent matrix to this at the start"),
        number("input-scale", start, &O::input_scale, scale_text,
               "Multiply the input's weights and the biases by this at the start"),
        number("forget-bias", start, &O::forget_bias, bias_text,
               "Bias of the LSTM's forget gate and of the GRU's update gate at the start"),
        whole("steps", training, &O::steps, training_steps, "Training steps; 0 measures the untrained cells"),
        whole("batch", training, &O::batch, sizes, "Sequences in a training step"),
        number("learning-rate", training, &O::learning_rate, rate_text, "Of Adam"),
        number("clip", training, &O::clip, rate_text, "Clip the norm of the gradient to this; 0 does not clip"),
        whole("seed", training, &O::seed, seeds, "Of the weights and of the order of the training sequences"),
        choice("precision", training, &O::precision, precisions,
               "Of the training; gradients are measured in double always"),
        text("out", results, &O::out, "FOLDER", "Where the report, the figures and the numbers go", "a folder",
             Field::Kind::place),
        whole("threads", results, &O::threads, thread_counts,
              "Runs at once, with the same result; 0: as many as there are cores", Field::Kind::threads),
    };
}

void check_whole(const char* option, std::size_t value, Range range) {
    if (value < range.low || value > range.high) refuse(option, fmt::to_string(value), text_of(range));
}

void check_at_least_0(const char* option, double value) {
    if (!(value >= 0) || !std::isfinite(value)) refuse(option, fmt::to_string(value), rate_text);
}

void check_scale(const char* option, double value) {
    if (!(value >= 0 && value <= largest_scale)) refuse(option, fmt::to_string(value), scale_text);
}

/// As a shell reads it back: inside of '..' only ' itself is special.
std::string quoted(const std::string& word) {
    const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) {
        return std::isalnum(c) || std::string_view("_-+.,:/=%@").find(static_cast<char>(c)) != std::string_view::npos;
    });
    if (plain) return word;
    std::string result = "'";
    for (const char c : word) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return result + "'";
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

const char* name_of(TaskName task) {
    return find_name(task, tasks);
}

const std::vector<Field>& fields() {
    static const std::vector<Field> all = make_fields();
    return all;
}

const Field& field(std::string_view name) {
    for (const Field& one : fields())
        if (name == one.name) return one;
    throw std::out_of_range(fmt::format("field: there is no option --{}", name));
}

void check(const Options& options) {
    if (options.cells.empty()) refuse("cells", "empty", "at least one of tanh, lstm, gru");
    for (const Cell cell : options.cells)
        if (std::count(options.cells.begin(), options.cells.end(), cell) > 1)
            refuse("cells", cell_list(options.cells), "each cell once");
    check_whole("hidden", options.hidden, sizes);
    check_whole("embedding", options.embedding, sizes);
    check_whole("length", options.length, lengths);
    check_whole("delay", options.delay, delays);
    check_whole("batch", options.batch, sizes);
    check_whole("steps", options.steps, training_steps);
    check_whole("threads", options.threads, thread_counts);
    check_at_least_0("learning-rate", options.learning_rate);
    check_at_least_0("clip", options.clip);
    check_scale("input-scale", options.input_scale);
    if (options.gain) check_scale("gain", *options.gain);
    // No factor but 0 takes a matrix to the radius 0, and that is --gain 0.
    if (options.spectral_radius && !(*options.spectral_radius > 0 && *options.spectral_radius <= largest_scale))
        refuse("spectral-radius", fmt::to_string(*options.spectral_radius), radius_text);
    if (options.gain && options.spectral_radius)
        refuse("gain", fmt::format("{}, --spectral-radius is {}", *options.gain, *options.spectral_radius),
               "one of the two: both scale the recurrent matrix");
    if (options.forget_bias && !(std::abs(*options.forget_bias) <= largest_scale))
        refuse("forget-bias", fmt::to_string(*options.forget_bias), bias_text);
    if (options.task == TaskName::series && options.csv.empty())
        refuse("csv", "not given", "the file of the series, for --task series");
    if (options.out.empty()) refuse("out", "empty", "a folder");
}

std::string said(const Field& field, const Options& options) {
    if (std::string_view(field.name) == "delay" && options.task != TaskName::echo) return {};
    return field.get(options);
}

std::vector<std::string> arguments_of(const Options& options) {
    std::vector<std::string> arguments;
    for (const Field& one : fields()) {
        if (one.kind == Field::Kind::place || one.kind == Field::Kind::threads) continue;
        // The demo is the program without a task.
        if (std::string_view(one.name) == "task" && options.task == TaskName::text) continue;
        const std::string value = said(one, options);
        if (!value.empty()) arguments.insert(arguments.end(), {fmt::format("--{}", one.name), value});
    }
    return arguments;
}

std::string command_line(const Options& options) {
    std::vector<std::string> arguments = arguments_of(options);
    arguments.insert(arguments.end(), {"--out", options.out});
    return command_line(arguments);
}

std::string command_line(const std::vector<std::string>& arguments) {
    std::string line = "./run demo";
    for (const std::string& argument : arguments) line += " " + quoted(argument);
    return line;
}

}  // namespace lab
