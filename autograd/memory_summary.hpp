#pragma once
/// Where the memory of a tape goes.

#include <ebb/autograd/tape.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace ebb {

struct MemoryRow {
    std::string what;  ///< an operation, "variable", "constant"; or a name
    std::size_t nodes = 0;
    std::size_t values = 0;     ///< bytes; a node that looks into the memory of its input has none of its own
    std::size_t gradients = 0;  ///< bytes of the gradients that were kept
};

struct MemorySummary {
    std::vector<MemoryRow> by_operation;  ///< the largest first
    std::vector<MemoryRow> by_name;       ///< named nodes, the largest first; without parameters
    std::size_t parameters = 0;           ///< bytes of the weights in use, which are not the tape's
    std::size_t used = 0;                 ///< bytes in use: values, gradients, and
    std::size_t other = 0;                ///< what operations save (gates, indices), gradients to be used again, gaps
    std::size_t reserved = 0;             ///< bytes that the tape holds from the system
};

template <class T>
MemorySummary memory_summary(const Tape<T>& tape);

/// As two tables, "by operation" and "by name".
std::string to_string(const MemorySummary& summary);

/// On standard output.
template <class T>
void print_memory(const Tape<T>& tape);

}  // namespace ebb
