#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/random.hpp>
#include <ebb/inspect/gradient_flow.hpp>
#include <ebb/inspect/unrolled_graph.hpp>
#include <ebb/layers/linear.hpp>
#include <ebb/layers/recurrent_cells.hpp>
#include <ebb/layers/recurrent_layers.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

using namespace ebb;
using namespace ebb::inspect;

namespace {

constexpr std::size_t T = 6, B = 2, I = 3, H = 4;

/// A loss at each step, so that every state has two uses: the next state, and its readout.
template <class Cell, class Step>
Variable<double> run(const Cell&, Tape<double>& tape, const Linear<double>& readout, Step step) {
    const Array<double> x = randn<double>({T, B, I});
    const auto sequence = tape.constant(x).named("x");
    Variable<double> loss;
    for (std::size_t t = 0; t < T; ++t) {
        const Variable<double> h = step(select(sequence, 0, static_cast<std::ptrdiff_t>(t)));
        const Variable<double> here = mean(readout(h) * readout(h));
        loss = loss.defined() ? loss + here : here;
    }
    return loss.named("L");
}

Variable<double> run_lstm(Tape<double>& tape, Granularity granularity) {
    manual_seed(5);
    const LSTMCell<double> cell({.input_size = I, .hidden_size = H, .granularity = granularity, .name = "cell"});
    const Linear<double> readout({.in_features = H, .out_features = 2});
    LSTMState<double> state;
    return run(cell, tape, readout, [&](const Variable<double>& x) {
        state = cell(x, state);
        return state.h;
    });
}

Variable<double> run_tanh(Tape<double>& tape, const RNNCell<double>& cell) {
    const Linear<double> readout({.in_features = H, .out_features = 2});
    Variable<double> h;
    return run(cell, tape, readout, [&](const Variable<double>& x) { return h = cell(x, h); });
}

const GraphNode* find(const UnrolledGraph& graph, const std::string& name, std::int32_t t) {
    for (const GraphNode& node : graph.nodes)
        if (node.name == name && (t < 0 || node.time_step == t)) return &node;
    return nullptr;
}

std::uint32_t number(const UnrolledGraph& graph, const GraphNode* node) {
    return static_cast<std::uint32_t>(node - graph.nodes.data());
}

const GraphEdge* edge(const UnrolledGraph& graph, const GraphNode* from, const GraphNode* to) {
    for (const GraphEdge& e : graph.edges)
        if (e.from == number(graph, from) && e.to == number(graph, to)) return &e;
    return nullptr;
}

double norm(const Array<double>& a) {
    double sum = 0;
    for (const double v : a) sum += v * v;
    return std::sqrt(sum);
}

void check_places(const UnrolledGraph& graph) {
    std::set<std::pair<double, double>> places;
    for (const GraphNode& node : graph.nodes) CHECK(places.emplace(node.x, node.y).second);
    std::map<std::int32_t, std::pair<double, double>> frames;
    double bottom = 1e9, top = -1e9;
    for (const GraphNode& node : graph.nodes) {
        if (node.place != GraphPlace::step) continue;
        const auto [found, added] = frames.try_emplace(node.time_step, node.x, node.x);
        found->second = {std::min(found->second.first, node.x), std::max(found->second.second, node.x)};
        bottom = std::min(bottom, node.y);
        top = std::max(top, node.y);
    }
    double right = -1e9;
    for (const auto& [time_step, ends] : frames) {
        CHECK(ends.first > right);
        right = ends.second;
    }
    for (const GraphNode& node : graph.nodes) {
        if (node.place == GraphPlace::below) CHECK(node.y < bottom);
        if (node.place == GraphPlace::above) CHECK(node.y > top);
    }
    for (const GraphEdge& e : graph.edges) {
        const GraphNode &from = graph.nodes[e.from], &to = graph.nodes[e.to];
        if (from.place == to.place && from.time_step == to.time_step) CHECK(from.y < to.y);
    }
}

}  // namespace

