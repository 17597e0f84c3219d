#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/running_step.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/random.hpp>
#include <ebb/layers/clockwork.hpp>

#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace ebb {

template <class T>
ClockworkCell<T>::ClockworkCell(const Options& options)
    : Module<T>("ClockworkCell", options.name), options_(options), owner_(new_step_owner()) {
    const std::size_t I = options.input_size, H = options.hidden_size, G = options.periods.size();
    if (I == 0 || H == 0)
        fail<ValueError>(fmt::format("{}: input_size is {}, hidden_size is {}: expected at least 1 each",
                                     this->display_name(), I, H));
    bool rising = G > 0 && options.periods[0] >= 1;
    for (std::size_t i = 1; i < G; ++i) rising = rising && options.periods[i - 1] < options.periods[i];
    if (!rising)
        fail<ValueError>(fmt::format("{}: periods is {}: expected rising numbers, from 1 on", this->display_name(),
                                     options.periods));
    if (H % G != 0)
        fail<ValueError>(fmt::format("{}: hidden_size is {}, there are {} periods: expected as many units for each",
                                     this->display_name(), H, G));
    const double bound = 1 / std::sqrt(static_cast<double>(H));
    Array<T> recurrent = uniform<T>({H, H}, -bound, bound);
    for (std::size_t row = 0; row < H; ++row)
        for (std::size_t column = 0; column < row / (H / G) * (H / G); ++column) recurrent(row, column) = 0;
    weight_ih = this->register_parameter("weight_ih", uniform<T>({H, I}, -bound, bound));
    weight_hh = this->register_parameter("weight_hh", std::move(recurrent));
    bias = this->register_parameter("bias", uniform<T>({H}, -bound, bound));
}

template <class T>
Variable<T> ClockworkCell<T>::operator()(const Variable<T>& x, const Variable<T>& state, std::int32_t time_step,
                                         SourceLine at) const {
    const CalledFrom call(at);
    const ErrorContext context(this->name(), "ClockworkCell", time_step);
    const RunningStep running(time_step);
    const std::size_t G = options_.periods.size();
    if (time_step < 0) fail<ValueError>(fmt::format("ClockworkCell: time_step is {}: expected at least 0", time_step));
    check_step_input("ClockworkCell", x, weight_ih);
    check_step_state("ClockworkCell", "h", state, x, options_.hidden_size);
    Tape<T>& tape = x.tape();
    const Variable<T> h = state.defined() ? state : tape.zeros({x.shape()[0], options_.hidden_size});
    const auto first = static_cast<NodeIndex>(tape.size());
    const Variable<T> W_ih = tape.use(weight_ih), W_hh = tape.use(weight_hh), b = tape.use(bias);
    const auto H = static_cast<std::ptrdiff_t>(options_.hidden_size), units = H / static_cast<std::ptrdiff_t>(G);
    std::vector<Variable<T>> modules;
    for (std::size_t i = 0; i < G; ++i) {
        const auto begin = static_cast<std::ptrdiff_t>(i) * units, end = begin + units;
        if (static_cast<std::size_t>(time_step) % options_.periods[i] != 0) {
            modules.push_back(slice(h, 1, begin, end));
            continue;
        }
        const Variable<T> slower = slice(slice(W_hh, 0, begin, end), 1, begin, H);  // W_hh^{ij}, j >= i
        modules.push_back(tanh(linear(x, slice(W_ih, 0, begin, end), slice(b, 0, begin, end)) +
                               linear(slice(h, 1, begin, H), slower)));
    }
    const Variable<T> result = concat(modules, 1);
    label_step(tape, first, {result}, {{Name(this->probe_name("h"))}, owner_}, time_step);
    return result;
}

Indices every(std::size_t k, std::size_t T) {
    if (k == 0) fail<ValueError>("every: k is 0: expected at least 1");
    Indices steps = Indices::from_shape({T / k});
    for (std::size_t i = 0; i < T / k; ++i) steps(i) = static_cast<std::int64_t>((i + 1) * k - 1);
    return steps;
}

template class ClockworkCell<float>;
template class ClockworkCell<double>;

}  // namespace ebb
