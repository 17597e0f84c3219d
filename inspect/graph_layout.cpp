#include <ebb/inspect/graph_layout.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace ebb::inspect {
namespace {

using Nodes = std::vector<std::uint32_t>;

/// Each node of one frame, a row above all that it was computed from there; rows from 0. What was computed from nothing
/// there stands directly below its first use.
std::map<std::uint32_t, std::size_t> find_rows(const Nodes& members, const std::vector<Nodes>& inputs) {
    const std::set<std::uint32_t> here(members.begin(), members.end());
    std::map<std::uint32_t, std::size_t> rows;
    // Nearly all inputs come before their uses: this loop runs twice, and once more for each chain against the order.
    for (bool changed = true; changed;) {
        changed = false;
        for (const std::uint32_t k : members) {
            std::size_t row = 0;
            for (const std::uint32_t input : inputs[k])
                if (here.contains(input)) row = std::max(row, rows[input] + 1);
            changed = changed || row != rows[k];
            rows[k] = row;
        }
    }
    std::map<std::uint32_t, std::size_t> first_use;
    for (const std::uint32_t k : members)
        for (const std::uint32_t input : inputs[k]) {
            const auto [found, added] = first_use.try_emplace(input, rows[k]);
            if (!added) found->second = std::min(found->second, rows[k]);
        }
    for (const std::uint32_t k : members)
        if (rows[k] == 0 && first_use.contains(k)) rows[k] = first_use[k] - 1;
    return rows;
}

/// Nodes of each row from left to right, in the order of what they were computed from.
std::vector<Nodes> ordered_rows(const Nodes& members, const std::vector<Nodes>& inputs) {
    const auto row_of = find_rows(members, inputs);
    std::vector<Nodes> rows;
    for (const std::uint32_t k : members) {
        rows.resize(std::max(rows.size(), row_of.at(k) + 1));
        rows[row_of.at(k)].push_back(k);
    }
    std::map<std::uint32_t, double> along;  // from the middle of its row
    for (Nodes& row : rows) {
        const auto wanted = [&](std::uint32_t k) {
            double sum = 0, count = 0;
            for (const std::uint32_t input : inputs[k])
                if (const auto found = along.find(input); found != along.end()) sum += found->second, ++count;
            return count > 0 ? sum / count : 0;
        };
        std::stable_sort(row.begin(), row.end(),
                         [&](std::uint32_t a, std::uint32_t b) { return wanted(a) < wanted(b); });
        for (std::size_t i = 0; i < row.size(); ++i)
            along[row[i]] = static_cast<double>(i) - 0.5 * static_cast<double>(row.size() - 1);
    }
    return rows;
}

std::size_t widest(const std::vector<Nodes>& rows) {
    std::size_t width = 1;
    for (const Nodes& row : rows) width = std::max(width, row.size());
    return width;
}

/// Rows upwards from `bottom`, each about `middle`.
void place_rows(UnrolledGraph& graph, const std::vector<Nodes>& rows, double middle, double bottom) {
    for (std::size_t r = 0; r < rows.size(); ++r)
        for (std::size_t i = 0; i < rows[r].size(); ++i) {
            GraphNode& node = graph.nodes[rows[r][i]];
            node.x = middle + node_distance * (static_cast<double>(i) - 0.5 * static_cast<double>(rows[r].size() - 1));
            node.y = bottom + row_distance * static_cast<double>(r);
        }
}

}  // namespace

void lay_out(UnrolledGraph& graph) {
    std::vector<Nodes> inputs(graph.nodes.size());
    for (const GraphEdge& edge : graph.edges) inputs[edge.to].push_back(edge.from);
    std::map<std::int32_t, Nodes> frames;
    Nodes below, above;
    for (std::uint32_t k = 0; k < graph.nodes.size(); ++k) {
        const GraphNode& node = graph.nodes[k];
        (node.place == GraphPlace::below   ? below
         : node.place == GraphPlace::above ? above
                                           : frames[node.time_step])
            .push_back(k);
    }
    double right = 0, top = 0;
    for (const auto& [time_step, members] : frames) {
        const std::vector<Nodes> rows = ordered_rows(members, inputs);
        // A margin of half a node on both sides parts the frames.
        const double width = node_distance * (static_cast<double>(widest(rows)) + 0.5);
        place_rows(graph, rows, right + width / 2, 0);
        right += width;
        top = std::max(top, row_distance * static_cast<double>(rows.size()));
    }
    place_rows(graph, ordered_rows(above, inputs), right / 2, top + 0.5 * row_distance);
    const std::vector<Nodes> rows_below = ordered_rows(below, inputs);
    place_rows(graph, rows_below, right / 2, -row_distance * (static_cast<double>(rows_below.size()) + 0.5));

    std::int32_t first = -1;
    double last = 0;
    for (GraphStep& step : graph.steps) {
        if (step.time_step < 0) continue;
        if (first < 0) first = step.time_step;
        step.x = last = step_distance * (step.time_step - first);
        step.y = lane_distance * static_cast<double>(step.lane);
    }
    for (GraphStep& step : graph.steps) {
        if (step.time_step >= 0) continue;
        step.x = last / 2;
        step.y = lane_distance * static_cast<double>(graph.lanes.size());
    }
}

}  // namespace ebb::inspect
