#include <ebb/core/error.hpp>
#include <ebb/optim/optimizer.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

namespace ebb {

namespace detail {

void check_fraction(const char* call, const char* what, double value) {
    if (!(value >= 0 && value < 1))
        fail<ValueError>(fmt::format("{}: {} is {}: expected a number in [0, 1)", call, what, value));
}

void check_not_negative(const char* call, const char* what, double value) {
    if (!(value >= 0 && std::isfinite(value)))
        fail<ValueError>(fmt::format("{}: {} is {}: expected a finite number >= 0", call, what, value));
}

}  // namespace detail

LearningRate::LearningRate(const char* optimizer, double rate) : learning_rate_(rate) {
    detail::check_not_negative(optimizer, "learning_rate", rate);
}

void LearningRate::set_learning_rate(double rate) {
    detail::check_not_negative("set_learning_rate", "the rate", rate);
    learning_rate_ = rate;
}

namespace {

template <class T>
bool has_shape(const Array<T>& array, const Shape& shape) {
    return std::equal(array.shape().begin(), array.shape().end(), shape.begin(), shape.end());
}

template <class T>
std::string shape_of(const Array<T>& array) {
    return to_string(Shape::of(array.shape()));
}

}  // namespace

template <class T>
Optimizer<T>::Optimizer(const char* name, const std::vector<Parameter<T>>& parameters, double learning_rate,
                        std::vector<const char*> slots)
    : LearningRate(name, learning_rate), name_(name), slot_names_(std::move(slots)) {
    if (parameters.empty()) fail<ValueError>(fmt::format("{}: the list of parameters is empty", name));
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        if (!parameters[i].defined())
            fail<ValueError>(
                fmt::format("{}: parameter {} of the list was default-constructed and holds no array", name, i));
        const bool known = std::any_of(parameters_.begin(), parameters_.end(),
                                       [&](const auto& other) { return other.shares_with(parameters[i]); });
        if (!known) parameters_.push_back(parameters[i]);
    }
    for (const Parameter<T>& parameter : parameters_) {
        State& state = states_.emplace_back();
        for (std::size_t slot = 0; slot < slot_names_.size(); ++slot) {
            state.slots.push_back(Array<T>::from_shape(parameter.value().shape()));
            state.slots.back().fill(T(0));
        }
    }
}

template <class T>
Optimizer<T>::~Optimizer() = default;

template <class T>
void Optimizer<T>::fill_slot(std::size_t slot, T value) {
    for (State& state : states_) state.slots[slot].fill(value);
}

template <class T>
void Optimizer<T>::step() {
    for (const Parameter<T>& parameter : parameters_)
        for (const Array<T>* array : {&parameter.value(), &parameter.grad()})
            if (!has_shape(*array, parameter.shape()))
                fail<ShapeError>(fmt::format("{}.step: the {} of {} is {}, expected {}", name_,
                                             array == &parameter.value() ? "value" : "gradient", parameter.name(),
                                             shape_of(*array), to_string(parameter.shape())));
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
        Parameter<T>& parameter = parameters_[i];
        if (!parameter.requires_grad()) continue;
        State& state = states_[i];
        ++state.steps;
        update({.value = parameter.mutable_value().data(),
                .gradient = parameter.grad().data(),
                .size = parameter.size(),
                .step = state.steps,
                .slots = state.slots});
    }
}

template <class T>
void Optimizer<T>::zero_grad() {
    for (Parameter<T>& parameter : parameters_) parameter.zero_grad();
}

template <class T>
std::string Optimizer<T>::key(std::size_t parameter, const char* slot) const {
    return fmt::format("{}.{}.{}", parameter, parameters_[parameter].name(), slot);
}

template <class T>
OptimizerState<T> Optimizer<T>::state_dict() const {
    OptimizerState<T> result;
    result.optimizer = name_;
    result.numbers["learning_rate"] = learning_rate();
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
        result.numbers[key(i, "step")] = static_cast<double>(states_[i].steps);
        for (std::size_t slot = 0; slot < slot_names_.size(); ++slot)
            result.arrays.emplace(key(i, slot_names_[slot]), states_[i].slots[slot]);
    }
    return result;
}

template <class T>
void Optimizer<T>::load_state_dict(const OptimizerState<T>& state) {
    const auto call = fmt::format("{}.load_state_dict", name_);
    if (state.optimizer != name_)
        fail<ValueError>(fmt::format("{}: the state is of {}, expected one of {}", call,
                                     state.optimizer.empty() ? "no optimiser" : state.optimizer, name_));

    // All that can go wrong goes wrong before the first write.
    const auto number = [&](const std::string& name) {
        const auto found = state.numbers.find(name);
        if (found == state.numbers.end())
            fail<ValueError>(fmt::format("{}: the state has no number {}: is it of the same parameters?", call, name));
        return found->second;
    };
    const double rate = number("learning_rate");
    detail::check_not_negative(call.c_str(), "learning_rate", rate);
    std::vector<State> loaded(parameters_.size());
    std::size_t arrays_used = 0;
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
        const std::string step_name = key(i, "step");
        const double steps = number(step_name);
        if (!(steps >= 0 && steps < 0x1p53 && std::floor(steps) == steps))
            fail<ValueError>(fmt::format("{}: {} is {}: expected a whole number >= 0", call, step_name, steps));
        loaded[i].steps = static_cast<std::int64_t>(steps);
        for (const char* slot : slot_names_) {
            const std::string name = key(i, slot);
            const auto found = state.arrays.find(name);
            if (found == state.arrays.end())
                fail<ValueError>(fmt::format("{}: the state has no array {}: is it of the same parameters and options?",
                                             call, name));
            if (!has_shape(found->second, parameters_[i].shape()))
                fail<ShapeError>(fmt::format("{}: {} is {}, expected {}", call, name, shape_of(found->second),
                                             to_string(parameters_[i].shape())));
            loaded[i].slots.push_back(found->second);
            ++arrays_used;
        }
    }
    if (arrays_used != state.arrays.size() || states_.size() + 1 != state.numbers.size())
        fail<ValueError>(fmt::format(
            "{}: the state has {} arrays and {} numbers, expected {} and {}: is it of the same parameters and options?",
            call, state.arrays.size(), state.numbers.size(), arrays_used, states_.size() + 1));
    states_ = std::move(loaded);
    set_learning_rate(rate);
}

template class Optimizer<float>;
template class Optimizer<double>;

}  // namespace ebb
