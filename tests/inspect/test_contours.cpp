#include <ebb/inspect/contours.hpp>
#include <ebb/inspect/svg.hpp>

#include <cmath>
#include <limits>
#include <set>

#include "support/random_arrays.hpp"
#include <doctest/doctest.h>

using namespace ebb;
using namespace ebb::inspect;

namespace {

HeatMap map_of(std::size_t rows, std::size_t columns, std::size_t contours) {
    HeatMap map;
    map.title = "map";
    map.x = {.label = "x"};
    map.y = {.label = "y"};
    map.value = {.label = "value"};
    for (std::size_t c = 0; c < columns; ++c) map.x_at.push_back(static_cast<double>(c));
    for (std::size_t r = 0; r < rows; ++r) map.y_at.push_back(static_cast<double>(r));
    map.contours = contours;
    return map;
}

}  // namespace

TEST_CASE("of a slope the lines of equal value are straight, at even distances") {
    HeatMap map = map_of(4, 9, 3);
    for (std::size_t r = 0; r < 4; ++r)
        for (std::size_t c = 0; c < 9; ++c) map.values.push_back(static_cast<double>(c));
    const auto segments = contour_segments(map, map.values, {0, 8, {}, {}});
    CHECK(segments.size() == 3 * 3);  // three lines through three rows of squares
    std::set<double> columns;
    for (const ContourSegment& piece : segments) {
        CHECK(piece.column_from == piece.column_to);
        CHECK(std::abs(piece.row_from - piece.row_to) == 1);
        columns.insert(piece.column_from);
    }
    CHECK(columns == std::set<double>{2, 4, 6});
    map.contours = 0;
    CHECK(contour_segments(map, map.values, {0, 8, {}, {}}).empty());
}

TEST_CASE("a line ends on sides of its square where the value between two corners is its own") {
    test::RandomArrays random(83);
    for (const Scale scale : {Scale::linear, Scale::log}) {
        HeatMap map = map_of(6, 7, 4);
        map.value.scale = scale;
        for (std::size_t k = 0; k < 42; ++k) map.values.push_back(std::exp(4 * random.uniform()));
        map.values[10] = std::numeric_limits<double>::quiet_NaN();
        const Ticks ticks{1, 60, {}, {}};
        const auto segments = contour_segments(map, map.values, ticks);
        CHECK(segments.size() > 20);
        const auto level_at = [&](double column, double row) {
            const auto c = static_cast<std::size_t>(column), r = static_cast<std::size_t>(row);
            const double across = column - static_cast<double>(c), up = row - static_cast<double>(r);
            CHECK((across == 0 || up == 0));
            const std::size_t from = r * 7 + c, to = across > 0 ? from + 1 : up > 0 ? from + 7 : from;
            const auto place = [&](std::size_t k) { return position_on(map.value, ticks, map.values[k]); };
            return place(from) + (across + up) * (place(to) - place(from));
        };
        for (const ContourSegment& piece : segments) {
            const double level = level_at(piece.column_from, piece.row_from);
            CHECK(std::abs(level * 5 - std::round(level * 5)) < 1e-9);
            CHECK(level_at(piece.column_to, piece.row_to) == doctest::Approx(level).epsilon(1e-9));
        }
    }
}

TEST_CASE("a still picture of a loss surface has its lines") {
    HeatMap map = map_of(5, 5, 3);
    for (int k = 0; k < 25; ++k) map.values.push_back(k);
    const std::string lines = "fill=\"none\" stroke=\"#ffffff\"";
    CHECK(to_svg(map).find(lines) != std::string::npos);
    map.contours = 0;
    CHECK(to_svg(map).find(lines) == std::string::npos);
}
