#include "gradient_flow/run_report.hpp"

#include <ebb/core/error.hpp>

#include <memory>

#include "gradient_flow/experiment.hpp"
#include "gradient_flow/figures.hpp"
#include "gradient_flow/report_folder.hpp"
#include "gradient_flow/sweep.hpp"
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace lab {

RunReport report_run(const std::string& folder, const std::string& out, const ebb::Progress& progress) {
    if (!is_done(folder))
        ebb::fail<ebb::ValueError>(
            fmt::format("gradient_flow: --report {}: expected the folder of a run, with its run.json", folder));
    RunReport result{.path = {}, .run = read_run(folder)};
    const Options& options = result.run.options;
    if (!result.run.failure.empty())
        ebb::fail<ebb::ValueError>(
            fmt::format("gradient_flow: --report {}: the run broke down: {}: expected a run that has ended", folder,
                        result.run.failure));
    const Sources sources = read_sources(options, {options.task});
    prepare_folder(out);
    Experiment experiment = run_experiment(options, *make_task(options, sources), most_scored_in_sweeps, progress);
    experiment.corpus = sources.text;
    experiment.command = command_line({"--report", folder});
    result.test_loss = experiment.cells.front().stops.back().test.loss;
    result.path = save_report(make_report(experiment), out, "report.json",
                              {{"program", "gradient_flow"},
                               {"version", EBB_VERSION},
                               {"command", experiment.command},
                               {"run", command_line(options)}});
    return result;
}

}  // namespace lab
