#include <ebb/autograd/memory_summary.hpp>
#include <ebb/autograd/node_summary.hpp>
#include <ebb/autograd/text_table.hpp>

#include <algorithm>
#include <functional>
#include <map>

#include <fmt/format.h>

namespace ebb {
namespace {

/// Whether the elements are those of an input, or some of them.
template <class T>
bool is_view(const Tape<T>& tape, const Node<T>& node) {
    if (!node.value || !node.operation) return !node.value;
    const auto lies_in = [&](const Node<T>& other) {
        const std::less_equal<const T*> before;
        return other.value && before(other.value, node.value) &&
               before(node.value + 1, other.value + other.shape.size());
    };
    for (std::size_t i = 0; i < node.input_count; ++i)
        if (lies_in(tape.node(tape.input(node, i)))) return true;
    return false;
}

std::vector<MemoryRow> sorted(const std::map<std::string, MemoryRow>& rows) {
    std::vector<MemoryRow> result;
    for (const auto& [what, row] : rows) {
        result.push_back(row);
        result.back().what = what;
    }
    std::stable_sort(result.begin(), result.end(), [](const MemoryRow& a, const MemoryRow& b) {
        return a.values + a.gradients > b.values + b.gradients;
    });
    return result;
}

std::string bytes_text(std::size_t bytes) {
    if (bytes < 10'000) return fmt::format("{} B", bytes);
    if (bytes < 10'000'000) return fmt::format("{:.1f} kB", static_cast<double>(bytes) / 1e3);
    return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

std::string table_of(const std::string& title, const std::vector<MemoryRow>& rows) {
    TextColumn what{title, Align::left, {}}, nodes{"nodes", Align::right, {}}, values{"values", Align::right, {}},
        gradients{"gradients", Align::right, {}};
    for (const MemoryRow& row : rows) {
        what.cells.push_back(row.what);
        nodes.cells.push_back(fmt::to_string(row.nodes));
        values.cells.push_back(bytes_text(row.values));
        gradients.cells.push_back(bytes_text(row.gradients));
    }
    return text_table({what, nodes, values, gradients});
}

}  // namespace

template <class T>
MemorySummary memory_summary(const Tape<T>& tape) {
    MemorySummary result;
    std::map<std::string, MemoryRow> by_operation, by_name;
    std::size_t counted = 0;
    for (NodeIndex index = 0; index < tape.size(); ++index) {
        const Node<T>& node = tape.node(index);
        const std::size_t bytes = node.shape.size() * sizeof(T);
        if (node.parameter) {
            result.parameters += bytes;
            continue;
        }
        const std::size_t values = is_view(tape, node) ? 0 : bytes;
        const std::size_t gradients = node.retained_gradient ? bytes : 0;
        counted += values + gradients;
        const auto add = [&](MemoryRow& row) {
            ++row.nodes;
            row.values += values;
            row.gradients += gradients;
        };
        NodeIndex first = index;
        while (tape.node(first).further_output) --first;
        const Operation<T>* const operation = tape.node(first).operation;
        add(by_operation[operation            ? std::string(operation->info().name)
                         : node.requires_grad ? "variable"
                                              : "constant"]);
        if (!node.name.empty()) add(by_name[node.name.text()]);
    }
    result.by_operation = sorted(by_operation);
    result.by_name = sorted(by_name);
    result.used = tape.bytes_used();
    result.other = result.used - std::min(result.used, counted);
    result.reserved = tape.bytes_reserved();
    return result;
}

std::string to_string(const MemorySummary& summary) {
    if (summary.by_operation.empty()) return "the tape is empty\n";
    std::string text = table_of("by operation", summary.by_operation);
    if (!summary.by_name.empty()) text += '\n' + table_of("by name", summary.by_name);
    return text +
           fmt::format("\n{} in use, of these {} other than values and kept gradients; {} reserved; parameters {}\n",
                       bytes_text(summary.used), bytes_text(summary.other), bytes_text(summary.reserved),
                       bytes_text(summary.parameters));
}

template <class T>
void print_memory(const Tape<T>& tape) {
    fmt::print("{}", to_string(memory_summary(tape)));
}

#define EBB_INSTANTIATE(T)                                 \
    template MemorySummary memory_summary(const Tape<T>&); \
    template void print_memory(const Tape<T>&);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb
