#include <ebb/core/error.hpp>
#include <ebb/inspect/decay.hpp>
#include <ebb/inspect/health.hpp>
#include <ebb/inspect/number_text.hpp>
#include <ebb/inspect/probe_series.hpp>
#include <ebb/inspect/report.hpp>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <utility>

#include <fmt/format.h>

namespace ebb::inspect {
namespace {

/// "10⁻⁶", "2 × 10⁻⁶".
std::string power_text(double value) {
    const std::string text = format_number(value, 1), one = "1 × ";
    return text.starts_with(one) ? text.substr(one.size()) : text;
}

/// As a sentence of its own.
std::string sentence(std::string text) {
    if (!text.empty()) text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
    return text + ".";
}

constexpr const char* advice_vanishing =
    "try a gated cell (LSTM, GRU), a forget-gate bias of 1 or chrono initialisation, orthogonal recurrent weights, or "
    "a loss at more steps";
constexpr const char* advice_exploding =
    "clip the gradient's norm, lower the learning rate, or start from smaller recurrent weights";
constexpr const char* advice_not_finite =
    "find the operation by detect_anomaly(true); a smaller learning rate and clipping the gradient's norm keep numbers "
    "in range";
constexpr const char* advice_no_gradient =
    "call backward first, on a loss that depends on this state; look for detach() and NoGrad on the way";
constexpr const char* advice_saturated =
    "start from smaller weights, scale the inputs to mean 0 and variance 1, or normalise the layer";
constexpr const char* advice_dead = "lower the learning rate, use tanh or leaky_relu in place of relu, or fewer units";
constexpr const char* advice_clipped = "lower the learning rate, or raise the norm that gradients are clipped to";

/// ||dL/dh|| at the time steps, seen from the state that was computed last: d = 0. From there the gradient goes back.
struct Curve {
    const std::string& name;
    const std::vector<std::int32_t>& time_step;
    const std::vector<double>& norm;
    bool backwards;

