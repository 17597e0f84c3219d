#include <ebb/core/error.hpp>
#include <ebb/inspect/flow_figures.hpp>

#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace ebb;
using namespace ebb::inspect;

namespace {

FlowHistory history() {
    FlowHistory history;
    for (const std::int64_t step : {0, 20}) {
        FlowRecord record;
        record.facts.step = step;
        const double level = step == 0 ? 1 : 2;
        StateFlow h, c;
        h.name = "lstm.h";
        c.name = "lstm.c";
        h.time_step = c.time_step = {0, 1, 2};
        h.grad_norm = {level, 2, 3};
        c.grad_norm = {4, 5, 6};
        record.states = {h, c};
        GateFlow gate;
        gate.name = "lstm.forget_gate";
        gate.time_step = {0, 1, 2};
        gate.mean = {0.5, 0.6, level / 4};
        record.gates = {gate};
        record.contributions = {{.parameter = "weight_hh", .time_step = {1, 2}, .norm = {7, level}}};
        ParameterRecord weight;
        weight.name = "weight_hh";
        weight.update_ratio = level * 1e-3;
        weight.spectral_radius = {0.9, level};
        record.parameters = {weight};
        history.records.push_back(record);
    }
    history.intervals = {{.first_step = 0, .last_step = 9, .mean_loss = 3, .largest_loss = 4},
                         {.first_step = 10, .last_step = 19, .mean_loss = 2, .largest_loss = 5}};
    return history;
}

}  // namespace

TEST_CASE("a history becomes figures with a slider over its records") {
    const FlowHistory h = history();
    const LineFigure gradient = gradient_norm_figure(h);
    CHECK_NOTHROW(check("draw", gradient));
    REQUIRE(gradient.frames.size() == 2);
    CHECK(gradient.frames[1].step == 20);
    CHECK(gradient.frames[1].series[0].name == "lstm.h");
    CHECK(gradient.frames[1].series[0].x == std::vector<double>{0, 1, 2});
    CHECK(gradient.frames[1].series[0].y == std::vector<double>{2, 2, 3});
    CHECK(gradient.y.scale == Scale::log);
    const LineFigure shares = contribution_figure(h);
    CHECK(shares.frames[0].series[0].x == std::vector<double>{1, 2});
    CHECK(shares.frames[0].series[0].y == std::vector<double>{7, 1});
    const LineFigure gates = gate_figure(h);
    CHECK(gates.frames[1].series[0].y == std::vector<double>{0.5, 0.6, 0.5});
    CHECK(gates.y.scale == Scale::linear);
}

TEST_CASE("a history becomes lines over training") {
    const FlowHistory h = history();
    const LineFigure loss = loss_figure(h);
    CHECK_NOTHROW(check("draw", loss));
    CHECK(loss.series[0].x == std::vector<double>{4.5, 14.5});
    CHECK(loss.series[0].y == std::vector<double>{3, 2});
    CHECK(loss.series[1].y == std::vector<double>{4, 5});
    const LineFigure ratio = update_ratio_figure(h);
    CHECK_NOTHROW(check("draw", ratio));
    CHECK(ratio.series[0].y == std::vector<double>{1e-3, 2e-3});
    CHECK(ratio.series[1].x == std::vector<double>{0, 20});
    const LineFigure radius = spectral_radius_figure(h);
    CHECK(radius.series[1].name == "weight_hh, block 1");
    CHECK(radius.series[1].y == std::vector<double>{1, 2});
}

TEST_CASE("a history that holds nothing of a figure is told") {
    FlowHistory h = history();
    for (FlowRecord& record : h.records) record.gates.clear(), record.parameters.clear();
    CHECK_THROWS_WITH_AS(gate_figure(h), "gate_figure: none of the 2 records of the history holds what it draws",
                         ValueError);
    CHECK_THROWS_WITH_AS(spectral_radius_figure(h),
                         "spectral_radius_figure: none of the 2 records of the history holds what it draws",
                         ValueError);
    CHECK_THROWS_WITH_AS(loss_figure(FlowHistory{}), "loss_figure: the history has no steps", ValueError);
}

