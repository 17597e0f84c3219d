#include <ebb/core/error.hpp>
#include <ebb/inspect/data_file.hpp>
#include <ebb/inspect/flow_recorder.hpp>
#include <ebb/inspect/named_arrays.hpp>
#include <ebb/layers/recurrent_layers.hpp>

#include <cmath>

#include "integration/inspected_cells.hpp"
#include <doctest/doctest.h>

using namespace ebb;
using namespace inspected;
using inspect::NamedArrays;

namespace {

std::map<std::string, Shape> shapes_of(const NamedArrays& arrays) {
    std::map<std::string, Shape> shapes;
    for (const auto& [name, array] : arrays) shapes.emplace(name, Shape::of(array.shape()));
    return shapes;
}

}  // namespace

TEST_CASE("every measure as arrays: names, shapes, and the numbers where they belong") {
    test::RandomArrays random(101);
    const Sizes sizes{5, 2, 3, 4};
    const Cell cell = cell_of("lstm", sizes);
    Tape<double> tape;
    const auto states = unrolled(tape, cell, random_given("lstm", sizes, random));
    std::vector<Array<double>> weights(sizes.T, random.array({2, 4}));
    const auto losses = losses_of(tape, states, weights);
    tape.backward(losses.back());
    const Parameter<double>& w = cell.parameters[1].second;

    const auto flow = inspect::gradient_flow(tape);
    const NamedArrays of_flow = named_arrays(flow);
    CHECK(of_flow.size() == 2 * 4 + 4 * 4);
    for (std::size_t t = 0; t < 5; ++t) {
        CHECK(of_flow.at("cell.c.grad_norm")(t) == flow["cell.c"].grad_norm[t]);
        CHECK(of_flow.at("cell.forget_gate.open")(t) == flow.gate("cell.forget_gate").open[t]);
        CHECK(of_flow.at("cell.h.time_step")(t) == static_cast<double>(t));
    }
    const auto units = inspect::unit_flow(tape, "cell.h");
    CHECK(named_arrays(units).at("cell.h.units.unit_grad_norm")(3, 2) == units.unit_grad_norm[3 * 4 + 2]);
    CHECK(shapes_of(named_arrays(units)).at("cell.h.units.sample_grad_norm") == Shape{5, 2});
    const auto gate = inspect::unit_gate(tape, "cell.input_gate");
    CHECK(shapes_of(named_arrays(gate)).at("cell.input_gate.units.half_life") == Shape{4});
    CHECK(named_arrays(gate).at("cell.input_gate.units.mean")(4, 1) == gate.mean[4 * 4 + 1]);
    const auto alignment = inspect::contribution_alignment(tape, w);
    CHECK(named_arrays(alignment).at(w.name() + ".contribution.cosine")(2) == alignment.cosine[2]);
    CHECK(named_arrays(inspect::weight_contributions(tape, w)).at(w.name() + ".contribution.norm")(2) ==
          alignment.norm[2]);
    const auto triangle = inspect::loss_to_state(tape, losses, "cell.h");
    CHECK(named_arrays(triangle).at("cell.h.loss_to_state.norm")(3, 1) == triangle(3, 1));
    const auto spectrum = inspect::jacobian_spectrum(tape, "cell.h");
    const auto of_spectrum = shapes_of(named_arrays(spectrum));
    CHECK(of_spectrum.at("cell.h.jacobian.step.singular_values") == Shape{4, 4});
    CHECK(of_spectrum.at("cell.h.jacobian.product.radius") == Shape{5});
    CHECK(of_spectrum.at("cell.h.lyapunov.running") == Shape{4, 8});
    CHECK(named_arrays(spectrum).at("cell.h.jacobian.product.singular_values")(1, 3) ==
          spectrum.product[1].singular_values[3]);

    inspect::LossSurface surface{{0, 1, 2}, {5, 6}, {1, 2, 3, 4, 5, 6}, 7};
    CHECK(named_arrays(surface).at("surface.loss")(1, 0) == 4);
    CHECK(named_arrays(surface).at("surface.centre")() == 7);
}

TEST_CASE("a history as arrays: a row for each record, NaN where one is shorter") {
    inspect::FlowHistory history;
    history.records.resize(2);
    history.records[0].facts = {.step = 10, .loss = 2, .grad_norm = 3, .clipped = true};
    history.records[1].facts = {.step = 20, .loss = 1, .grad_norm = 4};
    for (std::size_t r = 0; r < 2; ++r) {
        auto& state = history.records[r].states.emplace_back();
        state.name = "rnn.h";
        state.grad_norm.assign(2 + r, static_cast<double>(r));
        auto& parameter = history.records[r].parameters.emplace_back();
        parameter.name = "w";
        parameter.update_ratio = 0.5;
        parameter.spectral_radius = {1, 2};
        history.records[r].contributions.push_back({"w", {0, 1}, {3, 4}});
    }
    history.intervals = {{.first_step = 0, .last_step = 20, .steps = 21, .clipped = 5, .mean_loss = 1.5}};
    const NamedArrays arrays = named_arrays(history);
    CHECK(arrays.at("history.step")(1) == 20);
    CHECK(arrays.at("history.clipped")(0) == 1);
    CHECK(shapes_of(arrays).at("history.rnn.h.grad_norm") == Shape{2, 3});
    CHECK(arrays.at("history.rnn.h.grad_norm")(1, 2) == 1);
    CHECK(std::isnan(arrays.at("history.rnn.h.grad_norm")(0, 2)));
    CHECK(arrays.at("history.w.spectral_radius")(1, 1) == 2);
    CHECK(arrays.at("history.w.contribution")(1, 1) == 4);
    CHECK(arrays.at("history.interval.clipped")(0) == 5);
    CHECK(arrays.at("history.interval.mean_loss")(0) == 1.5);
}

