#include <ebb/autograd/node_summary.hpp>
#include <ebb/autograd/to_dot.hpp>
#include <ebb/core/error.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <ostream>
#include <set>
#include <sstream>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace ebb {
namespace {

/// The text between the quotes of a label.
std::string escaped(const std::string& text) {
    std::string result;
    for (const char c : text) {
        if (c == '\n') {
            result += "\\n";
            continue;
        }
        if (c == '"' || c == '\\') result += '\\';
        result += c;
    }
    return result;
}

std::string label(const NodeSummary& s) {
    std::string text = s.name.empty()                  ? escaped(s.operation)
                       : s.kind == NodeKind::operation ? escaped(s.name + " = " + s.operation)
                                                       : escaped(s.name);
    if (!s.shape.is_scalar()) text += "\\n" + to_string(s.shape);
    text += "\\nvalue " + magnitude_text(s.value, s.shape);
    if (s.gradient) text += "\\ngradient " + magnitude_text(*s.gradient, s.shape);
    return text;
}

const char* outline(NodeKind kind) {
    switch (kind) {
        case NodeKind::parameter:
            return "shape=box3d";
        case NodeKind::variable:
            return "shape=box, penwidth=2";
        case NodeKind::constant:
            return "shape=box, color=\"gray60\", fontcolor=\"gray30\"";
        case NodeKind::operation:
            break;
    }
    return "shape=box, style=\"rounded,filled\"";
}

/// A node, and where a drawing puts it.
struct Box : NodeSummary {
    bool is_state = false;              // h or c of a recurrent step
    std::int32_t drawn_time_step = -1;  // -1: outside of all time steps
    int column = 0, row = 0;            // to the right, downwards

    bool is_parameter() const { return kind == NodeKind::parameter; }
    bool is_leaf() const { return inputs.empty(); }
};

/// Light to dark; black text is readable on all of them, and they differ also in grey.
constexpr std::array<const char*, 6> fills{"#eff3ff", "#d6e4f4", "#bdd7e7", "#9fc9e2", "#7fb9dc", "#62a8d3"};

/// By the logarithm of the gradient: its distance from the largest one, over the decades that there are.
class Fill {
  public:
    explicit Fill(const std::vector<Box>& boxes) {
        for (const Box& s : boxes)
            if (const double magnitude = std::abs(s.gradient.value_or(0)); magnitude > 0 && std::isfinite(magnitude)) {
                lowest_ = any_ ? std::min(lowest_, magnitude) : magnitude;
                highest_ = any_ ? std::max(highest_, magnitude) : magnitude;
                any_ = true;
            }
    }
    bool any() const { return any_; }
    std::string legend() const {
        return fmt::format("gradient from {:.2g} (light) to {:.2g} (dark)", lowest_, highest_);
    }
    const char* of(const NodeSummary& s) const {
        if (!s.gradient) return "white";
        const double magnitude = std::abs(*s.gradient);
        if (!std::isfinite(magnitude)) return "#f4a582";
        if (magnitude == 0) return "white";
        if (highest_ == lowest_) return fills.back();
        const double place = std::log(magnitude / lowest_) / std::log(highest_ / lowest_);
        return fills[static_cast<std::size_t>(std::lround(place * (fills.size() - 1)))];
    }

