#include <ebb/core/error.hpp>
#include <ebb/core/file.hpp>
#include <ebb/core/shape.hpp>
#include <ebb/inspect/data_file.hpp>
#include <ebb/inspect/wide_table.hpp>

#include <cmath>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace ebb::inspect {

namespace {

using nlohmann::ordered_json;

/// A field of CSV (RFC 4180): quoted where it holds what would end it.
std::string field(std::string_view text) {
    if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string{text};
    std::string quoted = "\"";
    for (const char c : text) {
        if (c == '"') quoted += '"';
        quoted += c;
    }
    return quoted + '"';
}

std::string number(double value) {
    return fmt::format("{}", value);
}

ordered_json axis_json(const Axis& axis) {
    return {{"label", axis.label}, {"unit", axis.unit}, {"scale", axis.scale == Scale::log ? "log" : "linear"}};
}

ordered_json series_json(const std::vector<Series>& group) {
    ordered_json list = ordered_json::array();
    for (const Series& series : group) {
        list.push_back({{"name", series.name}, {"x", series.x}, {"y", series.y}});
        if (series.low.empty()) continue;
        list.back()["low"] = series.low;
        list.back()["high"] = series.high;
    }
    return list;
}

/// Indented at the outer levels only: lists of numbers stay on one line. Bytes that are not UTF-8 become U+FFFD.
std::string written(const ordered_json& object) {
    const auto compact = [](const ordered_json& value) {
        return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
    };
    std::string text = "{";
    const char* separator = "\n  ";
    for (const auto& [key, value] : object.items()) {
        text += separator + compact(ordered_json(key)) + ": ";
        if (value.is_array() && !value.empty() && value.front().is_structured()) {
            text += '[';
            for (std::size_t i = 0; i < value.size(); ++i) text += (i == 0 ? "\n    " : ",\n    ") + compact(value[i]);
            text += "\n  ]";
        } else {
            text += compact(value);
        }
        separator = ",\n  ";
    }
    return text + "\n}\n";
}

void check_some(const char* call, const NamedArrays& arrays) {
    if (arrays.empty()) fail<ValueError>(std::string(call) + ": there are no arrays: expected at least one");
}

}  // namespace

std::string to_csv(const LineFigure& figure) {
    check("to_csv", figure);
    const WideTable table = wide_table(figure);
    const bool has_steps = !figure.frames.empty();
    std::string text;
    if (has_steps) text += field(figure.frame_label) + ',';
    text += field(axis_title(figure.x));
    for (const WideColumn& column : table.columns) text += ',' + field(column.name());
    text += '\n';
    for (const WideRow& row : table.rows) {
        if (has_steps) text += (row.step ? fmt::format("{}", *row.step) : "") + ',';
        text += number(row.x);
        for (const std::optional<double>& y : row.y) text += ',' + (y ? number(*y) : "");
        text += '\n';
    }
    return text;
}

std::string to_csv(const HeatMap& figure) {
    check("to_csv", figure);
    const bool has_steps = !figure.frames.empty();
    std::string text = has_steps ? field(figure.frame_label) + ',' : "";
    text +=
        field(axis_title(figure.x)) + ',' + field(axis_title(figure.y)) + ',' + field(axis_title(figure.value)) + '\n';
    const auto add = [&](const std::vector<double>& values, const std::string& step) {
        for (std::size_t row = 0; row < figure.y_at.size(); ++row)
            for (std::size_t column = 0; column < figure.x_at.size(); ++column) {
                const double value = values[row * figure.x_at.size() + column];
                if (figure.sparse && std::isnan(value)) continue;
                text += fmt::format("{}{},{},{}\n", step, figure.x_at[column], figure.y_at[row], value);
            }
    };
    if (!has_steps) add(figure.values, "");
    for (const MapFrame& frame : figure.frames) add(frame.values, fmt::format("{},", frame.step));
    return text;
}

