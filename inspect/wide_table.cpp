#include <ebb/inspect/wide_table.hpp>

#include <map>
#include <set>

namespace ebb::inspect {

namespace {

bool has_repeated_x(const Series& series) {
    const std::set<double> places(series.x.begin(), series.x.end());
    return places.size() < series.x.size();
}

}  // namespace

std::string WideColumn::name() const {
    return series->name + (part == Part::low ? ", low" : part == Part::high ? ", high" : "");
}

WideTable wide_table(const LineFigure& figure) {
    WideTable table;
    std::map<std::string, std::size_t> column_of;
    const auto name_columns = [&](const std::vector<Series>& group) {
        for (const Series& series : group) {
            if (!column_of.emplace(series.name, table.columns.size()).second) continue;
            table.columns.push_back({&series});
            if (series.low.empty()) continue;
            table.columns.push_back({&series, WideColumn::Part::low});
            table.columns.push_back({&series, WideColumn::Part::high});
        }
    };
    for (const Frame& frame : figure.frames) name_columns(frame.series);
    name_columns(figure.series);

    const auto add_rows = [&](std::optional<std::int64_t> step, const std::vector<Series>& group) {
        std::map<double, WideRow> by_x;
        for (const Series& series : group) {
            const std::size_t column = column_of.at(series.name);
            const bool alone = has_repeated_x(series);
            for (std::size_t i = 0; i < series.x.size(); ++i) {
                WideRow fresh{step, series.x[i], {}};
                WideRow& row =
                    alone ? table.rows.emplace_back(fresh) : by_x.try_emplace(series.x[i], fresh).first->second;
                row.y.resize(table.columns.size());
                row.y[column] = series.y[i];
                if (series.low.empty() || table.columns[column].series->low.empty()) continue;
                row.y[column + 1] = series.low[i];
                row.y[column + 2] = series.high[i];
            }
        }
        for (auto& [x, row] : by_x) table.rows.push_back(std::move(row));
    };
    for (const Frame& frame : figure.frames) add_rows(frame.step, frame.series);
    add_rows({}, figure.series);
    return table;
}

}  // namespace ebb::inspect