  private:
    bool any_ = false;
    double lowest_ = 0, highest_ = 0;
};

/// The time step of a state is its own; what goes into a state belongs to that state's (x_t to h_t, although no step
/// went into it); all else to that of the newest state that went into it, and constants to where they are used.
void find_time_steps(std::vector<Box>& boxes) {
    constexpr std::int32_t none = -1;
    std::vector<std::int32_t> leads_to(boxes.size(), none), used_at(boxes.size(), none);
    const auto first = [](std::int32_t a, std::int32_t b) { return a == none ? b : b == none ? a : std::min(a, b); };
    for (std::size_t k = boxes.size(); k-- > 0;) {
        Box& box = boxes[k];
        if (box.is_parameter()) continue;
        const std::int32_t state = box.is_state ? box.time_step : leads_to[k];
        box.drawn_time_step = state != none ? state : box.is_leaf() ? used_at[k] : box.time_step;
        for (const NodeIndex input : box.inputs) {
            leads_to[input] = first(leads_to[input], state);
            used_at[input] = first(used_at[input], box.drawn_time_step);
        }
    }
}

/// Places for `neato -n2`. A block of columns for each time step, and within it a node to the right of its inputs.
/// States stand in the uppermost rows, so that a chain of them is a straight line; what comes in from outside (x_t)
/// stands below, parameters above, over the middle of their uses.
void find_places(std::vector<Box>& boxes) {
    std::map<std::int32_t, int> widths;
    for (Box& box : boxes) {
        if (box.is_parameter()) continue;
        for (const NodeIndex input : box.inputs)
            if (!boxes[input].is_parameter() && boxes[input].drawn_time_step == box.drawn_time_step)
                box.column = std::max(box.column, boxes[input].column + 1);
        int& width = widths[box.drawn_time_step];
        width = std::max(width, box.column + 1);
    }
    std::map<std::int32_t, int> starts;
    int start = 0;
    for (const auto& [time_step, width] : widths) {
        starts[time_step] = start;
        start += width;
    }
    for (Box& box : boxes)
        if (!box.is_parameter()) box.column += starts[box.drawn_time_step];

    std::set<std::pair<int, int>> taken;
    const auto take = [&](Box& box, int row) {
        while (!taken.emplace(box.column, row).second) ++row;
        box.row = row;
    };
    std::map<std::int32_t, int> states;
    constexpr int undecided = std::numeric_limits<int>::max();
    std::vector<int> row_of_use(boxes.size(), undecided), first_column_of_use(boxes.size(), undecided);
    std::vector<std::pair<int, int>> columns_of_uses(boxes.size(), {0, 0});  // sum and count
    for (Box& box : boxes) {
        if (box.is_leaf()) continue;
        int row = undecided;
        for (const NodeIndex input : box.inputs)
            if (!boxes[input].is_leaf()) row = std::min(row, boxes[input].row);
        take(box, box.is_state ? states[box.drawn_time_step]++ : row == undecided ? 1 : row);
        for (const NodeIndex input : box.inputs) {
            row_of_use[input] = std::min(row_of_use[input], box.row);
            first_column_of_use[input] = std::min(first_column_of_use[input], box.column);
            columns_of_uses[input].first += box.column;
            ++columns_of_uses[input].second;
        }
    }
    for (Box& box : boxes) {
        if (!box.is_leaf()) continue;
        const auto [sum, count] = columns_of_uses[box.index];
        if (box.is_parameter()) {
            box.column = count > 0 ? sum / count : 0;
            while (!taken.emplace(box.column, -2).second) ++box.column;
            box.row = -2;
        } else {
            if (count > 0) box.column = std::max(box.column, first_column_of_use[box.index] - 1);
            take(box, count > 0 ? std::max(1, row_of_use[box.index]) : 1);
        }
    }
}

/// In points, as the text of the boxes is measured.
constexpr double column_width = 150, row_height = 90;

struct Point {
    double x, y;
};
Point point(const Box& box) {
    return {column_width * box.column, -row_height * box.row};
}

/// Two corners of the frame around boxes, with room for a title.
std::pair<Point, Point> frame(const std::vector<const Box*>& boxes) {
    const Point at = point(*boxes[0]);
    std::pair<Point, Point> corners{at, at};
    auto& [low, high] = corners;
    for (const Box* box : boxes) {
        const auto [x, y] = point(*box);
        low = {std::min(low.x, x), std::min(low.y, y)};
        high = {std::max(high.x, x), std::max(high.y, y)};
    }
    low = {low.x - 0.47 * column_width, low.y - 0.47 * row_height};
    high = {high.x + 0.47 * column_width, high.y + 0.47 * row_height + 20};
    return corners;
}

}  // namespace

template <class T>
void to_dot(const Tape<T>& tape, std::ostream& stream, const DotOptions& options) {
    if (tape.size() > options.max_nodes)
        fail<ValueError>(fmt::format("to_dot: the tape has {} nodes: expected at most DotOptions.max_nodes = {}",
                                     tape.size(), options.max_nodes));
    std::vector<Box> boxes(tape.size());
    for (Box& box : boxes) {
        const auto index = static_cast<NodeIndex>(&box - boxes.data());
        static_cast<NodeSummary&>(box) = summary(tape, index);
        box.is_state = tape.node(index).probe;
    }
    if (options.time_steps) find_time_steps(boxes);
    find_places(boxes);

    const Fill fill(boxes);
    const bool filled = options.fill_by_gradient && fill.any();
    std::string title = escaped(options.title);
    if (filled) title += (title.empty() ? "" : "\\n") + fill.legend();
    stream << "digraph tape {\n"
              "    rankdir=LR;\n"
              "    graph [fontname=\"sans-serif\", fontsize=12, style=\"rounded\", color=\"gray60\"];\n"
              "    node [fontname=\"sans-serif\", fontsize=11, style=\"filled\", fillcolor=\"white\"];\n"
              "    edge [arrowsize=0.7, color=\"gray40\"];\n";
    if (!title.empty()) stream << "    label=\"" << title << "\";\n";

    std::map<std::int32_t, std::vector<const Box*>> by_time_step;
    for (const Box& box : boxes) by_time_step[box.drawn_time_step].push_back(&box);
    for (const auto& [time_step, members] : by_time_step) {
        const bool framed = time_step >= 0;
        if (framed) {
            const auto [low, high] = frame(members);
            stream << fmt::format(
                "    subgraph cluster_{0} {{\n        label=\"t = {0}\"; bb=\"{1:.0f},{2:.0f},{3:.0f},{4:.0f}\";\n",
                time_step, low.x, low.y, high.x, high.y);
        }
        for (const Box* box : members) {
            stream << (framed ? "        n" : "    n") << box->index << " [label=\"" << label(*box) << "\", "
                   << outline(box->kind);
            if (filled) stream << ", fillcolor=\"" << fill.of(*box) << '"';
            const auto [x, y] = point(*box);
            stream << fmt::format(", pos=\"{:.0f},{:.0f}\"];\n", x, y);
        }
        if (framed) stream << "    }\n";
    }
    for (const Box& box : boxes)
        for (const NodeIndex input : box.inputs) {
            // A weight is used at every step: its arrows must neither pull the steps together nor hide the states'.
            stream << "    n" << input << " -> n" << box.index
                   << (boxes[input].is_parameter() ? " [constraint=false, style=dashed, color=\"gray70\"];\n" : ";\n");
        }
    stream << "}\n";
}

template <class T>
std::string to_dot(const Tape<T>& tape, const DotOptions& options) {
    std::ostringstream stream;
    to_dot(tape, stream, options);
    return stream.str();
}

#define EBB_INSTANTIATE(T)                                                  \
    template void to_dot(const Tape<T>&, std::ostream&, const DotOptions&); \
    template std::string to_dot(const Tape<T>&, const DotOptions&);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb
