#include <ebb/autograd/grad_mode.hpp>
#include <ebb/autograd/node_summary.hpp>
#include <ebb/autograd/operation.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/norm.hpp>
#include <ebb/inspect/graph_layout.hpp>
#include <ebb/inspect/unrolled_graph.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

namespace ebb::inspect {
namespace {

/// Norms of the gradients at nodes, and of what came back along each edge (from, to), both by numbers on the tape.
struct Flow {
    std::map<NodeIndex, double> node;
    std::map<NodeIndex, double> number;  // the gradient of one element
    std::map<std::pair<NodeIndex, NodeIndex>, double> edge;
};

/// The backward pass once more, without a place to add the gradients to: only norms remain of them.
template <class T>
Flow flow_back(Tape<T>& tape, NodeIndex loss) {
    Flow flow;
    std::vector<std::vector<T>> gradients(loss + 1);
    gradients[loss] = {T(1)};
    const auto add = [](std::vector<T>& sum, const T* share, std::size_t size) {
        if (sum.empty()) return sum.assign(share, share + size);
        for (std::size_t k = 0; k < size; ++k) sum[k] += share[k];
    };
    const NoGrad off;
    for (std::size_t left = loss + 1; left-- > 0;) {
        const auto index = static_cast<NodeIndex>(left);
        const Node<T>& node = tape.node(index);
        if (!gradients[index].empty()) {
            flow.node[index] = frobenius_norm(gradients[index].data(), node.shape.size());
            if (node.shape.size() == 1) flow.number[index] = static_cast<double>(gradients[index][0]);
        }
        // An operation's turn is at its first output, which comes last.
        if (!node.operation) {
            if (!node.further_output) gradients[index] = {};
            continue;
        }
        // What is copied out of its transposed order must outlive the rewind below.
        for (std::size_t i = 0; i < node.input_count; ++i) tape.contiguous(tape.node(tape.input(node, i)));
        const auto mark = tape.mark();
        std::vector<Variable<T>> dys(node.output_count);
        bool reached = false;
        for (std::uint32_t k = 0; k < node.output_count && index + k <= loss; ++k)
            if (std::vector<T>& dy = gradients[index + k]; !dy.empty()) {
                dys[k] = tape.constant(dy.data(), tape.node(index + k).shape);
                dy = {};
                reached = true;
            }
        if (!reached) continue;
        Vjp<T> pass(tape, index, dys);
        node.operation->vjp(pass);
        // An input may stand in several places; its share is the sum over them.
        std::map<NodeIndex, std::vector<T>> shares;
        for (const auto& share : pass.shares()) {
            const NodeIndex input = tape.input(node, share.input);
            Variable<T> value = share.value;
            if (share.axis != Vjp<T>::no_axis) {
                const std::size_t after = tape.node(input).shape[share.axis] - share.start - value.shape()[share.axis];
                value = pad(value, static_cast<std::ptrdiff_t>(share.axis), static_cast<std::ptrdiff_t>(share.start),
                            static_cast<std::ptrdiff_t>(after));
            }
            add(shares[input], tape.contiguous(value), value.size());
        }
        for (const auto& [output, dy] : pass.finished())
            flow.node[index + static_cast<NodeIndex>(output)] = frobenius_norm(tape.contiguous(dy), dy.size());
        for (const auto& [input, share] : shares) {
            flow.edge[{input, index}] = frobenius_norm(share.data(), share.size());
            add(gradients[input], share.data(), share.size());
        }
        tape.rewind(mark);
    }
    return flow;
}

/// What went into the loss.
template <class T>
std::vector<bool> ancestors(const Tape<T>& tape, NodeIndex loss) {
    std::vector<bool> wanted(loss + 1, false);
    wanted[loss] = true;
    for (std::size_t left = loss + 1; left-- > 0;) {
        if (!wanted[left]) continue;
        const Node<T>& node = tape.node(static_cast<NodeIndex>(left));
        if (node.further_output) wanted[left - 1] = true;
        for (std::size_t i = 0; i < node.input_count; ++i) wanted[tape.input(node, i)] = true;
        // The last c_t of a fused step goes into nothing but its own h_t.
        for (std::size_t k = left + 1; k < left + node.output_count && k <= loss; ++k)
            if (tape.node(static_cast<NodeIndex>(k)).probe) wanted[k] = true;
    }
    return wanted;
}

/// Which nodes a node is computed from and goes into, by their numbers in the graph.
struct Neighbours {
    explicit Neighbours(const UnrolledGraph& graph) : inputs(graph.nodes.size()), uses(graph.nodes.size()) {
        for (const GraphEdge& edge : graph.edges) {
            inputs[edge.to].push_back(edge.from);
            uses[edge.from].push_back(edge.to);
        }
    }
    std::vector<std::vector<std::uint32_t>> inputs, uses;
};

/// What a walk over the tape knows of a node besides.
struct Origin {
    std::int32_t time_step = -1;  // of the newest state that went into it
    StepOwner owner = 0;          // of a state
};

constexpr std::int32_t no_step = -1;

/// The first state that a node goes into, by time; nothing where it goes into none.
struct Aim {
    std::int32_t time_step = no_step;
    std::size_t lane = 0;
    bool operator<(const Aim& other) const {
        return std::pair(time_step, lane) < std::pair(other.time_step, other.lane);
    }
};

/// Sets place, time_step and lane of each node.
///
/// What goes into a state belongs to that state's step. What comes out of states belongs to the newest one's, unless it
/// gathers more than two steps. What no state has gone into stands where it is used, or below where several
/// steps use it.
void find_places(UnrolledGraph& graph, const std::vector<Origin>& origins) {
    const Neighbours neighbours(graph);
    std::vector<GraphNode>& nodes = graph.nodes;
    const std::size_t count = nodes.size();

    std::map<StepOwner, std::size_t> lane_of;
    for (std::size_t k = 0; k < count; ++k) {
        if (!nodes[k].is_state) continue;
        const auto [found, added] = lane_of.try_emplace(origins[k].owner, graph.lanes.size());
        if (added) graph.lanes.emplace_back();
        std::string& names = graph.lanes[found->second];
        const std::string& name = nodes[k].name.empty() ? nodes[k].operation : nodes[k].name;
        // Each state's name, once.
        if ((", " + names + ", ").find(", " + name + ", ") == std::string::npos)
            names += (names.empty() ? "" : ", ") + name;
    }
    const std::size_t readout = graph.lanes.size();
    graph.lanes.emplace_back("readout");

    std::vector<Aim> aims(count);
    for (std::size_t k = count; k-- > 0;) {
        GraphNode& node = nodes[k];
        Aim& aim = aims[k];
        for (const std::uint32_t use : neighbours.uses[k]) {
            const Aim next =
                nodes[use].is_state ? Aim{origins[use].time_step, lane_of.at(origins[use].owner)} : aims[use];
            if (next.time_step != no_step && (aim.time_step == no_step || next < aim)) aim = next;
        }
        if (node.is_state) {
            node.time_step = origins[k].time_step;
            node.lane = lane_of.at(origins[k].owner);
        } else if (origins[k].time_step != no_step) {
            node.time_step = aim.time_step != no_step ? aim.time_step : origins[k].time_step;
            node.lane = aim.time_step != no_step ? aim.lane : readout;
        }
    }
    // Forwards: what gathers steps, and all that is computed from it alone.
    for (std::size_t k = 0; k < count; ++k) {
        GraphNode& node = nodes[k];
        if (node.is_state || origins[k].time_step == no_step || aims[k].time_step != no_step) continue;
        std::set<std::int32_t> steps;
        for (const std::uint32_t input : neighbours.inputs[k]) {
            if (nodes[input].place == GraphPlace::above) node.place = GraphPlace::above;
            if (origins[input].time_step != no_step) steps.insert(nodes[input].time_step);
        }
        // A sum that grows by one loss at a time gathers two.
        if (steps.size() > 2) node.place = GraphPlace::above;
        if (node.place == GraphPlace::above) node.time_step = no_step;
    }
    // Backwards: what no state has gone into stands where it is used.
    for (std::size_t k = count; k-- > 0;) {
        GraphNode& node = nodes[k];
        if (node.is_state || origins[k].time_step != no_step) continue;
        bool apart = node.is_parameter, first = true;
        for (const std::uint32_t use : neighbours.uses[k]) {
            const GraphNode& user = nodes[use];
            if (first) {
                node.place = user.place;
                node.time_step = user.time_step;
                node.lane = user.lane;
            } else {
                apart = apart || user.place != node.place || user.time_step != node.time_step;
                node.lane = std::min(node.lane, user.lane);
            }
            first = false;
        }
        if (!apart) continue;
        node.place = GraphPlace::below;
        node.time_step = no_step;
    }
}

/// A node of `steps` for each time step of each lane, and one for what gathers them; edges between them.
void collapse(UnrolledGraph& graph) {
    std::map<std::pair<std::int32_t, std::size_t>, std::vector<std::uint32_t>> members;  // by time and lane
    std::vector<std::uint32_t> above;
    for (std::uint32_t k = 0; k < graph.nodes.size(); ++k) {
        const GraphNode& node = graph.nodes[k];
        if (node.place == GraphPlace::step) members[{node.time_step, node.lane}].push_back(k);
        if (node.place == GraphPlace::above) above.push_back(k);
    }
    constexpr std::uint32_t none = static_cast<std::uint32_t>(-1);
    std::vector<std::uint32_t> step_of(graph.nodes.size(), none);
    const auto add = [&](std::int32_t time_step, std::size_t lane, const std::vector<std::uint32_t>& nodes) {
        GraphStep step{.lane = lane, .time_step = time_step, .states = {}, .node_count = nodes.size()};
        for (const std::uint32_t k : nodes) {
            step_of[k] = static_cast<std::uint32_t>(graph.steps.size());
            if (graph.nodes[k].is_state) step.states.push_back(k);
        }
        if (step.states.empty()) step.states.push_back(nodes.back());
        graph.steps.push_back(std::move(step));
    };
    for (const auto& [key, nodes] : members) add(key.first, key.second, nodes);
    if (!above.empty()) add(no_step, graph.lanes.size() - 1, above);

    std::map<std::pair<std::uint32_t, std::uint32_t>, std::optional<double>> edges;
    for (const GraphEdge& edge : graph.edges) {
        const std::uint32_t from = step_of[edge.from], to = step_of[edge.to];
        if (from == none || to == none || from == to) continue;
        std::optional<double>& norm = edges[{from, to}];
        if (edge.grad_norm) norm = std::hypot(norm.value_or(0), *edge.grad_norm);
    }
    for (const auto& [ends, norm] : edges) graph.step_edges.push_back({ends.first, ends.second, norm});
}

}  // namespace

template <class T>
UnrolledGraph unrolled_graph(Tape<T>& tape, const Variable<T>& loss) {
    tape.check("unrolled_graph", loss);
    if (loss.size() != 1)
        fail<ShapeError>(fmt::format("unrolled_graph: the loss is {}: expected one element", to_string(loss.shape())));
    const Flow flow = flow_back(tape, loss.index());
    const std::vector<bool> wanted = ancestors(tape, loss.index());

    UnrolledGraph graph;
    std::vector<Origin> origins;
    std::map<NodeIndex, std::uint32_t> number;
    const auto norm_at = [&](NodeIndex index) -> std::optional<double> {
        const auto found = flow.node.find(index);
        if (found == flow.node.end()) return std::nullopt;
        return found->second;
    };
    for (NodeIndex index = 0; index <= loss.index(); ++index) {
        if (!wanted[index]) continue;
        const Node<T>& on_tape = tape.node(index);
        const NodeSummary seen = summary(tape, index);
        GraphNode node{.name = seen.name, .operation = seen.operation, .shape = seen.shape};
        node.is_parameter = seen.kind == NodeKind::parameter;
        node.is_state = on_tape.probe && on_tape.time_step >= 0;
        node.value_norm = std::abs(seen.value);
        if (on_tape.requires_grad) node.grad_norm = norm_at(index);
        if (seen.shape.size() == 1) {
            node.value = seen.value;
            if (node.grad_norm) node.gradient = flow.number.at(index);
        }
        if (on_tape.further_output && node.is_state)
            if (const T* const kept = tape.kept_gradient(on_tape))
                node.grad_norm = frobenius_norm(kept, on_tape.shape.size());
        number[index] = static_cast<std::uint32_t>(graph.nodes.size());
        graph.nodes.push_back(std::move(node));
        origins.push_back({on_tape.time_step, on_tape.step_owner});
    }
    for (const auto& [index, to] : number) {
        const Node<T>& node = tape.node(index);
        std::set<NodeIndex> inputs;
        for (std::size_t i = 0; i < node.input_count; ++i) inputs.insert(tape.input(node, i));
        for (const NodeIndex input : inputs) {
            const auto found = flow.edge.find({input, index});
            GraphEdge edge{number.at(input), to, std::nullopt};
            if (found != flow.edge.end()) edge.grad_norm = found->second;
            // c_{t-1} goes into c_t, though the operation that makes both has its number from h_t.
            for (std::uint32_t k = 1; k < node.output_count; ++k)
                if (const Node<T>& output = tape.node(index + k); wanted.size() > index + k && wanted[index + k] &&
                                                                  output.probe && !output.name.empty() &&
                                                                  output.name == tape.node(input).name)
                    edge.to = number.at(index + k);
            graph.edges.push_back(edge);
        }
        if (!node.further_output) continue;
        // Within a step h_t comes from c_t; any other further output stands after the first one.
        NodeIndex first = index - 1;
        while (tape.node(first).further_output) --first;
        const bool state = graph.nodes[to].is_state && graph.nodes[number.at(first)].is_state;
        if (state)
            graph.edges.push_back({to, number.at(first), std::nullopt});
        else
            graph.edges.push_back({number.at(first), to, norm_at(index)});
    }
    find_places(graph, origins);
    collapse(graph);
    lay_out(graph);
    // What a step gives to the outside stands above what it keeps to itself.
    for (GraphStep& step : graph.steps) {
        std::stable_sort(step.states.begin(), step.states.end(),
                         [&](std::uint32_t a, std::uint32_t b) { return graph.nodes[a].y > graph.nodes[b].y; });
        step.grad_norm = graph.nodes[step.states.front()].grad_norm;
    }
    return graph;
}

template UnrolledGraph unrolled_graph(Tape<float>&, const Variable<float>&);
template UnrolledGraph unrolled_graph(Tape<double>&, const Variable<double>&);

}  // namespace ebb::inspect
