#pragma once
/// The demo: the cells side by side, each trained from the same seed on the same sequences of a text.

#include <ebb/optim/progress_bar.hpp>

#include <cstddef>
#include <vector>

#include "gradient_flow/options.hpp"
#include "gradient_flow/run.hpp"

namespace lab {

struct Experiment {
    Options options;
    Corpus corpus;
    std::size_t measured_sequences = 0;  ///< how many sequences the flow is measured on
    std::vector<CellResult> cells;       ///< in the order of the options
};

/// Bits are measured on at most so many sequences.
inline constexpr std::size_t most_scored_sequences = 32;

/// One thread for each cell, at most `options.threads` at a time, each with its own tapes and random numbers: the
/// result is the same for any number of threads. What is measured is measured in double on a copy of the weights, and
/// changes nothing in the training. Throws what `check`, `check_length` and `train_model` throw, the last with the name
/// of the cell: of several failures the one at the earliest step.
Experiment run_experiment(const Options& options, const Corpus& corpus, const ebb::Progress& progress);

}  // namespace lab
