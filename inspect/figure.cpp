#include <ebb/core/error.hpp>
#include <ebb/inspect/figure.hpp>
#include <ebb/inspect/number_text.hpp>
#include <ebb/inspect/palette.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

namespace ebb::inspect {

namespace {

void check_axis(const char* call, const std::string& title, const char* which, const Axis& axis) {
    if (axis.label.empty()) throw ValueError(fmt::format("{}: \"{}\": the {} axis has no label", call, title, which));
    for (const std::optional<double>& end : {axis.min, axis.max})
        if (end && !is_drawable(axis, *end))
            throw ValueError(fmt::format("{}: \"{}\": the {} axis ends at {}: expected a {} number", call, title, which,
                                         *end, axis.scale == Scale::log ? "finite positive" : "finite"));
    if (axis.min && axis.max && *axis.min >= *axis.max)
        throw ValueError(fmt::format("{}: \"{}\": the {} axis goes from {} to {}: expected min below max", call, title,
                                     which, *axis.min, *axis.max));
}

void check_series(const char* call, const LineFigure& figure, const std::vector<Series>& group,
                  std::set<std::string>& names) {
    for (const Series& series : group) {
        if (series.name.empty()) throw ValueError(fmt::format("{}: \"{}\": a series has no name", call, figure.title));
        if (!names.insert(series.name).second)
            throw ValueError(
                fmt::format("{}: \"{}\": two series have the name \"{}\"", call, figure.title, series.name));
        if (series.x.size() != series.y.size())
            throw ValueError(fmt::format(
                "{}: \"{}\": series \"{}\" has {} and {}: expected as many x as y", call, figure.title, series.name,
                counted(series.x.size(), "value of x", "values of x"), counted(series.y.size(), "of y", "of y")));
        for (const std::vector<double>* edge : {&series.low, &series.high})
            if (series.low.size() != series.high.size() || (!edge->empty() && edge->size() != series.y.size()))
                throw ValueError(
                    fmt::format("{}: \"{}\": the band of series \"{}\" has {} and {}: expected as many as y, {}", call,
                                figure.title, series.name, counted(series.low.size(), "lower edge", "lower edges"),
                                counted(series.high.size(), "upper one", "upper ones"), series.y.size()));
        if (series.x.empty())
            throw ValueError(fmt::format("{}: \"{}\": series \"{}\" is empty", call, figure.title, series.name));
        for (const double x : series.x)
            if (!is_drawable(figure.x, x))
                throw ValueError(fmt::format("{}: \"{}\": series \"{}\" has an x of {}: expected {} numbers", call,
                                             figure.title, series.name, x,
                                             figure.x.scale == Scale::log ? "finite positive" : "finite"));
    }
}

/// "3 values are 0, 1 is NaN"; empty when everything is drawn.
std::string left_out_text(const Drawn& drawn) {
    std::string text;
    const auto add = [&](std::size_t count, const char* what) {
        if (count == 0) return;
        if (text.empty()) {
            text = fmt::format("{} {} {}", count, count == 1 ? "value is" : "values are", what);
        } else {
            text += fmt::format(", {} {} {}", count, count == 1 ? "is" : "are", what);
        }
    };
    add(drawn.zero, "0");
    add(drawn.negative, "negative");
    add(drawn.nan, "NaN");
    add(drawn.infinite, "infinite");
    return text;
}

template <class Frames>
void check_rising(const char* call, const std::string& title, const Frames& frames) {
    for (std::size_t i = 1; i < frames.size(); ++i)
        if (frames[i].step <= frames[i - 1].step)
            throw ValueError(fmt::format("{}: \"{}\": frame {} is of step {}, after step {}: expected rising steps",
                                         call, title, i, frames[i].step, frames[i - 1].step));
}

/// The number of the frame that is meant; throws IndexError for one that the figure does not have.
template <class Figure>
std::size_t frame_number(const Figure& figure, std::optional<std::size_t> frame) {
    if (frame && *frame >= figure.frames.size())
        throw IndexError(fmt::format("\"{}\": frame {} of a figure with {}", figure.title, *frame,
                                     counted(figure.frames.size(), "frame", "frames")));
    return frame.value_or(figure.frames.empty() ? 0 : figure.frames.size() - 1);
}

template <class Figure>
std::string text_of_frame(const Figure& figure, std::optional<std::size_t> frame) {
    const std::size_t number = frame_number(figure, frame);
    if (figure.frames.empty()) return {};
    return fmt::format("{} {}", figure.frame_label, format_integer(static_cast<double>(figure.frames[number].step)));
}

std::string note_from(const std::string& left_out, bool lacks_zero, std::size_t outside) {
    std::string note;
    if (!left_out.empty()) note = "Not drawn: " + left_out + (lacks_zero ? " (a log axis has no 0)." : ".");
    if (outside > 0)
        note += fmt::format("{}Beyond the ends of the axis: {}.", note.empty() ? "" : " ",
                            counted(outside, "value", "values"));
    return note;
}

}  // namespace

void check(const char* call, const LineFigure& figure) {
    if (figure.title.empty()) throw ValueError(fmt::format("{}: a figure has no title", call));
    check_axis(call, figure.title, "x", figure.x);
    check_axis(call, figure.title, "y", figure.y);
    if (figure.series.empty() && figure.frames.empty())
        throw ValueError(
            fmt::format("{}: \"{}\": the figure is empty: expected at least one series", call, figure.title));
    std::set<std::string> fixed;
    check_series(call, figure, figure.series, fixed);
    std::set<std::string> all_names = fixed;
    check_rising(call, figure.title, figure.frames);
    for (std::size_t i = 0; i < figure.frames.size(); ++i) {
        const Frame& frame = figure.frames[i];
        if (frame.series.empty())
            throw ValueError(fmt::format("{}: \"{}\": frame {} (step {}) is empty: expected at least one series", call,
                                         figure.title, i, frame.step));
        std::set<std::string> names = fixed;
        check_series(call, figure, frame.series, names);
        all_names.merge(names);
    }
    const auto check_likes = [&](const std::vector<Series>& group) {
        for (const Series& series : group)
            if (!series.like.empty() && !all_names.contains(series.like))
                throw ValueError(fmt::format("{}: \"{}\": series \"{}\" is like \"{}\", which the figure does not have",
                                             call, figure.title, series.name, series.like));
    };
    check_likes(figure.series);
    for (const Frame& frame : figure.frames) check_likes(frame.series);
}

void check(const char* call, const HeatMap& figure) {
    if (figure.title.empty()) throw ValueError(fmt::format("{}: a figure has no title", call));
    check_axis(call, figure.title, "x", figure.x);
    check_axis(call, figure.title, "y", figure.y);
    check_axis(call, figure.title, "value", figure.value);
    if (figure.x_at.empty() || figure.y_at.empty())
        throw ValueError(fmt::format("{}: \"{}\": the heat map is empty: it has {} and {}", call, figure.title,
                                     counted(figure.x_at.size(), "column", "columns"),
                                     counted(figure.y_at.size(), "row", "rows")));
    const auto check_values = [&](const std::vector<double>& values, const std::string& where) {
        if (values.size() != figure.x_at.size() * figure.y_at.size())
            throw ValueError(fmt::format("{}: \"{}\": {}{}: expected {} x {} = {}", call, figure.title, where,
                                         counted(values.size(), "value", "values"), figure.y_at.size(),
                                         figure.x_at.size(), figure.x_at.size() * figure.y_at.size()));
    };
    if (figure.frames.empty()) check_values(figure.values, "");
    if (!figure.frames.empty() && !figure.values.empty())
        throw ValueError(fmt::format("{}: \"{}\": {} beside {}: expected the frames alone", call, figure.title,
                                     counted(figure.values.size(), "value", "values"),
                                     counted(figure.frames.size(), "frame", "frames")));
    for (std::size_t i = 0; i < figure.frames.size(); ++i)
        check_values(figure.frames[i].values, fmt::format("frame {} has ", i));
    check_rising(call, figure.title, figure.frames);
    const auto check_places = [&](const char* which, const Axis& axis, const std::vector<double>& at) {
        if (axis.scale == Scale::log)
            throw ValueError(
                fmt::format("{}: \"{}\": the {} axis of a heat map must be linear", call, figure.title, which));
        const double gap = at.size() > 1 ? at[1] - at[0] : 1.0;
        for (std::size_t i = 0; i < at.size(); ++i) {
            const double expected = at[0] + gap * static_cast<double>(i);
            if (!std::isfinite(at[i]) || gap <= 0 || std::abs(at[i] - expected) > 1e-6 * gap)
                throw ValueError(fmt::format("{}: \"{}\": {}[{}] is {}: expected evenly spaced, rising, finite numbers",
                                             call, figure.title, which, i, at[i]));
        }
    };
    check_places("x", figure.x, figure.x_at);
    check_places("y", figure.y, figure.y_at);
}

void check(const char* call, const GraphFigure& figure) {
    if (figure.title.empty()) throw ValueError(fmt::format("{}: a figure has no title", call));
    const UnrolledGraph& graph = figure.graph;
    if (graph.nodes.empty())
        throw ValueError(
            fmt::format("{}: \"{}\": the graph is empty: expected what unrolled_graph() gives", call, figure.title));
    const auto check_edges = [&](const char* which, const std::vector<GraphEdge>& edges, std::size_t count) {
        for (const GraphEdge& edge : edges)
            if (edge.from >= count || edge.to >= count)
                throw ValueError(fmt::format("{}: \"{}\": an edge goes from {} {} to {} of {}", call, figure.title,
                                             which, edge.from, edge.to, count));
    };
    check_edges("node", graph.edges, graph.nodes.size());
    check_edges("step", graph.step_edges, graph.steps.size());
    for (const GraphFrame& frame : figure.frames) {
        const GraphNumbers& numbers = frame.numbers;
        if (numbers.value_norm.size() != graph.nodes.size() || numbers.grad_norm.size() != graph.nodes.size() ||
            numbers.edge.size() != graph.edges.size() || numbers.step_edge.size() != graph.step_edges.size())
            throw ValueError(
                fmt::format("{}: \"{}\": the frame of step {} has other numbers than the graph has nodes "
                            "and edges: expected what add_frame() makes",
                            call, figure.title, frame.step));
    }
    check_rising(call, figure.title, figure.frames);
}

void add_frame(GraphFigure& figure, std::int64_t step, UnrolledGraph graph) {
    if (!figure.frames.empty()) {
        if (const std::string what = difference(graph, figure.graph); !what.empty())
            throw ValueError(fmt::format("add_frame: \"{}\": the graph of step {} is not the network of step {}: {}",
                                         figure.title, step, figure.frames.back().step, what));
        if (step <= figure.frames.back().step)
            throw ValueError(fmt::format("add_frame: \"{}\": step {} comes after step {}: expected rising steps",
                                         figure.title, step, figure.frames.back().step));
    }
    figure.frames.push_back({step, numbers_of(graph)});
    figure.graph = std::move(graph);
}

void check(const char* call, const Table& table) {
    if (table.title.empty()) throw ValueError(fmt::format("{}: a table has no title", call));
    if (table.columns.empty() || table.rows.empty())
        throw ValueError(fmt::format("{}: \"{}\": the table is empty: it has {} and {}", call, table.title,
                                     counted(table.columns.size(), "column", "columns"),
                                     counted(table.rows.size(), "row", "rows")));
    for (std::size_t i = 0; i < table.rows.size(); ++i)
        if (table.rows[i].size() != table.columns.size())
            throw ValueError(fmt::format("{}: \"{}\": row {} has {}: expected {}, one for each column", call,
                                         table.title, i, counted(table.rows[i].size(), "cell", "cells"),
                                         table.columns.size()));
}

std::vector<const Series*> series_of(const LineFigure& figure, std::optional<std::size_t> frame) {
    std::vector<const Series*> all;
    const std::size_t number = frame_number(figure, frame);
    if (!figure.frames.empty())
        for (const Series& series : figure.frames[number].series) all.push_back(&series);
    for (const Series& series : figure.series) all.push_back(&series);
    return all;
}

const std::vector<double>& values_of(const HeatMap& figure, std::optional<std::size_t> frame) {
    const std::size_t number = frame_number(figure, frame);
    return figure.frames.empty() ? figure.values : figure.frames[number].values;
}

UnrolledGraph graph_of(const GraphFigure& figure, std::optional<std::size_t> frame) {
    const std::size_t number = frame_number(figure, frame);
    UnrolledGraph graph = figure.graph;
    if (figure.frames.empty()) return graph;
    const GraphNumbers& numbers = figure.frames[number].numbers;
    for (std::size_t k = 0; k < graph.nodes.size(); ++k) {
        graph.nodes[k].value_norm = numbers.value_norm[k];
        graph.nodes[k].grad_norm = numbers.grad_norm[k];
        // Only of the last frame the numbers themselves are known.
        if (number + 1 < figure.frames.size()) graph.nodes[k].value = graph.nodes[k].gradient = std::nullopt;
    }
    for (std::size_t k = 0; k < graph.edges.size(); ++k) graph.edges[k].grad_norm = numbers.edge[k];
    for (std::size_t k = 0; k < graph.step_edges.size(); ++k) graph.step_edges[k].grad_norm = numbers.step_edge[k];
    for (GraphStep& step : graph.steps)
        if (!step.states.empty()) step.grad_norm = graph.nodes[step.states.front()].grad_norm;
    return graph;
}

std::string frame_text(const LineFigure& figure, std::optional<std::size_t> frame) {
    return text_of_frame(figure, frame);
}
std::string frame_text(const HeatMap& figure, std::optional<std::size_t> frame) {
    return text_of_frame(figure, frame);
}
std::string frame_text(const GraphFigure& figure, std::optional<std::size_t> frame) {
    return text_of_frame(figure, frame);
}

Series level_line(std::string name, double y, double from, double to) {
    return {.name = std::move(name), .x = {from, to}, .y = {y, y}, .style = LineStyle::reference};
}

Series median_and_range(std::string name, const std::vector<double>& x, const std::vector<std::vector<double>>& runs) {
    if (runs.empty()) throw ValueError(fmt::format("median_and_range: \"{}\" has no run: expected at least one", name));
    for (const std::vector<double>& run : runs)
        if (run.size() != x.size())
            throw ValueError(fmt::format("median_and_range: \"{}\": a run has {}: expected {}, one for each x", name,
                                         counted(run.size(), "value", "values"), x.size()));
    Series series;
    series.name = std::move(name);
    series.x = x;
    for (std::size_t k = 0; k < x.size(); ++k) {
        std::vector<double> values;
        for (const std::vector<double>& run : runs)
            if (!std::isnan(run[k])) values.push_back(run[k]);
        if (values.empty()) values.push_back(std::nan(""));
        std::sort(values.begin(), values.end());
        const std::size_t half = values.size() / 2;
        series.y.push_back(values.size() % 2 == 1 ? values[half] : values[half - 1] / 2 + values[half] / 2);
        series.low.push_back(values.front());
        series.high.push_back(values.back());
    }
    return series;
}

void assign_colours(LineFigure& figure) {
    std::vector<Series*> all;
    for (Frame& frame : figure.frames)
        for (Series& series : frame.series) all.push_back(&series);
    for (Series& series : figure.series) all.push_back(&series);

    std::map<std::string, std::size_t> by_name;
    std::set<std::size_t> taken;
    for (const Series* series : all)
        if (series->colour) {
            by_name.emplace(series->name, *series->colour);
            taken.insert(*series->colour);
        }
    std::size_t next = 0;
    const auto take_next = [&] {
        while (taken.contains(next)) ++next;
        taken.insert(next);
        return next;
    };
    // First those that stand for themselves, so that the others find them.
    for (const bool follows : {false, true})
        for (Series* series : all) {
            if (series->like.empty() == follows || series->colour) continue;
            const auto found = by_name.find(follows ? series->like : series->name);
            if (found != by_name.end()) {
                series->colour = found->second;
                continue;
            }
            series->colour = take_next();
            by_name.emplace(follows ? series->like : series->name, *series->colour);
        }
}

std::string axis_title(const Axis& axis) {
    return axis.unit.empty() ? axis.label : fmt::format("{} ({})", axis.label, axis.unit);
}

bool is_drawable(const Axis& axis, double value) {
    return std::isfinite(value) && (axis.scale == Scale::linear || value > 0);
}

Drawn count_drawn(const Axis& axis, const std::vector<double>& values) {
    Drawn counts;
    for (const double value : values) {
        if (std::isnan(value)) {
            ++counts.nan;
        } else if (std::isinf(value)) {
            ++counts.infinite;
        } else if (axis.scale == Scale::log && value == 0) {
            ++counts.zero;
        } else if (axis.scale == Scale::log && value < 0) {
            ++counts.negative;
        } else {
            counts.low = counts.drawn == 0 ? value : std::min(counts.low, value);
            counts.high = counts.drawn == 0 ? value : std::max(counts.high, value);
            ++counts.drawn;
            if ((axis.min && value < *axis.min) || (axis.max && value > *axis.max)) ++counts.outside;
        }
    }
    return counts;
}

std::string missing_note(const LineFigure& figure, std::optional<std::size_t> frame) {
    std::string text;
    bool lacks_zero = false;
    std::size_t outside = 0;
    for (const Series* series : series_of(figure, frame)) {
        const Drawn counts = count_drawn(figure.y, series->y);
        lacks_zero = lacks_zero || counts.zero > 0;
        outside += counts.outside;
        if (counts.left_out() > 0)
            text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", series->name, left_out_text(counts));
    }
    return note_from(text, lacks_zero, outside);
}

std::string missing_note(const HeatMap& figure, std::optional<std::size_t> frame) {
    Drawn counts = count_drawn(figure.value, values_of(figure, frame));
    if (figure.sparse) counts.nan = 0;
    // Beyond the ends of the scale a cell takes the colour of the end: it is drawn.
    return note_from(left_out_text(counts), counts.zero > 0, 0);
}

}  // namespace ebb::inspect
