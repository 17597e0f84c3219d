#include <ebb/autograd/operations.hpp>
#include <ebb/core/decompositions.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/random.hpp>
#include <ebb/inspect/flow_recorder.hpp>
#include <ebb/inspect/gradient_flow.hpp>
#include <ebb/inspect/named_arrays.hpp>
#include <ebb/inspect/units.hpp>
#include <ebb/inspect/unrolled_graph.hpp>
#include <ebb/layers/linear.hpp>
#include <ebb/layers/recurrent_layers.hpp>
#include <ebb/optim/clip.hpp>
#include <ebb/optim/sgd.hpp>
#include <ebb/optim/training.hpp>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <optional>

#include "integration/inspected_cells.hpp"
#include "support/random_arrays.hpp"
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <xtensor-blas/xlinalg.hpp>

using namespace ebb;
using inspect::FlowHistory;
using inspect::FlowRecorder;
using inspect::FlowRecorderOptions;

namespace {

struct Run {
    std::vector<double> numbers;  // every loss, every gradient and every weight of the training, one after another
    FlowHistory history;
};

/// Trains an LSTM on a fixed task; with a recorder or without one.
template <class T>
Run trained(std::int64_t steps, const FlowRecorderOptions* recording) {
    manual_seed(5);
    LSTM<T> lstm({.input_size = 2, .hidden_size = 4});
    Linear<T> readout({.in_features = 4, .out_features = 1});
    std::vector<Parameter<T>> parameters = lstm.parameters();
    for (const auto& parameter : readout.parameters()) parameters.push_back(parameter);
    Generator generator(3);
    const Array<T> x = randn<T>({6, 3, 2}, generator), y = randn<T>({6, 3, 1}, generator);
    SGD<T> sgd(parameters, {.learning_rate = 0.5});
    std::unique_ptr<FlowRecorder<T>> recorder;
    if (recording) recorder = std::make_unique<FlowRecorder<T>>(parameters, *recording);
    Run run;
    const auto keep = [&](const Array<T>& a) { run.numbers.insert(run.numbers.end(), a.begin(), a.end()); };
    Variable<T> loss;
    TrainingOptions<T> options;
    options.steps = steps;
    options.clip_norm = 0.3;
    options.after_backward = [&](auto& s) {
        if (recorder) recorder->after_backward(s.tape, {s.step, s.loss, s.gradient_norm, s.clipped});
        if (recorder && recorder->records(s.step)) {
            recorder->add(inspect::unrolled_graph(s.tape, loss));
            recorder->add(inspect::loss_to_state(s.tape, std::vector{loss}, "lstm.h"));
        }
        run.numbers.push_back(s.loss);
        for (const auto& parameter : parameters) keep(parameter.grad());
    };
    options.after_step = [&](auto&) {
        if (recorder) recorder->after_step();
        for (const auto& parameter : parameters) keep(parameter.value());
    };
    train(sgd, options, [&](Tape<T>& tape, std::int64_t) {
        return loss = mse_loss(readout(lstm(tape.constant(x)).output), tape.constant(y));
    });
    if (recorder) run.history = recorder->history();
    return run;
}

/// Each bin by counting what lies in it. A number on an edge, which is rounded, may count to either side.
void check_counts(const inspect::Histogram& histogram, const std::vector<double>& numbers) {
    std::size_t all = 0;
    for (std::size_t bin = 0; bin < histogram.count.size(); ++bin) {
        const double slack = 1e-9 * (histogram.high - histogram.low);
        std::size_t surely = 0, perhaps = 0;
        for (const double number : numbers) {
            surely += number > histogram.edge(bin) + slack && number < histogram.edge(bin + 1) - slack;
            perhaps += number >= histogram.edge(bin) - slack && number <= histogram.edge(bin + 1) + slack;
        }
        CHECK(histogram.count[bin] >= surely);
        CHECK(histogram.count[bin] <= perhaps);
        all += histogram.count[bin];
    }
    CHECK(all == numbers.size());
}

std::vector<std::int64_t> steps_of(const FlowHistory& history) {
    std::vector<std::int64_t> steps;
    for (const auto& record : history.records) steps.push_back(record.facts.step);
    return steps;
}

}  // namespace

