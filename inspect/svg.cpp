#include <ebb/core/error.hpp>
#include <ebb/core/file.hpp>
#include <ebb/inspect/number_text.hpp>
#include <ebb/inspect/palette.hpp>
#include <ebb/inspect/svg.hpp>
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

namespace {

constexpr std::string_view fonts =
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif";

/// What a class of marks is painted with: in the picture itself for light, in its style sheet for dark.
struct Paint {
    std::string_view name;
    std::string_view property;  // fill or stroke
    std::string_view light;
    std::string_view dark;
};
constexpr std::array<Paint, 6> paints{{
    {"ebb-paper", "fill", "#ffffff", "#14171c"},
    {"ebb-ink", "fill", "#1d2129", "#e8eaed"},
    {"ebb-muted", "fill", "#5b6472", "#a3acb8"},
    {"ebb-grid", "stroke", "#e4e7eb", "#2b313a"},
    {"ebb-axis", "stroke", "#8a93a0", "#6b7583"},
    {"ebb-missing", "fill", "#d7dbe0", "#343b46"},
}};

const Paint& paint_of(std::string_view name) {
    return *std::find_if(paints.begin(), paints.end(), [&](const Paint& paint) { return paint.name == name; });
}

/// A length in px with at most two decimals: "12", "0.5".
std::string px(double length) {
    std::string text = fmt::format("{:.2f}", length);
    while (text.back() == '0') text.pop_back();
    if (text.back() == '.') text.pop_back();
    return text == "-0" ? "0" : text;
}

/// The characters that Unicode has raised or lowered, and what they are on the line: fonts draw their own ones
/// unevenly.
struct Shifted {
    std::string_view character;
    std::string_view plain;
    bool raised;
};
constexpr std::array<Shifted, 36> shifted_characters{{
    {"⁰", "0", true},  {"¹", "1", true},  {"²", "2", true},  {"³", "3", true},  {"⁴", "4", true},  {"⁵", "5", true},
    {"⁶", "6", true},  {"⁷", "7", true},  {"⁸", "8", true},  {"⁹", "9", true},  {"⁻", "−", true},  {"⁺", "+", true},
    {"ᵀ", "T", true},  {"ᵗ", "t", true},  {"₀", "0", false}, {"₁", "1", false}, {"₂", "2", false}, {"₃", "3", false},
    {"₄", "4", false}, {"₅", "5", false}, {"₆", "6", false}, {"₇", "7", false}, {"₈", "8", false}, {"₉", "9", false},
    {"₋", "−", false}, {"₊", "+", false}, {"ₜ", "t", false}, {"ₖ", "k", false}, {"ₕ", "h", false}, {"ᵢ", "i", false},
    {"ⱼ", "j", false}, {"ₙ", "n", false}, {"ₘ", "m", false}, {"ₓ", "x", false}, {"ₛ", "s", false}, {"ₗ", "l", false},
}};

const Shifted* shifted_at(std::string_view text) {
    for (const Shifted& shifted : shifted_characters)
        if (text.starts_with(shifted.character)) return &shifted;
    return nullptr;
}

/// Text with its superscripts and subscripts set by us.
std::string rich_text(std::string_view text, double size) {
    std::string markup;
    std::string plain;
    double shift = 0;  // of the baseline, downwards
    const auto flush = [&] {
        markup += escape_markup(plain);
        plain.clear();
    };
    const auto open = [&](double to, std::string_view attributes) {
        markup += fmt::format("<tspan dy=\"{}\"{}>", px(to - shift), attributes);
        shift = to;
    };
    while (!text.empty()) {
        const Shifted* first = shifted_at(text);
        if (first == nullptr) {
            if (shift != 0) {
                // The rest moves back to the line, by a span that stays open up to the next shift.
                open(0, "");
                while (!text.empty() && shifted_at(text) == nullptr) {
                    plain += text.front();
                    text.remove_prefix(1);
                }
                flush();
                markup += "</tspan>";
            } else {
                plain += text.front();
                text.remove_prefix(1);
            }
            continue;
        }
        flush();
        std::string run;
        const bool raised = first->raised;
        for (const Shifted* next = first; next != nullptr && next->raised == raised; next = shifted_at(text)) {
            run += next->plain;
            text.remove_prefix(next->character.size());
        }
        open(raised ? -0.38 * size : 0.22 * size, fmt::format(" font-size=\"{}\"", px(0.74 * size)));
        markup += escape_markup(run) + "</tspan>";
    }
    flush();
    return markup;
}

/// An estimate of the width of text, a little too wide for most fonts: there is no font to ask.
double text_width(std::string_view text, double size) {
    double width = 0;
    while (!text.empty()) {
        if (const Shifted* shifted = shifted_at(text)) {
            width += 0.45;
            text.remove_prefix(shifted->character.size());
            continue;
        }
        const char c = text.front();
        text.remove_prefix(1);
        if ((static_cast<unsigned char>(c) & 0xC0U) == 0x80U) continue;
        constexpr std::string_view narrow = "ijl.,:;|'!()[] ftr";
        constexpr std::string_view wide = "mwMW@%";
        if (narrow.find(c) != std::string_view::npos)
            width += 0.39;
        else if (wide.find(c) != std::string_view::npos)
            width += 0.92;
        else if (c >= 'A' && c <= 'Z')
            width += 0.7;
        else
            width += 0.63;
    }
    return width * size;
}

/// Lines of at most `width`, parted at spaces.
std::vector<std::string> wrap(std::string_view text, double size, double width) {
    std::vector<std::string> lines(1);
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(' '), text.size());
        const std::string word{text.substr(0, end)};
        const std::string longer = lines.back().empty() ? word : lines.back() + ' ' + word;
        if (lines.back().empty() || text_width(longer, size) <= width)
            lines.back() = longer;
        else
            lines.push_back(word);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

struct Box {
    double left, top, right, bottom;
    double width() const { return right - left; }
    double height() const { return bottom - top; }
};

/// The picture as it grows.
class Canvas {
  public:
    Canvas(const SvgOptions& options, const std::string& title, const std::string& description)
        : options_(options), width_(static_cast<double>(options.width)), height_(static_cast<double>(options.height)) {
        out_ = fmt::format(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"ebb-svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
            "height=\"{1}\" role=\"img\" aria-label=\"{2}\" font-family=\"{3}\" font-size=\"12\">\n",
            options.width, options.height, escape_markup(title), fonts);
        out_ += fmt::format("<desc>{}</desc>\n", escape_markup(description));
        if (options.theme == Theme::automatic) {
            out_ += "<style>@media (prefers-color-scheme: dark) {";
            for (const Paint& paint : paints)
                out_ += fmt::format(" .{} {{ {}: {} }}", paint.name, paint.property, paint.dark);
            for (std::size_t i = 0; i < line_colours.size(); ++i)
                out_ += fmt::format(" .ebb-line-{} {{ stroke: {} }}", i, line_colours[i].dark);
            out_ += " }</style>\n";
        }
        if (options.theme != Theme::page)
            out_ += fmt::format("<rect width=\"{}\" height=\"{}\" {}/>\n", options.width, options.height,
                                paint("ebb-paper"));
    }

