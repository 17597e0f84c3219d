#include <ebb/core/error.hpp>
#include <ebb/core/file.hpp>
#include <ebb/inspect/graph_layout.hpp>
#include <ebb/inspect/number_text.hpp>
#include <ebb/inspect/palette.hpp>
#include <ebb/inspect/svg_canvas.hpp>
#include <ebb/inspect/ticks.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

namespace ebb::inspect {

using namespace drawing;

namespace {

const Axis gradient_axis{.label = "norm of gradient", .scale = Scale::log};

/// Where a number lies on the scale, and what that looks like.
class Gradients {
  public:
    explicit Gradients(const Ticks& ticks) : ticks_(ticks) {}
    double position(const std::optional<double>& norm) const {
        if (!norm || !is_drawable(gradient_axis, *norm)) return 0;
        return std::clamp(position_on(gradient_axis, ticks_, *norm), 0.0, 1.0);
    }
    bool shows(const std::optional<double>& norm) const { return norm && is_drawable(gradient_axis, *norm); }
    double edge_width(const std::optional<double>& norm) const { return shows(norm) ? 0.7 + 4 * position(norm) : 0.5; }
    /// Paint of a node; without a gradient that of what is missing.
    std::string fill(const Canvas& canvas, const std::optional<double>& norm) const {
        return shows(norm) ? fmt::format("fill=\"{}\"", heat_colour(position(norm))) : canvas.paint("ebb-missing");
    }
    /// Black or white, whichever is read better on that paint.
    std::string ink(const std::optional<double>& norm) const {
        return !shows(norm) ? "" : position(norm) < 0.55 ? "fill=\"#ffffff\"" : "fill=\"#10131a\"";
    }

  private:
    Ticks ticks_;
};

/// Nodes and edges of either kind, in places that a picture of some size shows.
class View {
  public:
    View(const Box& plot, double left, double right, double bottom, double top)
        : plot_(plot),
          left_(left),
          bottom_(bottom),
          scale_(std::min(plot.width() / std::max(right - left, 1.0), plot.height() / std::max(top - bottom, 1.0))),
          indent_((plot.width() - scale_ * (right - left)) / 2),
          rise_((plot.height() - scale_ * (top - bottom)) / 2) {}
    double x(double at) const { return plot_.left + indent_ + scale_ * (at - left_); }
    double y(double at) const { return plot_.bottom - rise_ - scale_ * (at - bottom_); }
    double scale() const { return scale_; }

