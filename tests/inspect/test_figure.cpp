#include <ebb/core/error.hpp>
#include <ebb/inspect/figure.hpp>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace ebb;
using namespace ebb::inspect;

namespace {

LineFigure two_lines() {
    LineFigure figure;
    figure.title = "norms";
    figure.x = {.label = "t"};
    figure.y = {.label = "norm", .unit = {}, .scale = Scale::log};
    figure.series = {{"tanh", {1, 2, 3}, {0.1, 0.2, 0.3}}, {"LSTM", {1, 2, 3}, {0.4, 0.5, 0.6}}};
    return figure;
}

HeatMap small_map() {
    HeatMap map;
    map.title = "map";
    map.x = {.label = "t"};
    map.y = {.label = "unit"};
    map.value = {.label = "gradient", .unit = {}, .scale = Scale::log};
    map.x_at = {1, 2, 3};
    map.y_at = {0, 1};
    map.values = {1, 2, 3, 4, 5, 6};
    return map;
}

Table small_table() {
    return {.title = "cells",
            .caption = {},
            .columns = {{"cell"}, {"loss", "bits"}},
            .rows = {{"tanh", 2.5}, {"LSTM", 1.5}}};
}

}  // namespace

TEST_CASE("figures and tables with something to draw pass") {
    CHECK_NOTHROW(check("draw", two_lines()));
    CHECK_NOTHROW(check("draw", small_map()));
    CHECK_NOTHROW(check("draw", small_table()));
}

TEST_CASE("a line figure without a title, a label or a series is refused") {
    LineFigure figure = two_lines();
    figure.title = "";
    CHECK_THROWS_WITH_AS(check("draw", figure), "draw: a figure has no title", ValueError);
    figure = two_lines();
    figure.x.label = "";
    CHECK_THROWS_WITH_AS(check("draw", figure), "draw: \"norms\": the x axis has no label", ValueError);
    figure = two_lines();
    figure.series.clear();
    CHECK_THROWS_WITH_AS(check("draw", figure), "draw: \"norms\": the figure is empty: expected at least one series",
                         ValueError);
    figure = two_lines();
    figure.series[0].name = "";
    CHECK_THROWS_WITH_AS(check("draw", figure), "draw: \"norms\": a series has no name", ValueError);
}

TEST_CASE("a series must be as long in x as in y, and not empty") {
    LineFigure figure = two_lines();
    figure.series[1].y.pop_back();
    CHECK_THROWS_WITH_AS(check("draw", figure),
                         "draw: \"norms\": series \"LSTM\" has 3 values of x and 2 of y: expected as many x as y",
                         ValueError);
    figure = two_lines();
    figure.series[1].x.clear();
    figure.series[1].y.clear();
    CHECK_THROWS_WITH_AS(check("draw", figure), "draw: \"norms\": series \"LSTM\" is empty", ValueError);
}

TEST_CASE("x must be numbers that its axis can show") {
    LineFigure figure = two_lines();
    figure.series[0].x[1] = NAN;
    CHECK_THROWS_WITH_AS(check("draw", figure),
                         "draw: \"norms\": series \"tanh\" has an x of nan: expected finite numbers", ValueError);
    figure = two_lines();
    figure.x.scale = Scale::log;
    figure.series[0].x[0] = 0;
    CHECK_THROWS_WITH_AS(check("draw", figure),
                         "draw: \"norms\": series \"tanh\" has an x of 0: expected finite positive numbers",
                         ValueError);
}

TEST_CASE("names must differ, and `like` must name a series") {
    LineFigure figure = two_lines();
    figure.series[1].name = "tanh";
    CHECK_THROWS_WITH_AS(check("draw", figure), "draw: \"norms\": two series have the name \"tanh\"", ValueError);
    figure = two_lines();
    figure.series[1].like = "GRU";
    CHECK_THROWS_WITH_AS(check("draw", figure),
                         "draw: \"norms\": series \"LSTM\" is like \"GRU\", which the figure does not have",
                         ValueError);
}

TEST_CASE("frames go by rising step, and none is empty") {
    LineFigure figure = two_lines();
    figure.frames = {{10, {{"GRU", {1}, {1}}}}, {10, {{"GRU", {1}, {1}}}}};
    CHECK_THROWS_WITH_AS(check("draw", figure),
                         "draw: \"norms\": frame 1 is of step 10, after step 10: expected rising steps", ValueError);
    figure.frames[1].step = 20;
    CHECK_NOTHROW(check("draw", figure));
    figure.frames[1].series[0].name = "tanh";
    CHECK_THROWS_WITH_AS(check("draw", figure), "draw: \"norms\": two series have the name \"tanh\"", ValueError);
    figure.frames[1].series.clear();
    CHECK_THROWS_WITH_AS(check("draw", figure),
                         "draw: \"norms\": frame 1 (step 20) is empty: expected at least one series", ValueError);
}

