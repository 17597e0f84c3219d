#include "support/command_line.hpp"

#include <ebb/core/error.hpp>

#include <algorithm>
#include <ostream>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace tutorial {

bool parse_command_line(CLI::App& app, const std::vector<std::string>& arguments, std::ostream& help) {
    try {
        std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
        app.parse(std::move(reversed));
        return true;
    } catch (const CLI::CallForHelp&) {
        help << app.help();
        return false;
    } catch (const CLI::ArgumentMismatch&) {
        ebb::fail<ebb::ValueError>(fmt::format("{}: {} has no value: expected one after it: --help lists all options",
                                               app.get_name(), arguments.back()));
    } catch (const CLI::ParseError& error) {
        std::string message = error.what();
        std::replace(message.begin(), message.end(), '\n', ' ');
        ebb::fail<ebb::ValueError>(fmt::format("{}: {}: --help lists the options", app.get_name(), message));
    }
}

}  // namespace tutorial
