#include <ebb/inspect/graph_layout.hpp>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

using namespace ebb::inspect;

namespace {

GraphNode at(std::int32_t time_step, GraphPlace place = GraphPlace::step) {
    GraphNode node;
    node.time_step = time_step;
    node.place = place;
    return node;
}

}  // namespace

TEST_CASE("a node stands above what it was computed from, and a step right of the one before") {
    UnrolledGraph graph;
    // Of each step: two inputs, two gates, their sum; and the sum goes into the first gate of the next step.
    for (std::int32_t t = 0; t < 3; ++t) {
        const auto base = static_cast<std::uint32_t>(graph.nodes.size());
        for (int k = 0; k < 5; ++k) graph.nodes.push_back(at(t));
        // Inputs 0 and 1 cross over in the order of the tape: gate 2 is that of input 1.
        graph.edges.insert(
            graph.edges.end(),
            {{base + 1, base + 2, {}}, {base, base + 3, {}}, {base + 2, base + 4, {}}, {base + 3, base + 4, {}}});
        if (t > 0) graph.edges.push_back({base - 1, base + 2, {}});
    }
    graph.nodes.push_back(at(-1, GraphPlace::below));
    graph.nodes.push_back(at(-1, GraphPlace::above));
    graph.edges.push_back({15, 2, {}});
    graph.edges.push_back({14, 16, {}});
    lay_out(graph);
    for (std::size_t t = 0; t < 3; ++t) {
        const GraphNode* const n = &graph.nodes[5 * t];
        CHECK(n[0].y == n[1].y);
        CHECK(n[2].y == n[0].y + row_distance);
        CHECK(n[4].y == n[0].y + 2 * row_distance);
        // No edge crosses another.
        CHECK(n[0].x < n[1].x);
        CHECK(n[3].x < n[2].x);
        CHECK(n[4].x == (n[2].x + n[3].x) / 2);
        if (t > 0) CHECK(n[0].x > n[1 - 5].x + node_distance);
        CHECK(graph.nodes[15].y < n[0].y);
        CHECK(graph.nodes[16].y > n[4].y);
    }
    std::set<std::pair<double, double>> places;
    for (const GraphNode& node : graph.nodes) CHECK(places.emplace(node.x, node.y).second);
}

TEST_CASE("what comes from nothing in its step stands below its first use") {
    UnrolledGraph graph;
    graph.nodes = {at(0), at(0), at(0), at(0)};
    graph.edges = {{0, 1, {}}, {1, 2, {}}, {3, 2, {}}};  // node 3 is a constant that the last one alone needs
    lay_out(graph);
    CHECK(graph.nodes[3].y == graph.nodes[1].y);
    CHECK(graph.nodes[2].y == graph.nodes[0].y + 2 * row_distance);
}

TEST_CASE("steps stand by time and lane, and what gathers them above their middle") {
    UnrolledGraph graph;
    graph.lanes = {"low.h", "high.h", "readout"};
    for (std::int32_t t = 4; t < 7; ++t)
        for (std::size_t lane = 0; lane < 2; ++lane)
            graph.steps.push_back({.lane = lane, .time_step = t, .states = {}});
    graph.steps.push_back({.lane = 2, .time_step = -1, .states = {}});
    lay_out(graph);
    CHECK(graph.steps[0].x == 0);
    CHECK(graph.steps[3].x == step_distance);
    CHECK(graph.steps[3].y == lane_distance);
    CHECK(graph.steps[6].x == step_distance);
    CHECK(graph.steps[6].y == 3 * lane_distance);
}
