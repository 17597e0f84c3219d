#include <ebb/core/error.hpp>
#include <ebb/inspect/probe_series.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace ebb::inspect {
namespace {

/// What comes before the last dot: the name of the module.
std::string_view module_of(std::string_view name) {
    const std::size_t dot = name.rfind('.');
    return dot == std::string_view::npos ? std::string_view() : name.substr(0, dot);
}

std::string joined(std::string_view module, std::string_view name) {
    std::string result(module);
    if (!module.empty()) result += '.';
    return result.append(name);
}

/// The state from which `node` was computed: the first probe of the same cell and name on the way back from it.
template <class T>
std::optional<NodeIndex> state_before(const Tape<T>& tape, NodeIndex index) {
    const Node<T>& node = tape.node(index);
    // A further output, the c of a fused LSTM, has the inputs of the node that it belongs to.
    while (tape.node(index).further_output) --index;
    std::vector<NodeIndex> seen{index};
    for (std::size_t next = 0; next < seen.size(); ++next) {
        const Node<T>& at = tape.node(seen[next]);
        if (next > 0 && at.probe) {
            if (at.step_owner == node.step_owner && at.name.text() == node.name.text()) return seen[next];
            continue;
        }
        for (std::size_t i = 0; i < at.input_count; ++i)
            if (std::find(seen.begin(), seen.end(), tape.input(at, i)) == seen.end()) seen.push_back(tape.input(at, i));
    }
    return std::nullopt;
}

/// The name itself, or "name (2)", "name (3)" where it is taken.
template <class IsTaken>
std::string unique_name(std::string name, IsTaken is_taken) {
    if (!is_taken(name)) return name;
    for (int count = 2;; ++count)
        if (std::string numbered = fmt::format("{} ({})", name, count); !is_taken(numbered)) return numbered;
}

/// The series of gates: one for those of a step that stand side by side, for each cell and run.
template <class T>
class GateEntries {
  public:
    explicit GateEntries(std::vector<GateSeries<T>>& all) : all_(all) {}

    /// Gates of steps of the state at `place`, whose first node is `state`: of the first, and at each further time step
    /// `distance` numbers further on.
    void add(std::size_t place, const Node<T>& state, std::span<const Intermediate<T>> gates,
             std::span<const std::int32_t> time_steps, std::ptrdiff_t distance = 0) {
        if (of_state_.size() <= place) of_state_.resize(place + 1);
        std::vector<Known>& known = of_state_[place];
        // A step brings its gates in one order, so each is looked for where it was found before.
        std::size_t guess = 0;
        for (std::size_t begin = 0, end = 0; begin < gates.size(); begin = end) {
            // In rows that have room for them, and not where arrays of their own happen to follow each other.
            const auto has_room = [&](std::size_t count) {
                return count * gates[begin].columns <= gates[begin].stride;
            };
            for (end = begin + 1; end < gates.size() && has_room(end - begin + 1); ++end)
                if (!is_beside(gates[end - 1], gates[end])) break;
            const std::span<const Intermediate<T>> side_by_side = gates.subspan(begin, end - begin);
            guess = find_or_add(known, guess, state, side_by_side);
            GateSeries<T>& series = all_[known[guess].place];
            const Intermediate<T>& first = side_by_side.front();
            series.time_step.insert(series.time_step.end(), time_steps.begin(), time_steps.end());
            series.blocks.add({first.data, first.rows, first.columns, first.stride}, time_steps.size(),
                              distance * static_cast<std::ptrdiff_t>(sizeof(T)));
            ++guess;
        }
    }

  private:
    static bool is_beside(const Intermediate<T>& a, const Intermediate<T>& b) {
        return b.data == a.data + a.columns && b.rows == a.rows && b.columns == a.columns && b.stride == a.stride;
    }

    struct Known {
        std::vector<std::string_view> names;
        std::size_t place;

        bool is_of(std::span<const Intermediate<T>> gates) const {
            return std::equal(names.begin(), names.end(), gates.begin(), gates.end(),
                              [](std::string_view name, const Intermediate<T>& gate) {
                                  return name.data() == gate.name.data() ? name.size() == gate.name.size()
                                                                         : name == gate.name;
                              });
        }
    };

    /// Gives the place among the known.
    std::size_t find_or_add(std::vector<Known>& known, std::size_t guess, const Node<T>& state,
                            std::span<const Intermediate<T>> gates) {
        if (guess < known.size() && known[guess].is_of(gates)) return guess;
        const auto is_it = [&](const Known& entry) { return entry.is_of(gates); };
        const auto found = static_cast<std::size_t>(std::find_if(known.begin(), known.end(), is_it) - known.begin());
        if (found == known.size()) add_entry(known, state, gates);
        return found;
    }

