#include <ebb/core/blas.hpp>
#include <ebb/core/error.hpp>
#include <ebb/inspect/gradient_flow.hpp>

#include <algorithm>
#include <cmath>
#include <span>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace ebb::inspect {
namespace {

template <class T>
double norm_of(const T* data, std::size_t size) {
    // In double also for float: squares of small gradients would fall below what a float can hold.
    double sum = 0;
    for (std::size_t k = 0; k < size; ++k) sum += static_cast<double>(data[k]) * static_cast<double>(data[k]);
    return std::sqrt(sum);
}

/// What comes before the last dot: the name of the module.
std::string_view module_of(std::string_view name) {
    const std::size_t dot = name.rfind('.');
    return dot == std::string_view::npos ? std::string_view() : name.substr(0, dot);
}

std::string joined(std::string_view module, std::string_view name) {
    return module.empty() ? std::string(name) : fmt::format("{}.{}", module, name);
}

/// Finds the entry of a cell and a name, or adds one with a name of its own.
template <class Flow>
class Entries {
  public:
    explicit Entries(std::vector<Flow>& flows) : flows_(flows) {}

    Flow& of(StepOwner owner, const void* key, std::string_view module, std::string_view name) {
        if (last_ && last_owner_ == owner && last_key_ == key) return flows_[last_ - 1];
        const auto [place, added] = places_.try_emplace({owner, std::string(name)}, flows_.size());
        if (added) {
            const std::string wanted = joined(module, name);
            std::string unique = wanted;
            for (int count = 2;
                 std::any_of(flows_.begin(), flows_.end(), [&](const Flow& f) { return f.name == unique; }); ++count)
                unique = fmt::format("{} ({})", wanted, count);
            flows_.emplace_back().name = unique;
        }
        last_ = place->second + 1;
        last_owner_ = owner;
        last_key_ = key;
        return flows_[place->second];
    }

  private:
    std::vector<Flow>& flows_;
    std::map<std::pair<StepOwner, std::string>, std::size_t> places_;
    std::size_t last_ = 0;
    StepOwner last_owner_ = 0;
    const void* last_key_ = nullptr;
};

template <class T>
void add_gate(GateFlow& flow, std::int32_t time_step, const T* data, std::size_t rows, std::size_t columns,
              std::size_t stride) {
    double sum = 0;
    std::size_t closed = 0, open = 0;
    for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t j = 0; j < columns; ++j) {
            const double v = static_cast<double>(data[r * stride + j]);
            sum += v;
            closed += v < 0.1;
            open += v > 0.9;
        }
    const double count = static_cast<double>(std::max<std::size_t>(rows * columns, 1));
    flow.time_step.push_back(time_step);
    flow.mean.push_back(sum / count);
    flow.closed.push_back(static_cast<double>(closed) / count);
    flow.open.push_back(static_cast<double>(open) / count);
}

template <class Flow>
const Flow& find(const std::vector<Flow>& flows, std::string_view name, const char* what) {
    for (const Flow& flow : flows)
        if (flow.name == name) return flow;
    std::vector<std::string> names;
    for (const Flow& flow : flows) names.push_back(flow.name);
    fail<ValueError>(fmt::format("GradientFlow: no {} is called {}: the tape has {}", what, name,
                                 names.empty() ? std::string("none") : fmt::format("{}", fmt::join(names, ", "))));
}

}  // namespace

template <class T>
const StateFlow& GradientFlow<T>::operator[](std::string_view name) const {
    return find(states_, name, "state");
}

template <class T>
const GateFlow& GradientFlow<T>::gate(std::string_view name) const {
    return find(gates_, name, "gate");
}

template <class T>
GradientFlow<T> gradient_flow(const Tape<T>& tape) {
    GradientFlow<T> flow;
    Entries<StateFlow> states(flow.states_);
    Entries<GateFlow> gates(flow.gates_);
    std::map<StepOwner, std::string> modules;
    std::vector<NodeIndex> gate_nodes;
    for (NodeIndex index = 0; index < tape.size(); ++index) {
        const Node<T>& node = tape.node(index);
        if (node.intermediate) gate_nodes.push_back(index);
        if (!node.probe) continue;
        const std::string& name = node.name.text();
        const std::string_view module = module_of(name);
        if (node.time_step == 0 || !modules.contains(node.step_owner)) modules[node.step_owner] = module;
        StateFlow& state =
            states.of(node.step_owner, &name, module, name.substr(module.empty() ? 0 : module.size() + 1));
        const std::size_t size = node.shape.size();
        state.time_step.push_back(node.time_step);
        state.grad_norm.push_back(node.retained_gradient ? norm_of(node.retained_gradient, size) : 0);
        state.value_norm.push_back(norm_of(node.value, size));
        std::size_t saturated = 0;
        for (std::size_t k = 0; k < size; ++k) saturated += std::abs(node.value[k]) > T(0.9);
        state.saturation.push_back(static_cast<double>(saturated) /
                                   static_cast<double>(std::max<std::size_t>(size, 1)));
        if (!node.operation) continue;
        for (const Intermediate<T>& gate : node.operation->intermediates(tape, node))
            add_gate(gates.of(node.step_owner, gate.name.data(), module, gate.name), node.time_step, gate.data,
                     gate.rows, gate.columns, gate.stride);
    }
    // The gates of a cell in elementary operations are nodes of their own, recorded before its state.
    for (const NodeIndex index : gate_nodes) {
        const Node<T>& node = tape.node(index);
        const std::string& name = node.name.text();
        add_gate(gates.of(node.step_owner, &name, modules[node.step_owner], name), node.time_step, node.value, 1,
                 node.shape.size(), node.shape.size());
    }
    return flow;
}

