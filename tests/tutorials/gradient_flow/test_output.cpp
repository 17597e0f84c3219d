#include <ebb/core/error.hpp>
#include <ebb/core/file.hpp>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "gradient_flow/figures.hpp"
#include "gradient_flow/output.hpp"
#include "gradient_flow/report_folder.hpp"
#include "support/temporary_folder.hpp"
#include "tutorials/gradient_flow/lab.hpp"
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace lab;

namespace {

Experiment run(const Options& options) {
    std::ostringstream nowhere;
    return run_experiment(options, invented_corpus(), ebb::Progress({.stream = &nowhere}));
}

std::set<std::string> files_in(const std::filesystem::path& folder) {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
        if (entry.is_regular_file()) names.insert(entry.path().lexically_relative(folder).string());
    return names;
}

std::size_t count(const std::string& text, const std::string& part) {
    std::size_t found = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
    return found;
}

}  // namespace

TEST_CASE("a run leaves its report, figures, numbers and options, and nothing of an earlier one") {
    const TemporaryFolder folder;
    Options options = small_options();
    options.steps = 3;
    options.out = folder / "out";
    CHECK(save_results(run(options)) == options.out + "/report.html");
    const std::set<std::string> all = files_in(options.out);
    CHECK(all.contains("report.html"));
    CHECK(all.contains("figures/gradient-norm-through-time.svg"));
    CHECK(all.contains("data/gradient-norm-through-time.csv"));
    CHECK(all.contains("data/gates-of-the-lstm-through-time.json"));

    const auto json = nlohmann::json::parse(ebb::read_file(options.out + "/options.json"));
    CHECK(json["command"] == command_line(options));
    CHECK(json["options"]["hidden"] == 8);
    CHECK(json["options"]["gain"].is_null());
    CHECK(json["text"]["characters"] == invented_corpus().text.size());
    CHECK(json["files"].size() == all.size() - 2);  // all but the report and itself

    // A file of somebody else stays; the figures of cells that are no longer there go.
    std::ofstream(options.out + "/figures/mine.svg") << "mine";
    options.cells = {Cell::tanh};
    save_results(run(options));
    const std::set<std::string> fewer = files_in(options.out);
    CHECK(fewer.contains("figures/mine.svg"));
    CHECK(fewer.contains("figures/gradient-norm-through-time.svg"));
    CHECK(!fewer.contains("figures/gates-of-the-lstm-through-time.svg"));
    CHECK(!fewer.contains("data/gates-of-the-lstm-through-time.csv"));
    CHECK(!fewer.contains("data/gates-of-the-lstm-through-time.json"));

    // Names that lead out of the folder, or a file that is none of this program's, do no harm.
    std::ofstream(folder / "precious.svg") << "precious";
    for (const char* list : {R"({"files": ["../precious.svg", "figures/../../precious.svg", 7]})", "no JSON", "[]"}) {
        std::ofstream(options.out + "/options.json") << list;
        save_results(run(options));
        CHECK(std::filesystem::exists(folder / "precious.svg"));
    }
}

TEST_CASE("the CSV of the gradient norms holds what was measured") {
    Options options = small_options();
    options.steps = 2;
    options.cells = {Cell::tanh, Cell::gru};
    const Experiment experiment = run(options);
    const ebb::inspect::LineFigure figure = gradient_figure(experiment);
    REQUIRE(figure.frames.size() == experiment.cells[0].stops.size());
    for (std::size_t stop = 0; stop < figure.frames.size(); ++stop)
        for (const CellResult& result : experiment.cells) {
            bool found = false;
            for (const auto& series : figure.frames[stop].series)
                if (series.name == title_of(result.cell)) found = series.y == result.stops[stop].flow.hidden;
            CHECK(found);
        }
}

TEST_CASE("the terminal gets every cell before and after training, and their order as it was measured") {
    Options options = small_options();
    const Experiment experiment = run(options);
    const std::string text = results_text(experiment, {.unicode = false});
    for (const char* title : {"\ntanh ", "\nLSTM ", "\nGRU "}) CHECK(count(text, title) >= 2);
    CHECK(count(text, "untrained") == 8);
    CHECK(count(text, " trained  ") == 8);
    // No line is wider than a terminal.
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) CHECK_MESSAGE(line.size() <= 80, line);
    // Whoever has the lowest loss comes first, whatever it is called.
    const CellResult* best = &experiment.cells[0];
    for (const CellResult& result : experiment.cells)
        if (result.stops.back().test.loss < best->stops.back().test.loss) best = &result;
    const std::size_t at = text.find("is lowest in\n  ");
    REQUIRE(at != std::string::npos);
    CHECK(text.compare(at + 15, 4, std::string(title_of(best->cell)) + (best->cell == Cell::gru ? " " : "")) == 0);
    CHECK(text.find("This is one run with one seed") != std::string::npos);
}

TEST_CASE("a run without training, with one cell, and over two characters shows what there is") {
    Options options = small_options();
    options.steps = 0;
    options.length = 2;
    for (const Cell cell : {Cell::tanh, Cell::lstm, Cell::gru}) {
        options.cells = {cell};
        const Experiment experiment = run(options);
        CHECK_NOTHROW(make_report(experiment).html());
        CHECK(count(results_text(experiment, {.unicode = false}), "trained") >= 1);
    }
}

TEST_CASE("the table says why the decay is not the mean gate, by what was measured") {
    const auto row_of = [](double measured, double alone, double mean) {
        Options options = small_options();
        options.steps = 0;
        options.cells = {Cell::lstm};
        Experiment experiment = run(options);
        Measurement& flow = experiment.cells[0].stops.back().flow;
        flow.mean_gate = mean;
        for (std::size_t d = 0; d < flow.cell_state.size(); ++d) {
            flow.cell_state[d] = std::pow(measured, static_cast<double>(d));
            flow.gates_alone[d] = std::pow(alone, static_cast<double>(d));
        }
        const std::string text = results_text(experiment, {.unicode = false});
        const std::size_t at = text.find("LSTM untrained ", text.find("Is the factor the mean gate?"));
        return text.substr(at, text.find('\n', at) - at);
    };
    CHECK(row_of(0.7, 0.6, 0.5) == "LSTM untrained     +0.200        +0.100       +0.100   no, more by W_hh");
    CHECK(row_of(0.65, 0.6, 0.5) == "LSTM untrained     +0.150        +0.100       +0.050   no, more by the gates");
    CHECK(row_of(0.4, 0.52, 0.5) == "LSTM untrained     -0.100        +0.020       -0.120   no, more by W_hh");
    CHECK(row_of(0.509, 0.502, 0.5) == "LSTM untrained     +0.009        +0.002       +0.007   yes, to 0.01");
    CHECK(row_of(0.5, 0, 0.5) == "LSTM untrained          -             -            -");
}

TEST_CASE("an output folder that cannot be made is refused before the work") {
    const TemporaryFolder folder;
    std::ofstream(folder / "file") << "no folder";
    const std::string out = folder / "file/out";
    CHECK_THROWS_WITH_AS(prepare_folder(out),
                         ("gradient_flow: --out " + out +
                          " cannot be made: Not a directory: expected a folder, or a path where one can be made")
                             .c_str(),
                         ebb::FileError);
}
