#include "gradient_flow/figures.hpp"

#include <ebb/inspect/flow_figures.hpp>
#include <ebb/inspect/health.hpp>
#include <ebb/inspect/number_text.hpp>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "gradient_flow/cliff.hpp"
#include "gradient_flow/report_folder.hpp"
#include <fmt/format.h>

namespace lab {
namespace {

using ebb::inspect::Axis;
using ebb::inspect::format_number;
using ebb::inspect::Frame;
using ebb::inspect::level_line;
using ebb::inspect::LineFigure;
using ebb::inspect::LineStyle;
using ebb::inspect::Report;
using ebb::inspect::Scale;
using ebb::inspect::Series;
using ebb::inspect::Table;
using ebb::inspect::Width;

constexpr std::size_t shown_distances[] = {1, 10, 50, 100};

/// A list over distances 0, 1, ... or time steps 1, 2, ... as a line.
Series line(std::string name, const std::vector<double>& y, std::size_t first = 0) {
    Series series;
    series.name = std::move(name);
    series.y = y;
    for (std::size_t k = 0; k < y.size(); ++k) series.x.push_back(static_cast<double>(k + first));
    return series;
}

Series reference(Series series, std::string like = {}) {
    series.style = LineStyle::reference;
    series.like = std::move(like);
    return series;
}

/// A number for each stop.
template <class Value>
Series over_training(std::string name, const CellResult& result, Value value) {
    Series series;
    series.name = std::move(name);
    for (const Stop& stop : result.stops) {
        series.x.push_back(static_cast<double>(stop.step));
        series.y.push_back(value(stop));
    }
    return series;
}

double last_step(const Experiment& experiment) {
    return static_cast<double>(experiment.cells.front().stops.back().step);
}

const CellResult* find(const Experiment& experiment, Cell cell) {
    for (const CellResult& result : experiment.cells)
        if (result.cell == cell) return &result;
    return nullptr;
}

bool trained(const Experiment& experiment) {
    return experiment.cells.front().stops.size() > 1;
}

/// Fills the frames: for each stop what `add` puts there for each cell.
template <class Add>
void add_frames(LineFigure& figure, const Experiment& experiment, Add add) {
    const std::size_t stops = experiment.cells.front().stops.size();
    for (std::size_t k = 0; k < stops; ++k) {
        Frame frame{static_cast<std::int64_t>(experiment.cells.front().stops[k].step), {}};
        for (const CellResult& result : experiment.cells) add(frame.series, result, result.stops[k]);
        figure.frames.push_back(std::move(frame));
    }
}

/// The smallest norm before and after training, from which an axis begins. In between gradients may fall by another
/// forty orders of magnitude, and an axis that shows that shows nothing else.
template <class Norms>
std::optional<double> smallest_at_ends(const Experiment& experiment, Norms norms) {
    std::optional<double> smallest;
    for (const CellResult& result : experiment.cells)
        for (const Stop* stop : {&result.stops.front(), &result.stops.back()})
            for (const double norm : norms(*stop))
                if (norm > 0 && !(smallest && *smallest <= norm)) smallest = norm;
    return smallest;
}

const Axis distance_axis{.label = "distance T − t from the loss", .unit = "steps"};
const Axis step_axis{.label = "training step"};

std::string sequences_text(const Experiment& experiment) {
    const Subject& subject = experiment.subject;
    return fmt::format("the mean over {} held-out sequence{} of {} {}s", experiment.measured_sequences,
                       experiment.measured_sequences == 1 ? "" : "s", subject.steps, subject.step);
}

}  // namespace

LineFigure gradient_figure(const Experiment& experiment) {
    LineFigure figure;
    figure.title = "Gradient norm through time";
    figure.x = distance_axis;
    figure.y = {.label = "‖∂L/∂hₜ‖", .scale = Scale::log};
    figure.caption = fmt::format(
        "L is the loss of the last target alone, {}: a gradient at distance d has come back d steps. Measured "
        "in double.",
        sequences_text(experiment));
    double largest = 0;
    for (const CellResult& result : experiment.cells)
        for (const Stop& stop : result.stops)
            for (const double norm : stop.flow.hidden)
                if (std::isfinite(norm)) largest = std::max(largest, norm);
    figure.y.min = smallest_at_ends(experiment, [](const Stop& stop) { return stop.flow.hidden; });
    add_frames(figure, experiment, [&](std::vector<Series>& series, const CellResult& result, const Stop& stop) {
        series.push_back(line(title_of(result.cell), stop.flow.hidden));
        if (result.cell != Cell::tanh) return;
        // A bound above 1 soon leaves the picture, and would take the axis with it.
        std::vector<double> allowed = bound(stop.flow);
        const auto end = std::find_if(allowed.begin(), allowed.end(), [&](double y) { return !(y <= 100 * largest); });
        allowed.erase(end, allowed.end());
        if (!allowed.empty()) series.push_back(reference(line("bound for tanh", allowed)));
    });
    if (find(experiment, Cell::tanh))
        figure.caption +=
            " The bound for tanh, the norm at distance 0 times σᵈ with σ the largest singular value of Wₕₕ (Pascanu et "
            "al. 2013), is drawn as far as the picture goes.";
    if (trained(experiment))
        for (const CellResult& result : experiment.cells)
            figure.series.push_back(reference(
                line(fmt::format("{} before training", title_of(result.cell)), result.stops.front().flow.hidden),
                title_of(result.cell)));
    return figure;
}

LineFigure loss_figure(const Experiment& experiment) {
    LineFigure figure;
    figure.title = "Loss over training";
    figure.x = step_axis;
    const Subject& subject = experiment.subject;
    figure.y = {.label = subject.loss, .unit = subject.loss_unit};
    figure.reference_label = "on what was trained on";
    for (const CellResult& result : experiment.cells)
        figure.series.push_back(over_training(title_of(result.cell), result,
                                              [&](const Stop& stop) { return subject.in_units(stop.test.loss); }));
    for (const CellResult& result : experiment.cells)
        figure.series.push_back(
            reference(over_training(fmt::format("{} on what was trained on", title_of(result.cell)), result,
                                    [&](const Stop& stop) { return subject.in_units(stop.training_loss); }),
                      title_of(result.cell)));
    figure.series.push_back(level_line("baseline", subject.baseline.loss, 0, last_step(experiment)));
    figure.caption = fmt::format(
        "On sequences that are held out, and dashed on those that were trained on. The baseline, {}, is {}.",
        format_number(subject.baseline.loss), subject.baseline.of);
    return figure;
}

LineFigure decay_figure(const Experiment& experiment) {
    LineFigure figure;
    figure.title = "Decay per step over training";
    figure.x = step_axis;
    figure.y = {.label = "factor of ‖∂L/∂hₜ‖", .unit = "per step back"};
    for (const CellResult& result : experiment.cells)
        figure.series.push_back(over_training(title_of(result.cell), result, [](const Stop& stop) {
            const std::optional<Decay> decay = fit_decay(stop.flow.hidden);
            return decay ? decay->factor : std::nan("");
        }));
    figure.series.push_back(level_line("neither falls nor grows", 1, 0, last_step(experiment)));
    figure.caption = fmt::format(
        "A line through the logarithm of the norm over the distances {}: below 1 the gradient "
        "vanishes with distance, above 1 it grows.",
        fit_range(experiment));
    return figure;
}

std::optional<LineFigure> recurrent_matrix_figure(const Experiment& experiment) {
    const CellResult* const tanh = find(experiment, Cell::tanh);
    if (!tanh) return std::nullopt;
    LineFigure figure;
    figure.title = "The recurrent matrix of the tanh cell";
    figure.x = step_axis;
    figure.y = {.label = "σ and ρ of Wₕₕ", .min = 0.0};
    figure.series = {
        over_training("largest singular value", *tanh, [](const Stop& s) { return s.flow.largest_singular_value; }),
        over_training("spectral radius", *tanh, [](const Stop& s) { return s.flow.spectral_radius; }),
        level_line("neither falls nor grows", 1, 0, last_step(experiment))};
    figure.caption =
        "A largest singular value below 1 makes every gradient vanish; above 1 it allows growth and does not promise "
        "it. The spectral radius is the long-run factor per step of the same network without tanh.";
    return figure;
}

std::optional<LineFigure> carried_figure(const Experiment& experiment) {
    LineFigure figure;
    figure.title = "What the gates carry by themselves";
    figure.x = distance_axis;
    figure.y = {.label = "norm of the gradient", .scale = Scale::log};
    figure.reference_label = "by the gates alone";
    figure.caption =
        "The gradient of the state that gates carry: the cell state c of an LSTM, the hidden state h of a GRU. Dashed: "
        "what is left of it by the gates' way alone, the gradient at distance 0 times all forget gates (LSTM) or "
        "update "
        "gates (GRU) on the way back, unit by unit. The difference has gone through the recurrent weights, which may "
        "add "
        "to it or cancel some.";
    figure.y.min = smallest_at_ends(experiment, [](const Stop& s) {
        return s.flow.gates_alone.empty() ? std::vector<double>() : s.flow.carried();
    });
    const auto gated = [](const CellResult& result) { return result.cell != Cell::tanh; };
    if (std::none_of(experiment.cells.begin(), experiment.cells.end(), gated)) return std::nullopt;
    add_frames(figure, experiment, [&](std::vector<Series>& series, const CellResult& result, const Stop& stop) {
        if (!gated(result)) return;
        series.push_back(line(title_of(result.cell), stop.flow.carried()));
        series.push_back(
            reference(line(fmt::format("{}, by the gates alone", title_of(result.cell)), stop.flow.gates_alone),
                      title_of(result.cell)));
    });
    return figure;
}

LineFigure gate_figure(const CellResult& result) {
    LineFigure figure;
    figure.title = fmt::format("Gates of the {} through time", title_of(result.cell));
    figure.x = {.label = "time step t"};
    figure.y = {.label = "mean activation", .min = 0.0, .max = 1.0};
    figure.caption =
        result.cell == Cell::lstm
            ? "The mean over sequences and units. The forget gate is the factor of the cell state and of its gradient."
            : "The mean over sequences and units. The update gate z is the factor by which a state is kept, and its "
              "gradient with it; the reset gate is how much of the state the new one may see.";
    for (const Stop& stop : result.stops) {
        Frame frame{static_cast<std::int64_t>(stop.step), {}};
        for (const GateMean& gate : stop.flow.gates) frame.series.push_back(line(gate.name, gate.mean, 1));
        figure.frames.push_back(std::move(frame));
    }
    if (result.stops.size() > 1)
        for (const GateMean& gate : result.stops.front().flow.gates)
            figure.series.push_back(
                reference(line(fmt::format("{} before training", gate.name), gate.mean, 1), gate.name));
    return figure;
}

LineFigure contribution_figure(const Experiment& experiment) {
    LineFigure figure;
    figure.title = "What each step adds to the gradient of Wₕₕ";
    figure.x = distance_axis;
    figure.y = {.label = "‖∂L/∂Wₕₕ at step t‖", .scale = Scale::log};
    figure.caption =
        "The gradient of a recurrent weight is a sum over time steps. Steps whose share is small have no say in what "
        "is "
        "learned, though the sum may be large: this is how a network fails to learn long dependencies.";
    // The first step starts from a state of zeros and adds nothing.
    const auto shares = [](const Stop& stop) {
        std::vector<double> norms = stop.flow.contributions;
        if (norms.size() > 1) norms.pop_back();
        return norms;
    };
    figure.y.min = smallest_at_ends(experiment, shares);
    add_frames(figure, experiment, [&](std::vector<Series>& series, const CellResult& result, const Stop& stop) {
        series.push_back(line(title_of(result.cell), shares(stop)));
    });
    if (trained(experiment))
        for (const CellResult& result : experiment.cells)
            figure.series.push_back(
                reference(line(fmt::format("{} before training", title_of(result.cell)), shares(result.stops.front())),
                          title_of(result.cell)));
    return figure;
}

ebb::inspect::GraphFigure graph_figure(const CellResult& result) {
    ebb::inspect::GraphFigure figure = ebb::inspect::graph_figure(result.close);
    figure.title = fmt::format("The {} unrolled", title_of(result.cell));
    figure.caption =
        "The network with the gradient of the loss L of the last target alone: a step that has no colour of its own "
        "is one that L teaches nothing. An edge is as thick as the gradient that flows back along it.";
    return figure;
}

LineFigure alignment_figure(const Experiment& experiment) {
    LineFigure figure;
    for (const CellResult& result : experiment.cells) {
        LineFigure of_cell = ebb::inspect::alignment_figure(result.close);
        for (Frame& frame : of_cell.frames) frame.series.front().name = title_of(result.cell);
        if (figure.frames.empty()) {
            figure = std::move(of_cell);
            continue;
        }
        for (std::size_t k = 0; k < figure.frames.size(); ++k)
            figure.frames[k].series.push_back(std::move(of_cell.frames[k].series.front()));
    }
    figure.title = "Do the steps agree on the gradient of Wₕₕ?";
    return figure;
}

std::optional<LineFigure> spectra_figure(const Experiment& experiment) {
    LineFigure figure;
    figure.title = "Singular values over distance";
    figure.reference_label = "the middle one";
    for (const CellResult& result : experiment.cells) {
        const auto& spectra = result.close.records.back().spectra;
        if (spectra.empty()) continue;
        LineFigure of_cell = ebb::inspect::singular_value_figure(spectra.front());
        figure.x = of_cell.x;
        figure.y = of_cell.y;
        Series &largest = of_cell.series[0], &median = of_cell.series[1];
        largest.name = title_of(result.cell);
        median.name = fmt::format("{}, the middle one", title_of(result.cell));
        figure.series.push_back(std::move(largest));
        figure.series.push_back(reference(std::move(median), title_of(result.cell)));
    }
    figure.caption =
        "By how much a small change of h so many steps back is stretched on its way to the last h, in the direction "
        "that "
        "is stretched most, and (dashed) in the middle one of all: of the first sequence, after training. A line ends "
        "where rounding begins.";
    if (figure.series.empty()) return std::nullopt;
    return figure;
}

void add_close_looks(Report& report, const Experiment& experiment) {
    report.add(alignment_figure(experiment));
    if (auto figure = spectra_figure(experiment)) report.add(*std::move(figure));
    const auto add = [&](ebb::inspect::HeatMap map, const std::string& what, const CellResult& result) {
        map.title = fmt::format("{}, {}", what, title_of(result.cell));
        report.add(std::move(map), Width::half);
    };
    for (const CellResult& result : experiment.cells) {
        const std::string h = state_of(result.cell), gate = keeping_gate_of(result.cell);
        // Of a single loss it is what the gradient's norm is.
        const auto& triangles = result.close.records.back().triangles;
        if (!triangles.empty() && triangles.front().loss_step.size() > 1)
            add(loss_to_state_map(result.close, h), "Which loss reaches which step", result);
        add(unit_gradient_map(result.close, h), "Gradient by unit", result);
        if (!gate.empty())
            add(unit_gate_map(result.close, gate),
                result.cell == Cell::lstm ? "Forget gate by unit" : "Update gate by unit", result);
    }
    for (const CellResult& result : experiment.cells) report.add(graph_figure(result));
}

std::string half_life_text(const std::optional<Decay>& decay) {
    if (!decay) return "–";
    const std::string steps = format_number(std::abs(decay->half_life()), 2);
    return decay->falls() ? steps : fmt::format("doubles in {}", steps);
}

std::string fit_range(const Experiment& experiment) {
    return fmt::format("1 to {}", std::min(longest_fit, experiment.subject.steps - 1));
}

namespace {

/// The rows of a table: before and after training for each cell.
template <class Row>
void add_rows(Table& table, const Experiment& experiment, Row row) {
    for (const CellResult& result : experiment.cells) {
        table.rows.push_back(row(result, result.stops.front(), "before"));
        if (result.stops.size() > 1) table.rows.push_back(row(result, result.stops.back(), "after"));
    }
}

using Cells = std::vector<ebb::inspect::Cell>;

}  // namespace

Table summary_table(const Experiment& experiment) {
    Table table;
    table.title = "The cells in numbers";
    table.columns = {{"cell"},
                     {"parameters"},
                     {"training"},
                     {"loss, held out", experiment.subject.loss_unit},
                     {"loss, trained on", experiment.subject.loss_unit}};
    std::vector<std::size_t> distances;
    for (const std::size_t d : shown_distances)
        if (d < experiment.subject.steps) distances.push_back(d);
    for (const std::size_t d : distances) table.columns.push_back({fmt::format("‖∂L/∂h‖ at distance {}", d)});
    table.columns.push_back({"half-life", "steps"});
    table.caption = fmt::format(
        "‖∂L/∂h‖ is the norm of the gradient at the hidden state so many steps before the loss of the last target, "
        "{}. The half-life is ln 2 over the rate of decay, by a least-squares line through ln‖∂L/∂h‖ over the "
        "distances "
        "{}; where the gradient grows, it is the distance over which it doubles. The order of the cells depends on "
        "initialisation, sizes, task and seed: repeat with other seeds before you conclude.",
        sequences_text(experiment), fit_range(experiment));
    add_rows(table, experiment, [&](const CellResult& result, const Stop& stop, const char* when) {
        const Subject& subject = experiment.subject;
        Cells cells{title_of(result.cell), static_cast<double>(result.parameter_count), when,
                    subject.in_units(stop.test.loss), subject.in_units(stop.training_loss)};
        for (const std::size_t d : distances) cells.emplace_back(stop.flow.hidden[d]);
        const std::optional<Decay> decay = fit_decay(stop.flow.hidden);
        if (decay && decay->falls())
            cells.emplace_back(decay->half_life());
        else
            cells.emplace_back(half_life_text(decay));
        return cells;
    });
    return table;
}

Table decay_table(const Experiment& experiment) {
    Table table;
    table.title = "Decay per step, and what theory says of it";
    table.columns = {{"cell"},
                     {"training"},
                     {"gradient of"},
                     {"measured factor per step"},
                     {"by the gates alone"},
                     {"mean gate"},
                     {"exp of mean ln gate"},
                     {"largest singular value of Wₕₕ"},
                     {"spectral radius of Wₕₕ"}};
    table.caption = fmt::format(
        "The factor by which the norm changes on each step back, fitted over the distances {}. A gate g on the direct "
        "way multiplies the gradient by g: the forget gate of an LSTM, the update gate of a GRU. So the gates alone "
        "let "
        "it fall by about their mean; by less where gates differ, since the units that are most open outlast the "
        "others. "
        "The measured factor has what goes through the recurrent weights besides. For tanh the factor cannot exceed "
        "the "
        "largest singular value.",
        fit_range(experiment));
    add_rows(table, experiment, [&](const CellResult& result, const Stop& stop, const char* when) {
        const auto factor = [](const std::vector<double>& norms) -> ebb::inspect::Cell {
            const std::optional<Decay> decay = fit_decay(norms);
            if (!decay) return "–";
            return decay->factor;
        };
        const Measurement& flow = stop.flow;
        Cells cells{title_of(result.cell), when, flow.cell_state.empty() ? "h" : "c", factor(flow.carried())};
        if (result.cell == Cell::tanh)
            cells.insert(cells.end(), {"–", "–", "–", flow.largest_singular_value, flow.spectral_radius});
        else
            cells.insert(cells.end(), {factor(flow.gates_alone), flow.mean_gate, flow.geometric_gate, "–", "–"});
        return cells;
    });
    return table;
}

Report make_report(const Experiment& experiment) {
    const Options& options = experiment.options;
    const Subject& subject = experiment.subject;
    Report report("Where the gradient went",
                  options.cells.size() > 1
                      ? fmt::format("Recurrent cells trained side by side to {}", subject.purpose)
                      : fmt::format("A cell ({}) trained to {}", title_of(options.cells.front()), subject.purpose));
    std::vector<ebb::inspect::Finding> findings;
    for (const CellResult& result : experiment.cells)
        for (ebb::inspect::Finding finding : result.findings) {
            // A gated cell need not be told to take one.
            if (finding.ailment == ebb::inspect::Ailment::vanishing && result.cell != Cell::tanh)
                finding.advice = "try a larger --forget-bias, orthogonal recurrent weights, or a loss at more steps";
            findings.push_back(std::move(finding));
        }
    ebb::inspect::add_findings(report, findings);
    for (const CellResult& result : experiment.cells) {
        const Stop& last = result.stops.back();
        const auto after = fit_decay(last.flow.hidden), before = fit_decay(result.stops.front().flow.hidden);
        const char* const what = after && !after->falls() ? "doubling" : "half-life";
        report.add_fact(fmt::format("{}, {}", what, title_of(result.cell)),
                        after ? fmt::format("{} steps", format_number(std::abs(after->half_life()), 2)) : "–",
                        trained(experiment)
                            ? fmt::format("of the gradient; before training {}. Loss {}{}{}", half_life_text(before),
                                          format_number(subject.in_units(last.test.loss)),
                                          subject.loss_unit.empty() ? "" : " ", subject.loss_unit)
                            : "untrained");
    }
    if (const auto& corpus = experiment.corpus)
        report.add_fact("text", ebb::inspect::format_integer(static_cast<double>(corpus->text.size())),
                        fmt::format("characters, {} different ones: {}", corpus->alphabet.size(), corpus->name));
    else
        report.add_fact("baseline", format_number(subject.baseline.loss), subject.baseline.of);
    report.add_fact(
        "hidden units", fmt::format("{}", options.hidden),
        fmt::format(
            "recurrent matrices {}{}{}", name_of(options.init),
            options.gain ? fmt::format(", gain {}", *options.gain) : "",
            options.spectral_radius ? fmt::format(", scaled to spectral radius {}", *options.spectral_radius) : ""));
    report.add_fact("training steps", ebb::inspect::format_integer(static_cast<double>(options.steps)),
                    fmt::format("Adam, learning rate {}, {} sequences of {} {}s, seed {}", options.learning_rate,
                                options.batch, subject.steps, subject.step, options.seed));
    if (!experiment.corpus) report.add_text("What was learned", subject.definition);

    report.add(gradient_figure(experiment));
    report.add(summary_table(experiment));
    report.add(loss_figure(experiment), Width::half);
    report.add(decay_figure(experiment), Width::half);
    if (auto figure = carried_figure(experiment)) report.add(*std::move(figure));
    for (const CellResult& result : experiment.cells)
        if (!result.stops.front().flow.gates.empty()) report.add(gate_figure(result), Width::half);
    auto matrix = recurrent_matrix_figure(experiment);
    report.add(contribution_figure(experiment), matrix ? Width::half : Width::full);
    if (matrix) report.add(*std::move(matrix), Width::half);
    report.add(cliff_map());
    add_close_looks(report, experiment);
    report.add(decay_table(experiment));
    report.add_text("To repeat this run", "In the folder of Ebb:\n\n" + as_code(experiment.command));
    return report;
}

}  // namespace lab
