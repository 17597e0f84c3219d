#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/running_step.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/random.hpp>
#include <ebb/layers/recurrent_base.hpp>

#include <cmath>

#include <fmt/format.h>

namespace ebb {

template <class T>
RecurrentBase<T>::RecurrentBase(std::string type, std::string name, CellKind kind, const Sizes& sizes, Form form,
                                const std::string& suffix)
    : Module<T>(std::move(type), std::move(name)),
      kind_(kind),
      sizes_(sizes),
      granularity_(form.granularity),
      activation_(std::move(form.activation)) {
    if (sizes.input == 0)
        fail<ValueError>(fmt::format("{}: input_size is 0: expected at least 1", this->display_name()));
    if (sizes.hidden == 0)
        fail<ValueError>(fmt::format("{}: hidden_size is 0: expected at least 1", this->display_name()));
    // A projection to H or more would be none: PyTorch refuses it as well.
    if (sizes.projected >= sizes.hidden)
        fail<ValueError>(fmt::format("{}: proj_size is {}, hidden_size is {}: expected a smaller one, or 0 for none",
                                     this->display_name(), sizes.projected, sizes.hidden));
    sizes_.state = sizes.projected != 0 ? sizes.projected : sizes.hidden;
    const std::size_t H = sizes.hidden, rows = gate_count(kind) * H;
    const T bound = T(1) / std::sqrt(static_cast<T>(H));
    const auto add = [&](const char* parameter, const Shape& shape) {
        return this->register_parameter(parameter + suffix, uniform<T>(shape, -bound, bound));
    };
    weight_ih = add("weight_ih", {rows, sizes.input});
    weight_hh = add("weight_hh", {rows, sizes_.state});
    if (form.bias) {
        bias_ih = add("bias_ih", {rows});
        bias_hh = add("bias_hh", {rows});
    }
    if (sizes.projected != 0) weight_hr = add("weight_hr", {sizes.projected, H});
    if (form.peepholes) weight_ch = add("weight_ch", {3, H});
    labels_.owner = new_step_owner();
}

template <class T>
std::string RecurrentBase<T>::takes() const {
    return fmt::format("{} is {}", weight_ih.name(), to_string(weight_ih.shape()));
}

template <class T>
const StepLabels& RecurrentBase<T>::labels() const {
    this->refresh_names(labels_version_, [this] {
        labels_.h = Name(this->probe_name("h"));
        labels_.c = Name(this->probe_name("c"));
    });
    return labels_;
}

template <class T>
RecurrentWeights<T> RecurrentBase<T>::weights_on(Tape<T>& tape) const {
    RecurrentWeights<T> weights{tape.use(weight_ih), tape.use(weight_hh), {}, {}};
    if (bias_ih.defined()) {
        weights.bias_ih = tape.use(bias_ih);
        weights.bias_hh = tape.use(bias_hh);
    }
    if (weight_hr.defined()) weights.weight_hr = tape.use(weight_hr);
    if (weight_ch.defined()) weights.weight_ch = tape.use(weight_ch);
    weights.activation = &activation_;
    return weights;
}

template <class T>
RecurrentResult<T> RecurrentBase<T>::run_step(const Variable<T>& x, Variable<T> h, Variable<T> c) const {
    StepLabels at = labels();
    at.first_time_step = RunningStep::after(h, at.owner);
    const RunningStep running(at.first_time_step);
    const ErrorContext context(this->name(), this->type().c_str(), at.first_time_step);
    check_step_input(this->type(), x, weight_ih);
    Tape<T>& tape = x.tape();
    const std::size_t batch = x.shape()[0];
    const bool has_c = kind_ == CellKind::lstm;
    check_step_state(this->type(), "h", h, x, sizes_.state);
    if (has_c) check_step_state(this->type(), "c", c, x, sizes_.hidden);
    if (!h.defined()) h = tape.zeros({batch, sizes_.state});
    if (has_c && !c.defined()) c = tape.zeros({batch, sizes_.hidden});
    return recurrent_step(kind_, granularity_, x, h, c, weights_on(tape), at);
}

template <class T>
CellOutput<T> RecurrentBase<T>::run_sequence(const CellInput<T>& input) const {
    const bool has_c = kind_ == CellKind::lstm;
    const std::vector<Name>& parts = input.labels.parts;
    const StepLabels labels{parts[0], has_c ? parts[1] : Name(), input.labels.owner, input.first_time_step};
    const RecurrentResult<T> result =
        recurrent_sequence(kind_, granularity_, input.x, input.before[0], has_c ? input.before[1] : Variable<T>(),
                           input.zero_state, weights_on(input.x.tape()), labels, input.steps, input.reverse);
    return {result.output, has_c ? StateParts<T>{result.h, result.c} : StateParts<T>{result.h}};
}

template class RecurrentBase<float>;
template class RecurrentBase<double>;

}  // namespace ebb
