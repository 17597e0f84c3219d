#pragma once
/// What all still pictures are drawn with: text of an estimated width, the colours of a theme, and an `<svg>` element
/// that grows line by line.

#include <ebb/inspect/figure.hpp>
#include <ebb/inspect/svg.hpp>
#include <ebb/inspect/ticks.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace ebb::inspect::drawing {

inline constexpr double margin = 16;
inline constexpr double title_size = 16;
inline constexpr double label_size = 12;
inline constexpr double note_size = 11;

/// A length in px with at most two decimals: "12", "0.5".
std::string px(double length);

/// An estimate of the width of text, a little too wide for most fonts: there is no font to ask.
double text_width(std::string_view text, double size);

/// Lines of at most `width`, parted at spaces.
std::vector<std::string> wrap(std::string_view text, double size, double width);

struct Box {
    double left, top, right, bottom;
    double width() const { return right - left; }
    double height() const { return bottom - top; }
};

/// The picture as it grows.
class Canvas {
  public:
    Canvas(const SvgOptions& options, const std::string& title, const std::string& description);

    double width() const { return width_; }
    double height() const { return height_; }
    void add(const std::string& markup) { out_ += markup + '\n'; }

    /// class and colour of a kind of mark: "ebb-ink", "ebb-muted", "ebb-paper", "ebb-missing" (filled), "ebb-grid",
    /// "ebb-axis" (lines).
    std::string paint(std::string_view name) const;
    std::string line_paint(const Series& series) const;
    std::string band_paint(const Series& series) const;

    /// Text with its superscripts and subscripts set by us: fonts draw their own ones unevenly.
    void text(double x, double y, std::string_view content, double size, std::string_view ink = "ebb-ink",
              std::string_view attributes = "");
    void line(double x1, double y1, double x2, double y2, std::string_view attributes);

    std::string take();

  private:
    SvgOptions options_;
    double width_;
    double height_;
    std::string out_;
};

/// Throws ValueError, naming `call`, for a picture too small or too large.
void check_size(const char* call, const SvgOptions& options);

/// Title and what stands under it. Gives the y below them. A page has the title in its own words.
double draw_title(Canvas& canvas, const std::string& title, const std::string& subtitle, Theme theme);

/// The note at the foot. Gives the y above it.
double draw_note(Canvas& canvas, const std::string& note);

/// How wide the widest of the texts is.
double widest(const std::vector<Tick>& ticks, double size);

/// What colours mean: a bar with its scale, right of the plot. It takes `colour_bar_room` beside the plot.
void draw_colour_bar(Canvas& canvas, const Box& plot, const Axis& axis, const Ticks& scale);
double colour_bar_room(const Ticks& scale);

}  // namespace ebb::inspect::drawing
