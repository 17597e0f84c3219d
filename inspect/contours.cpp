#include <ebb/inspect/contours.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

namespace ebb::inspect {

std::vector<ContourSegment> contour_segments(const HeatMap& figure, const std::vector<double>& values,
                                             const Ticks& scale) {
    std::vector<ContourSegment> segments;
    const std::size_t columns = figure.x_at.size(), rows = figure.y_at.size();
    if (figure.contours == 0 || columns == 0) return segments;
    std::vector<double> place;  // on the scale, from 0 to 1
    for (const double value : values)
        place.push_back(is_drawable(figure.value, value) ? position_on(figure.value, scale, value)
                                                         : std::numeric_limits<double>::quiet_NaN());
    struct Corner {
        std::size_t column, row;
    };
    for (std::size_t line = 1; line <= figure.contours; ++line) {
        const double level = static_cast<double>(line) / static_cast<double>(figure.contours + 1);
        for (std::size_t row = 0; row + 1 < rows; ++row)
            for (std::size_t column = 0; column + 1 < columns; ++column) {
                const std::array<Corner, 4> corners{
                    {{column, row}, {column + 1, row}, {column + 1, row + 1}, {column, row + 1}}};
                const auto at = [&](std::size_t i) { return place[corners[i].row * columns + corners[i].column]; };
                if (std::isnan(at(0) + at(1) + at(2) + at(3))) continue;
                std::array<std::pair<double, double>, 4> crossings;
                std::size_t count = 0;  // 0, 2 or 4
                for (std::size_t i = 0; i < 4; ++i) {
                    const std::size_t j = (i + 1) % 4;
                    if ((at(i) < level) == (at(j) < level)) continue;
                    const double share = (level - at(i)) / (at(j) - at(i));
                    const auto between = [share](std::size_t from, std::size_t to) {
                        return static_cast<double>(from) +
                               share * (static_cast<double>(to) - static_cast<double>(from));
                    };
                    crossings[count++] = {between(corners[i].column, corners[j].column),
                                          between(corners[i].row, corners[j].row)};
                }
                for (std::size_t i = 0; i + 1 < count; i += 2)
                    segments.push_back(
                        {crossings[i].first, crossings[i].second, crossings[i + 1].first, crossings[i + 1].second});
            }
    }
    return segments;
}

}  // namespace ebb::inspect
