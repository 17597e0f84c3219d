#include <ebb/autograd/grad_mode.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/decompositions.hpp>
#include <ebb/core/error.hpp>
#include <ebb/layers/penalties.hpp>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace ebb {
namespace {

/// The square blocks of a recurrent weight.
template <class T>
std::vector<Variable<T>> blocks_of(const char* call, const Variable<T>& weight) {
    const Shape& shape = weight.shape();
    if (shape.rank() != 2 || shape.size() == 0 || shape[0] % shape[1] != 0)
        fail<ShapeError>(fmt::format("{}: weight is {}: expected [G H, H]", call, to_string(shape)));
    const auto H = static_cast<std::ptrdiff_t>(shape[1]);
    std::vector<Variable<T>> blocks;
    for (std::ptrdiff_t row = 0; row < static_cast<std::ptrdiff_t>(shape[0]); row += H)
        blocks.push_back(slice(weight, 0, row, row + H));
    return blocks;
}

template <class T>
Variable<T> constant_of(Tape<T>& tape, const std::vector<double>& values, const Shape& shape) {
    T* const memory = tape.allocate(values.size());
    std::transform(values.begin(), values.end(), memory, [](double v) { return static_cast<T>(v); });
    return tape.constant(memory, shape);
}

/// sigma_1 = u' W v, with u and v constants.
template <class T>
Variable<T> largest_singular_value(const Variable<T>& block) {
    const std::size_t H = block.shape()[0];
    const linalg::SVD svd = linalg::svd<T>(block.value());
    std::vector<double> u(H);
    for (std::size_t i = 0; i < H; ++i) u[i] = svd.u(i, 0);
    const std::vector<double> v(svd.vt.data(), svd.vt.data() + H);
    Tape<T>& tape = block.tape();
    return sum(matmul(matmul(constant_of(tape, u, {1, H}), block), constant_of(tape, v, {H, 1})));
}

/// The node after the last part of the state that the step of h_t has made: of an LSTM's c_t, the node after h_t.
template <class T>
NodeIndex end_of_step(const Variable<T>& state, NodeIndex next_state) {
    const Tape<T>& tape = state.tape();
    const Node<T>& known = state.node();
    NodeIndex end = state.index() + 1;
    if (!known.probe) return end;
    for (NodeIndex index = end; index < next_state; ++index) {
        const Node<T>& node = tape.node(index);
        if (node.probe && node.step_owner == known.step_owner && node.time_step == known.time_step) end = index + 1;
    }
    return end;
}

}  // namespace

template <class T>
Variable<T> activation_penalty(const Variable<T>& h, SourceLine at) {
    const CalledFrom call(at);
    return mean(square(h));
}

template <class T>
Variable<T> temporal_activation_penalty(const Variable<T>& h, SourceLine at) {
    const CalledFrom call(at);
    if (h.shape().rank() == 0 || h.shape()[0] < 2)
        fail<ShapeError>(fmt::format("temporal_activation_penalty: h is {}: expected [T, ..] with at least two steps",
                                     to_string(h.shape())));
    const auto steps = static_cast<std::ptrdiff_t>(h.shape()[0]);
    return mean(square(slice(h, 0, 1, steps) - slice(h, 0, 0, steps - 1)));
}

template <class T>
Variable<T> orthogonality_penalty(const Variable<T>& weight, SourceLine at) {
    const CalledFrom call(at);
    Variable<T> total;
    for (const Variable<T>& block : blocks_of("orthogonality_penalty", weight)) {
        const std::size_t H = block.shape()[0];
        std::vector<double> identity(H * H);
        for (std::size_t k = 0; k < H; ++k) identity[k * (H + 1)] = 1;
        const Variable<T> penalty =
            sum(square(matmul(transpose(block), block) - constant_of(block.tape(), identity, {H, H})));
        total = total.defined() ? total + penalty : penalty;
    }
    return total;
}

template <class T>
Variable<T> spectral_norm_penalty(const Variable<T>& weight, SourceLine at) {
    const CalledFrom call(at);
    Variable<T> total;
    for (const Variable<T>& block : blocks_of("spectral_norm_penalty", weight)) {
        const Variable<T> penalty = square(largest_singular_value(block));
        total = total.defined() ? total + penalty : penalty;
    }
    return total;
}

