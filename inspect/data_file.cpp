#include <ebb/core/file.hpp>
#include <ebb/inspect/data_file.hpp>
#include <ebb/inspect/wide_table.hpp>

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
    for (const Series& series : group) list.push_back({{"name", series.name}, {"x", series.x}, {"y", series.y}});
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

}  // namespace

std::string to_csv(const LineFigure& figure) {
    check("to_csv", figure);
    const WideTable table = wide_table(figure);
    const bool has_steps = !figure.frames.empty();
    std::string text;
    if (has_steps) text += field(figure.frame_label) + ',';
    text += field(axis_title(figure.x));
    for (const Series* series : table.columns) text += ',' + field(series->name);
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
    std::string text =
        field(axis_title(figure.x)) + ',' + field(axis_title(figure.y)) + ',' + field(axis_title(figure.value)) + '\n';
    for (std::size_t row = 0; row < figure.y_at.size(); ++row)
        for (std::size_t column = 0; column < figure.x_at.size(); ++column)
            text += fmt::format("{},{},{}\n", figure.x_at[column], figure.y_at[row],
                                figure.values[row * figure.x_at.size() + column]);
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
    ordered_json rows = ordered_json::array();
    const auto columns = static_cast<std::ptrdiff_t>(figure.x_at.size());
    for (auto row = figure.values.begin(); row != figure.values.end(); row += columns)
        rows.push_back(std::vector<double>(row, row + columns));
    return written({{"title", figure.title},
                    {"caption", figure.caption},
                    {"x", axis_json(figure.x)},
                    {"y", axis_json(figure.y)},
                    {"value", axis_json(figure.value)},
                    {"x_at", figure.x_at},
                    {"y_at", figure.y_at},
                    {"values", rows}});
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

void save_csv(const std::string& path, const LineFigure& figure) {
    write_file_atomically(path, to_csv(figure));
}
void save_csv(const std::string& path, const HeatMap& figure) {
    write_file_atomically(path, to_csv(figure));
}
void save_csv(const std::string& path, const Table& table) {
    write_file_atomically(path, to_csv(table));
}
void save_json(const std::string& path, const LineFigure& figure) {
    write_file_atomically(path, to_json(figure));
}
void save_json(const std::string& path, const HeatMap& figure) {
    write_file_atomically(path, to_json(figure));
}
void save_json(const std::string& path, const Table& table) {
    write_file_atomically(path, to_json(table));
}

}  // namespace ebb::inspect
