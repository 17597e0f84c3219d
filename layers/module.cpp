#include <ebb/core/error.hpp>
#include <ebb/core/finite.hpp>
#include <ebb/layers/module.hpp>

#include <algorithm>
#include <atomic>
#include <mutex>

#include <fmt/format.h>
#include <fmt/ranges.h>

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
std::string Module<T>::probe_name(const std::string& what) const {
    return joined(name(), what);
}

template <class T>
void Module<T>::make_names(std::size_t& version, const std::function<void()>& make) const {
    static std::mutex making;
    const std::scoped_lock lock(making);
    const std::atomic_ref<std::size_t> noted(version);
    if (noted.load(std::memory_order_relaxed) == state_->name_version) return;
    make();
    noted.store(state_->name_version, std::memory_order_release);
}

template <class T>
void Module<T>::set_path(State& state, const std::string& path) {
    state.path = path;
    ++state.name_version;
    for (auto& [name, part] : state.parts) set_path(*part, joined(path, name));
}

template <class T>
std::vector<std::pair<std::string, Parameter<T>>> Module<T>::named_parameters() const {
    std::vector<std::pair<std::string, Parameter<T>>> all, result;
    collect(*state_, "", all);
    for (auto& named : all) {
        const auto same = [&](const auto& other) { return other.second.shares_with(named.second); };
        if (std::none_of(result.begin(), result.end(), same)) result.push_back(std::move(named));
    }
    return result;
}

template <class T>
std::vector<ModulePart<T>> Module<T>::modules() const {
    std::vector<ModulePart<T>> result;
    collect_parts(*state_, "", result);
    return result;
}

template <class T>
void Module<T>::collect_parts(const State& state, const std::string& path, std::vector<ModulePart<T>>& into) {
    into.push_back({path, state.type, state.parameters});
    for (const auto& [name, part] : state.parts) collect_parts(*part, joined(path, name), into);
}

template <class T>
StateDict<T> Module<T>::state_dict() const {
    std::vector<std::pair<std::string, Parameter<T>>> all;
    collect(*state_, "", all);
    StateDict<T> result;
    for (const auto& [name, parameter] : all) result.emplace(name, parameter.value());
    return result;
}

template <class T>
LoadReport Module<T>::load_state_dict(const StateDict<T>& state, bool strict) {
    std::vector<std::pair<std::string, Parameter<T>>> all;
    collect(*state_, "", all);
    LoadReport report;
    std::vector<std::string> shapes;
    for (const auto& [name, parameter] : all) {
        const auto given = state.find(name);
        if (given == state.end()) {
            report.missing.push_back(name);
            continue;
        }
        const Array<T>& value = given->second;
        const Shape shape = Shape::of(value.shape());
        if (shape != parameter.shape())
            shapes.push_back(
                fmt::format("{} is {}, expected {}", name, to_string(shape), to_string(parameter.shape())));
        check_finite("load_state_dict: " + display_name(), name, value);
    }
    for (const auto& [name, unused] : state) {
        const auto same = [&, &given = name](const auto& named) { return named.first == given; };
        if (std::none_of(all.begin(), all.end(), same)) report.unexpected.push_back(name);
    }

    const bool names_differ = strict && !(report.missing.empty() && report.unexpected.empty());
    std::vector<std::string> differences;
    if (strict && !report.missing.empty())
        differences.push_back(fmt::format("missing: {}", fmt::join(report.missing, ", ")));
    if (strict && !report.unexpected.empty())
        differences.push_back(fmt::format("unexpected: {}", fmt::join(report.unexpected, ", ")));
    differences.insert(differences.end(), shapes.begin(), shapes.end());
    const std::string message =
        fmt::format("load_state_dict: {} does not fit: {}", display_name(), fmt::join(differences, "; "));
    if (names_differ) fail<ValueError>(message);
    if (!shapes.empty()) fail<ShapeError>(message);

    for (auto& [name, parameter] : all)
        if (const auto given = state.find(name); given != state.end()) parameter.set_value(given->second);
    return report;
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
std::size_t Module<T>::trainable_parameter_count() const {
    std::size_t count = 0;
    for (const Parameter<T>& parameter : parameters()) count += parameter.requires_grad() ? parameter.size() : 0;
    return count;
}

template <class T>
void Module<T>::freeze(bool on) {
    for (Parameter<T>& parameter : parameters()) parameter.set_requires_grad(!on);
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
    const Parameter<T> parameter(name, std::move(value));
    register_parameter(std::move(name), parameter);
    return parameter;
}

template <class T>
void Module<T>::register_parameter(std::string name, const Parameter<T>& parameter) {
    for (const auto& [other, unused] : state_->parameters)
        if (other == name) fail<ValueError>(fmt::format("{}: it has a parameter {} already", display_name(), name));
    state_->parameters.emplace_back(std::move(name), parameter);
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
