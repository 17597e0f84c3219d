#include <ebb/core/blas.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/norm.hpp>
#include <ebb/inspect/gradient_flow.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <span>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace ebb::inspect {
namespace {

/// A matrix of a share. Where products of its elements could leave the range of T, a copy of it times a power of two:
/// what was given is 2^exponent times data.
template <class T>
class Operand {
  public:
    Operand(const T* data, std::size_t rows, std::size_t columns, std::size_t stride)
        : data_(data), rows_(rows), columns_(columns), stride_(stride) {
        if (!data) return;  // ones
        largest_ = 0;
        for (std::size_t r = 0; r < rows; ++r)
            for (std::size_t j = 0; j < columns; ++j) {
                const T element = std::abs(data[r * stride + j]);
                if (!std::isnan(largest_) && !(element <= largest_)) largest_ = static_cast<double>(element);
            }
        if (largest_ == 0 || !std::isfinite(largest_)) return;
        // Near enough to 1: neither squares nor sums of them come near the ends of the range.
        if (std::abs(std::ilogb(largest_)) <= std::numeric_limits<T>::max_exponent / 6) return;
        exponent_ = std::ilogb(largest_);
        copy_.reserve(rows * columns);
        for (std::size_t r = 0; r < rows; ++r)
            for (std::size_t j = 0; j < columns; ++j) copy_.push_back(std::scalbn(data[r * stride + j], -exponent_));
        data_ = copy_.data();
        stride_ = columns;
    }
    Operand(const Operand&) = delete;
    Operand& operator=(const Operand&) = delete;

    const T* data() const { return data_; }  // nullptr for ones
    std::size_t rows() const { return rows_; }
    std::size_t columns() const { return columns_; }
    std::size_t stride() const { return stride_; }
    int exponent() const { return exponent_; }
    double largest() const { return largest_; }  // of what was given