std::string to_csv(const GraphFigure& figure) {
    check("to_csv", figure);
    const auto optional = [](const std::optional<double>& value) { return value ? number(*value) : std::string{}; };
    const bool has_steps = !figure.frames.empty();
    std::string text = has_steps ? field(figure.frame_label) + ',' : "";
    text += "item,from,to,name,operation,shape,time step,norm of value,norm of gradient\n";
    const auto add = [&](const UnrolledGraph& graph, const std::string& step) {
        for (std::size_t k = 0; k < graph.nodes.size(); ++k) {
            const GraphNode& node = graph.nodes[k];
            text +=
                fmt::format("{}node,{},,{},{},{},{},{},{}\n", step, k, field(node.name), field(node.operation),
                            field(to_string(node.shape)), node.time_step < 0 ? "" : fmt::format("{}", node.time_step),
                            number(node.value_norm), optional(node.grad_norm));
        }
        for (const GraphEdge& edge : graph.edges)
            text += fmt::format("{}edge,{},{},,,,,,{}\n", step, edge.from, edge.to, optional(edge.grad_norm));
    };
    if (!has_steps) add(figure.graph, "");
    for (std::size_t k = 0; k < figure.frames.size(); ++k)
        add(graph_of(figure, k), fmt::format("{},", figure.frames[k].step));
    return text;
}

std::string to_csv(const Table& table) {
    check("to_csv", table);
    std::string text;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        const Column& column = table.columns[i];
        text += (i == 0 ? "" : ",") + field(axis_title({column.header, column.unit}));
    }
    text += '\n';
    for (const std::vector<Cell>& row : table.rows) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            const double* value = std::get_if<double>(&row[i]);
            text += (i == 0 ? "" : ",") + (value != nullptr ? number(*value) : field(std::get<std::string>(row[i])));
        }
        text += '\n';
    }
    return text;
}

template <class T>
std::string to_csv(const GradientFlow<T>& flow) {
    std::string text = "name,time_step,grad_norm,value_norm,saturation,mean,closed,open\n";
    for (const StateFlow& state : flow.states())
        for (std::size_t k = 0; k < state.time_step.size(); ++k)
            text += fmt::format("{},{},{},{},{},,,\n", field(state.name), state.time_step[k], state.grad_norm[k],
                                state.value_norm[k], state.saturation[k]);
    for (const GateFlow& gate : flow.gates())
        for (std::size_t k = 0; k < gate.time_step.size(); ++k)
            text += fmt::format("{},{},,,,{},{},{}\n", field(gate.name), gate.time_step[k], gate.mean[k],
                                gate.closed[k], gate.open[k]);
    return text;
}

std::string to_csv(const WeightContributions& contributions) {
    std::string text = "parameter,time_step,norm\n";
    for (std::size_t k = 0; k < contributions.time_step.size(); ++k)
        text += fmt::format("{},{},{}\n", field(contributions.parameter), contributions.time_step[k],
                            contributions.norm[k]);
    return text;
}

std::string to_csv(const NamedArrays& arrays) {
    check_some("to_csv", arrays);
    constexpr std::size_t most_axes = 3;
    std::string text = "array,i,j,k,value\n";
    for (const auto& [name, array] : arrays) {
        const Shape shape = Shape::of(array.shape());
        if (shape.rank() > most_axes)
            fail<ValueError>(
                fmt::format("to_csv: {} is {}: expected at most {} axes", name, to_string(shape), most_axes));
        for (std::size_t flat = 0; flat < array.size(); ++flat) {
            text += field(name);
            std::size_t stride = array.size(), within = flat;
            for (std::size_t axis = 0; axis < most_axes; ++axis) {
                text += ',';
                if (axis >= shape.rank()) continue;
                stride /= shape[axis];
                text += std::to_string(within / stride);
                within %= stride;
            }
            text += ',' + number(array.data()[flat]) + '\n';
        }
    }
    return text;
}

