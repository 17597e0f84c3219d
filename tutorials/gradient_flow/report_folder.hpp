#pragma once
/// A folder with a report, its figures and their numbers, and a record of what it takes to make it again.

#include <ebb/inspect/report.hpp>

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace lab {

/// Makes the folder and writes a file in each of its parts, which goes again, so that a bad --out is refused before the
/// work and not after it. Throws ebb::FileError.
void prepare_folder(const std::string& folder, const std::vector<std::string>& parts = {"", "figures", "data"});

/// Writes report.html, figures/*.svg, data/*.csv and *.json, and `record` as a JSON file called `name`, with the
/// figures and data as its "files", each atomically. Figures and data that only an earlier report in the same folder
/// has made, as its own record lists them, go. Gives the path of the report. Throws ebb::FileError.
std::string save_report(const ebb::inspect::Report& report, const std::string& folder, const std::string& name,
                        nlohmann::ordered_json record);

/// A command as a report's code: on lines that fit a page, each indented.
std::string as_code(const std::string& command);

/// Says where a report is, as the last line, and what else lies in its folder.
void print_report(const std::string& report, const std::string& what, const std::string& folder);

}  // namespace lab
