#include <ebb/core/error.hpp>
#include <ebb/inspect/ticks.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "xml.hpp"
#include <doctest/doctest.h>

using namespace ebb;
using namespace ebb::inspect;

namespace {

std::string texts(const Ticks& ticks) {
    std::string all;
    for (const Tick& tick : ticks.major) all += (all.empty() ? "" : " ") + tick.text;
    return all;
}

/// What holds for the ticks of every axis: rising, inside of the ends, and written as what they are.
void check_ticks(const Ticks& ticks, double low, double high, std::size_t wanted, Ends ends) {
    CAPTURE(low);
    CAPTURE(high);
    CAPTURE(texts(ticks));
    CHECK(ticks.major.size() <= std::max<std::size_t>(2 * wanted, 7));
    if (ends == Ends::round) {
        CHECK(ticks.low <= low);
        CHECK(ticks.high >= high);
    }
    CHECK(ticks.low < ticks.high);
    const double hair = 1e-6 * (ticks.high - ticks.low);
    for (std::size_t i = 0; i < ticks.major.size(); ++i) {
        if (i > 0) CHECK(ticks.major[i].at > ticks.major[i - 1].at);
        CHECK(ticks.major[i].at >= ticks.low - hair);
        CHECK(ticks.major[i].at <= ticks.high + hair);
        CHECK(test::read_number(ticks.major[i].text) ==
              doctest::Approx(ticks.major[i].at).epsilon(1e-9).scale(std::abs(ticks.high - ticks.low) * 1e-3));
    }
}

}  // namespace

TEST_CASE("linear ticks stand at 1, 2 and 5 times powers of ten") {
    CHECK(texts(linear_ticks(0, 1, 6, Ends::round)) == "0 0.2 0.4 0.6 0.8 1.0");
    CHECK(texts(linear_ticks(1, 100, 6, Ends::exact)) == "20 40 60 80 100");
    CHECK(texts(linear_ticks(0, 1000, 6, Ends::exact)) == "0 200 400 600 800 1,000");
    CHECK(texts(linear_ticks(-0.3, 0.3, 7, Ends::round)) == "−0.3 −0.2 −0.1 0 0.1 0.2 0.3");
    CHECK(texts(linear_ticks(0, 3e-6, 4, Ends::round)) == "0 1 × 10⁻⁶ 2 × 10⁻⁶ 3 × 10⁻⁶");
    CHECK(texts(linear_ticks(0, 2e9, 5, Ends::round)) == "0 0.5 × 10⁹ 1.0 × 10⁹ 1.5 × 10⁹ 2.0 × 10⁹");
}

TEST_CASE("round ends hold the data and exact ends are the data's") {
    const Ticks round = linear_ticks(0.13, 0.87, 6, Ends::round);
    CHECK(round.low == 0.0);
    CHECK(round.high == 1.0);
    const Ticks exact = linear_ticks(0.13, 0.87, 6, Ends::exact);
    CHECK(exact.low == 0.13);
    CHECK(exact.high == 0.87);
    CHECK(log_ticks(3e-9, 0.4, 8, Ends::round).low == 1e-9);
    CHECK(log_ticks(3e-9, 0.4, 8, Ends::round).high == 1.0);
}

TEST_CASE("log ticks are powers of ten, thinned out where there are many") {
    CHECK(texts(log_ticks(1e-4, 1, 8, Ends::round)) == "10⁻⁴ 10⁻³ 10⁻² 10⁻¹ 10⁰");
    CHECK(texts(log_ticks(1e-12, 1, 8, Ends::round)) == "10⁻¹² 10⁻¹⁰ 10⁻⁸ 10⁻⁶ 10⁻⁴ 10⁻² 10⁰");
    CHECK(texts(log_ticks(1e-300, 1, 8, Ends::round)) == "10⁻³⁰⁰ 10⁻²⁵⁰ 10⁻²⁰⁰ 10⁻¹⁵⁰ 10⁻¹⁰⁰ 10⁻⁵⁰ 10⁰");
    CHECK(texts(log_ticks(0.01, 100, 8, Ends::round)) == "0.01 0.1 1 10 100");
    CHECK(texts(log_ticks(1.3, 17, 8, Ends::round)) == "1 2 5 10 20");
    CHECK(texts(log_ticks(1.3e-9, 7e-9, 8, Ends::round)) == "10⁻⁹ 2 × 10⁻⁹ 5 × 10⁻⁹ 10⁻⁸");
}

TEST_CASE("minor marks stand between the numbers") {
    CHECK(log_ticks(1e-4, 1, 8, Ends::round).minor.empty());
    CHECK(log_ticks(1e-12, 1, 8, Ends::round).minor.size() == 6);
    CHECK(log_ticks(1, 10, 8, Ends::round).minor == std::vector<double>{3, 4, 6, 7, 8, 9});
}

TEST_CASE("any interval has ticks that hold together") {
    std::mt19937 random(42);
    std::uniform_real_distribution<double> uniform(0, 1);
    for (int i = 0; i < 3000; ++i) {
        const double size = std::pow(10.0, uniform(random) * 40 - 20);
        const double low = (uniform(random) - 0.5) * size * std::pow(10.0, uniform(random) * 4);
        const double high = low + size;
        const std::size_t wanted = 2 + i % 9;
        for (const Ends ends : {Ends::exact, Ends::round})
            check_ticks(linear_ticks(low, high, wanted, ends), low, high, wanted, ends);
    }
    for (int i = 0; i < 3000; ++i) {
        const double low = std::pow(10.0, uniform(random) * 600 - 305);
        const double high =
            std::min(low * std::pow(10.0, uniform(random) * std::pow(10.0, uniform(random) * 2.8)), 1e308);
        const std::size_t wanted = 3 + i % 9;
        for (const Ends ends : {Ends::exact, Ends::round})
            check_ticks(log_ticks(low, high, wanted, ends), low, high, wanted, ends);
    }
}