TEST_CASE("the ends of an axis must fit its scale and each other") {
    LineFigure figure = two_lines();
    figure.y.min = 0;
    CHECK_THROWS_WITH_AS(check("draw", figure),
                         "draw: \"norms\": the y axis ends at 0: expected a finite positive number", ValueError);
    figure.y.min = 2;
    figure.y.max = 1;
    CHECK_THROWS_WITH_AS(check("draw", figure), "draw: \"norms\": the y axis goes from 2 to 1: expected min below max",
                         ValueError);
}

TEST_CASE("a heat map needs a value for each cell, and even places") {
    HeatMap map = small_map();
    map.values.pop_back();
    CHECK_THROWS_WITH_AS(check("draw", map), "draw: \"map\": 5 values: expected 2 x 3 = 6", ValueError);
    map = small_map();
    map.y_at.clear();
    CHECK_THROWS_WITH_AS(check("draw", map), "draw: \"map\": the heat map is empty: it has 3 columns and 0 rows",
                         ValueError);
    map = small_map();
    map.x_at = {1, 2, 4};
    CHECK_THROWS_WITH_AS(check("draw", map), "draw: \"map\": x[2] is 4: expected evenly spaced, rising, finite numbers",
                         ValueError);
    map = small_map();
    map.y.scale = Scale::log;
    CHECK_THROWS_WITH_AS(check("draw", map), "draw: \"map\": the y axis of a heat map must be linear", ValueError);
}

TEST_CASE("a table needs columns, rows, and a cell for each") {
    Table table = small_table();
    table.rows.clear();
    CHECK_THROWS_WITH_AS(check("save", table), "save: \"cells\": the table is empty: it has 2 columns and 0 rows",
                         ValueError);
    table = small_table();
    table.rows[1].pop_back();
    CHECK_THROWS_WITH_AS(check("save", table), "save: \"cells\": row 1 has 1 cell: expected 2, one for each column",
                         ValueError);
    table.title = "";
    CHECK_THROWS_WITH_AS(check("save", table), "save: a table has no title", ValueError);
}

TEST_CASE("a still picture has the series of its frame and those of all frames") {
    LineFigure figure = two_lines();
    figure.frames = {{0, {{"GRU", {1}, {1}}}}, {10, {{"GRU", {1}, {2}}}}};
    const auto last = series_of(figure);
    REQUIRE(last.size() == 3);
    CHECK(last[0]->y == std::vector<double>{2});
    CHECK(last[1]->name == "tanh");
    CHECK(series_of(figure, 0)[0]->y == std::vector<double>{1});
    CHECK_THROWS_WITH_AS(series_of(figure, 2), "\"norms\": frame 2 of a figure with 2 frames", IndexError);
}

TEST_CASE("colours go by name, through all frames") {
    LineFigure figure = two_lines();
    figure.frames = {{0, {{"GRU", {1}, {1}}, {"GRU before", {1}, {1}, LineStyle::reference, "GRU"}}},
                     {1, {{"minimal", {1}, {1}}, {"GRU", {1}, {1}}}}};
    figure.series[1].colour = 0;
    assign_colours(figure);
    CHECK(figure.series[1].colour == 0);
    CHECK(figure.frames[0].series[0].colour == 1);
    CHECK(figure.frames[0].series[1].colour == 1);  // like GRU
    CHECK(figure.frames[1].series[0].colour == 2);
    CHECK(figure.frames[1].series[1].colour == 1);
    CHECK(figure.series[0].colour == 3);
}

TEST_CASE("units stand in brackets after the label") {
    CHECK(axis_title({.label = "loss", .unit = "bits"}) == "loss (bits)");
    CHECK(axis_title({.label = "t"}) == "t");
}

TEST_CASE("what an axis cannot show is counted by kind") {
    const Axis log{.label = "y", .unit = {}, .scale = Scale::log, .min = 0.01, .max = {}, .reversed = false};
    const Drawn counts = count_drawn(log, {0, -0.0, -1, NAN, INFINITY, -INFINITY, 0.001, 1, 5});
    CHECK(counts.zero == 2);
    CHECK(counts.negative == 1);
    CHECK(counts.nan == 1);
    CHECK(counts.infinite == 2);
    CHECK(counts.outside == 1);
    CHECK(counts.drawn == 3);
    CHECK(counts.low == 0.001);
    CHECK(counts.high == 5);
    const Axis linear{.label = "y"};
    CHECK(count_drawn(linear, {0, -1, NAN}).left_out() == 1);
    CHECK(is_drawable(log, std::numeric_limits<double>::denorm_min()));
    CHECK_FALSE(is_drawable(log, 0));
    CHECK(is_drawable(linear, 0));
}