    void add_entry(std::vector<Known>& known, const Node<T>& state, std::span<const Intermediate<T>> gates) {
        known.push_back({{}, all_.size()});
        GateSeries<T>& series = all_.emplace_back();
        const auto is_taken = [&](const std::string& name) {
            return std::any_of(all_.begin(), all_.end(), [&](const GateSeries<T>& other) {
                return std::find(other.names.begin(), other.names.end(), name) != other.names.end();
            });
        };
        series.names.reserve(gates.size());
        known.back().names.reserve(gates.size());
        for (const Intermediate<T>& gate : gates) {
            known.back().names.push_back(gate.name);
            series.names.push_back(unique_name(joined(module_of(state.name.text()), gate.name), is_taken));
        }
    }

    std::vector<GateSeries<T>>& all_;
    std::vector<std::vector<Known>> of_state_;
};

/// The series of the states: one for each cell, name and run. A step that comes once more begins another run.
template <class T>
class StateEntries {
  public:
    StateEntries(const Tape<T>& tape, std::vector<StateSeries<T>>& all) : tape_(tape), all_(all) {}

    /// The place of the series that a probe belongs to. The probes must come in the order of the tape.
    std::size_t of(NodeIndex index, const Node<T>& node) {
        std::vector<std::size_t>& runs = runs_of(node);
        const std::optional<std::size_t> place = find(runs, index);
        if (place) return *place;
        runs.push_back(all_.size());
        const auto is_taken = [&](const std::string& name) {
            return std::any_of(all_.begin(), all_.end(), [&](const ProbeSeries& other) { return other.name == name; });
        };
        std::string name = unique_name(node.name.text(), is_taken);
        all_.emplace_back().name = std::move(name);
        all_.back().owner = node.step_owner;
        all_.back().run = runs.size() - 1;
        return runs.back();
    }

    /// Whether the cell of this state has had no step so far.
    bool begins(const Node<T>& node) { return runs_of(node).empty(); }

  private:
    std::vector<std::size_t>& runs_of(const Node<T>& node) {
        // The states take turns, h, c, h, c: the search goes on where it has stopped.
        for (std::size_t k = 0; k < runs_.size(); ++k) {
            next_ = next_ + 1 < runs_.size() ? next_ + 1 : 0;
            if (runs_[next_].owner == node.step_owner && runs_[next_].name == node.name) return runs_[next_].places;
        }
        return runs_.emplace_back(Runs{node.step_owner, node.name, {}}).places;
    }
    std::optional<std::size_t> find(const std::vector<std::size_t>& runs, NodeIndex index) const {
        const std::int32_t t = tape_.node(index).time_step;
        // Forwards, or backwards as half of a bidirectional layer goes.
        const auto goes_on = [&](std::size_t place) {
            const std::vector<std::int32_t>& steps = all_[place].time_step;
            if (steps.size() < 2) return t != steps.back();
            return steps.front() < steps.back() ? t > steps.back() : t < steps.back();
        };
        if (runs.size() > 1)  // they may take turns, step by step
            if (const std::optional<NodeIndex> before = state_before(tape_, index))
                for (const std::size_t place : runs)
                    if (all_[place].node.back() == *before && goes_on(place)) return place;
        if (!runs.empty() && goes_on(runs.back())) return runs.back();
        return std::nullopt;
    }

