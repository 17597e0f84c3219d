#pragma once
/// What the scripts of the report's page know of a figure. Numbers are packed: a page of a long experiment holds
/// millions.

#include <ebb/inspect/figure.hpp>

#include <string>

#include <nlohmann/json_fwd.hpp>

namespace ebb::inspect {

/// Each has "id", "kind" ("lines", "map", "graph", "table"), "title", and what web/*.js read besides.
nlohmann::ordered_json page_data(const std::string& id, const LineFigure& figure);
nlohmann::ordered_json page_data(const std::string& id, const HeatMap& figure);
nlohmann::ordered_json page_data(const std::string& id, const GraphFigure& figure);
nlohmann::ordered_json page_data(const std::string& id, const Table& table);

}  // namespace ebb::inspect
