#include <ebb/inspect/data_file.hpp>
#include <ebb/inspect/number_text.hpp>
#include <ebb/inspect/page_data.hpp>
#include <ebb/inspect/palette.hpp>
#include <ebb/inspect/ticks.hpp>
#include <ebb/inspect/vega_lite.hpp>
#include <ebb/inspect/wide_table.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <span>

#include <nlohmann/json.hpp>

namespace ebb::inspect {
namespace {

using json = nlohmann::ordered_json;

std::string base64(std::span<const unsigned char> bytes) {
    constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t k = 0; k < bytes.size(); k += 3) {
        const std::size_t count = std::min<std::size_t>(3, bytes.size() - k);
        std::uint32_t group = 0;
        for (std::size_t i = 0; i < 3; ++i) group = group << 8U | (i < count ? bytes[k + i] : 0U);
        for (std::size_t i = 0; i < 4; ++i) text += i <= count ? digits[group >> (18 - 6 * i) & 63U] : '=';
    }
    return text;
}

/// Stands for a cell that a table leaves empty.
constexpr float absent = std::numeric_limits<float>::max();

/// Numbers as float32, little-endian, in base64: 5.3 characters each. Where the scale is a log one, their logarithms:
/// a vanishing gradient is soon smaller than what a float holds. There 0 is -infinity; what is negative is NaN.
class Packer {
  public:
    explicit Packer(Scale scale) : scale_(scale) {}
    void add(std::optional<double> value) {
        float number = absent;
        if (value) number = static_cast<float>(scale_ == Scale::log ? std::log(*value) : *value);
        std::uint32_t bits = 0;
        std::memcpy(&bits, &number, sizeof bits);
        for (unsigned shift = 0; shift < 32; shift += 8) bytes_.push_back(static_cast<unsigned char>(bits >> shift));
    }
    std::string text() const { return base64(bytes_); }

  private:
    Scale scale_;
    std::vector<unsigned char> bytes_;
};

/// Numbers of a list, as `packed` puts them into the page.
using Numbers = std::vector<std::optional<double>>;

json packed(const Numbers& values, Scale scale) {
    Packer packer(scale);
    for (const std::optional<double>& value : values) packer.add(value);
    return packer.text();
}

/// Two bytes for each number where there are many frames of them: one of 65,532 places between the smallest and the
/// largest, at even distances (of their logarithms, on a log scale). What is no place comes after these: -infinity,
/// infinity, NaN, nothing. Over thirty powers of ten that is right to 0.05%.
json packed_in_places(const Numbers& values, Scale scale) {
    constexpr std::uint32_t places = 65'532;
    double low = 0, high = 0;
    bool any = false;
    std::vector<double> numbers;  // what is absent is looked up in `values`
    for (const std::optional<double>& value : values) {
        const double number = scale == Scale::log ? std::log(value.value_or(1)) : value.value_or(0);
        numbers.push_back(number);
        if (!value || !std::isfinite(number)) continue;
        low = any ? std::min(low, number) : number;
        high = any ? std::max(high, number) : number;
        any = true;
    }
    const double step = (high / places - low / places) * (places / (places - 1.0));
    std::vector<unsigned char> bytes;
    for (std::size_t k = 0; k < numbers.size(); ++k) {
        const double number = numbers[k];
        std::uint32_t place = 0;
        if (!values[k])
            place = places + 3;
        else if (!std::isfinite(number))
            place = places + (std::isnan(number) ? 2 : number > 0 ? 1 : 0);
        else if (step > 0)
            place = std::min(places - 1, static_cast<std::uint32_t>(std::lround(number / step - low / step)));
        bytes.push_back(static_cast<unsigned char>(place));
        bytes.push_back(static_cast<unsigned char>(place >> 8U));
    }
    return {{"low", low}, {"step", step}, {"places", base64(bytes)}};
}

const char* name_of(Scale scale) {
    return scale == Scale::log ? "log" : "linear";
}

template <class Frames>
json steps_of(const Frames& frames) {
    json steps = json::array();
    for (const auto& frame : frames) steps.push_back(frame.step);
    return steps;
}

template <class Figure>
json notes_of(const Figure& figure) {
    json notes = json::array();
    for (std::size_t i = 0; i < figure.frames.size(); ++i) notes.push_back(missing_note(figure, i));
    if (figure.frames.empty()) notes.push_back(missing_note(figure));
    return notes;
}

/// Rows that are there at one step, or (step null) at every step: which columns they fill, the number of their list of
/// x, and their values row by row.
struct Block {
    std::optional<std::int64_t> step;
    std::vector<double> x;
    std::vector<const WideRow*> rows;
};

json blocks_of(const WideTable& table, const LineFigure& figure, json& x_lists) {
    std::vector<Block> blocks;
    for (const WideRow& row : table.rows) {
        if (blocks.empty() || blocks.back().step != row.step) blocks.push_back({row.step, {}, {}});
        blocks.back().x.push_back(row.x);
        blocks.back().rows.push_back(&row);
    }
    std::map<std::vector<double>, std::size_t> known;
    json list = json::array();
    for (const Block& block : blocks) {
        const auto [found, added] = known.try_emplace(block.x, known.size());
        if (added) x_lists.push_back(block.x);
        json columns = json::array();
        Packer packer(figure.y.scale);
        std::vector<std::size_t> filled;
        for (std::size_t k = 0; k < table.columns.size(); ++k)
            if (std::any_of(block.rows.begin(), block.rows.end(), [&](const WideRow* row) { return row->y[k]; })) {
                filled.push_back(k);
                columns.push_back(k);
            }
        for (const WideRow* row : block.rows)
            for (const std::size_t k : filled) packer.add(row->y[k]);
        list.push_back({{"step", block.step ? json(*block.step) : json(nullptr)},
                        {"x", found->second},
                        {"columns", columns},
                        {"values", packer.text()}});
    }
    return list;
}

/// The colours of a heat map's scale, from its low end to its high one.
json scale_colours() {
    constexpr int stops = 32;
    json colours = json::array();
    for (int i = 0; i <= stops; ++i) colours.push_back(heat_colour(static_cast<double>(i) / stops));
    return colours;
}

json scale_json(Scale scale, const Ticks& ticks) {
    json list = json::array();
    for (const Tick& tick : ticks.major) list.push_back({tick.at, tick.text});
    return {{"type", name_of(scale)},
            {"low", ticks.low},
            {"high", ticks.high},
            {"ticks", list},
            {"colours", scale_colours()}};
}

/// Each text once, and numbers for it.
class Words {
  public:
    std::size_t number(const std::string& word) {
        const auto [found, added] = numbers_.try_emplace(word, list_.size());
        if (added) list_.push_back(word);
        return found->second;
    }
    const json& list() const { return list_; }