    const Tape<T>& tape_;
    std::vector<StateSeries<T>>& all_;
    struct Runs {
        StepOwner owner;
        Name name;
        std::vector<std::size_t> places;
    };
    std::vector<Runs> runs_;
    std::size_t next_ = 0;
};

[[noreturn]] void fail_to_find(const char* call, const char* what, const std::vector<std::string>& names,
                               std::string_view name) {
    fail<ValueError>(fmt::format("{}: no {} is called {}: the tape has {}", call, what, name,
                                 names.empty() ? std::string("none") : fmt::format("{}", fmt::join(names, ", "))));
}

template <class Series>
const Series& find(const char* call, const char* what, const std::vector<Series>& all, std::string_view name) {
    for (const Series& series : all)
        if (series.name == name) return series;
    std::vector<std::string> names;
    for (const Series& series : all) names.push_back(series.name);
    fail_to_find(call, what, names, name);
}

template <class T>
void check_chain(const char* call, const Tape<T>& tape, const ProbeSeries& series) {
    const Shape& shape = tape.node(series.node.front()).shape;
    if (shape.rank() != 2)
        fail<ShapeError>(
            fmt::format("{}: {} is {}: expected a state of shape [B, H]", call, series.name, to_string(shape)));
    for (std::size_t k = 1; k < series.steps(); ++k) {
        const Shape& later = tape.node(series.node[k]).shape;
        if (later.rank() != 2 || later[1] != shape[1])
            fail<ShapeError>(fmt::format("{}: {} is {} at time step {} and {} at time step {}: expected one width",
                                         call, series.name, to_string(shape), series.time_step.front(),
                                         to_string(later), series.time_step[k]));
    }
}

/// From a node's array to another's, in bytes.
template <class T>
std::intptr_t bytes_between(const T* from, const T* to) {
    return reinterpret_cast<std::intptr_t>(to) - reinterpret_cast<std::intptr_t>(from);
}

/// From the arrays of a step to those of the next one.
struct Distances {
    std::intptr_t value_bytes, gradient_bytes;
};

/// Adds the arrays of `steps` steps, of which `first` is the first node.
template <class T>
void add_arrays(StateSeries<T>& series, const Node<T>& first, std::size_t steps, Distances to_next) {
    const std::size_t size = first.shape.size();
    series.values.add({first.value, 1, size, size}, steps, to_next.value_bytes);
    series.gradients.add({first.retained_gradient, 1, size, size}, steps, to_next.gradient_bytes);
}

/// What the steps of one state in a run have in common.
struct AlikeSteps {
    bool are_alike = false;              // of one cell and name, with time steps that are `next_time` apart
    std::optional<Distances> distances;  // where all arrays lie at one distance
};

template <class T>
AlikeSteps compare_steps(const Tape<T>& tape, NodeIndex index, StepRun run, std::int32_t next_time) {
    const Node<T>& first = tape.node(index);
    const Node<T>& second = tape.node(index + run.nodes);
    const Distances to_next{bytes_between(first.value, second.value),
                            bytes_between(first.retained_gradient, second.retained_gradient)};
    bool at_one_distance = !first.retained_gradient == !second.retained_gradient && !first.value == !second.value;
    std::intptr_t value = 0, gradient = 0;  // from the first step's
    std::int32_t time_step = first.time_step;
    for (std::size_t k = 0; k < run.steps; ++k, index += run.nodes) {
        const Node<T>& node = tape.node(index);
        if (!node.probe || node.intermediate || node.name != first.name || node.step_owner != first.step_owner ||
            node.time_step != time_step)
            return {};
        at_one_distance &= bytes_between(first.value, node.value) == value &&
                           bytes_between(first.retained_gradient, node.retained_gradient) == gradient;
        time_step += next_time;
        value += to_next.value_bytes;
        gradient += to_next.gradient_bytes;
    }
    return {true, at_one_distance ? std::optional(to_next) : std::nullopt};
}

/// The steps of a layer, of which `index` is the first node, all at once: of small steps, to find out for each what it
/// belongs to would take longer than to read its numbers. Returns how many nodes they are; 0 where the steps must be
/// taken one by one.
template <class T>
NodeIndex add_run(const Tape<T>& tape, NodeIndex index, StateEntries<T>& states, GateEntries<T>& gates,
                  AllSeries<T>& all) {
    const Node<T>& first = tape.node(index);
    const StepRun run = first.operation->run_from(first);
    constexpr NodeIndex most_states = 2;
    const NodeIndex end = index + static_cast<NodeIndex>(run.steps) * run.nodes;
    if (run.steps < 2 || run.nodes > most_states || end > tape.size()) return 0;
    const std::int32_t next_time = tape.node(index + run.nodes).time_step - first.time_step;
    if (next_time == 0) return 0;
    std::array<AlikeSteps, most_states> steps;
    for (NodeIndex k = 0; k < run.nodes; ++k) {
        if (!states.begins(tape.node(index + k))) return 0;
        steps[k] = compare_steps(tape, index + k, run, next_time);
        const bool of_one_shape = tape.node(end - run.nodes + k).shape == tape.node(index + k).shape;
        if (!steps[k].are_alike || !of_one_shape) return 0;
    }
    for (NodeIndex state = index; state < index + run.nodes; ++state) {
        const std::size_t place = states.of(state, tape.node(state));
        StateSeries<T>& series = all.states[place];
        series.node.resize(run.steps);
        series.time_step.resize(run.steps);
        NodeIndex node = state;
        std::int32_t time_step = first.time_step;
        for (std::size_t k = 0; k < run.steps; ++k, node += run.nodes, time_step += next_time) {
            series.node[k] = node;
            series.time_step[k] = time_step;
        }
        if (const std::optional<Distances>& to_next = steps[state - index].distances)
            add_arrays(series, tape.node(state), run.steps, *to_next);
        else
            for (const NodeIndex step : series.node) add_arrays(series, tape.node(step), 1, {});
        if (state != index) continue;
        const Intermediates<T> of_step = first.operation->intermediates(tape, first);
        if (of_step.size() == 0) continue;
        gates.add(place, first, std::span(of_step.begin(), of_step.size()), series.time_step,
                  run.intermediates_distance);
    }
    return end - index;
}

}  // namespace

