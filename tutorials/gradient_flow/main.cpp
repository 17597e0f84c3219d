// The demo of Ebb, and its lab: where does the gradient of a recurrent network go?
//
// The demo trains a tanh RNN, an LSTM and a GRU to predict the next character of a text, and looks at ||dL/dh_t|| on
// the way: docs/gradient-flow.md says what is measured and how to read it. The lab does the same for other tasks, over
// many settings and seeds: docs/lab.md.

#include <ebb/core/error.hpp>
#include <ebb/inspect/report.hpp>

#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <iostream>
#include <new>
#include <string>
#include <vector>

#include "gradient_flow/comparison.hpp"
#include "gradient_flow/experiment.hpp"
#include "gradient_flow/output.hpp"
#include "gradient_flow/report_folder.hpp"
#include "gradient_flow/request.hpp"
#include "gradient_flow/run_report.hpp"
#include "gradient_flow/sweep.hpp"
#include "support/corpus.hpp"
#include <fmt/format.h>

namespace {

void run_demo(const lab::Options& options) {
    const tutorial::Corpus corpus =
        options.text.empty() ? tutorial::default_corpus() : tutorial::read_corpus(options.text, "gradient_flow");
    tutorial::check_length(corpus, options.length);
    lab::prepare_folder(options.out);

    fmt::print("{}\n", lab::describe(options, corpus));
    std::fflush(stdout);
    const auto start = std::chrono::steady_clock::now();
    const lab::Experiment experiment = lab::run_experiment(options, corpus, ebb::Progress());
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    fmt::print("Trained and measured in {:.1f} s.\n\n", seconds.count());

    fmt::print("{}\n", lab::results_text(experiment, ebb::inspect::terminal_options()));
    lab::print_report(lab::save_results(experiment), "Figures (SVG), numbers (CSV, JSON) and the options of this run",
                      options.out);
}

void run_sweep(const lab::Request& request) {
    const lab::Sweep sweep = request.resume.empty() ? lab::plan(request) : lab::resumed(request);
    fmt::print("{}\n", lab::describe(sweep));
    std::fflush(stdout);
    const lab::FolderLock lock = lab::run_sweep(sweep, ebb::Progress());
    const std::vector<lab::RunRecord> runs = lab::read_runs(sweep);
    fmt::print("{}\n", lab::results_text(runs));
    for (std::size_t k = 0; k < runs.size(); ++k)
        if (runs[k].failure.empty()) {
            fmt::print("One of them in full: {}\n",
                       lab::command_line({"--report", lab::folder_of(sweep, sweep.runs[k])}));
            break;
        }
    lab::print_report(lab::save_results(sweep, runs), "The table of runs, their flows, figures and what repeats them",
                      sweep.folder);
}

void compare(const lab::Request& request) {
    const std::vector<lab::RunRecord> runs = lab::read_runs(request.compare);
    fmt::print("{}\n", lab::results_text(runs));
    lab::print_report(lab::save_comparison(request.options.out, request.compare, runs),
                      "Figures (SVG) and their numbers (CSV, JSON)", request.options.out);
}

void report(const lab::Request& request) {
    const lab::RunReport result = lab::report_run(request.report, request.options.out, ebb::Progress());
    fmt::print("{}\n", lab::results_text({result.run}));
    if (!result.same())
        fmt::print(
            "Done again, it ends with a loss of {:.4g}: another machine, version or input than the first time.\n\n",
            result.test_loss);
    lab::print_report(result.path, "Figures (SVG) and their numbers (CSV, JSON)", request.options.out);
}

/// What was printed may not have arrived: a full disk says so only now.
int finish() {
    std::cout.flush();
    if (std::fflush(stdout) == 0 && !std::ferror(stdout) && std::cout) return 0;
    std::fprintf(stderr, "gradient_flow: standard output cannot be written: expected a file or terminal with room\n");
    return 2;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const auto request = lab::parse_request(std::vector<std::string>(argv + 1, argv + argc), std::cout);
        if (!request) return finish();
        switch (request->job) {
            case lab::Request::Job::demo:
                run_demo(request->options);
                break;
            case lab::Request::Job::sweep:
                run_sweep(*request);
                break;
            case lab::Request::Job::compare:
                compare(*request);
                break;
            case lab::Request::Job::report:
                report(*request);
                break;
        }
        return finish();
    } catch (const std::bad_alloc&) {
        std::fprintf(stderr,
                     "gradient_flow: memory ran out: expected a smaller --hidden, --batch, --length or --threads\n");
        return 2;
    } catch (const std::exception& error) {
        // One line, also where an error says which module was running.
        std::string message = error.what();
        for (std::size_t at = message.find("\n  "); at != std::string::npos; at = message.find("\n  ", at))
            message.replace(at, 3, ", ");
        std::fprintf(stderr, "%s\n", message.c_str());
        return 2;
    }
}
