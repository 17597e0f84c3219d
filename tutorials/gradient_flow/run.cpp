#include "gradient_flow/run.hpp"

#include <ebb/core/error.hpp>

#include <cmath>
#include <optional>

#include <fmt/format.h>

namespace lab {
namespace {

template <class T>
CellResult run_in(Cell cell, const Options& options, const RunInput& input, std::size_t& steps_done,
                  const std::function<void(Step&)>& after_step) {
    const SequenceModel<T> model(cell, options, input.task.ports());
    SequenceModel<double> measured(cell, options, input.task.ports());
    CellResult result{cell, model.parameter_count(), {}};
    std::optional<CloseLooks> close;
    if (input.close_look) close.emplace(measured, input.measured, input.stops);
    const auto look = [&] {
        Stop stop{steps_done, score(model, input.training).loss, score(model, input.test, input.task.answers()), {}};
        if (!std::isfinite(stop.test.loss))
            ebb::fail<ebb::ValueError>(
                fmt::format("after step {} the loss is {}: expected a finite number: a smaller --learning-rate or "
                            "--clip keeps the weights in bounds",
                            steps_done, std::abs(stop.test.loss)));
        measured.copy_weights(model);
        stop.flow = measure(measured, input.measured);
        result.stops.push_back(std::move(stop));
        if (close) close->look(steps_done);
    };
    look();
    std::size_t next_stop = 1;
    train_model(model, options, input.task, [&](Step& step) {
        steps_done = step.steps_done;
        if (next_stop < input.stops.size() && input.stops[next_stop] == steps_done) {
            look();
            ++next_stop;
        }
        if (after_step) after_step(step);
    });
    if (close) result.close = close->history(), result.findings = close->findings();
    return result;
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

RunInput run_input(const Options& options, const Task& task, std::size_t most_scored_sequences) {
    return {task, stops_of(options.steps), task.test_sample(most_measured_sequences),
            task.training_sample(most_scored_sequences), task.test_sample(most_scored_sequences)};
}

CellResult run_cell(Cell cell, const Options& options, const RunInput& input, std::size_t& steps_done,
                    const std::function<void(Step&)>& after_step) {
    return options.precision == Precision::float32 ? run_in<float>(cell, options, input, steps_done, after_step)
                                                   : run_in<double>(cell, options, input, steps_done, after_step);
}

}  // namespace lab
