#pragma once
/// What the program prints, and the folder that it fills.

#include <ebb/inspect/terminal.hpp>

#include <string>
#include <vector>

#include "gradient_flow/experiment.hpp"

namespace lab {

/// What will be done, in a few lines: text, cells, training.
std::string describe(const Options& options, const Corpus& corpus);

/// What came out of it: the table, the decays beside theory, the plot, the order of the cells.
std::string results_text(const Experiment& experiment, const ebb::inspect::TerminalOptions& terminal);

/// Makes the folder, so that a bad --out is refused before the work and not after it. Throws ebb::FileError.
void prepare_folder(const std::string& folder);

/// Writes report.html, figures/*.svg, data/*.csv and *.json, and options.json, each atomically; the figures and data
/// that only an earlier run in the same folder has made, as its options.json lists them, go. Gives the path of the
/// report. Throws ebb::FileError.
std::string save_results(const Experiment& experiment);

/// options.json: what is needed to repeat the run, and the figures and data that it has made.
std::string options_json(const Experiment& experiment, const std::vector<std::string>& files);

}  // namespace lab