  private:
    Box plot_;
    double left_, bottom_, scale_, indent_, rise_;
};

struct Extent {
    double left = 1e300, right = -1e300, bottom = 1e300, top = -1e300;
    void add(double x, double y) {
        left = std::min(left, x);
        right = std::max(right, x);
        bottom = std::min(bottom, y);
        top = std::max(top, y);
    }
};

void draw_edge(Canvas& canvas, double x1, double y1, double x2, double y2, double width) {
    canvas.line(x1, y1, x2, y2,
                fmt::format("{} stroke-width=\"{}\" stroke-linecap=\"round\" opacity=\"0.75\"",
                            canvas.paint("ebb-axis"), px(width)));
}

std::string tooltip(const std::string& what, const std::optional<double>& gradient) {
    return fmt::format("<title>{}{}</title>", escape_markup(what),
                       gradient ? ": norm of gradient " + format_number(*gradient) : "");
}

/// A weight is used at every step: in a still picture its edges would hide the rest.
bool is_drawn(const GraphNode& node) {
    return node.place != GraphPlace::below;
}

Extent extent_of_nodes(const UnrolledGraph& graph) {
    Extent extent;
    for (const GraphNode& node : graph.nodes)
        if (is_drawn(node)) extent.add(node.x, node.y);
    return extent;
}

/// Whether every node is a number, as in a textbook's graph: then there is room for it.
bool is_of_numbers(const UnrolledGraph& graph) {
    return std::all_of(graph.nodes.begin(), graph.nodes.end(), [](const GraphNode& node) { return node.value; });
}

/// What stands in a node: its name, or its operation; of numbers "y = 0.29" over "dy = -1.4".
std::vector<std::string> lines_of(const GraphNode& node, bool of_numbers) {
    const std::string label = node.name.empty() ? node.operation : node.name;
    if (!of_numbers) return {label};
    std::vector<std::string> lines{fmt::format("{} = {}", label, format_number(*node.value))};
    if (node.gradient) lines.push_back(fmt::format("d{} = {}", node.name, format_number(*node.gradient)));
    return lines;
}

void draw_nodes(Canvas& canvas, const UnrolledGraph& graph, const View& view, const Gradients& gradients) {
    std::map<std::int32_t, Extent> frames;
    for (const GraphNode& node : graph.nodes)
        if (node.place == GraphPlace::step && node.time_step >= 0) frames[node.time_step].add(node.x, node.y);
    double bottom = 1e300, top = -1e300;
    for (const auto& [time_step, frame] : frames) {
        bottom = std::min(bottom, frame.bottom);
        top = std::max(top, frame.top);
    }
    const double half_width = 0.44 * node_distance, half_height = 0.2 * row_distance;
    for (const auto& [time_step, frame] : frames) {
        const double left = view.x(frame.left - 0.6 * node_distance), right = view.x(frame.right + 0.6 * node_distance);
        const double upper = view.y(top + 0.55 * row_distance), lower = view.y(bottom - 0.55 * row_distance);
        canvas.add(fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"6\" fill=\"none\" {}/>",
                               px(left), px(upper), px(right - left), px(lower - upper), canvas.paint("ebb-grid")));
        canvas.text((left + right) / 2, lower + label_size + 3, fmt::format("t = {}", time_step), label_size,
                    "ebb-muted", "text-anchor=\"middle\"");
    }
    for (const GraphEdge& edge : graph.edges) {
        const GraphNode &from = graph.nodes[edge.from], &to = graph.nodes[edge.to];
        if (is_drawn(from) && is_drawn(to))
            draw_edge(canvas, view.x(from.x), view.y(from.y), view.x(to.x), view.y(to.y),
                      gradients.edge_width(edge.grad_norm));
    }
    const bool of_numbers = is_of_numbers(graph);
    for (const GraphNode& node : graph.nodes) {
        if (!is_drawn(node)) continue;
        const std::string label = node.name.empty() ? node.operation : node.name;
        canvas.add(fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"3\" {}>{}</rect>",
                               px(view.x(node.x - half_width)), px(view.y(node.y + half_height)),
                               px(2 * half_width * view.scale()), px(2 * half_height * view.scale()),
                               gradients.fill(canvas, node.grad_norm), tooltip(label, node.grad_norm)));
        const std::vector<std::string> lines = lines_of(node, of_numbers);
        const double room = 2 * half_width * view.scale() - 4;
        double size = std::min(label_size, 1.5 * half_height * view.scale() / static_cast<double>(lines.size()));
        for (const std::string& line : lines)
            if (const double width = text_width(line, size); width > room) size *= room / width;
        if (size < 4) continue;
        const std::string ink = gradients.ink(node.grad_norm);
        for (std::size_t k = 0; k < lines.size(); ++k) {
            const double from_middle = 1.2 * (static_cast<double>(k) - 0.5 * static_cast<double>(lines.size() - 1));
            const double x = view.x(node.x), y = view.y(node.y) + (from_middle + 0.35) * size;
            if (ink.empty())
                canvas.text(x, y, lines[k], size, "ebb-ink", "text-anchor=\"middle\"");
            else
                canvas.add(fmt::format("<text x=\"{}\" y=\"{}\" font-size=\"{}\" {} text-anchor=\"middle\">{}</text>",
                                       px(x), px(y), px(size), ink, escape_markup(lines[k])));
        }
    }
}

