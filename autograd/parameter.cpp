#include <ebb/autograd/parameter.hpp>
#include <ebb/autograd/variable.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/finite.hpp>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace ebb {

template <class T>
Parameter<T>::Parameter(std::string name, Array<T> value) : state_(std::make_shared<State>()) {
    check_finite("Parameter", name, value);
    state_->name = Name(name);
    state_->shape = Shape::of(value.shape());
    state_->gradient = Array<T>::from_shape(value.shape());
    state_->gradient.fill(T(0));
    state_->value = std::move(value);
}

template <class T>
void Parameter<T>::fail_without_array() {
    fail<ValueError>("Parameter: it was default-constructed and holds no array: expected Parameter(name, array)");
}

template <class T>
const std::string& Parameter<T>::name() const {
    return state().name.text();
}

template <class T>
void Parameter<T>::set_name(std::string name) {
    state().name = Name(name);
}

template <class T>
Array<T>& Parameter<T>::mutable_value() {
    ++state().version;
    return state().value;
}

template <class T>
void Parameter<T>::set_value(const Array<T>& value) {
    const Shape given = Shape::of(value.shape());
    if (given != shape())
        fail<ShapeError>(fmt::format("Parameter.set_value: {} is {}, the new value is {}", name(), to_string(shape()),
                                     to_string(given)));
    check_finite("Parameter.set_value", name(), value);
    ++state().version;
    std::copy_n(value.data(), value.size(), state().value.data());
}

template <class T>
const Array<T>& Parameter<T>::grad() const {
    return state().gradient;
}

template <class T>
Array<T>& Parameter<T>::mutable_grad() {
    state().gradient_is_zero = false;
    return state().gradient;
}

template <class T>
void Parameter<T>::zero_grad() {
    state().gradient.fill(T(0));
    state().gradient_is_zero = true;
}

template <class T>
HookHandle<T> Parameter<T>::add_hook(GradientHook<T> hook) {
    return HookHandle<T>(state().hooks.emplace_back(std::make_shared<GradientHook<T>>(std::move(hook))));
}

template <class T>
bool Parameter<T>::requires_grad() const {
    return state().requires_grad;
}

template <class T>
void Parameter<T>::set_requires_grad(bool wanted) {
    state().requires_grad = wanted;
}

template class Parameter<float>;
template class Parameter<double>;

}  // namespace ebb
