#include <ebb/inspect/palette.hpp>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace ebb::inspect {

LineColour line_colour(std::size_t index) {
    return line_colours[index % line_colours.size()];
}

std::string heat_colour(double position) {
    struct Stop {
        double red, green, blue;
    };
    constexpr std::array<Stop, 6> stops{{
        {16, 24, 64},
        {22, 70, 118},
        {24, 120, 138},
        {74, 168, 136},
        {170, 206, 120},
        {252, 240, 176},
    }};
    const double at = std::clamp(position, 0.0, 1.0) * static_cast<double>(stops.size() - 1);
    const auto left = std::min(static_cast<std::size_t>(at), stops.size() - 2);
    const double share = at - static_cast<double>(left);
    const auto mix = [&](double a, double b) { return static_cast<int>(std::lround(a + share * (b - a))); };
    const Stop& a = stops[left];
    const Stop& b = stops[left + 1];
    return fmt::format("#{:02x}{:02x}{:02x}", mix(a.red, b.red), mix(a.green, b.green), mix(a.blue, b.blue));
}

}  // namespace ebb::inspect