TEST_CASE("the graph's gradients are those of the backward pass, which it does not change") {
    for (const Granularity granularity : {Granularity::fused, Granularity::elementary}) {
        for (const bool after : {false, true}) {
            CAPTURE(after);
            Tape<double> tape;
            const Variable<double> loss = run_lstm(tape, granularity);
            UnrolledGraph graph;
            if (!after) graph = unrolled_graph(tape, loss);
            const std::size_t size = tape.size();
            tape.backward(loss);
            const auto flow = gradient_flow(tape);
            if (after) {
                graph = unrolled_graph(tape, loss);
                const auto again = gradient_flow(tape);
                CHECK(again["cell.h"].grad_norm == flow["cell.h"].grad_norm);
            }
            CHECK(tape.size() == size);
            for (std::int32_t t = 0; t < static_cast<std::int32_t>(T); ++t) {
                const auto k = static_cast<std::size_t>(t);
                const GraphNode* const h = find(graph, "cell.h", t);
                const GraphNode* const c = find(graph, "cell.c", t);
                REQUIRE(h);
                REQUIRE(c);
                REQUIRE(h->grad_norm);
                CHECK(*h->grad_norm == doctest::Approx(flow["cell.h"].grad_norm[k]).epsilon(1e-12));
                CHECK(h->value_norm == doctest::Approx(flow["cell.h"].value_norm[k]).epsilon(1e-12));
                // A fused step's c is known in full only once a pass has kept it.
                if (after || granularity == Granularity::elementary)
                    CHECK(*c->grad_norm == doctest::Approx(flow["cell.c"].grad_norm[k]).epsilon(1e-12));
            }
            check_places(graph);
        }
    }
}

TEST_CASE("fused steps and elementary ones are the same graph of steps") {
    Tape<double> fused_tape;
    const UnrolledGraph fused = unrolled_graph(fused_tape, run_lstm(fused_tape, Granularity::fused));
    Tape<double> tape;
    const UnrolledGraph elementary = unrolled_graph(tape, run_lstm(tape, Granularity::elementary));
    CHECK(elementary.nodes.size() > fused.nodes.size() + 10 * T);
    CHECK(fused.lanes == std::vector<std::string>{"cell.h, cell.c", "readout"});
    CHECK(std::set<std::string>{"cell.c, cell.h", "readout"} ==
          std::set<std::string>(elementary.lanes.begin(), elementary.lanes.end()));
    REQUIRE(fused.steps.size() == 2 * T);
    REQUIRE(elementary.steps.size() == 2 * T);
    REQUIRE(fused.step_edges.size() == elementary.step_edges.size());
    for (std::size_t k = 0; k < fused.steps.size(); ++k) {
        CHECK(fused.steps[k].time_step == elementary.steps[k].time_step);
        CHECK(fused.steps[k].lane == elementary.steps[k].lane);
    }
    for (std::size_t k = 0; k < fused.step_edges.size(); ++k) {
        CHECK(fused.step_edges[k].from == elementary.step_edges[k].from);
        CHECK(fused.step_edges[k].to == elementary.step_edges[k].to);
        REQUIRE(fused.step_edges[k].grad_norm.has_value() == elementary.step_edges[k].grad_norm.has_value());
    }
    // What comes back from h_{t+1} to the readout's rival: the share of the recurrence in dL/dh_t. In elementary
    // operations it is the gradient through the product with W_hh, which nothing else uses.
    for (std::int32_t t = 0; t + 1 < static_cast<std::int32_t>(T); ++t) {
        const GraphEdge* const recurrent = edge(fused, find(fused, "cell.h", t), find(fused, "cell.h", t + 1));
        REQUIRE(recurrent);
        const GraphNode* const h = find(elementary, "cell.h", t);
        const GraphEdge* through = nullptr;
        for (const GraphEdge& e : elementary.edges)
            if (e.from == number(elementary, h) && elementary.nodes[e.to].time_step == t + 1) through = &e;
        REQUIRE(through);
        CHECK(*recurrent->grad_norm == doctest::Approx(*through->grad_norm).epsilon(1e-12));
    }
}

TEST_CASE("an edge carries its share: h_{t-1} gets W' delta_t from the step, and the rest from its readout") {
    manual_seed(11);
    const RNNCell<double> cell({.input_size = I, .hidden_size = H, .name = "rnn"});
    Tape<double> tape;
    const Variable<double> loss = run_tanh(tape, cell);
    tape.backward(loss);
    const UnrolledGraph graph = unrolled_graph(tape, loss);
    const Array<double> w = cell.weight_hh.value();
    std::map<std::int32_t, NodeIndex> states;
    for (NodeIndex k = 0; k < tape.size(); ++k)
        if (tape.node(k).probe) states[tape.node(k).time_step] = k;
    for (std::int32_t t = 1; t < static_cast<std::int32_t>(T); ++t) {
        const Array<double> h = tape.at(states[t]).value(), dh = tape.at(states[t]).grad();
        // (1 - h_t^2) . dh_t, then times W_hh.
        double squared = 0;
        for (std::size_t b = 0; b < B; ++b)
            for (std::size_t j = 0; j < H; ++j) {
                double sum = 0;
                for (std::size_t i = 0; i < H; ++i) sum += dh(b, i) * (1 - h(b, i) * h(b, i)) * w(i, j);
                squared += sum * sum;
            }
        const GraphEdge* const back = edge(graph, find(graph, "rnn.h", t - 1), find(graph, "rnn.h", t));
        REQUIRE(back);
        CHECK(*back->grad_norm == doctest::Approx(std::sqrt(squared)).epsilon(1e-12));
    }
    // The last state has its readout alone.
    const GraphNode* const last = find(graph, "rnn.h", T - 1);
    double squares = 0;
    for (const GraphEdge& e : graph.step_edges)
        if (graph.steps[e.from].states.front() == number(graph, last)) squares += *e.grad_norm * *e.grad_norm;
    CHECK(squares > 0);
}

