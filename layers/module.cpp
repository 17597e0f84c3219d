#include <ebb/core/error.hpp>
#include <ebb/layers/module.hpp>

#include <fmt/format.h>

namespace ebb {
namespace {

std::string joined(const std::string& prefix, const std::string& name) {
    return prefix.empty() ? name : prefix + "." + name;
}

}  // namespace

template <class T>
Module<T>::Module(std::string type, std::string name) : state_(std::make_shared<State>()) {
    state_->type = std::move(type);
    state_->path = std::move(name);
}

template <class T>
void Module<T>::set_name(const std::string& name) {
    set_path(*state_, name);
}

template <class T>
void Module<T>::set_path(State& state, const std::string& path) {
    state.path = path;
    ++state.name_version;
    for (auto& [name, part] : state.parts) set_path(*part, joined(path, name));
}

template <class T>
std::vector<std::pair<std::string, Parameter<T>>> Module<T>::named_parameters() const {
    std::vector<std::pair<std::string, Parameter<T>>> result;
    collect(*state_, "", result);
    return result;
}

template <class T>
void Module<T>::collect(const State& state, const std::string& prefix,
                        std::vector<std::pair<std::string, Parameter<T>>>& into) {
    for (const auto& [name, parameter] : state.parameters) into.emplace_back(joined(prefix, name), parameter);
    for (const auto& [name, part] : state.parts) collect(*part, joined(prefix, name), into);
}

template <class T>
std::vector<Parameter<T>> Module<T>::parameters() const {
    std::vector<Parameter<T>> result;
    for (auto& named : named_parameters()) result.push_back(std::move(named.second));
    return result;
}

template <class T>
std::size_t Module<T>::parameter_count() const {
    std::size_t count = 0;
    for (const Parameter<T>& parameter : parameters()) count += parameter.size();
    return count;
}

template <class T>
void Module<T>::zero_grad() {
    for (Parameter<T>& parameter : parameters()) parameter.zero_grad();
}

template <class T>
void Module<T>::train(bool on) {
    set_training(*state_, on);
}

template <class T>
void Module<T>::set_training(State& state, bool on) {
    state.training = on;
    for (auto& [name, part] : state.parts) set_training(*part, on);
}

template <class T>
Parameter<T> Module<T>::register_parameter(std::string name, Array<T> value) {
    for (const auto& [other, unused] : state_->parameters)
        if (other == name) fail<ValueError>(fmt::format("{}: it has a parameter {} already", display_name(), name));
    Parameter<T> parameter(name, std::move(value));
    state_->parameters.emplace_back(std::move(name), parameter);
    return parameter;
}

template <class T>
void Module<T>::add_part(const std::string& name, Module& part) {
    for (const auto& [other, unused] : state_->parts)
        if (other == name) fail<ValueError>(fmt::format("{}: it has a part {} already", display_name(), name));
    state_->parts.emplace_back(name, part.state_);
    set_path(*part.state_, joined(state_->path, name));
}

template class Module<float>;
template class Module<double>;

}  // namespace ebb
