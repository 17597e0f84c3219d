#include <ebb/core/error.hpp>
#include <ebb/inspect/flow_figures.hpp>
#include <ebb/inspect/number_text.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace ebb::inspect {
namespace {

const Axis time_axis{.label = "time step t"};
const Axis step_axis{.label = "training step"};

/// Numbers at time steps as a line.
Series line(std::string name, const std::vector<std::int32_t>& time_step, const std::vector<double>& y) {
    Series series{.name = std::move(name), .x = {}, .y = y};
    series.x.assign(time_step.begin(), time_step.end());
    return series;
}

[[noreturn]] void fail_empty(const char* call, const FlowHistory& history) {
    fail<ValueError>(
        fmt::format("{}: none of the {} records of the history holds what it draws", call, history.records.size()));
}

/// A frame for each record in which `add` finds lines.
template <class Add>
void add_frames(const char* call, LineFigure& figure, const FlowHistory& history, Add add) {
    for (const FlowRecord& record : history.records) {
        Frame frame{record.facts.step, {}};
        add(frame.series, record);
        if (!frame.series.empty()) figure.frames.push_back(std::move(frame));
    }
    if (figure.frames.empty()) fail_empty(call, history);
}

/// The maps of the records as one with a slider: `map` makes that of a record, or nothing.
template <class Map>
HeatMap with_slider(const char* call, const FlowHistory& history, Map map) {
    std::optional<HeatMap> whole;
    for (const FlowRecord& record : history.records) {
        std::optional<HeatMap> one = map(record);
        if (!one) continue;
        MapFrame frame{record.facts.step, std::exchange(one->values, {})};
        if (!whole)
            whole = std::move(one);
        else if (whole->x_at != one->x_at || whole->y_at != one->y_at)
            fail<ValueError>(fmt::format(
                "{}: \"{}\": step {} has other rows or columns than step {}: expected the same in all records", call,
                whole->title, record.facts.step, whole->frames.front().step));
        else if (one->value.min)
            whole->value.min = std::min(*whole->value.min, *one->value.min);
        whole->frames.push_back(std::move(frame));
    }
    if (!whole) fail_empty(call, history);
    // In between gradients may fall by many more powers of ten, and a scale that shows that shows nothing else.
    if (whole->value.scale == Scale::log && !whole->value.min) {
        const Drawn first = count_drawn(whole->value, whole->frames.front().values),
                    last = count_drawn(whole->value, whole->frames.back().values);
        double low = std::numeric_limits<double>::infinity(), high = 0;
        for (const Drawn& drawn : {first, last})
            if (drawn.drawn > 0) low = std::min(low, drawn.low), high = std::max(high, drawn.high);
        if (high > 0) whole->value.min = std::max(low, 1e-60 * high);
    }
    return *std::move(whole);
}

/// The measure of a list that has this name in `member`; null where none has.
template <class Measure>
const Measure* find(const std::vector<Measure>& measures, std::string Measure::*member, std::string_view name) {
    for (const Measure& measure : measures)
        if (measure.*member == name) return &measure;
    return nullptr;
}

/// A line over training for each name that `each` calls its second argument with: (name, value).
template <class Each>
void add_over_training(const char* call, LineFigure& figure, const FlowHistory& history, Each each) {
    for (const FlowRecord& record : history.records)
        each(record, [&](const std::string& name, double value) {
            auto found = std::find_if(figure.series.begin(), figure.series.end(),
                                      [&](const Series& series) { return series.name == name; });
            if (found == figure.series.end()) {
                figure.series.push_back({.name = name, .x = {}, .y = {}});
                found = figure.series.end() - 1;
            }
            found->x.push_back(static_cast<double>(record.facts.step));
            found->y.push_back(value);
        });
    if (figure.series.empty()) fail_empty(call, history);
}

/// A dashed line at one height, as far as the others go.
Series level_line(std::string name, double y, const std::vector<Series>& others) {
    double from = std::numeric_limits<double>::infinity(), to = -from;
    for (const Series& other : others) {
        const auto [low, high] = std::minmax_element(other.x.begin(), other.x.end());
        from = std::min(from, *low);
        to = std::max(to, *high);
    }
    return inspect::level_line(std::move(name), y, from, to);
}

double middle_of(const StepInterval& interval) {
    return (static_cast<double>(interval.first_step) + static_cast<double>(interval.last_step)) / 2;
}

std::vector<double> counted_from_zero(std::size_t count) {
    std::vector<double> places(count);
    for (std::size_t k = 0; k < count; ++k) places[k] = static_cast<double>(k);
    return places;
}

/// The cells of a map over time and units from numbers [T, units].
void fill_by_unit(HeatMap& map, const std::vector<std::int32_t>& time_step, std::size_t units,
                  const std::vector<double>& numbers) {
    // Rows of a map rise, and so must its columns: a cell that reads backwards has computed its last step first.
    std::vector<std::size_t> order(time_step.size());
    for (std::size_t t = 0; t < order.size(); ++t) order[t] = t;
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return time_step[a] < time_step[b]; });
    for (const std::size_t t : order) map.x_at.push_back(time_step[t]);
    for (std::size_t unit = 0; unit < units; ++unit)
        for (const std::size_t t : order) map.values.push_back(numbers[t * units + unit]);
}

/// A figure of cosines through time, without its lines.
LineFigure cosines(std::string title) {
    return {.title = std::move(title),
            .caption =
                "The cosine between what a step adds to the gradient of the weight and the whole of it: 1 pulls "
                "with the others, −1 against them, 0 has no say.",
            .x = time_axis,
            .y = {.label = "cosine with the whole gradient", .min = -1.0, .max = 1.0},
            .series = {},
            .frames = {}};
}

/// The density of a histogram at the middle of each bin: its area is the part of the numbers that are in bins.
Series density(std::string name, const Histogram& histogram) {
    Series series{.name = std::move(name), .x = {}, .y = {}};
    double all = static_cast<double>(histogram.zeros + histogram.nonfinite);
    for (const std::size_t count : histogram.count) all += static_cast<double>(count);
    for (std::size_t bin = 0; bin < histogram.count.size(); ++bin) {
        series.x.push_back((histogram.edge(bin) + histogram.edge(bin + 1)) / 2);
        series.y.push_back(static_cast<double>(histogram.count[bin]) / (all * histogram.width()));
    }
    return series;
}

/// A frame of densities for each record. A histogram of equal numbers has no width, and no density.
void add_densities(const char* call, LineFigure& figure, const FlowHistory& history,
                   Histogram ParameterRecord::*which) {
    add_frames(call, figure, history, [&](std::vector<Series>& lines, const FlowRecord& record) {
        for (const ParameterRecord& parameter : record.parameters)
            if ((parameter.*which).width() > 0) lines.push_back(density(parameter.name, parameter.*which));
    });
}

}  // namespace

LineFigure gradient_norm_figure(const FlowHistory& history) {
    LineFigure figure{.title = "Gradient norm through time",
                      .caption =
                          "The norm of the gradient at the state of each time step, over batch and units. A "
                          "straight line on this scale is a gradient that changes by one factor at every step.",
                      .x = time_axis,
                      .y = {.label = "‖∂L/∂hₜ‖", .scale = Scale::log},
                      .series = {},
                      .frames = {}};
    add_frames("gradient_norm_figure", figure, history, [](std::vector<Series>& lines, const FlowRecord& record) {
        for (const StateFlow& state : record.states)
            if (!state.time_step.empty()) lines.push_back(line(state.name, state.time_step, state.grad_norm));
    });
    return figure;
}

