#include <ebb/core/error.hpp>
#include <ebb/inspect/number_text.hpp>
#include <ebb/inspect/palette.hpp>
#include <ebb/inspect/terminal.hpp>
#include <ebb/inspect/ticks.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace ebb::inspect {

namespace {

/// The colours of line_colours among the 256 of a terminal.
constexpr std::array<int, line_colours.size()> terminal_colours{33, 208, 36, 175, 214, 117, 245};
constexpr std::string_view ascii_marks = "*o+x#@%&";

/// What stands for the characters beyond ASCII that figures use.
struct Plain {
    std::string_view character;
    std::string_view ascii;
};
constexpr std::array<Plain, 18> plain_forms{{
    {"‖", "||"},
    {"∂", "d"},
    {"×", "x"},
    {"−", "-"},
    {"–", "-"},
    {"—", "-"},
    {"·", "."},
    {"…", "..."},
    {"∞", "inf"},
    {"’", "'"},
    {"“", "\""},
    {"”", "\""},
    {"∇", "grad "},
    {"σ", "sigma"},
    {"λ", "lambda"},
    {"ρ", "rho"},
    {"≤", "<="},
    {"≥", ">="},
}};
constexpr std::array<Plain, 12> raised_forms{{
    {"⁰", "0"},
    {"¹", "1"},
    {"²", "2"},
    {"³", "3"},
    {"⁴", "4"},
    {"⁵", "5"},
    {"⁶", "6"},
    {"⁷", "7"},
    {"⁸", "8"},
    {"⁹", "9"},
    {"⁻", "-"},
    {"⁺", "+"},
}};
constexpr std::array<Plain, 16> lowered_forms{{
    {"₀", "0"},
    {"₁", "1"},
    {"₂", "2"},
    {"₃", "3"},
    {"₄", "4"},
    {"₅", "5"},
    {"₆", "6"},
    {"₇", "7"},
    {"₈", "8"},
    {"₉", "9"},
    {"₋", "-"},
    {"₊", "+"},
    {"ₜ", "t"},
    {"ₖ", "k"},
    {"ₕ", "h"},
    {"ᵢ", "i"},
}};

template <std::size_t N>
const Plain* form_at(const std::array<Plain, N>& forms, std::string_view text) {
    for (const Plain& form : forms)
        if (text.starts_with(form.character)) return &form;
    return nullptr;
}

/// "10⁻³" as "10^-3", "hₜ" as "h_t", and "?" for what has no such form.
std::string ascii_text(std::string_view text) {
    std::string ascii;
    char run = ' ';  // '^' or '_' within raised or lowered characters
    while (!text.empty()) {
        const Plain* raised = form_at(raised_forms, text);
        const Plain* lowered = raised == nullptr ? form_at(lowered_forms, text) : nullptr;
        if (raised != nullptr || lowered != nullptr) {
            const char sign = raised != nullptr ? '^' : '_';
            if (run != sign) ascii += sign;
            run = sign;
            const Plain& form = raised != nullptr ? *raised : *lowered;
            ascii += form.ascii;
            text.remove_prefix(form.character.size());
            continue;
        }
        run = ' ';
        if (const Plain* form = form_at(plain_forms, text)) {
            ascii += form->ascii;
            text.remove_prefix(form->character.size());
            continue;
        }
        const auto byte = static_cast<unsigned char>(text.front());
        if (byte < 0x20 || byte == 0x7F)
            ascii += ' ';
        else if (byte < 0x80)
            ascii += text.front();
        else if ((byte & 0xC0U) != 0x80U)
            ascii += '?';
        text.remove_prefix(1);
    }
    return ascii;
}

/// Control characters would let a title move the cursor.
std::string without_controls(std::string_view text) {
    std::string safe = valid_utf8(text);
    for (char& c : safe)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
    return safe;
}

/// The cells of the plot. Each holds dots (in braille, 2 x 4 of them) or a mark, and looks like the series that was
/// there last.
class Grid {
  public:
    Grid(std::size_t columns, std::size_t rows, bool braille)
        : columns_(columns), rows_(rows), across_(braille ? 2 : 1), down_(braille ? 4 : 1), cells_(columns * rows) {}

    std::size_t dots_across() const { return columns_ * across_; }
    std::size_t dots_down() const { return rows_ * down_; }