  private:
    std::map<std::string, std::size_t> numbers_;
    json list_ = json::array();
};

json edges_json(const std::vector<GraphEdge>& edges) {
    json from = json::array(), to = json::array();
    for (const GraphEdge& edge : edges) {
        from.push_back(edge.from);
        to.push_back(edge.to);
    }
    return {{"from", from}, {"to", to}};
}

json numbers_json(const GraphNumbers& numbers, json (*pack)(const Numbers&, Scale)) {
    return {{"value", pack({numbers.value_norm.begin(), numbers.value_norm.end()}, Scale::log)},
            {"gradient", pack(numbers.grad_norm, Scale::log)},
            {"edges", pack(numbers.edge, Scale::log)},
            {"stepEdges", pack(numbers.step_edge, Scale::log)}};
}

}  // namespace

json page_data(const std::string& id, const LineFigure& figure) {
    const WideTable table = wide_table(figure);
    json columns = json::array();
    for (const WideColumn& column : table.columns) {
        const Series& series = *column.series;
        const LineColour colour = line_colour(series.colour.value_or(0));
        columns.push_back({{"name", column.name()},
                           {"light", colour.light},
                           {"dark", colour.dark},
                           {"reference", series.style == LineStyle::reference},
                           {"like", series.like}});
        if (column.part != WideColumn::Part::value) columns.back()["bandOf"] = series.name;
    }
    json x_lists = json::array();
    json blocks = blocks_of(table, figure, x_lists);
    return {{"id", id},
            {"kind", "lines"},
            {"title", figure.title},
            {"x", axis_title(figure.x)},
            {"y", axis_title(figure.y)},
            {"xScale", name_of(figure.x.scale)},
            {"yScale", name_of(figure.y.scale)},
            {"reversed", figure.x.reversed},
            {"series", columns},
            {"steps", steps_of(figure.frames)},
            {"stepLabel", figure.frame_label},
            {"referenceLabel", figure.reference_label},
            {"notes", notes_of(figure)},
            {"xLists", x_lists},
            {"blocks", blocks},
            {"spec", json::parse(to_vega_lite(figure, VegaData::named))}};
}

