#pragma once
/// The cells side by side: each trained from the same seed on the same sequences, and looked at on the way.

#include <ebb/optim/progress_bar.hpp>

#include <cstddef>
#include <vector>

#include "gradient_flow/close_look.hpp"
#include "gradient_flow/measurement.hpp"
#include "gradient_flow/options.hpp"

namespace lab {

/// A look at a cell after so many training steps.
struct Stop {
    std::size_t step;
    double training_bits;  ///< bits per character on fixed sequences of the training text
    double held_out_bits;  ///< the same on the held-out text
    Measurement flow;      ///< on fixed sequences of the held-out text
};

struct CellResult {
    Cell cell;
    std::size_t parameter_count;
    std::vector<Stop> stops;  ///< by rising step: the first before training, the last after it
    CloseLook trained;        ///< at the last stop
};

struct Experiment {
    Options options;
    Corpus corpus;
    std::size_t measured_sequences = 0;  ///< how many sequences the flow is measured on
    std::vector<CellResult> cells;       ///< in the order of the options
};

/// The most looks that are taken at a cell; the flow is measured on at most so many sequences, bits on so many.
inline constexpr std::size_t most_stops = 21;
inline constexpr std::size_t most_measured_sequences = 16;
inline constexpr std::size_t most_scored_sequences = 32;

/// Steps 0, ..., `steps` at which cells are looked at: closer in the beginning, where more changes.
std::vector<std::size_t> stops_of(std::size_t steps);

/// One thread for each cell, at most `options.threads` at a time, each with its own tapes and random numbers: the
/// result is the same for any number of threads. What is measured is measured in double on a copy of the weights, and
/// changes nothing in the training. Throws what `check`, `check_length` and `train_model` throw, the last with the name
/// of the cell: of several failures the one at the earliest step.
Experiment run_experiment(const Options& options, const Corpus& corpus, const ebb::Progress& progress);

}  // namespace lab