std::string to_json(const LineFigure& figure) {
    check("to_json", figure);
    ordered_json object{{"title", figure.title},
                        {"caption", figure.caption},
                        {"x", axis_json(figure.x)},
                        {"y", axis_json(figure.y)},
                        {"series", series_json(figure.series)}};
    if (!figure.frames.empty()) {
        object["frame_label"] = figure.frame_label;
        object["frames"] = ordered_json::array();
        for (const Frame& frame : figure.frames)
            object["frames"].push_back({{"step", frame.step}, {"series", series_json(frame.series)}});
    }
    return written(object);
}

std::string to_json(const HeatMap& figure) {
    check("to_json", figure);
    const auto rows_of = [&](const std::vector<double>& values) {
        ordered_json rows = ordered_json::array();
        const auto columns = static_cast<std::ptrdiff_t>(figure.x_at.size());
        for (auto row = values.begin(); row != values.end(); row += columns)
            rows.push_back(std::vector<double>(row, row + columns));
        return rows;
    };
    ordered_json object{{"title", figure.title},    {"caption", figure.caption},        {"x", axis_json(figure.x)},
                        {"y", axis_json(figure.y)}, {"value", axis_json(figure.value)}, {"x_at", figure.x_at},
                        {"y_at", figure.y_at}};
    if (figure.frames.empty()) {
        object["values"] = rows_of(figure.values);
    } else {
        object["frame_label"] = figure.frame_label;
        object["frames"] = ordered_json::array();
        for (const MapFrame& frame : figure.frames)
            object["frames"].push_back({{"step", frame.step}, {"values", rows_of(frame.values)}});
    }
    return written(object);
}

std::string to_json(const GraphFigure& figure) {
    check("to_json", figure);
    const auto optional = [](const std::optional<double>& value) {
        return value ? ordered_json(*value) : ordered_json(nullptr);
    };
    const auto edges = [&](const std::vector<GraphEdge>& list) {
        ordered_json all = ordered_json::array();
        for (const GraphEdge& edge : list)
            all.push_back({{"from", edge.from}, {"to", edge.to}, {"grad_norm", optional(edge.grad_norm)}});
        return all;
    };
    const UnrolledGraph& graph = figure.graph;
    ordered_json nodes = ordered_json::array();
    for (const GraphNode& node : graph.nodes)
        nodes.push_back({{"name", node.name},
                         {"operation", node.operation},
                         {"shape", to_string(node.shape)},
                         {"time_step", node.time_step},
                         {"lane", graph.lanes.at(node.lane)},
                         {"value_norm", node.value_norm},
                         {"grad_norm", optional(node.grad_norm)},
                         {"x", node.x},
                         {"y", node.y}});
    ordered_json steps = ordered_json::array();
    for (const GraphStep& step : graph.steps)
        steps.push_back({{"lane", graph.lanes.at(step.lane)},
                         {"time_step", step.time_step},
                         {"states", step.states},
                         {"grad_norm", optional(step.grad_norm)}});
    ordered_json object{{"title", figure.title}, {"caption", figure.caption},
                        {"nodes", nodes},        {"edges", edges(graph.edges)},
                        {"steps", steps},        {"step_edges", edges(graph.step_edges)}};
    if (!figure.frames.empty()) {
        const auto list = [&](const std::vector<std::optional<double>>& norms) {
            ordered_json all = ordered_json::array();
            for (const std::optional<double>& norm : norms) all.push_back(optional(norm));
            return all;
        };
        object["frame_label"] = figure.frame_label;
        object["frames"] = ordered_json::array();
        for (const GraphFrame& frame : figure.frames)
            object["frames"].push_back({{"step", frame.step},
                                        {"value_norm", frame.numbers.value_norm},
                                        {"grad_norm", list(frame.numbers.grad_norm)},
                                        {"edges", list(frame.numbers.edge)},
                                        {"step_edges", list(frame.numbers.step_edge)}});
    }
    return written(object);
}