TEST_CASE_TEMPLATE("a training with a recorder is the same to the bit as one without", T, float, double) {
    const FlowRecorderOptions everything{.every = 2,
                                         .units = {"lstm.h", "lstm.c"},
                                         .unit_gates = {"lstm.forget_gate"},
                                         .spectra = {"lstm.h"},
                                         .alignment = true};
    const Run without = trained<T>(12, nullptr), with = trained<T>(12, &everything);
    CHECK(without.numbers == with.numbers);
    CHECK(steps_of(with.history) == std::vector<std::int64_t>{0, 2, 4, 6, 8, 10});
    CHECK(std::all_of(with.history.records.begin(), with.history.records.end(), [](const inspect::FlowRecord& record) {
        return record.graph && record.triangles.size() == 1 && record.alignments.size() == 1;
    }));
}

TEST_CASE("a record holds what was on the tape, and what the step did to the weights") {
    const FlowRecorderOptions options{.every = 3, .units = {"lstm.c"}, .spectra = {"lstm.h"}};
    const Run run = trained<double>(7, &options);
    REQUIRE(run.history.records.size() == 3);
    const auto& record = run.history.records[1];
    CHECK(record.facts.step == 3);
    CHECK(record.states.size() == 2);
    CHECK(record.states[0].name == "lstm.h");
    CHECK(record.states[0].grad_norm.size() == 6);
    CHECK(record.gates.size() == 4);
    REQUIRE(record.contributions.size() == 1);
    CHECK(record.contributions[0].parameter.find("weight_hh") != std::string::npos);
    CHECK(record.units.at(0).units == 4);
    CHECK(record.spectra.at(0).product.size() == 6);

    // The numbers of a step in `run.numbers`: the loss, all gradients, all weights after it.
    std::size_t size = 0;
    for (const auto& parameter : record.parameters)
        size += std::accumulate(parameter.values.count.begin(), parameter.values.count.end(), std::size_t{0});
    const std::size_t stride = 1 + 2 * size;
    REQUIRE(run.numbers.size() == 7 * stride);
    const double* const gradients = run.numbers.data() + 3 * stride + 1;
    const double* const after = gradients + size;
    const double* const before = after - stride;
    CHECK(record.facts.loss == gradients[-1]);
    std::size_t at = 0;
    double all = 0;
    for (const auto& parameter : record.parameters) {
        const std::size_t count =
            std::accumulate(parameter.values.count.begin(), parameter.values.count.end(), std::size_t{0});
        double grad = 0, value = 0, update = 0;
        for (std::size_t i = at; i < at + count; ++i) {
            grad += gradients[i] * gradients[i];
            value += before[i] * before[i];
            update += std::pow(after[i] - before[i], 2);
        }
        CHECK(parameter.grad_norm == doctest::Approx(std::sqrt(grad)).epsilon(1e-12));
        CHECK(parameter.value_norm == doctest::Approx(std::sqrt(value)).epsilon(1e-12));
        CHECK(parameter.update_ratio == doctest::Approx(std::sqrt(update / value)).epsilon(1e-10));
        const bool recurrent = parameter.name.find("weight_hh") != std::string::npos;
        CHECK(parameter.spectral_radius.size() == (recurrent ? 4 : 0));
        if (recurrent)
            for (std::size_t gate = 0; gate < 4; ++gate) {
                Array<double> block = Array<double>::from_shape({4, 4});
                std::copy_n(before + at + 16 * gate, 16, block.data());
                CHECK(parameter.spectral_radius[gate] ==
                      doctest::Approx(linalg::spectral_radius(block)).epsilon(1e-12));
            }
        all += grad;
        at += count;
    }
    CHECK(at == size);
    CHECK(record.facts.grad_norm == doctest::Approx(std::sqrt(all)).epsilon(1e-12));
}

