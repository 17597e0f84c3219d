#pragma once
/// One run of a sweep in full. A run keeps what curves over many runs need; the unrolled graph, the triangle and the
/// maps of units are as large as all of that together. So they are made for the runs that somebody wants to see.

#include <ebb/optim/progress_bar.hpp>

#include <cstddef>
#include <string>

#include "gradient_flow/run_files.hpp"

namespace lab {

struct RunReport {
    std::string path;
    RunRecord run;         ///< as its folder tells it
    double test_loss = 0;  ///< at the end, this time

    /// Whether it ended as it did when it was swept.
    bool same() const { return run.test_loss.back() == test_loss; }
};

/// Does the run in `folder` once more, with a close look at each stop, and writes into `out` the report that the demo
/// writes of its cells, with a record called report.json. The run's own files stay as they are. Throws ebb::ValueError
/// where `folder` is not that of a run that has ended, and what `read_run`, `read_sources`, `run_experiment` and
/// `save_report` throw.
RunReport report_run(const std::string& folder, const std::string& out, const ebb::Progress& progress);

}  // namespace lab
