// The demo of Ebb: where does the gradient of a recurrent network go?
//
// It trains a tanh RNN, an LSTM and a GRU to predict the next character of a text, and looks at ||dL/dh_t|| on the way.
// docs/gradient-flow.md says what is measured and how to read it.

#include <ebb/core/error.hpp>
#include <ebb/inspect/report.hpp>

#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "gradient_flow/experiment.hpp"
#include "gradient_flow/options.hpp"
#include "gradient_flow/output.hpp"
#include "support/corpus.hpp"
#include <fmt/format.h>

int main(int argc, char** argv) {
    try {
        const auto options = lab::parse_options(std::vector<std::string>(argv + 1, argv + argc), std::cout);
        if (!options) return 0;
        const tutorial::Corpus corpus =
            options->text.empty() ? tutorial::default_corpus() : tutorial::read_corpus(options->text);
        tutorial::check_length(corpus, options->length);
        lab::prepare_folder(options->out);

        fmt::print("{}\n", lab::describe(*options, corpus));
        std::fflush(stdout);
        const auto start = std::chrono::steady_clock::now();
        const lab::Experiment experiment = lab::run_experiment(*options, corpus, ebb::Progress());
        const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
        fmt::print("Trained and measured in {:.1f} s.\n\n", seconds.count());

        fmt::print("{}\n", lab::results_text(experiment, ebb::inspect::terminal_options()));
        const std::string report = lab::save_results(experiment);
        if (!ebb::inspect::Report::interactive())
            fmt::print("The report has still pictures only: {}\n", ebb::inspect::Report::why_static());
        fmt::print("Figures (SVG), numbers (CSV, JSON) and the options of this run are in {}\n", options->out);
        fmt::print("Report: {}\n", std::filesystem::absolute(report).lexically_normal().string());
        return 0;
    } catch (const std::exception& error) {
        // One line, also where an error says which module was running.
        std::string message = error.what();
        for (std::size_t at = message.find("\n  "); at != std::string::npos; at = message.find("\n  ", at))
            message.replace(at, 3, ", ");
        std::fprintf(stderr, "%s\n", message.c_str());
        return 2;
    }
}
