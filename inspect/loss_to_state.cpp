#include <ebb/autograd/vjp_rows.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/norm.hpp>
#include <ebb/inspect/loss_to_state.hpp>
#include <ebb/inspect/probe_series.hpp>

#include <algorithm>
#include <optional>

#include <fmt/format.h>

namespace ebb::inspect {
namespace {

/// The states of the same run of the same cell, besides `of`: c beside h. A loss may be taken from them alone.
template <class T>
std::vector<ProbeSeries> other_parts(const Tape<T>& tape, const ProbeSeries& of) {
    std::vector<ProbeSeries> parts;
    for (ProbeSeries& series : all_series(tape).states)
        if (series.owner == of.owner && series.run == of.run && series.name != of.name)
            parts.push_back(std::move(series));
    return parts;
}

template <class T>
bool is_zero(const T* values, std::size_t count) {
    return std::all_of(values, values + count, [](T value) { return value == 0; });
}

}  // namespace

template <class T>
LossToState loss_to_state(Tape<T>& tape, const std::vector<Variable<T>>& losses, std::string_view state,
                          const LossToStateOptions& options) {
    constexpr const char* call = "loss_to_state";
    if (losses.empty()) fail<ValueError>(fmt::format("{}: there are no losses: expected at least one", call));
    for (std::size_t k = 0; k < losses.size(); ++k) {
        tape.check(call, losses[k]);
        if (losses[k].size() != 1)
            fail<ShapeError>(
                fmt::format("{}: loss {} is {}: expected one element", call, k, to_string(losses[k].shape())));
    }
    const ProbeSeries series = find_series(call, tape, state);
    const std::size_t K = losses.size(), steps = series.steps();

    LossToState result;
    result.state = series.name;
    result.time_step = series.time_step;
    for (const Variable<T>& loss : losses) result.loss_step.push_back(loss.time_step());
    result.norm.reserve(K * steps);
    const Shape& shape = tape.node(series.node.front()).shape;
    const std::size_t size = shape.size();
    for (std::size_t t = 0; options.keep_gradients && t < steps; ++t)
        if (tape.node(series.node[t]).shape != shape)
            fail<ShapeError>(fmt::format("{}: {} is {} and at time step {} {}: expected one shape, to keep gradients",
                                         call, series.name, to_string(shape), series.time_step[t],
                                         to_string(tape.node(series.node[t]).shape)));
    std::vector<Variable<T>> states;
    std::vector<std::int32_t> state_step = series.time_step;
    for (const NodeIndex index : series.node) states.push_back(tape.at(index));
    for (const ProbeSeries& part : other_parts(tape, series)) {
        for (const NodeIndex index : part.node) states.push_back(tape.at(index));
        state_step.insert(state_step.end(), part.time_step.begin(), part.time_step.end());
    }
    // In groups: with all losses at once, K gradients of everything on the tape would be there at the same time.
    constexpr std::size_t at_once = 32;
    for (std::size_t first = 0; first < K; first += at_once) {
        const std::size_t count = std::min(at_once, K - first);
        const std::vector<Variable<T>> group(losses.begin() + static_cast<std::ptrdiff_t>(first),
                                             losses.begin() + static_cast<std::ptrdiff_t>(first + count));
        // Row k is the gradient of loss k alone.
        std::vector<Array<T>> seeds;
        for (std::size_t k = 0; k < count; ++k) {
            const Shape of_rows = group[k].shape().inserted(0, count);
            seeds.push_back(Array<T>::from_shape(std::vector<std::size_t>(of_rows.begin(), of_rows.end())));
            seeds.back().fill(T(0));
            seeds.back().data()[k] = 1;
        }
        const std::vector<Array<T>> gradients = vjp_rows(group, seeds, states);
        for (std::size_t k = 0; k < count; ++k) {
            // Where each state stands in the order of computing: a loss's own step is that of the last one it reaches.
            std::int32_t& own = result.loss_step[first + k];
            std::optional<NodeIndex> last;
            for (std::size_t t = 0; t < states.size(); ++t) {
                const std::size_t row = gradients[t].size() / count;
                const T* const gradient = gradients[t].data() + k * row;
                if (t < steps) result.norm.push_back(frobenius_norm(gradient, row));
                if (is_zero(gradient, row) || (last && *last > states[t].index())) continue;
                last = states[t].index();
                own = state_step[t];
            }
            if (!options.keep_gradients) continue;
            Array<double> kept = Array<double>::from_shape({steps, size});
            for (std::size_t t = 0; t < steps; ++t)
                std::copy_n(gradients[t].data() + k * size, size, kept.data() + t * size);
            result.gradient.push_back(std::move(kept));
        }
    }
    return result;
}

#define EBB_INSTANTIATE(T)                                                                          \
    template LossToState loss_to_state(Tape<T>&, const std::vector<Variable<T>>&, std::string_view, \
                                       const LossToStateOptions&);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb::inspect
