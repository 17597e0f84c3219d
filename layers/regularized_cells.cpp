#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/running_step.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/random.hpp>
#include <ebb/layers/regularized_cells.hpp>

#include <cmath>

#include <fmt/format.h>

namespace ebb {

template <class T>
RegularizedCell<T>::RegularizedCell(std::string type, std::size_t gates, const RegularizedCellOptions& options)
    : Module<T>(std::move(type), options.name), options_(options) {
    const std::size_t I = options.input_size, H = options.hidden_size;
    if (I == 0 || H == 0)
        fail<ValueError>(fmt::format("{}: input_size is {}, hidden_size is {}: expected at least 1 each",
                                     this->display_name(), I, H));
    check_probability(this->display_name(), options.recurrent_dropout, "recurrent_dropout");
    const double bound = 1 / std::sqrt(static_cast<double>(H));
    weight_ih = this->register_parameter("weight_ih", uniform<T>({gates * H, I}, -bound, bound));
    weight_hh = this->register_parameter("weight_hh", uniform<T>({gates * H, H}, -bound, bound));
    bias_ih = this->register_parameter("bias_ih", uniform<T>({gates * H}, -bound, bound));
    bias_hh = this->register_parameter("bias_hh", uniform<T>({gates * H}, -bound, bound));
}

template <class T>
void RegularizedCell<T>::check(const Variable<T>& x, const Variable<T>& h, const Variable<T>& c) const {
    check_step_input(this->type(), x, weight_ih);
    check_step_state(this->type(), "h", h, x, options_.hidden_size);
    check_step_state(this->type(), "c", c, x, options_.hidden_size);
}

template <class T>
Variable<T> RegularizedCell<T>::or_zeros(const Variable<T>& given, const Variable<T>& x) const {
    return given.defined() ? given : x.tape().zeros({x.shape()[0], options_.hidden_size});
}

template <class T>
Variable<T> RegularizedCell<T>::dropped(const Variable<T>& x) const {
    return this->training() ? dropout(x, options_.recurrent_dropout) : x;
}

template <class T>
void RegularizedCell<T>::label(NodeIndex first, const StateParts<T>& after) const {
    label_step(after.front().tape(), first, after, {{Name(this->probe_name("h")), Name(this->probe_name("c"))}, owner_},
               RunningStep::time());
}

namespace {

/// The units of gate k.
template <class T>
Variable<T> gate_of(const Variable<T>& a, std::size_t hidden, std::ptrdiff_t first, std::ptrdiff_t count = 1) {
    const auto H = static_cast<std::ptrdiff_t>(hidden);
    return slice(a, 1, first * H, (first + count) * H);
}

}  // namespace

template <class T>
RegularizedRNNCell<T>::RegularizedRNNCell(const Options& o)
    : RegularizedCell<T>("RegularizedRNNCell", 1,
                         {.input_size = o.input_size, .hidden_size = o.hidden_size, .name = o.name}),
      nonlinearity_(o.nonlinearity) {
    if (o.layer_norm)
        norms_.push_back(
            this->register_module("norm", LayerNorm<T>({.normalized_shape = {o.hidden_size}, .bias = false})));
}

template <class T>
Variable<T> RegularizedRNNCell<T>::operator()(const Variable<T>& x, const Variable<T>& state, SourceLine at) const {
    const CalledFrom call(at);
    const RunningStep running(RunningStep::after(state, this->owner_));
    const ErrorContext context(this->name(), "RegularizedRNNCell", RunningStep::time());
    this->check(x, state);
    const Variable<T> h = this->or_zeros(state, x);
    Tape<T>& tape = x.tape();
    const auto first = static_cast<NodeIndex>(tape.size());
    Variable<T> sum = linear(x, tape.use(this->weight_ih)) + linear(h, tape.use(this->weight_hh));
    if (!norms_.empty()) sum = norms_[0](sum);
    const Variable<T> a = (sum + tape.use(this->bias_ih)) + tape.use(this->bias_hh);
    const Variable<T> h_t = nonlinearity_ == Nonlinearity::tanh ? tanh(a) : relu(a);
    this->label(first, {h_t});
    return h_t;
}

template <class T>
RegularizedLSTMCell<T>::RegularizedLSTMCell(const Options& options)
    : RegularizedCell<T>("RegularizedLSTMCell", 4, options) {
    if (!options.layer_norm) return;
    const std::size_t H = options.hidden_size;
    // The biases of the products are those of the cell.
    norms_.push_back(this->register_module("norm_ih", LayerNorm<T>({.normalized_shape = {4 * H}, .bias = false})));
    norms_.push_back(this->register_module("norm_hh", LayerNorm<T>({.normalized_shape = {4 * H}, .bias = false})));
    norms_.push_back(this->register_module("norm_c", LayerNorm<T>({.normalized_shape = {H}})));
}

template <class T>
LSTMState<T> RegularizedLSTMCell<T>::operator()(const Variable<T>& x, const State& state, SourceLine at) const {
    const CalledFrom call(at);
    const RunningStep running(RunningStep::after(state.h, this->owner_));
    const ErrorContext context(this->name(), "RegularizedLSTMCell", RunningStep::time());
    this->check(x, state.h, state.c);
    const Variable<T> h_before = this->or_zeros(state.h, x), c_before = this->or_zeros(state.c, x);
    Tape<T>& tape = x.tape();
    const auto first = static_cast<NodeIndex>(tape.size());
    const bool normed = !norms_.empty();
    const std::size_t H = this->hidden_size();
    Variable<T> from_x = linear(x, tape.use(this->weight_ih)), from_h = linear(h_before, tape.use(this->weight_hh));
    if (normed) {
        from_x = norms_[0](from_x);
        from_h = norms_[1](from_h);
    }
    const Variable<T> a = (from_x + tape.use(this->bias_ih)) + (from_h + tape.use(this->bias_hh));
    const Variable<T> i = sigmoid(gate_of(a, H, 0)).named("input_gate");
    const Variable<T> f = sigmoid(gate_of(a, H, 1)).named("forget_gate");
    const Variable<T> g = tanh(gate_of(a, H, 2)).named("cell_gate");
    const Variable<T> o = sigmoid(gate_of(a, H, 3)).named("output_gate");
    const Variable<T> c = f * c_before + i * this->dropped(g);
    const Variable<T> h = o * tanh(normed ? norms_[2](c) : c);
    this->label(first, {h, c});
    return {h, c};
}

template <class T>
RegularizedGRUCell<T>::RegularizedGRUCell(const Options& options)
    : RegularizedCell<T>("RegularizedGRUCell", 3, options) {
    if (!options.layer_norm) return;
    const std::size_t H = options.hidden_size;
    const auto add = [&](const char* name, std::size_t units) {
        norms_.push_back(this->register_module(name, LayerNorm<T>({.normalized_shape = {units}, .bias = false})));
    };
    add("norm_ih", 2 * H);
    add("norm_hh", 2 * H);
    add("norm_in", H);
    add("norm_hn", H);
}

template <class T>
Variable<T> RegularizedGRUCell<T>::operator()(const Variable<T>& x, const Variable<T>& state, SourceLine at) const {
    const CalledFrom call(at);
    const RunningStep running(RunningStep::after(state, this->owner_));
    const ErrorContext context(this->name(), "RegularizedGRUCell", RunningStep::time());
    this->check(x, state);
    const Variable<T> h = this->or_zeros(state, x);
    Tape<T>& tape = x.tape();
    const auto first = static_cast<NodeIndex>(tape.size());
    const std::size_t H = this->hidden_size();
    const Variable<T> from_x = linear(x, tape.use(this->weight_ih)), from_h = linear(h, tape.use(this->weight_hh));
    const Variable<T> b_ih = reshape(tape.use(this->bias_ih), {1, 3 * H});
    const Variable<T> b_hh = reshape(tape.use(this->bias_hh), {1, 3 * H});
    const auto normed = [&](std::size_t k, const Variable<T>& a) { return norms_.empty() ? a : norms_[k](a); };
    const Variable<T> a = (normed(0, gate_of(from_x, H, 0, 2)) + gate_of(b_ih, H, 0, 2)) +
                          (normed(1, gate_of(from_h, H, 0, 2)) + gate_of(b_hh, H, 0, 2));
    const Variable<T> r = sigmoid(gate_of(a, H, 0)).named("reset_gate");
    const Variable<T> z = sigmoid(gate_of(a, H, 1)).named("update_gate");
    const Variable<T> x_n = normed(2, gate_of(from_x, H, 2)) + gate_of(b_ih, H, 2);
    const Variable<T> h_n = normed(3, gate_of(from_h, H, 2)) + gate_of(b_hh, H, 2);
    const Variable<T> n = tanh(x_n + r * h_n).named("new_gate");
    const Variable<T> h_t = (T(1) - z) * this->dropped(n) + z * h;
    this->label(first, {h_t});
    return h_t;
}

template class RegularizedCell<float>;
template class RegularizedCell<double>;
template class RegularizedRNNCell<float>;
template class RegularizedRNNCell<double>;
template class RegularizedLSTMCell<float>;
template class RegularizedLSTMCell<double>;
template class RegularizedGRUCell<float>;
template class RegularizedGRUCell<double>;

}  // namespace ebb
