#pragma once
/// Where an axis puts its numbers, and how they are written.

#include <ebb/inspect/figure.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace ebb::inspect {

struct Tick {
    double at;
    std::string text;  // Unicode: "0.5", "10⁻³", "1,000", "−2"
};

/// The ends of an axis and what stands along it.
struct Ticks {
    double low;
    double high;
    std::vector<Tick> major;
    std::vector<double> minor;  // marks without a number
};

enum class Ends {
    exact,  // the axis ends where the data end
    round,  // the axis ends at round numbers around the data
};

/// Ticks at 1, 2 or 5 times a power of ten, about `wanted` of them and never more than twice as many. An interval of no
/// width is widened around its value. Throws ValueError unless low <= high, both finite, and wanted >= 2.
Ticks linear_ticks(double low, double high, std::size_t wanted, Ends ends);

/// Ticks at powers of ten, at every second, third, fifth ... of them when there are many, and at 1, 2, 5 times them
/// when there are few: at most `wanted`, or 7. Throws ValueError unless 0 < low <= high, both finite, and wanted >= 2.
Ticks log_ticks(double low, double high, std::size_t wanted, Ends ends);

/// The axes of a line figure, which are the same at every stop of its slider: x ends where the data end, y at round
/// numbers, and both where the figure itself says so.
struct AxesTicks {
    Ticks x;
    Ticks y;
};
AxesTicks axes_ticks(const LineFigure& figure, std::size_t wanted_x, std::size_t wanted_y);

/// The scale of a heat map's values, the same at every stop of its slider.
Ticks value_ticks(const HeatMap& figure, std::size_t wanted);

/// The log scale of a graph's gradients, at the first and the last stop of its slider, and at most 60 decades below the
/// largest: what is smaller has vanished.
Ticks gradient_ticks(const GraphFigure& figure);

/// Where `value` lies between the ends: 0 at low, 1 at high; the other way round on a reversed axis.
double position_on(const Axis& axis, const Ticks& ticks, double value);

}  // namespace ebb::inspect
