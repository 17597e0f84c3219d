#include <ebb/inspect/number_text.hpp>
#include <ebb/inspect/palette.hpp>
#include <ebb/inspect/ticks.hpp>
#include <ebb/inspect/vega_lite.hpp>
#include <ebb/inspect/wide_table.hpp>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace ebb::inspect {

namespace {

using json = nlohmann::ordered_json;

constexpr std::string_view schema = "https://vega.github.io/schema/vega-lite/v6.json";

/// ASCII only, so that the text may stand in any expression, script or file.
std::string ascii_json(const json& value) {
    return value.dump(-1, ' ', true, json::error_handler_t::replace);
}

/// Seven digits are what a float holds, and far more than a screen shows.
std::string short_number(double value) {
    return fmt::format("{:.7g}", value);
}

/// An expression that writes each tick as we write it in every picture.
std::string label_expression(const std::vector<Tick>& ticks) {
    json texts = json::array();
    json places = json::array();
    for (const Tick& tick : ticks) {
        texts.push_back(tick.text);
        places.push_back(tick.at);
    }
    return fmt::format("{}[indexof({}, datum.value)]", ascii_json(texts), ascii_json(places));
}

json tick_places(const std::vector<Tick>& ticks) {
    json places = json::array();
    for (const Tick& tick : ticks) places.push_back(tick.at);
    return places;
}

json scale_json(const Axis& axis, const Ticks& ticks) {
    json scale{
        {"type", axis.scale == Scale::log ? "log" : "linear"}, {"domain", {ticks.low, ticks.high}}, {"nice", false}};
    if (axis.scale == Scale::linear) scale["zero"] = false;
    if (axis.reversed) scale["reverse"] = true;
    return scale;
}

json x_axis_json(const Axis& axis, const Ticks& ticks, bool grid) {
    return {{"title", axis_title(axis)},
            {"values", tick_places(ticks.major)},
            {"labelExpr", label_expression(ticks.major)},
            {"labelFlush", false},
            {"grid", grid}};
}

/// The name of the y axis stands level above it, where it is read without a turn of the head.
json y_axis_json(const Axis& axis, const Ticks& ticks, bool grid) {
    std::size_t widest = 3;
    for (const Tick& tick : ticks.major) widest = std::max(widest, count_characters(tick.text));
    return {{"title", axis_title(axis)},
            {"titleAngle", 0},
            {"titleAlign", "left"},
            {"titleAnchor", "end"},
            {"titleBaseline", "bottom"},
            {"titleX", -7 * static_cast<int>(widest) - 4},
            {"titleY", -12},
            {"values", tick_places(ticks.major)},
            {"labelExpr", label_expression(ticks.major)},
            {"grid", grid},
            {"domain", !grid},
            {"ticks", !grid}};
}

/// What the reader's eye needs to tell lines apart; a page sets its own.
json light_config(const json& colours) {
    return {{"background", "white"},
            {"view", {{"stroke", nullptr}}},
            {"axis", {{"gridColor", "#e4e7eb"}, {"domainColor", "#8a93a0"}, {"tickColor", "#8a93a0"}}},
            {"range", {{"category", colours}}}};
}

std::string column_name(std::size_t index) {
    return fmt::format("s{}", index);
}

json data_json(VegaData data, const std::string& csv, const json& parse) {
    if (data == VegaData::named) return {{"name", "points"}};
    return {{"values", csv}, {"format", {{"type", "csv"}, {"parse", parse}}}};
}

/// The slider, as a list to choose from.
template <class Frames>
json step_parameter(const Frames& frames, const std::string& label) {
    json steps = json::array();
    for (const auto& frame : frames) steps.push_back(frame.step);
    return {{"name", "step"},
            {"value", frames.back().step},
            {"bind", {{"input", "select"}, {"options", steps}, {"name", label + " "}}}};
}

}  // namespace