/// A round node for each step; bars where there is no room for round ones.
void draw_steps(Canvas& canvas, const UnrolledGraph& graph, const Box& plot, const Gradients& gradients) {
    std::int32_t first = 0, last = 0;
    std::set<std::size_t> lanes;
    bool any = false, gathers = false;
    for (const GraphStep& step : graph.steps) {
        gathers = gathers || step.time_step < 0;
        if (step.time_step < 0) continue;
        first = any ? std::min(first, step.time_step) : step.time_step;
        last = any ? std::max(last, step.time_step) : step.time_step;
        lanes.insert(step.lane);
        any = true;
    }
    const std::vector<std::size_t> order(lanes.begin(), lanes.end());
    double names = 0;
    for (const std::size_t lane : order) names = std::max(names, text_width(graph.lanes[lane], label_size));
    const Box inner{plot.left + std::min(names, plot.width() / 4) + 10, plot.top, plot.right, plot.bottom - 40};
    const double column = inner.width() / std::max(1, last - first + 1);
    const double row = inner.height() / static_cast<double>(order.size() + (gathers ? 1 : 0));
    const bool round = column > 14;
    const double radius = std::min({0.36 * column, 0.3 * row, 18.0});
    const auto x = [&](const GraphStep& step) {
        return step.time_step < 0 ? (inner.left + inner.right) / 2
                                  : inner.left + column * (step.time_step - first + 0.5);
    };
    const auto y = [&](const GraphStep& step) {
        const auto place = static_cast<double>(std::find(order.begin(), order.end(), step.lane) - order.begin());
        return step.time_step < 0 ? inner.top + row / 2 : inner.bottom - row * (place + 0.5);
    };
    for (const GraphEdge& edge : graph.step_edges) {
        const GraphStep &from = graph.steps[edge.from], &to = graph.steps[edge.to];
        // Between bars there is no room for edges either.
        if (round) draw_edge(canvas, x(from), y(from), x(to), y(to), gradients.edge_width(edge.grad_norm));
    }
    for (const GraphStep& step : graph.steps) {
        const std::string what = step.time_step < 0 ? "what gathers the steps"
                                                    : fmt::format("{}, t = {}", graph.lanes[step.lane], step.time_step);
        const std::string look = gradients.fill(canvas, step.grad_norm) + ">" + tooltip(what, step.grad_norm);
        if (round || step.time_step < 0)
            canvas.add(fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"{}\" {}</circle>", px(x(step)), px(y(step)),
                                   px(step.time_step < 0 ? std::max(radius, 7.0) : radius), look));
        else
            canvas.add(fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" {}</rect>",
                                   px(x(step) - column / 2), px(y(step) - 0.3 * row), px(column + 0.3), px(0.6 * row),
                                   look));
    }
    for (std::size_t k = 0; k < order.size(); ++k)
        canvas.text(inner.left - 10, inner.bottom - row * (static_cast<double>(k) + 0.5) + 4, graph.lanes[order[k]],
                    label_size, "ebb-muted", "text-anchor=\"end\"");
    const std::size_t wanted = std::clamp<std::size_t>(static_cast<std::size_t>(inner.width() / 70), 2, 12);
    const Ticks ticks = linear_ticks(first, std::max(last, first + 1), wanted, Ends::exact);
    for (const Tick& tick : ticks.major)
        if (std::trunc(tick.at) == tick.at && tick.at <= last)
            canvas.text(inner.left + column * (tick.at - first + 0.5), inner.bottom + 16, tick.text, label_size,
                        "ebb-muted", "text-anchor=\"middle\"");
    canvas.text((inner.left + inner.right) / 2, inner.bottom + 34, "time step t", label_size, "ebb-ink",
                "text-anchor=\"middle\"");
}

}  // namespace

std::string to_svg(const GraphFigure& figure, const SvgOptions& options) {
    check("to_svg", figure);
    check_size("to_svg", options);
    const UnrolledGraph graph = graph_of(figure, options.frame);
    const Ticks scale = gradient_ticks(figure);
    const Gradients gradients(scale);
    Canvas canvas(options, figure.title, figure.caption);
    const double below_title = draw_title(canvas, figure.title, frame_text(figure, options.frame), options.theme);
    const Box plot{margin, below_title + label_size + 16, canvas.width() - colour_bar_room(scale),
                   canvas.height() - margin};
    // Node by node, where their names can still be read.
    const Extent extent = extent_of_nodes(graph);
    Box inner = plot;
    inner.bottom -= 20;
    const View view(inner, extent.left - 0.6 * node_distance, extent.right + 0.6 * node_distance,
                    extent.bottom - 0.6 * row_distance, extent.top + 0.6 * row_distance);
    if (view.scale() > 0.3 || graph.steps.size() < 2)
        draw_nodes(canvas, graph, view, gradients);
    else
        draw_steps(canvas, graph, plot, gradients);
    draw_colour_bar(canvas, plot, gradient_axis, scale);
    return canvas.take();
}

void save_svg(const std::string& path, const GraphFigure& figure, const SvgOptions& options) {
    write_file_atomically(path, to_svg(figure, options));
}

}  // namespace ebb::inspect
