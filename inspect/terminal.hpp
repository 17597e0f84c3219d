#pragma once
/// Line figures in a terminal, in braille dots or in plain ASCII.

#include <ebb/inspect/figure.hpp>

#include <cstddef>
#include <cstdio>
#include <optional>
#include <string>

namespace ebb::inspect {

struct TerminalOptions {
    std::size_t width = 80;   // characters, at least 40
    std::size_t height = 20;  // lines of the plot itself, at least 4
    bool unicode = true;
    bool colour = false;
    std::optional<std::size_t> frame = {};  // which stop of the slider; the last one where not given
};

/// What suits `out`: the terminal's width, at most 100 (80 where it is none); Unicode where the locale says UTF-8;
/// colours where it is a terminal that has them and NO_COLOR is unset.
TerminalOptions terminal_options(std::FILE* out = stdout);

/// The figure as lines of text, each ended by a newline. Each series has its own colour or, without colours, its own
/// mark at its points; the legend below says which. Throws ValueError for an empty figure or too small a size.
std::string to_terminal(const LineFigure& figure, const TerminalOptions& options = {});

}  // namespace ebb::inspect
