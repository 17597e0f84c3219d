#pragma once
/// The folder of one run:
///
///     run.json      command, options, version, task and baseline, the last results; written last
///     history.csv   a row for each look at the training
///     flow.npz      what was seen at each look, for NumPy; flow.json holds the same

#include <cstddef>
#include <string>
#include <vector>

#include "gradient_flow/run.hpp"

namespace lab {

/// One run as its folder tells it. Lists over stops have S entries.
struct RunRecord {
    std::string name;  ///< of its folder
    Options options;   ///< with one cell
    Baseline baseline{};
    std::string definition;  ///< of its task
    std::size_t parameter_count = 0;
    std::string failure;             ///< why it broke down; then it has no stops
    std::vector<std::size_t> steps;  ///< done at each stop
    std::vector<double> training_loss, test_loss, accuracy;
    std::vector<double> spectral_radius, largest_singular_value;  ///< of a tanh cell
    std::vector<std::vector<double>> hidden;                      ///< [S, T]: ||dL/dh|| over the distance
    std::vector<std::vector<double>> contributions;               ///< [S, T]: to the gradient of W_hh, likewise

    Cell cell() const { return options.cells.front(); }
};

/// True where the run in this folder is done.
bool is_done(const std::string& folder);

/// Fills the folder, which is made; what an unfinished run has left in it goes first. Throws ebb::FileError.
void save_run(const std::string& folder, const Options& options, const Task& task, const CellResult& result);
/// The same of a run that broke down.
void save_failure(const std::string& folder, const Options& options, const Task& task, const std::string& failure);

/// Throws ebb::FileError where there is no run, and ebb::ValueError, naming the file, where it is damaged.
RunRecord read_run(const std::string& folder);

/// The runs in these folders, each of a run or of a sweep. Throws also ebb::ValueError for a folder that is neither.
std::vector<RunRecord> read_runs(const std::vector<std::string>& folders);

}  // namespace lab
