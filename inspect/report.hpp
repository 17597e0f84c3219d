#pragma once
/// Figures, tables and words bound into one page that a browser opens without a network.

#include <ebb/inspect/figure.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ebb::inspect {

/// How much of the page's width a figure takes. Two halves stand side by side where the screen is wide.
enum class Width { full, half };

/// How a finding of the diagnosis is to be taken.
enum class Severity { good, note, warning, problem };

/// A report: `report.add(figure)` in the order of reading, then `report.save("report.html")`.
///
/// The page is one file that asks for no other. Its figures have sliders, values under the pointer and downloads where
/// Ebb was built with Vega and Cytoscape.js (interactive()); otherwise, on paper, and where scripts are off, it shows
/// the same figures as still pictures. A series keeps its colour through all figures: the colours go by name.
class Report {
  public:
    /// Throws ValueError for an empty title.
    explicit Report(std::string title, std::string subtitle = {});
    Report(const Report& other);
    Report(Report&&) noexcept;
    Report& operator=(Report other) noexcept;
    ~Report();

    /// An entry of the diagnosis, which stands above all else: what was found ("The gradient vanishes: it falls by 10×
    /// every 7 steps"), the numbers that it stands on, and what could be tried. Throws ValueError for an empty finding
    /// or evidence.
    Report& add_finding(Severity severity, std::string finding, std::string evidence, std::string advice = {});

    /// A card of the overview at the top: "half-life of the gradient, tanh", "3.0 steps", "e^(−0.23) a step".
    /// Throws ValueError for an empty label or value.
    Report& add_fact(std::string label, std::string value, std::string detail = {});

    /// A heading and paragraphs, which empty lines part. A paragraph whose lines all begin with four spaces is code,
    /// set as it stands. Throws ValueError when both are empty.
    Report& add_text(std::string title, std::string text);

    /// These throw ValueError for an empty figure or table, as check() says.
    Report& add(LineFigure figure, Width width = Width::full);
    Report& add(HeatMap figure, Width width = Width::full);
    Report& add(GraphFigure figure);
    Report& add(Table table);

    /// The page. Throws ValueError for a report without a figure, table, text or fact.
    std::string html() const;

    /// Writes the page, atomically. Throws as html() does, and FileError where it cannot write.
    void save(const std::string& path) const;

    /// Writes each figure into `folder` as an SVG file named after its title. Gives the paths.
    std::vector<std::string> save_svg(const std::string& folder) const;

    /// Writes the numbers of each figure and table into `folder` as a CSV and a JSON file. Gives the paths.
    std::vector<std::string> save_data(const std::string& folder) const;

    /// True when Ebb was built with Vega and Cytoscape.js.
    static bool interactive();
    /// Why it was not; empty when it was.
    static std::string_view why_static();

  private:
    struct Content;
    std::unique_ptr<Content> content_;
};

}  // namespace ebb::inspect