TEST_CASE("units stand in rows, time in rising columns, also for a cell that reads backwards") {
    UnitFlow flow;
    flow.name = "gru.h_reverse";
    flow.time_step = {2, 1, 0};
    flow.units = 2;
    flow.unit_grad_norm = {20, 21, 10, 11, 1, 2};
    const HeatMap map = unit_gradient_map(flow);
    CHECK_NOTHROW(check("draw", map));
    CHECK(map.title == "Gradient by unit, gru.h_reverse");
    CHECK(map.x_at == std::vector<double>{0, 1, 2});
    CHECK(map.values == std::vector<double>{1, 10, 20, 2, 11, 21});
}

TEST_CASE("a triangle has no cell for a loss at a later step, and no row for a loss without a step") {
    LossToState flow;
    flow.state = "h";
    flow.loss_step = {-1, 0, 1};
    flow.time_step = {0, 1};
    flow.norm = {9, 9, 1, 0, 2, 3};
    const HeatMap map = loss_to_state_map(flow);
    CHECK_NOTHROW(check("draw", map));
    CHECK(map.y_at == std::vector<double>{0, 1});
    CHECK(map.values[0] == 1);
    CHECK(std::isnan(map.values[1]));
    CHECK(map.values[2] == 2);
    CHECK(map.values[3] == 3);
    CHECK(missing_note(map).empty());
    CHECK(map.y.label == "loss at step k");

    // Losses that the tape puts after one and the same step are told apart by their numbers.
    flow.loss_step = {1, 1, 1};
    const HeatMap numbered = loss_to_state_map(flow);
    CHECK_NOTHROW(check("draw", numbered));
    CHECK(numbered.y_at == std::vector<double>{0, 1, 2});
    CHECK(numbered.y.label == "number of the loss");
    CHECK(numbered.values == flow.norm);
}

TEST_CASE("singular values stand over the distance to the last step, beside their bound") {
    JacobianSpectrum spectrum;
    spectrum.state = "rnn.h";
    spectrum.product = {
        {.singular_values = {0.25, 0.1, 1e-20}}, {.singular_values = {0.5, 0.4, 0.3}}, {.singular_values = {1, 1, 1}}};
    const LineFigure figure = singular_value_figure(spectrum, {0.36, 0.6, 1});
    CHECK_NOTHROW(check("draw", figure));
    CHECK(figure.series[0].x == std::vector<double>{0, 1, 2});
    CHECK(figure.series[0].y == std::vector<double>{1, 0.5, 0.25});
    CHECK(figure.series[1].y == std::vector<double>{1, 0.4, 0.1});
    // Below the rounding of the largest one nothing is known.
    CHECK(figure.series[2].x == std::vector<double>{0, 1});
    CHECK(figure.series[2].y == std::vector<double>{1, 0.3});
    CHECK(figure.series[3].y == std::vector<double>{1, 0.6, 0.36});
    CHECK_THROWS_WITH_AS(singular_value_figure(spectrum, {1}),
                         "singular_value_figure: the bound has 1 numbers: expected 3, one for each step", ValueError);
    CHECK_THROWS_WITH_AS(singular_value_figure({}), "singular_value_figure: the spectrum has no steps", ValueError);
}

TEST_CASE("Lyapunov exponents are drawn as they are estimated, the largest ones") {
    LyapunovSpectrum spectrum;
    spectrum.running = {{0.1, -1, -2}, {0.2, -1.5, -3}};
    const LineFigure figure = lyapunov_figure(spectrum, 2);
    CHECK_NOTHROW(check("draw", figure));
    REQUIRE(figure.series.size() == 3);
    CHECK(figure.series[1].y == std::vector<double>{-1, -1.5});
    CHECK(figure.series[2].y == std::vector<double>{0, 0});
    CHECK_THROWS_WITH_AS(lyapunov_figure({}), "lyapunov_figure: the spectrum has no steps", ValueError);
}

TEST_CASE("a loss surface is a map with lines of equal loss") {
    LossSurface surface;
    surface.alpha = {-1, 0, 1};
    surface.beta = {0, 1};
    surface.loss = {1, 2, 3, 4, 5, 6};
    const HeatMap map = loss_surface_map(surface);
    CHECK_NOTHROW(check("draw", map));
    CHECK(map.values[5] == 6);
    CHECK(map.contours > 0);
}