std::string to_json(const Table& table) {
    check("to_json", table);
    ordered_json columns = ordered_json::array();
    for (const Column& column : table.columns) columns.push_back({{"header", column.header}, {"unit", column.unit}});
    ordered_json rows = ordered_json::array();
    for (const std::vector<Cell>& row : table.rows) {
        ordered_json cells = ordered_json::array();
        for (const Cell& cell : row) std::visit([&](const auto& value) { cells.push_back(value); }, cell);
        rows.push_back(std::move(cells));
    }
    return written({{"title", table.title}, {"caption", table.caption}, {"columns", columns}, {"rows", rows}});
}

template <class T>
std::string to_json(const GradientFlow<T>& flow) {
    ordered_json states = ordered_json::array(), gates = ordered_json::array();
    for (const StateFlow& state : flow.states())
        states.push_back({{"name", state.name},
                          {"time_step", state.time_step},
                          {"grad_norm", state.grad_norm},
                          {"value_norm", state.value_norm},
                          {"saturation", state.saturation}});
    for (const GateFlow& gate : flow.gates())
        gates.push_back({{"name", gate.name},
                         {"time_step", gate.time_step},
                         {"mean", gate.mean},
                         {"closed", gate.closed},
                         {"open", gate.open}});
    return written({{"states", states}, {"gates", gates}});
}

std::string to_json(const WeightContributions& contributions) {
    return written(
        {{"parameter", contributions.parameter}, {"time_step", contributions.time_step}, {"norm", contributions.norm}});
}

std::string to_json(const NamedArrays& arrays) {
    check_some("to_json", arrays);
    ordered_json object;
    for (const auto& [name, array] : arrays)
        object[name] = {{"shape", std::vector<std::size_t>(array.shape().begin(), array.shape().end())},
                        {"values", std::vector<double>(array.begin(), array.end())}};
    return written(object);
}

void save_csv(const std::string& path, const LineFigure& figure) {
    write_file_atomically(path, to_csv(figure));
}
void save_csv(const std::string& path, const HeatMap& figure) {
    write_file_atomically(path, to_csv(figure));
}
void save_csv(const std::string& path, const GraphFigure& figure) {
    write_file_atomically(path, to_csv(figure));
}
void save_csv(const std::string& path, const Table& table) {
    write_file_atomically(path, to_csv(table));
}
template <class T>
void save_csv(const std::string& path, const GradientFlow<T>& flow) {
    write_file_atomically(path, to_csv(flow));
}
void save_csv(const std::string& path, const WeightContributions& contributions) {
    write_file_atomically(path, to_csv(contributions));
}
void save_csv(const std::string& path, const NamedArrays& arrays) {
    write_file_atomically(path, to_csv(arrays));
}
void save_json(const std::string& path, const NamedArrays& arrays) {
    write_file_atomically(path, to_json(arrays));
}
void save_json(const std::string& path, const LineFigure& figure) {
    write_file_atomically(path, to_json(figure));
}
void save_json(const std::string& path, const HeatMap& figure) {
    write_file_atomically(path, to_json(figure));
}
void save_json(const std::string& path, const GraphFigure& figure) {
    write_file_atomically(path, to_json(figure));
}
void save_json(const std::string& path, const Table& table) {
    write_file_atomically(path, to_json(table));
}
template <class T>
void save_json(const std::string& path, const GradientFlow<T>& flow) {
    write_file_atomically(path, to_json(flow));
}
void save_json(const std::string& path, const WeightContributions& contributions) {
    write_file_atomically(path, to_json(contributions));
}

#define EBB_INSTANTIATE(T)                                              \
    template std::string to_csv(const GradientFlow<T>&);                \
    template std::string to_json(const GradientFlow<T>&);               \
    template void save_csv(const std::string&, const GradientFlow<T>&); \
    template void save_json(const std::string&, const GradientFlow<T>&);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb::inspect