  private:
    const T* data_;
    std::size_t rows_, columns_, stride_;
    int exponent_ = 0;
    double largest_ = 1;
    std::vector<T> copy_;
};

/// ||x' delta||, by ||x' delta||^2 = <x x', delta delta'>: for a small batch two products of [B, B] cost less than one
/// of the weight's size.
template <class T>
double norm_by_grams(const Operand<T>& x, const Operand<T>& delta) {
    const std::size_t B = x.rows();
    std::vector<T> grams(2 * B * B);
    const auto gram = [B](const Operand<T>& a, T* into) {
        gemm(Transpose::no, Transpose::yes, B, B, a.columns(), T(1), a.data(), a.stride(), a.data(), a.stride(), T(0),
             into, B);
    };
    gram(x, grams.data());
    gram(delta, grams.data() + B * B);
    double squared = 0;
    for (std::size_t k = 0; k < B * B; ++k)
        squared += static_cast<double>(grams[k]) * static_cast<double>(grams[B * B + k]);
    return std::scalbn(std::sqrt(std::max(squared, 0.0)), x.exponent() + delta.exponent());
}

/// ||sum x' delta|| over the shares of one time step in the gradient of a weight [rows, columns]. `sum` is scratch.
template <class T>
double norm_of_sum(std::span<const typename Tape<T>::Share> shares, std::size_t rows, std::size_t columns,
                   std::vector<T>& sum) {
    std::optional<int> exponent;  // the sum so far is 2^exponent times `sum`
    for (const auto& share : shares) {
        const bool left_is_delta = share.x && !share.transposed;
        const Operand<T> x(share.x, share.rows, left_is_delta ? columns : rows, share.x_stride);
        const Operand<T> delta(share.delta, share.rows, left_is_delta ? rows : columns, share.delta_stride);
        if (x.largest() * delta.largest() == 0) continue;
        if (shares.size() == 1 && x.data() && share.rows * (x.columns() + delta.columns()) < rows * columns)
            return norm_by_grams(x, delta);
        const int own = x.exponent() + delta.exponent(), common = std::max(own, exponent.value_or(own));
        const T alpha = std::scalbn(T(1), own - common), beta = std::scalbn(T(1), exponent.value_or(common) - common);
        if (!exponent) sum.assign(rows * columns, T(0));
        exponent = common;
        if (!x.data()) {
            for (T& element : sum) element *= beta;
            for (std::size_t r = 0; r < delta.rows(); ++r)
                for (std::size_t j = 0; j < columns; ++j) sum[j] += alpha * delta.data()[r * delta.stride() + j];
            continue;
        }
        const Operand<T>& left = left_is_delta ? delta : x;
        const Operand<T>& right = left_is_delta ? x : delta;
        gemm(Transpose::yes, Transpose::no, rows, columns, share.rows, alpha, left.data(), left.stride(), right.data(),
             right.stride(), beta, sum.data(), columns);
    }
    return exponent ? std::scalbn(frobenius_norm(sum.data(), sum.size()), *exponent) : 0;
}

/// What comes before the last dot: the name of the module.
std::string_view module_of(std::string_view name) {
    const std::size_t dot = name.rfind('.');
    return dot == std::string_view::npos ? std::string_view() : name.substr(0, dot);
}

std::string joined(std::string_view module, std::string_view name) {
    return module.empty() ? std::string(name) : fmt::format("{}.{}", module, name);
}

/// The state from which `node` was computed: the first probe of the same cell and name on the way back from it.
template <class T>
std::optional<NodeIndex> state_before(const Tape<T>& tape, NodeIndex index) {
    const Node<T>& node = tape.node(index);
    // A further output, the c of a fused LSTM, has the inputs of the node that it belongs to.
    while (tape.node(index).further_output) --index;
    std::vector<NodeIndex> seen{index};
    for (std::size_t next = 0; next < seen.size(); ++next) {
        const Node<T>& at = tape.node(seen[next]);
        if (next > 0 && at.probe) {
            if (at.step_owner == node.step_owner && at.name.text() == node.name.text()) return seen[next];
            continue;
        }
        for (std::size_t i = 0; i < at.input_count; ++i)
            if (std::find(seen.begin(), seen.end(), tape.input(at, i)) == seen.end()) seen.push_back(tape.input(at, i));
    }
    return std::nullopt;
}

/// Adds an entry of this name, or of "name (2)", "name (3)" where it is taken. Gives its place.
template <class Flow>
std::size_t add_entry(std::vector<Flow>& flows, const std::string& name) {
    std::string unique = name;
    const auto taken = [&](const Flow& flow) { return flow.name == unique; };
    for (int count = 2; std::any_of(flows.begin(), flows.end(), taken); ++count)
        unique = fmt::format("{} ({})", name, count);
    flows.emplace_back().name = unique;
    return flows.size() - 1;
}

/// The entries of the states: one for each cell, name and run. A step that comes once more begins another run.
template <class T>
class StateEntries {
  public:
    StateEntries(const Tape<T>& tape, std::vector<StateFlow>& flows) : tape_(tape), flows_(flows) {}

    /// The place of the entry that a probe belongs to. The probes must come in the order of the tape.
    std::size_t of(NodeIndex index, std::string_view module, std::string_view name) {
        std::vector<Run>& runs = runs_[{tape_.node(index).step_owner, name}];
        Run* run = find(runs, index);
        if (!run) run = &runs.emplace_back(Run{add_entry(flows_, joined(module, name)), index});
        run->last_node = index;
        return run->place;
    }

  private:
    struct Run {
        std::size_t place;
        NodeIndex last_node;
    };

    Run* find(std::vector<Run>& runs, NodeIndex index) const {
        const std::int32_t t = tape_.node(index).time_step;
        // Forwards, or backwards as half of a bidirectional layer goes.
        const auto goes_on = [&](const Run& run) {
            const std::vector<std::int32_t>& steps = flows_[run.place].time_step;
            if (steps.size() < 2) return t != steps.back();
            return steps.front() < steps.back() ? t > steps.back() : t < steps.back();
        };
        if (runs.size() > 1)  // they may take turns, step by step
            if (const std::optional<NodeIndex> before = state_before(tape_, index))
                for (Run& run : runs)
                    if (run.last_node == *before && goes_on(run)) return &run;
        return !runs.empty() && goes_on(runs.back()) ? &runs.back() : nullptr;
    }

