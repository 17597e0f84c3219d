#include "gradient_flow/experiment.hpp"

#include <ebb/core/error.hpp>

#include <algorithm>
#include <atomic>
#include <exception>
#include <limits>
#include <optional>
#include <string>
#include <thread>

#include "gradient_flow/text_task.hpp"
#include <fmt/format.h>

namespace lab {
namespace {

constexpr std::size_t never = std::numeric_limits<std::size_t>::max();

/// What all cells share while they run. Read only, save for the step of the first failure.
struct Shared {
    const Options& options;
    const RunInput& input;
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
            work.bar.update(static_cast<std::int64_t>(step.steps_done), bits(step.loss), step.gradient_norm);
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

Experiment run_experiment(const Options& options, const Corpus& corpus, const ebb::Progress& progress) {
    check(options);
    const TextTask task(corpus, options.length);
    RunInput input = run_input(options, task, most_scored_sequences);
    input.close_look = true;
    Shared shared{options, input};
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

    Experiment experiment{options, corpus, input.measured.symbols.shape(1), {}};
    for (Work& work : works) experiment.cells.push_back(std::move(*work.result));
    return experiment;
}

}  // namespace lab
