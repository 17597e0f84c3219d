/// The snippets of docs/measures.md, docs/memory.md and docs/report.md stand in this file, run, and do what the pages
/// say.

#include <ebb/autograd/checkpoint.hpp>
#include <ebb/autograd/grad_mode.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/random.hpp>
#include <ebb/inspect/flow_figures.hpp>
#include <ebb/inspect/flow_recorder.hpp>
#include <ebb/inspect/loss_surface.hpp>
#include <ebb/inspect/loss_to_state.hpp>
#include <ebb/inspect/report.hpp>
#include <ebb/inspect/unrolled_graph.hpp>
#include <ebb/layers/linear.hpp>
#include <ebb/layers/recurrent_cells.hpp>
#include <ebb/layers/recurrent_layers.hpp>
#include <ebb/optim/sgd.hpp>
#include <ebb/optim/training.hpp>

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "support/documented.hpp"
#include "support/temporary_folder.hpp"
#include <doctest/doctest.h>

using namespace ebb;

TEST_CASE("every snippet of the pages stands in this file") {
    CHECK(check_snippets("measures.md", "integration/test_pages.cpp") == 2);
    CHECK(check_snippets("memory.md", "integration/test_pages.cpp") == 2);
    CHECK(check_snippets("report.md", "integration/test_pages.cpp") == 2);
}

namespace {

/// An LSTM with a loss at each step, which is trained with a recorder of everything that a recorder can be given, or
/// without. Gives the weights at the end.
std::vector<Array<double>> trained(std::int64_t steps, bool recorded, inspect::Report& report) {
    using namespace ebb::inspect;
    manual_seed(3);
    constexpr std::size_t T = 5;
    const LSTM<double> lstm({.input_size = 2, .hidden_size = 3});
    const Linear<double> readout({.in_features = 3, .out_features = 1});
    std::vector<Parameter<double>> parameters = lstm.parameters();
    for (const Parameter<double>& parameter : readout.parameters()) parameters.push_back(parameter);
    SGD<double> sgd(parameters, {.learning_rate = 0.1});
    Generator generator(4);
    const Array<double> x = randn<double>({T, 2, 2}, generator), y = randn<double>({T, 2, 1}, generator);
    const Direction<double> d1 = random_direction(parameters, generator), d2 = random_direction(parameters, generator);

    std::vector<Variable<double>> losses;
    const auto loss_on = [&](Tape<double>& tape) {
        const auto output = readout(lstm(tape.constant(x)).output), target = tape.constant(y);
        losses.clear();
        for (std::ptrdiff_t t = 0; t < static_cast<std::ptrdiff_t>(T); ++t)
            losses.push_back(mse_loss(select(output, 0, t), select(target, 0, t)));
        return mean(stack(losses, 0));
    };
    const auto loss_on_a_tape_of_its_own = [&] {
        Tape<double> tape;
        const NoGrad off;
        return loss_on(tape).item();
    };
    Variable<double> loss;
    TrainingOptions<double> options;
    options.steps = steps;

    if (!recorded) {
        train(sgd, options, [&](Tape<double>& tape, std::int64_t) { return loss_on(tape); });
    } else {
        FlowRecorder<double> recorder(parameters, {.every = 10, .units = {"lstm.h"}, .alignment = true});
        options.after_backward = [&](auto& s) {
            recorder.after_backward(s.tape, {s.step, s.loss, s.gradient_norm, s.clipped});
            if (!recorder.records(s.step)) return;
            recorder.add(unrolled_graph(s.tape, loss));
            recorder.add(loss_to_state(s.tape, losses, "lstm.h"));
            recorder.add(loss_surface<double>(loss_on_a_tape_of_its_own, parameters, d1, d2));
        };
        options.after_step = [&](auto&) { recorder.after_step(); };
        train(sgd, options, [&](Tape<double>& tape, std::int64_t) { return loss = loss_on(tape); });

        const FlowHistory& history = recorder.history();
        report.add(gradient_norm_figure(history));
        report.add(graph_figure(history));
        report.add(loss_to_state_map(history, "lstm.h"));
        report.add(loss_surface_map(history));

        REQUIRE(history.records.size() == 3);
        for (const FlowRecord& record : history.records) {
            REQUIRE(record.surface);
            CHECK(record.surface->centre == record.facts.loss);
            CHECK(record.triangles.size() == 1);
            CHECK(record.graph);
        }
        CHECK(history.records[0].surface->loss != history.records[2].surface->loss);
    }
    std::vector<Array<double>> weights;
    for (const Parameter<double>& parameter : parameters) weights.emplace_back(parameter.value());
    return weights;
}

}  // namespace

TEST_CASE("a recorder is given graphs, triangles and loss surfaces; each is a figure with a slider") {
    inspect::Report report("A training"), nothing("Nothing");
    CHECK(trained(25, true, report) == trained(25, false, nothing));
    const std::string page = report.html();
    std::size_t sliders = 0;
    for (std::size_t at = page.find("class=\"slider\""); at != std::string::npos;
         at = page.find("class=\"slider\"", at + 1))
        ++sliders;
    CHECK(sliders == 4);
}

