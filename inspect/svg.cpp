#include <ebb/core/error.hpp>
#include <ebb/core/file.hpp>
#include <ebb/inspect/contours.hpp>
#include <ebb/inspect/number_text.hpp>
#include <ebb/inspect/palette.hpp>
#include <ebb/inspect/svg.hpp>
#include <ebb/inspect/svg_canvas.hpp>
#include <ebb/inspect/ticks.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace ebb::inspect {

using namespace drawing;

namespace {

void draw_x_axis(Canvas& canvas, const Axis& axis, const Ticks& ticks, const Box& plot, bool grid) {
    const auto at = [&](double value) { return plot.left + plot.width() * position_on(axis, ticks, value); };
    canvas.line(plot.left, plot.bottom, plot.right, plot.bottom, canvas.paint("ebb-axis"));
    for (const double minor : ticks.minor)
        canvas.line(at(minor), plot.bottom, at(minor), plot.bottom + 3, canvas.paint("ebb-axis"));
    double free_from = -1e9;
    std::vector<const Tick*> order;
    for (const Tick& tick : ticks.major) order.push_back(&tick);
    if (axis.reversed) std::reverse(order.begin(), order.end());
    for (const Tick* tick : order) {
        const double x = at(tick->at);
        if (grid) canvas.line(x, plot.top, x, plot.bottom, canvas.paint("ebb-grid"));
        canvas.line(x, plot.bottom, x, plot.bottom + 5, canvas.paint("ebb-axis"));
        const double half = text_width(tick->text, label_size) / 2;
        if (x - half < free_from) continue;
        canvas.text(x, plot.bottom + 18, tick->text, label_size, "ebb-muted", "text-anchor=\"middle\"");
        free_from = x + half + 6;
    }
    canvas.text((plot.left + plot.right) / 2, plot.bottom + 36, axis_title(axis), label_size, "ebb-ink",
                "text-anchor=\"middle\"");
}

void draw_y_axis(Canvas& canvas, const Axis& axis, const Ticks& ticks, const Box& plot, bool grid) {
    const auto at = [&](double value) { return plot.bottom - plot.height() * position_on(axis, ticks, value); };
    if (!grid) canvas.line(plot.left, plot.top, plot.left, plot.bottom, canvas.paint("ebb-axis"));
    for (const double minor : ticks.minor)
        canvas.line(plot.left - 3, at(minor), plot.left, at(minor), canvas.paint("ebb-axis"));
    double free_above = 1e9;
    std::vector<const Tick*> order;
    for (const Tick& tick : ticks.major) order.push_back(&tick);
    if (axis.reversed) std::reverse(order.begin(), order.end());
    for (const Tick* tick : order) {
        const double y = at(tick->at);
        if (grid) canvas.line(plot.left, y, plot.right, y, canvas.paint("ebb-grid"));
        if (y > free_above) continue;
        canvas.text(plot.left - 8, y + 4, tick->text, label_size, "ebb-muted", "text-anchor=\"end\"");
        free_above = y - label_size;
    }
    canvas.text(margin, plot.top - 12, axis_title(axis), label_size, "ebb-ink");
}

struct Point {
    double x, y;
};

/// Of many points in one column of pixels only the first, the lowest, the highest and the last can be seen.
std::vector<Point> thinned(std::vector<Point> points, double width) {
    if (static_cast<double>(points.size()) <= 4 * width) return points;
    std::vector<Point> kept;
    for (std::size_t begin = 0; begin < points.size();) {
        std::size_t end = begin + 1;
        while (end < points.size() && std::floor(points[end].x * 2) == std::floor(points[begin].x * 2)) ++end;
        const auto first = points.begin() + static_cast<std::ptrdiff_t>(begin);
        const auto last = points.begin() + static_cast<std::ptrdiff_t>(end);
        const auto [low, high] =
            std::minmax_element(first, last, [](const Point& a, const Point& b) { return a.y < b.y; });
        kept.push_back(*first);
        if (end - begin > 3) {
            kept.push_back(std::min(low, high) == low ? *low : *high);
            kept.push_back(std::min(low, high) == low ? *high : *low);
        }
        if (end - begin > 1) kept.push_back(*(last - 1));
        begin = end;
    }
    return kept;
}

/// The path of one line: a new part after each value that cannot be drawn, a dot where a value stands alone.
std::string path_of(const LineFigure& figure, const Series& series, const AxesTicks& ticks, const Box& plot) {
    std::string path;
    std::vector<Point> part;
    const auto finish_part = [&] {
        part = thinned(std::move(part), plot.width());
        for (std::size_t i = 0; i < part.size(); ++i)
            path += fmt::format("{}{} {}", i == 0 ? "M" : "L", px(part[i].x), px(part[i].y));
        if (part.size() == 1) path += "h0";
        part.clear();
    };
    for (std::size_t i = 0; i < series.y.size(); ++i) {
        if (!is_drawable(figure.y, series.y[i])) {
            finish_part();
            continue;
        }
        // Far outside of the plot a line is as good as at its edge, and coordinates stay short.
        const double x = std::clamp(position_on(figure.x, ticks.x, series.x[i]), -20.0, 20.0);
        const double y = std::clamp(position_on(figure.y, ticks.y, series.y[i]), -20.0, 20.0);
        part.push_back({plot.left + plot.width() * x, plot.bottom - plot.height() * y});
    }
    finish_part();
    return path;
}

/// The outline of a band: along its upper edge and back along the lower one. A part ends where an edge cannot be drawn.
std::string band_of(const LineFigure& figure, const Series& series, const AxesTicks& ticks, const Box& plot) {
    std::string path;
    std::string back;
    const auto at = [&](double x, double y) {
        return fmt::format(
            "{} {}", px(plot.left + plot.width() * std::clamp(position_on(figure.x, ticks.x, x), -20.0, 20.0)),
            px(plot.bottom - plot.height() * std::clamp(position_on(figure.y, ticks.y, y), -20.0, 20.0)));
    };
    const auto finish_part = [&] {
        if (!back.empty()) path += back + 'z';
        back.clear();
    };
    for (std::size_t i = 0; i < series.low.size(); ++i) {
        if (!is_drawable(figure.y, series.low[i]) || !is_drawable(figure.y, series.high[i])) {
            finish_part();
            continue;
        }
        path += (back.empty() ? 'M' : 'L') + at(series.x[i], series.high[i]);
        back = 'L' + at(series.x[i], series.low[i]) + back;
    }
    finish_part();
    return path;
}

/// True when the figure ends before some of its values.
bool is_cut_off(const LineFigure& figure, const std::vector<const Series*>& all) {
    return std::any_of(all.begin(), all.end(), [&](const Series* series) {
        return count_drawn(figure.x, series->x).outside > 0 || count_drawn(figure.y, series->y).outside > 0;
    });
}

struct Label {
    const Series* series;
    double wanted;  // the y where the line ends
    double y;       // where the label finds room
};

/// Labels next to the ends of their lines, moved apart where they would overlap.
std::vector<Label> placed_labels(const LineFigure& figure, const std::vector<const Series*>& named,
                                 const AxesTicks& ticks, const Box& plot) {
    std::vector<Label> labels;
    for (const Series* series : named) {
        double rightmost = -1;
        double y = (plot.top + plot.bottom) / 2;
        for (std::size_t i = 0; i < series->y.size(); ++i) {
            if (!is_drawable(figure.y, series->y[i])) continue;
            const double position = position_on(figure.x, ticks.x, series->x[i]);
            if (position < rightmost) continue;
            rightmost = position;
            y = plot.bottom - plot.height() * std::clamp(position_on(figure.y, ticks.y, series->y[i]), 0.0, 1.0);
        }
        labels.push_back({series, y, y});
    }
    std::stable_sort(labels.begin(), labels.end(), [](const Label& a, const Label& b) { return a.wanted < b.wanted; });
    constexpr double gap = 16;
    for (std::size_t i = 1; i < labels.size(); ++i) labels[i].y = std::max(labels[i].y, labels[i - 1].y + gap);
    // What was pushed below the plot comes back up, and pushes those above it.
    double limit = plot.bottom;
    for (auto label = labels.rbegin(); label != labels.rend(); ++label) {
        label->y = std::min(label->y, limit);
        limit = label->y - gap;
    }
    return labels;
}

/// Names at the ends of lines are the better legend, as long as they have room and the lines reach the end.
bool can_label_ends(const LineFigure& figure, const std::vector<const Series*>& named, const AxesTicks& ticks,
                    double width, double height) {
    if (width < 480 || named.size() < 2 || 16 * static_cast<double>(named.size()) > height - 150) return false;
    return std::all_of(named.begin(), named.end(), [&](const Series* series) {
        double rightmost = 0;
        for (std::size_t i = 0; i < series->y.size(); ++i)
            if (is_drawable(figure.y, series->y[i]))
                rightmost = std::max(rightmost, position_on(figure.x, ticks.x, series->x[i]));
        return rightmost > 0.85 && text_width(series->name, label_size) < width / 4;
    });
}

struct LegendEntry {
    const Series* series;  // whose line is shown; a grey dashed line where there is none
    std::string text;
};

/// Entries in rows from the left. Gives the y below them.
double draw_legend(Canvas& canvas, const std::vector<LegendEntry>& entries, double y) {
    if (entries.empty()) return y;
    Series grey;
    grey.style = LineStyle::reference;
    grey.colour = line_colours.size() - 1;
    double x = margin;
    y += label_size;
    for (const LegendEntry& entry : entries) {
        const double width = 24 + text_width(entry.text, label_size) + 18;
        if (x > margin && x + width > canvas.width() - margin) {
            x = margin;
            y += label_size + 6;
        }
        canvas.line(x, y - 4, x + 18, y - 4, canvas.line_paint(entry.series != nullptr ? *entry.series : grey));
        canvas.text(x + 24, y, entry.text, label_size);
        x += width;
    }
    return y + 8;
}

}  // namespace

