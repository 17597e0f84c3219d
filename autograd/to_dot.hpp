#pragma once
/// A tape as a drawing, in Graphviz's language. For a small graph, and for one unrolled through time with every step in
/// a frame of its own:
///
///     dot -Tsvg tape.dot -o tape.svg
///     neato -n2 -Tsvg tape.dot -o tape.svg

#include <ebb/autograd/tape.hpp>

#include <cstddef>
#include <iosfwd>
#include <string>

namespace ebb {

struct DotOptions {
    std::string title = {};
    bool time_steps = true;        ///< a frame around the nodes of each time step
    bool fill_by_gradient = true;  ///< the darker, the larger the gradient's norm, on a log scale
    std::size_t max_nodes = 2000;  ///< what Graphviz lays out in a few seconds
};

/// One box for each node (name, operation, shape, value, gradient; an array by its norm, |0.53|) and one arrow for each
/// input, in the direction of the computation: time runs to the right. The boxes carry places of their own, which neato
/// -n2 keeps: time steps side by side, states on a line, weights above all.
/// Throws ValueError for a tape with more than `max_nodes` nodes.
template <class T>
void to_dot(const Tape<T>& tape, std::ostream& stream, const DotOptions& options = {});
template <class T>
std::string to_dot(const Tape<T>& tape, const DotOptions& options = {});

}  // namespace ebb