    const Tape<T>& tape_;
    std::vector<StateFlow>& flows_;
    std::map<std::pair<StepOwner, std::string_view>, std::vector<Run>> runs_;
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

/// Turns the lists of a run that went backwards in time.
void make_ascend(std::vector<std::int32_t>& time_step, std::vector<double>& a, std::vector<double>& b,
                 std::vector<double>& c) {
    if (time_step.front() <= time_step.back()) return;
    std::reverse(time_step.begin(), time_step.end());
    for (std::vector<double>* list : {&a, &b, &c}) std::reverse(list->begin(), list->end());
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
    StateEntries<T> states(tape, flow.states_);
    std::map<std::pair<std::size_t, std::string_view>, std::size_t> gates;  // by the place of their state, and name
    const auto gate_of = [&](std::size_t state, std::string_view module, std::string_view name) -> GateFlow& {
        const auto [place, added] = gates.try_emplace({state, name}, 0);
        if (added) place->second = add_entry(flow.gates_, joined(module, name));
        return flow.gates_[place->second];
    };
    std::vector<NodeIndex> waiting_gates;
    for (NodeIndex index = 0; index < tape.size(); ++index) {
        const Node<T>& node = tape.node(index);
        if (node.intermediate) waiting_gates.push_back(index);
        if (!node.probe) continue;
        const std::string_view whole_name = node.name.text();
        const std::string_view module = module_of(whole_name);
        const std::size_t place = states.of(index, module, whole_name.substr(module.empty() ? 0 : module.size() + 1));
        StateFlow& state = flow.states_[place];
        const std::size_t size = node.shape.size();
        state.time_step.push_back(node.time_step);
        state.grad_norm.push_back(node.retained_gradient ? frobenius_norm(node.retained_gradient, size) : 0);
        state.value_norm.push_back(frobenius_norm(node.value, size));
        std::size_t saturated = 0;
        for (std::size_t k = 0; k < size; ++k) saturated += std::abs(node.value[k]) > T(0.9);
        state.saturation.push_back(static_cast<double>(saturated) /
                                   static_cast<double>(std::max<std::size_t>(size, 1)));
        if (node.operation)
            for (const Intermediate<T>& gate : node.operation->intermediates(tape, node))
                add_gate(gate_of(place, module, gate.name), node.time_step, gate.data, gate.rows, gate.columns,
                         gate.stride);
        // The gates of a cell in elementary operations are nodes of their own, recorded before its state.
        std::erase_if(waiting_gates, [&](NodeIndex waiting) {
            const Node<T>& gate = tape.node(waiting);
            if (gate.step_owner != node.step_owner || gate.time_step != node.time_step) return false;
            add_gate(gate_of(place, module, gate.name.text()), gate.time_step, gate.value, 1, gate.shape.size(),
                     gate.shape.size());
            return true;
        });
    }
    for (StateFlow& state : flow.states_)
        make_ascend(state.time_step, state.grad_norm, state.value_norm, state.saturation);
    for (GateFlow& gate : flow.gates_) make_ascend(gate.time_step, gate.mean, gate.closed, gate.open);
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
    for (const Share& share : shares)
        for (std::size_t t = 0; t < share.time_steps; ++t) {
            Share step = share;
            step.rows = share.rows / share.time_steps;
            step.delta += t * step.rows * share.delta_stride;
            if (step.x) step.x += t * step.rows * share.x_stride;
            by_step[share.first_time_step + static_cast<std::int32_t>(t)].push_back(step);
        }
    const std::size_t columns = parameter.shape().back();
    const std::size_t rows = parameter.size() / std::max<std::size_t>(columns, 1);
    WeightContributions result;
    result.parameter = parameter.name();
    std::vector<T> sum;
    for (const auto& [time_step, step_shares] : by_step) {
        result.time_step.push_back(time_step);
        result.norm.push_back(norm_of_sum<T>(step_shares, rows, columns, sum));
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