std::string to_vega_lite(const LineFigure& original, VegaData data) {
    check("to_vega_lite", original);
    LineFigure figure = original;
    assign_colours(figure);
    const WideTable table = wide_table(figure);
    const AxesTicks ticks = axes_ticks(figure, 8, 8);
    const bool inside = data == VegaData::inside;
    const bool has_frames = inside && !figure.frames.empty();
    const bool is_log = figure.y.scale == Scale::log;

    // Data: step, x, s0, s1 ...; names of series may hold anything, names of columns must not.
    std::string csv = has_frames ? "step,x" : "x";
    json parse{{"x", "number"}};
    if (has_frames) parse["step"] = "number";
    json columns = json::array();
    json lookup = json::array();
    json domain = json::array();
    json colours = json::array();
    bool has_reference = false;
    bool has_follower = false;
    const std::string line = "line";
    const std::string& follower = figure.reference_label;
    const std::string reference = "reference";
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        const Series& series = *table.columns[i].series;
        csv += ',' + column_name(i);
        parse[column_name(i)] = "number";
        if (table.columns[i].part != WideColumn::Part::value) continue;
        columns.push_back(column_name(i));
        const bool follows = !series.like.empty();
        const bool is_reference = series.style == LineStyle::reference;
        lookup.push_back({{"key", column_name(i)},
                          {"name", series.name},
                          {"colour", follows ? series.like : series.name},
                          {"kind", !is_reference ? line
                                   : follows     ? follower
                                                 : reference}});
        has_reference = has_reference || is_reference;
        has_follower = has_follower || (follows && is_reference);
        if (!follows) {
            domain.push_back(series.name);
            colours.push_back(line_colour(series.colour.value_or(0)).light);
        }
    }
    csv += '\n';
    for (const WideRow& row : table.rows) {
        if (!inside) break;
        if (has_frames) csv += (row.step ? fmt::format("{}", *row.step) : "") + ',';
        csv += short_number(row.x);
        for (const std::optional<double>& y : row.y) csv += ',' + (y ? short_number(*y) : "");
        csv += '\n';
    }

    json spec{{"$schema", schema},
              {"title", figure.title},
              {"width", "container"},
              {"height", 320},
              {"autosize", {{"type", "fit-x"}, {"contains", "padding"}}},
              {"data", data_json(data, csv, parse)}};
    if (!figure.caption.empty()) spec["description"] = figure.caption;
    // The columns that a reader has switched off.
    spec["params"] = json::array({{{"name", "hidden"}, {"value", json::array()}}});
    if (has_frames) {
        spec["params"].push_back(step_parameter(figure.frames, figure.frame_label));
        // Once for all layers: everything after it sees one step only.
        spec["transform"] = json::array({{{"filter", "datum.step === null || datum.step === step"}}});
    }

    // An empty cell is no point at all; one that holds what the axis cannot show is a gap in the line.
    json unfold = json::array();
    unfold.push_back({{"fold", columns}, {"as", {"key", "value"}}});
    unfold.push_back({{"filter", "datum.value !== null && indexof(hidden, datum.key) < 0"}});
    unfold.push_back({{"calculate", is_log ? "isFinite(datum.value) && datum.value > 0 ? datum.value : null"
                                           : "isFinite(datum.value) ? datum.value : null"},
                      {"as", "y"}});
    unfold.push_back(
        {{"lookup", "key"},
         {"from", {{"data", {{"values", lookup}}}, {"key", "key"}, {"fields", {"name", "colour", "kind"}}}}});

    const json x{{"field", "x"},
                 {"type", "quantitative"},
                 {"scale", scale_json(figure.x, ticks.x)},
                 {"axis", x_axis_json(figure.x, ticks.x, false)}};
    const json y{{"field", "y"},
                 {"type", "quantitative"},
                 {"scale", scale_json(figure.y, ticks.y)},
                 {"axis", y_axis_json(figure.y, ticks.y, true)}};
    json colour{{"field", "colour"}, {"type", "nominal"}, {"scale", {{"domain", domain}}}, {"legend", nullptr}};
    if (domain.size() > 1)
        colour["legend"] = {
            {"title", nullptr}, {"symbolType", "stroke"}, {"symbolOpacity", 1}, {"symbolStrokeWidth", 2.5}};
    json dash{{"field", "kind"},
              {"type", "nominal"},
              {"scale", {{"domain", {follower, reference}}, {"range", {{5, 4}, {5, 4}}}}},
              {"legend", nullptr}};
    if (has_follower)
        dash["legend"] = {
            {"title", nullptr}, {"symbolType", "stroke"}, {"symbolStrokeColor", "#555b66"}, {"values", {follower}}};

    // The bands, behind all lines: a band's columns stand behind its line's.
    json layers = json::array();
    for (std::size_t i = 0; i + 2 < table.columns.size(); ++i) {
        if (table.columns[i + 1].part != WideColumn::Part::low) continue;
        const std::string low = column_name(i + 1), high = column_name(i + 2);
        json edge = y;
        edge["field"] = low;
        const Series& series = *table.columns[i].series;
        layers.push_back(
            {{"transform",
              json::array(
                  {{{"filter", fmt::format("indexof(hidden, '{}') < 0 && isValid(datum.{}) && isFinite(datum.{}) && "
                                           "isValid(datum.{}) && isFinite(datum.{}){}",
                                           column_name(i), low, low, high, high,
                                           is_log ? fmt::format(" && datum.{} > 0", low) : "")}}})},
             {"mark", {{"type", "area"}, {"opacity", 0.18}, {"clip", true}}},
             {"encoding",
              {{"x", x},
               {"y", edge},
               {"y2", {{"field", high}}},
               {"color", {{"datum", series.like.empty() ? series.name : series.like}, {"type", "nominal"}}}}}});
    }

    const bool cut_off = figure.x.min || figure.x.max || figure.y.min || figure.y.max;
    const auto line_layer = [&](bool dashed) {
        json transform = unfold;
        transform.push_back({{"filter", dashed ? "datum.kind !== 'line'" : "datum.kind === 'line'"}});
        json encoding{{"x", x}, {"y", y}, {"color", colour}, {"detail", {{"field", "key"}}}};
        if (dashed) encoding["strokeDash"] = dash;
        return json{{"transform", transform},
                    {"mark",
                     {{"type", "line"},
                      {"clip", cut_off},
                      {"invalid", "break-paths-filter-domains"},
                      {"strokeCap", dashed ? "butt" : "round"},
                      {"strokeJoin", "round"},
                      {"strokeWidth", dashed ? 1.25 : 2.25},
                      {"opacity", dashed ? 0.6 : 1.0}}},
                    {"encoding", encoding}};
    };
    if (has_reference) layers.push_back(line_layer(true));
    layers.push_back(line_layer(false));

    // Under the pointer: a rule at the nearest x, a dot on each line, and all values there in a tooltip.
    json dots = unfold;
    dots.push_back({{"filter", {{"param", "hover"}, {"empty", false}}}});
    layers.push_back(
        {{"transform", dots},
         {"mark",
          {{"type", "point"}, {"filled", true}, {"size", 45}, {"opacity", 1}, {"clip", cut_off}, {"tooltip", nullptr}}},
         {"encoding", {{"x", x}, {"y", y}, {"color", colour}, {"detail", {{"field", "key"}}}}}});
    json at_x = json::array();
    json values = json::array();
    json tooltip = json::array({{{"field", "x"}, {"type", "quantitative"}, {"title", axis_title(figure.x)}}});
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        values.push_back({{"op", "max"}, {"field", column_name(i)}, {"as", column_name(i)}});
        tooltip.push_back({{"field", column_name(i)},
                           {"type", "quantitative"},
                           {"title", table.columns[i].name()},
                           {"format", ".3~g"}});
    }
    at_x.push_back({{"aggregate", values}, {"groupby", {"x"}}});
    layers.push_back(
        {{"transform", at_x},
         {"params", json::array({{{"name", "hover"},
                                  {"select",
                                   {{"type", "point"},
                                    {"fields", {"x"}},
                                    {"nearest", true},
                                    {"on", "pointermove"},
                                    {"clear", "pointerout"}}}}})},
         {"mark", {{"type", "rule"}, {"strokeWidth", 1}}},
         {"encoding",
          {{"x", x},
           {"opacity", {{"condition", {{"param", "hover"}, {"empty", false}, {"value", 0.35}}}, {"value", 0}}},
           {"tooltip", tooltip}}}});
    spec["layer"] = layers;
    spec["config"] = light_config(colours);
    return ascii_json(spec);
}