template <class T>
WeightContributions weight_contributions(const Tape<T>& tape, const Parameter<T>& parameter) {
    using Share = typename Tape<T>::Share;
    const std::span<const Share> shares = tape.shares(parameter);
    if (shares.empty())
        fail<ValueError>(
            fmt::format("weight_contributions: {} has none on this tape: expected it to be used in a matrix product, "
                        "and a backward pass",
                        parameter.name()));
    // One entry a step, since a share may cover many steps.
    std::map<std::int32_t, std::vector<Share>> by_step;
    for (const Share& share : shares) {
        const std::size_t rows = share.rows / share.time_steps;
        for (std::size_t t = 0; t < share.time_steps; ++t) {
            Share step = share;
            step.rows = rows;
            step.delta += t * rows * share.delta_stride;
            if (step.x) step.x += t * rows * share.x_stride;
            by_step[share.first_time_step + static_cast<std::int32_t>(t)].push_back(step);
        }
    }
    const std::size_t size = parameter.size();
    const std::size_t columns = parameter.shape().back();
    const std::size_t rows_of_weight = size / std::max<std::size_t>(columns, 1);
    WeightContributions result;
    result.parameter = parameter.name();
    std::vector<T> product, x_gram, delta_gram;
    for (const auto& [time_step, step_shares] : by_step) {
        result.time_step.push_back(time_step);
        const Share& first = step_shares.front();
        const std::size_t x_columns = first.transposed ? rows_of_weight : columns;
        const std::size_t delta_columns = first.transposed ? columns : rows_of_weight;
        const std::size_t B = first.rows;
        // ||x' delta||^2 = <x x', delta delta'>: for a small batch two products of [B, B] cost less than one of the
        // weight's size.
        if (step_shares.size() == 1 && first.x && B * (x_columns + delta_columns) < x_columns * delta_columns) {
            x_gram.resize(B * B);
            delta_gram.resize(B * B);
            gemm(Transpose::no, Transpose::yes, B, B, x_columns, T(1), first.x, first.x_stride, first.x, first.x_stride,
                 T(0), x_gram.data(), B);
            gemm(Transpose::no, Transpose::yes, B, B, delta_columns, T(1), first.delta, first.delta_stride, first.delta,
                 first.delta_stride, T(0), delta_gram.data(), B);
            double squared = 0;
            for (std::size_t k = 0; k < B * B; ++k)
                squared += static_cast<double>(x_gram[k]) * static_cast<double>(delta_gram[k]);
            result.norm.push_back(std::sqrt(std::max(squared, 0.0)));
            continue;
        }
        product.assign(size, T(0));
        for (const Share& s : step_shares) {
            if (!s.x)
                for (std::size_t r = 0; r < s.rows; ++r)
                    for (std::size_t j = 0; j < columns; ++j) product[j] += s.delta[r * s.delta_stride + j];
            else if (s.transposed)
                gemm(Transpose::yes, Transpose::no, rows_of_weight, columns, s.rows, T(1), s.x, s.x_stride, s.delta,
                     s.delta_stride, T(1), product.data(), columns);
            else
                gemm(Transpose::yes, Transpose::no, rows_of_weight, columns, s.rows, T(1), s.delta, s.delta_stride, s.x,
                     s.x_stride, T(1), product.data(), columns);
        }
        result.norm.push_back(norm_of(product.data(), size));
    }
    return result;
}

#define EBB_INSTANTIATE(T)                                  \
    template class GradientFlow<T>;                         \
    template GradientFlow<T> gradient_flow(const Tape<T>&); \
    template WeightContributions weight_contributions(const Tape<T>&, const Parameter<T>&);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb::inspect