    double width() const { return width_; }
    double height() const { return height_; }
    void add(const std::string& markup) { out_ += markup + '\n'; }

    /// class and colour of one of `paints`.
    std::string paint(std::string_view name) const {
        const Paint& paint = paint_of(name);
        return fmt::format("class=\"{}\" {}=\"{}\"", name, paint.property,
                           options_.theme == Theme::dark ? paint.dark : paint.light);
    }

    std::string line_paint(const Series& series) const {
        const std::size_t index = series.colour.value_or(0) % line_colours.size();
        const LineColour colour = line_colour(index);
        // Once around the colours, the lines are dotted.
        const bool again = series.colour.value_or(0) >= line_colours.size();
        std::string_view dash = again ? " stroke-dasharray=\"1 4\"" : "";
        if (series.style == LineStyle::reference) dash = " stroke-dasharray=\"5 4\" opacity=\"0.6\"";
        return fmt::format("class=\"ebb-line-{}\" stroke=\"{}\" stroke-width=\"{}\"{}", index,
                           options_.theme == Theme::dark ? colour.dark : colour.light,
                           series.style == LineStyle::reference ? "1.25" : "2.25", dash);
    }

    void text(double x, double y, std::string_view content, double size, std::string_view ink = "ebb-ink",
              std::string_view attributes = "") {
        add(fmt::format("<text x=\"{}\" y=\"{}\" font-size=\"{}\" {}{}{}>{}</text>", px(x), px(y), px(size), paint(ink),
                        attributes.empty() ? "" : " ", attributes, rich_text(content, size)));
    }

    void line(double x1, double y1, double x2, double y2, std::string_view attributes) {
        add(fmt::format("<path d=\"M{} {}L{} {}\" fill=\"none\" {}/>", px(x1), px(y1), px(x2), px(y2), attributes));
    }

    std::string take() {
        out_ += "</svg>\n";
        return std::move(out_);
    }

