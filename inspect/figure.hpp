#pragma once
/// Figures and tables as plain data. What draws them: svg.hpp, vega_lite.hpp, terminal.hpp; what saves their numbers:
/// data_file.hpp; what binds them into one page: report.hpp.

#include <ebb/inspect/graph.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace ebb::inspect {

enum class Scale { linear, log };

struct Axis {
    std::string label;      // Unicode text: "‖∂L/∂hₜ‖"
    std::string unit = {};  // "bits per character"; set in brackets after the label
    Scale scale = Scale::linear;
    std::optional<double> min = {};  // the data's own, rounded, where not given
    std::optional<double> max = {};
    bool reversed = false;  // the largest value first
};

enum class LineStyle {
    solid,
    reference,  // thin, faint and dashed: a bound, a state before training
};

/// One line. A value that the y axis cannot show (0 and below on a log scale, NaN, infinity) leaves a gap, and the
/// figure says so; x must be finite.
struct Series {
    std::string name;
    std::vector<double> x;
    std::vector<double> y;
    LineStyle style = LineStyle::solid;
    /// Drawn in the colour of the series with this name, and left out of the legend.
    std::string like = {};
    /// Its number in line_colours; the next free one where not given.
    std::optional<std::size_t> colour = {};
    /// A band around the line, for the spread over seeds; as many as y, or none.
    std::vector<double> low = {};
    std::vector<double> high = {};
};

/// What the figure shows at one stop of its slider.
struct Frame {
    std::int64_t step;
    std::vector<Series> series;
};

/// Lines over a common x axis, with a slider over training when it has frames.
struct LineFigure {
    std::string title;
    std::string caption;
    Axis x;
    Axis y;
    std::vector<Series> series;  // drawn at every stop of the slider
    std::vector<Frame> frames;   // by rising step; still pictures show the last one
    std::string frame_label = "training step";
    /// What the legend calls the dashed lines that are `like` another series.
    std::string reference_label = "before training";
};

/// What a heat map shows at one stop of its slider.
struct MapFrame {
    std::int64_t step;
    std::vector<double> values;
};

/// A matrix as colours: `values` is row-major, [y_at.size(), x_at.size()]. With frames it has a slider over training,
/// the values are theirs, and `values` is empty.
struct HeatMap {
    std::string title;
    std::string caption;
    Axis x;
    Axis y;
    Axis value;
    std::vector<double> x_at;  // evenly spaced, rising
    std::vector<double> y_at;
    std::vector<double> values;
    std::vector<MapFrame> frames = {};  // by rising step; still pictures show the last one
    std::string frame_label = "training step";
    bool sparse = false;       // NaN stands for no cell at all: the half of a triangle
    std::size_t contours = 0;  // how many lines of equal value, at even distances of the scale
};

/// What the graph shows at one stop of its slider.
struct GraphFrame {
    std::int64_t step;
    GraphNumbers numbers;
};

/// A network unrolled through time, coloured by its gradient. With frames it has a slider over training; `graph` is
/// then what the last of them shows, and still pictures are of it.
struct GraphFigure {
    std::string title;
    std::string caption;
    UnrolledGraph graph;
    std::vector<GraphFrame> frames = {};  // by rising step
    std::string frame_label = "training step";
};

/// The next stop of a graph's slider: `graph` is the same network at a later step of the training. Throws ValueError
/// where it is another network, or the step no later one.
void add_frame(GraphFigure& figure, std::int64_t step, UnrolledGraph graph);

struct Column {
    std::string header;
    std::string unit = {};
    int digits = 3;  // significant digits, at least
};

using Cell = std::variant<std::string, double>;

struct Table {
    std::string title;
    std::string caption;
    std::vector<Column> columns;
    std::vector<std::vector<Cell>> rows;  // each has a cell per column
};

/// Each throws ValueError, which names `call` and the title, unless there is something to draw: a title, at least one
/// point or cell, x and y of one length, finite x, frames by rising step, names that differ.
void check(const char* call, const LineFigure& figure);
void check(const char* call, const HeatMap& figure);
void check(const char* call, const GraphFigure& figure);
void check(const char* call, const Table& table);

/// All series of a still picture: the ones of the frame, then the ones of every frame. Without a frame number the last
/// frame. Throws IndexError for a frame that the figure does not have.
std::vector<const Series*> series_of(const LineFigure& figure, std::optional<std::size_t> frame = {});

/// The values at a stop of the slider, the last one where not given; of a heat map without frames its only ones.
/// Throws IndexError for a frame that the figure does not have.
const std::vector<double>& values_of(const HeatMap& figure, std::optional<std::size_t> frame = {});

/// The graph with the numbers of a stop of the slider, the last one where not given. Throws IndexError likewise.
UnrolledGraph graph_of(const GraphFigure& figure, std::optional<std::size_t> frame = {});

/// "training step 500": the stop that a still picture shows, the last one where not given; empty for a figure without
/// frames. Throws IndexError likewise.
std::string frame_text(const LineFigure& figure, std::optional<std::size_t> frame = {});
std::string frame_text(const HeatMap& figure, std::optional<std::size_t> frame = {});
std::string frame_text(const GraphFigure& figure, std::optional<std::size_t> frame = {});

/// A dashed line at one height, from x to x: a bound, a baseline.
Series level_line(std::string name, double y, double from, double to);

/// Several runs as one line: the median at each x, and the band from the smallest to the largest. Each of `runs` is as
/// long as `x`; a value that is NaN in one run is left out of the others' median there. Throws ValueError for no run,
/// and for one of another length.
Series median_and_range(std::string name, const std::vector<double>& x, const std::vector<std::vector<double>>& runs);

/// Gives each series a number in line_colours: one that has none gets the lowest that no other name in `figure` has.
void assign_colours(LineFigure& figure);

/// "label (unit)".
std::string axis_title(const Axis& axis);

/// What a scale shows of a list of values, and what it leaves out.
struct Drawn {
    std::size_t drawn = 0;
    std::size_t zero = 0;      // on a log scale
    std::size_t negative = 0;  // on a log scale
    std::size_t nan = 0;
    std::size_t infinite = 0;
    std::size_t outside = 0;  // beyond the axis's own min and max; drawn, and cut off there
    double low = 0;           // of what is drawn
    double high = 0;
    std::size_t left_out() const { return zero + negative + nan + infinite; }
};

/// True for a number that `axis` has a place for.
bool is_drawable(const Axis& axis, double value);
Drawn count_drawn(const Axis& axis, const std::vector<double>& values);

/// "Not drawn: tanh: 12 values are 0 (a log axis has no 0). Beyond the ends of the axis: 3 values."; empty when
/// everything is drawn.
std::string missing_note(const LineFigure& figure, std::optional<std::size_t> frame = {});
std::string missing_note(const HeatMap& figure, std::optional<std::size_t> frame = {});

}  // namespace ebb::inspect
