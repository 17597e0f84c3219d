#include "gradient_flow/experiment.hpp"

#include <ebb/core/error.hpp>

#include <algorithm>
#include <atomic>
#include <exception>
#include <limits>
#include <numbers>
#include <optional>
#include <string>
#include <thread>

#include "gradient_flow/text_task.hpp"
#include <fmt/format.h>

namespace lab {
namespace {

constexpr std::size_t never = std::numeric_limits<std::size_t>::max();

const char* purpose_of(TaskName task) {
    switch (task) {
        case TaskName::text:
            return "predict the next character of a text";
        case TaskName::adding:
            return "add two marked numbers";
        case TaskName::copying:
            return "copy symbols over a gap";
        case TaskName::order:
            return "tell in which order two symbols came";
        case TaskName::echo:
            return "echo bits after a delay";
        case TaskName::series:
            return "predict the next row of a series";
    }
    return "";
}

/// What all cells share while they run. Read only, save for the step of the first failure.
struct Shared {
    const Options& options;
    const RunInput& input;
    const Subject& subject;
    std::atomic<std::size_t> failed_at{never};
};

/// One cell's work, and what became of it.
struct Work {
    Cell cell;
    ebb::ProgressBar bar;
    std::optional<CellResult> result;
    std::exception_ptr error;
    std::size_t failed_at = never;
};

void run(Work& work, Shared& shared) {
    std::size_t steps_done = 0;
    try {
        work.result = run_cell(work.cell, shared.options, shared.input, steps_done, [&](Step& step) {
            work.bar.update(static_cast<std::int64_t>(step.steps_done), shared.subject.in_units(step.loss),
                            step.gradient_norm);
            // Another cell has failed: nobody will see the rest of this one, unless it fails no later.
            step.stop = step.steps_done > shared.failed_at.load(std::memory_order_relaxed);
        });
    } catch (const ebb::ValueError& error) {
        const std::string message = fmt::format("gradient_flow: {}: {}", title_of(work.cell), error.what());
        work.error = std::make_exception_ptr(ebb::ValueError(message));
    } catch (...) {
        work.error = std::current_exception();
    }
    if (work.error) {
        work.failed_at = steps_done;
        std::size_t first = shared.failed_at.load();
        while (steps_done < first && !shared.failed_at.compare_exchange_weak(first, steps_done)) {
        }
    }
    work.bar.finish();
}

}  // namespace

Subject subject_of(const Options& options, const Task& task) {
    const bool is_text = options.task == TaskName::text, classes = task.ports().classes;
    const double unit = is_text ? std::numbers::ln2 : 1;
    Baseline baseline = task.baseline();
    baseline.loss /= unit;
    return {.purpose = purpose_of(options.task),
            .definition = task.definition(),
            .steps = task.steps(),
            .step = is_text ? "character" : "step",
            .loss = classes ? "cross entropy" : "mean squared error",
            .loss_unit = is_text   ? "bits per character"
                         : classes ? "nats"
                                   : "",
            .unit = unit,
            .baseline = std::move(baseline)};
}

Experiment run_experiment(const Options& options, const Corpus& corpus, const ebb::Progress& progress) {
    check(options);
    Experiment experiment = run_experiment(options, TextTask(corpus, options.length), most_scored_sequences, progress);
    experiment.corpus = corpus;
    return experiment;
}

Experiment run_experiment(const Options& options, const Task& task, std::size_t most_scored,
                          const ebb::Progress& progress) {
    check(options);
    RunInput input = run_input(options, task, most_scored);
    input.close_look = true;
    const Subject subject = subject_of(options, task);
    Shared shared{options, input, subject};
    std::vector<Work> works;
    for (const Cell cell : options.cells)
        works.push_back(
            {cell, progress.add(title_of(cell), static_cast<std::int64_t>(options.steps)), {}, nullptr, never});

    // The cell with most gates first: then two threads are done at about the same time.
    std::vector<Work*> queue;
    for (Work& work : works) queue.push_back(&work);
    const auto gates = [](const Work* work) { return work->cell == Cell::lstm ? 4 : work->cell == Cell::gru ? 3 : 1; };
    std::stable_sort(queue.begin(), queue.end(), [&](Work* a, Work* b) { return gates(a) > gates(b); });
    std::atomic<std::size_t> next{0};
    const auto work_on = [&] {
        for (std::size_t k = next++; k < queue.size(); k = next++) run(*queue[k], shared);
    };
    const std::size_t cores = std::max(std::thread::hardware_concurrency(), 1u);
    const std::size_t threads = std::min(options.threads > 0 ? options.threads : cores, queue.size());
    {
        std::vector<std::jthread> workers;
        for (std::size_t k = 0; k < threads; ++k) workers.emplace_back(work_on);
    }

    const Work* first_failure = nullptr;
    for (const Work& work : works)
        if (work.error && (!first_failure || work.failed_at < first_failure->failed_at)) first_failure = &work;
    if (first_failure) std::rethrow_exception(first_failure->error);

    const std::size_t measured =
        task.ports().symbols > 0 ? input.measured.symbols.shape(1) : input.measured.numbers.shape(1);
    Experiment experiment{options, subject, std::nullopt, measured, {}, command_line(options)};
    for (Work& work : works) experiment.cells.push_back(std::move(*work.result));
    return experiment;
}

}  // namespace lab
