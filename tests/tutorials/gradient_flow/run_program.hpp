#pragma once
/// The demo as a user meets it: what it prints, where, and its exit code.

#include <ebb/core/file.hpp>

#include <cstdlib>
#include <string>

#include "support/temporary_folder.hpp"
#include <sys/wait.h>

struct Ended {
    int code;
    std::string output, errors;
};

/// `arguments` are for the shell: quote what needs it; `before` is what it does first.
inline Ended gradient_flow(const TemporaryFolder& folder, const std::string& arguments,
                           const std::string& before = {}) {
    const std::string output = folder / "stdout", errors = folder / "stderr";
    const std::string command = before + "'" + EBB_PROGRAM_DIR + "/gradient_flow' " + arguments + " >'" + output +
                                "' 2>'" + errors + "' </dev/null";
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, ebb::read_file(output), ebb::read_file(errors)};
}