TEST_CASE("each cell's history holds what its steps were, one by one") {
    test::RandomArrays random(78);
    for (const char* kind : inspected::kinds) {
        CAPTURE(kind);
        const inspected::Sizes sizes = inspected::random_sizes(random);
        const inspected::Cell cell = inspected::cell_of(kind, sizes);
        const inspected::Given given = inspected::random_given(kind, sizes, random);
        std::vector<Array<double>> targets;
        for (std::size_t t = 0; t < sizes.T; ++t) targets.push_back(random.array({sizes.B, sizes.H}));
        std::vector<Parameter<double>> parameters;
        for (const auto& named : cell.parameters) parameters.push_back(named.second);
        const std::size_t weight_hh = 1;
        std::vector<std::string> gates;
        if (cell.parameters[weight_hh].second.shape()[0] == 4 * sizes.H) gates = {"cell.forget_gate"};
        if (cell.parameters[weight_hh].second.shape()[0] == 3 * sizes.H) gates = {"cell.update_gate"};
        FlowRecorder<double> recorder(
            parameters,
            {.every = 2, .units = {"cell.h"}, .unit_gates = gates, .spectra = {"cell.h"}, .alignment = true});
        SGD<double> sgd(parameters, {.learning_rate = 0.05});
        constexpr double clip = 1;
        std::int64_t clipped = 0;
        for (std::int64_t step = 0; step < 5; ++step) {
            std::vector<std::vector<double>> before;
            for (const auto& parameter : parameters)
                before.emplace_back(parameter.value().begin(), parameter.value().end());
            Tape<double> tape;
            sgd.zero_grad();
            const auto states = inspected::unrolled(tape, cell, given);
            const auto losses = inspected::losses_of(tape, states, targets);
            Variable<double> loss = losses[0];
            for (std::size_t t = 1; t < sizes.T; ++t) loss = loss + losses[t];
            tape.backward(loss, {.retain_graph = true});
            double squares = 0;
            std::vector<std::vector<double>> gradients;
            for (const auto& parameter : parameters) {
                gradients.emplace_back(parameter.grad().begin(), parameter.grad().end());
                for (const double g : gradients.back()) squares += g * g;
            }
            const double whole_norm = std::sqrt(squares);
            recorder.after_backward(tape, {step, loss.item(), whole_norm, whole_norm > clip});
            clipped += whole_norm > clip;
            const bool is_recorded = recorder.records(step);
            const auto triangle = inspect::loss_to_state(tape, losses, "cell.h");
            recorder.add(triangle);
            clip_grad_norm(parameters, clip);
            sgd.step();
            recorder.after_step();
            CHECK(recorder.history().clipped_steps == clipped);
            if (!is_recorded) continue;

            const inspect::FlowRecord& record = recorder.history().records.back();
            CHECK(record.facts.step == step);
            // The tape still stands as it did: each measure has a test of its own against slower ways.
            const auto flow = inspect::gradient_flow(tape);
            REQUIRE(record.states.size() == inspected::state_count(kind));
            for (const inspect::StateFlow& state : record.states) CHECK(state.grad_norm == flow[state.name].grad_norm);
            for (std::size_t t = 0; t < sizes.T; ++t)
                CHECK(record.states[0].grad_norm[t] ==
                      doctest::Approx(inspected::norm(states[t][0].grad().data(), sizes.B * sizes.H)).epsilon(1e-12));
            for (const inspect::GateFlow& gate : record.gates) CHECK(gate.mean == flow.gate(gate.name).mean);
            CHECK(record.units.at(0).unit_grad_norm == inspect::unit_flow(tape, "cell.h").unit_grad_norm);
            REQUIRE(record.unit_gates.size() == gates.size());
            for (const inspect::UnitGate& gate : record.unit_gates)
                CHECK(gate.mean == inspect::unit_gate(tape, gate.name).mean);
            CHECK(record.triangles.at(0).norm == triangle.norm);
            REQUIRE(record.contributions.size() == 1);
            REQUIRE(record.alignments.size() == 1);
            CHECK(record.alignments[0].whole_norm ==
                  doctest::Approx(inspected::norm(gradients[weight_hh].data(), gradients[weight_hh].size()))
                      .epsilon(1e-10));
            REQUIRE(record.spectra.at(0).product.size() == sizes.T);

            REQUIRE(record.parameters.size() == parameters.size());
            for (std::size_t p = 0; p < parameters.size(); ++p) {
                const inspect::ParameterRecord& of = record.parameters[p];
                CAPTURE(of.name);
                const std::size_t size = before[p].size();
                const double norm = inspected::norm(before[p].data(), size);
                CHECK(of.value_norm == doctest::Approx(norm).epsilon(1e-12));
                CHECK(of.grad_norm == doctest::Approx(inspected::norm(gradients[p].data(), size)).epsilon(1e-12));
                std::vector<double> update = before[p];
                for (std::size_t k = 0; k < size; ++k) update[k] -= parameters[p].value().data()[k];
                CHECK(of.update_ratio ==
                      doctest::Approx(inspected::norm(update.data(), size) / norm).epsilon(1e-8).scale(0));
                check_counts(of.values, before[p]);
                std::vector<double> logs;
                for (const double g : gradients[p])
                    if (g != 0) logs.push_back(std::log10(std::abs(g)));
                check_counts(of.gradients, logs);
                CHECK(of.gradients.zeros == size - logs.size());
                // rho of each [H, H] block, by LAPACK.
                REQUIRE(of.spectral_radius.size() == (p == weight_hh ? size / (sizes.H * sizes.H) : 0));
                for (std::size_t block = 0; block < of.spectral_radius.size(); ++block) {
                    Array<double> matrix = Array<double>::from_shape({sizes.H, sizes.H});
                    std::copy_n(before[p].data() + block * matrix.size(), matrix.size(), matrix.data());
                    double radius = 0;
                    for (const auto& value : xt::linalg::eigvals(matrix)) radius = std::max(radius, std::abs(value));
                    CHECK(of.spectral_radius[block] == doctest::Approx(radius).epsilon(1e-8).scale(0));
                }
            }
        }
        CHECK(recorder.history().records.size() == 3);
    }
}

