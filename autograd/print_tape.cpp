#include <ebb/autograd/node_summary.hpp>
#include <ebb/autograd/print_tape.hpp>
#include <ebb/autograd/text_table.hpp>

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace ebb {

template <class T>
std::string to_string(const Tape<T>& tape, const PrintTapeOptions& options) {
    if (tape.size() == 0) return "the tape is empty\n";
    const std::size_t end = std::min<std::size_t>(tape.size(), std::size_t{options.last} + 1);
    const std::size_t count = end > options.first ? end - options.first : 0;
    if (count == 0)
        return fmt::format("the tape has {} nodes, and none from {} to {}\n", tape.size(), options.first, options.last);
    const std::size_t left_out = count > options.max_nodes ? count - options.max_nodes : 0;
    const std::size_t shown = count - left_out;
    const std::size_t before_gap = (shown + 1) / 2;

    TextColumn node{"node", Align::right, {}}, name{"name", Align::left, {}}, operation{"operation", Align::left, {}},
        inputs{"inputs", Align::left, {}}, shape{"shape", Align::left, {}}, value{"value", Align::right, {}},
        gradient{"gradient", Align::right, {}}, time_step{"time step", Align::right, {}};
    for (std::size_t row = 0; row < shown; ++row) {
        const std::size_t index = options.first + row + (row < before_gap ? 0 : left_out);
        const NodeSummary s = summary(tape, static_cast<NodeIndex>(index));
        node.cells.push_back(fmt::to_string(s.index));
        name.cells.push_back(s.name);
        operation.cells.push_back(s.operation);
        inputs.cells.push_back(fmt::format("{}", fmt::join(s.inputs, ", ")));
        shape.cells.push_back(to_string(s.shape));
        value.cells.push_back(magnitude_text(s.value, s.shape));
        gradient.cells.push_back(s.gradient ? magnitude_text(*s.gradient, s.shape) : "-");
        time_step.cells.push_back(s.time_step >= 0 ? fmt::to_string(s.time_step) : "");
    }
    std::vector<TextColumn> columns{std::move(node)};
    if (!name.empty()) columns.push_back(std::move(name));
    for (TextColumn* column : {&operation, &inputs, &shape, &value}) columns.push_back(std::move(*column));
    if (!gradient.empty()) columns.push_back(std::move(gradient));
    if (!time_step.empty()) columns.push_back(std::move(time_step));
    return text_table(columns, left_out > 0 ? before_gap : shown,
                      fmt::format("  ... {} nodes left out ...\n", left_out));
}

template <class T>
void print_tape(const Tape<T>& tape, const PrintTapeOptions& options) {
    fmt::print("{}", to_string(tape, options));
}

template <class T>
void Tape<T>::print() const {
    print_tape(*this);
}

template <class T>
std::string to_tree(const Variable<T>& y, const TreeOptions& options) {
    const Tape<T>& tape = y.tape();
    struct Line {
        std::string graph;  // the branches, and what the node is
        std::string value;
        std::string gradient;
    };
    std::vector<Line> lines;
    std::vector<NodeIndex> shown;

    // A stack of its own instead of recursion: the branches still to be drawn, the next one last.
    struct Branch {
        NodeIndex index;
        std::size_t depth;
        std::string prefix;  // before this node's branch
        bool last;           // among its siblings
    };
    std::vector<Branch> branches{{y.index(), 0, "", true}};
    while (!branches.empty()) {
        const Branch branch = std::move(branches.back());
        branches.pop_back();
        const std::string arm = branch.depth == 0 ? "" : branch.last ? "`-- " : "|-- ";
        if (lines.size() == options.max_nodes) {
            lines.push_back({branch.prefix + arm + "... more than this tree shows", "", ""});
            break;
        }
        const NodeSummary s = summary(tape, branch.index);
        const bool again = std::find(shown.begin(), shown.end(), branch.index) != shown.end();
        std::string label = fmt::format("{}{} ", branch.prefix + arm, s.index);
        if (s.kind == NodeKind::operation)
            label += s.name.empty() ? s.operation : s.name + " = " + s.operation;
        else
            label += s.name.empty() ? s.operation : s.name + ": " + s.operation;
        if (again && !s.inputs.empty()) {
            lines.push_back({label + ", as above", "", ""});
            continue;
        }
        if (!again) shown.push_back(branch.index);
        lines.push_back({std::move(label), magnitude_text(s.value, s.shape),
                         s.gradient ? "gradient " + magnitude_text(*s.gradient, s.shape) : ""});
        if (s.inputs.empty()) continue;
        const std::string below = branch.prefix + (branch.depth == 0 ? "" : branch.last ? "    " : "|   ");
        if (branch.depth == options.max_depth) {
            lines.push_back({below + "`-- ...", "", ""});
            continue;
        }
        for (std::size_t i = s.inputs.size(); i-- > 0;)
            branches.push_back({s.inputs[i], branch.depth + 1, below, i + 1 == s.inputs.size()});
    }

    std::size_t graph_width = 0, value_width = 0;
    for (const Line& line : lines) {
        if (!line.value.empty()) graph_width = std::max(graph_width, text_width(line.graph));
        value_width = std::max(value_width, text_width(line.value));
    }
    std::string text;
    for (const Line& line : lines) {
        text += line.graph;
        if (!line.value.empty())
            text += std::string(graph_width - text_width(line.graph) + 2 + value_width - text_width(line.value), ' ') +
                    line.value;
        if (!line.gradient.empty()) text += "  " + line.gradient;
        text += '\n';
    }
    return text;
}

#define EBB_INSTANTIATE(T)                                                   \
    template std::string to_string(const Tape<T>&, const PrintTapeOptions&); \
    template void print_tape(const Tape<T>&, const PrintTapeOptions&);       \
    template void Tape<T>::print() const;                                    \
    template std::string to_tree(const Variable<T>&, const TreeOptions&);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb
