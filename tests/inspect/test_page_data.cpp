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

/// What the page's script does: base64 to bytes.
std::vector<unsigned char> decoded(const std::string& text) {
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
    return bytes;
}

/// And to float32.
std::vector<float> unpacked(const std::string& text) {
    const std::vector<unsigned char> bytes = decoded(text);
    std::vector<float> values(bytes.size() / 4);
    std::memcpy(values.data(), bytes.data(), 4 * values.size());
    return values;
}

/// Numbers that are packed as places, or their logarithms; what is no place comes as its number from 65,532 on.
std::vector<double> unpacked_places(const ordered_json& packed) {
    const std::vector<unsigned char> bytes = decoded(packed["places"]);
    std::vector<double> values;
    for (std::size_t k = 0; k + 1 < bytes.size(); k += 2) {
        const unsigned place = bytes[k] | static_cast<unsigned>(bytes[k + 1]) << 8U;
        values.push_back(place < 65532 ? packed["low"].get<double>() + place * packed["step"].get<double>() : place);
    }
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

TEST_CASE("of many frames a number is a place in two bytes, right to three digits over thirty powers of ten") {
    HeatMap map{.title = "m",
                .caption = {},
                .x = {.label = "x"},
                .y = {.label = "y"},
                .value = {.label = "v", .scale = Scale::log},
                .x_at = {0, 1, 2, 3, 4, 5, 6},
                .y_at = {0},
                .values = {}};
    const std::vector<double> values{1e-30, 1, 1.23e-17, 0, -1, INFINITY, 4.56e-3};
    map.frames = {{0, values}, {1, values}};
    const std::vector<double> log = unpacked_places(page_data("m", map)["frames"][1]);
    REQUIRE(log.size() == 7);
    for (const std::size_t k : {0, 1, 2, 6}) CHECK(std::exp(log[k]) == doctest::Approx(values[k]).epsilon(1e-3));
    CHECK(log[3] == 65532);  // the logarithm of 0
    CHECK(log[4] == 65534);
    CHECK(log[5] == 65533);
    map.value.scale = Scale::linear;
    const std::vector<double> linear = unpacked_places(page_data("m", map)["frames"][0]);
    CHECK(linear[4] == doctest::Approx(-1));
    CHECK(linear[1] == doctest::Approx(1));
    // Numbers that are all the same have one place.
    map.frames[0].values.assign(7, 0.25);
    CHECK(unpacked_places(page_data("m", map)["frames"][0]) == std::vector<double>(7, 0.25));
}

TEST_CASE("a graph's frames are its numbers, in the order of nodes and edges") {
    GraphFigure figure{.title = "g", .caption = {}, .graph = {}};
    UnrolledGraph graph;
    graph.nodes.resize(2);
    graph.nodes[0].value_norm = 3;
    graph.nodes[1].grad_norm = 0.5;
    graph.edges = {{0, 1, 0.25}};
    graph.lanes = {"readout"};
    add_frame(figure, 0, graph);
    ordered_json data = page_data("g", figure);
    CHECK(data["frames"].size() == 1);
    CHECK(unpacked(data["frames"][0]["gradient"])[0] == absent);
    CHECK(unpacked(data["frames"][0]["gradient"])[1] == doctest::Approx(std::log(0.5)));
    graph.nodes[1].grad_norm = 2;
    add_frame(figure, 40, graph);
    data = page_data("g", figure);
    CHECK(data["steps"] == ordered_json::parse("[0, 40]"));
    CHECK(unpacked_places(data["frames"][1]["gradient"])[0] == 65535);  // none
    CHECK(std::exp(unpacked_places(data["frames"][1]["gradient"])[1]) == doctest::Approx(2));
    CHECK(std::exp(unpacked_places(data["frames"][0]["edges"])[0]) == doctest::Approx(0.25));
    CHECK(std::exp(unpacked_places(data["frames"][0]["value"])[0]) == doctest::Approx(3));
}
