#pragma once
/// Many runs: every combination of the values that options were given, over the cores, into one folder.
///
///     FOLDER/sweep.json            what is to be done, and the command of each run
///     FOLDER/runs/NAME/...         what came out of each run: run_files.hpp
///     FOLDER/results.csv           a row for each run
///     FOLDER/report.html           and figures/*.svg, data/*.csv, data/*.json
///
/// A run's folder has its run.json last, and each file appears whole or not at all. So whoever goes on with a sweep
/// that was stopped, however that was, does the runs without one and writes the rest anew: the files are the same to
/// the byte as those of a sweep that nobody stopped. None of them holds a time of day.

#include <ebb/optim/progress_bar.hpp>

#include <cstddef>
#include <string>
#include <vector>

#include "gradient_flow/folder_lock.hpp"
#include "gradient_flow/request.hpp"
#include "gradient_flow/run_files.hpp"
#include "gradient_flow/task.hpp"

namespace lab {

struct PlannedRun {
    std::string name;  ///< "lstm_gain=0.5_seed=3": the cell, then what else differs between the runs
    Options options;   ///< with this one cell
};

struct Sweep {
    std::string folder;
    Options options;  ///< of the first run, with all cells
    std::vector<Axis> axes;
    std::vector<PlannedRun> runs;  ///< the last axis goes through its values first
    Sources sources;
};

inline constexpr std::size_t most_runs = 100'000;
/// Losses are measured on at most so many sequences.
inline constexpr std::size_t most_scored_in_sweeps = 128;

/// The runs that a request asks for; reads the files that the tasks need. Throws ebb::ValueError, naming the option,
/// where a run's options do not go together, a sequence is too short for its task, or there are more than most_runs.
Sweep plan(const Request& request);

/// The sweep in the folder of `request.resume`, as its sweep.json says. Throws ebb::FileError where there is none, and
/// ebb::ValueError where it is damaged.
Sweep resumed(const Request& request);

/// Where a run's results go.
std::string folder_of(const Sweep& sweep, const PlannedRun& run);

/// What will be done, in a few lines: tasks, their baselines, axes.
std::string describe(const Sweep& sweep);

/// Does the runs that are not there yet, `options.threads` at a time, each on one thread with a tape of its own. A run
/// that breaks down is a result too: it is recorded as such, and the others go on. Throws ebb::ValueError where the
/// folder holds another sweep, or other files, and ebb::FileError where it cannot write, or another process is at work
/// there. Gives the folder's lock, to be kept until the results are saved.
FolderLock run_sweep(const Sweep& sweep, const ebb::Progress& progress);

/// What the runs of a sweep have left, in its order.
std::vector<RunRecord> read_runs(const Sweep& sweep);

/// Writes results.csv and the report. Gives the path of the report.
std::string save_results(const Sweep& sweep, const std::vector<RunRecord>& runs);

}  // namespace lab
