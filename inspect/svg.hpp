#pragma once
/// Figures as SVG, for slides and papers, drawn without a browser.

#include <ebb/inspect/figure.hpp>

#include <cstddef>
#include <optional>
#include <string>

namespace ebb::inspect {

enum class Theme {
    automatic,  // light, and dark where the viewer prefers dark and reads CSS
    light,
    dark,
    page,  // within a page, which gives it title, background and, by its style sheet, colours
};

struct SvgOptions {
    std::size_t width = 720;  // in px, at least 240
    std::size_t height = 400;
    Theme theme = Theme::automatic;
    std::optional<std::size_t> frame = {};  // which stop of the slider; the last one where not given
};

/// One `<svg>` element, well-formed XML. Throws ValueError for an empty figure or a picture too small to hold it, and
/// IndexError for a frame that the figure does not have.
std::string to_svg(const LineFigure& figure, const SvgOptions& options = {});
/// Of more than 20,000 cells those that would be smaller than 3 px are drawn in blocks, each as its largest value.
std::string to_svg(const HeatMap& figure, const SvgOptions& options = {});
/// Node by node up to a dozen time steps or so, where they fit; else each step of a cell as one node, or as a bar where
/// there are many. In a graph of single numbers each node shows its value and its gradient. A graph has no frames.
std::string to_svg(const GraphFigure& figure, const SvgOptions& options = {});

/// Writes the picture, atomically. Throws FileError where it cannot.
void save_svg(const std::string& path, const LineFigure& figure, const SvgOptions& options = {});
void save_svg(const std::string& path, const HeatMap& figure, const SvgOptions& options = {});
void save_svg(const std::string& path, const GraphFigure& figure, const SvgOptions& options = {});

}  // namespace ebb::inspect
