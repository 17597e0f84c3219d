#include "gradient_flow/request.hpp"

#include <ebb/core/error.hpp>

#include <algorithm>
#include <charconv>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

#include "gradient_flow/values.hpp"
#include "support/command_line.hpp"
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace lab {
namespace {

using ebb::fail;
using ebb::ValueError;

constexpr std::size_t most_seeds = 10'000;

std::string seeds_text() {
    return fmt::format("a whole number from 1 to {}", most_seeds);
}

/// The fewest letters to put in, take out or change that lead from one word to the other (Levenshtein 1966).
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);  // from the letters of `a` so far to each beginning of `b`
    std::iota(row.begin(), row.end(), 0u);
    for (const char letter : a) {
        std::size_t diagonal = row[0]++;
        for (std::size_t k = 0; k < b.size(); ++k) {
            const std::size_t changed = diagonal + (letter != b[k]);
            diagonal = row[k + 1];
            row[k + 1] = std::min({changed, row[k] + 1, diagonal + 1});
        }
    }
    return row.back();
}

/// The option that `word` most likely means: the one that it begins with or that begins with it, or the nearest; empty
/// where none is near.
std::string nearest_option(const CLI::App& app, const std::string& word) {
    std::string nearest;
    std::size_t smallest = 3;
    for (const CLI::Option* option : app.get_options()) {
        const std::string name = option->get_name();
        const bool begins = word.size() > 3 && (name.starts_with(word) || word.starts_with(name));
        const std::size_t far = begins ? 0 : distance(word, name);
        if (far >= smallest) continue;
        smallest = far;
        nearest = name;
    }
    return nearest;
}

[[noreturn]] void refuse_word(const CLI::App& app, const std::string& word) {
    if (!word.starts_with("-"))
        fail<ValueError>(
            fmt::format("gradient_flow: '{}' belongs to no option: expected --OPTION VALUE: --help lists all", word));
    const std::string name = word.substr(0, word.find('='));
    const std::string nearest = nearest_option(app, name);
    fail<ValueError>(fmt::format("gradient_flow: there is no option {}: {}--help lists all", name,
                                 nearest.empty() ? "" : fmt::format("did you mean {}? ", nearest)));
}

/// What the parser leaves to us: an option that is not there, is there twice, or has no value.
void check_words(const CLI::App& app) {
    for (const CLI::Option* given : app.get_options()) {
        const std::string name = given->get_name();
        for (const std::string& value : given->results())
            if (value.starts_with("--"))
                fail<ValueError>(fmt::format("gradient_flow: {} has no value: expected {} {}, and {} comes next", name,
                                             name, given->get_type_name(), value));
        if (given->get_items_expected_max() == 1 && given->count() > 1)
            fail<ValueError>(fmt::format("gradient_flow: {} is there {} times: expected once", name, given->count()));
    }
    const std::vector<std::string> rest = app.remaining();
    // An option that is none comes before its value, whichever the parser saw first.
    const auto option = std::find_if(rest.begin(), rest.end(), [](const auto& word) { return word.starts_with("-"); });
    if (option != rest.end()) refuse_word(app, *option);
    if (!rest.empty()) refuse_word(app, rest.front());
}

/// What stands on the command line, by option; nothing is understood yet.
struct Given {
    std::map<std::string, std::string> values;
    std::string seeds;
    std::string resume;
    std::vector<std::string> compare;
    std::string report;
};

/// Nothing where help was asked for.
std::optional<Given> read(const std::vector<std::string>& arguments, std::ostream& help) {
    Given given;
    CLI::App app(
        "Trains a tanh RNN, an LSTM and a GRU side by side to predict the next character of a text, and shows how the\n"
        "gradient of the loss at the last character shrinks or grows on its way back through time. With --task, or "
        "with\n"
        "several values for an option (1,2,4 or FIRST:LAST:STEP), it is a lab: a sweep over all combinations of them.",
        "gradient_flow");
    app.get_formatter()->column_width(30);
    const Options defaults;
    for (const Field& field : fields())
        app.add_option_function<std::string>(
               fmt::format("--{}", field.name),
               [&given, name = std::string(field.name)](const std::string& value) { given.values[name] = value; },
               field.help)
            ->type_name(field.type)
            ->default_str(field.get(defaults))
            ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)  // check_words refuses what is there twice
            ->group(field.group);
    const char* const lab = "The lab";
    app.add_option("--seeds", given.seeds, fmt::format("So many seeds, from --seed on: {}", seeds_text()))
        ->type_name("N")
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
        ->group(lab);
    app.add_option("--resume", given.resume, "Go on with the sweep in this folder, as the same command does")
        ->type_name("FOLDER")
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
        ->group(lab);
    app.add_option("--compare", given.compare, "One report over runs that are there; of a sweep all runs")
        ->type_name("RUN...")
        ->group(lab);
    app.add_option("--report", given.report, "One run of a sweep in full, in its folder: graph, triangle, units, gates")
        ->type_name("RUN")
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
        ->group(lab);
    app.allow_extras();
    if (!tutorial::parse_command_line(app, arguments, help)) return std::nullopt;
    check_words(app);
    for (const char* name : {"--resume", "--seeds", "--compare", "--report"})
        for (const std::string& value : app.get_option(name)->results())
            if (value.empty())
                fail<ValueError>(fmt::format("gradient_flow: {} is empty: expected {}", name,
                                             std::string_view(name) == "--seeds" ? seeds_text() : "a folder"));
    return given;
}

