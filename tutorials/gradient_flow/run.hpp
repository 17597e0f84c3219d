#pragma once
/// One run: one cell, trained from one seed on one task, and looked at on the way.

#include <cstddef>
#include <functional>
#include <vector>

#include "gradient_flow/close_look.hpp"
#include "gradient_flow/measurement.hpp"
#include "gradient_flow/options.hpp"
#include "gradient_flow/task.hpp"

namespace lab {

/// A look at a model after so many training steps.
struct Stop {
    std::size_t step;
    double training_loss;  ///< on fixed sequences of what is trained on
    Score test;            ///< on fixed sequences of what is not
    Measurement flow;      ///< on the first of these
};

struct CellResult {
    Cell cell;
    std::size_t parameter_count;
    std::vector<Stop> stops;            ///< by rising step: the first before training, the last after it
    ebb::inspect::FlowHistory close{};  ///< from near, at each stop; without records where it was not asked for
    std::vector<ebb::inspect::Finding> findings{};  ///< of the last of them
};

/// The most looks that are taken at a model; the flow is measured on at most so many sequences, losses on so many.
inline constexpr std::size_t most_stops = 21;
inline constexpr std::size_t most_measured_sequences = 16;

/// Steps 0, ..., `steps` at which models are looked at: closer in the beginning, where more changes.
std::vector<std::size_t> stops_of(std::size_t steps);

/// What a run needs besides its options; shared by runs on the same task, which only read it.
struct RunInput {
    const Task& task;
    std::vector<std::size_t> stops;
    Batch measured;
    Batch training;
    Batch test;
    bool close_look = false;
};
RunInput run_input(const Options& options, const Task& task, std::size_t most_scored_sequences);

/// Trains a model of `cell` and looks at it at each stop. What is measured is measured in double on a copy of the
/// weights, and changes nothing in the training. `steps_done` says where it is, also after an error; `after_step` may
/// end it. Throws what `train_model` throws, and ebb::ValueError where the loss at a stop is not finite.
CellResult run_cell(Cell cell, const Options& options, const RunInput& input, std::size_t& steps_done,
                    const std::function<void(Step&)>& after_step = {});

}  // namespace lab