TEST_CASE("a report, and a figure of one's own") {
    manual_seed(5);
    const RNNCell<double> cell({.input_size = 2, .hidden_size = 3});
    Tape<double> tape;
    auto h = tape.zeros({1, 3});
    for (int t = 0; t < 4; ++t) h = cell(tape.constant(randn<double>({1, 2})), h);
    const auto loss = sum(h);
    tape.backward(loss);
    const TemporaryFolder folder;
    const std::filesystem::path before = std::filesystem::current_path();
    std::filesystem::current_path(folder.path());
    const std::vector<double> steps{0, 10, 20}, values{1.2, 1.1, 0.9};
    {
        inspect::Report report("Half");
        inspect::LineFigure figure;
        figure.title = "Largest singular value";
        figure.x = {.label = "training step"};
        figure.y = {.label = "σ of Wₕₕ", .scale = inspect::Scale::log};
        figure.series = {{"tanh", steps, values}};
        report.add(figure, inspect::Width::half);
        CHECK(report.html().find("Largest singular value") != std::string::npos);
    }
    inspect::Table figure;
    figure.title = "Numbers";
    figure.columns = {{"a"}};
    figure.rows = {{1.0}};

    inspect::Report report("Where the gradient went", "a tanh RNN against an LSTM");
    report.add(inspect::GraphFigure{"The network unrolled", "", inspect::unrolled_graph(tape, loss)});
    report.add(figure);  // a LineFigure, a HeatMap, a Table
    report.save("report.html");

    std::filesystem::current_path(before);
    CHECK(read_file(folder / "report.html") == report.html());
}

TEST_CASE("memory: a loop in segments has the gradients of the whole") {
    manual_seed(6);
    constexpr std::size_t T = 10, segment = 4, H = 3;
    const LSTMCell<float> cell({.input_size = 2, .hidden_size = H});
    std::vector<Array<float>> x;
    for (std::size_t t = 0; t < T; ++t) x.push_back(randn<float>({2, 2}));
    const auto gradient = [&](bool in_segments) {
        for (Parameter<float> parameter : cell.parameters()) parameter.zero_grad();
        Tape<float> outer;
        const auto h = outer.zeros({2, H}), c = outer.zeros({2, H});
        if (in_segments) {
            std::vector<Variable<float>> state{h, c};
            for (std::size_t begin = 0; begin < T; begin += segment)
                state = checkpoint(
                    [&cell, &x, begin, end = std::min(begin + segment, T)](const auto& s) {
                        Tape<float>& tape = s[0].tape();  // f runs on a tape of its own
                        LSTMState<float> now{s[0], s[1]};
                        for (std::size_t t = begin; t < end; ++t) now = cell(tape.constant(x[t]), now);
                        return std::vector<Variable<float>>{now.h, now.c};
                    },
                    state);
            outer.backward(sum(state[0]));
        } else {
            LSTMState<float> now{h, c};
            for (const Array<float>& x_t : x) now = cell(outer.constant(x_t), now);
            outer.backward(sum(now.h));
        }
        return Array<float>(cell.weight_hh.grad());
    };
    const Array<float> whole = gradient(false), segments = gradient(true);
    for (std::size_t k = 0; k < whole.size(); ++k)
        CHECK(segments.data()[k] == doctest::Approx(whole.data()[k]).epsilon(1e-5));
}

TEST_CASE("memory: windows carry the state on and need the memory of one") {
    manual_seed(7);
    constexpr std::size_t steps = 5, B = 2, H = 4;
    const LSTM<double> lstm({.input_size = 3, .hidden_size = H});
    const Linear<double> readout({.in_features = H, .out_features = 1});
    std::vector<Parameter<double>> parameters = lstm.parameters();
    for (const Parameter<double>& parameter : readout.parameters()) parameters.push_back(parameter);
    SGD<double> sgd(parameters, {.learning_rate = 0.1});
    std::vector<std::pair<Array<double>, Array<double>>> windows;
    for (int k = 0; k < 6; ++k) windows.emplace_back(randn<double>({steps, B, 3}), randn<double>({steps, B, 1}));
    const Array<double> zeros = xt::zeros<double>({std::size_t{1}, B, H});
    const auto of_one_window = [&] {
        Tape<double> one;
        one.backward(mse_loss(readout(lstm(one.constant(windows[0].first)).output), one.constant(windows[0].second)));
        return one.bytes_reserved();
    }();
    Tape<double> tape;

    Array<double> h = zeros, c = zeros;   // [1, B, H]
    for (const auto& [x, y] : windows) {  // each [steps, B, ..]
        tape.clear();                     // the window before is forgotten, its memory is used again
        const auto [output, state] = lstm(tape.constant(x), {tape.constant(h), tape.constant(c)});
        sgd.zero_grad();
        tape.backward(mse_loss(readout(output), tape.constant(y)));
        sgd.step();
        h = state.h.value();  // copies: they outlast the next clear()
        c = state.c.value();
    }

    CHECK(h != zeros);
    CHECK(tape.bytes_reserved() == of_one_window);
}
