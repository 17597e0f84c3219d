#pragma once
/// The files of the report's page, as module.cmake embeds them.

#include <string_view>

namespace ebb::inspect::web {

extern const std::string_view page_template;  // inspect/web/template.html
extern const std::string_view style;          // inspect/web/report.css
extern const std::string_view script;         // inspect/web/*.js, one after another

extern const std::string_view vega;  // empty where npm was missing
extern const std::string_view vega_lite;
extern const std::string_view cytoscape;
extern const std::string_view licences;    // of the three
extern const std::string_view why_static;  // why they are empty; empty itself where they are not

}  // namespace ebb::inspect::web
