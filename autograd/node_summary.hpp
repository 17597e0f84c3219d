#pragma once

#include <ebb/autograd/node.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/shape.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ebb {

/// What brought a node onto its tape.
enum class NodeKind {
    parameter,  ///< a weight: `tape.use(p)`, or a Parameter in the place of an operand
    variable,   ///< a leaf whose gradient is wanted: `tape.variable(array)`
    constant,   ///< everything that no gradient flows through, also what was computed from constants only
    operation,  ///< a recorded operation
};

/// A node as a reader wants to know it: a line of `print_tape`, a box of `to_dot`.
struct NodeSummary {
    NodeIndex index = 0;
    NodeKind kind = NodeKind::constant;
    /// "tanh"; the kind where no operation was recorded; "lstm_step (2)" for the second output of an operation.
    std::string operation;
    std::vector<NodeIndex> inputs;  ///< a further output has the operation's first output as its only input
    Shape shape;
    /// The number itself where the array has one element, else its norm (the root of the sum of squares).
    double value = 0;
    /// The same of the gradient; none where no gradient was kept (`retain_grad()`), or nothing has flowed in.
    std::optional<double> gradient;
    std::string name;
    std::int32_t time_step = -1;  ///< of the newest recurrent step that went into it; -1 for none
};

template <class T>
NodeSummary summary(const Tape<T>& tape, NodeIndex index);

/// "0.2913", or "|0.2913|" for the norm of an array; four significant digits.
std::string magnitude_text(double number, const Shape& shape);

}  // namespace ebb
