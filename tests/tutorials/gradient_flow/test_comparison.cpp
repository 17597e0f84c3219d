/// What reports over runs show, of runs that are made here by hand.

#include <ebb/core/error.hpp>
#include <ebb/core/file.hpp>
#include <ebb/layers/init.hpp>

#include <cmath>
#include <sstream>
#include <string>
#include <vector>

#include "gradient_flow/comparison.hpp"
#include "gradient_flow/sweep.hpp"
#include "support/temporary_folder.hpp"
#include "tutorials/gradient_flow/lab.hpp"
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace lab;

namespace {

/// Its gradient falls by `factor` a step after training, and by 0.5 before.
RunRecord made(Cell cell, double gain, std::uint64_t seed, double factor, double loss) {
    RunRecord run;
    run.name = "made";
    run.options.task = TaskName::adding;
    run.options.cells = {cell};
    run.options.gain = gain;
    run.options.init = Init::normal;
    run.options.seed = seed;
    run.options.steps = 8;
    run.baseline = {1.0 / 6, "always predicting 1"};
    run.definition = "To add.";
    run.parameter_count = 12;
    run.steps = {0, 8};
    run.training_loss = run.test_loss = {1, loss};
    run.accuracy = run.spectral_radius = run.largest_singular_value = {std::nan(""), std::nan("")};
    for (const double f : {0.5, factor}) {
        run.hidden.emplace_back();
        for (int d = 0; d < 12; ++d) run.hidden.back().push_back(std::pow(f, d));
    }
    run.contributions = run.hidden;
    return run;
}

std::vector<RunRecord> scanned() {
    std::vector<RunRecord> runs;
    for (const Cell cell : {Cell::tanh, Cell::gru})
        for (const double gain : {0.5, 1.0, 1.5})
            for (const std::uint64_t seed : {1u, 2u, 3u})
                runs.push_back(made(cell, gain, seed, gain * (cell == Cell::tanh ? 0.8 : 0.7) + 0.01 * double(seed),
                                    gain + double(seed)));
    return runs;
}

const ebb::inspect::Series& named(const std::vector<ebb::inspect::Series>& all, const std::string& name) {
    for (const auto& series : all)
        if (series.name == name) return series;
    throw std::runtime_error("no series " + name);
}

}  // namespace

TEST_CASE("runs that differ by the seed alone are one group") {
    const std::vector<RunRecord> runs = scanned();
    CHECK(differing_options(runs) == std::vector<std::string>{"cells", "gain"});
    const std::vector<Group> groups = group_runs(runs);
    REQUIRE(groups.size() == 6);
    CHECK(groups[0].label == "tanh, gain 0.5");
    CHECK(groups[5].label == "GRU, gain 1.5");
    for (const Group& group : groups) CHECK(group.runs.size() == 3);

    // What has no say makes no difference; what differs in more than three options goes by number.
    std::vector<RunRecord> two{made(Cell::tanh, 1, 1, 0.5, 1), made(Cell::tanh, 1, 2, 0.5, 1)};
    two[1].options.delay = 3;
    CHECK(group_runs(two).size() == 1);
    CHECK(group_runs(two)[0].label == "tanh");
    two[1].options.hidden = 5;
    two[1].options.gain = 3;
    two[1].options.length = 7;
    CHECK(group_runs(two)[1].label == "length 7, hidden 5, gain 3");
    two[1].options.batch = 9;
    CHECK(group_runs(two)[1].label == "tanh (2)");
    CHECK(groups_table(two, group_runs(two)).columns[0].header == "setting");
    two[1].failure = "it burst";
    CHECK(group_runs(two)[1].runs.empty());
    CHECK(group_runs(two)[1].failed == 1);
}

