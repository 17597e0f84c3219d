#include <ebb/inspect/page_data.hpp>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include <browser/sample.hpp>
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace ebb::inspect;
using nlohmann::ordered_json;

namespace {

/// What the page's script does: base64 to float32.
std::vector<float> unpacked(const std::string& text) {
    const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::vector<unsigned char> bytes;
    std::uint32_t bits = 0;
    int count = 0;
    for (const char c : text) {
        if (c == '=') break;
        bits = bits << 6U | static_cast<std::uint32_t>(digits.find(c));
        count += 6;
        if (count >= 8) bytes.push_back(static_cast<unsigned char>(bits >> (count -= 8)));
    }
    std::vector<float> values(bytes.size() / 4);
    std::memcpy(values.data(), bytes.data(), 4 * values.size());
    return values;
}

constexpr float absent = std::numeric_limits<float>::max();

}  // namespace

TEST_CASE("numbers are packed as float32, on a log scale their logarithms") {
    HeatMap map{.title = "m",
                .caption = {},
                .x = {.label = "x"},
                .y = {.label = "y"},
                .value = {.label = "v"},
                .x_at = {1, 2, 3, 4},
                .y_at = {0},
                .values = {0.5, -2, NAN, INFINITY}};
    const std::vector<float> linear = unpacked(page_data("m", map)["frames"][0]);
    REQUIRE(linear.size() == 4);
    CHECK(linear[0] == 0.5F);
    CHECK(linear[1] == -2);
    CHECK(std::isnan(linear[2]));
    CHECK(linear[3] == std::numeric_limits<float>::infinity());
    map.value.scale = Scale::log;
    map.values = {1e-300, 0, -1, 1};
    const std::vector<float> log = unpacked(page_data("m", map)["frames"][0]);
    // A float itself ends at 1e-45.
    CHECK(log[0] == doctest::Approx(-300 * std::log(10.0)).epsilon(1e-6));
    CHECK(log[1] == -std::numeric_limits<float>::infinity());
    CHECK(std::isnan(log[2]));
    CHECK(log[3] == 0);
}

TEST_CASE("of a sparse map only the cells that are there are packed") {
    HeatMap map{.title = "m",
                .caption = {},
                .x = {.label = "x"},
                .y = {.label = "y"},
                .value = {.label = "v"},
                .x_at = {1, 2, 3},
                .y_at = {0, 1},
                .values = {1, NAN, NAN, 2, 3, NAN}};
    map.sparse = true;
    ordered_json frame = page_data("m", map)["frames"][0];
    CHECK(frame["runs"] == ordered_json::parse("[0, 1, 2, 2, 1]"));
    CHECK(unpacked(frame["values"]) == std::vector<float>{1, 2, 3});
    map.values[0] = NAN;
    frame = page_data("m", map)["frames"][0];
    CHECK(frame["runs"] == ordered_json::parse("[3, 2, 1]"));
    CHECK(unpacked(frame["values"]) == std::vector<float>{2, 3});
}

TEST_CASE("lines are blocks of one step, which share their x, with a mark where a series has no value") {
    LineFigure figure;
    figure.title = "t";
    figure.x = {.label = "t"};
    figure.y = {.label = "y"};
    figure.frames = {{0, {{"a", {1, 2}, {3, 4}}, {"b", {2}, {5}}}}, {10, {{"a", {1, 2}, {6, 7}}}}};
    figure.series = {{"bound", {1, 2}, {8, 9}}};
    const ordered_json data = page_data("t", figure);
    CHECK(data["xLists"] == ordered_json::parse("[[1.0, 2.0]]"));
    CHECK(data["steps"] == ordered_json::parse("[0, 10]"));
    REQUIRE(data["blocks"].size() == 3);
    CHECK(data["blocks"][0]["columns"] == ordered_json::parse("[0, 1]"));
    CHECK(unpacked(data["blocks"][0]["values"]) == std::vector<float>{3, absent, 4, 5});
    CHECK(data["blocks"][1]["step"] == 10);
    CHECK(unpacked(data["blocks"][1]["values"]) == std::vector<float>{6, 7});
    CHECK(data["blocks"][2]["step"].is_null());
    CHECK(data["blocks"][2]["columns"] == ordered_json::parse("[2]"));
    CHECK(data["spec"]["data"] == ordered_json::parse(R"({"name": "points"})"));
}

TEST_CASE("a page of many frames takes few bytes a number") {
    const std::string text = page_data("g", sample::gradient_figure()).dump();
    const double numbers = 3.0 * sample::steps * (sample::frames + 1);
    CHECK(static_cast<double>(text.size()) < 5.4 * numbers + 20000);
}