/// --out and --threads, which go with everything, and no other option.
void refuse_others(const Given& given, const char* with) {
    for (const auto& [name, value] : given.values)
        if (name != "out" && name != "threads")
            fail<ValueError>(
                fmt::format("gradient_flow: --{} is given with {}: expected only --out and --threads beside "
                            "it",
                            name, with));
    if (!given.seeds.empty())
        fail<ValueError>(
            fmt::format("gradient_flow: --seeds is given with {}: expected only --out and --threads beside it", with));
}

/// The value of an option, or, with several, its axis.
void apply(const Field& field, const std::string& text, Request& request) {
    if (field.kind != Field::Kind::setting) {
        field.set(request.options, text);
        return;
    }
    const std::vector<std::string> values = expand_values(fmt::format("--{}", field.name), text);
    Axis axis{field.name, {}};
    Options scratch;
    for (const std::string& value : values) {
        field.set(scratch, value);
        const std::string written = field.get(scratch);  // "1.0" and "1" are one value
        if (std::find(axis.values.begin(), axis.values.end(), written) != axis.values.end())
            fail<ValueError>(fmt::format("gradient_flow: --{} is '{}': expected each value once: {} is there twice",
                                         field.name, text, written));
        axis.values.push_back(written);
    }
    field.set(request.options, axis.values.front());
    if (axis.values.size() > 1) request.axes.push_back(std::move(axis));
}

void add_seeds(const std::string& text, Request& request) {
    std::size_t count = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, count);
    if (error != std::errc() || rest != end || count < 1 || count > most_seeds)
        fail<ValueError>(fmt::format("gradient_flow: --seeds is '{}': expected {}", text, seeds_text()));
    const auto is_seed = [](const Axis& axis) { return axis.option == "seed"; };
    if (std::any_of(request.axes.begin(), request.axes.end(), is_seed))
        fail<ValueError>("gradient_flow: --seeds is given with several values for --seed: expected one of the two");
    Axis axis{"seed", {}};
    for (std::size_t k = 0; k < count; ++k) axis.values.push_back(fmt::to_string(request.options.seed + k));
    if (count > 1) request.axes.push_back(std::move(axis));
}

}  // namespace

std::optional<Request> parse_request(const std::vector<std::string>& arguments, std::ostream& help) {
    const std::optional<Given> given = read(arguments, help);
    if (!given) return std::nullopt;
    Request request;
    for (const Field& field : fields())
        if (const auto found = given->values.find(field.name); found != given->values.end())
            apply(field, found->second, request);
    if (!given->seeds.empty()) add_seeds(given->seeds, request);

    // What is done with folders that are there.
    const std::tuple<const char*, bool, Request::Job> of_folders[] = {
        {"--resume", !given->resume.empty(), Request::Job::sweep},
        {"--compare", !given->compare.empty(), Request::Job::compare},
        {"--report", !given->report.empty(), Request::Job::report}};
    const char* first = nullptr;
    for (const auto& [name, is_given, job] : of_folders) {
        if (!is_given) continue;
        if (first)
            fail<ValueError>(fmt::format("gradient_flow: {} is given with {}: expected one of the two", first, name));
        first = name;
        request.job = job;
    }
    if (first)
        refuse_others(*given, first);
    else if (given->values.count("task") || !request.axes.empty() || !given->seeds.empty())
        request.job = Request::Job::sweep;
    request.resume = given->resume;
    request.compare = given->compare;
    request.report = given->report;
    if (request.job != Request::Job::demo && !given->values.count("out"))
        request.options.out = request.job == Request::Job::sweep     ? "out/lab"
                              : request.job == Request::Job::compare ? "out/comparison"
                                                                     : request.report;
    check(request.options);
    if (request.job != Request::Job::sweep) return request;

    Axis of_cells{"cells", {}};
    for (const Cell cell : request.options.cells) of_cells.values.emplace_back(name_of(cell));
    request.axes.insert(request.axes.begin(), std::move(of_cells));
    std::stable_partition(request.axes.begin(), request.axes.end(), [](const Axis& a) { return a.option != "seed"; });
    return request;
}

std::vector<std::string> arguments_of(const Options& options, const std::vector<Axis>& axes) {
    const bool several_tasks =
        std::any_of(axes.begin(), axes.end(), [](const Axis& axis) { return axis.option == "task"; });
    std::vector<std::string> arguments;
    for (const Field& field : fields()) {
        if (field.kind == Field::Kind::place || field.kind == Field::Kind::threads) continue;
        std::string value = several_tasks ? field.get(options) : said(field, options);
        for (const Axis& axis : axes)
            if (axis.option == field.name) value = fmt::to_string(fmt::join(axis.values, ","));
        if (!value.empty()) arguments.insert(arguments.end(), {fmt::format("--{}", field.name), value});
    }
    return arguments;
}

}  // namespace lab