    std::size_t steps() const { return norm.size(); }
    std::size_t place(std::size_t d) const { return backwards ? d : steps() - 1 - d; }
    double at(std::size_t d) const { return norm[place(d)]; }
    std::int32_t time(std::size_t d) const { return time_step[place(d)]; }
    std::vector<double> by_distance() const {
        return backwards ? norm : std::vector<double>(norm.rbegin(), norm.rend());
    }
};

std::string tenfold(const std::optional<Decay>& decay, const char* verb) {
    if (!decay) return fmt::format("the gradient {}", verb);
    return fmt::format("the gradient {} by 10× every {} steps", verb, format_number(std::abs(decay->tenth_life()), 2));
}

void diagnose_curve(const Curve& curve, const HealthThresholds& thresholds, std::vector<Finding>& findings) {
    if (curve.steps() == 0) return;
    for (std::size_t d = 0; d < curve.steps(); ++d)
        if (!std::isfinite(curve.at(d))) {
            findings.push_back({Ailment::not_finite, curve.name,
                                fmt::format("the gradient is {} at time step {}, {} from the last",
                                            format_number(curve.at(d)), curve.time(d), counted(d, "step", "steps")),
                                advice_not_finite});
            return;
        }
    const std::vector<double> norm = curve.by_distance();
    const auto largest = static_cast<std::size_t>(std::max_element(norm.begin(), norm.end()) - norm.begin());
    if (norm[largest] == 0) {
        findings.push_back({Ailment::no_gradient, curve.name, "no gradient has reached it", advice_no_gradient});
        return;
    }

    std::size_t nearest = 0;
    while (norm[nearest] == 0) ++nearest;
    if (norm[largest] >= thresholds.growth * norm[nearest]) {
        const auto decay = fit_decay(norm, {.first = nearest, .longest = largest});
        const bool grows = decay && !decay->falls();
        findings.push_back({Ailment::exploding, curve.name,
                            fmt::format("{} on its way back: its norm is {} at t = {} and {} at t = {}",
                                        tenfold(grows ? decay : std::nullopt, "grows"), format_number(norm[nearest]),
                                        curve.time(nearest), format_number(norm[largest]), curve.time(largest)),
                            advice_exploding});
    }

    const std::size_t horizon = *memory_horizon(norm, thresholds.negligible);
    if (horizon + 1 < norm.size()) {
        const auto decay = fit_decay(norm, {.first = largest, .longest = horizon});
        const bool falls = decay && decay->falls();
        findings.push_back({Ailment::vanishing, curve.name,
                            fmt::format("{}: steps {} t = {} get less than {} of it, {} of {}",
                                        tenfold(falls ? decay : std::nullopt, "falls"),
                                        curve.backwards ? "after" : "before", curve.time(horizon),
                                        power_text(thresholds.negligible), norm.size() - 1 - horizon, norm.size()),
                            advice_vanishing});
    }
}

/// "3 of 64 units (0, 5, 17)": the first few by number.
std::string some_units(const std::vector<std::size_t>& units, std::size_t all) {
    std::string numbers;
    constexpr std::size_t shown = 5;
    for (std::size_t k = 0; k < units.size() && k < shown; ++k)
        numbers += (k == 0 ? "" : ", ") + std::to_string(units[k]);
    if (units.size() > shown) numbers += ", …";
    return fmt::format("{} of {} units ({})", units.size(), all, numbers);
}

void diagnose_units(const UnitFlow& flow, const HealthThresholds& thresholds, std::vector<Finding>& findings) {
    const std::size_t T = flow.time_step.size(), H = flow.units;
    if (T == 0 || H == 0) return;
    std::vector<std::size_t> saturated, dead;
    for (std::size_t j = 0; j < H; ++j) {
        double sum = 0;
        bool reached = false;
        for (std::size_t t = 0; t < T; ++t) {
            sum += flow.unit_saturation[t * H + j];
            reached |= flow.unit_grad_norm[t * H + j] != 0;
        }
        if (sum / static_cast<double>(T) >= thresholds.saturated) saturated.push_back(j);
        if (!reached) dead.push_back(j);
    }
    const double limit = thresholds.units * static_cast<double>(H);
    if (static_cast<double>(saturated.size()) > limit)
        findings.push_back({Ailment::saturated_units, flow.name,
                            fmt::format("{} stand beyond ±0.9 at {} % of all steps or more", some_units(saturated, H),
                                        format_number(100 * thresholds.saturated)),
                            advice_saturated});
    if (static_cast<double>(dead.size()) > limit && dead.size() < H)
        findings.push_back({Ailment::dead_units, flow.name,
                            fmt::format("{} get no gradient at any step", some_units(dead, H)), advice_dead});
}

struct Headline {
    Severity severity;
    const char* text;
};

Headline headline_of(Ailment ailment) {
    switch (ailment) {
        case Ailment::not_finite:
            return {Severity::problem, "NaN or infinity"};
        case Ailment::no_gradient:
            return {Severity::problem, "no gradient"};
        case Ailment::vanishing:
            return {Severity::warning, "the gradient vanishes"};
        case Ailment::exploding:
            return {Severity::warning, "the gradient explodes"};
        case Ailment::saturated_units:
            return {Severity::warning, "units are saturated"};
        case Ailment::dead_units:
            return {Severity::warning, "units are dead"};
        case Ailment::often_clipped:
            return {Severity::note, "clipped more often than not"};
    }
    return {Severity::note, ""};
}

template <class Values>
bool all_finite(const Values& values) {
    return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

/// Whether the states themselves are numbers: nothing else can be said of them if not.
bool diagnose_values(const std::string& name, const std::vector<std::int32_t>& time_step,
                     const std::vector<double>& values, std::vector<Finding>& findings) {
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (std::isfinite(values[i])) continue;
        const std::size_t step = i * time_step.size() / values.size();
        findings.push_back({Ailment::not_finite, name,
                            fmt::format("the state holds NaN or infinity at time step {}", time_step[step]),
                            advice_not_finite});
        return false;
    }
    return true;
}

}  // namespace

std::vector<Finding> diagnose(const UnitFlow& flow, const HealthThresholds& thresholds) {
    std::vector<Finding> findings;
    if (!diagnose_values(flow.name, flow.time_step, flow.unit_mean, findings)) return findings;
    diagnose_curve({flow.name, flow.time_step, flow.grad_norm, flow.backwards}, thresholds, findings);
    diagnose_units(flow, thresholds, findings);
    return findings;
}

std::vector<Finding> diagnose(const StateFlow& flow, const HealthThresholds& thresholds) {
    std::vector<Finding> findings;
    if (!diagnose_values(flow.name, flow.time_step, flow.value_norm, findings)) return findings;
    diagnose_curve({flow.name, flow.time_step, flow.grad_norm, flow.backwards}, thresholds, findings);
    return findings;
}

template <class T>
std::vector<Finding> diagnose(const Tape<T>& tape, const std::vector<Parameter<T>>& parameters,
                              const HealthThresholds& thresholds) {
    std::vector<Finding> findings;
    for (const ProbeSeries& series : all_series(tape).states) {
        const std::vector<Finding> of_state = diagnose(unit_flow(tape, series.name), thresholds);
        findings.insert(findings.end(), of_state.begin(), of_state.end());
    }
    for (const Parameter<T>& parameter : parameters) {
        const auto add = [&](const char* what) {
            findings.push_back({Ailment::not_finite, parameter.name(), fmt::format("{} holds NaN or infinity", what),
                                advice_not_finite});
        };
        if (!all_finite(parameter.value())) add("the weight");
        if (!all_finite(parameter.grad())) add("its gradient");
    }
    return findings;
}

std::vector<Finding> diagnose(const FlowHistory& history, const HealthThresholds& thresholds) {
    std::vector<Finding> findings;
    for (const StepInterval& interval : history.intervals)
        // The loss or the norm is NaN also where the loop did not give it: then all of them are.
        if (std::isinf(interval.largest_loss) || std::isinf(interval.largest_grad_norm)) {
            findings.push_back(
                {Ailment::not_finite, "training",
                 fmt::format("the loss or the norm of the gradients was infinite between steps {} and {}",
                             interval.first_step, interval.last_step),
                 advice_not_finite});
            break;
        }
    if (history.steps > 0 &&
        static_cast<double>(history.clipped_steps) > thresholds.clipped * static_cast<double>(history.steps))
        findings.push_back(
            {Ailment::often_clipped, "training",
             fmt::format("the gradient was clipped at {} of {} steps", history.clipped_steps, history.steps),
             advice_clipped});
    if (history.records.empty()) return findings;
    const FlowRecord& last = history.records.back();
    for (const StateFlow& state : last.states) {
        const auto with_units = std::find_if(last.units.begin(), last.units.end(),
                                             [&](const UnitFlow& flow) { return flow.name == state.name; });
        const std::vector<Finding> of_state =
            with_units != last.units.end() ? diagnose(*with_units, thresholds) : diagnose(state, thresholds);
        findings.insert(findings.end(), of_state.begin(), of_state.end());
    }
    for (const ParameterRecord& parameter : last.parameters)
        if (!std::isfinite(parameter.value_norm) || !std::isfinite(parameter.grad_norm))
            findings.push_back({Ailment::not_finite, parameter.name, "the weight or its gradient holds NaN or infinity",
                                advice_not_finite});
    return findings;
}

void add_findings(Report& report, const std::vector<Finding>& findings) {
    if (findings.empty())
        report.add_finding(Severity::good, "Nothing found",
                           "No gradient vanishes or explodes, no unit is dead or saturated, all numbers are finite.");
    for (const Finding& finding : findings) {
        const Headline headline = headline_of(finding.ailment);
        report.add_finding(headline.severity, fmt::format("{}: {}", finding.subject, headline.text),
                           sentence(finding.evidence), sentence(finding.advice));
    }
}

std::string to_string(const Finding& finding) {
    return fmt::format("{}: {}; {}", finding.subject, finding.evidence, finding.advice);
}

template std::vector<Finding> diagnose(const Tape<float>&, const std::vector<Parameter<float>>&,
                                       const HealthThresholds&);
template std::vector<Finding> diagnose(const Tape<double>&, const std::vector<Parameter<double>>&,
                                       const HealthThresholds&);

}  // namespace ebb::inspect