TEST_CASE("histograms become densities: their area is the part of the numbers that they hold") {
    FlowHistory h = history();
    for (FlowRecord& record : h.records) {
        record.parameters[0].values = {.low = -1, .high = 1, .count = {1, 3, 3, 1}};
        record.parameters[0].gradients = {.low = -4, .high = -2, .count = {2, 4}, .zeros = 2};
    }
    const LineFigure weights = weight_histogram_figure(h), gradients = gradient_histogram_figure(h);
    CHECK_NOTHROW(check("draw", weights));
    CHECK_NOTHROW(check("draw", gradients));
    REQUIRE(weights.frames.size() == 2);
    CHECK(weights.frames[0].series[0].name == "weight_hh");
    CHECK(weights.frames[0].series[0].x == std::vector<double>{-0.75, -0.25, 0.25, 0.75});
    CHECK(weights.frames[0].series[0].y == std::vector<double>{0.25, 0.75, 0.75, 0.25});  // area 1
    CHECK(gradients.frames[1].series[0].x == std::vector<double>{-3.5, -2.5});
    CHECK(gradients.frames[1].series[0].y == std::vector<double>{0.25, 0.5});  // area 3/4
    CHECK_THROWS_WITH_AS(weight_histogram_figure(history()),
                         "weight_histogram_figure: none of the 2 records of the history holds what it draws",
                         ValueError);
    CHECK_THROWS_WITH_AS(gradient_histogram_figure(history()),
                         "gradient_histogram_figure: none of the 2 records of the history holds what it draws",
                         ValueError);
}

TEST_CASE("alignment as a line, a gate as a map of its units") {
    const LineFigure alignment =
        alignment_figure({.parameter = "weight_hh", .time_step = {1, 2}, .norm = {}, .cosine = {0.5, -1}, .share = {}});
    CHECK_NOTHROW(check("draw", alignment));
    CHECK(alignment.series[0].x == std::vector<double>{1, 2});
    CHECK(alignment.series[0].y == std::vector<double>{0.5, -1});

    UnitGate gate{.name = "lstm.forget_gate",
                  .time_step = {1, 0},
                  .units = 3,
                  .mean = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6},
                  .closed = {},
                  .open = {},
                  .geometric_mean = {},
                  .half_life = {}};
    const HeatMap map = unit_gate_map(gate);
    CHECK_NOTHROW(check("draw", map));
    CHECK(map.x_at == std::vector<double>{0, 1});
    CHECK(map.y_at == std::vector<double>{0, 1, 2});
    CHECK(map.values == std::vector<double>{0.4, 0.1, 0.5, 0.2, 0.6, 0.3});  // the rows of units, in time's order
    CHECK(*map.value.min == 0);
    gate.mean[2] = -0.3;
    CHECK(*unit_gate_map(gate).value.min == -1);
}

