#pragma once
/// A tape as text: a table of its nodes, and the graph below one variable as a tree.
///
/// A number stands for itself, an array by its norm between bars, |0.53|. Gradients appear where one was kept: at
/// parameters, leaves, probes, and where `retain_grad()` was called (`tape.retain_grads()`: everywhere) before
/// `tape.backward(loss)`.

#include <ebb/autograd/tape.hpp>
#include <ebb/autograd/variable.hpp>

#include <cstddef>
#include <limits>
#include <string>

namespace ebb {

struct PrintTapeOptions {
    NodeIndex first = 0;                                     ///< the first node of the table
    NodeIndex last = std::numeric_limits<NodeIndex>::max();  ///< and the last one; beyond the tape: the tape's last
    std::size_t max_nodes = 100;                             ///< where there are more, those in the middle are left out
};

/// The nodes in the order in which they were recorded, one in a line:
///
///     node  name  operation  inputs  shape   value  gradient
///        0  w     variable           []          3         2
///        1  x     constant           []          2         -
///        2  y     multiply   0, 1    []          6         1
///
/// Columns that would be empty are left out: names, gradients (before a backward pass), time steps.
template <class T>
std::string to_string(const Tape<T>& tape, const PrintTapeOptions& options = {});

/// The table, on standard output.
template <class T>
void print_tape(const Tape<T>& tape, const PrintTapeOptions& options = {});

struct TreeOptions {
    std::size_t max_depth = 50;   ///< what lies deeper is left out
    std::size_t max_nodes = 200;  ///< lines
};

/// The graph that y was computed from, y first and the inputs of each operation below it. A node that several others
/// use is shown in full once, and after that by its number:
///
///     2 y = multiply         6  gradient 1
///     |-- 0 w: variable      3  gradient 2
///     `-- 1 x: constant      2
///
/// Throws TapeError where y's tape was cleared.
template <class T>
std::string to_tree(const Variable<T>& y, const TreeOptions& options = {});

}  // namespace ebb