TEST_CASE("a figure says what it does not draw") {
    LineFigure figure = two_lines();
    CHECK(missing_note(figure).empty());
    figure.series[0].y = {0, 0, NAN};
    CHECK(missing_note(figure) == "Not drawn: tanh: 2 values are 0, 1 is NaN (a log axis has no 0).");
    figure.series[1].y = {INFINITY, 0.1, 0.001};
    figure.y.min = 0.01;
    CHECK(missing_note(figure) ==
          "Not drawn: tanh: 2 values are 0, 1 is NaN; LSTM: 1 value is infinite (a log axis has no 0). "
          "Beyond the ends of the axis: 1 value.");
    figure = two_lines();
    figure.y.scale = Scale::linear;
    figure.series[0].y = {0, -1, NAN};
    CHECK(missing_note(figure) == "Not drawn: tanh: 1 value is NaN.");
    HeatMap map = small_map();
    map.values[0] = -1;
    CHECK(missing_note(map) == "Not drawn: 1 value is negative.");
}

TEST_CASE("a note is that of its frame") {
    LineFigure figure = two_lines();
    figure.frames = {{0, {{"GRU", {1}, {0}}}}, {10, {{"GRU", {1}, {2}}}}};
    CHECK(missing_note(figure, 0) == "Not drawn: GRU: 1 value is 0 (a log axis has no 0).");
    CHECK(missing_note(figure, 1).empty());
}

TEST_CASE("several runs are a median and a range") {
    const Series series = median_and_range("tanh", {1, 2, 3}, {{1, NAN, 5}, {3, 4, NAN}, {2, 8, NAN}, {9, 6, NAN}});
    CHECK(series.name == "tanh");
    CHECK(series.x == std::vector<double>{1, 2, 3});
    CHECK(series.y == std::vector<double>{2.5, 6, 5});
    CHECK(series.low == std::vector<double>{1, 4, 5});
    CHECK(series.high == std::vector<double>{9, 8, 5});
    CHECK(std::isnan(median_and_range("a", {1}, {{NAN}}).y[0]));
    CHECK_THROWS_WITH_AS(median_and_range("a", {1}, {}), "median_and_range: \"a\" has no run: expected at least one",
                         ValueError);
    CHECK_THROWS_WITH_AS(median_and_range("a", {1, 2}, {{1}}),
                         "median_and_range: \"a\": a run has 1 value: expected 2, one for each x", ValueError);
}

TEST_CASE("a band must be as long as its line") {
    LineFigure figure = two_lines();
    figure.series[0].low = {0.1, 0.1, 0.1};
    CHECK_THROWS_WITH_AS(check("draw", figure),
                         "draw: \"norms\": the band of series \"tanh\" has 3 lower edges and 0 upper ones: expected as "
                         "many as y, 3",
                         ValueError);
    figure.series[0].high = {0.4, 0.4, 0.4};
    CHECK_NOTHROW(check("draw", figure));
    figure.series[0].low = figure.series[0].high = {1, 2};
    CHECK_THROWS_WITH_AS(check("draw", figure),
                         "draw: \"norms\": the band of series \"tanh\" has 2 lower edges and 2 upper ones: expected as "
                         "many as y, 3",
                         ValueError);
}

TEST_CASE("the frames of a heat map have its values, by rising step") {
    HeatMap map = small_map();
    CHECK(values_of(map)[0] == 1);
    CHECK_THROWS_WITH_AS(values_of(map, 0), "\"map\": frame 0 of a figure with 0 frames", IndexError);
    map.frames = {{0, {1, 2, 3, 4, 5, 6}}, {10, {6, 5, 4, 3, 2, 1}}};
    CHECK_THROWS_WITH_AS(check("draw", map), "draw: \"map\": 6 values beside 2 frames: expected the frames alone",
                         ValueError);
    map.values.clear();
    CHECK_NOTHROW(check("draw", map));
    CHECK(values_of(map)[0] == 6);
    CHECK(values_of(map, 0)[0] == 1);
    map.frames[1].step = 0;
    CHECK_THROWS_WITH_AS(check("draw", map), "draw: \"map\": frame 1 is of step 0, after step 0: expected rising steps",
                         ValueError);
    map.frames[1] = {5, {1}};
    CHECK_THROWS_WITH_AS(check("draw", map), "draw: \"map\": frame 1 has 1 value: expected 2 x 3 = 6", ValueError);
}

TEST_CASE("a triangle's empty half is not missed") {
    HeatMap map = small_map();
    map.values[0] = NAN;
    map.values[1] = 0;
    CHECK(missing_note(map) == "Not drawn: 1 value is 0, 1 is NaN (a log axis has no 0).");
    map.sparse = true;
    CHECK(missing_note(map) == "Not drawn: 1 value is 0 (a log axis has no 0).");
}

TEST_CASE("a graph needs nodes, and edges between them") {
    GraphFigure figure{.title = "g", .caption = {}, .graph = {}};
    CHECK_THROWS_WITH_AS(check("draw", figure), "draw: \"g\": the graph is empty: expected what unrolled_graph() gives",
                         ValueError);
    figure.graph.nodes.resize(2);
    figure.graph.edges = {{0, 2, {}}};
    CHECK_THROWS_WITH_AS(check("draw", figure), "draw: \"g\": an edge goes from node 0 to 2 of 2", ValueError);
    figure.graph.edges = {{0, 1, {}}};
    CHECK_NOTHROW(check("draw", figure));
    figure.graph.step_edges = {{0, 0, {}}};
    CHECK_THROWS_WITH_AS(check("draw", figure), "draw: \"g\": an edge goes from step 0 to 0 of 0", ValueError);
}

namespace {

/// Two nodes with an edge; `level` is the gradient of the second.
UnrolledGraph two_nodes(double level) {
    UnrolledGraph graph;
    GraphNode x{.name = "x", .operation = "variable"}, h{.name = "h", .operation = "tanh"};
    x.value = x.value_norm = 2;
    h.grad_norm = level;
    graph.nodes = {x, h};
    graph.edges = {{0, 1, level / 2}};
    graph.steps = {{.lane = 0, .time_step = 0, .states = {1}, .node_count = 2, .grad_norm = level}};
    graph.lanes = {"h"};
    return graph;
}

}  // namespace

TEST_CASE("a graph has frames of one network, by rising step, and shows the last") {
    GraphFigure figure{.title = "g", .caption = {}, .graph = {}};
    add_frame(figure, 0, two_nodes(8));
    add_frame(figure, 20, two_nodes(4));
    CHECK_NOTHROW(check("draw", figure));
    CHECK(figure.graph.nodes[1].grad_norm == 4);
    CHECK(frame_text(figure) == "training step 20");
    CHECK(frame_text(figure, 0) == "training step 0");
    const UnrolledGraph first = graph_of(figure, 0), last = graph_of(figure);
    CHECK(first.nodes[1].grad_norm == 8);
    CHECK(!first.nodes[0].grad_norm);
    CHECK(first.edges[0].grad_norm == 4);
    CHECK(first.steps[0].grad_norm == 8);
    CHECK(!first.nodes[0].value);  // known of the last one only
    CHECK(last.nodes[0].value == 2);
    CHECK(last.edges[0].grad_norm == 2);
    CHECK_THROWS_WITH_AS(graph_of(figure, 2), "\"g\": frame 2 of a figure with 2 frames", IndexError);

    CHECK_THROWS_WITH_AS(add_frame(figure, 20, two_nodes(1)),
                         "add_frame: \"g\": step 20 comes after step 20: expected rising steps", ValueError);
    UnrolledGraph other = two_nodes(1);
    other.nodes.emplace_back();
    CHECK_THROWS_WITH_AS(add_frame(figure, 30, other),
                         "add_frame: \"g\": the graph of step 30 is not the network of step 20: it has 3 nodes and 1 "
                         "edges, that one 2 and 1",
                         ValueError);
    other = two_nodes(1);
    other.nodes[1].operation = "relu";
    CHECK_THROWS_WITH_AS(add_frame(figure, 30, other),
                         "add_frame: \"g\": the graph of step 30 is not the network of step 20: its node 1 is relu 'h' "
                         "[], in that one tanh 'h' []",
                         ValueError);
    other = two_nodes(1);
    std::swap(other.edges[0].from, other.edges[0].to);
    CHECK_THROWS_WITH_AS(add_frame(figure, 30, other),
                         "add_frame: \"g\": the graph of step 30 is not the network of step 20: its edge 0 goes from "
                         "node 1 to 0, in that one from 0 to 1",
                         ValueError);
    CHECK(figure.frames.size() == 2);

    GraphFigure broken = figure;
    broken.frames[1].numbers.edge.clear();
    CHECK_THROWS_WITH_AS(check("draw", broken),
                         "draw: \"g\": the frame of step 20 has other numbers than the graph has nodes and edges: "
                         "expected what add_frame() makes",
                         ValueError);
    broken = figure;
    broken.frames[1].step = 0;
    CHECK_THROWS_WITH_AS(check("draw", broken),
                         "draw: \"g\": frame 1 is of step 0, after step 0: expected rising steps", ValueError);
}

TEST_CASE("a level line goes from end to end at one height") {
    const Series line = level_line("bound", 3, -1, 5);
    CHECK(line.x == std::vector<double>{-1, 5});
    CHECK(line.y == std::vector<double>{3, 3});
    CHECK(line.style == LineStyle::reference);
}
