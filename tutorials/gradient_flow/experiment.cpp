#include "gradient_flow/experiment.hpp"

#include <ebb/core/error.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <limits>
#include <optional>
#include <string>
#include <thread>

#include <fmt/format.h>

namespace lab {
namespace {

constexpr std::size_t never = std::numeric_limits<std::size_t>::max();

/// What all cells share while they run. Read only, save for the step of the first failure.
struct Shared {
    const Options& options;
    const Corpus& corpus;
    std::vector<std::size_t> stops;
    Sequences measured;
    Sequences training;
    Sequences held_out;
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

template <class T>
CellResult run_cell(Cell cell, const Shared& shared, ebb::ProgressBar& bar, std::size_t& steps_done) {
    const Options& options = shared.options;
    const CharacterModel<T> model(cell, options, shared.corpus.alphabet.size());
    CharacterModel<double> measured(cell, options, shared.corpus.alphabet.size());
    CellResult result{cell, model.parameter_count(), {}, {}};
    const auto look = [&] {
        Stop stop{
            steps_done, bits_per_character(model, shared.training), bits_per_character(model, shared.held_out), {}};
        if (!std::isfinite(stop.held_out_bits))
            ebb::fail<ebb::ValueError>(
                fmt::format("after step {} the loss is {}: expected a finite number: a smaller --learning-rate or "
                            "--clip keeps the weights in bounds",
                            steps_done, std::abs(stop.held_out_bits)));
        measured.copy_weights(model);
        stop.flow = measure(measured, shared.measured);
        result.stops.push_back(std::move(stop));
    };
    look();
    std::size_t next_stop = 1;
    train_model(model, options, shared.corpus, [&](Step& step) {
        steps_done = step.steps_done;
        bar.update(static_cast<std::int64_t>(steps_done), step.bits, step.gradient_norm);
        if (next_stop < shared.stops.size() && shared.stops[next_stop] == steps_done) {
            look();
            ++next_stop;
        }
        // Another cell has failed: nobody will see the rest of this one, unless it fails no later.
        step.stop = steps_done > shared.failed_at.load(std::memory_order_relaxed);
    });
    result.trained = look_closely(measured, shared.measured);
    return result;
}

void run(Work& work, Shared& shared) {
    std::size_t steps_done = 0;
    try {
        work.result = shared.options.precision == Precision::float32
                          ? run_cell<float>(work.cell, shared, work.bar, steps_done)
                          : run_cell<double>(work.cell, shared, work.bar, steps_done);
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

std::vector<std::size_t> stops_of(std::size_t steps) {
    std::vector<std::size_t> stops;
    for (std::size_t k = 0; k < most_stops; ++k) {
        const double part = static_cast<double>(k) / static_cast<double>(most_stops - 1);
        const auto stop = static_cast<std::size_t>(std::llround(static_cast<double>(steps) * std::pow(part, 1.7)));
        if (stops.empty() || stop > stops.back()) stops.push_back(stop);
    }
    return stops;
}

Experiment run_experiment(const Options& options, const Corpus& corpus, const ebb::Progress& progress) {
    check(options);
    const std::size_t T = options.length;
    Shared shared{options,
                  corpus,
                  stops_of(options.steps),
                  spread_sequences(corpus, true, T, most_measured_sequences),
                  spread_sequences(corpus, false, T, most_scored_sequences),
                  spread_sequences(corpus, true, T, most_scored_sequences)};
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

    Experiment experiment{options, corpus, shared.measured.characters.shape(1), {}};
    for (Work& work : works) experiment.cells.push_back(std::move(*work.result));
    return experiment;
}

}  // namespace lab