TEST_CASE("what a history holds of maps, graphs and cosines becomes figures with its slider") {
    FlowHistory h = history();
    for (std::size_t r = 0; r < 2; ++r) {
        FlowRecord& record = h.records[r];
        const double level = r == 0 ? 1e-80 : 1e-2;
        record.alignments = {
            {.parameter = "weight_hh", .time_step = {1, 2}, .norm = {}, .cosine = {level, -1}, .share = {}}};
        UnitFlow units;
        units.name = "lstm.h";
        units.time_step = {0, 1};
        units.units = 2;
        units.unit_grad_norm = {level, 2, 3, 4};
        record.units = {units};
        record.unit_gates = {{.name = "lstm.forget_gate",
                              .time_step = {0, 1},
                              .units = 1,
                              .mean = {r == 0 ? 0.5 : -0.5, level},
                              .closed = {},
                              .open = {},
                              .geometric_mean = {},
                              .half_life = {}}};
        LossToState triangle;
        triangle.state = "lstm.h";
        triangle.loss_step = triangle.time_step = {0, 1};
        triangle.norm = {1, 0, level, 3};
        record.triangles = {triangle};
        record.surface = LossSurface{.alpha = {-1, 1}, .beta = {0}, .loss = {level, 2}};
        JacobianSpectrum spectrum;
        spectrum.state = "lstm.h";
        spectrum.product = {{.singular_values = {level, level}}, {.singular_values = {1, 1}}};
        record.spectra = {spectrum};
        h.graph.nodes.resize(2);
        h.graph.edges = {{0, 1, {}}};
        record.graph = GraphNumbers{.value_norm = {1, 2}, .grad_norm = {{}, level}, .edge = {level}, .step_edge = {}};
    }
    const LineFigure cosines = alignment_figure(h);
    CHECK_NOTHROW(check("draw", cosines));
    CHECK(cosines.frames[1].series[0].y == std::vector<double>{1e-2, -1});
    const HeatMap units = unit_gradient_map(h, "lstm.h"), gates = unit_gate_map(h, "lstm.forget_gate"),
                  triangle = loss_to_state_map(h, "lstm.h"), surface = loss_surface_map(h);
    for (const HeatMap* map : {&units, &gates, &triangle, &surface}) {
        CHECK_NOTHROW(check("draw", *map));
        REQUIRE(map->frames.size() == 2);
        CHECK(map->frames[1].step == 20);
    }
    CHECK(units.frames[1].values == std::vector<double>{1e-2, 3, 2, 4});
    CHECK(*units.value.min == doctest::Approx(4e-60).epsilon(1e-12));  // 60 decades below the largest
    CHECK(*gates.value.min == -1);                                     // a gate of tanh, at one of the two
    CHECK(std::isnan(triangle.frames[0].values[1]));
    CHECK(triangle.frames[1].values[2] == 1e-2);
    CHECK(surface.frames[1].values == std::vector<double>{1e-2, 2});
    const LineFigure spectrum = singular_value_figure(h, "lstm.h");
    CHECK_NOTHROW(check("draw", spectrum));
    REQUIRE(spectrum.frames.size() == 2);
    CHECK(spectrum.frames[1].series[0].y == std::vector<double>{1, 1e-2});
    const GraphFigure graph = graph_figure(h);
    CHECK_NOTHROW(check("draw", graph));
    CHECK(graph.frames[0].numbers.grad_norm[1] == 1e-80);
    CHECK(graph.graph.nodes[1].grad_norm == 1e-2);

    CHECK_THROWS_WITH_AS(unit_gradient_map(h, "gru.h"),
                         "unit_gradient_map: none of the 2 records of the history holds what it draws", ValueError);
    h.records[1].units[0].time_step = {0, 2};
    CHECK_THROWS_WITH_AS(unit_gradient_map(h, "lstm.h"),
                         "unit_gradient_map: \"Gradient by unit, lstm.h\": step 20 has other rows or columns than step "
                         "0: expected the same in all records",
                         ValueError);
    const FlowHistory nothing = history();
    CHECK_THROWS_WITH_AS(graph_figure(nothing),
                         "graph_figure: none of the 2 records of the history holds what it draws", ValueError);
    CHECK_THROWS_AS(alignment_figure(nothing), ValueError);
    CHECK_THROWS_AS(unit_gate_map(nothing, "lstm.forget_gate"), ValueError);
    CHECK_THROWS_AS(loss_to_state_map(nothing, "lstm.h"), ValueError);
    CHECK_THROWS_AS(loss_surface_map(nothing), ValueError);
    CHECK_THROWS_AS(singular_value_figure(nothing, "lstm.h"), ValueError);
}

TEST_CASE("which part of the steps was clipped") {
    FlowHistory h = history();
    h.steps = 20;
    h.clipped_steps = 7;
    h.intervals[0].steps = h.intervals[1].steps = 10;
    h.intervals[0].clipped = 5;
    h.intervals[1].clipped = 2;
    const LineFigure figure = clipping_figure(h);
    CHECK_NOTHROW(check("draw", figure));
    CHECK(figure.series[0].x == std::vector<double>{4.5, 14.5});
    CHECK(figure.series[0].y == std::vector<double>{0.5, 0.2});
    CHECK(figure.caption.ends_with("Of all 20 steps there were 7."));
    CHECK_THROWS_WITH_AS(clipping_figure({}), "clipping_figure: the history has no steps", ValueError);
}