json page_data(const std::string& id, const HeatMap& figure) {
    json frames = json::array();
    // Of a sparse map the cells that are there, and how many are not, are, are not ... in turn.
    const auto numbers = figure.frames.size() > 1 ? packed_in_places : packed;
    const auto pack = [&](const std::vector<double>& values) {
        if (!figure.sparse) return frames.push_back(numbers({values.begin(), values.end()}, figure.value.scale));
        Numbers cells;
        json runs = json::array({0});
        bool there = false;
        for (const double value : values) {
            if (std::isnan(value) == there) {
                there = !there;
                runs.push_back(0);
            }
            runs.back() = runs.back().get<std::size_t>() + 1;
            if (there) cells.emplace_back(value);
        }
        frames.push_back({{"runs", runs}, {"values", numbers(cells, figure.value.scale)}});
    };
    if (figure.frames.empty()) pack(figure.values);
    for (const MapFrame& frame : figure.frames) pack(frame.values);
    return {{"id", id},
            {"kind", "map"},
            {"title", figure.title},
            {"x", axis_title(figure.x)},
            {"y", axis_title(figure.y)},
            {"value", axis_title(figure.value)},
            {"xAt", figure.x_at},
            {"yAt", figure.y_at},
            {"sparse", figure.sparse},
            {"contours", figure.contours},
            {"scale", scale_json(figure.value.scale, value_ticks(figure, 6))},
            {"frames", frames},
            {"steps", steps_of(figure.frames)},
            {"stepLabel", figure.frame_label},
            {"notes", notes_of(figure)},
            {"spec", json::parse(to_vega_lite(figure, VegaData::named))}};
}

json page_data(const std::string& id, const GraphFigure& figure) {
    const UnrolledGraph& graph = figure.graph;
    Words words;
    json name = json::array(), operation = json::array(), shape = json::array(), time = json::array(),
         place = json::array(), lane = json::array(), kind = json::array(), x = json::array(), y = json::array();
    for (const GraphNode& node : graph.nodes) {
        name.push_back(words.number(node.name));
        operation.push_back(words.number(node.operation));
        shape.push_back(words.number(to_string(node.shape)));
        time.push_back(node.time_step);
        place.push_back(static_cast<int>(node.place));
        lane.push_back(node.lane);
        kind.push_back(node.is_parameter ? 2 : node.is_state ? 1 : 0);
        x.push_back(node.x);
        y.push_back(node.y);
    }
    json step_time = json::array(), step_lane = json::array(), states = json::array(), count = json::array(),
         step_x = json::array(), step_y = json::array();
    for (const GraphStep& step : graph.steps) {
        step_time.push_back(step.time_step);
        step_lane.push_back(step.lane);
        states.push_back(step.states);
        count.push_back(step.node_count);
        step_x.push_back(step.x);
        step_y.push_back(step.y);
    }
    json frames = json::array();
    if (figure.frames.empty()) frames.push_back(numbers_json(numbers_of(graph), packed));
    for (const GraphFrame& frame : figure.frames)
        frames.push_back(numbers_json(frame.numbers, figure.frames.size() > 1 ? packed_in_places : packed));
    return {{"id", id},
            {"kind", "graph"},
            {"title", figure.title},
            {"scale", scale_json(Scale::log, gradient_ticks(figure))},
            {"words", words.list()},
            {"lanes", graph.lanes},
            {"nodes",
             {{"name", name},
              {"operation", operation},
              {"shape", shape},
              {"time", time},
              {"place", place},
              {"lane", lane},
              {"kind", kind},
              {"x", x},
              {"y", y}}},
            {"edges", edges_json(graph.edges)},
            {"stepNodes",
             {{"time", step_time},
              {"lane", step_lane},
              {"states", states},
              {"count", count},
              {"x", step_x},
              {"y", step_y}}},
            {"stepEdges", edges_json(graph.step_edges)},
            {"steps", steps_of(figure.frames)},
            {"stepLabel", figure.frame_label},
            {"frames", frames}};
}

json page_data(const std::string& id, const Table& table) {
    return {{"id", id}, {"kind", "table"}, {"title", table.title}, {"csv", to_csv(table)}};
}

}  // namespace ebb::inspect
