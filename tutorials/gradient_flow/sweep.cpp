#include "gradient_flow/sweep.hpp"

#include <ebb/core/error.hpp>
#include <ebb/core/file.hpp>
#include <ebb/inspect/data_file.hpp>

#include <algorithm>
#include <atomic>
#include <exception>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <sstream>
#include <system_error>
#include <thread>

#include "gradient_flow/comparison.hpp"
#include "gradient_flow/options_json.hpp"
#include "gradient_flow/report_folder.hpp"
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace lab {
namespace {

namespace fs = std::filesystem;
using json = nlohmann::ordered_json;

std::string run_name(const std::vector<Axis>& axes, const std::vector<std::size_t>& at) {
    std::string name = axes[0].values[at[0]];  // the cell
    for (std::size_t k = 1; k < axes.size(); ++k) name += fmt::format("_{}={}", axes[k].option, axes[k].values[at[k]]);
    return name;
}

std::vector<TaskName> tasks_of(const Sweep& sweep) {
    std::vector<TaskName> tasks{sweep.options.task};
    for (const PlannedRun& run : sweep.runs)
        if (std::find(tasks.begin(), tasks.end(), run.options.task) == tasks.end()) tasks.push_back(run.options.task);
    return tasks;
}

/// What sweep.json holds: by it a folder is known again.
std::string sweep_json(const Sweep& sweep) {
    const std::vector<std::string> arguments = arguments_of(sweep.options, sweep.axes);
    json content{{"program", "gradient_flow"},
                 {"version", EBB_VERSION},
                 {"command", command_line(arguments)},
                 {"arguments", arguments},
                 {"text", sweep.sources.text ? as_json(*sweep.sources.text) : json(nullptr)},
                 {"series", sweep.sources.series ? as_json(*sweep.sources.series) : json(nullptr)},
                 {"runs", json::array()}};
    for (const PlannedRun& run : sweep.runs)
        content["runs"].push_back({{"name", run.name}, {"command", command_line(arguments_of(run.options, {}))}});
    return content.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

/// What a process that was killed while it wrote a file has left of it.
bool is_remainder(const fs::path& path) {
    const std::string name = path.filename().string();
    return name.starts_with(".") && name.ends_with(".tmp");
}

void remove_remainders(const fs::path& folder) {
    std::error_code ignored;
    for (const char* part : {"", "figures", "data"}) {
        std::vector<fs::path> found;
        for (const auto& entry : fs::directory_iterator(folder / part, ignored))
            if (is_remainder(entry.path())) found.push_back(entry.path());
        for (const fs::path& path : found) fs::remove(path, ignored);
    }
}

[[noreturn]] void refuse_folder(const std::string& folder, std::string_view what, std::string_view expected) {
    ebb::fail<ebb::ValueError>(fmt::format("gradient_flow: --out {} {}: expected {}", folder, what, expected));
}

/// Makes the folder this sweep's, or sees that it is already.
void claim_folder(const Sweep& sweep) {
    const fs::path folder = sweep.folder, file = folder / "sweep.json";
    const std::string expected = sweep_json(sweep);
    std::error_code error;
    if (fs::exists(file, error)) {
        const std::string there = ebb::read_file(file.string());
        if (there == expected) return;
        const json other = json::parse(there, nullptr, false);
        const auto text_of = [&](const char* key) {
            const bool has = other.is_object() && other.contains(key) && other[key].is_string();
            return has ? other[key].get<std::string>() : std::string("unknown");
        };
        if (text_of("command") != json::parse(expected)["command"])
            refuse_folder(sweep.folder, fmt::format("holds another sweep, {}", text_of("command")),
                          "a folder of its own");
        if (text_of("version") != EBB_VERSION)
            refuse_folder(sweep.folder, fmt::format("holds a sweep of version {}", text_of("version")),
                          fmt::format("one of this version, {}, or a folder of its own", EBB_VERSION));
        refuse_folder(sweep.folder, "holds the same sweep over another text or series",
                      "the file as it was, or a folder of its own");
    }
    for (const auto& entry : fs::directory_iterator(folder, error))
        if (!is_remainder(entry.path()))
            refuse_folder(sweep.folder, fmt::format("holds {}, and no sweep.json", entry.path().filename().string()),
                          "an empty folder, or one of a sweep");
    // Nothing else before sweep.json: a folder with anything in it and without that file is nobody's sweep.
    ebb::write_file_atomically(file.string(), expected);
}

/// The steps of all runs together, as one bar.
class Whole {
  public:
    Whole(const ebb::Progress& progress, const std::string& name, std::size_t steps)
        : bar_(progress.add(name, static_cast<std::int64_t>(steps))) {}
    void add(std::size_t steps, double loss, double gradient_norm) {
        const std::lock_guard lock(mutex_);
        done_ += steps;
        bar_.update(static_cast<std::int64_t>(done_), loss, gradient_norm);
    }
    void finish() { bar_.finish(); }

  private:
    std::mutex mutex_;
    ebb::ProgressBar bar_;
    std::size_t done_ = 0;
};

/// A run's share of the whole: its training steps, and one for all that is no training.
std::size_t share(const PlannedRun& run) {
    return run.options.steps + 1;
}

void do_run(const Sweep& sweep, const PlannedRun& run, Whole& whole, const std::atomic<bool>& stop) {
    const std::unique_ptr<Task> task = make_task(run.options, sweep.sources);
    const RunInput input = run_input(run.options, *task, most_scored_in_sweeps);
    const std::string folder = folder_of(sweep, run);
    std::size_t steps_done = 0;
    double loss = 0, norm = 0;
    std::optional<CellResult> result;
    std::string failure;
    try {
        result = run_cell(run.options.cells.front(), run.options, input, steps_done, [&](Step& step) {
            loss = step.loss;
            norm = step.gradient_norm;
            whole.add(1, loss, norm);
            step.stop = stop.load(std::memory_order_relaxed);
        });
    } catch (const ebb::ValueError& error) {
        failure = error.what();
    }
    if (stop) return;
    if (result)
        save_run(folder, run.options, *task, *result);
    else
        save_failure(folder, run.options, *task, failure);
    whole.add(share(run) - steps_done, loss, norm);
}

}  // namespace

Sweep plan(const Request& request) {
    Sweep sweep{request.options.out, request.options, request.axes, {}, {}};
    std::size_t count = 1;
    for (const Axis& axis : sweep.axes) {
        count *= axis.values.size();
        if (count > most_runs)
            ebb::fail<ebb::ValueError>(
                fmt::format("gradient_flow: there are more than {} combinations of values: expected fewer", most_runs));
    }
    std::vector<std::size_t> at(sweep.axes.size(), 0);
    for (std::size_t n = 0; n < count; ++n) {
        PlannedRun run{run_name(sweep.axes, at), sweep.options};
        for (std::size_t k = 0; k < at.size(); ++k)
            field(sweep.axes[k].option).set(run.options, sweep.axes[k].values[at[k]]);
        check(run.options);
        sweep.runs.push_back(std::move(run));
        for (std::size_t k = at.size(); k-- > 0 && ++at[k] == sweep.axes[k].values.size();) at[k] = 0;
    }
    sweep.sources = read_sources(sweep.options, tasks_of(sweep));
    for (const PlannedRun& run : sweep.runs) make_task(run.options, sweep.sources);  // refuses what does not fit
    return sweep;
}

Sweep resumed(const Request& request) {
    const std::string file = (fs::path(request.resume) / "sweep.json").string();
    std::string there;
    try {
        there = ebb::read_file(file);
    } catch (const ebb::FileError& error) {
        ebb::fail<ebb::FileError>(fmt::format("gradient_flow: --resume {}: {}: expected the folder of a sweep",
                                              request.resume, error.what()));
    }
    const json content = json::parse(there, nullptr, false);
    if (!content.is_object() || !content.contains("arguments") || !content["arguments"].is_array())
        ebb::fail<ebb::ValueError>(fmt::format("gradient_flow: {} is damaged: expected what a sweep writes", file));
    std::vector<std::string> arguments;
    for (const json& argument : content["arguments"])
        if (argument.is_string()) arguments.push_back(argument.get<std::string>());
    std::ostringstream help;
    std::optional<Request> first = parse_request(arguments, help);
    if (!first || first->job != Request::Job::sweep || !first->resume.empty())
        ebb::fail<ebb::ValueError>(fmt::format("gradient_flow: {} is damaged: expected what a sweep writes", file));
    first->options.out = request.resume;
    first->options.threads = request.options.threads;
    return plan(*first);
}

std::string folder_of(const Sweep& sweep, const PlannedRun& run) {
    return (fs::path(sweep.folder) / "runs" / run.name).string();
}

std::string describe(const Sweep& sweep) {
    std::string text;
    std::set<std::string> told;
    for (const PlannedRun& run : sweep.runs) {
        if (!told.insert(name_of(run.options.task)).second) continue;
        const std::unique_ptr<Task> task = make_task(run.options, sweep.sources);
        text += fmt::format("Task      {}\n          baseline {:.4f}: {}\n", name_of(run.options.task),
                            task->baseline().loss, task->baseline().of);
    }
    text += "Sweep   ";
    for (const Axis& axis : sweep.axes)
        if (axis.option == "cells" || axis.values.size() > 1)
            text += fmt::format("  {} {}", axis.option, fmt::join(axis.values, ","));
    text += fmt::format("\n          {} runs of {} training steps each\n", sweep.runs.size(), sweep.options.steps);
    return text;
}

FolderLock run_sweep(const Sweep& sweep, const ebb::Progress& progress) {
    prepare_folder(sweep.folder, {""});
    // Before anything is read: what looks like a remainder may be the other process's file.
    FolderLock folder_lock(sweep.folder);
    claim_folder(sweep);
    prepare_folder(sweep.folder, {"figures", "data"});
    remove_remainders(sweep.folder);
    std::vector<const PlannedRun*> queue;
    std::size_t steps = 0;
    for (const PlannedRun& run : sweep.runs)
        if (!is_done(folder_of(sweep, run))) {
            queue.push_back(&run);
            steps += share(run);
        }
    if (queue.empty()) return folder_lock;

    Whole whole(progress, fmt::format("{} runs", queue.size()), steps);
    std::atomic<std::size_t> next{0};
    std::atomic<bool> stop{false};
    std::exception_ptr error;
    std::mutex error_mutex;
    const auto work = [&] {
        try {
            for (std::size_t k = next++; k < queue.size() && !stop; k = next++) do_run(sweep, *queue[k], whole, stop);
        } catch (...) {
            const std::lock_guard lock(error_mutex);
            if (!error) error = std::current_exception();
            stop = true;
        }
    };
    const std::size_t cores = std::max(std::thread::hardware_concurrency(), 1u);
    const std::size_t threads = sweep.options.threads > 0 ? sweep.options.threads : cores;
    {
        std::vector<std::jthread> workers;
        for (std::size_t k = 0; k < std::min(threads, queue.size()); ++k) workers.emplace_back(work);
    }
    whole.finish();
    if (error) std::rethrow_exception(error);
    return folder_lock;
}

std::vector<RunRecord> read_runs(const Sweep& sweep) {
    std::vector<RunRecord> runs;
    for (const PlannedRun& run : sweep.runs) runs.push_back(read_run(folder_of(sweep, run)));
    return runs;
}

std::string save_results(const Sweep& sweep, const std::vector<RunRecord>& runs) {
    ebb::inspect::save_csv((fs::path(sweep.folder) / "results.csv").string(), results_table(runs));
    const std::vector<std::string> arguments = arguments_of(sweep.options, sweep.axes);
    ComparisonText text;
    text.title = "What a sweep shows";
    text.command = command_line(arguments);
    return save_report(comparison_report(runs, text), sweep.folder, "report.json",
                       {{"program", "gradient_flow"}, {"version", EBB_VERSION}, {"command", text.command}});
}

}  // namespace lab