LineFigure contribution_figure(const FlowHistory& history) {
    LineFigure figure{.title = "What each step adds to the gradient of a weight",
                      .caption =
                          "The gradient of a recurrent weight is a sum over time steps. Steps whose share is "
                          "small have no say in what is learned, though the sum may be large.",
                      .x = time_axis,
                      .y = {.label = "‖∂L/∂W at step t‖", .scale = Scale::log},
                      .series = {},
                      .frames = {}};
    add_frames("contribution_figure", figure, history, [](std::vector<Series>& lines, const FlowRecord& record) {
        for (const WeightContributions& share : record.contributions)
            if (!share.time_step.empty()) lines.push_back(line(share.parameter, share.time_step, share.norm));
    });
    return figure;
}

LineFigure gate_figure(const FlowHistory& history) {
    LineFigure figure{.title = "Gates through time",
                      .caption =
                          "The mean activation over batch and units. A gate near 1 lets its state, and the "
                          "gradient of it, pass; one near 0 holds both back.",
                      .x = time_axis,
                      .y = {.label = "mean activation"},
                      .series = {},
                      .frames = {}};
    add_frames("gate_figure", figure, history, [](std::vector<Series>& lines, const FlowRecord& record) {
        for (const GateFlow& gate : record.gates)
            if (!gate.time_step.empty()) lines.push_back(line(gate.name, gate.time_step, gate.mean));
    });
    return figure;
}

LineFigure loss_figure(const FlowHistory& history) {
    if (history.intervals.empty()) fail<ValueError>("loss_figure: the history has no steps");
    LineFigure figure{.title = "Loss over training",
                      .caption = "The mean over neighbouring steps; dashed the largest loss among them.",
                      .x = step_axis,
                      .y = {.label = "loss"},
                      .series = {},
                      .frames = {},
                      .frame_label = "training step",
                      .reference_label = "largest"};
    Series mean{.name = "loss", .x = {}, .y = {}};
    Series largest{.name = "largest loss", .x = {}, .y = {}, .style = LineStyle::reference, .like = "loss"};
    for (const StepInterval& interval : history.intervals) {
        for (Series* series : {&mean, &largest}) series->x.push_back(middle_of(interval));
        mean.y.push_back(interval.mean_loss);
        largest.y.push_back(interval.largest_loss);
    }
    figure.series = {std::move(mean), std::move(largest)};
    return figure;
}

LineFigure clipping_figure(const FlowHistory& history) {
    if (history.intervals.empty()) fail<ValueError>("clipping_figure: the history has no steps");
    LineFigure figure{
        .title = "Clipped steps",
        .caption = fmt::format("The part of neighbouring steps whose gradient was clipped. Of all {} steps "
                               "there were {}.",
                               format_integer(static_cast<double>(history.steps)),
                               format_integer(static_cast<double>(history.clipped_steps))),
        .x = step_axis,
        .y = {.label = "part of the steps that were clipped", .min = 0.0, .max = 1.0},
        .series = {{.name = "clipped", .x = {}, .y = {}}},
        .frames = {}};
    for (const StepInterval& interval : history.intervals) {
        figure.series[0].x.push_back(middle_of(interval));
        figure.series[0].y.push_back(static_cast<double>(interval.clipped) / static_cast<double>(interval.steps));
    }
    return figure;
}

LineFigure update_ratio_figure(const FlowHistory& history) {
    LineFigure figure{.title = "Updates against weights",
                      .caption =
                          "By what part of its own norm a step changes each weight. About 10⁻³ is usual where a "
                          "training goes well.",
                      .x = step_axis,
                      .y = {.label = "‖Δw‖ / ‖w‖", .scale = Scale::log},
                      .series = {},
                      .frames = {}};
    add_over_training("update_ratio_figure", figure, history, [](const FlowRecord& record, const auto& add) {
        for (const ParameterRecord& parameter : record.parameters) add(parameter.name, parameter.update_ratio);
    });
    figure.series.push_back(level_line("usual", 1e-3, figure.series));
    return figure;
}

