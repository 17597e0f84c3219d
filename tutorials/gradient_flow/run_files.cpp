#include "gradient_flow/run_files.hpp"

#include <ebb/core/error.hpp>
#include <ebb/core/file.hpp>
#include <ebb/inspect/data_file.hpp>
#include <ebb/inspect/npz.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <system_error>

#include "gradient_flow/options_json.hpp"
#include "gradient_flow/values.hpp"
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace lab {
namespace {

namespace fs = std::filesystem;
using ebb::Array;
using ebb::inspect::NamedArrays;
using json = nlohmann::ordered_json;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// A number for each stop, [S].
template <class Value>
Array<double> over_stops(const CellResult& result, Value value) {
    Array<double> array = Array<double>::from_shape({result.stops.size()});
    for (std::size_t k = 0; k < result.stops.size(); ++k) array(k) = value(result.stops[k]);
    return array;
}

/// A list for each stop, [S, T].
template <class List>
Array<double> lists_over_stops(const CellResult& result, List list) {
    const std::size_t S = result.stops.size(), T = list(result.stops.front()).size();
    Array<double> array = Array<double>::from_shape({S, T});
    for (std::size_t k = 0; k < S; ++k) {
        const std::vector<double>& values = list(result.stops[k]);
        std::copy(values.begin(), values.end(), array.data() + k * T);
    }
    return array;
}

NamedArrays arrays_of(const CellResult& result) {
    const auto flow = [](auto member) {
        return [member](const Stop& stop) -> const std::vector<double>& { return stop.flow.*member; };
    };
    const Measurement& first = result.stops.front().flow;
    NamedArrays arrays;
    arrays["step"] = over_stops(result, [](const Stop& s) { return static_cast<double>(s.step); });
    arrays["training_loss"] = over_stops(result, [](const Stop& s) { return s.training_loss; });
    arrays["test_loss"] = over_stops(result, [](const Stop& s) { return s.test.loss; });
    arrays["accuracy"] = over_stops(result, [](const Stop& s) { return s.test.accuracy; });
    arrays["h.grad_norm"] = lists_over_stops(result, flow(&Measurement::hidden));
    arrays["weight_hh.contribution"] = lists_over_stops(result, flow(&Measurement::contributions));
    if (!first.cell_state.empty()) arrays["c.grad_norm"] = lists_over_stops(result, flow(&Measurement::cell_state));
    if (!first.gates_alone.empty()) arrays["gates_alone"] = lists_over_stops(result, flow(&Measurement::gates_alone));
    if (result.cell == Cell::tanh) {
        arrays["weight_hh.spectral_radius"] = over_stops(result, [](const Stop& s) { return s.flow.spectral_radius; });
        arrays["weight_hh.largest_singular_value"] =
            over_stops(result, [](const Stop& s) { return s.flow.largest_singular_value; });
    }
    for (std::size_t g = 0; g < first.gates.size(); ++g) {
        std::string name = first.gates[g].name;
        std::replace(name.begin(), name.end(), ' ', '_');
        arrays[name + ".mean"] =
            lists_over_stops(result, [g](const Stop& s) -> const std::vector<double>& { return s.flow.gates[g].mean; });
    }
    return arrays;
}

double factor_at(const Stop& stop) {
    const std::optional<Decay> decay = fit_decay(stop.flow.hidden);
    return decay ? decay->factor : nan;
}

ebb::inspect::Table history_of(const CellResult& result) {
    ebb::inspect::Table table;
    table.title = "history";
    table.columns = {{"step"}, {"training_loss"}, {"test_loss"}, {"accuracy"}, {"decay_per_step"}};
    for (const Stop& stop : result.stops)
        table.rows.push_back(
            {static_cast<double>(stop.step), stop.training_loss, stop.test.loss, stop.test.accuracy, factor_at(stop)});
    return table;
}

void fresh_folder(const std::string& folder) {
    std::error_code error;
    fs::remove_all(folder, error);
    if (!error) fs::create_directories(folder, error);
    if (error)
        ebb::fail<ebb::FileError>(
            fmt::format("gradient_flow: the folder {} cannot be made: {}", folder, error.message()));
}

json run_json(const Options& options, const Task& task) {
    const Baseline baseline = task.baseline();
    return {{"program", "gradient_flow"},
            {"version", EBB_VERSION},
            {"command", command_line(arguments_of(options))},
            {"options", as_json(options)},
            {"task", {{"definition", task.definition()}, {"baseline", baseline.loss}, {"baseline_of", baseline.of}}}};
}

void save(const std::string& folder, const json& content) {
    ebb::write_file_atomically((fs::path(folder) / "run.json").string(), content.dump(2) + "\n");
}

/// NaN is null in JSON.
json number(double value) {
    return std::isfinite(value) ? json(value) : json(nullptr);
}

// ---- reading

double value_of(const json& entry) {
    return entry.is_null() ? nan : entry.get<double>();
}

std::vector<double> list_of(const json& arrays, const char* name) {
    std::vector<double> values;
    if (arrays.contains(name))
        for (const json& value : arrays[name]["values"]) values.push_back(value_of(value));
    return values;
}

/// The rows of an array [S, T].
std::vector<std::vector<double>> rows_of(const json& arrays, const char* name) {
    const std::vector<double> values = list_of(arrays, name);
    const auto T = arrays.at(name).at("shape").at(1).get<std::ptrdiff_t>();
    std::vector<std::vector<double>> rows;
    for (auto at = values.begin(); values.end() - at >= T && T > 0; at += T) rows.emplace_back(at, at + T);
    return rows;
}

/// The folders of a sweep's runs, in its order, done or not; none where the folder is no sweep's.
std::vector<std::string> runs_of_sweep(const fs::path& folder) {
    const fs::path file = folder / "sweep.json";
    std::error_code ignored;
    std::vector<std::string> runs;
    if (!fs::exists(file, ignored)) return runs;
    const json sweep = json::parse(ebb::read_file(file.string()), nullptr, false);
    if (!sweep.is_object() || !sweep.contains("runs") || !sweep["runs"].is_array()) return runs;
    for (const json& run : sweep["runs"])
        if (run.is_object() && run.contains("name") && run["name"].is_string())
            runs.push_back((folder / "runs" / run["name"].get<std::string>()).string());
    return runs;
}

Options options_in(const json& object) {
    Options options;
    for (const Field& field : fields()) {
        std::string key = field.name;
        std::replace(key.begin(), key.end(), '-', '_');
        if (!object.contains(key) || object[key].is_null()) continue;
        const json& value = object[key];
        if (value.is_array())
            field.set(options, value.at(0).get<std::string>());
        else
            field.set(options, value.is_string() ? value.get<std::string>() : value.dump());
    }
    return options;
}

}  // namespace

bool is_done(const std::string& folder) {
    std::error_code ignored;
    return fs::exists(fs::path(folder) / "run.json", ignored);
}

void save_run(const std::string& folder, const Options& options, const Task& task, const CellResult& result) {
    fresh_folder(folder);
    const auto path = [&](const char* name) { return (fs::path(folder) / name).string(); };
    ebb::inspect::save_csv(path("history.csv"), history_of(result));
    const NamedArrays arrays = arrays_of(result);
    ebb::inspect::save_json(path("flow.json"), arrays);
    ebb::inspect::save_npz(path("flow.npz"), arrays);
    json content = run_json(options, task);
    const Stop& last = result.stops.back();
    content["parameters"] = result.parameter_count;
    content["failure"] = nullptr;
    content["result"] = {{"step", last.step},
                         {"training_loss", number(last.training_loss)},
                         {"test_loss", number(last.test.loss)},
                         {"accuracy", number(last.test.accuracy)},
                         {"decay_per_step", number(factor_at(last))}};
    save(folder, content);
}

void save_failure(const std::string& folder, const Options& options, const Task& task, const std::string& failure) {
    fresh_folder(folder);
    json content = run_json(options, task);
    content["failure"] = failure;
    save(folder, content);
}

RunRecord read_run(const std::string& folder) {
    const fs::path path = folder;
    std::string file = (path / "run.json").string();
    RunRecord run;
    try {
        const json content = json::parse(ebb::read_file(file));
        // The folder may be given as "x/" or ".".
        run.name = fs::weakly_canonical(path).filename().string();
        run.options = options_in(content.at("options"));
        run.baseline = {value_of(content.at("task").at("baseline")), content["task"].at("baseline_of")};
        run.definition = content["task"].at("definition");
        if (!content.at("failure").is_null()) {
            run.failure = content["failure"];
            return run;
        }
        run.parameter_count = content.at("parameters");
        file = (path / "flow.json").string();
        const json arrays = json::parse(ebb::read_file(file));
        for (const double step : list_of(arrays, "step")) run.steps.push_back(static_cast<std::size_t>(step));
        run.training_loss = list_of(arrays, "training_loss");
        run.test_loss = list_of(arrays, "test_loss");
        run.accuracy = list_of(arrays, "accuracy");
        run.spectral_radius = list_of(arrays, "weight_hh.spectral_radius");
        run.largest_singular_value = list_of(arrays, "weight_hh.largest_singular_value");
        run.hidden = rows_of(arrays, "h.grad_norm");
        run.contributions = rows_of(arrays, "weight_hh.contribution");
    } catch (const json::exception& error) {
        ebb::fail<ebb::ValueError>(
            fmt::format("gradient_flow: {} is damaged: {}: expected what a run writes", file, error.what()));
    }
    const std::size_t S = run.steps.size();
    if (S == 0 || run.test_loss.size() != S || run.training_loss.size() != S || run.accuracy.size() != S ||
        run.hidden.size() != S || run.contributions.size() != S)
        ebb::fail<ebb::ValueError>(
            fmt::format("gradient_flow: {} is damaged: its lists differ in length: expected what a run writes", file));
    return run;
}

std::vector<RunRecord> read_runs(const std::vector<std::string>& folders) {
    std::vector<RunRecord> runs;
    for (const std::string& folder : folders) {
        if (is_done(folder)) {
            runs.push_back(read_run(folder));
            continue;
        }
        std::vector<std::string> found;
        for (const std::string& run : runs_of_sweep(folder))
            if (is_done(run)) found.push_back(run);
        if (found.empty())
            ebb::fail<ebb::ValueError>(fmt::format(
                "gradient_flow: --compare {}: expected the folder of a run, with its run.json, or that of a "
                "sweep with runs that are done",
                folder));
        for (const std::string& run : found) runs.push_back(read_run(run));
    }
    return runs;
}

}  // namespace lab