TEST_CASE("a scan: medians and bands over an option's values, and where the factor is 1") {
    const std::vector<RunRecord> runs = scanned();
    const std::vector<Group> groups = group_runs(runs);
    const std::vector<Scan> scans = scans_of(groups);
    REQUIRE(scans.size() == 1);
    CHECK(scans[0].option == "gain");
    REQUIRE(scans[0].lines.size() == 2);
    CHECK(scans[0].lines[1].label == "GRU");
    CHECK(scans[0].lines[1].values == std::vector<double>{0.5, 1, 1.5});

    const auto decay = decay_figure(scans[0]);
    const auto& tanh = named(decay.series, "tanh");
    for (std::size_t k = 0; k < 3; ++k) {
        const double gain = 0.5 * double(k + 1);
        CHECK(tanh.x[k] == gain);
        CHECK(tanh.y[k] == doctest::Approx(0.8 * gain + 0.02).epsilon(1e-12));
        CHECK(tanh.low[k] == doctest::Approx(0.8 * gain + 0.01).epsilon(1e-12));
        CHECK(tanh.high[k] == doctest::Approx(0.8 * gain + 0.03).epsilon(1e-12));
        CHECK(named(decay.series, "GRU before training").y[k] == doctest::Approx(0.5).epsilon(1e-12));
    }
    CHECK(named(decay.series, "critical gain of tanh").x == std::vector<double>{1, 1});
    const auto loss = final_loss_figure(scans[0]);
    CHECK(named(loss.series, "tanh").y == std::vector<double>{2.5, 3, 3.5});
    CHECK(named(loss.series, "tanh").high == std::vector<double>{3.5, 4, 4.5});
    CHECK(named(loss.series, "baseline").y[0] == doctest::Approx(1.0 / 6));

    const auto map = gradient_map(scans[0], scans[0].lines[0]);
    REQUIRE(map);
    CHECK(map->y_at == std::vector<double>{0.5, 1, 1.5});
    REQUIRE(map->frames.size() == 2);
    CHECK(map->frames[1].step == 8);
    CHECK(map->frames[1].values[1 * 12 + 2] == doctest::Approx(std::pow(0.82, 2)));

    const auto gradient = gradient_figure(groups);
    REQUIRE(gradient.frames.size() == 2);
    CHECK(named(gradient.frames[1].series, "GRU, gain 1").y[3] == doctest::Approx(std::pow(0.72, 3)));
    CHECK(named(gradient.frames[1].series, "GRU, gain 1").low[3] == doctest::Approx(std::pow(0.71, 3)));
    CHECK(named(gradient.frames[0].series, "GRU, gain 1").y[3] == doctest::Approx(0.125));
}

TEST_CASE("the critical gain: where a large random matrix has spectral radius 1") {
    CHECK(*critical_value("gain", Init::normal) == 1);
    CHECK(*critical_value("gain", Init::uniform) == doctest::Approx(1.7320508));
    CHECK(*critical_value("spectral-radius", Init::uniform) == 1);
    CHECK(!critical_value("hidden", Init::normal));
    // And so has one of 200 units, nearly.
    for (const Init init : {Init::normal, Init::uniform, Init::orthogonal}) {
        Options options = small_options();
        options.hidden = 200;
        options.init = init;
        options.gain = critical_value("gain", init);
        const SequenceModel<double> model(Cell::tanh, options, symbol_ports(3));
        CHECK(ebb::init::spectral_radius(model.weights().weight_hh) == doctest::Approx(1).epsilon(0.1));
    }
}

TEST_CASE("runs from several folders are compared in one report") {
    const TemporaryFolder folder;
    std::ostringstream help, nowhere;
    const auto sweep_into = [&](const std::string& out, std::vector<std::string> arguments) {
        Request request = parse_request(arguments, help).value();
        request.options.out = out;
        const Sweep sweep = plan(request);
        run_sweep(sweep, ebb::Progress({.stream = &nowhere}));
        return sweep;
    };
    const std::string echo = folder / "echo", adding = folder / "adding";
    const std::vector<std::string> sizes{"--hidden", "4",       "--length", "10",      "--batch",
                                         "2",        "--steps", "3",        "--cells", "gru"};
    std::vector<std::string> first{"--task", "echo", "--delay", "2", "--seeds", "2"}, second{"--task", "adding"};
    first.insert(first.end(), sizes.begin(), sizes.end());
    second.insert(second.end(), sizes.begin(), sizes.end());
    sweep_into(echo, first);
    sweep_into(adding, second);

    const std::vector<std::string> compared{echo, adding + "/runs/gru/"};
    const std::vector<RunRecord> runs = read_runs(compared);
    REQUIRE(runs.size() == 3);
    CHECK(runs[0].name == "gru_seed=1");
    CHECK(runs[2].name == "gru");
    const std::string out = folder / "out";
    CHECK(save_comparison(out, compared, runs) == out + "/report.html");
    const std::string html = ebb::read_file(out + "/report.html");
    for (const char* text :
         {"echo, delay 2", "adding", "Gradient norm through time", "Runs that differ in task, delay"})
        CHECK_MESSAGE(html.find(text) != std::string::npos, text);
    const auto json = nlohmann::json::parse(ebb::read_file(out + "/comparison.json"));
    CHECK(json["command"] == "./run demo --compare " + echo + " " + adding + "/runs/gru/");

    const auto refusal = [&](const std::string& run) {
        try {
            read_runs(std::vector<std::string>{run});
        } catch (const ebb::Error& error) {
            return std::string(error.what());
        }
        return std::string("accepted");
    };
    CHECK(refusal(folder / "nothing") ==
          "gradient_flow: --compare " + (folder / "nothing") +
              ": expected the folder of a run, with its run.json, or that of a sweep with runs that are done");
    const std::string flow = echo + "/runs/gru_seed=1/flow.json";
    ebb::write_file_atomically(flow, "{\"step\": {\"shape\": [1], \"values\": [0]}}");
    CHECK(refusal(echo).starts_with("gradient_flow: " + flow + " is damaged: "));
    ebb::write_file_atomically(flow, "{");
    CHECK(refusal(echo).starts_with("gradient_flow: " + flow + " is damaged: "));
}