LineFigure spectral_radius_figure(const FlowHistory& history) {
    LineFigure figure{.title = "Spectral radius of the recurrent weights",
                      .caption = "The largest |eigenvalue| of each block of a recurrent weight, gate by gate.",
                      .x = step_axis,
                      .y = {.label = "spectral radius ρ"},
                      .series = {},
                      .frames = {}};
    add_over_training("spectral_radius_figure", figure, history, [](const FlowRecord& record, const auto& add) {
        for (const ParameterRecord& parameter : record.parameters)
            for (std::size_t k = 0; k < parameter.spectral_radius.size(); ++k)
                add(parameter.spectral_radius.size() == 1 ? parameter.name
                                                          : fmt::format("{}, block {}", parameter.name, k),
                    parameter.spectral_radius[k]);
    });
    return figure;
}

LineFigure weight_histogram_figure(const FlowHistory& history) {
    LineFigure figure{.title = "How the weights are spread",
                      .caption =
                          "The density of each weight's elements. One that grows two far humps saturates its "
                          "units; one that stays as it was drawn has learned nothing.",
                      .x = {.label = "value of an element"},
                      .y = {.label = "density", .min = 0.0},
                      .series = {},
                      .frames = {}};
    add_densities("weight_histogram_figure", figure, history, &ParameterRecord::values);
    return figure;
}

LineFigure gradient_histogram_figure(const FlowHistory& history) {
    LineFigure figure{.title = "How the gradients are spread",
                      .caption =
                          "The density of log₁₀ |∂L/∂w| over each weight's elements. The whole moves left where "
                          "gradients vanish. Exact zeros have no logarithm: they are missing from the area.",
                      .x = {.label = "log₁₀ |∂L/∂w|"},
                      .y = {.label = "density", .unit = "per power of ten", .min = 0.0},
                      .series = {},
                      .frames = {}};
    add_densities("gradient_histogram_figure", figure, history, &ParameterRecord::gradients);
    return figure;
}

LineFigure alignment_figure(const FlowHistory& history) {
    LineFigure figure = cosines("Do the steps agree?");
    add_frames("alignment_figure", figure, history, [](std::vector<Series>& lines, const FlowRecord& record) {
        for (const ContributionAlignment& alignment : record.alignments)
            if (!alignment.time_step.empty())
                lines.push_back(line(alignment.parameter, alignment.time_step, alignment.cosine));
    });
    return figure;
}

LineFigure singular_value_figure(const FlowHistory& history, std::string_view state) {
    LineFigure figure;
    add_frames("singular_value_figure", figure, history, [&](std::vector<Series>& lines, const FlowRecord& record) {
        const JacobianSpectrum* const spectrum = find(record.spectra, &JacobianSpectrum::state, state);
        if (!spectrum) return;
        LineFigure of_record = singular_value_figure(*spectrum);
        lines = std::exchange(of_record.series, {});
        of_record.frames = std::move(figure.frames);
        figure = std::move(of_record);
    });
    return figure;
}

HeatMap unit_gradient_map(const FlowHistory& history, std::string_view state) {
    return with_slider("unit_gradient_map", history, [&](const FlowRecord& record) {
        const UnitFlow* const flow = find(record.units, &UnitFlow::name, state);
        return flow ? std::optional(unit_gradient_map(*flow)) : std::nullopt;
    });
}

HeatMap unit_gate_map(const FlowHistory& history, std::string_view gate) {
    return with_slider("unit_gate_map", history, [&](const FlowRecord& record) {
        const UnitGate* const units = find(record.unit_gates, &UnitGate::name, gate);
        return units ? std::optional(unit_gate_map(*units)) : std::nullopt;
    });
}

HeatMap loss_to_state_map(const FlowHistory& history, std::string_view state) {
    return with_slider("loss_to_state_map", history, [&](const FlowRecord& record) {
        const LossToState* const triangle = find(record.triangles, &LossToState::state, state);
        return triangle ? std::optional(loss_to_state_map(*triangle)) : std::nullopt;
    });
}