std::string to_vega_lite(const HeatMap& figure, VegaData data) {
    check("to_vega_lite", figure);
    const bool is_log = figure.value.scale == Scale::log;
    const auto gap = [](const std::vector<double>& at) { return at.size() > 1 ? at[1] - at[0] : 1.0; };
    const double x_half = gap(figure.x_at) / 2;
    const double y_half = gap(figure.y_at) / 2;

    const bool inside = data == VegaData::inside;
    const bool has_frames = inside && !figure.frames.empty();
    std::string csv = has_frames ? "step,x,y,value\n" : "x,y,value\n";
    const auto add_rows = [&](const std::vector<double>& cells, const std::string& step) {
        for (std::size_t row = 0; row < figure.y_at.size(); ++row)
            for (std::size_t column = 0; column < figure.x_at.size(); ++column)
                csv +=
                    fmt::format("{}{},{},{}\n", step, short_number(figure.x_at[column]), short_number(figure.y_at[row]),
                                short_number(cells[row * figure.x_at.size() + column]));
    };
    if (inside && !has_frames) add_rows(figure.values, "");
    if (has_frames)
        for (const MapFrame& frame : figure.frames) add_rows(frame.values, fmt::format("{},", frame.step));

    const auto place_ticks = [](const std::vector<double>& at, double half, std::size_t wanted) {
        Ticks ticks = linear_ticks(at.front(), at.back(), wanted, Ends::exact);
        const bool whole = std::all_of(at.begin(), at.end(), [](double value) { return std::trunc(value) == value; });
        std::erase_if(ticks.major, [&](const Tick& tick) {
            return tick.at < at.front() - half || tick.at > at.back() + half ||
                   (whole && std::trunc(tick.at) != tick.at);
        });
        ticks.low = at.front() - half;
        ticks.high = at.back() + half;
        return ticks;
    };
    const Ticks x_ticks = place_ticks(figure.x_at, x_half, 8);
    const Ticks y_ticks = place_ticks(figure.y_at, y_half, 6);
    const Ticks scale = value_ticks(figure, 6);

    // The scale's colours at even distances, on a log scale by factors.
    constexpr int stops = 12;
    json domain = json::array();
    json range = json::array();
    for (int i = 0; i <= stops; ++i) {
        const double share = static_cast<double>(i) / stops;
        domain.push_back(i == 0       ? scale.low
                         : i == stops ? scale.high
                         : is_log ? std::exp(std::log(scale.low) + share * (std::log(scale.high) - std::log(scale.low)))
                                  : scale.low + share * (scale.high - scale.low));
        range.push_back(heat_colour(share));
    }
    const json colour_scale{{"type", is_log ? "log" : "linear"}, {"domain", domain}, {"range", range}, {"clamp", true}};
    const auto edge = [](const char* field, double by) {
        return fmt::format("datum.{} {} {}", field, by < 0 ? '-' : '+', std::abs(by));
    };
    // Cells reach a little under their right and upper neighbours, which are drawn later: no seams between them.
    constexpr double lap = 1.1;
    json transform = json::array();
    if (has_frames) transform.push_back({{"filter", "datum.step === step"}});
    transform.push_back({{"filter", is_log ? "isFinite(datum.value) && datum.value > 0" : "isFinite(datum.value)"}});
    transform.push_back({{"calculate", edge("x", -x_half)}, {"as", "left"}});
    transform.push_back({{"calculate", edge("x", x_half * lap)}, {"as", "right"}});
    transform.push_back({{"calculate", edge("y", -y_half)}, {"as", "bottom"}});
    transform.push_back({{"calculate", edge("y", y_half * lap)}, {"as", "top"}});

    json spec{{"$schema", schema}, {"title", figure.title}, {"width", "container"}, {"height", 320}};
    if (!figure.caption.empty()) spec["description"] = figure.caption;
    spec["autosize"] = {{"type", "fit-x"}, {"contains", "padding"}};
    json parse{{"x", "number"}, {"y", "number"}, {"value", "number"}};
    if (has_frames) {
        parse["step"] = "number";
        spec["params"] = json::array({step_parameter(figure.frames, figure.frame_label)});
    }
    spec["data"] = data_json(data, csv, parse);
    spec["transform"] = transform;
    spec["mark"] = {{"type", "rect"}, {"clip", true}};
    const json colour{{"field", "value"},
                      {"type", "quantitative"},
                      {"scale", colour_scale},
                      {"legend",
                       {{"type", "gradient"},
                        {"title", axis_title(figure.value)},
                        {"values", tick_places(scale.major)},
                        {"labelExpr", label_expression(scale.major)}}}};
    spec["encoding"] = {
        {"x",
         {{"field", "left"},
          {"type", "quantitative"},
          {"scale", scale_json(figure.x, x_ticks)},
          {"axis", x_axis_json(figure.x, x_ticks, false)}}},
        {"x2", {{"field", "right"}}},
        {"y",
         {{"field", "bottom"},
          {"type", "quantitative"},
          {"scale", scale_json(figure.y, y_ticks)},
          {"axis", y_axis_json(figure.y, y_ticks, false)}}},
        {"y2", {{"field", "top"}}},
        {"fill", colour},
        {"tooltip", json::array({{{"field", "x"}, {"type", "quantitative"}, {"title", axis_title(figure.x)}},
                                 {{"field", "y"}, {"type", "quantitative"}, {"title", axis_title(figure.y)}},
                                 {{"field", "value"},
                                  {"type", "quantitative"},
                                  {"title", axis_title(figure.value)},
                                  {"format", ".3~g"}}})}};
    spec["config"] = light_config(json::array({line_colour(0).light}));
    return ascii_json(spec);
}

}  // namespace ebb::inspect