TEST_CASE("a long training is thinned out evenly, and chosen steps stay") {
    const FlowRecorderOptions options{.every = 1, .at = {7, 99}, .max_records = 8, .max_intervals = 6};
    const Run run = trained<double>(100, &options);
    CHECK(steps_of(run.history) == std::vector<std::int64_t>{0, 7, 16, 32, 48, 64, 80, 96, 99});
    for (const auto& record : run.history.records) CHECK(std::isfinite(record.parameters[0].update_ratio));

    // The intervals cover every step once, and add up to what the steps were.
    CHECK(run.history.steps == 100);
    const auto& intervals = run.history.intervals;
    CHECK(intervals.size() <= 6);
    const std::size_t stride = run.numbers.size() / 100;
    std::int64_t next = 0, clipped = 0;
    for (const auto& interval : intervals) {
        CHECK(interval.first_step == next);
        CHECK(interval.steps == interval.last_step - interval.first_step + 1);
        double sum = 0, largest = 0;
        for (std::int64_t step = interval.first_step; step <= interval.last_step; ++step) {
            const double loss = run.numbers[static_cast<std::size_t>(step) * stride];
            sum += loss;
            largest = std::max(largest, loss);
        }
        CHECK(interval.mean_loss == doctest::Approx(sum / static_cast<double>(interval.steps)).epsilon(1e-12));
        CHECK(interval.largest_loss == largest);
        clipped += interval.clipped;
        next = interval.last_step + 1;
    }
    CHECK(next == 100);
    CHECK(clipped == run.history.clipped_steps);
    CHECK(clipped > 0);
    CHECK(clipped < 100);
}

TEST_CASE("a recorder that only looks at chosen steps, and one whose after_step is never called") {
    const FlowRecorderOptions chosen{.every = 0, .at = {2, 5}, .histograms = false};
    const Run run = trained<double>(8, &chosen);
    CHECK(steps_of(run.history) == std::vector<std::int64_t>{2, 5});
    CHECK(run.history.records[0].parameters[0].values.count.empty());

    const Parameter<double> w("w", Array<double>{{1.0, 2.0}, {3.0, 4.0}});
    FlowRecorder<double> recorder({w}, {.max_records = 4});
    for (std::int64_t step = 0; step < 40; ++step) {
        Tape<double> tape;
        tape.backward(sum(matmul(tape.ones({1, 2}), w)));
        recorder.after_backward(tape, {.step = step});
        CHECK(recorder.history().records.size() <= 4);
    }
    CHECK(std::isnan(recorder.history().records.back().parameters[0].update_ratio));
    CHECK(std::isnan(recorder.history().intervals.back().mean_loss));
}