HeatMap loss_surface_map(const FlowHistory& history) {
    return with_slider("loss_surface_map", history, [&](const FlowRecord& record) {
        return record.surface ? std::optional(loss_surface_map(*record.surface)) : std::nullopt;
    });
}

GraphFigure graph_figure(const FlowHistory& history) {
    GraphFigure figure{.title = "The network unrolled",
                       .caption =
                           "Each step, and what flows back through it: the colour of a node is the norm of the "
                           "gradient there, an edge is as thick as the gradient that flows back along it.",
                       .graph = history.graph};
    for (const FlowRecord& record : history.records)
        if (record.graph) figure.frames.push_back({record.facts.step, *record.graph});
    if (figure.frames.empty()) fail_empty("graph_figure", history);
    // The record of the last graph may have been thinned out.
    figure.graph = graph_of(figure);
    return figure;
}

LineFigure alignment_figure(const ContributionAlignment& alignment) {
    LineFigure figure = cosines(fmt::format("Do the steps agree? {}", alignment.parameter));
    figure.series = {line(alignment.parameter, alignment.time_step, alignment.cosine)};
    return figure;
}

HeatMap unit_gradient_map(const UnitFlow& flow) {
    HeatMap map{.title = fmt::format("Gradient by unit, {}", flow.name),
                .caption =
                    "The norm over the batch of the gradient at each unit and time step. A dark row is a unit "
                    "that learns nothing, a dark column a step that no loss reaches.",
                .x = time_axis,
                .y = {.label = "unit"},
                .value = {.label = "‖∂L/∂hₜ‖", .scale = Scale::log},
                .x_at = {},
                .y_at = counted_from_zero(flow.units),
                .values = {}};
    fill_by_unit(map, flow.time_step, flow.units, flow.unit_grad_norm);
    return map;
}

HeatMap unit_gate_map(const UnitGate& gate) {
    HeatMap map{
        .title = fmt::format("Activation by unit, {}", gate.name),
        .caption =
            "The mean of the gate over the batch, at each unit and time step. A bright row of a forget or update "
            "gate is a unit that keeps its state, and lets the gradient of it pass.",
        .x = time_axis,
        .y = {.label = "unit"},
        .value = {.label = "mean activation", .min = 0.0, .max = 1.0},
        .x_at = {},
        .y_at = counted_from_zero(gate.units),
        .values = {}};
    if (std::any_of(gate.mean.begin(), gate.mean.end(), [](double mean) { return mean < 0; }))
        map.value.min = -1;  // a gate of tanh
    fill_by_unit(map, gate.time_step, gate.units, gate.mean);
    return map;
}

HeatMap loss_to_state_map(const LossToState& flow) {
    HeatMap map{.title = "Which loss reaches which step",
                .caption = fmt::format("Row k is the loss at step k, column t the state {} that its gradient has come "
                                       "back to. Down a column: which losses teach step t.",
                                       flow.state),
                .x = time_axis,
                .y = {.label = "loss at step k", .reversed = true},
                .value = {.label = "‖∂Lₖ/∂hₜ‖", .scale = Scale::log},
                .x_at = {},
                .y_at = {},
                .values = {}};
    map.sparse = true;
    map.x_at.assign(flow.time_step.begin(), flow.time_step.end());
    for (std::size_t k = 0; k < flow.loss_step.size(); ++k) {
        if (flow.loss_step[k] < 0) continue;
        map.y_at.push_back(flow.loss_step[k]);
        for (std::size_t t = 0; t < flow.time_step.size(); ++t)
            map.values.push_back(flow.time_step[t] > flow.loss_step[k] ? std::nan("") : flow(k, t));
    }
    const double gap = map.y_at.size() > 1 ? map.y_at[1] - map.y_at[0] : 1;
    for (std::size_t k = 0; k < map.y_at.size(); ++k)
        if (gap <= 0 || map.y_at[k] != map.y_at[0] + gap * static_cast<double>(k)) {
            map.y_at = counted_from_zero(map.y_at.size());
            map.y.label = "number of the loss";
            map.caption = fmt::format(
                "Row k is loss number k, column t the state {} that its gradient has come back to.", flow.state);
            break;
        }
    return map;
}

