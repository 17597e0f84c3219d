#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/random.hpp>
#include <ebb/layers/recurrent_base.hpp>

#include <cmath>

#include <fmt/format.h>

namespace ebb {

template <class T>
RecurrentBase<T>::RecurrentBase(std::string type, std::string name, CellKind kind, std::size_t input_size,
                                std::size_t hidden_size, bool bias, Granularity granularity, const std::string& suffix)
    : Module<T>(std::move(type), std::move(name)),
      kind_(kind),
      input_size_(input_size),
      hidden_size_(hidden_size),
      granularity_(granularity) {
    if (input_size == 0)
        fail<ValueError>(fmt::format("{}: input_size is 0: expected at least 1", this->display_name()));
    if (hidden_size == 0)
        fail<ValueError>(fmt::format("{}: hidden_size is 0: expected at least 1", this->display_name()));
    const std::size_t rows = gate_count(kind) * hidden_size;
    const T bound = T(1) / std::sqrt(static_cast<T>(hidden_size));
    const auto add = [&](const char* parameter, const Shape& shape) {
        return this->register_parameter(parameter + suffix, uniform<T>(shape, -bound, bound));
    };
    weight_ih = add("weight_ih", {rows, input_size});
    weight_hh = add("weight_hh", {rows, hidden_size});
    if (bias) {
        bias_ih = add("bias_ih", {rows});
        bias_hh = add("bias_hh", {rows});
    }
    labels_.owner = new_step_owner();
}

template <class T>
const StepLabels& RecurrentBase<T>::labels() const {
    if (labels_version_ != this->name_version()) {
        const std::string prefix = this->name().empty() ? "" : this->name() + ".";
        labels_.h = Name(prefix + "h");
        labels_.c = Name(prefix + "c");
        labels_version_ = this->name_version();
    }
    return labels_;
}

template <class T>
RecurrentWeights<T> RecurrentBase<T>::weights_on(Tape<T>& tape) const {
    RecurrentWeights<T> weights{tape.use(weight_ih), tape.use(weight_hh), {}, {}};
    if (bias_ih.defined()) {
        weights.bias_ih = tape.use(bias_ih);
        weights.bias_hh = tape.use(bias_hh);
    }
    return weights;
}

template <class T>
void RecurrentBase<T>::check_width(const char* operand, const Variable<T>& x, std::size_t rank,
                                   const char* expected) const {
    if (x.shape().rank() != rank || x.shape().back() != input_size_)
        fail<ShapeError>(fmt::format("{}: {} is {}, {} is {}: expected {} with {} as the last extent", this->type(),
                                     operand, to_string(x.shape()), weight_ih.name(), to_string(weight_ih.shape()),
                                     expected, input_size_));
}

template <class T>
void RecurrentBase<T>::check_state(const char* operand, const Variable<T>& given, const Variable<T>& x,
                                   const Shape& expected) const {
    if (!given.defined()) return;
    x.tape().check(this->type(), given);
    if (given.shape() != expected)
        fail<ShapeError>(fmt::format("{}: {} is {}, x is {}: expected {} to be {}", this->type(), operand,
                                     to_string(given.shape()), to_string(x.shape()), operand, to_string(expected)));
}

template <class T>
RecurrentResult<T> RecurrentBase<T>::run_step(const Variable<T>& x, Variable<T> h, Variable<T> c) const {
    StepLabels at = labels();
    // A step that follows a step of the same cell counts on from it; any other is the first.
    if (h.defined() && h.node().step_owner == at.owner) at.first_time_step = h.time_step() + 1;
    const ErrorContext context(this->name(), this->type().c_str(), at.first_time_step);
    check_width("x", x, 2, "[B, I]");
    const Shape expected{x.shape()[0], hidden_size_};
    Tape<T>& tape = x.tape();
    const bool has_c = kind_ == CellKind::lstm;
    check_state("h", h, x, expected);
    if (has_c) check_state("c", c, x, expected);
    if (!h.defined()) h = tape.zeros(expected);
    if (has_c && !c.defined()) c = tape.zeros(expected);
    return recurrent_step(kind_, granularity_, x, h, c, weights_on(tape), at);
}

template <class T>
RecurrentResult<T> RecurrentBase<T>::run_sequence(const Variable<T>& x, Variable<T> h, Variable<T> c) const {
    const ErrorContext context(this->name(), this->type().c_str());
    check_width("x", x, 3, "[T, B, I]");
    if (x.shape()[0] == 0)
        fail<ShapeError>(
            fmt::format("{}: x is {}: T is 0, expected at least one time step", this->type(), to_string(x.shape())));
    const std::size_t batch = x.shape()[1];
    const Shape expected{1, batch, hidden_size_};
    Tape<T>& tape = x.tape();
    const bool zero_state = !h.defined() && !c.defined();
    const bool has_c = kind_ == CellKind::lstm;
    check_state("h0", h, x, expected);
    if (has_c) check_state("c0", c, x, expected);
    const Shape of_step{batch, hidden_size_};
    h = h.defined() ? reshape(h, of_step) : tape.zeros(of_step);
    if (has_c) c = c.defined() ? reshape(c, of_step) : tape.zeros(of_step);
    RecurrentResult<T> result =
        recurrent_sequence(kind_, granularity_, x, h, c, zero_state, weights_on(tape), labels());
    result.h = reshape(result.h, expected);
    if (result.c.defined()) result.c = reshape(result.c, expected);
    return result;
}

template class RecurrentBase<float>;
template class RecurrentBase<double>;

}  // namespace ebb
