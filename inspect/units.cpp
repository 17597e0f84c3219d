#include <ebb/core/error.hpp>
#include <ebb/core/norm.hpp>
#include <ebb/inspect/decay.hpp>
#include <ebb/inspect/probe_series.hpp>
#include <ebb/inspect/units.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <fmt/format.h>

namespace ebb::inspect {
namespace {

/// One time step: values and gradients [B, H], B at most flow.samples; no gradient where nothing flowed.
template <class T>
void add_step(UnitFlow& flow, const T* value, const T* gradient, std::size_t B) {
    const std::size_t H = flow.units;
    std::vector<T> column(B);
    flow.grad_norm.push_back(gradient ? frobenius_norm(gradient, B * H) : 0);
    for (std::size_t b = 0; b < B; ++b)
        flow.sample_grad_norm.push_back(gradient ? frobenius_norm(gradient + b * H, H) : 0);
    flow.sample_grad_norm.resize(flow.grad_norm.size() * flow.samples, std::numeric_limits<double>::quiet_NaN());
    for (std::size_t j = 0; j < H; ++j) {
        double sum = 0;
        std::size_t saturated = 0;
        for (std::size_t b = 0; b < B; ++b) {
            sum += static_cast<double>(value[b * H + j]);
            saturated += std::abs(value[b * H + j]) > T(0.9);
            column[b] = gradient ? gradient[b * H + j] : T(0);
        }
        const double count = static_cast<double>(std::max<std::size_t>(B, 1));
        flow.unit_grad_norm.push_back(frobenius_norm(column.data(), B));
        flow.unit_mean.push_back(sum / count);
        flow.unit_saturation.push_back(static_cast<double>(saturated) / count);
    }
}

/// Notes how large the steps are. They may differ in their rows: sequences end.
void add_shape(UnitFlow& flow, const Shape& shape) {
    if (shape.rank() != 2)
        fail<ShapeError>(fmt::format("unit_flow: {} is {}: expected [B, H]", flow.name, to_string(shape)));
    if (flow.units != 0 && flow.units != shape[1])
        fail<ShapeError>(fmt::format("unit_flow: {} has {} units at one time step and {} at another: expected as many",
                                     flow.name, flow.units, shape[1]));
    flow.units = shape[1];
    flow.samples = std::max(flow.samples, shape[0]);
}

/// nullptr where nothing flowed. Throws TapeError where nothing was kept.
template <class T>
const T* kept_gradient(const Variable<T>& x) {
    const Node<T>& node = x.node();
    if (node.requires_grad && node.retains_gradient) return node.retained_gradient;
    return x.grad().data();  // says why there is none
}

UnitFlow flow_of_input(std::string_view name, std::size_t steps) {
    UnitFlow flow;
    flow.name = name;
    flow.time_step.resize(steps);
    std::iota(flow.time_step.begin(), flow.time_step.end(), 0);
    return flow;
}

}  // namespace

template <class T>
UnitFlow unit_flow(const Tape<T>& tape, std::string_view state) {
    ProbeSeries series = find_series("unit_flow", tape, state);
    UnitFlow flow;
    flow.name = series.name;
    flow.backwards = series.time_step.front() > series.time_step.back();
    if (flow.backwards) {
        std::reverse(series.node.begin(), series.node.end());
        std::reverse(series.time_step.begin(), series.time_step.end());
    }
    flow.time_step = series.time_step;
    for (const NodeIndex index : series.node) add_shape(flow, tape.node(index).shape);
    for (const NodeIndex index : series.node) {
        const Node<T>& node = tape.node(index);
        add_step(flow, node.value, node.retained_gradient, node.shape[0]);
    }
    return flow;
}

template <class T>
UnitFlow unit_flow(const Variable<T>& x, std::string_view name) {
    const Shape& shape = x.shape();
    if (shape.rank() != 3)
        fail<ShapeError>(fmt::format("unit_flow: {} is {}: expected [T, B, I]", name, to_string(shape)));
    UnitFlow flow = flow_of_input(name, shape[0]);
    flow.samples = shape[1];
    flow.units = shape[2];
    const T* const gradient = kept_gradient(x);
    const T* const value = x.tape().contiguous(x);
    const std::size_t size = shape[1] * shape[2];
    for (std::size_t t = 0; t < shape[0]; ++t)
        add_step(flow, value + t * size, gradient ? gradient + t * size : nullptr, shape[1]);
    return flow;
}

template <class T>
UnitFlow unit_flow(const std::vector<Variable<T>>& x, std::string_view name) {
    UnitFlow flow = flow_of_input(name, x.size());
    for (const Variable<T>& x_t : x) add_shape(flow, x_t.shape());
    for (const Variable<T>& x_t : x) add_step(flow, x_t.tape().contiguous(x_t), kept_gradient(x_t), x_t.shape()[0]);
    return flow;
}

template <class T>
UnitGate unit_gate(const Tape<T>& tape, std::string_view gate) {
    GateSeries<T> series = find_gate("unit_gate", tape, gate);
    if (series.time_step.front() > series.time_step.back()) {
        series.blocks.reverse();
        std::reverse(series.time_step.begin(), series.time_step.end());
    }
    const std::size_t H = series.blocks.begin()->first.columns;
    UnitGate result;
    result.name = series.names[0];
    result.time_step = series.time_step;
    result.units = H;
    std::vector<double> log_sum(H, 0.0);
    std::size_t all_rows = 0;
    const auto add = [&](const Block<T>& step) {
        if (step.columns != H)
            fail<ShapeError>(
                fmt::format("unit_gate: {} has {} units at one time step and {} at another: expected as "
                            "many",
                            result.name, H, step.columns));
        all_rows += step.rows;
        for (std::size_t j = 0; j < H; ++j) {
            double sum = 0;
            std::size_t closed = 0, open = 0;
            for (std::size_t b = 0; b < step.rows; ++b) {
                const double f = static_cast<double>(step.data[b * step.stride + j]);
                sum += f;
                closed += f < 0.1;
                open += f > 0.9;
                log_sum[j] += std::log(f);
            }
            const double count = static_cast<double>(std::max<std::size_t>(step.rows, 1));
            result.mean.push_back(sum / count);
            result.closed.push_back(static_cast<double>(closed) / count);
            result.open.push_back(static_cast<double>(open) / count);
        }
    };
    for (const BlockRun<T>& run : series.blocks)
        for (std::size_t k = 0; k < run.steps; ++k) add(run[k]);
    for (const double sum : log_sum) {
        const double factor = std::exp(sum / static_cast<double>(std::max<std::size_t>(all_rows, 1)));
        result.geometric_mean.push_back(factor);
        result.half_life.push_back(std::isnan(factor) ? factor : half_life(factor));
    }
    return result;
}

#define EBB_INSTANTIATE(T)                                                          \
    template UnitFlow unit_flow(const Tape<T>&, std::string_view);                  \
    template UnitFlow unit_flow(const Variable<T>&, std::string_view);              \
    template UnitFlow unit_flow(const std::vector<Variable<T>>&, std::string_view); \
    template UnitGate unit_gate(const Tape<T>&, std::string_view);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb::inspect
