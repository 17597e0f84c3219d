#pragma once
/// What the programs' command lines have in common.

#include <iosfwd>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace tutorial {

/// Reads the arguments. Gives false where help was asked for, which is then on `help`. Throws ebb::ValueError, in one
/// line that begins with the name of `app`, for what does not fit.
bool parse_command_line(CLI::App& app, const std::vector<std::string>& arguments, std::ostream& help);

}  // namespace tutorial
