#pragma once
/// A line figure as a table: a row per x, a column per series. CSV files and the report's page hold this form.

#include <ebb/inspect/figure.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ebb::inspect {

struct WideRow {
    std::optional<std::int64_t> step;  // none: at every step
    double x;
    std::vector<std::optional<double>> y;  // one for each name
};

/// The values of a series, or an edge of its band.
struct WideColumn {
    enum class Part { value, low, high };
    const Series* series;  // the first of its name
    Part part = Part::value;

    std::string name() const;  // "tanh", "tanh, low"
};

struct WideTable {
    std::vector<WideColumn> columns;  // in the order in which the series first appear, each with its band
    std::vector<WideRow> rows;
};

/// Rows of one step stand together, by rising x; of series in which an x comes twice, each has rows of its own.
WideTable wide_table(const LineFigure& figure);

}  // namespace ebb::inspect
