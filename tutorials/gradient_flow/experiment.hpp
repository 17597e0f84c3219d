#pragma once
/// Cells side by side, each trained from the same seed on the same sequences and looked at from near: the demo, and one
/// run of a sweep in full.

#include <ebb/optim/progress_bar.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "gradient_flow/options.hpp"
#include "gradient_flow/run.hpp"

namespace lab {

/// What was learned, in the words and units that figures tell it in.
struct Subject {
    std::string purpose;     ///< "predict the next character of a text"
    std::string definition;  ///< of the task
    std::size_t steps;       ///< T
    const char* step;        ///< what is read at a step: "character"
    std::string loss;        ///< "cross entropy", "mean squared error"
    std::string loss_unit;   ///< "bits per character"; empty where it has none
    double unit;             ///< a loss of the task over this is in that unit
    Baseline baseline;       ///< in that unit

    double in_units(double loss_of_task) const { return loss_of_task / unit; }
};
Subject subject_of(const Options& options, const Task& task);

struct Experiment {
    Options options;
    Subject subject;
    std::optional<Corpus> corpus;        ///< where a text was learned
    std::size_t measured_sequences = 0;  ///< how many sequences the flow is measured on
    std::vector<CellResult> cells;       ///< in the order of the options
    std::string command;                 ///< that does it again
};

/// The losses of the demo are measured on at most so many sequences.
inline constexpr std::size_t most_scored_sequences = 32;

/// One thread for each cell, at most `options.threads` at a time, each with its own tapes and random numbers: the
/// result is the same for any number of threads. What is measured is measured in double on a copy of the weights, and
/// changes nothing in the training. Throws what `check` and `train_model` throw, the latter with the name of the cell:
/// of several failures the one at the earliest step.
Experiment run_experiment(const Options& options, const Task& task, std::size_t most_scored,
                          const ebb::Progress& progress);
/// The same on a text. Throws also what `check_length` throws.
Experiment run_experiment(const Options& options, const Corpus& corpus, const ebb::Progress& progress);

}  // namespace lab
