/// Writes the report of a large experiment into the folder that it is given: 500 time steps, three cells, 50 recorded
/// training steps, everything that a report can show of them. The numbers are made up, the graphs are of true tapes.

#include <ebb/inspect/report.hpp>

#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

#include "networks.hpp"
#include "sample.hpp"
#include <fmt/format.h>

using namespace ebb::inspect;

namespace {

constexpr std::size_t steps = 500, records = 50, units = 64;
const std::vector<std::string> cells{"tanh", "LSTM", "GRU"};

/// Numbers with as many digits as true ones: they do not compress.
double level(double decay, std::size_t back, sample::Noise& noise) {
    return std::exp(decay * static_cast<double>(back) + 0.3 * noise());
}

std::vector<double> places(std::size_t count) {
    std::vector<double> at(count);
    for (std::size_t k = 0; k < count; ++k) at[k] = static_cast<double>(k);
    return at;
}

LineFigure through_time(std::string title, const std::vector<std::string>& names, Scale scale) {
    LineFigure figure;
    figure.title = std::move(title);
    figure.x = {.label = "time step t"};
    figure.y = {.label = "value", .unit = {}, .scale = scale};
    for (std::size_t record = 0; record < records; ++record) {
        Frame frame{static_cast<std::int64_t>(20 * record), {}};
        for (std::size_t cell = 0; cell < names.size(); ++cell) {
            sample::Noise noise(record * 31 + cell);
            Series series{names[cell], places(steps), {}};
            for (std::size_t t = 0; t < steps; ++t) series.y.push_back(level(-0.05, steps - 1 - t, noise));
            frame.series.push_back(series);
        }
        figure.frames.push_back(frame);
    }
    return figure;
}

LineFigure over_training(std::string title, const std::vector<std::string>& names) {
    LineFigure figure;
    figure.title = std::move(title);
    figure.x = {.label = "training step"};
    figure.y = {.label = "value"};
    for (std::size_t k = 0; k < names.size(); ++k) {
        sample::Noise noise(k);
        Series series{names[k], places(records), {}};
        for (std::size_t record = 0; record < records; ++record) series.y.push_back(level(-0.02, record, noise));
        figure.series.push_back(series);
    }
    return figure;
}

HeatMap map(std::string title, std::size_t rows, bool triangle) {
    HeatMap figure;
    figure.title = std::move(title);
    figure.x = {.label = "time step t"};
    figure.y = {.label = triangle ? "loss k" : "unit"};
    figure.value = {.label = "norm", .unit = {}, .scale = Scale::log};
    figure.x_at = places(steps);
    figure.y_at = places(rows);
    figure.sparse = triangle;
    for (std::size_t record = 0; record < records; ++record) {
        sample::Noise noise(rows + 31 * record);
        MapFrame frame{static_cast<std::int64_t>(20 * record), {}};
        for (std::size_t row = 0; row < rows; ++row)
            for (std::size_t t = 0; t < steps; ++t)
                frame.values.push_back(triangle && t > row ? std::nan("")
                                                           : level(-0.05, triangle ? row - t : t, noise));
        figure.frames.push_back(std::move(frame));
    }
    return figure;
}

/// The graph of a true tape, whose numbers wander from record to record.
GraphFigure through_training(GraphFigure figure) {
    const GraphNumbers last = numbers_of(figure.graph);
    figure.frames.clear();
    for (std::size_t record = 0; record < records; ++record) {
        sample::Noise noise(record);
        GraphFrame frame{static_cast<std::int64_t>(20 * record), last};
        const auto wander = [&](std::vector<std::optional<double>>& norms) {
            for (std::optional<double>& norm : norms)
                if (norm) *norm *= level(0, 0, noise);
        };
        wander(frame.numbers.grad_norm);
        wander(frame.numbers.edge);
        wander(frame.numbers.step_edge);
        figure.frames.push_back(std::move(frame));
    }
    return figure;
}

Report large_report() {
    Report report("A large experiment", "500 time steps, three cells, 50 recorded training steps");
    report.add(through_time("Gradient norm through time", cells, Scale::log));
    report.add(through_time("Gradient of the carried state", {"LSTM", "GRU"}, Scale::log));
    report.add(through_time("What each step adds to the weights", cells, Scale::log));
    report.add(through_time("Gates of the LSTM", {"input", "forget", "cell", "output"}, Scale::linear), Width::half);
    report.add(through_time("Gates of the GRU", {"reset", "update", "new"}, Scale::linear), Width::half);
    report.add(over_training("Loss", cells), Width::half);
    report.add(over_training("Spectral radius", cells), Width::half);
    for (const std::string& cell : cells) {
        report.add(map("Which loss reaches which step, " + cell, steps, true), Width::half);
        report.add(map("Gradient by unit, " + cell, units, false), Width::half);
    }
    report.add(sample::surface_map(), Width::half);
    report.add(through_training(sample::lstm_network("The LSTM unrolled", steps, ebb::Granularity::fused)));
    report.add(through_training(
        sample::lstm_network("The LSTM in elementary operations", steps, ebb::Granularity::elementary)));
    report.add(through_training(sample::gru_network("The GRU unrolled", steps)));
    return report;
}

}  // namespace

int main(int argc, char** argv) try {
    if (argc != 2) {
        std::fprintf(stderr, "usage: large_report FOLDER\n");
        return 2;
    }
    const std::filesystem::path folder = argv[1];
    std::filesystem::create_directories(folder);
    const std::string path = (folder / "large.html").string();
    large_report().save(path);
    fmt::print("size: {:.2f} MB\n", static_cast<double>(std::filesystem::file_size(path)) / 1e6);
    // What the page promises, whatever the machine.
    if (std::filesystem::file_size(path) > 10'000'000) {
        std::fprintf(stderr, "the report is larger than 10 MB\n");
        return 1;
    }
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
