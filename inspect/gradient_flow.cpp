#include <ebb/core/blas.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/instruction_set.hpp>
#include <ebb/core/norm.hpp>
#include <ebb/inspect/flow_kernels.hpp>
#include <ebb/inspect/gradient_flow.hpp>
#include <ebb/inspect/probe_series.hpp>

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

/// Whether the shares, from the last to the first, go through time without meeting a step again, and each brings its
/// norms or is of single rows.
template <class T>
bool one_share_a_step(std::span<const typename Tape<T>::Share> shares) {
    for (std::size_t k = shares.size(); k-- > 0;) {
        const auto& share = shares[k];
        if (!share.norms && share.rows != share.time_steps) return false;
        if (k > 0 &&
            shares[k - 1].first_time_step < share.first_time_step + static_cast<std::int32_t>(share.time_steps))
            return false;
    }
    return true;
}

/// ||x' delta|| for each time step of a share. Of single rows that is ||x|| ||delta||.
template <class T>
void add_norms(const typename Tape<T>::Share& share, std::size_t rows, std::size_t columns,
               WeightContributions& contributions, std::vector<double>& x_norms) {
    const std::size_t x_size = share.transposed ? rows : columns,
                      delta_size = share.x && !share.transposed ? rows : columns;
    const std::size_t first = contributions.norm.size(), count = share.time_steps;
    for (std::size_t t = 0; t < count; ++t)
        contributions.time_step.push_back(share.first_time_step + static_cast<std::int32_t>(t));
    contributions.norm.resize(first + count);
    double* const norms = contributions.norm.data() + first;
    if (share.norms) {
        std::copy_n(share.norms, count, norms);
        return;
    }
    frobenius_norms(share.delta, count, static_cast<std::ptrdiff_t>(share.delta_stride), delta_size, norms);
    if (!share.x) return;
    x_norms.resize(count);
    frobenius_norms(share.x, count, static_cast<std::ptrdiff_t>(share.x_stride), x_size, x_norms.data());
    for (std::size_t t = 0; t < count; ++t) norms[t] *= x_norms[t];
}

/// What a step has of something: rows of numbers. nullptr for nothing.
template <class T>
struct Block {
    const T* data;
    std::size_t rows, columns, stride;

    bool has_form_of(const Block& other) const {
        return !data == !other.data && rows == other.rows && columns == other.columns && stride == other.stride;
    }
    std::size_t size() const { return rows * columns; }
};

/// How many numbers b lies behind a: in the tape's memory, or the whole sequence in one array.
template <class T>
std::ptrdiff_t distance_between(const T* a, const T* b) {
    return (reinterpret_cast<std::intptr_t>(b) - reinterpret_cast<std::intptr_t>(a)) /
           static_cast<std::ptrdiff_t>(sizeof(T));
}

/// Calls f(block, step, count, distance) for steps that follow each other at one distance in memory, as those of a
/// layer do: of small steps a call for each would take longer than what it does.
template <class T, class BlockAt, class Function>
void for_runs(std::size_t steps, BlockAt at, Function f) {
    for (std::size_t begin = 0, end = 0; begin < steps; begin = end) {
        const Block<T> first = at(begin);
        Block<T> last = first;
        std::ptrdiff_t distance = 0;
        for (end = begin + 1; end < steps; ++end) {
            const Block<T> next = at(end);
            const std::ptrdiff_t further = distance_between(last.data, next.data);
            if (!next.has_form_of(first) || (end > begin + 1 && further != distance)) break;
            distance = further;
            last = next;
        }
        if (first.data) f(first, begin, end - begin, distance);
    }
}

template <class T>
void add_state(const Tape<T>& tape, ProbeSeries& series, StateFlow& state) {
    const std::size_t steps = series.steps();
    state.name = std::move(series.name);
    state.backwards = series.time_step.front() > series.time_step.back();
    if (state.backwards) {
        std::reverse(series.time_step.begin(), series.time_step.end());
        std::reverse(series.node.begin(), series.node.end());
    }
    state.time_step = std::move(series.time_step);
    for (std::vector<double>* list : {&state.grad_norm, &state.value_norm, &state.saturation}) list->resize(steps);
    const auto block = [&](std::size_t step, auto data_of) {
        const Node<T>& node = tape.node(series.node[step]);
        return Block<T>{data_of(node), 1, node.shape.size(), 0};
    };
    for_runs<T>(
        steps, [&](std::size_t k) { return block(k, [](const Node<T>& node) { return node.retained_gradient; }); },
        [&](const Block<T>& first, std::size_t k, std::size_t count, std::ptrdiff_t distance) {
            frobenius_norms(first.data, count, distance, first.size(), &state.grad_norm[k]);
        });
    for_runs<T>(
        steps, [&](std::size_t k) { return block(k, [](const Node<T>& node) { return node.value; }); },
        [&](const Block<T>& first, std::size_t k, std::size_t count, std::ptrdiff_t distance) {
            frobenius_norms(first.data, count, distance, first.size(), &state.value_norm[k]);
            kernels<FlowKernels<T>>().count_above(first.data, count, distance, first.size(), T(0.9),
                                                  &state.saturation[k]);
            const double share = 1 / static_cast<double>(std::max<std::size_t>(first.size(), 1));
            for (std::size_t step = k; step < k + count; ++step) state.saturation[step] *= share;
        });
}

template <class T>
void add_gate(GateSeries<T>& series, GateFlow& gate, std::vector<GateSums>& sums) {
    const std::size_t steps = series.step.size();
    gate.name = std::move(series.name);
    if (series.time_step.front() > series.time_step.back()) {
        std::reverse(series.time_step.begin(), series.time_step.end());
        std::reverse(series.step.begin(), series.step.end());
    }
    gate.time_step = std::move(series.time_step);
    for (std::vector<double>* list : {&gate.mean, &gate.closed, &gate.open}) list->resize(steps);
    sums.resize(steps);
    for_runs<T>(
        steps,
        [&](std::size_t k) {
            const Intermediate<T>& step = series.step[k];
            return Block<T>{step.data, step.rows, step.columns, step.stride};
        },
        [&](const Block<T>& first, std::size_t k, std::size_t count, std::ptrdiff_t distance) {
            kernels<FlowKernels<T>>().gate(first.data, count, distance, first.rows, first.columns, first.stride,
                                           sums.data());
            const double share = 1 / static_cast<double>(std::max<std::size_t>(first.size(), 1));
            for (std::size_t step = 0; step < count; ++step) {
                gate.mean[k + step] = sums[step].sum * share;
                gate.closed[k + step] = static_cast<double>(sums[step].closed) * share;
                gate.open[k + step] = static_cast<double>(sums[step].open) * share;
            }
        });
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
    AllSeries<T> all = all_series(tape);
    std::vector<GateSums> sums;
    for (ProbeSeries& series : all.states) add_state(tape, series, flow.states_.emplace_back());
    for (GateSeries<T>& series : all.gates) add_gate(series, flow.gates_.emplace_back(), sums);
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
    const std::size_t columns = parameter.shape().back();
    const std::size_t rows = parameter.size() / std::max<std::size_t>(columns, 1);
    WeightContributions result;
    result.parameter = parameter.name();
    if (one_share_a_step<T>(shares)) {
        std::size_t steps = 0;
        for (const Share& share : shares) steps += share.time_steps;
        result.time_step.reserve(steps);
        result.norm.reserve(steps);
        std::vector<double> x_norms;
        for (std::size_t k = shares.size(); k-- > 0;) add_norms<T>(shares[k], rows, columns, result, x_norms);
        return result;
    }
    if (std::any_of(shares.begin(), shares.end(), [](const Share& share) { return !share.delta; }))
        fail<ValueError>(fmt::format(
            "weight_contributions: {} was used again after a pass over a long sequence, whose deltas are not "
            "kept: expected tape.backward(loss, {{.retain_graph = true}}) there",
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
