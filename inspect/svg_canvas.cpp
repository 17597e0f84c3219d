#include <ebb/core/error.hpp>
#include <ebb/inspect/number_text.hpp>
#include <ebb/inspect/palette.hpp>
#include <ebb/inspect/svg_canvas.hpp>
#include <ebb/inspect/ticks.hpp>

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

namespace ebb::inspect::drawing {

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

}  // namespace

std::string px(double length) {
    std::string text = fmt::format("{:.2f}", length);
    while (text.back() == '0') text.pop_back();
    if (text.back() == '.') text.pop_back();
    return text == "-0" ? "0" : text;
}

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

Canvas::Canvas(const SvgOptions& options, const std::string& title, const std::string& description)
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
            out_ +=
                fmt::format(" .ebb-line-{0} {{ stroke: {1} }} .ebb-band-{0} {{ fill: {1} }}", i, line_colours[i].dark);
        out_ += " }</style>\n";
    }
    if (options.theme != Theme::page)
        out_ +=
            fmt::format("<rect width=\"{}\" height=\"{}\" {}/>\n", options.width, options.height, paint("ebb-paper"));
}

std::string Canvas::paint(std::string_view name) const {
    const Paint& paint = paint_of(name);
    return fmt::format("class=\"{}\" {}=\"{}\"", name, paint.property,
                       options_.theme == Theme::dark ? paint.dark : paint.light);
}

std::string Canvas::line_paint(const Series& series) const {
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

std::string Canvas::band_paint(const Series& series) const {
    const std::size_t index = series.colour.value_or(0) % line_colours.size();
    const LineColour colour = line_colour(index);
    return fmt::format("class=\"ebb-band-{}\" fill=\"{}\"", index,
                       options_.theme == Theme::dark ? colour.dark : colour.light);
}

void Canvas::text(double x, double y, std::string_view content, double size, std::string_view ink,
                  std::string_view attributes) {
    add(fmt::format("<text x=\"{}\" y=\"{}\" font-size=\"{}\" {}{}{}>{}</text>", px(x), px(y), px(size), paint(ink),
                    attributes.empty() ? "" : " ", attributes, rich_text(content, size)));
}

void Canvas::line(double x1, double y1, double x2, double y2, std::string_view attributes) {
    add(fmt::format("<path d=\"M{} {}L{} {}\" fill=\"none\" {}/>", px(x1), px(y1), px(x2), px(y2), attributes));
}

std::string Canvas::take() {
    out_ += "</svg>\n";
    return std::move(out_);
}

void check_size(const char* call, const SvgOptions& options) {
    if (options.width < 240 || options.height < 180 || options.width > 10000 || options.height > 10000)
        throw ValueError(
            fmt::format("{}: the picture is {} x {} px: expected at least 240 x 180 and at most 10000 x 10000", call,
                        options.width, options.height));
}

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

void draw_colour_bar(Canvas& canvas, const Box& plot, const Axis& axis, const Ticks& scale) {
    constexpr int steps = 64;
    const double left = plot.right + 14;
    canvas.add("<g shape-rendering=\"crispEdges\">");
    for (int step = 0; step < steps; ++step) {
        const double height = plot.height() / steps;
        canvas.add(fmt::format("<rect x=\"{}\" y=\"{}\" width=\"12\" height=\"{}\" fill=\"{}\"/>", px(left),
                               px(plot.bottom - height * (step + 1)), px(height + 0.5),
                               heat_colour((step + 0.5) / steps)));
    }
    canvas.add("</g>");
    for (const Tick& tick : scale.major) {
        const double y = plot.bottom - plot.height() * position_on(axis, scale, tick.at);
        canvas.text(left + 18, y + 4, tick.text, label_size, "ebb-muted");
    }
    canvas.text(canvas.width() - margin, plot.top - 12, axis_title(axis), label_size, "ebb-ink", "text-anchor=\"end\"");
}

double colour_bar_room(const Ticks& scale) {
    return 14 + 12 + 8 + std::max(widest(scale.major, label_size), 24.0) + margin;
}

}  // namespace ebb::inspect::drawing
