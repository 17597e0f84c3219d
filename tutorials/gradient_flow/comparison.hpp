#pragma once
/// Runs beside each other: those that differ by nothing but the seed are one group, drawn as its median with a band
/// from the smallest to the largest.

#include <ebb/inspect/figure.hpp>
#include <ebb/inspect/report.hpp>

#include <optional>
#include <string>
#include <vector>

#include "gradient_flow/run_files.hpp"

namespace lab {

/// Runs that differ by the seed alone; those that broke down are counted, and have no other part.
struct Group {
    std::string label;                   ///< what parts it from the others: "LSTM, gain 0.5"
    Options options;                     ///< of its first run
    std::vector<const RunRecord*> runs;  ///< that did not break down
    std::size_t failed = 0;
};

/// The options, by name, in which the runs differ; the seed is none of them.
std::vector<std::string> differing_options(const std::vector<RunRecord>& runs);

/// In the order of the runs, which must outlive them.
std::vector<Group> group_runs(const std::vector<RunRecord>& runs);

/// What happens when one option goes through numbers, all else being equal.
struct Scan {
    std::string option;  ///< "gain"
    struct Line {
        std::string label;                 ///< what else is different: "LSTM"
        std::vector<const Group*> groups;  ///< by rising value
        std::vector<double> values;
    };
    std::vector<Line> lines;
};
/// Of every option that has at least three numbers among the groups.
std::vector<Scan> scans_of(const std::vector<Group>& groups);

/// The gain or spectral radius at which a large tanh network at rest neither forgets nor explodes: there the spectral
/// radius of W_hh is 1. N(0, 1/H) and orthogonal matrices have it at gain 1, U(-1/sqrt(H), 1/sqrt(H)), whose variance
/// is 1/(3H), at sqrt(3) (Girko's circular law). Nothing for other options.
std::optional<double> critical_value(const std::string& option, Init init);

// ---- figures and tables

/// ||dL/dh|| over the distance, with a slider over training.
ebb::inspect::LineFigure gradient_figure(const std::vector<Group>& groups);
/// The loss over training, beside the baseline; with several tasks, in units of the baseline.
ebb::inspect::LineFigure loss_figure(const std::vector<Group>& groups);
/// The decay per step against an option, before and after training, with the critical value marked.
ebb::inspect::LineFigure decay_figure(const Scan& scan);
/// The loss at the end against an option.
ebb::inspect::LineFigure final_loss_figure(const Scan& scan);
/// ||dL/dh|| over distance and an option's values, with a slider over training. Nothing where the values are not evenly
/// spaced, or the sequences differ in length.
std::optional<ebb::inspect::HeatMap> gradient_map(const Scan& scan, const Scan::Line& line);
/// A row for each group: what differs, losses, decay.
ebb::inspect::Table groups_table(const std::vector<RunRecord>& runs, const std::vector<Group>& groups);
/// A row for each run: all options and results.
ebb::inspect::Table results_table(const std::vector<RunRecord>& runs);

struct ComparisonText {
    std::string title;
    std::string command;  ///< that makes it again
};
ebb::inspect::Report comparison_report(const std::vector<RunRecord>& runs, const ComparisonText& text);

/// What the terminal prints: a line for each group.
std::string results_text(const std::vector<RunRecord>& runs);

/// Writes the report over runs from several folders. Gives its path.
std::string save_comparison(const std::string& folder, const std::vector<std::string>& compared,
                            const std::vector<RunRecord>& runs);

}  // namespace lab
