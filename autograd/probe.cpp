#include <ebb/autograd/probe.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>

#include <limits>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace ebb {
namespace {

/// The owner of the steps of the cell called `module`: the same for the same name, on every tape and thread.
StepOwner owner_of(std::string_view module) {
    static std::mutex mutex;
    static std::map<std::string, StepOwner, std::less<>> owners;
    const std::lock_guard lock(mutex);
    const auto found = owners.find(module);
    return found != owners.end() ? found->second : owners.emplace(module, new_step_owner()).first->second;
}

/// Gives what `state` was computed from, back to other probes, to its time step: a product with h_{t-1} belongs to step
/// t, though its newest input is of step t - 1.
template <class T>
void set_time_step_behind(Tape<T>& tape, NodeIndex state) {
    const std::int32_t time_step = tape.node(state).time_step;
    const StepOwner owner = tape.node(state).step_owner;
    NodeIndex first = state;
    while (first > 0) {
        const Node<T>& before = tape.node(first - 1);
        if (before.probe && before.step_owner == owner && before.time_step != time_step) break;
        --first;
    }
    thread_local std::vector<bool> reached;
    reached.assign(state - first + 1, false);
    reached[state - first] = true;
    for (NodeIndex index = state + 1; index-- > first;) {
        if (!reached[index - first]) continue;
        Node<T>& node = tape.node(index);
        if (index != state && (node.probe || node.parameter)) continue;
        if (node.further_output && index > first) reached[index - 1 - first] = true;
        node.time_step = time_step;
        node.step_owner = owner;
        for (std::size_t i = 0; i < node.input_count; ++i) {
            const NodeIndex input = tape.input(node, i);
            if (input >= first) reached[input - first] = true;
        }
    }
}

}  // namespace

template <class T>
const Variable<T>& probe(const Variable<T>& state, std::string_view name, std::int64_t time_step) {
    if (name.empty()) fail<ValueError>("probe: the name is empty: expected one such as \"mycell.h\"");
    if (time_step < 0 || time_step > std::numeric_limits<std::int32_t>::max())
        fail<ValueError>(fmt::format("probe: {} is at time step {}: expected 0 to 2^31 - 1", name, time_step));
    state.named(name);
    const std::size_t dot = name.rfind('.');
    Node<T>& node = state.node();
    node.time_step = static_cast<std::int32_t>(time_step);
    node.step_owner = owner_of(dot == std::string_view::npos ? std::string_view() : name.substr(0, dot));
    set_time_step_behind(state.tape(), state.index());
    node.probe = true;
    node.retains_gradient = node.requires_grad;
    return state;
}

template const Variable<float>& probe(const Variable<float>&, std::string_view, std::int64_t);
template const Variable<double>& probe(const Variable<double>&, std::string_view, std::int64_t);

}  // namespace ebb