template <class T>
AllSeries<T> all_series(const Tape<T>& tape) {
    AllSeries<T> all;
    all.states.reserve(4);  // a few layers' h and c
    all.gates.reserve(4);
    StateEntries<T> states(tape, all.states);
    GateEntries<T> gates(all.gates);
    std::vector<NodeIndex> waiting_gates;
    for (NodeIndex index = 0; index < tape.size(); ++index) {
        const Node<T>& node = tape.node(index);
        if (node.intermediate) waiting_gates.push_back(index);
        if (!node.probe) continue;
        if (node.operation && waiting_gates.empty()) {
            if (const NodeIndex nodes = add_run(tape, index, states, gates, all); nodes > 0) {
                index += nodes - 1;
                continue;
            }
        }
        const std::size_t place = states.of(index, node);
        StateSeries<T>& series = all.states[place];
        series.node.push_back(index);
        series.time_step.push_back(node.time_step);
        add_arrays(series, node, 1, {});
        if (node.operation) {
            const Intermediates<T> of_step = node.operation->intermediates(tape, node);
            if (of_step.size() > 0)
                gates.add(place, node, std::span(of_step.begin(), of_step.size()), {&node.time_step, 1});
        }
        if (waiting_gates.empty()) continue;
        // The gates of a cell in elementary operations are nodes of their own, recorded before its state.
        std::vector<Intermediate<T>> of_step;
        std::erase_if(waiting_gates, [&](NodeIndex waiting) {
            const Node<T>& gate = tape.node(waiting);
            if (gate.step_owner != node.step_owner || gate.time_step != node.time_step) return false;
            if (!gate.name.empty()) {
                const std::size_t columns = gate.shape.rank() == 0 ? 1 : gate.shape.back();
                const std::size_t rows = gate.shape.size() / std::max<std::size_t>(columns, 1);
                of_step.push_back({gate.name.text(), gate.value, rows, columns, columns});
            } else if (gate.operation) {  // the step of a cell that another one is wrapped around
                const Intermediates<T> inner = gate.operation->intermediates(tape, gate);
                of_step.insert(of_step.end(), inner.begin(), inner.end());
            }
            return true;
        });
        gates.add(place, node, of_step, {&node.time_step, 1});
    }
    return all;
}

template <class T>
ProbeSeries find_series(const char* call, const Tape<T>& tape, std::string_view name) {
    return find(call, "state", all_series(tape).states, name);
}

template <class T>
std::vector<ProbeSeries> find_cell(const char* call, const Tape<T>& tape, std::string_view name) {
    const std::vector<StateSeries<T>> all = all_series(tape).states;
    std::vector<ProbeSeries> cell{find(call, "state", all, name)};
    for (const ProbeSeries& series : all)
        if (series.owner == cell.front().owner && series.run == cell.front().run && series.name != name)
            cell.push_back(series);
    for (const ProbeSeries& series : cell) {
        check_chain(call, tape, series);
        if (series.time_step != cell.front().time_step)
            fail<ValueError>(fmt::format("{}: {} and {} are of one cell and have different time steps", call,
                                         cell.front().name, series.name));
    }
    return cell;
}

template <class T>
GateSeries<T> find_gate(const char* call, const Tape<T>& tape, std::string_view name) {
    std::vector<GateSeries<T>> all = all_series(tape).gates;
    std::vector<std::string> names;
    for (GateSeries<T>& series : all) {
        const auto found = std::find(series.names.begin(), series.names.end(), name);
        if (found == series.names.end()) {
            names.insert(names.end(), series.names.begin(), series.names.end());
            continue;
        }
        const auto number = static_cast<std::size_t>(found - series.names.begin());
        series.blocks.shift(number);
        series.names = {std::string(name)};
        return std::move(series);
    }
    fail_to_find(call, "gate", names, name);
}

#define EBB_INSTANTIATE(T)                                                                      \
    template AllSeries<T> all_series(const Tape<T>&);                                           \
    template ProbeSeries find_series(const char*, const Tape<T>&, std::string_view);            \
    template std::vector<ProbeSeries> find_cell(const char*, const Tape<T>&, std::string_view); \
    template GateSeries<T> find_gate(const char*, const Tape<T>&, std::string_view);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb::inspect
