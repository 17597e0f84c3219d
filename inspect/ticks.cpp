#include <ebb/core/error.hpp>
#include <ebb/inspect/number_text.hpp>
#include <ebb/inspect/ticks.hpp>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdlib>
#include <limits>

#include <fmt/format.h>

namespace ebb::inspect {

namespace {

/// Gradients do fall to here, where a double has one bit left.
constexpr double smallest = std::numeric_limits<double>::denorm_min();

/// 10^exponent, correctly rounded: pow(10, -5) need not be 1e-5.
double power_of_ten(int exponent) {
    return std::strtod(fmt::format("1e{}", exponent).c_str(), nullptr);
}

/// count * 10^exponent, correctly rounded: 3 * 0.1 is 0.30000000000000004.
double decimal(long long count, int exponent) {
    return std::strtod(fmt::format("{}e{}", count, exponent).c_str(), nullptr);
}

void check_interval(const char* call, double low, double high, std::size_t wanted, bool positive) {
    if (!std::isfinite(low) || !std::isfinite(high) || low > high || (positive && low <= 0))
        throw ValueError(fmt::format("{}: the ends are {} and {}, expected two finite {}numbers in rising order", call,
                                     low, high, positive ? "positive " : ""));
    if (wanted < 2) throw ValueError(fmt::format("{}: {} ticks wanted, expected at least 2", call, wanted));
}

/// A step of 1, 2 or 5 times a power of ten.
struct Step {
    int mantissa;
    int exponent;
    double width() const { return decimal(mantissa, exponent); }
};

Step round_step(double raw) {
    const int exponent = static_cast<int>(std::floor(std::log10(raw)));
    const double fraction = raw / power_of_ten(exponent);
    // Geometric means of neighbours: the step nearest to the wished one on a log scale.
    if (fraction < 1.4142) return {1, exponent};
    if (fraction < 3.1623) return {2, exponent};
    if (fraction < 7.0711) return {5, exponent};
    return {1, exponent + 1};
}

std::string decimal_text(double value, int decimals) {
    if (decimals <= 0) return format_integer(value);
    const std::string plain = fmt::format("{:.{}f}", std::abs(value), decimals);
    const std::string sign = value < 0 ? "\u2212" : "";
    return sign + format_integer(std::strtod(plain.substr(0, plain.find('.')).c_str(), nullptr)) +
           plain.substr(plain.find('.'));
}

/// One way of writing for the whole axis: plain decimals where the numbers are short, powers of ten elsewhere.
std::string linear_text(double value, const Step& step, double largest) {
    if (value == 0) return "0";
    const bool plain = largest < 1e7 && step.exponent >= -4;
    if (plain) return decimal_text(value, -step.exponent);
    const int exponent = static_cast<int>(std::floor(std::log10(largest)));
    const int decimals = std::max(0, exponent - step.exponent);
    return fmt::format("{} × 10{}", decimal_text(value / power_of_ten(exponent), decimals), superscript(exponent));
}

}  // namespace

Ticks linear_ticks(double low, double high, std::size_t wanted, Ends ends) {
    check_interval("linear_ticks", low, high, wanted, false);
    // Below this width neighbouring ticks would be the same double.
    const double least = std::max({std::abs(low), std::abs(high), DBL_MIN}) * 1e-9;
    if (high - low < least) {
        const double half = low == 0 && high == 0 ? 1.0 : std::max(std::abs(low) * 0.1, least);
        low -= half;
        high += half;
        ends = Ends::round;
    }
    // An interval that nearly fills what a double holds has no room for round ends.
    if (std::max(-low, high) > DBL_MAX / 4) ends = Ends::exact;
    const auto gaps = static_cast<double>(wanted - 1);
    const Step step = round_step(high / gaps - low / gaps);
    const double width = step.width();
    // A hair of tolerance: 0.3 / 0.1 is 2.9999999999999996.
    auto first =
        static_cast<long long>(ends == Ends::round ? std::floor(low / width + 1e-9) : std::ceil(low / width - 1e-9));
    auto last =
        static_cast<long long>(ends == Ends::round ? std::ceil(high / width - 1e-9) : std::floor(high / width + 1e-9));
    Ticks ticks{low, high, {}, {}};
    const double largest = width * static_cast<double>(std::max(std::llabs(first), std::llabs(last)));
    for (long long count = first; count <= last; ++count) {
        const double at = decimal(count * step.mantissa, step.exponent);
        ticks.major.push_back({at, linear_text(at, step, largest)});
    }
    if (ends == Ends::round) {
        ticks.low = ticks.major.front().at;
        ticks.high = ticks.major.back().at;
    }
    return ticks;
}

Ticks log_ticks(double low, double high, std::size_t wanted, Ends ends) {
    check_interval("log_ticks", low, high, wanted, true);
    if (high / low < 1.02) {
        low = std::max(low / 2, smallest);
        high = std::min(high * 2, DBL_MAX);
        ends = Ends::round;
    }
    // A hair of tolerance: log10(1e-5) need not be -5.
    const double log_low = std::log10(low);
    const double log_high = std::log10(high);
    const int floor_low = static_cast<int>(std::floor(log_low + 1e-9));
    const int ceil_high = static_cast<int>(std::ceil(log_high - 1e-9));
    Ticks ticks{low, high, {}, {}};

    if (log_high - log_low <= 1.7) {
        // One or two decades: 1, 2, 5 and minor marks at the others.
        std::vector<double> candidates;
        for (int decade = floor_low - 1; decade <= ceil_high; ++decade)
            for (const int mantissa : {1, 2, 5}) {
                const double at = decimal(mantissa, decade);
                if (std::isfinite(at) && at > 0) candidates.push_back(at);
            }
        if (ends == Ends::round) {
            for (const double at : candidates)
                if (at <= low * (1 + 1e-9)) ticks.low = at;
            for (auto at = candidates.rbegin(); at != candidates.rend(); ++at)
                if (*at >= high * (1 - 1e-9)) ticks.high = *at;
        }
        const bool plain = ticks.low >= 0.999e-4 && ticks.high <= 1.001e6;
        const auto is_inside = [&](double at) { return at >= ticks.low * (1 - 1e-9) && at <= ticks.high * (1 + 1e-9); };
        for (int decade = floor_low - 1; decade <= ceil_high; ++decade)
            for (int mantissa = 1; mantissa <= 9; ++mantissa) {
                const double at = decimal(mantissa, decade);
                if (!std::isfinite(at) || at <= 0 || !is_inside(at)) continue;
                if (mantissa != 1 && mantissa != 2 && mantissa != 5) {
                    ticks.minor.push_back(at);
                } else if (plain) {
                    ticks.major.push_back({at, decimal_text(at, -decade)});
                } else if (mantissa == 1) {
                    ticks.major.push_back({at, "10" + superscript(decade)});
                } else {
                    ticks.major.push_back({at, fmt::format("{} × 10{}", mantissa, superscript(decade))});
                }
            }
        if (ticks.major.size() >= 2) return ticks;
        // Exact ends within one gap of 1, 2, 5: the linear ticks of so short a stretch serve.
        Ticks linear = linear_ticks(low, high, wanted, Ends::exact);
        ticks.major = std::move(linear.major);
        ticks.minor.clear();
        return ticks;
    }

    const int lowest = ends == Ends::round ? floor_low : static_cast<int>(std::ceil(log_low - 1e-9));
    const int highest = ends == Ends::round ? ceil_high : static_cast<int>(std::floor(log_high + 1e-9));
    int stride = 1;
    for (const int candidate : {1, 2, 3, 4, 5, 10, 20, 50, 100}) {
        stride = candidate;
        if (static_cast<std::size_t>((highest - lowest) / stride + 1) <= wanted) break;
    }
    if (ends == Ends::round) {
        // The next round exponent may lie outside of what a double holds.
        ticks.low = std::max(power_of_ten(lowest), smallest);
        ticks.high = highest > 308 ? DBL_MAX : power_of_ten(highest);
    }
    const auto is_multiple = [&](int exponent) { return exponent % stride == 0; };
    const bool plain = lowest >= -3 && highest <= 4;
    for (int exponent = lowest; exponent <= highest; ++exponent) {
        const double at = power_of_ten(exponent);
        if (at < ticks.low * (1 - 1e-9) || at > ticks.high * (1 + 1e-9)) continue;
        if (!is_multiple(exponent)) {
            ticks.minor.push_back(at);
        } else if (plain) {
            ticks.major.push_back({at, decimal_text(at, -exponent)});
        } else {
            ticks.major.push_back({at, "10" + superscript(exponent)});
        }
    }
    return ticks;
}

namespace {

/// The ends of all that is drawn of several lists of values.
struct Extent {
    bool any = false;
    bool whole = true;  // whole numbers only
    double low = 0;
    double high = 0;

