/// Writes the reports and specifications that the tests in this folder look at, into the folder that it is given.

#include <ebb/core/file.hpp>
#include <ebb/inspect/number_text.hpp>
#include <ebb/inspect/report.hpp>
#include <ebb/inspect/vega_lite.hpp>

#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>

#include "networks.hpp"
#include "sample.hpp"

using namespace ebb;
using namespace ebb::inspect;

namespace {

Report sample_report() {
    Report report("Where the gradient went",
                  "tanh, LSTM and GRU cells of 64 hidden units, trained side by side for 1,000 steps on one text.");
    for (const sample::CellModel& cell : sample::cells())
        report.add_fact(cell.name + ": half-life of the gradient",
                        format_number(std::log(2.0) / -cell.decay_after, 2) + " steps", "after training");
    report.add_fact("sequence", "100 steps", "32 sequences a batch");
    report.add_finding(Severity::warning, "tanh: the gradient vanishes",
                       "It falls by 10× every 10 steps: steps before t = 41 get less than 10⁻⁶ of it.",
                       "Try a gated cell (LSTM, GRU), or an orthogonal recurrent matrix.");
    report.add_finding(Severity::good, "No unit is dead or saturated", "Of 64 units none has |h| > 0.9 at every step.");
    LineFigure gradients = sample::gradient_figure();
    // A gradient that has vanished altogether at one step.
    gradients.frames[3].series[0].y[0] = 0;
    report.add(gradients);
    report.add(sample::result_table());
    report.add(sample::loss_figure(), Width::half);
    report.add(sample::gate_figure("LSTM", {"input gate", "forget gate", "output gate"}), Width::half);
    report.add(sample::gate_figure("GRU", {"reset gate", "update gate"}), Width::half);
    report.add(sample::unit_map(), Width::half);
    report.add(sample::seed_figure());
    report.add(sample::triangle_map(), Width::half);
    report.add(sample::surface_map(), Width::half);
    report.add(sample::lstm_network("The LSTM unrolled", 12, Granularity::elementary));
    report.add(sample::gru_network("A GRU of 500 steps", 500));
    report.add_text(
        "How to read this",
        "Each line is one cell.\n\nA straight line on a log scale is a gradient that falls by the same factor at "
        "every step.");
    return report;
}

/// Names that would break the page if any of them were taken for markup, script or a field of the data.
Report hostile_report() {
    const std::string hostile =
        "</script><script>window.broken = 1</script><img src=x onerror='window.broken=1'> [0].\\ \"'&\xff";
    Report report(hostile, hostile);
    report.add_fact(hostile, hostile, hostile);
    LineFigure figure = sample::gradient_figure();
    figure.title = figure.caption = figure.frame_label = figure.reference_label = hostile;
    figure.x.label = figure.y.label = figure.y.unit = hostile;
    for (Frame& frame : figure.frames) frame.series[0].name = hostile;
    figure.series[0].like = hostile;
    report.add(figure);
    HeatMap map = sample::unit_map();
    map.title = map.caption = map.x.label = map.value.label = hostile;
    report.add(map);
    GraphFigure graph = sample::gru_network("hostile", 4);
    graph.title = graph.caption = graph.graph.lanes[0] = graph.graph.nodes[0].name = graph.graph.nodes[1].operation =
        hostile;
    report.add(graph);
    Table table = sample::result_table();
    table.title = table.columns[0].header = hostile;
    table.rows[0][0] = hostile;
    report.add(table);
    report.add_text(hostile, hostile);
    return report;
}

LineFigure awkward_figure() {
    LineFigure figure;
    figure.title = "Awkward values";
    figure.x = {.label = "distance to the last step",
                .unit = {},
                .scale = Scale::linear,
                .min = {},
                .max = {},
                .reversed = true};
    figure.y = {.label = "norm", .unit = {}, .scale = Scale::log, .min = 1e-12, .max = {}, .reversed = false};
    figure.series = {{"zeros", {0, 1, 2, 3}, {1, 0, NAN, 0.5}},
                     {"tiny", {0, 1, 2, 3}, {1e-300, 5e-324, 1e-10, INFINITY}},
                     {"bound", {0, 3}, {1, 1e-3}, LineStyle::reference}};
    return figure;
}

}  // namespace

int main(int argc, char** argv) try {
    if (argc != 2) {
        std::fprintf(stderr, "usage: sample_report FOLDER\n");
        return 2;
    }
    const std::filesystem::path folder = argv[1];
    std::filesystem::create_directories(folder);
    sample_report().save((folder / "report.html").string());
    hostile_report().save((folder / "hostile.html").string());
    const auto save = [&](const char* name, const auto& figure) {
        write_file_atomically((folder / name).string(), to_vega_lite(figure));
    };
    save("gradient.vl.json", sample::gradient_figure());
    save("loss.vl.json", sample::loss_figure());
    save("gates.vl.json", sample::gate_figure("LSTM", {"input gate", "forget gate"}));
    save("map.vl.json", sample::unit_map());
    save("triangle.vl.json", sample::triangle_map());
    save("seeds.vl.json", sample::seed_figure());
    save("awkward.vl.json", awkward_figure());
    // The tests skip what needs Vega where it is not there.
    std::printf("%s\n", Report::interactive() ? "interactive" : "static");
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