namespace {

/// Above so many cells, none is drawn smaller than this, in px.
constexpr std::size_t most_cells = 20000;
constexpr double smallest_cell = 3;

}  // namespace

std::string to_svg(const LineFigure& original, const SvgOptions& options) {
    check("to_svg", original);
    check_size("to_svg", options);
    LineFigure figure = original;
    assign_colours(figure);
    const std::vector<const Series*> all = series_of(figure, options.frame);
    const AxesTicks ticks = axes_ticks(figure, options.width < 480 ? 5 : 8, options.height < 280 ? 5 : 8);

    const std::string subtitle = frame_text(figure, options.frame);
    Canvas canvas(options, figure.title, figure.caption);
    const double below_title = draw_title(canvas, figure.title, subtitle, options.theme);
    const double above_note = draw_note(canvas, missing_note(figure, options.frame));

    std::vector<const Series*> named;
    bool has_follower = false;
    for (const Series* series : all) {
        if (series->like.empty())
            named.push_back(series);
        else
            has_follower = true;
    }
    const bool labels_at_ends = can_label_ends(figure, named, ticks, canvas.width(), canvas.height());
    std::vector<LegendEntry> entries;
    if (!labels_at_ends)
        for (const Series* series : named) entries.push_back({series, series->name});
    if (has_follower) entries.push_back({nullptr, figure.reference_label});
    const double below_legend = draw_legend(canvas, entries, below_title);

    double label_room = margin;
    if (labels_at_ends)
        for (const Series* series : named)
            label_room = std::max(label_room, 18 + text_width(series->name, label_size) + margin / 2);
    const Box plot{margin + std::max(20.0, widest(ticks.y.major, label_size)) + 8, below_legend + label_size + 16,
                   canvas.width() - label_room, above_note - 40};

    draw_y_axis(canvas, figure.y, ticks.y, plot, true);
    draw_x_axis(canvas, figure.x, ticks.x, plot, false);

    const bool cut_off = is_cut_off(figure, all);
    if (cut_off)
        // An inner picture cuts off what leaves it, and needs no id that could clash on a page.
        canvas.add(fmt::format("<svg x=\"{0}\" y=\"{1}\" width=\"{2}\" height=\"{3}\" viewBox=\"{0} {1} {2} {3}\">",
                               px(plot.left), px(plot.top), px(plot.width()), px(plot.height())));
    for (const Series* series : all)
        if (const std::string band = band_of(figure, *series, ticks, plot); !band.empty())
            canvas.add(fmt::format("<path d=\"{}\" {} opacity=\"0.18\"/>", band, canvas.band_paint(*series)));
    for (const LineStyle style : {LineStyle::reference, LineStyle::solid})
        for (const Series* series : all) {
            if (series->style != style) continue;
            const std::string path = path_of(figure, *series, ticks, plot);
            if (path.empty()) continue;
            canvas.add(
                fmt::format("<path d=\"{}\" fill=\"none\" {} stroke-linejoin=\"round\" "
                            "stroke-linecap=\"round\"><title>{}</title></path>",
                            path, canvas.line_paint(*series), escape_markup(series->name)));
        }
    if (cut_off) canvas.add("</svg>");

    if (labels_at_ends)
        for (const Label& label : placed_labels(figure, named, ticks, plot)) {
            canvas.add(fmt::format("<path d=\"M{} {}L{} {}h4\" fill=\"none\" {}/>", px(plot.right + 2),
                                   px(label.wanted), px(plot.right + 10), px(label.y),
                                   canvas.line_paint(*label.series)));
            canvas.text(plot.right + 18, label.y + 4, label.series->name, label_size);
        }
    return canvas.take();
}