    void add(const Axis& axis, const std::vector<double>& values) {
        for (const double value : values) {
            if (!is_drawable(axis, value)) continue;
            low = any ? std::min(low, value) : value;
            high = any ? std::max(high, value) : value;
            any = true;
            whole = whole && std::trunc(value) == value;
        }
    }
};

Ticks ticks_for(const Axis& axis, const Extent& extent, std::size_t wanted, Ends ends) {
    const bool is_log = axis.scale == Scale::log;
    double low = axis.min.value_or(extent.any ? extent.low : is_log ? 0.1 : 0.0);
    double high = axis.max.value_or(extent.any ? extent.high : 1.0);
    if (low > high) {
        // All data lie beyond the one end that the figure gives.
        if (axis.min)
            high = is_log ? low * 10 : low + 1;
        else
            low = is_log ? high / 10 : high - 1;
    }
    if (axis.min && axis.max) ends = Ends::exact;
    // Between whole numbers there is nothing to mark.
    const bool whole = !is_log && extent.any && extent.whole;
    if (whole && high - low < static_cast<double>(wanted))
        wanted = std::max<std::size_t>(2, static_cast<std::size_t>(high - low) + 1);
    Ticks ticks = is_log ? log_ticks(low, high, wanted, ends) : linear_ticks(low, high, wanted, ends);
    if (axis.min) ticks.low = *axis.min;
    if (axis.max) ticks.high = *axis.max;
    const auto is_outside = [&](double at) {
        const double place = position_on(axis, ticks, at);
        return place < -1e-9 || place > 1 + 1e-9;
    };
    std::erase_if(ticks.major,
                  [&](const Tick& tick) { return is_outside(tick.at) || (whole && std::trunc(tick.at) != tick.at); });
    std::erase_if(ticks.minor, is_outside);
    return ticks;
}

}  // namespace

AxesTicks axes_ticks(const LineFigure& figure, std::size_t wanted_x, std::size_t wanted_y) {
    Extent x;
    Extent y;
    const auto add = [&](const std::vector<Series>& group) {
        for (const Series& series : group) {
            x.add(figure.x, series.x);
            y.add(figure.y, series.y);
            y.add(figure.y, series.low);
            y.add(figure.y, series.high);
        }
    };
    add(figure.series);
    for (const Frame& frame : figure.frames) add(frame.series);
    y.whole = false;
    return {ticks_for(figure.x, x, wanted_x, Ends::exact), ticks_for(figure.y, y, wanted_y, Ends::round)};
}

Ticks value_ticks(const HeatMap& figure, std::size_t wanted) {
    Extent extent;
    extent.add(figure.value, figure.values);
    for (const MapFrame& frame : figure.frames) extent.add(figure.value, frame.values);
    extent.whole = false;
    return ticks_for(figure.value, extent, wanted, Ends::round);
}

Ticks gradient_ticks(const GraphFigure& figure) {
    const Axis axis{.label = "gradient", .scale = Scale::log};
    Extent extent;
    const auto add = [&](const std::optional<double>& norm) {
        if (norm) extent.add(axis, {*norm});
    };
    for (const GraphNode& node : figure.graph.nodes) add(node.grad_norm);
    // In between gradients may fall by many more powers of ten, and a scale that shows that shows nothing else.
    if (!figure.frames.empty())
        for (const std::optional<double>& norm : figure.frames.front().numbers.grad_norm) add(norm);
    if (extent.any) extent.low = std::max(extent.low, 1e-60 * extent.high);
    return ticks_for(axis, extent, 6, Ends::round);
}

double position_on(const Axis& axis, const Ticks& ticks, double value) {
    double position = 0;
    if (axis.scale == Scale::log) {
        const double log_low = std::log10(ticks.low);
        position = (std::log10(value) - log_low) / (std::log10(ticks.high) - log_low);
    } else {
        // Halves: the whole width of a double's range would overflow.
        position = (value / 2 - ticks.low / 2) / (ticks.high / 2 - ticks.low / 2);
    }
    return axis.reversed ? 1 - position : position;
}

}  // namespace ebb::inspect
