#include "gradient_flow/report_folder.hpp"

#include <ebb/core/error.hpp>
#include <ebb/core/file.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <set>
#include <system_error>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace lab {
namespace {

namespace fs = std::filesystem;

/// The figures and data that an earlier report has left in the folder, as its record lists them.
std::set<std::string> files_of_earlier(const fs::path& record) {
    std::set<std::string> files;
    const std::string path = record.string();
    std::error_code ignored;
    if (!fs::exists(path, ignored)) return files;
    const nlohmann::json json = nlohmann::json::parse(ebb::read_file(path), nullptr, false);
    if (!json.is_object() || !json.contains("files") || !json["files"].is_array()) return files;
    for (const nlohmann::json& file : json["files"])
        if (file.is_string()) files.insert(file.get<std::string>());
    return files;
}

[[noreturn]] void no_folder(const std::string& folder, const std::error_code& error) {
    std::error_code ignored;
    if (fs::is_directory(folder, ignored))
        ebb::fail<ebb::FileError>(
            fmt::format("gradient_flow: --out {} cannot be written: {}: expected a folder where files can be made",
                        folder, error.message()));
    ebb::fail<ebb::FileError>(
        fmt::format("gradient_flow: --out {} cannot be made: {}: expected a folder, or a path where one can be made",
                    folder, error.message()));
}

/// What hinders a file in the folder, found by writing one.
std::error_code try_to_write(const fs::path& folder) {
    const std::string probe = (folder / fmt::format(".probe.{}.tmp", ::getpid())).string();
    std::FILE* const file = std::fopen(probe.c_str(), "w");
    if (!file) return {errno, std::generic_category()};
    const bool written = std::fputc('\n', file) != EOF;
    const bool closed = std::fclose(file) == 0;
    const std::error_code error =
        written && closed ? std::error_code() : std::error_code(errno, std::generic_category());
    std::error_code ignored;
    fs::remove(probe, ignored);
    return error;
}

}  // namespace

void prepare_folder(const std::string& folder, const std::vector<std::string>& parts) {
    for (const std::string& part : parts) {
        std::error_code error;
        fs::create_directories(fs::path(folder) / part, error);
        if (!error) error = try_to_write(fs::path(folder) / part);
        if (error) no_folder(folder, error);
    }
}

std::string save_report(const ebb::inspect::Report& report, const std::string& to, const std::string& name,
                        nlohmann::ordered_json record) {
    const fs::path folder = to;
    prepare_folder(to);
    const std::set<std::string> earlier = files_of_earlier(folder / name);
    const std::string path = (folder / "report.html").string();
    report.save(path);
    std::vector<std::string> files;
    for (const auto& saved :
         {report.save_svg((folder / "figures").string()), report.save_data((folder / "data").string())})
        for (const std::string& file : saved) files.push_back(fs::path(file).lexically_relative(folder).string());
    record["files"] = files;
    ebb::write_file_atomically((folder / name).string(),
                               record.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
    for (const std::string& file : earlier) {
        const fs::path relative = fs::path(file).lexically_normal();
        const bool ours = relative.parent_path() == "figures" || relative.parent_path() == "data";
        std::error_code ignored;
        if (ours && std::find(files.begin(), files.end(), file) == files.end()) fs::remove(folder / relative, ignored);
    }
    return path;
}

std::string as_code(const std::string& command) {
    std::string code = "    ";
    std::size_t width = 0;
    for (std::size_t begin = 0; begin < command.size();) {
        const std::size_t end = std::min(command.find(" --", begin + 1), command.size());
        if (width > 0 && width + end - begin > 70) {
            code += " \\\n       ";
            width = 3;
        }
        code += command.substr(begin, end - begin);
        width += end - begin;
        begin = end;
    }
    return code;
}

void print_report(const std::string& report, const std::string& what, const std::string& folder) {
    if (!ebb::inspect::Report::interactive())
        fmt::print("The report has still pictures only: {}\n", ebb::inspect::Report::why_static());
    fmt::print("{} are in {}\n", what, folder);
    fmt::print("Report: {}\n", fs::absolute(report).lexically_normal().string());
}

}  // namespace lab
