#include <ebb/core/blas.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/instruction_set.hpp>
#include <ebb/core/norm.hpp>
#include <ebb/inspect/flow_kernels.hpp>
#include <ebb/inspect/gradient_flow.hpp>
#include <ebb/inspect/probe_series.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <span>
#include <utility>

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

/// The norms of the rows of shares. Each is computed once, for a cell's weights and biases have their deltas in common.
template <class T>
class RowNorms {
  public:
    /// ||row|| of `count` rows of `size` numbers. Good until the next call but one.
    const double* of(const T* data, std::size_t count, std::size_t stride, std::size_t size) {
        for (auto known = known_.begin(); known != known_.end(); ++known)
            if (const double* const norms = known->find(data, count, stride, size)) {
                std::rotate(known, known + 1, known_.end());  // what was asked for last is forgotten last
                return norms;
            }
        if (known_.empty()) known_.reserve(most);
        if (known_.size() == most) known_.erase(known_.begin());
        Known& added = known_.emplace_back(Known{data, count, stride, size, std::vector<double>(count)});
        frobenius_norms(data, count, static_cast<std::ptrdiff_t>(stride), size, added.norms.data());
        return added.norms.data();
    }

  private:
    static constexpr std::size_t most = 8;
    struct Known {
        const T* data;
        std::size_t count, stride, size;
        std::vector<double> norms;

        /// Those of some of these rows: the recurrent weight has none at a step that begins from zeros.
        const double* find(const T* first, std::size_t rows, std::size_t row_stride, std::size_t row_size) const {
            const auto begin = reinterpret_cast<std::uintptr_t>(data), from = reinterpret_cast<std::uintptr_t>(first);
            if (row_stride != stride || row_size != size || from < begin || stride == 0) return nullptr;
            const std::size_t bytes = stride * sizeof(T), row = (from - begin) / bytes;
            return (from - begin) % bytes == 0 && row + rows <= count ? norms.data() + row : nullptr;
        }
    };
    std::vector<Known> known_;
};

/// ||x' delta|| for each time step of a share. Of single rows that is ||x|| ||delta||.
template <class T>
void add_norms(const typename Tape<T>::Share& share, std::size_t rows, std::size_t columns,
               WeightContributions& contributions, RowNorms<T>& known) {
    const std::size_t x_size = share.transposed ? rows : columns,
                      delta_size = share.x && !share.transposed ? rows : columns;
    const std::size_t first = contributions.norm.size(), count = share.time_steps;
    contributions.time_step.resize(first + count);
    std::iota(contributions.time_step.begin() + static_cast<std::ptrdiff_t>(first), contributions.time_step.end(),
              share.first_time_step);
    contributions.norm.resize(first + count);
    double* const norms = contributions.norm.data() + first;
    if (share.norms) {
        std::copy_n(share.norms, count, norms);
    } else if (count == 1) {  // a loop over time brings ever new ones: nothing is in common with those before
        norms[0] = frobenius_norm(share.delta, delta_size);
        if (share.x) norms[0] *= frobenius_norm(share.x, x_size);
    } else {
        const double* const of_delta = known.of(share.delta, count, share.delta_stride, delta_size);
        if (!share.x) {
            std::copy_n(of_delta, count, norms);
            return;
        }
        const double* const of_x = known.of(share.x, count, share.x_stride, x_size);
        for (std::size_t t = 0; t < count; ++t) norms[t] = of_delta[t] * of_x[t];
    }
}

template <class T>
void set_state(StateSeries<T>& series, StateFlow& state) {
    state.name = std::move(series.name);
    state.backwards = series.time_step.front() > series.time_step.back();
    if (state.backwards) {
        std::reverse(series.time_step.begin(), series.time_step.end());
        series.values.reverse();
        series.gradients.reverse();
    }
    state.time_step = std::move(series.time_step);
    for (std::vector<double>* list : {&state.grad_norm, &state.value_norm, &state.saturation})
        list->assign(series.steps(), 0);
    for (const BlockRun<T>& run : series.gradients)
        if (run.first.data)
            frobenius_norms(run.first.data, run.steps, run.distance(), run.first.size(), &state.grad_norm[run.begin]);
    for (const BlockRun<T>& run : series.values) {
        if (!run.first.data) continue;
        // Some steps at a time, which are in the cache when they are read again.
        constexpr std::size_t some_numbers = 16384;
        const std::size_t size = run.first.size();
        const std::size_t some = std::max<std::size_t>(some_numbers / std::max<std::size_t>(size, 1), 1);
        for (std::size_t k = 0; k < run.steps; k += some) {
            const T* const first = run[k].data;
            const std::size_t steps = std::min(some, run.steps - k), place = run.begin + k;
            frobenius_norms(first, steps, run.distance(), size, &state.value_norm[place]);
            kernels<FlowKernels<T>>().fractions_above(first, steps, run.distance(), size, T(0.9),
                                                      &state.saturation[place]);
        }
    }
}