TEST_CASE("the edge from a weight to a step carries the step's contribution to its gradient") {
    manual_seed(11);
    const RNNCell<double> cell({.input_size = I, .hidden_size = H, .name = "rnn"});
    Tape<double> tape;
    const Variable<double> loss = run_tanh(tape, cell);
    tape.backward(loss);
    const UnrolledGraph graph = unrolled_graph(tape, loss);
    for (const Parameter<double>& weight : {cell.weight_hh, cell.weight_ih}) {
        const auto contributions = weight_contributions(tape, weight);
        const GraphNode* const node = find(graph, weight.name(), -1);
        REQUIRE(node);
        CHECK(node->place == GraphPlace::below);
        CHECK(*node->grad_norm == doctest::Approx(norm(weight.grad())).epsilon(1e-12));
        for (std::size_t k = 0; k < contributions.norm.size(); ++k) {
            const GraphEdge* const share = edge(graph, node, find(graph, "rnn.h", contributions.time_step[k]));
            REQUIRE(share);
            CHECK(*share->grad_norm == doctest::Approx(contributions.norm[k]).epsilon(1e-12));
        }
    }
}

TEST_CASE("layers: what all steps use stands below, what gathers them above") {
    manual_seed(3);
    Tape<double> tape;
    const GRU<double> low({.input_size = I, .hidden_size = H, .name = "low"});
    const GRU<double> high({.input_size = H, .hidden_size = H, .name = "high"});
    const auto x = tape.constant(randn<double>({T, B, I})).named("x");
    const auto output = high(low(x).output).output;
    const Variable<double> loss = mean(output * output);
    tape.backward(loss);
    const UnrolledGraph graph = unrolled_graph(tape, loss);
    check_places(graph);
    CHECK(find(graph, "x", -1)->place == GraphPlace::below);
    CHECK(graph.nodes.back().place == GraphPlace::above);
    CHECK(graph.lanes == std::vector<std::string>{"low.h", "high.h", "readout"});
    // A step for each state, and one for the loss.
    CHECK(graph.steps.size() == 2 * T + 1);
    const auto flow = gradient_flow(tape);
    for (const GraphStep& step : graph.steps) {
        if (step.time_step < 0) continue;
        const GraphNode& h = graph.nodes[step.states.front()];
        CHECK(*step.grad_norm == doctest::Approx(flow[h.name].grad_norm[static_cast<std::size_t>(step.time_step)]));
    }
}

TEST_CASE("a loss that the graph cannot start from is an error, and leaves the tape as it was") {
    Tape<double> tape;
    const auto x = tape.variable({1.0, 2.0});
    CHECK_THROWS_WITH_AS(unrolled_graph(tape, x * x), "unrolled_graph: the loss is [2]: expected one element",
                         ShapeError);
    const auto loss = sum(x);
    tape.clear();
    CHECK_THROWS_AS(unrolled_graph(tape, loss), TapeError);
}

TEST_CASE("a graph without time steps is one frame") {
    Tape<double> tape;
    const auto x = tape.variable({1.0, 2.0}).named("x");
    const UnrolledGraph graph = unrolled_graph(tape, sum(x * x));
    for (const GraphNode& node : graph.nodes) CHECK(node.time_step == -1);
    CHECK(graph.nodes.front().name == "x");
    // L = x'x: dL/dx = 2 x, by one edge, since x stands twice in one product.
    CHECK(*graph.nodes.front().grad_norm == doctest::Approx(2 * std::sqrt(5.0)));
    CHECK(graph.edges.front().from == 0);
    CHECK(*graph.edges.front().grad_norm == doctest::Approx(2 * std::sqrt(5.0)));
    CHECK(*graph.nodes.back().grad_norm == 1);
    CHECK(graph.edges.size() + 1 == graph.nodes.size());
    check_places(graph);
}