    struct Look {
        std::size_t colour = 0;
        bool faint = false;
        bool operator==(const Look&) const = default;
    };

    void set(std::ptrdiff_t x, std::ptrdiff_t y, const Look& look, char mark) {
        if (x < 0 || y < 0 || x >= static_cast<std::ptrdiff_t>(dots_across()) ||
            y >= static_cast<std::ptrdiff_t>(dots_down()))
            return;
        const auto column = static_cast<std::size_t>(x) / across_;
        const auto row = static_cast<std::size_t>(y) / down_;
        // The dots of a braille cell are numbered down the left column, down the right one, then the lowest two.
        constexpr std::array<std::array<unsigned, 2>, 4> bits{{{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}};
        Cell& cell = cells_[row * columns_ + column];
        cell.dots |= bits[static_cast<std::size_t>(y) % down_][static_cast<std::size_t>(x) % across_];
        cell.look = look;
        cell.mark = mark;
    }

    /// Writes a letter over the cell of this dot.
    void put_letter(std::ptrdiff_t x, std::ptrdiff_t y, const Look& look, char letter) {
        set(x, y, look, letter);
        cells_[static_cast<std::size_t>(y) / down_ * columns_ + static_cast<std::size_t>(x) / across_].letter = letter;
    }

    struct Cell {
        unsigned dots = 0;
        Look look;
        char mark = ' ';
        char letter = '\0';
    };
    const Cell& at(std::size_t column, std::size_t row) const { return cells_[row * columns_ + column]; }

  private:
    std::size_t columns_, rows_, across_, down_;
    std::vector<Cell> cells_;
};

std::string braille(unsigned dots) {
    const unsigned code = 0x2800U + dots;
    return {static_cast<char>(0xE0U | (code >> 12U)), static_cast<char>(0x80U | ((code >> 6U) & 0x3FU)),
            static_cast<char>(0x80U | (code & 0x3FU))};
}

struct Dot {
    double x, y;
};

/// A line from dot to dot; `every` of 3 leaves two of three out.
void draw_line(Grid& grid, const Dot& from, const Dot& to, const Grid::Look& look, char mark, int every) {
    const int steps =
        std::max(1, static_cast<int>(std::ceil(std::max(std::abs(to.x - from.x), std::abs(to.y - from.y)))));
    for (int step = 0; step <= steps; ++step) {
        const double share = static_cast<double>(step) / steps;
        const auto x = std::lround(from.x + share * (to.x - from.x));
        const auto y = std::lround(from.y + share * (to.y - from.y));
        if ((x + y) % every == 0 || every == 1) grid.set(x, y, look, mark);
    }
}

std::string padded_left(const std::string& text, std::size_t width) {
    const std::size_t length = count_characters(text);
    return length < width ? std::string(width - length, ' ') + text : text;
}

/// Words in lines of at most `width` characters.
std::string wrapped(std::string_view text, std::size_t width) {
    std::string lines;
    std::size_t used = 0;
    while (!text.empty()) {
        const std::string_view word = text.substr(0, text.find(' '));
        const std::size_t length = count_characters(word);
        if (used > 0 && used + 1 + length > width) {
            lines += '\n';
            used = 0;
        } else if (used > 0) {
            lines += ' ';
            ++used;
        }
        lines += word;
        used += length;
        text.remove_prefix(std::min(word.size() + 1, text.size()));
    }
    return lines + '\n';
}

}  // namespace

TerminalOptions terminal_options(std::FILE* out) {
    TerminalOptions options;
    const auto variable = [](const char* name) {
        const char* value = std::getenv(name);
        return std::string_view{value == nullptr ? "" : value};
    };
    // The first of these that is set decides the character set (POSIX).
    for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
        const std::string_view value = variable(name);
        options.unicode = value.find("UTF-8") != std::string_view::npos ||
                          value.find("utf8") != std::string_view::npos ||
                          value.find("utf-8") != std::string_view::npos || value.find("UTF8") != std::string_view::npos;
        if (!value.empty()) break;
    }
    const int file = fileno(out);
    if (isatty(file) == 0) return options;
    const std::string_view kind = variable("TERM");
    options.colour = variable("NO_COLOR").empty() && !kind.empty() && kind != "dumb";
    winsize size{};
    if (ioctl(file, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        options.width = std::clamp<std::size_t>(size.ws_col, 40, 100);
    return options;
}

std::string to_terminal(const LineFigure& original, const TerminalOptions& options) {
    check("to_terminal", original);
    if (options.width < 40 || options.height < 4)
        throw ValueError(fmt::format("to_terminal: {} characters by {} lines: expected at least 40 by 4", options.width,
                                     options.height));
    LineFigure figure = original;
    assign_colours(figure);
    const std::vector<const Series*> all = series_of(figure, options.frame);
    const AxesTicks ticks = axes_ticks(figure, options.width / 12, std::max<std::size_t>(options.height * 2 / 5, 3));
    const auto text = [&](const std::string& unicode) {
        return options.unicode ? without_controls(unicode) : ascii_text(unicode);
    };

    std::size_t label_width = 4;
    for (const Tick& tick : ticks.y.major) label_width = std::max(label_width, count_characters(text(tick.text)));
    const std::size_t columns = options.width - label_width - 2;
    const std::size_t rows = options.height;
    Grid grid(columns, rows, options.unicode);
    const auto dot_x = [&](double value) {
        return position_on(figure.x, ticks.x, value) * static_cast<double>(grid.dots_across() - 1);
    };
    const auto dot_y = [&](double value) {
        return (1 - position_on(figure.y, ticks.y, value)) * static_cast<double>(grid.dots_down() - 1);
    };

    const auto mark_of = [&](const Series& series) {
        if (series.style == LineStyle::reference) return '.';
        return ascii_marks[series.colour.value_or(0) % ascii_marks.size()];
    };
    const auto look_of = [](const Series& series) {
        return Grid::Look{series.colour.value_or(0), series.style == LineStyle::reference};
    };
    std::vector<const Series*> order = all;
    std::stable_partition(order.begin(), order.end(), [](const Series* s) { return s->style == LineStyle::reference; });
    for (const Series* series : order) {
        const Grid::Look look = look_of(*series);
        const int every = look.faint ? 3 : 1;
        bool connected = false;
        Dot last{0, 0};
        for (std::size_t i = 0; i < series->x.size(); ++i) {
            if (!is_drawable(figure.y, series->y[i])) {
                connected = false;
                continue;
            }
            // Beyond a plot's width from the plot nothing can be seen, and the loop stays short.
            const double across = static_cast<double>(grid.dots_across());
            const double down = static_cast<double>(grid.dots_down());
            const Dot dot{std::clamp(dot_x(series->x[i]), -across, 2 * across),
                          std::clamp(dot_y(series->y[i]), -down, 2 * down)};
            draw_line(grid, connected ? last : dot, dot, look, mark_of(*series), every);
            last = dot;
            connected = true;
        }
    }
    // Braille lines look alike without colour: letters on them say which is which.
    const bool with_letters = options.unicode && !options.colour;
    std::vector<const Series*> named;
    for (const Series* series : all)
        if (series->like.empty()) named.push_back(series);
    const auto letter_of = [](std::size_t i) { return static_cast<char>('a' + i % 26); };
    if (with_letters && named.size() > 1)
        for (std::size_t n = 0; n < named.size(); ++n) {
            const Series& series = *named[n];
            // Shifted from line to line, so that letters do not cover each other.
            const double phase = static_cast<double>(n) / static_cast<double>(named.size());
            for (int mark = 0; mark < 4; ++mark) {
                const double wanted = (mark + 0.25 + 0.5 * phase) / 4 * static_cast<double>(grid.dots_across() - 1);
                double nearest = 1e300;
                Dot at{-1, -1};
                for (std::size_t i = 0; i < series.x.size(); ++i) {
                    if (!is_drawable(figure.y, series.y[i])) continue;
                    const Dot dot{dot_x(series.x[i]), dot_y(series.y[i])};
                    if (std::abs(dot.x - wanted) >= nearest) continue;
                    nearest = std::abs(dot.x - wanted);
                    at = dot;
                }
                const bool inside = at.x >= 0 && at.y >= 0 && at.x <= static_cast<double>(grid.dots_across() - 1) &&
                                    at.y <= static_cast<double>(grid.dots_down() - 1);
                if (inside) grid.put_letter(std::lround(at.x), std::lround(at.y), look_of(series), letter_of(n));
            }
        }

    const auto styled = [&](const std::string& what, const Grid::Look& look) {
        if (!options.colour || what.empty()) return what;
        const int colour = terminal_colours[look.colour % terminal_colours.size()];
        return fmt::format("\x1b[{}38;5;{}m{}\x1b[0m", look.faint ? "2;" : "", colour, what);
    };

    std::string out;
    std::string title = figure.title;
    if (!figure.frames.empty()) title += ", " + frame_text(figure, options.frame);
    title = wrapped(text(title), options.width);
    out += options.colour ? fmt::format("\x1b[1m{}\x1b[0m\n", title.substr(0, title.size() - 1)) : title;
    out += text(axis_title(figure.y)) + '\n';

    std::vector<std::string> labels(rows);
    for (const Tick& tick : ticks.y.major) {
        const double dot = dot_y(tick.at);
        const auto row = static_cast<std::size_t>(std::lround(dot)) * rows / grid.dots_down();
        if (row < rows && labels[row].empty()) labels[row] = text(tick.text);
    }
    for (std::size_t row = 0; row < rows; ++row) {
        out += padded_left(labels[row], label_width);
        if (options.unicode)
            out += labels[row].empty() ? " │" : " ┤";
        else
            out += labels[row].empty() ? " |" : " +";
        std::string line;
        std::string run;  // cells of one look
        Grid::Look look;
        std::size_t blank = 0;  // spaces that are written only when something follows
        const auto finish_run = [&] {
            line += styled(run, look);
            run.clear();
        };
        for (std::size_t column = 0; column < columns; ++column) {
            const Grid::Cell& cell = grid.at(column, row);
            if (cell.dots == 0) {
                ++blank;
                continue;
            }
            if (blank > 0 || cell.look != look) finish_run();
            look = cell.look;
            line += std::string(blank, ' ');
            blank = 0;
            if (!options.unicode)
                run += cell.mark;
            else if (cell.letter != '\0')
                run += cell.letter;
            else
                run += braille(cell.dots);
        }
        finish_run();
        out += line + '\n';
    }

    std::vector<std::string> base(columns, options.unicode ? "─" : "-");
    std::vector<std::pair<std::size_t, std::string>> placed;
    for (const Tick& tick : ticks.x.major) {
        const double share = position_on(figure.x, ticks.x, tick.at);
        const auto column = static_cast<std::size_t>(std::lround(share * static_cast<double>(columns - 1)));
        base[column] = options.unicode ? "┬" : "+";
        placed.emplace_back(column, text(tick.text));
    }
    std::sort(placed.begin(), placed.end());
    out += std::string(label_width, ' ') + (options.unicode ? " └" : " +");
    for (const std::string& piece : base) out += piece;
    out += '\n';
    std::string line;
    std::size_t used = 0;
    for (const auto& [column, label] : placed) {
        const std::size_t length = count_characters(label);
        const std::size_t middle = label_width + 2 + column;
        const std::size_t start = std::min(middle - std::min(length / 2, middle), options.width - length);
        if (start < used + (used > 0 ? 1 : 0)) continue;
        line += std::string(start - used, ' ') + label;
        used = start + length;
    }
    out += line + '\n';
    const std::string x_title = text(axis_title(figure.x));
    const std::size_t x_length = count_characters(x_title);
    out += std::string(x_length < columns ? label_width + 2 + (columns - x_length) / 2 : 0, ' ') + x_title + '\n';

    std::string legend;
    std::size_t legend_used = 0;
    const auto add_entry = [&](const std::string& mark, const std::string& name) {
        const std::size_t length = 2 + 1 + count_characters(name) + 3;
        if (legend_used > 0 && legend_used + length > options.width) {
            legend += '\n';
            legend_used = 0;
        }
        legend += (legend_used > 0 ? "   " : "") + mark + ' ' + name;
        legend_used += length;
    };
    for (std::size_t n = 0; n < named.size(); ++n) {
        const Series& series = *named[n];
        std::string mark(1, mark_of(series));
        if (options.unicode) mark = series.style == LineStyle::reference ? "╌╌" : "━━";
        if (with_letters && named.size() > 1) mark = letter_of(n);
        add_entry(styled(mark, look_of(series)), text(series.name));
    }
    if (named.size() < all.size()) add_entry(options.unicode ? "⠂⠂" : ".", text(figure.reference_label));
    out += legend + '\n';
    const std::string note = missing_note(figure, options.frame);
    if (!note.empty()) out += wrapped(text(note), options.width);
    return out;
}

}  // namespace ebb::inspect