/// `gates` are those of the series.
template <class T>
void set_gates(GateSeries<T>& series, std::span<GateFlow> gates) {
    constexpr std::size_t most_gates = FlowKernels<T>::most_gates;
    if (series.time_step.front() > series.time_step.back()) {
        std::reverse(series.time_step.begin(), series.time_step.end());
        series.blocks.reverse();
    }
    for (std::size_t g = 0; g < gates.size(); ++g) {
        GateFlow& gate = gates[g];
        gate.name = std::move(series.names[g]);
        gate.time_step = series.time_step;
        for (std::vector<double>* list : {&gate.mean, &gate.closed, &gate.open}) list->assign(series.blocks.steps(), 0);
    }
    for (const BlockRun<T>& run : series.blocks)
        for (std::size_t g = 0; run.first.data && g < gates.size(); g += most_gates) {
            const std::size_t count = std::min(most_gates, gates.size() - g);
            std::array<GateFigures, most_gates> figures{};
            for (std::size_t k = 0; k < count; ++k) {
                GateFlow& gate = gates[g + k];
                figures[k] = {&gate.mean[run.begin], &gate.closed[run.begin], &gate.open[run.begin]};
            }
            kernels<FlowKernels<T>>().gates(run.first.data + g * run.first.columns, run.steps, run.distance(),
                                            run.first.rows, run.first.columns, run.first.stride, figures.data(), count);
        }
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
    gradient_flow(tape, flow);
    return flow;
}

template <class T>
void gradient_flow(const Tape<T>& tape, GradientFlow<T>& flow) {
    AllSeries<T> all = all_series(tape);
    flow.states_.resize(all.states.size());
    for (std::size_t k = 0; k < all.states.size(); ++k) set_state(all.states[k], flow.states_[k]);
    std::size_t gates = 0;
    for (const GateSeries<T>& series : all.gates) gates += series.names.size();
    flow.gates_.resize(gates);
    std::span<GateFlow> left = flow.gates_;
    for (GateSeries<T>& series : all.gates) {
        set_gates(series, left.first(series.names.size()));
        left = left.subspan(series.names.size());
    }
}

namespace {

template <class T>
void set_contributions(const Tape<T>& tape, const Parameter<T>& parameter, RowNorms<T>& known,
                       WeightContributions& result) {
    using Share = typename Tape<T>::Share;
    const std::span<const Share> shares = tape.shares(parameter);
    if (shares.empty())
        fail<ValueError>(
            fmt::format("weight_contributions: {} has none on this tape: expected it to be used in a matrix product, "
                        "and a backward pass",
                        parameter.name()));
    const std::size_t columns = parameter.shape().back();
    const std::size_t rows = parameter.size() / std::max<std::size_t>(columns, 1);
    result.parameter = parameter.name();
    result.time_step.clear();
    result.norm.clear();
    if (one_share_a_step<T>(shares)) {
        std::size_t steps = 0;
        for (const Share& share : shares) steps += share.time_steps;
        result.time_step.reserve(steps);
        result.norm.reserve(steps);
        for (std::size_t k = shares.size(); k-- > 0;) add_norms<T>(shares[k], rows, columns, result, known);
        return;
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
}

}  // namespace

template <class T>
WeightContributions weight_contributions(const Tape<T>& tape, const Parameter<T>& parameter) {
    RowNorms<T> known;
    WeightContributions result;
    set_contributions(tape, parameter, known, result);
    return result;
}

template <class T>
std::vector<WeightContributions> weight_contributions(const Tape<T>& tape,
                                                      const std::vector<Parameter<T>>& parameters) {
    std::vector<WeightContributions> result;
    weight_contributions(tape, parameters, result);
    return result;
}

template <class T>
void weight_contributions(const Tape<T>& tape, const std::vector<Parameter<T>>& parameters,
                          std::vector<WeightContributions>& contributions) {
    RowNorms<T> known;
    contributions.resize(parameters.size());
    for (std::size_t k = 0; k < parameters.size(); ++k) set_contributions(tape, parameters[k], known, contributions[k]);
}

#define EBB_INSTANTIATE(T)                                                                                            \
    template class GradientFlow<T>;                                                                                   \
    template GradientFlow<T> gradient_flow(const Tape<T>&);                                                           \
    template void gradient_flow(const Tape<T>&, GradientFlow<T>&);                                                    \
    template WeightContributions weight_contributions(const Tape<T>&, const Parameter<T>&);                           \
    template std::vector<WeightContributions> weight_contributions(const Tape<T>&, const std::vector<Parameter<T>>&); \
    template void weight_contributions(const Tape<T>&, const std::vector<Parameter<T>>&,                              \
                                       std::vector<WeightContributions>&);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb::inspect