  private:
    SvgOptions options_;
    double width_;
    double height_;
    std::string out_;
};

constexpr double margin = 16;
constexpr double title_size = 16;
constexpr double label_size = 12;
constexpr double note_size = 11;

void check_size(const char* call, const SvgOptions& options) {
    if (options.width < 240 || options.height < 180 || options.width > 10000 || options.height > 10000)
        throw ValueError(
            fmt::format("{}: the picture is {} x {} px: expected at least 240 x 180 and at most 10000 x 10000", call,
                        options.width, options.height));
}

/// Title and what stands under it. Gives the y below them. A page has the title in its own words.
double draw_title(Canvas& canvas, const std::string& title, const std::string& subtitle, Theme theme) {
    double y = theme == Theme::page ? 0 : margin;
    if (theme != Theme::page)
        for (const std::string& line : wrap(title, title_size, canvas.width() - 2 * margin)) {
            y += title_size;
            canvas.text(margin, y, line, title_size, "ebb-ink", "font-weight=\"600\"");
            y += 4;
        }
    if (!subtitle.empty()) {
        y += label_size + 2;
        canvas.text(margin, y, subtitle, label_size, "ebb-muted");
    }
    return y + 8;
}

/// The note at the foot. Gives the y above it.
double draw_note(Canvas& canvas, const std::string& note) {
    if (note.empty()) return canvas.height() - margin;
    const std::vector<std::string> lines = wrap(note, note_size, canvas.width() - 2 * margin);
    const double top = canvas.height() - margin - (note_size + 3) * static_cast<double>(lines.size());
    for (std::size_t i = 0; i < lines.size(); ++i)
        canvas.text(margin, top + (note_size + 3) * static_cast<double>(i + 1) - 2, lines[i], note_size, "ebb-muted");
    return top - 6;
}

double widest(const std::vector<Tick>& ticks, double size) {
    double width = 0;
    for (const Tick& tick : ticks) width = std::max(width, text_width(tick.text, size));
    return width;
}

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

std::string to_svg(const LineFigure& original, const SvgOptions& options) {
    check("to_svg", original);
    check_size("to_svg", options);
    LineFigure figure = original;
    assign_colours(figure);
    const std::vector<const Series*> all = series_of(figure, options.frame);
    const AxesTicks ticks = axes_ticks(figure, options.width < 480 ? 5 : 8, options.height < 280 ? 5 : 8);

    std::string subtitle;
    if (!figure.frames.empty())
        subtitle = fmt::format(
            "{} {}", figure.frame_label,
            format_integer(static_cast<double>(figure.frames[options.frame.value_or(figure.frames.size() - 1)].step)));
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
    if (options.frame)
        throw IndexError(
            fmt::format("to_svg: \"{}\": frame {} of a heat map, which has none", figure.title, *options.frame));
    Canvas canvas(options, figure.title, figure.caption);
    const double below_title = draw_title(canvas, figure.title, "", options.theme);
    const double above_note = draw_note(canvas, missing_note(figure));

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

    const double bar_room = 12 + 8 + std::max(widest(scale.major, label_size), 24.0) + margin;
    const Box plot{margin + std::max(20.0, widest(ticks.y.major, label_size)) + 8, below_title + label_size + 16,
                   canvas.width() - bar_room - 14, above_note - 40};

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
    // All cells of one shade are one path. They overlap by a hair, so that rounding leaves no gap between them.
    constexpr double lap = 0.3;
    std::array<std::string, shades + 1> paths;
    const double width = plot.width() / static_cast<double>(columns);
    const double height = plot.height() / static_cast<double>(rows);
    for (std::size_t row = 0; row < rows; ++row) {
        const std::size_t from_bottom = figure.y.reversed ? rows - 1 - row : row;
        const double y = plot.bottom - height * static_cast<double>(from_bottom + 1);
        for (std::size_t begin = 0; begin < columns;) {
            const int shade = shade_of(figure.values[row * columns + begin]);
            std::size_t end = begin + 1;
            while (end < columns && shade_of(figure.values[row * columns + end]) == shade) ++end;
            const double x = plot.left + width * static_cast<double>(figure.x.reversed ? columns - end : begin);
            if (shade >= 0)
                paths[static_cast<std::size_t>(shade)] +=
                    fmt::format("M{} {}h{}v{}H{}z", px(x), px(y), px(width * static_cast<double>(end - begin) + lap),
                                px(height + lap), px(x));
            begin = end;
        }
    }
    for (int shade = 0; shade <= shades; ++shade)
        if (const std::string& path = paths[static_cast<std::size_t>(shade)]; !path.empty())
            canvas.add(
                fmt::format("<path d=\"{}\" fill=\"{}\"/>", path, heat_colour(static_cast<double>(shade) / shades)));
    constexpr int steps = 64;
    const double bar_left = plot.right + 14;
    for (int step = 0; step < steps; ++step) {
        const double step_height = plot.height() / steps;
        canvas.add(fmt::format("<rect x=\"{}\" y=\"{}\" width=\"12\" height=\"{}\" fill=\"{}\"/>", px(bar_left),
                               px(plot.bottom - step_height * (step + 1)), px(step_height + 0.5),
                               heat_colour((step + 0.5) / steps)));
    }
    canvas.add("</g>");
    for (const Tick& tick : scale.major) {
        const double y = plot.bottom - plot.height() * position_on(figure.value, scale, tick.at);
        canvas.text(bar_left + 18, y + 4, tick.text, label_size, "ebb-muted");
    }
    canvas.text(canvas.width() - margin, plot.top - 12, axis_title(figure.value), label_size, "ebb-ink",
                "text-anchor=\"end\"");
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
