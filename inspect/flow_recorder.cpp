#include <ebb/core/decompositions.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/norm.hpp>
#include <ebb/inspect/flow_recorder.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

namespace ebb::inspect {
namespace {

/// rho of each block of H rows of a weight [G H, H]; NaN for a block with NaN or infinity.
template <class T>
std::vector<double> spectral_radii(const Array<T>& weight) {
    const std::size_t H = weight.shape(1);
    std::vector<double> radii;
    for (const T* rows = weight.data(); rows != weight.data() + weight.size(); rows += H * H) {
        Array<T> block = Array<T>::from_shape({H, H});
        std::copy_n(rows, H * H, block.data());
        const bool finite = std::all_of(rows, rows + H * H, [](T v) { return std::isfinite(v); });
        radii.push_back(finite ? linalg::spectral_radius(block) : std::numeric_limits<double>::quiet_NaN());
    }
    return radii;
}

StepInterval joined(const StepInterval& a, const StepInterval& b) {
    const double steps = static_cast<double>(a.steps + b.steps);
    const double of_a = static_cast<double>(a.steps) / steps, of_b = static_cast<double>(b.steps) / steps;
    // NaN must show: std::max would lose it in one of its places.
    const auto larger = [](double x, double y) { return std::isnan(y) ? y : std::max(x, y); };
    return {.first_step = a.first_step,
            .last_step = b.last_step,
            .steps = a.steps + b.steps,
            .clipped = a.clipped + b.clipped,
            .mean_loss = of_a * a.mean_loss + of_b * b.mean_loss,
            .largest_loss = larger(a.largest_loss, b.largest_loss),
            .mean_grad_norm = of_a * a.mean_grad_norm + of_b * b.mean_grad_norm,
            .largest_grad_norm = larger(a.largest_grad_norm, b.largest_grad_norm)};
}

}  // namespace

template <class T>
FlowRecorder<T>::FlowRecorder(std::vector<Parameter<T>> parameters, FlowRecorderOptions options)
    : parameters_(std::move(parameters)), options_(std::move(options)) {
    for (std::size_t k = 0; k < parameters_.size(); ++k)
        if (!parameters_[k].defined())
            fail<ValueError>(fmt::format("FlowRecorder: parameter {} is default-constructed: expected a weight", k));
    if (options_.every < 0)
        fail<ValueError>(fmt::format("FlowRecorder: every is {}: expected 0 or more", options_.every));
    if (options_.max_records == 0) fail<ValueError>("FlowRecorder: max_records is 0: expected at least 1");
    if (options_.max_intervals < 2)
        fail<ValueError>(fmt::format("FlowRecorder: max_intervals is {}: expected at least 2", options_.max_intervals));
}

template <class T>
bool FlowRecorder<T>::is_recurrent(const Parameter<T>& parameter) const {
    const Shape& shape = parameter.shape();
    return parameter.name().find(options_.recurrent) != std::string::npos && shape.rank() == 2 && shape[1] > 0 &&
           shape[0] % shape[1] == 0;
}

template <class T>
bool FlowRecorder<T>::records(std::int64_t step) const {
    return (options_.every > 0 && step % options_.every == 0) ||
           std::find(options_.at.begin(), options_.at.end(), step) != options_.at.end();
}

template <class T>
void FlowRecorder<T>::after_backward(Tape<T>& tape, const StepFacts& facts) {
    if (history_.steps > 0 && facts.step <= history_.intervals.back().last_step)
        fail<ValueError>(fmt::format("FlowRecorder: step {} comes after step {}: expected rising steps", facts.step,
                                     history_.intervals.back().last_step));
    awaits_step_ = records(facts.step);
    if (awaits_step_) {
        history_.records.push_back(look(tape, facts));
        thin_out();
        awaits_step_ = history_.records.back().facts.step == facts.step;
    }
    is_recorded_ = awaits_step_;
    if (awaits_step_) {
        values_before_.resize(parameters_.size());
        for (std::size_t k = 0; k < parameters_.size(); ++k) values_before_[k] = parameters_[k].value();
    }
    count(facts);
}

template <class T>
void FlowRecorder<T>::add(UnrolledGraph graph) {
    if (!is_recorded_) return;
    FlowRecord& record = history_.records.back();
    if (!history_.graph.nodes.empty())
        if (const std::string what = difference(graph, history_.graph); !what.empty())
            fail<ValueError>(
                fmt::format("FlowRecorder: the graph of step {} is not the network of the graphs before: {}",
                            record.facts.step, what));
    record.graph = numbers_of(graph);
    history_.graph = std::move(graph);
}

template <class T>
void FlowRecorder<T>::add(LossToState triangle) {
    if (!is_recorded_) return;
    triangle.gradient.clear();
    history_.records.back().triangles.push_back(std::move(triangle));
}

template <class T>
void FlowRecorder<T>::add(LossSurface surface) {
    if (is_recorded_) history_.records.back().surface = std::move(surface);
}

template <class T>
void FlowRecorder<T>::add(JacobianSpectrum spectrum) {
    if (is_recorded_) history_.records.back().spectra.push_back(std::move(spectrum));
}

template <class T>
void FlowRecorder<T>::after_step() {
    if (!std::exchange(awaits_step_, false)) return;
    for (std::size_t k = 0; k < parameters_.size(); ++k) {
        ParameterRecord& record = history_.records.back().parameters[k];
        Array<T>& difference = values_before_[k];
        const T* const value = parameters_[k].value().data();
        for (std::size_t i = 0; i < difference.size(); ++i) difference.data()[i] = value[i] - difference.data()[i];
        if (record.value_norm > 0)
            record.update_ratio = frobenius_norm(difference.data(), difference.size()) / record.value_norm;
    }
}

template <class T>
FlowRecord FlowRecorder<T>::look(Tape<T>& tape, const StepFacts& facts) const {
    FlowRecord record;
    record.facts = facts;
    const GradientFlow<T> flow = gradient_flow(tape);
    record.states = flow.states();
    record.gates = flow.gates();
    std::vector<Parameter<T>> recurrent;
    for (const Parameter<T>& parameter : parameters_) {
        record.parameters.push_back(look(parameter));
        if (is_recurrent(parameter) && !tape.shares(parameter).empty()) recurrent.push_back(parameter);
    }
    record.contributions = weight_contributions(tape, recurrent);
    if (options_.alignment)
        for (const Parameter<T>& parameter : recurrent)
            record.alignments.push_back(contribution_alignment(tape, parameter));
    for (const std::string& state : options_.units) record.units.push_back(unit_flow(tape, state));
    for (const std::string& gate : options_.unit_gates) record.unit_gates.push_back(unit_gate(tape, gate));
    for (const std::string& state : options_.spectra) record.spectra.push_back(jacobian_spectrum(tape, state));
    return record;
}

template <class T>
ParameterRecord FlowRecorder<T>::look(const Parameter<T>& parameter) const {
    const T* const value = parameter.value().data();
    const T* const gradient = parameter.grad().data();
    ParameterRecord record;
    record.name = parameter.name();
    record.value_norm = frobenius_norm(value, parameter.size());
    record.grad_norm = frobenius_norm(gradient, parameter.size());
    if (options_.histograms) {
        record.values = histogram(value, parameter.size());
        record.gradients = log_histogram(gradient, parameter.size());
    }
    if (is_recurrent(parameter)) record.spectral_radius = spectral_radii(parameter.value());
    return record;
}

template <class T>
void FlowRecorder<T>::thin_out() {
    while (options_.every > 0) {
        const auto is_thinned = [&](const FlowRecord& record) {
            const std::int64_t step = record.facts.step;
            return std::find(options_.at.begin(), options_.at.end(), step) == options_.at.end();
        };
        const auto thinned = std::count_if(history_.records.begin(), history_.records.end(), is_thinned);
        if (static_cast<std::size_t>(thinned) <= options_.max_records) return;
        options_.every *= 2;
        std::erase_if(history_.records, [&](const FlowRecord& record) {
            return is_thinned(record) && record.facts.step % options_.every != 0;
        });
    }
}

template <class T>
void FlowRecorder<T>::count(const StepFacts& facts) {
    ++history_.steps;
    history_.clipped_steps += facts.clipped;
    const StepInterval now{facts.step,      facts.step,     1, facts.clipped, facts.loss, facts.loss,
                           facts.grad_norm, facts.grad_norm};
    std::vector<StepInterval>& intervals = history_.intervals;
    if (!intervals.empty() && intervals.back().steps < interval_steps_)
        intervals.back() = joined(intervals.back(), now);
    else
        intervals.push_back(now);
    if (intervals.size() <= options_.max_intervals) return;
    std::vector<StepInterval> halved;
    for (std::size_t k = 0; k + 1 < intervals.size(); k += 2) halved.push_back(joined(intervals[k], intervals[k + 1]));
    if (intervals.size() % 2 != 0) halved.push_back(intervals.back());
    intervals = std::move(halved);
    interval_steps_ *= 2;
}

template class FlowRecorder<float>;
template class FlowRecorder<double>;

}  // namespace ebb::inspect
