#pragma once
/// What the demo prints, and the folder that it fills: of experiments on a text.

#include <ebb/inspect/terminal.hpp>

#include <string>

#include "gradient_flow/experiment.hpp"

namespace lab {

/// What will be done, in a few lines: text, cells, training.
std::string describe(const Options& options, const Corpus& corpus);

/// What came out of it: the table, the decays beside theory, the plot, the order of the cells.
std::string results_text(const Experiment& experiment, const ebb::inspect::TerminalOptions& terminal);

/// Writes the report, and options.json with what is needed to repeat the run. Gives the path of the report. Throws
/// ebb::FileError.
std::string save_results(const Experiment& experiment);

}  // namespace lab
