#pragma once
/// Gradient checkpointing (Griewank 1992; Chen et al. 2016): memory for time.
///
/// `checkpoint(f, inputs)` computes f and keeps its results alone. What lies between is forgotten, and computed again
/// when a backward pass comes through. T steps of a recurrent network in segments of about sqrt(T) steps need the
/// memory of 2 sqrt(T) steps, for one more forward pass:
///
///     auto state = std::vector<Variable<double>>{h, c};
///     for (std::size_t begin = 0; begin < T; begin += segment)
///         state = checkpoint([&, begin](const auto& s) {
///             LSTMState<double> now{s[0], s[1]};
///             Tape<double>& tape = s[0].tape();
///             for (std::size_t t = begin; t < std::min(begin + segment, T); ++t) now = cell(tape.constant(x[t]), now);
///             return std::vector<Variable<double>>{now.h, now.c};
///         }, state);
///
/// The gradients are those without a checkpoint but for rounding: a weight's gradient is a sum over its uses, here
/// grouped by segment, and a matrix that is used often is multiplied by another kernel, which adds in another order.

#include <ebb/autograd/variable.hpp>

#include <functional>
#include <initializer_list>
#include <type_traits>
#include <utility>
#include <vector>

namespace ebb {

namespace detail {
template <class T>
using CheckpointedFunction = std::function<std::vector<Variable<T>>(const std::vector<Variable<T>>&)>;
template <class T>
std::vector<Variable<T>> checkpoint(CheckpointedFunction<T> f, const std::vector<Variable<T>>& inputs);
}  // namespace detail

/// f takes variables like `inputs` and returns a variable, or a vector of at least one; `checkpoint` returns the same.
///
/// f runs on a tape of its own: it may use its arguments, parameters (gradients flow into them too), and arrays, which
/// it puts on that tape (`arguments[0].tape()`); a variable of another tape in it is an error. It is called again
/// during backward, when what it refers to must still be there. The random numbers of `default_generator()` are the
/// same then; a generator of your own must be copied into f. Checkpoints nest. Under `create_graph`, f is recorded anew
/// on the tape itself, which is right and saves nothing.
///
/// A step inside f is no node of the outer tape: its probes are not there to look at. The outputs are, with their names
/// and time steps.
///
/// Throws ValueError where `inputs` is empty or f returns nothing, and in backward where f then gives other results
/// than at first: it must be a function. Throws TapeError where a parameter was written in between.
template <class T, class F>
auto checkpoint(F f, const std::vector<Variable<T>>& inputs, SourceLine at = source_line()) {
    const CalledFrom call(at);
    using Result = std::invoke_result_t<F&, const std::vector<Variable<T>>&>;
    if constexpr (std::is_convertible_v<Result, Variable<T>>) {
        return detail::checkpoint<T>(
                   [f = std::move(f)](const std::vector<Variable<T>>& in) mutable {
                       return std::vector<Variable<T>>{f(in)};
                   },
                   inputs)
            .front();
    } else {
        return detail::checkpoint<T>(std::move(f), inputs);
    }
}
template <class T, class F>
auto checkpoint(F f, std::initializer_list<Variable<T>> inputs, SourceLine at = source_line()) {
    return checkpoint(std::move(f), std::vector<Variable<T>>(inputs), at);
}

}  // namespace ebb