template <class T>
Variable<T> vanishing_gradient_penalty(const Variable<T>& loss, const std::vector<Variable<T>>& states, SourceLine at) {
    const CalledFrom call(at);
    if (states.size() < 2)
        fail<ValueError>(
            fmt::format("vanishing_gradient_penalty: there are {} states: expected at least two", states.size()));
    Tape<T>& tape = loss.tape();
    for (std::size_t t = 0; t < states.size(); ++t) {
        tape.check("vanishing_gradient_penalty", states[t]);
        if (states[t].shape().rank() != 2 || states[t].shape() != states[0].shape())
            fail<ShapeError>(fmt::format("vanishing_gradient_penalty: state {} is {}: expected [B, H], as state 0, {}",
                                         t, to_string(states[t].shape()), to_string(states[0].shape())));
    }
    const std::size_t B = states[0].shape()[0], H = states[0].shape()[1];
    const std::vector<Variable<T>> later(states.begin() + 1, states.end());
    const std::vector<Variable<T>> deltas = grad(loss, later);

    const EnableGrad on;
    Variable<T> omega = tape.scalar(0);
    for (std::size_t t = 0; t + 1 < states.size(); ++t) {
        const Variable<T> delta = deltas[t].detach();  // of h_{t+1}
        std::vector<T> inverse(B), counts(B);
        const ArrayView<T> values = delta.value();
        for (std::size_t b = 0; b < B; ++b) {
            double squares = 0;
            for (std::size_t j = 0; j < H; ++j) {
                const double v = static_cast<double>(values.data()[b * H + j]);
                squares += v * v;
            }
            counts[b] = T(squares > 0);
            inverse[b] = squares > 0 ? static_cast<T>(1 / std::sqrt(squares)) : T(0);
        }
        // delta_{t+1} J_{t+1}, from h_{t+1} back to h_t alone: the other parts of the state are held.
        const std::vector<Variable<T>> roots{states[t + 1]}, seeds{delta}, targets{states[t]};
        const Variable<T> back = tape.vjp(roots, seeds, targets, end_of_step(states[t], states[t + 1].index()))[0];
        if (!back.defined()) continue;
        const Variable<T> counted = tape.constant(counts.data(), {B});
        // The root has no derivative at 0, where a step lets nothing through: where() keeps it out.
        const Variable<T> squares = sum(square(back), 1);
        const Variable<T> ratio = sqrt(where(counted, squares, T(1))) * tape.constant(inverse.data(), {B});
        omega = omega + mean(where(counted, square(ratio - T(1)), T(0)));
    }
    return omega;
}

template <class T>
Variable<T> vanishing_gradient_penalty(const Variable<T>& loss, std::string_view state, SourceLine at) {
    const CalledFrom call(at);
    Tape<T>& tape = loss.tape();
    std::vector<Variable<T>> states;
    for (NodeIndex index = 0; index < tape.size(); ++index)
        if (const Node<T>& node = tape.node(index); node.probe && node.name.text() == state)
            states.push_back(tape.at(index));
    for (std::size_t t = 1; t < states.size(); ++t)
        if (std::abs(states[t].time_step() - states[t - 1].time_step()) != 1)
            fail<ValueError>(
                fmt::format("vanishing_gradient_penalty: {} of time step {} follows that of time step {}: expected the "
                            "states of one sequence on the tape",
                            state, states[t].time_step(), states[t - 1].time_step()));
    if (states.size() < 2)
        fail<ValueError>(
            fmt::format("vanishing_gradient_penalty: the tape has {} states that are called {}: expected at least two",
                        states.size(), state));
    return vanishing_gradient_penalty(loss, states);
}

#define EBB_INSTANTIATE(T)                                                                                            \
    template Variable<T> activation_penalty(const Variable<T>&, SourceLine);                                          \
    template Variable<T> temporal_activation_penalty(const Variable<T>&, SourceLine);                                 \
    template Variable<T> orthogonality_penalty(const Variable<T>&, SourceLine);                                       \
    template Variable<T> spectral_norm_penalty(const Variable<T>&, SourceLine);                                       \
    template Variable<T> vanishing_gradient_penalty(const Variable<T>&, const std::vector<Variable<T>>&, SourceLine); \
    template Variable<T> vanishing_gradient_penalty(const Variable<T>&, std::string_view, SourceLine);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb
