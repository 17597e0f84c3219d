#include <ebb/inspect/graph.hpp>

#include <algorithm>

#include <fmt/format.h>

namespace ebb::inspect {

GraphNumbers numbers_of(const UnrolledGraph& graph) {
    GraphNumbers numbers;
    for (const GraphNode& node : graph.nodes) {
        numbers.value_norm.push_back(node.value_norm);
        numbers.grad_norm.push_back(node.grad_norm);
    }
    for (const GraphEdge& edge : graph.edges) numbers.edge.push_back(edge.grad_norm);
    for (const GraphEdge& edge : graph.step_edges) numbers.step_edge.push_back(edge.grad_norm);
    return numbers;
}

std::string difference(const UnrolledGraph& graph, const UnrolledGraph& other) {
    if (graph.nodes.size() != other.nodes.size() || graph.edges.size() != other.edges.size())
        return fmt::format("it has {} nodes and {} edges, that one {} and {}", graph.nodes.size(), graph.edges.size(),
                           other.nodes.size(), other.edges.size());
    for (std::size_t k = 0; k < graph.nodes.size(); ++k) {
        const GraphNode &here = graph.nodes[k], &there = other.nodes[k];
        if (here.name != there.name || here.operation != there.operation || here.shape != there.shape)
            return fmt::format("its node {} is {} '{}' {}, in that one {} '{}' {}", k, here.operation, here.name,
                               to_string(here.shape), there.operation, there.name, to_string(there.shape));
    }
    const auto same_ends = [](const GraphEdge& a, const GraphEdge& b) { return a.from == b.from && a.to == b.to; };
    for (std::size_t k = 0; k < graph.edges.size(); ++k)
        if (!same_ends(graph.edges[k], other.edges[k]))
            return fmt::format("its edge {} goes from node {} to {}, in that one from {} to {}", k, graph.edges[k].from,
                               graph.edges[k].to, other.edges[k].from, other.edges[k].to);
    return {};
}

}  // namespace ebb::inspect
