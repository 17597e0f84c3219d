#pragma once

#include <ebb/autograd/variable.hpp>

#include <cstdint>
#include <string>

namespace ebb {

template <class T>
class Operation;

/// What the time of a node counts from: the cell that made the step. Cells take their number from `new_step_owner()`.
using StepOwner = std::uint32_t;

/// One entry of a tape. Values and gradients are contiguous, row-major, and live in the tape's arenas.
template <class T>
struct Node {
    // First what is read of every step that is looked at: in as few lines of the cache as it takes.
    const Operation<T>* operation = nullptr;  // how to go back; nullptr for leaves, constants and further outputs
    const T* value = nullptr;
    T* gradient = nullptr;           // dL/dvalue in the pass that is running; nullptr until something flows in
    T* retained_gradient = nullptr;  // what the passes before have left, for leaves, probes and retain_grad()
    void* saved = nullptr;           // what the operation keeps for its backward, in the arena
    Name name;
    std::int32_t time_step = -1;
    StepOwner step_owner = 0;
    bool requires_grad = false;
    bool retains_gradient = false;
    bool further_output = false;    // belongs to the operation of an earlier node
    bool probe = false;             // a state that inspect shows, with its gradient
    bool intermediate = false;      // a gate that inspect shows
    bool transposed = false;        // its value is nullptr until something needs the elements in order (transposed.hpp)
    bool freed = false;             // a backward pass went through it without retain_graph
    std::uint32_t first_input = 0;  // into the tape's list of inputs
    std::uint32_t input_count = 0;
    std::uint32_t output_count = 1;  // an operation with n outputs owns the n - 1 nodes after its own as well
    std::uint32_t parameter = 0;     // 1 + its place among the tape's parameters; 0 for none
    Shape shape;
};

/// "x (node 3)", or "node 3" of one without a name: for messages.
template <class T>
std::string described(const Node<T>& node, NodeIndex index);

}  // namespace ebb