TEST_CASE("NaN shows in a record, and not as a crash") {
    const Parameter<double> w("weight_hh", Array<double>{{1.0, 2.0}, {3.0, 4.0}});
    Parameter<double> handle = w;
    handle.mutable_value()(0, 1) = std::nan("");
    FlowRecorder<double> recorder({w});
    Tape<double> tape;
    tape.backward(sum(matmul(tape.ones({1, 2}), w)));
    recorder.after_backward(tape, {.step = 0, .loss = std::nan(""), .grad_norm = 1});
    recorder.after_step();
    recorder.after_backward(tape, {.step = 1, .loss = 2, .grad_norm = 1});
    const auto& record = recorder.history().records[0].parameters[0];
    CHECK(std::isnan(record.value_norm));
    CHECK(std::isnan(record.spectral_radius.at(0)));
    CHECK(record.values.nonfinite == 1);
    CHECK(recorder.history().intervals.size() == 2);
}

TEST_CASE("a recorder: every error says what was expected") {
    const Parameter<double> w("w", Array<double>{{1.0, 2.0}, {3.0, 4.0}});
    CHECK_THROWS_WITH_AS(FlowRecorder<double>({w, {}}),
                         "FlowRecorder: parameter 1 is default-constructed: expected a weight", ValueError);
    CHECK_THROWS_WITH_AS(FlowRecorder<double>({w}, {.every = -1}), "FlowRecorder: every is -1: expected 0 or more",
                         ValueError);
    CHECK_THROWS_WITH_AS(FlowRecorder<double>({w}, {.max_records = 0}),
                         "FlowRecorder: max_records is 0: expected at least 1", ValueError);
    CHECK_THROWS_WITH_AS(FlowRecorder<double>({w}, {.max_intervals = 1}),
                         "FlowRecorder: max_intervals is 1: expected at least 2", ValueError);
    FlowRecorder<double> recorder({w}, {.units = {"rnn.h"}});
    Tape<double> tape;
    CHECK_THROWS_WITH_AS(recorder.after_backward(tape, {.step = 0}),
                         "unit_flow: no state is called rnn.h: the tape has none", ValueError);
    FlowRecorder<double> plain({w});
    plain.after_backward(tape, {.step = 3});
    CHECK_THROWS_WITH_AS(plain.after_backward(tape, {.step = 3}),
                         "FlowRecorder: step 3 comes after step 3: expected rising steps", ValueError);
}

TEST_CASE("a record is given what takes more than the tape, and only where its step is recorded") {
    manual_seed(5);
    const LSTM<double> lstm({.input_size = 2, .hidden_size = 3});
    const Array<double> x = randn<double>({4, 2, 2});
    FlowRecorder<double> recorder(
        lstm.parameters(),
        {.every = 0, .at = {0, 4}, .unit_gates = {"lstm.forget_gate"}, .alignment = true, .histograms = false});
    Tape<double> tape;
    for (const std::int64_t step : {0, 2, 4}) {
        tape.clear();
        const auto result = lstm(tape.constant(x));
        const std::vector<Variable<double>> losses{sum(result.state.h), sum(result.state.c)};
        const Variable<double> loss = losses[0] + losses[1];
        tape.backward(loss, {.retain_graph = true});
        recorder.after_backward(tape, {.step = step});
        recorder.add(inspect::unrolled_graph(tape, loss));
        recorder.add(inspect::loss_to_state(tape, losses, "lstm.h", {.keep_gradients = true}));
        recorder.add(inspect::jacobian_spectrum(tape, "lstm.h"));
        inspect::LossSurface surface;
        surface.centre = static_cast<double>(step);
        recorder.add(surface);
    }
    const FlowHistory& history = recorder.history();
    REQUIRE(steps_of(history) == std::vector<std::int64_t>{0, 4});
    // The tape still stands as it did at the last step, and holds the same by another way.
    const auto gate = inspect::unit_gate(tape, "lstm.forget_gate");
    for (const auto& record : history.records) {
        CHECK(record.unit_gates.at(0).mean == gate.mean);
        REQUIRE(record.alignments.size() == 1);
        CHECK(record.alignments[0].norm.size() == record.contributions[0].norm.size());
        for (std::size_t t = 0; t < record.alignments[0].norm.size(); ++t)
            CHECK(record.alignments[0].norm[t] == doctest::Approx(record.contributions[0].norm[t]).epsilon(1e-10));
        REQUIRE(record.triangles.size() == 1);
        CHECK(record.triangles[0].norm.size() == 2 * 4);
        CHECK(record.triangles[0].gradient.empty());  // [K, T, B, H] would be no bounded memory
        REQUIRE(record.spectra.size() == 1);
        REQUIRE(record.graph);
        CHECK(record.graph->grad_norm.size() == history.graph.nodes.size());
        CHECK(record.surface->centre == static_cast<double>(record.facts.step));
    }
    // Of h_3 in the graph, what the tape says of it.
    const double expected = inspect::gradient_flow(tape)["lstm.h"].grad_norm.back();
    bool found = false;
    for (std::size_t k = 0; k < history.graph.nodes.size(); ++k)
        if (history.graph.nodes[k].name == "lstm.h" && history.graph.nodes[k].time_step == 3) {
            found = true;
            CHECK(history.records[1].graph->grad_norm[k].value() == doctest::Approx(expected).epsilon(1e-12));
        }
    CHECK(found);

    // As arrays, a row for each record.
    const inspect::NamedArrays arrays = named_arrays(history);
    const auto shape_of = [&](const std::string& name) { return Shape::of(arrays.at("history." + name).shape()); };
    const std::size_t nodes_of_graph = history.graph.nodes.size();
    CHECK(shape_of("lstm.h.loss_to_state.norm") == Shape{2, 2, 4});
    CHECK(arrays.at("history.lstm.h.loss_to_state.norm")(1, 0, 3) == history.records[1].triangles[0](0, 3));
    CHECK(shape_of("lstm.forget_gate.units.mean") == Shape{2, 4, 3});
    CHECK(arrays.at("history.lstm.forget_gate.units.mean")(0, 2, 1) == gate.mean[2 * 3 + 1]);
    const auto& alignment = history.records[0].alignments[0];
    CHECK(arrays.at("history." + alignment.parameter + ".contribution.cosine")(0, 1) == alignment.cosine[1]);
    CHECK(arrays.at("history.surface.centre")(1) == 4);
    CHECK(shape_of("graph.node.grad_norm") == Shape{2, nodes_of_graph});
    for (std::size_t k = 0; k < nodes_of_graph; ++k) {
        const std::optional<double>& norm = history.records[0].graph->grad_norm[k];
        const double there = arrays.at("history.graph.node.grad_norm")(0, k);
        CHECK((norm ? there == *norm : std::isnan(there)));
    }
    CHECK(shape_of("graph.edge.grad_norm") == Shape{2, history.graph.edges.size()});

    tape.clear();
    const auto other = lstm(tape.constant(randn<double>({3, 2, 2})));
    const Variable<double> loss = sum(other.state.h);
    tape.backward(loss);
    FlowRecorder<double> again(lstm.parameters());
    again.after_backward(tape, {.step = 1});
    again.add(inspect::unrolled_graph(tape, loss));
    const std::size_t nodes = again.history().graph.nodes.size(), edges = again.history().graph.edges.size();
    again.after_backward(tape, {.step = 2});
    inspect::UnrolledGraph larger = again.history().graph;
    larger.nodes.emplace_back();
    const std::string refusal = fmt::format(
        "FlowRecorder: the graph of step 2 is not the network of the graphs before: it has {} nodes and {} "
        "edges, that one {} and {}",
        nodes + 1, edges, nodes, edges);
    CHECK_THROWS_WITH_AS(again.add(larger), refusal.c_str(), ValueError);
    CHECK(!again.history().records.back().graph);
}
