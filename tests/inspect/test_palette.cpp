#include <ebb/inspect/palette.hpp>

#include <array>
#include <cmath>
#include <cstdlib>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

using namespace ebb::inspect;

namespace {

using Triple = std::array<double, 3>;

/// "#rrggbb" as light, which adds up linearly (IEC 61966-2-1).
Triple linear_rgb(std::string_view colour) {
    Triple rgb{};
    for (std::size_t i = 0; i < 3; ++i) {
        const double v =
            static_cast<double>(std::strtol(std::string{colour.substr(1 + 2 * i, 2)}.c_str(), nullptr, 16)) / 255;
        rgb[i] = v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4);
    }
    return rgb;
}

Triple product(const std::array<Triple, 3>& matrix, const Triple& v) {
    Triple result{};
    for (std::size_t i = 0; i < 3; ++i)
        for (std::size_t j = 0; j < 3; ++j) result[i] += matrix[i][j] * v[j];
    return result;
}

double luminance(std::string_view colour) {
    const Triple rgb = linear_rgb(colour);
    return 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2];
}

/// CIE L*a*b* of linear RGB, white D65.
Triple lab(const Triple& rgb) {
    const Triple xyz = product({{{0.4124, 0.3576, 0.1805}, {0.2126, 0.7152, 0.0722}, {0.0193, 0.1192, 0.9505}}}, rgb);
    const auto f = [](double t) { return t > 0.008856 ? std::cbrt(t) : 7.787 * t + 16.0 / 116; };
    const double x = f(xyz[0] / 0.9505);
    const double y = f(xyz[1]);
    const double z = f(xyz[2] / 1.089);
    return {116 * y - 16, 500 * (x - y), 200 * (y - z)};
}

/// Full protanopia, deuteranopia and tritanopia in linear RGB (Machado, Oliveira and Fernandes 2009), and normal sight.
const std::array<std::array<Triple, 3>, 4> sights{{
    {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}},
    {{{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}}},
    {{{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}}},
    {{{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}}},
}};

double difference(std::string_view a, std::string_view b, const std::array<Triple, 3>& sight) {
    const Triple p = lab(product(sight, linear_rgb(a)));
    const Triple q = lab(product(sight, linear_rgb(b)));
    return std::hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]);
}

}  // namespace

TEST_CASE("the first three colours, one for each cell, are far apart to every eye") {
    for (std::size_t sight = 0; sight < sights.size(); ++sight)
        for (std::size_t i = 0; i < 3; ++i)
            for (std::size_t j = 0; j < i; ++j) {
                CAPTURE(sight);
                CAPTURE(i);
                CAPTURE(j);
                // Tritanopia, one in 10,000, brings blue and green closer.
                const double least = sight == 3 ? 15 : 25;
                CHECK(difference(line_colours[i].light, line_colours[j].light, sights[sight]) > least);
                CHECK(difference(line_colours[i].dark, line_colours[j].dark, sights[sight]) > least);
            }
}

TEST_CASE("any two colours differ visibly to every eye") {
    for (const auto& sight : sights)
        for (std::size_t i = 0; i < line_colours.size(); ++i)
            for (std::size_t j = 0; j < i; ++j) {
                CAPTURE(i);
                CAPTURE(j);
                CHECK(difference(line_colours[i].light, line_colours[j].light, sight) > 15);
                CHECK(difference(line_colours[i].dark, line_colours[j].dark, sight) > 15);
            }
}

TEST_CASE("lines stand out from their background") {
    for (const LineColour& colour : line_colours) {
        CAPTURE(colour.light);
        CHECK((1.05) / (luminance(colour.light) + 0.05) > 2.1);
        CHECK((luminance(colour.dark) + 0.05) / (luminance("#14171c") + 0.05) > 5);
    }
}

TEST_CASE("colours start again after the last") {
    CHECK(line_colour(0).light == line_colours[0].light);
    CHECK(line_colour(line_colours.size() + 2).light == line_colours[2].light);
}

TEST_CASE("the heat scale grows lighter all the way") {
    double last = -1;
    for (int i = 0; i <= 200; ++i) {
        const double now = luminance(heat_colour(i / 200.0));
        CHECK(now >= last);
        last = now;
    }
    CHECK(luminance(heat_colour(1)) - luminance(heat_colour(0)) > 0.7);
    CHECK(heat_colour(-3) == heat_colour(0));
    CHECK(heat_colour(7) == heat_colour(1));
}
