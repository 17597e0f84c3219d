#pragma once
/// A network unrolled through time as plain data: what was computed from what, how large it was, and how much gradient
/// flowed back along each connection. unrolled_graph.hpp reads it off a tape, graph_layout.hpp gives it places,
/// report.hpp draws it.

#include <ebb/core/shape.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ebb::inspect {

/// Where a node stands: time runs to the right, depth upwards.
enum class GraphPlace {
    below,  ///< what several steps use: weights, a sequence as a whole
    step,   ///< within the frame of its time step
    above,  ///< what gathers more than two steps: a sequence of outputs, and the loss of it
};

/// A node of the tape that the loss depends on.
struct GraphNode {
    std::string name;       ///< "lstm.h"; often empty
    std::string operation;  ///< "tanh"; "parameter", "variable" or "constant" where nothing was computed
    Shape shape = {};
    bool is_parameter = false;
    bool is_state = false;  ///< h or c of a recurrent step
    GraphPlace place = GraphPlace::step;
    std::int32_t time_step = -1;           ///< of the frame that it stands in; -1 without a frame
    std::size_t lane = 0;                  ///< of the cell that it works for: an index into `lanes`
    double value_norm = 0;                 ///< Frobenius
    std::optional<double> grad_norm = {};  ///< ||dL/dx||; none where no gradient is wanted, or none has flowed in
    std::optional<double> value = {};      ///< of one element: the number itself
    std::optional<double> gradient = {};   ///< and its dL/dx, with its sign
    double x = 0, y = 0;                   ///< its centre, y upwards
};

/// `from` went into `to`; the gradient came back.
struct GraphEdge {
    std::uint32_t from = 0;
    std::uint32_t to = 0;
    std::optional<double> grad_norm = {};  ///< of the share that `to` sent back to `from`
};

/// A step of a cell as one node: all that works for its states. What reads the states out is a step of its own, in the
/// uppermost lane, and what gathers steps is one for all.
struct GraphStep {
    std::size_t lane = 0;
    std::int32_t time_step = -1;           ///< -1: what gathers steps
    std::vector<std::uint32_t> states;     ///< its nodes that stand for it: h, then c; or the last one of a readout
    std::size_t node_count = 0;            ///< how many nodes it is made of
    std::optional<double> grad_norm = {};  ///< of the first of `states`
    double x = 0, y = 0;
};

/// Nodes and edges twice: each on its own, and by steps.
struct UnrolledGraph {
    std::vector<GraphNode> nodes;  ///< in the order of the tape
    std::vector<GraphEdge> edges;
    std::vector<GraphStep> steps;  ///< by time, lane by lane
    /// Between steps; the norm is that of all shares together, sqrt(sum of squares), over all edges from one to the
    /// other.
    std::vector<GraphEdge> step_edges;
    std::vector<std::string> lanes;  ///< "lstm.h, lstm.c", from the first layer up; then "readout"
};

/// What changes of a graph while its network is trained: its numbers, in the order of its nodes and edges.
struct GraphNumbers {
    std::vector<double> value_norm;                ///< of the nodes
    std::vector<std::optional<double>> grad_norm;  ///< of the nodes
    std::vector<std::optional<double>> edge;       ///< of `edges`
    std::vector<std::optional<double>> step_edge;  ///< of `step_edges`
};
GraphNumbers numbers_of(const UnrolledGraph& graph);

/// What differs between the networks of two graphs, whatever their numbers; empty where nothing does: "it has 12 nodes
/// and 14 edges, that one 10 and 11".
std::string difference(const UnrolledGraph& graph, const UnrolledGraph& other);

}  // namespace ebb::inspect
