#pragma once
/// What the program prints, and the folder that it fills.

#include <ebb/inspect/terminal.hpp>

#include <string>

#include "gradient_flow/experiment.hpp"

namespace lab {

/// What will be done, in a few lines: text, cells, training.
std::string describe(const Options& options, const Corpus& corpus);

/// What came out of it: the table, the decays beside theory, the plot, the order of the cells.
std::string results_text(const Experiment& experiment, const ebb::inspect::TerminalOptions& terminal);

/// Makes the folder, so that a bad --out is refused before the work and not after it. Throws ebb::FileError.
void prepare_folder(const std::string& folder);

/// Writes report.html, figures/*.svg, data/*.csv and *.json, and options.json, each atomically; the figures and data of
/// an earlier run of this program in the same folder go. Gives the path of the report. Throws ebb::FileError.
std::string save_results(const Experiment& experiment);

/// options.json: what is needed to repeat the run.
std::string options_json(const Experiment& experiment);

}  // namespace lab