LineFigure singular_value_figure(const JacobianSpectrum& spectrum, const std::vector<double>& bound) {
    const std::size_t steps = spectrum.product.size();
    if (steps == 0) fail<ValueError>("singular_value_figure: the spectrum has no steps");
    if (!bound.empty() && bound.size() != steps)
        fail<ValueError>(fmt::format("singular_value_figure: the bound has {} numbers: expected {}, one for each step",
                                     bound.size(), steps));
    LineFigure figure{.title = fmt::format("Singular values over distance, {}", spectrum.state),
                      .caption =
                          "By how much a small change of the state so many steps back is stretched on its way to "
                          "the last state, in the direction that is stretched most, least, and the middle one.",
                      .x = {.label = "distance to the last step", .unit = "steps"},
                      .y = {.label = "singular values of ∂h(T)/∂h(t)", .scale = Scale::log},
                      .series = {},
                      .frames = {}};
    Series largest{.name = "largest", .x = {}, .y = {}}, median{.name = "median", .x = {}, .y = {}},
        smallest{.name = "smallest", .x = {}, .y = {}};
    Series limit{.name = "bound", .x = {}, .y = {}, .style = LineStyle::reference};
    const auto add = [](Series& series, std::size_t distance, double value) {
        series.x.push_back(static_cast<double>(distance));
        series.y.push_back(value);
    };
    for (std::size_t distance = 0; distance < steps; ++distance) {
        const std::vector<double>& values = spectrum.product[steps - 1 - distance].singular_values;
        const double rounding = 1e-16 * values.front();
        const double middle = values[values.size() / 2], last = values.back();
        add(largest, distance, values.front());
        if (middle > rounding && median.x.size() == distance) add(median, distance, middle);
        if (last > rounding && smallest.x.size() == distance) add(smallest, distance, last);
        if (!bound.empty()) add(limit, distance, bound[steps - 1 - distance]);
    }
    figure.series = {std::move(largest), std::move(median), std::move(smallest)};
    if (!bound.empty()) figure.series.push_back(std::move(limit));
    return figure;
}

LineFigure lyapunov_figure(const LyapunovSpectrum& spectrum, std::size_t most) {
    if (spectrum.running.empty()) fail<ValueError>("lyapunov_figure: the spectrum has no steps");
    LineFigure figure{.title = "Lyapunov exponents",
                      .caption =
                          "The running estimate: the mean rate at which small deviations grow (above 0) or "
                          "shrink (below 0), direction by direction.",
                      .x = {.label = "steps counted"},
                      .y = {.label = "exponent", .unit = "per step"},
                      .series = {},
                      .frames = {}};
    const std::size_t count = std::min(most, spectrum.running.front().size());
    for (std::size_t i = 0; i < count; ++i) {
        Series series{.name = fmt::format("λ{}", i + 1), .x = {}, .y = {}};
        for (std::size_t k = 0; k < spectrum.running.size(); ++k) {
            series.x.push_back(static_cast<double>(k + 1));
            series.y.push_back(spectrum.running[k][i]);
        }
        figure.series.push_back(std::move(series));
    }
    figure.series.push_back(level_line("neither grows nor shrinks", 0, figure.series));
    return figure;
}

HeatMap loss_surface_map(const LossSurface& surface) {
    HeatMap map{.title = "Loss surface",
                .caption =
                    "The loss along two directions from the present weights, which stand at (0, 0). Where lines of "
                    "equal loss crowd, there is a cliff: one step of the optimiser may be thrown far away.",
                .x = {.label = "α, along the first direction"},
                .y = {.label = "β, along the second direction"},
                .value = {.label = "loss"},
                .x_at = surface.alpha,
                .y_at = surface.beta,
                .values = surface.loss};
    map.contours = 9;
    return map;
}

}  // namespace ebb::inspect
