#include "gradient_flow/series_file.hpp"

#include <ebb/core/error.hpp>
#include <ebb/core/file.hpp>

#include <charconv>
#include <cmath>
#include <numeric>
#include <optional>
#include <string_view>

#include "gradient_flow/values.hpp"
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace lab {
namespace {

using ebb::ValueError;

/// One line of the file that is not empty.
struct Row {
    std::size_t line;  // from 1
    std::vector<std::string> cells;
};

std::string trimmed(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos) return {};
    return std::string(text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1));
}

/// Cells between commas; a quoted one ends at its closing quote, and "" in it stands for ".
std::vector<std::string> cells_of(std::string_view line) {
    std::vector<std::string> cells;
    std::string cell;
    bool quoted = false;
    for (std::size_t k = 0; k < line.size(); ++k) {
        const char c = line[k];
        if (c == '"') {
            if (quoted && k + 1 < line.size() && line[k + 1] == '"')
                cell += line[++k];
            else
                quoted = !quoted;
        } else if (c == ',' && !quoted) {
            cells.push_back(trimmed(cell));
            cell.clear();
        } else {
            cell += c;
        }
    }
    cells.push_back(trimmed(cell));
    return cells;
}

std::vector<Row> rows_of(std::string_view text) {
    if (text.substr(0, 3) == "\xef\xbb\xbf") text.remove_prefix(3);  // a byte order mark
    std::vector<Row> rows;
    for (std::size_t line = 1; !text.empty(); ++line) {
        const std::size_t end = text.find('\n');
        const std::string_view now = text.substr(0, end);
        if (!trimmed(now).empty()) rows.push_back({line, cells_of(now)});
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return rows;
}

std::optional<double> number_in(const std::string& cell) {
    double value = 0;
    const char* const end = cell.data() + cell.size();
    const char* const begin = cell.data() + (cell.size() > 1 && cell[0] == '+' ? 1 : 0);
    const auto [rest, error] = std::from_chars(begin, end, value);
    if (error != std::errc() || rest != end || !std::isfinite(value)) return std::nullopt;
    return value;
}

/// Which columns of the file are meant.
std::vector<std::size_t> chosen_columns(const std::string& path, const std::vector<std::string>& header,
                                        const std::string& columns) {
    std::vector<std::size_t> chosen;
    if (columns.empty()) {
        chosen.resize(header.size());
        std::iota(chosen.begin(), chosen.end(), std::size_t{0});
        return chosen;
    }
    for (const std::string& name : split_at_commas(columns)) {
        const std::string wanted = trimmed(name);
        std::size_t place = 0;
        while (place < header.size() && header[place] != wanted) ++place;
        if (place == header.size()) {
            const std::optional<double> number = number_in(wanted);
            if (!number || *number < 1 || *number > static_cast<double>(header.size()) ||
                std::floor(*number) != *number)
                ebb::fail<ValueError>(
                    fmt::format("read_series: {} has no column '{}': expected one of {}, or a number from 1 to {}",
                                path, wanted, fmt::join(header, ", "), header.size()));
            place = static_cast<std::size_t>(*number) - 1;
        }
        chosen.push_back(place);
    }
    return chosen;
}

std::uint64_t fnv1a(std::string_view bytes) {
    std::uint64_t hash = 14695981039346656037u;
    for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 1099511628211u;
    return hash;
}

}  // namespace

SeriesFile read_series(const std::string& path, const std::string& columns) {
    const std::string text = ebb::read_text_file(path);
    const std::vector<Row> rows = rows_of(text);
    if (rows.empty()) ebb::fail<ValueError>(fmt::format("read_series: {} has no rows: expected numbers", path));

    const std::vector<std::string>& header = rows.front().cells;
    const std::vector<std::size_t> chosen = chosen_columns(path, header, columns);
    bool has_header = false;
    for (const std::size_t column : chosen) has_header = has_header || !number_in(header[column]);

    SeriesFile series{path, {}, {}, fnv1a(text)};
    for (const std::size_t column : chosen)
        series.names.push_back(has_header ? header[column] : fmt::format("column {}", column + 1));
    for (std::size_t r = has_header ? 1 : 0; r < rows.size(); ++r) {
        const Row& row = rows[r];
        if (row.cells.size() != header.size())
            ebb::fail<ValueError>(
                fmt::format("read_series: {}, line {}: the line has {} cells, the first one {}: "
                            "expected as many",
                            path, row.line, row.cells.size(), header.size()));
        for (std::size_t k = 0; k < chosen.size(); ++k) {
            const std::optional<double> value = number_in(row.cells[chosen[k]]);
            if (!value)
                ebb::fail<ValueError>(fmt::format("read_series: {}, line {}, {}: the cell is '{}': expected a number",
                                                  path, row.line, series.names[k], row.cells[chosen[k]]));
            series.values.push_back(*value);
        }
    }
    if (series.values.empty())
        ebb::fail<ValueError>(fmt::format("read_series: {} has no rows below its header: expected numbers", path));
    return series;
}

}  // namespace lab