TEST_CASE("named arrays as CSV and JSON") {
    Array<double> scalar = Array<double>::from_shape(std::vector<std::size_t>{});
    scalar.data()[0] = std::nan("");
    const NamedArrays arrays{{"a,b", Array<double>{{1.5, 2.0}, {3.0, 1e-300}}}, {"s", scalar}};
    CHECK(inspect::to_csv(arrays) ==
          "array,i,j,k,value\n\"a,b\",0,0,,1.5\n\"a,b\",0,1,,2\n\"a,b\",1,0,,3\n\"a,b\",1,1,,1e-300\ns,,,,nan\n");
    CHECK(inspect::to_json(arrays) ==
          "{\n  \"a,b\": {\"shape\":[2,2],\"values\":[1.5,2.0,3.0,1e-300]},\n  \"s\": "
          "{\"shape\":[],\"values\":[null]}\n}\n");
    CHECK_THROWS_WITH_AS(inspect::to_csv(NamedArrays{}), "to_csv: there are no arrays: expected at least one",
                         ValueError);
    CHECK_THROWS_WITH_AS(inspect::to_json(NamedArrays{}), "to_json: there are no arrays: expected at least one",
                         ValueError);
    CHECK_THROWS_WITH_AS(
        inspect::to_csv(NamedArrays{{"x", Array<double>::from_shape(std::vector<std::size_t>{1, 1, 1, 1})}}),
        "to_csv: x is [1, 1, 1, 1]: expected at most 3 axes", ValueError);
}

TEST_CASE("histograms, units and spectra of a recorded training are arrays too, and say the same") {
    manual_seed(5);
    const LSTM<double> lstm({.input_size = 2, .hidden_size = 3, .name = "lstm"});
    inspect::FlowRecorder<double> recorder(lstm.parameters(), {.units = {"lstm.h"}, .spectra = {"lstm.h"}});
    for (const std::size_t T : {4u, 6u}) {  // the first record is the shorter one
        Tape<double> tape;
        tape.backward(sum(lstm(tape.constant(randn<double>({T, 5, 2}))).output));
        recorder.after_backward(tape, {.step = static_cast<std::int64_t>(T)});
        recorder.after_step();
        for (auto parameter : lstm.parameters()) parameter.zero_grad();
    }
    const inspect::FlowHistory& history = recorder.history();
    const NamedArrays arrays = named_arrays(history);

    const auto& norms = arrays.at("history.lstm.h.units.unit_grad_norm");
    REQUIRE(shapes_of(arrays).at("history.lstm.h.units.unit_grad_norm") == Shape{2, 6, 3});
    for (std::size_t t = 0; t < 6; ++t)
        for (std::size_t j = 0; j < 3; ++j) {
            CHECK(norms(1, t, j) == history.records[1].units[0].unit_grad_norm[t * 3 + j]);
            if (t < 4)
                CHECK(norms(0, t, j) == history.records[0].units[0].unit_grad_norm[t * 3 + j]);
            else
                CHECK(std::isnan(norms(0, t, j)));
        }
    CHECK(shapes_of(arrays).at("history.lstm.h.units.sample_grad_norm") == Shape{2, 6, 5});

    const auto& values = arrays.at("history.lstm.h.jacobian.product.singular_values");
    REQUIRE(shapes_of(arrays).at("history.lstm.h.jacobian.product.singular_values") == Shape{2, 6, 3});
    CHECK(shapes_of(arrays).at("history.lstm.h.jacobian.step.radius") == Shape{2, 5});
    CHECK(values(1, 2, 1) == history.records[1].spectra[0].product[2].singular_values[1]);
    CHECK(values(0, 3, 0) == doctest::Approx(1));  // of the identity
    CHECK(std::isnan(values(0, 4, 0)));
    CHECK(shapes_of(arrays).at("history.lstm.h.lyapunov.exponents") == Shape{2, 6});  // of (h, c)

    const auto& parameter = history.records[1].parameters[0];
    const std::string name = "history." + parameter.name;
    const auto &count = arrays.at(name + ".values.count"), &edges = arrays.at(name + ".values.edges");
    REQUIRE(edges.shape(1) == count.shape(1) + 1);
    double all = 0;
    for (std::size_t bin = 0; bin < parameter.values.count.size(); ++bin) {
        all += count(1, bin);
        CHECK(edges(1, bin) < edges(1, bin + 1));
    }
    CHECK(all == 4 * 3 * 2);  // each of the input's weights is in some bin
    CHECK(arrays.at(name + ".gradients.zeros")(1) == 0);
}