TEST_CASE("the ends of what a double holds have ticks as well") {
    const double tiny = std::numeric_limits<double>::denorm_min();
    const double huge = std::numeric_limits<double>::max();
    check_ticks(log_ticks(tiny, 1, 8, Ends::round), tiny, 1, 8, Ends::exact);
    CHECK(log_ticks(tiny, 1, 8, Ends::round).low > 0);
    CHECK(log_ticks(tiny, 1, 8, Ends::round).low <= tiny);
    CHECK(std::isfinite(log_ticks(1, huge, 8, Ends::round).high));
    CHECK(std::isfinite(linear_ticks(-huge, huge, 8, Ends::round).high));
    CHECK(linear_ticks(-huge, huge, 8, Ends::round).major.size() >= 2);
}

TEST_CASE("an interval of no width is widened around its value") {
    for (const double value : {0.0, 1.0, -3.0, 1e-200, 1e200, 0.1}) {
        const Ticks ticks = linear_ticks(value, value, 6, Ends::exact);
        CAPTURE(value);
        CHECK(ticks.low < value);
        CHECK(ticks.high > value);
        CHECK(ticks.major.size() >= 2);
    }
    for (const double value : {1.0, 1e-200, 1e200, 0.1, 5e-324}) {
        const Ticks ticks = log_ticks(value, value, 6, Ends::exact);
        CAPTURE(value);
        CHECK(ticks.low <= value);
        CHECK(ticks.high > value);
    }
}

TEST_CASE("ticks refuse what is no interval") {
    CHECK_THROWS_WITH_AS(linear_ticks(2, 1, 6, Ends::round),
                         "linear_ticks: the ends are 2 and 1, expected two finite numbers in rising order", ValueError);
    CHECK_THROWS_WITH_AS(log_ticks(0, 1, 6, Ends::round),
                         "log_ticks: the ends are 0 and 1, expected two finite positive numbers in rising order",
                         ValueError);
    CHECK_THROWS_WITH_AS(linear_ticks(0, 1, 1, Ends::round), "linear_ticks: 1 ticks wanted, expected at least 2",
                         ValueError);
}

TEST_CASE("the axes of a figure hold all of its frames") {
    LineFigure figure;
    figure.title = "loss";
    figure.x = {.label = "t"};
    figure.y = {.label = "norm", .unit = {}, .scale = Scale::log};
    figure.frames = {{0, {{"a", {1, 2}, {1e-3, 1e-2}}}}, {10, {{"a", {1, 5}, {1e-6, 0}}}}};
    figure.series = {{"bound", {0, 2}, {0.5, NAN}}};
    const AxesTicks axes = axes_ticks(figure, 8, 8);
    CHECK(axes.x.low == 0);
    CHECK(axes.x.high == 5);
    CHECK(axes.y.low == 1e-6);
    CHECK(axes.y.high == 1);
    figure.y.min = 1e-4;
    figure.y.max = 0.7;
    CHECK(axes_ticks(figure, 8, 8).y.low == 1e-4);
    CHECK(axes_ticks(figure, 8, 8).y.high == 0.7);
}

TEST_CASE("no tick lies beyond the end that a figure gives its axis, on a log scale too") {
    LineFigure figure;
    figure.title = "gradients";
    figure.x = {.label = "d"};
    figure.y = {.label = "y", .scale = Scale::log};
    figure.series = {{"a", {1, 2, 3}, {1, 1e-6, 1e-14}}};
    figure.y.min = 4e-14;
    const Ticks ticks = axes_ticks(figure, 8, 8).y;
    CHECK(ticks.low == 4e-14);
    CHECK(texts(ticks) == "10⁻¹² 10⁻¹⁰ 10⁻⁸ 10⁻⁶ 10⁻⁴ 10⁻² 10⁰");
    for (const double at : ticks.minor) CHECK(at >= ticks.low);
}

TEST_CASE("an axis of whole numbers has whole ticks") {
    LineFigure figure;
    figure.title = "steps";
    figure.x = {.label = "t"};
    figure.y = {.label = "y"};
    figure.series = {{"a", {1, 2, 3}, {0.5, 0.7, 0.6}}};
    CHECK(texts(axes_ticks(figure, 8, 8).x) == "1 2 3");
    figure.series[0].x = {1, 1.5, 3};
    CHECK(axes_ticks(figure, 8, 8).x.major.size() > 3);
}

TEST_CASE("a position on an axis goes from 0 at its low end to 1 at its high end") {
    const Ticks ends{1e-8, 1, {}, {}};
    const Axis log{.label = "y", .unit = {}, .scale = Scale::log};
    CHECK(position_on(log, ends, 1e-8) == doctest::Approx(0));
    CHECK(position_on(log, ends, 1e-4) == doctest::Approx(0.5));
    CHECK(position_on(log, ends, 1) == doctest::Approx(1));
    const Axis reversed{.label = "x", .unit = {}, .scale = Scale::linear, .min = {}, .max = {}, .reversed = true};
    CHECK(position_on(reversed, {0, 10, {}, {}}, 2) == doctest::Approx(0.8));
}
