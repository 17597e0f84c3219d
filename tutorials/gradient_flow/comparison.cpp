#include "gradient_flow/comparison.hpp"

#include <ebb/inspect/number_text.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <numbers>
#include <set>

#include "gradient_flow/report_folder.hpp"
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace lab {
namespace {

using ebb::inspect::counted;
using ebb::inspect::format_number;
using ebb::inspect::Frame;
using ebb::inspect::HeatMap;
using ebb::inspect::level_line;
using ebb::inspect::LineFigure;
using ebb::inspect::LineStyle;
using ebb::inspect::median_and_range;
using ebb::inspect::Report;
using ebb::inspect::Scale;
using ebb::inspect::Series;
using ebb::inspect::Table;
using ebb::inspect::Width;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t most_lines = 6;  // that a figure can tell apart
constexpr std::size_t most_frames = 21;
constexpr std::size_t most_maps = 4;
constexpr std::size_t most_in_label = 3;  // differing options
constexpr double deepest = 1e-30;         // of the largest gradient: an axis that shows less shows nothing else

/// "input scale", "tanh".
std::string as_words(std::string option) {
    std::replace(option.begin(), option.end(), '-', ' ');
    return option;
}

std::string value_text(const Options& options, const std::string& option) {
    if (option == "cells") return title_of(options.cells.front());
    const std::string value = said(field(option), options);
    if (value.empty()) return "–";
    return value;
}

/// "LSTM, gain 0.5".
std::string label_of(const Options& options, const std::vector<std::string>& differing) {
    std::vector<std::string> parts{title_of(options.cells.front())};
    if (std::find(differing.begin(), differing.end(), "cells") == differing.end() && !differing.empty()) parts.clear();
    for (const std::string& option : differing)
        if (option == "task" || option == "init" || option == "precision")
            parts.push_back(value_text(options, option));
        else if (option != "cells")
            parts.push_back(fmt::format("{} {}", as_words(option), value_text(options, option)));
    return fmt::to_string(fmt::join(parts, ", "));
}

std::optional<double> number_in(const std::string& text) {
    double value = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || rest != end) return std::nullopt;
    return value;
}

double median(std::vector<double> values) {
    values.erase(std::remove_if(values.begin(), values.end(), [](double v) { return std::isnan(v); }), values.end());
    if (values.empty()) return nan;
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double factor_of(const std::vector<double>& norms) {
    const std::optional<Decay> decay = fit_decay(norms);
    return decay ? decay->factor : nan;
}

/// The run's last stop that is not after `step`.
std::size_t stop_at(const RunRecord& run, std::size_t step) {
    std::size_t stop = 0;
    while (stop + 1 < run.steps.size() && run.steps[stop + 1] <= step) ++stop;
    return stop;
}

/// The steps that a slider stops at: all that any run has, or evenly chosen ones where these are too many.
std::vector<std::int64_t> frame_steps(const std::vector<const Group*>& groups) {
    std::set<std::size_t> all;
    for (const Group* group : groups)
        for (const RunRecord* run : group->runs) all.insert(run->steps.begin(), run->steps.end());
    const std::vector<std::size_t> steps(all.begin(), all.end());
    std::vector<std::int64_t> chosen;
    const std::size_t count = std::min(steps.size(), most_frames);
    for (std::size_t k = 0; k < count; ++k)
        chosen.push_back(
            static_cast<std::int64_t>(steps[count > 1 ? k * (steps.size() - 1) / (count - 1) : steps.size() - 1]));
    return chosen;
}

std::vector<const Group*> with_runs(const std::vector<Group>& groups) {
    std::vector<const Group*> some;
    for (const Group& group : groups)
        if (!group.runs.empty()) some.push_back(&group);
    return some;
}

/// At most `most_lines` of them, evenly chosen.
std::vector<const Group*> few(const std::vector<const Group*>& groups) {
    if (groups.size() <= most_lines) return groups;
    std::vector<const Group*> some;
    for (std::size_t k = 0; k < most_lines; ++k) some.push_back(groups[k * (groups.size() - 1) / (most_lines - 1)]);
    return some;
}

std::string few_note(std::size_t all, std::size_t drawn) {
    return all > drawn ? fmt::format(" Of {} settings {} are drawn, evenly chosen.", all, drawn) : std::string();
}

/// The median over a group's runs of lists over 0, 1, ..., with a band where there are several.
Series band(const std::string& name, const std::vector<std::vector<double>>& lists) {
    std::vector<double> x(lists.front().size());
    for (std::size_t k = 0; k < x.size(); ++k) x[k] = static_cast<double>(k);
    Series series = median_and_range(name, x, lists);
    if (lists.size() < 2) series.low = series.high = {};
    return series;
}

bool one_task(const std::vector<const Group*>& groups) {
    for (const Group* group : groups)
        if (group->options.task != groups.front()->options.task) return false;
    return true;
}

/// Whether all runs of these groups have the same baseline, which can then be drawn as one line.
bool one_baseline(const std::vector<const Group*>& groups) {
    for (const Group* group : groups)
        for (const RunRecord* run : group->runs)
            if (run->baseline.loss != groups.front()->runs.front()->baseline.loss) return false;
    return true;
}

bool is_mean_square(TaskName task) {
    return task == TaskName::adding || task == TaskName::series;
}

ebb::inspect::Axis loss_axis(const std::vector<const Group*>& groups) {
    if (!one_task(groups)) return {.label = "loss", .unit = "of the baseline"};
    if (is_mean_square(groups.front()->options.task)) return {.label = "mean squared error"};
    return {.label = "cross entropy", .unit = "nats"};
}

std::vector<std::string> differing_among(const std::vector<const Options*>& all) {
    std::vector<std::string> differing;
    for (const Field& one : fields()) {
        if (one.kind == Field::Kind::place || one.kind == Field::Kind::threads) continue;
        if (std::string(one.name) == "seed") continue;
        const auto differs = [&](const Options* options) { return said(one, *options) != said(one, *all.front()); };
        if (std::any_of(all.begin(), all.end(), differs)) differing.emplace_back(one.name);
    }
    return differing;
}

std::string seeds_note(const std::vector<const Group*>& groups) {
    std::size_t most = 0;
    for (const Group* group : groups) most = std::max(most, group->runs.size());
    return most > 1 ? fmt::format(
                          " A line is the median over up to {} seeds, its band reaches from the smallest to the "
                          "largest.",
                          most)
                    : std::string();
}

}  // namespace

std::vector<std::string> differing_options(const std::vector<RunRecord>& runs) {
    std::vector<const Options*> all;
    for (const RunRecord& run : runs) all.push_back(&run.options);
    return differing_among(all);
}

std::vector<Group> group_runs(const std::vector<RunRecord>& runs) {
    const std::vector<std::string> differing = differing_options(runs);
    std::vector<Group> groups;
    for (const RunRecord& run : runs) {
        const std::string label = label_of(run.options, differing);
        auto group = std::find_if(groups.begin(), groups.end(), [&](const Group& g) { return g.label == label; });
        if (group == groups.end()) group = groups.insert(groups.end(), {label, run.options, {}, 0});
        if (run.failure.empty())
            group->runs.push_back(&run);
        else
            ++group->failed;
    }
    // What differs in so much is called by its number; the table says what it is.
    if (differing.size() > most_in_label)
        for (std::size_t k = 0; k < groups.size(); ++k)
            groups[k].label = fmt::format("{} ({})", title_of(groups[k].options.cells.front()), k + 1);
    return groups;
}

std::vector<Scan> scans_of(const std::vector<Group>& groups) {
    std::vector<Scan> scans;
    for (const Field& one : fields()) {
        if (one.kind != Field::Kind::setting || std::string(one.name) == "seed") continue;
        std::map<double, std::vector<const Group*>> by_value;
        for (const Group& group : groups)
            if (const auto value = number_in(one.get(group.options)); value && !group.runs.empty())
                by_value[*value].push_back(&group);
        if (by_value.size() < 3) continue;
        std::vector<const Options*> others;  // to see what else differs
        for (const Group& group : groups) others.push_back(&group.options);
        std::vector<std::string> differing = differing_among(others);
        differing.erase(std::remove(differing.begin(), differing.end(), one.name), differing.end());
        Scan scan{one.name, {}};
        for (const auto& [value, members] : by_value)
            for (const Group* group : members) {
                const std::string label = label_of(group->options, differing);
                auto line = std::find_if(scan.lines.begin(), scan.lines.end(),
                                         [&](const Scan::Line& l) { return l.label == label; });
                if (line == scan.lines.end()) line = scan.lines.insert(scan.lines.end(), {label, {}, {}});
                line->groups.push_back(group);
                line->values.push_back(value);
            }
        scans.push_back(std::move(scan));
    }
    return scans;
}

std::optional<double> critical_value(const std::string& option, Init init) {
    if (option == "spectral-radius") return 1;
    if (option == "gain") return init == Init::uniform ? std::numbers::sqrt3 : 1;
    return std::nullopt;
}

LineFigure gradient_figure(const std::vector<Group>& all) {
    const std::vector<const Group*> possible = with_runs(all), groups = few(possible);
    LineFigure figure;
    figure.title = "Gradient norm through time";
    figure.x = {.label = "distance T − t from the loss", .unit = "steps"};
    figure.y = {.label = "‖∂L/∂hₜ‖", .scale = Scale::log};
    double largest = 0, smallest = std::numeric_limits<double>::infinity();
    for (const Group* group : groups)
        for (const RunRecord* run : group->runs)
            for (const auto* norms : {&run->hidden.front(), &run->hidden.back()})
                for (const double norm : *norms)
                    if (norm > 0 && std::isfinite(norm)) {
                        largest = std::max(largest, norm);
                        smallest = std::min(smallest, norm);
                    }
    if (largest > 0) figure.y.min = std::max(smallest, deepest * largest);
    for (const std::int64_t step : frame_steps(groups)) {
        Frame frame{step, {}};
        for (const Group* group : groups) {
            std::vector<std::vector<double>> lists;
            for (const RunRecord* run : group->runs)
                lists.push_back(run->hidden[stop_at(*run, static_cast<std::size_t>(step))]);
            frame.series.push_back(band(group->label, lists));
        }
        figure.frames.push_back(std::move(frame));
    }
    figure.caption =
        "L is the loss of the last target alone, of sequences that are not trained on: a gradient at distance d has "
        "come back d steps. Measured in double." +
        seeds_note(groups) + few_note(possible.size(), groups.size());
    return figure;
}

LineFigure loss_figure(const std::vector<Group>& all) {
    const std::vector<const Group*> possible = with_runs(all), groups = few(possible);
    const bool in_baselines = !one_task(groups);
    LineFigure figure;
    figure.title = "Loss over training";
    figure.x = {.label = "training step"};
    figure.y = loss_axis(groups);
    double last = 0;
    for (const Group* group : groups) {
        const std::vector<std::size_t>& steps = group->runs.front()->steps;
        std::vector<double> x(steps.begin(), steps.end());
        std::vector<std::vector<double>> lists;
        for (const RunRecord* run : group->runs) {
            lists.push_back(run->test_loss);
            if (in_baselines)
                for (double& loss : lists.back()) loss /= run->baseline.loss;
        }
        Series series = median_and_range(group->label, x, lists);
        if (lists.size() < 2) series.low = series.high = {};
        last = std::max(last, x.back());
        figure.series.push_back(std::move(series));
    }
    figure.caption = "On sequences that are not trained on.";
    const Baseline& baseline = groups.front()->runs.front()->baseline;
    if (in_baselines) {
        figure.series.push_back(level_line("baseline", 1, 0, last));
        figure.caption += " Each task's baseline is 1: what something very simple reaches.";
    } else if (one_baseline(groups)) {
        figure.series.push_back(level_line("baseline", baseline.loss, 0, last));
        figure.caption += fmt::format(" The baseline, {}, is {}.", format_number(baseline.loss), baseline.of);
    }
    figure.caption += seeds_note(groups) + few_note(possible.size(), groups.size());
    return figure;
}

namespace {

/// A line of a scan: at each value the median over seeds of `of_run`, with its band.
Series scan_series(const Scan::Line& line, std::string name, const std::function<double(const RunRecord&)>& of_run) {
    Series series;
    series.name = std::move(name);
    series.x = line.values;
    bool several = false;
    for (const Group* group : line.groups) {
        std::vector<double> values;
        for (const RunRecord* run : group->runs) values.push_back(of_run(*run));
        series.y.push_back(median(values));
        values.erase(std::remove_if(values.begin(), values.end(), [](double v) { return std::isnan(v); }),
                     values.end());
        several = several || values.size() > 1;
        series.low.push_back(values.empty() ? nan : *std::min_element(values.begin(), values.end()));
        series.high.push_back(values.empty() ? nan : *std::max_element(values.begin(), values.end()));
    }
    if (!several) series.low = series.high = {};
    return series;
}

/// As many lines as can be told apart, and all groups on them.
std::vector<const Scan::Line*> lines_of(const Scan& scan) {
    std::vector<const Scan::Line*> lines;
    for (const Scan::Line& line : scan.lines)
        if (lines.size() < most_lines) lines.push_back(&line);
    return lines;
}

std::vector<const Group*> groups_of(const Scan& scan) {
    std::vector<const Group*> groups;
    for (const Scan::Line* line : lines_of(scan)) groups.insert(groups.end(), line->groups.begin(), line->groups.end());
    return groups;
}

std::pair<double, double> range_of(const Scan& scan) {
    double low = std::numeric_limits<double>::infinity(), high = -low;
    for (const Scan::Line* line : lines_of(scan)) {
        low = std::min(low, line->values.front());
        high = std::max(high, line->values.back());
    }
    return {low, high};
}

/// Where a line first crosses y = 1, between its points.
std::optional<double> crossing(const Series& series) {
    for (std::size_t k = 1; k < series.x.size(); ++k) {
        const double a = series.y[k - 1] - 1, b = series.y[k] - 1;
        if (a < 0 && b >= 0) return series.x[k - 1] + (series.x[k] - series.x[k - 1]) * a / (a - b);
    }
    return std::nullopt;
}

}  // namespace

LineFigure decay_figure(const Scan& scan) {
    LineFigure figure;
    const std::string option = as_words(scan.option);
    figure.title = fmt::format("Gradient decay per step against {}", option);
    figure.x = {.label = option};
    figure.y = {.label = "factor of ‖∂L/∂hₜ‖", .unit = "per step back"};
    const auto before = [](const RunRecord& run) { return factor_of(run.hidden.front()); };
    const auto after = [](const RunRecord& run) { return factor_of(run.hidden.back()); };
    std::string crossings;
    double low = 1, high = 1;
    std::vector<Series> dashed;
    const bool trained = groups_of(scan).front()->options.steps > 0;
    std::optional<double> critical;
    for (const Scan::Line* line : lines_of(scan)) {
        Series untrained = scan_series(*line, trained ? line->label + " before training" : line->label, before);
        if (line->groups.front()->options.cells.front() == Cell::tanh)
            critical = critical_value(scan.option, line->groups.front()->options.init);
        if (const auto at = crossing(untrained))
            crossings +=
                fmt::format("{}{} at {} {}", crossings.empty() ? "" : ", ", line->label, option, format_number(*at, 2));
        Series main = trained ? scan_series(*line, line->label, after) : untrained;
        for (const Series* series : {&untrained, &main})
            for (const double y : series->y)
                if (std::isfinite(y)) {
                    low = std::min(low, y);
                    high = std::max(high, y);
                }
        figure.series.push_back(std::move(main));
        if (trained) {
            untrained.style = LineStyle::reference;
            untrained.like = line->label;
            untrained.low = untrained.high = {};
            dashed.push_back(std::move(untrained));
        }
    }
    figure.series.insert(figure.series.end(), dashed.begin(), dashed.end());
    const auto [first, last] = range_of(scan);
    figure.series.push_back(level_line("neither falls nor grows", 1, first, last));
    if (critical && *critical >= first && *critical <= last)
        figure.series.push_back({.name = fmt::format("critical {} of tanh", option),
                                 .x = {*critical, *critical},
                                 .y = {low, high},
                                 .style = LineStyle::reference});
    figure.caption =
        "By what factor the norm changes at each step back, by a line through its logarithm: below 1 the gradient "
        "vanishes with distance, above 1 it explodes.";
    if (critical)
        figure.caption += fmt::format(
            " At the critical {}, {}, the spectral radius of a large random Wₕₕ is 1: a tanh network at rest then "
            "neither forgets nor explodes. With input the slopes of tanh are below 1, and it takes more.",
            option, format_number(*critical));
    if (!crossings.empty())
        figure.caption += fmt::format(" Measured before training, the factor is 1 for {}.", crossings);
    figure.caption += seeds_note(groups_of(scan));
    return figure;
}

LineFigure final_loss_figure(const Scan& scan) {
    const std::vector<const Group*> groups = groups_of(scan);
    const bool in_baselines = !one_task(groups);
    LineFigure figure;
    const std::string option = as_words(scan.option);
    figure.title = fmt::format("Loss at the end against {}", option);
    figure.x = {.label = option};
    figure.y = loss_axis(groups);
    for (const Scan::Line* line : lines_of(scan))
        figure.series.push_back(scan_series(*line, line->label, [&](const RunRecord& run) {
            return run.test_loss.back() / (in_baselines ? run.baseline.loss : 1);
        }));
    const auto [first, last] = range_of(scan);
    const Baseline& baseline = groups.front()->runs.front()->baseline;
    figure.caption = "After the last training step, on sequences that are not trained on.";
    if (in_baselines || one_baseline(groups)) {
        figure.series.push_back(level_line("baseline", in_baselines ? 1 : baseline.loss, first, last));
        if (!in_baselines) figure.caption += fmt::format(" The baseline is that of {}.", baseline.of);
    }
    figure.caption += seeds_note(groups);
    return figure;
}

std::optional<HeatMap> gradient_map(const Scan& scan, const Scan::Line& line) {
    const std::size_t count = line.values.size();
    if (count < 3) return std::nullopt;
    const double step = (line.values.back() - line.values.front()) / static_cast<double>(count - 1);
    const std::size_t T = line.groups.front()->runs.front()->hidden.front().size();
    for (std::size_t k = 0; k < count; ++k) {
        if (std::abs(line.values[k] - line.values.front() - static_cast<double>(k) * step) > 1e-6 * step)
            return std::nullopt;
        for (const RunRecord* run : line.groups[k]->runs)
            if (run->hidden.front().size() != T) return std::nullopt;
    }
    HeatMap map;
    const std::string option = as_words(scan.option);
    map.title = fmt::format("Gradient over distance and {}, {}", option, line.label);
    map.x = {.label = "distance T − t from the loss", .unit = "steps"};
    map.y = {.label = option};
    map.value = {.label = "‖∂L/∂hₜ‖", .scale = Scale::log};
    for (std::size_t d = 0; d < T; ++d) map.x_at.push_back(static_cast<double>(d));
    map.y_at = line.values;
    double largest = 0, smallest = std::numeric_limits<double>::infinity();
    for (const std::int64_t at : frame_steps(line.groups)) {
        ebb::inspect::MapFrame frame{at, {}};
        for (const Group* group : line.groups)
            for (std::size_t d = 0; d < T; ++d) {
                std::vector<double> norms;
                for (const RunRecord* run : group->runs)
                    norms.push_back(run->hidden[stop_at(*run, static_cast<std::size_t>(at))][d]);
                frame.values.push_back(median(norms));
                if (!(frame.values.back() > 0) || !std::isfinite(frame.values.back())) continue;
                largest = std::max(largest, frame.values.back());
                smallest = std::min(smallest, frame.values.back());
            }
        map.frames.push_back(std::move(frame));
    }
    if (largest > 0) map.value.min = std::max(smallest, deepest * largest);
    map.caption =
        "Each row is a setting, the median over its seeds; to the right are steps that are farther from the loss. "
        "Where "
        "the colour stays to the right edge, the loss still teaches the first steps.";
    return map;
}

Table groups_table(const std::vector<RunRecord>& runs, const std::vector<Group>& groups) {
    const std::vector<std::string> differing = differing_options(runs);
    Table table;
    table.title = "The runs in numbers";
    const bool numbered = differing.size() > most_in_label || differing.empty();
    if (numbered) table.columns.push_back({"setting"});
    for (const std::string& option : differing)
        table.columns.push_back({as_words(option == "cells" ? "cell" : option)});
    for (const char* header : {"runs", "parameters", "loss at the end", "smallest", "largest", "baseline"})
        table.columns.push_back({header});
    bool answers = false;
    for (const RunRecord& run : runs)
        answers = answers || (!run.accuracy.empty() && std::isfinite(run.accuracy.back()));
    if (answers) table.columns.push_back({"right answers"});
    table.columns.push_back({"decay per step, before"});
    table.columns.push_back({"after training"});
    bool failed = false;
    for (const Group& group : groups) failed = failed || group.failed > 0;
    if (failed) table.columns.push_back({"broke down"});
    for (const Group& group : groups) {
        std::vector<ebb::inspect::Cell> row;
        if (numbered) row.emplace_back(group.label);
        for (const std::string& option : differing) row.emplace_back(value_text(group.options, option));
        const auto values = [&](auto of_run) {
            std::vector<double> list;
            for (const RunRecord* run : group.runs) list.push_back(of_run(*run));
            return list;
        };
        const std::vector<double> losses = values([](const RunRecord& run) { return run.test_loss.back(); });
        row.emplace_back(static_cast<double>(group.runs.size()));
        if (losses.empty()) {
            while (row.size() + (failed ? 1 : 0) < table.columns.size()) row.emplace_back("–");
        } else {
            row.emplace_back(static_cast<double>(group.runs.front()->parameter_count));
            row.emplace_back(median(losses));
            row.emplace_back(*std::min_element(losses.begin(), losses.end()));
            row.emplace_back(*std::max_element(losses.begin(), losses.end()));
            row.emplace_back(group.runs.front()->baseline.loss);
            if (answers) row.emplace_back(median(values([](const RunRecord& run) { return run.accuracy.back(); })));
            row.emplace_back(median(values([](const RunRecord& run) { return factor_of(run.hidden.front()); })));
            row.emplace_back(median(values([](const RunRecord& run) { return factor_of(run.hidden.back()); })));
        }
        if (failed) row.emplace_back(static_cast<double>(group.failed));
        table.rows.push_back(std::move(row));
    }
    table.caption =
        "Losses are on sequences that are not trained on, the median over seeds and the smallest and largest of them. "
        "The order of cells depends on initialisation, input scale, length and task: it is this table's alone.";
    return table;
}

Table results_table(const std::vector<RunRecord>& runs) {
    Table table;
    table.title = "Results";
    table.columns = {{"run"}};
    for (const Field& one : fields())
        if (one.kind == Field::Kind::setting || one.kind == Field::Kind::list)
            table.columns.push_back({one.kind == Field::Kind::list ? "cell" : one.name});
    for (const char* header :
         {"parameters", "baseline", "training_loss", "test_loss", "accuracy", "decay_per_step_before", "decay_per_step",
          "half_life", "memory_horizon", "spectral_radius", "largest_singular_value", "failure"})
        table.columns.push_back({header});
    for (const RunRecord& run : runs) {
        std::vector<ebb::inspect::Cell> row{run.name};
        for (const Field& one : fields())
            if (one.kind == Field::Kind::setting || one.kind == Field::Kind::list)
                row.emplace_back(one.get(run.options));
        const auto last = [](const std::vector<double>& list) { return list.empty() ? nan : list.back(); };
        const std::vector<double> none;
        const std::vector<double>& before = run.hidden.empty() ? none : run.hidden.front();
        const std::vector<double>& after = run.hidden.empty() ? none : run.hidden.back();
        const double factor = factor_of(after);
        const std::optional<std::size_t> horizon = ebb::inspect::memory_horizon(after);
        row.emplace_back(static_cast<double>(run.parameter_count));
        row.emplace_back(run.baseline.loss);
        row.emplace_back(last(run.training_loss));
        row.emplace_back(last(run.test_loss));
        row.emplace_back(last(run.accuracy));
        row.emplace_back(factor_of(before));
        row.emplace_back(factor);
        row.emplace_back(std::isnan(factor) ? nan : ebb::inspect::half_life(factor));
        row.emplace_back(horizon ? static_cast<double>(*horizon) : nan);
        row.emplace_back(last(run.spectral_radius));
        row.emplace_back(last(run.largest_singular_value));
        row.emplace_back(run.failure);
        table.rows.push_back(std::move(row));
    }
    return table;
}

Report comparison_report(const std::vector<RunRecord>& runs, const ComparisonText& text) {
    const std::vector<Group> groups = group_runs(runs);
    std::vector<std::string> differing;
    for (const std::string& option : differing_options(runs))
        differing.push_back(option == "cells" ? "cell" : as_words(option));
    Report report(text.title, differing.empty() ? std::string("One setting")
                                                : fmt::format("Runs that differ in {}", fmt::join(differing, ", ")));
    std::size_t failed = 0;
    for (const Group& group : groups) failed += group.failed;
    report.add_fact("runs", fmt::format("{}", runs.size()),
                    fmt::format("{}{}", counted(groups.size(), "setting", "settings"),
                                failed > 0 ? fmt::format("; {} broke down", counted(failed, "run", "runs")) : ""));
    const Group* best = nullptr;
    const auto relative = [](const Group& group) {
        std::vector<double> losses;
        for (const RunRecord* run : group.runs) losses.push_back(run->test_loss.back() / run->baseline.loss);
        return median(losses);
    };
    for (const Group& group : groups)
        if (!group.runs.empty() && (!best || relative(group) < relative(*best))) best = &group;
    if (best)
        report.add_fact("lowest loss", best->label,
                        fmt::format("{} of the baseline, the median of {}", format_number(relative(*best)),
                                    counted(best->runs.size(), "run", "runs")));
    std::set<std::string> definitions;
    std::string tasks;
    for (const RunRecord& run : runs)
        if (definitions.insert(run.definition).second && definitions.size() <= most_lines)
            tasks += fmt::format("{}{}\n\nBaseline: {}, {}.", tasks.empty() ? "" : "\n\n", run.definition,
                                 format_number(run.baseline.loss), run.baseline.of);
    report.add_text("What was learned", tasks);
    if (best) {
        const std::vector<Scan> scans = scans_of(groups);
        for (const Scan& scan : scans) {
            report.add(decay_figure(scan), Width::half);
            report.add(final_loss_figure(scan), Width::half);
        }
        report.add(gradient_figure(groups));
        report.add(loss_figure(groups));
        for (const Scan& scan : scans) {
            std::vector<HeatMap> maps;
            for (const Scan::Line& line : scan.lines)
                if (maps.size() < most_maps)
                    if (auto map = gradient_map(scan, line)) maps.push_back(*std::move(map));
            for (HeatMap& map : maps) report.add(std::move(map), maps.size() > 1 ? Width::half : Width::full);
        }
    }
    report.add(groups_table(runs, groups));
    report.add_text("To repeat", "In the folder of Ebb:\n\n" + as_code(text.command));
    report.add_text(
        "One run in full",
        "The unrolled graph, which loss reaches which step, units and gates of one run are in a report of its "
        "own, which is made by doing the run once more. In the folder of Ebb, with the folder of a run:\n\n"
        "    ./run demo --report FOLDER/runs/NAME");
    return report;
}

std::string results_text(const std::vector<RunRecord>& runs) {
    const std::vector<Group> groups = group_runs(runs);
    std::size_t width = 8;
    for (const Group& group : groups) width = std::max(width, ebb::inspect::count_characters(group.label));
    std::string text = fmt::format("{:<{}} {:>4} {:>9} {:>19} {:>9} {:>6} {:>7} {:>7}\n", "", width, "runs", "loss",
                                   "from ... to", "baseline", "right", "decay", "after");
    for (const Group& group : groups) {
        if (group.runs.empty()) {
            text += fmt::format("{:<{}} {:>4} broke down\n", group.label, width, group.failed);
            continue;
        }
        const auto values = [&](auto of_run) {
            std::vector<double> list;
            for (const RunRecord* run : group.runs) list.push_back(of_run(*run));
            return list;
        };
        const auto shown = [](const char* format, double value) {
            return std::isnan(value) ? std::string("-") : fmt::format(fmt::runtime(format), value);
        };
        const std::vector<double> losses = values([](const RunRecord& run) { return run.test_loss.back(); });
        const double right = median(values([](const RunRecord& run) { return run.accuracy.back(); }));
        text += fmt::format(
            "{:<{}} {:>4} {:>9.4g} {:>19} {:>9.4g} {:>6} {:>7} {:>7}\n", group.label, width, group.runs.size(),
            median(losses),
            losses.size() > 1 ? fmt::format("{:.4g} ... {:.4g}", *std::min_element(losses.begin(), losses.end()),
                                            *std::max_element(losses.begin(), losses.end()))
                              : std::string("-"),
            group.runs.front()->baseline.loss, shown("{:.3f}", right),
            shown("{:.3f}", median(values([](const RunRecord& run) { return factor_of(run.hidden.front()); }))),
            shown("{:.3f}", median(values([](const RunRecord& run) {
                      return run.steps.size() > 1 ? factor_of(run.hidden.back()) : nan;
                  }))));
    }
    text +=
        "\nLoss at the end on sequences that are not trained on, the median over seeds. Decay:\n"
        "the factor by which ||dL/dh|| changes at each step back, before and after training.\n";
    return text;
}

std::string save_comparison(const std::string& folder, const std::vector<std::string>& compared,
                            const std::vector<RunRecord>& runs) {
    std::vector<std::string> arguments{"--compare"};
    arguments.insert(arguments.end(), compared.begin(), compared.end());
    const std::string command = command_line(arguments);
    return save_report(comparison_report(runs, {"Runs compared", command}), folder, "comparison.json",
                       {{"program", "gradient_flow"}, {"version", EBB_VERSION}, {"command", command}});
}

}  // namespace lab