std::string to_svg(const HeatMap& figure, const SvgOptions& options) {
    check("to_svg", figure);
    check_size("to_svg", options);
    const std::vector<double>& values = values_of(figure, options.frame);
    Canvas canvas(options, figure.title, figure.caption);
    const double below_title = draw_title(canvas, figure.title, frame_text(figure, options.frame), options.theme);
    const double above_note = draw_note(canvas, missing_note(figure, options.frame));

    // Each cell reaches half a gap around its place.
    const auto ends_of = [](const Axis& axis, const std::vector<double>& at) {
        const double half = (at.size() > 1 ? at[1] - at[0] : 1.0) / 2;
        Axis whole = axis;
        whole.min = at.front() - half;
        whole.max = at.back() + half;
        return whole;
    };
    LineFigure frame{.title = figure.title,
                     .caption = {},
                     .x = ends_of(figure.x, figure.x_at),
                     .y = ends_of(figure.y, figure.y_at),
                     .series = {},
                     .frames = {}};
    frame.series.push_back({"places", figure.x_at, std::vector<double>(figure.x_at.size(), figure.y_at.front())});
    AxesTicks ticks = axes_ticks(frame, options.width < 480 ? 5 : 8, 6);
    const bool whole_rows =
        std::all_of(figure.y_at.begin(), figure.y_at.end(), [](double y) { return std::trunc(y) == y; });
    if (whole_rows) std::erase_if(ticks.y.major, [](const Tick& tick) { return std::trunc(tick.at) != tick.at; });
    const Ticks scale = value_ticks(figure, 6);

    const Box plot{margin + std::max(20.0, widest(ticks.y.major, label_size)) + 8, below_title + label_size + 16,
                   canvas.width() - colour_bar_room(scale), above_note - 40};

    if (!figure.sparse)
        canvas.add(fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" {}/>", px(plot.left), px(plot.top),
                               px(plot.width()), px(plot.height()), canvas.paint("ebb-missing")));
    canvas.add("<g shape-rendering=\"crispEdges\">");
    const std::size_t columns = figure.x_at.size();
    const std::size_t rows = figure.y_at.size();
    constexpr int shades = 128;
    const auto shade_of = [&](double value) {
        if (!is_drawable(figure.value, value)) return -1;
        return static_cast<int>(std::lround(shades * std::clamp(position_on(figure.value, scale, value), 0.0, 1.0)));
    };
    // Cells that nobody could tell apart are drawn in blocks, each as its largest value.
    const auto block_of = [](std::size_t count, double room) {
        return static_cast<std::size_t>(std::max(1.0, std::ceil(smallest_cell * static_cast<double>(count) / room)));
    };
    const std::size_t across = columns * rows > most_cells ? block_of(columns, plot.width()) : 1;
    const std::size_t down = columns * rows > most_cells ? block_of(rows, plot.height()) : 1;
    const auto shade_of_block = [&](std::size_t row, std::size_t column) {
        int shade = -1;
        for (std::size_t r = row; r < std::min(row + down, rows); ++r)
            for (std::size_t c = column; c < std::min(column + across, columns); ++c)
                shade = std::max(shade, shade_of(values[r * columns + c]));
        return shade;
    };
    // All cells of one shade are one path. They overlap by a hair, so that rounding leaves no gap between them.
    constexpr double lap = 0.3;
    std::array<std::string, shades + 1> paths;
    const double width = plot.width() / static_cast<double>(columns);
    const double height = plot.height() / static_cast<double>(rows);
    for (std::size_t row = 0; row < rows; row += down) {
        const std::size_t last = std::min(row + down, rows) - 1;
        const std::size_t from_bottom = figure.y.reversed ? rows - 1 - row : last;
        const double y = plot.bottom - height * static_cast<double>(from_bottom + 1);
        const double tall = height * static_cast<double>(last + 1 - row) + lap;
        for (std::size_t begin = 0; begin < columns;) {
            const int shade = shade_of_block(row, begin);
            std::size_t end = begin + across;
            while (end < columns && shade_of_block(row, end) == shade) end += across;
            end = std::min(end, columns);
            const double x = plot.left + width * static_cast<double>(figure.x.reversed ? columns - end : begin);
            if (shade >= 0)
                paths[static_cast<std::size_t>(shade)] +=
                    fmt::format("M{} {}h{}v{}H{}z", px(x), px(y), px(width * static_cast<double>(end - begin) + lap),
                                px(tall), px(x));
            begin = end;
        }
    }
    for (int shade = 0; shade <= shades; ++shade)
        if (const std::string& path = paths[static_cast<std::size_t>(shade)]; !path.empty())
            canvas.add(
                fmt::format("<path d=\"{}\" fill=\"{}\"/>", path, heat_colour(static_cast<double>(shade) / shades)));
    canvas.add("</g>");
    std::string contours;
    const auto point = [&](double column, double row) {
        const double from_left = figure.x.reversed ? static_cast<double>(columns) - 0.5 - column : column + 0.5;
        const double from_bottom = figure.y.reversed ? static_cast<double>(rows) - 0.5 - row : row + 0.5;
        return fmt::format("{} {}", px(plot.left + width * from_left), px(plot.bottom - height * from_bottom));
    };
    for (const ContourSegment& piece : contour_segments(figure, values, scale))
        contours +=
            fmt::format("M{}L{}", point(piece.column_from, piece.row_from), point(piece.column_to, piece.row_to));
    if (!contours.empty())
        canvas.add(fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"#ffffff\" opacity=\"0.75\"/>", contours));
    draw_colour_bar(canvas, plot, figure.value, scale);
    draw_y_axis(canvas, figure.y, ticks.y, plot, false);
    draw_x_axis(canvas, figure.x, ticks.x, plot, false);
    return canvas.take();
}

void save_svg(const std::string& path, const LineFigure& figure, const SvgOptions& options) {
    write_file_atomically(path, to_svg(figure, options));
}

void save_svg(const std::string& path, const HeatMap& figure, const SvgOptions& options) {
    write_file_atomically(path, to_svg(figure, options));
}

}  // namespace ebb::inspect
