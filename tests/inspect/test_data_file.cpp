#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>
#include <ebb/inspect/data_file.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include <browser/sample.hpp>
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

using namespace ebb;
using namespace ebb::inspect;

namespace {

/// Fields of CSV without quotes.
std::vector<std::vector<std::string>> rows_of(const std::string& csv) {
    std::vector<std::vector<std::string>> rows;
    std::istringstream lines(csv);
    for (std::string line; std::getline(lines, line);) {
        rows.emplace_back();
        std::size_t begin = 0;
        while (true) {
            const std::size_t end = std::min(line.find(',', begin), line.size());
            rows.back().push_back(line.substr(begin, end - begin));
            if (end == line.size()) break;
            begin = end + 1;
        }
    }
    return rows;
}

LineFigure awkward() {
    LineFigure figure;
    figure.title = "awkward";
    figure.x = {.label = "t", .unit = "steps"};
    figure.y = {.label = "y"};
    figure.series = {{"a", {1, 2, 3, 4, 5}, {0.1, 1.0 / 3, 5e-324, 1.7976931348623157e308, -0.0}},
                     {"b", {2, 3, 7}, {NAN, INFINITY, -INFINITY}}};
    return figure;
}

std::string read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

}  // namespace

TEST_CASE("CSV has a row for each x, a column for each series, and reads back to the same bits") {
    const auto rows = rows_of(to_csv(awkward()));
    REQUIRE(rows.size() == 7);
    CHECK(rows[0] == std::vector<std::string>{"t (steps)", "a", "b"});
    const LineFigure figure = awkward();
    for (std::size_t i = 0; i < 5; ++i) {
        const double value = std::strtod(rows[i + 1][1].c_str(), nullptr);
        CHECK(value == figure.series[0].y[i]);
        CHECK(std::signbit(value) == std::signbit(figure.series[0].y[i]));
    }
    CHECK(rows[1][2].empty());
    CHECK(rows[2][2] == "nan");
    CHECK(rows[3][2] == "inf");
    CHECK(rows[6] == std::vector<std::string>{"7", "", "-inf"});
}

TEST_CASE("any double survives CSV and JSON") {
    LineFigure figure = awkward();
    figure.series.resize(1);
    std::mt19937_64 random(3);
    figure.series[0].x.clear();
    figure.series[0].y.clear();
    while (figure.series[0].y.size() < 2000) {
        const std::uint64_t bits = random();
        double value = 0;
        std::memcpy(&value, &bits, sizeof value);
        if (!std::isfinite(value)) continue;
        figure.series[0].x.push_back(static_cast<double>(figure.series[0].x.size()));
        figure.series[0].y.push_back(value);
    }
    const auto rows = rows_of(to_csv(figure));
    const auto json = nlohmann::json::parse(to_json(figure));
    bool same_csv = true;
    bool same_json = true;
    for (std::size_t i = 0; i < 2000; ++i) {
        same_csv = same_csv && std::strtod(rows[i + 1][1].c_str(), nullptr) == figure.series[0].y[i];
        same_json = same_json && json["series"][0]["y"][i].get<double>() == figure.series[0].y[i];
    }
    CHECK(same_csv);
    CHECK(same_json);
}

TEST_CASE("frames have a column for their step, and what holds at every step has none in it") {
    LineFigure figure = awkward();
    figure.series.resize(1);
    figure.frames = {{0, {{"b", {1, 2}, {5, 6}}}}, {50, {{"b", {1}, {7}}}}};
    const auto rows = rows_of(to_csv(figure));
    REQUIRE(rows.size() == 1 + 3 + 5);
    CHECK(rows[0] == std::vector<std::string>{"training step", "t (steps)", "b", "a"});
    CHECK(rows[1] == std::vector<std::string>{"0", "1", "5", ""});
    CHECK(rows[2] == std::vector<std::string>{"0", "2", "6", ""});
    CHECK(rows[3] == std::vector<std::string>{"50", "1", "7", ""});
    CHECK(rows[4] == std::vector<std::string>{"", "1", "", "0.1"});
}

TEST_CASE("a series that comes back to an x loses no point") {
    LineFigure figure = awkward();
    figure.series[0] = {"a", {2, 1, 2}, {10, 20, 30}};
    const auto rows = rows_of(to_csv(figure));
    REQUIRE(rows.size() == 1 + 3 + 3);
    CHECK(rows[1] == std::vector<std::string>{"2", "10", ""});
    CHECK(rows[2] == std::vector<std::string>{"1", "20", ""});
    CHECK(rows[3] == std::vector<std::string>{"2", "30", ""});
}

TEST_CASE("fields with commas, quotes and line breaks are quoted") {
    Table table{.title = "t", .caption = {}, .columns = {{"a,b"}, {"say \"x\""}}, .rows = {{"line\nbreak", 1.5}}};
    CHECK(to_csv(table) == "\"a,b\",\"say \"\"x\"\"\"\n\"line\nbreak\",1.5\n");
}

TEST_CASE("JSON has the axes, and null for what is no number") {
    const auto json = nlohmann::json::parse(to_json(awkward()));
    CHECK(json["title"] == "awkward");
    CHECK(json["x"]["label"] == "t");
    CHECK(json["x"]["unit"] == "steps");
    CHECK(json["y"]["scale"] == "linear");
    CHECK(json["series"][1]["name"] == "b");
    CHECK(json["series"][1]["x"] == std::vector<double>{2, 3, 7});
    for (int i = 0; i < 3; ++i) CHECK(json["series"][1]["y"][i].is_null());
    CHECK_FALSE(json.contains("frames"));
}

TEST_CASE("JSON of frames, heat maps and tables holds all of their numbers") {
    const LineFigure figure = sample::gradient_figure();
    const auto json = nlohmann::json::parse(to_json(figure));
    REQUIRE(json["frames"].size() == figure.frames.size());
    CHECK(json["frames"][3]["step"] == 150);
    CHECK(json["frames"][3]["series"][1]["y"] == figure.frames[3].series[1].y);

    const HeatMap map = sample::unit_map();
    const auto map_json = nlohmann::json::parse(to_json(map));
    CHECK(map_json["values"].size() == map.y_at.size());
    CHECK(map_json["values"][2][5] == map.values[2 * map.x_at.size() + 5]);
    const auto map_rows = rows_of(to_csv(map));
    CHECK(map_rows.size() == 1 + map.values.size());
    CHECK(std::strtod(map_rows[1 + 2 * map.x_at.size() + 5][2].c_str(), nullptr) ==
          map.values[2 * map.x_at.size() + 5]);

    const Table table = sample::result_table();
    const auto table_json = nlohmann::json::parse(to_json(table));
    CHECK(table_json["columns"][2]["unit"] == "bits/char");
    CHECK(table_json["rows"][1][0] == "LSTM");
    CHECK(table_json["rows"][1][3] == std::get<double>(table.rows[1][3]));
}

TEST_CASE("what was measured on a tape reads back to the same doubles") {
    // h_t = tanh(w h_{t-1}), a cell of one unit, whose "gate" is w h_{t-1}; its name has what CSV must quote.
    Tape<double> tape;
    const Parameter<double> w("a, \"b\"", Array<double>::from_shape({1, 1}));
    Parameter<double>(w).mutable_value().fill(0.7);
    auto h = tape.ones({1, 1});
    const StepOwner owner = new_step_owner();
    const auto place = [&](const Variable<double>& x, const char* name, std::int32_t t) -> Node<double>& {
        x.named(name);
        x.node().time_step = t;
        x.node().step_owner = owner;
        return x.node();
    };
    for (std::int32_t t = 0; t < 3; ++t) {
        const auto gate = matmul(h, Variable<double>(w));
        place(gate, "gate", t).intermediate = true;
        h = tanh(gate);
        Node<double>& state = place(h, "a, \"b\".h", t);
        state.probe = state.retains_gradient = true;
    }
    tape.backward(sum(h));
    const GradientFlow<double> flow = gradient_flow(tape);
    const StateFlow& state = flow.states().at(0);
    const GateFlow& gate = flow.gates().at(0);
    const WeightContributions contributions = weight_contributions(tape, w);

    std::string expected = "name,time_step,grad_norm,value_norm,saturation,mean,closed,open\n";
    for (std::size_t t = 0; t < 3; ++t)
        expected += fmt::format("\"a, \"\"b\"\".h\",{},{},{},0,,,\n", t, state.grad_norm[t], state.value_norm[t]);
    for (std::size_t t = 0; t < 3; ++t)
        expected += fmt::format("\"a, \"\"b\"\".gate\",{},,,,{},0,0\n", t, gate.mean[t]);
    CHECK(to_csv(flow) == expected);
    const auto json = nlohmann::json::parse(to_json(flow));
    CHECK(json["states"].size() == 1);
    CHECK(json["states"][0]["name"] == "a, \"b\".h");
    CHECK(json["states"][0]["time_step"] == state.time_step);
    CHECK(json["states"][0]["grad_norm"] == state.grad_norm);
    CHECK(json["states"][0]["value_norm"] == state.value_norm);
    CHECK(json["states"][0]["saturation"] == state.saturation);
    CHECK(json["gates"][0]["name"] == "a, \"b\".gate");
    CHECK(json["gates"][0]["mean"] == gate.mean);
    CHECK(json["gates"][0]["closed"] == gate.closed);
    CHECK(json["gates"][0]["open"] == gate.open);

    expected = "parameter,time_step,norm\n";
    for (std::size_t t = 0; t < 3; ++t) expected += fmt::format("\"a, \"\"b\"\"\",{},{}\n", t, contributions.norm[t]);
    CHECK(to_csv(contributions) == expected);
    CHECK(nlohmann::json::parse(to_json(contributions)) ==
          nlohmann::json{{"parameter", "a, \"b\""}, {"time_step", {0, 1, 2}}, {"norm", contributions.norm}});

    const std::string path = (std::filesystem::temp_directory_path() / "ebb-test-data-file-flow").string();
    save_csv(path, flow);
    CHECK(read(path) == to_csv(flow));
    save_json(path, flow);
    CHECK(read(path) == to_json(flow));
    save_csv(path, contributions);
    CHECK(read(path) == to_csv(contributions));
    save_json(path, contributions);
    CHECK(read(path) == to_json(contributions));
    std::filesystem::remove(path);
}

TEST_CASE("names that are not UTF-8 do not break JSON") {
    LineFigure figure = awkward();
    figure.title = "caf\xe9";
    CHECK(nlohmann::json::parse(to_json(figure))["title"] == "caf\uFFFD");
}

TEST_CASE("files hold what the text functions give, and errors leave nothing behind") {
    const std::filesystem::path folder = std::filesystem::temp_directory_path() / "ebb-test-data-file";
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
    const std::string path = (folder / "figure").string();
    save_csv(path + ".csv", awkward());
    CHECK(read(path + ".csv") == to_csv(awkward()));
    save_json(path + ".json", awkward());
    CHECK(read(path + ".json") == to_json(awkward()));

    LineFigure empty = awkward();
    empty.series.clear();
    CHECK_THROWS_WITH_AS(save_csv(path + ".csv", empty),
                         "to_csv: \"awkward\": the figure is empty: expected at least one series", ValueError);
    CHECK(read(path + ".csv") == to_csv(awkward()));
    CHECK_THROWS_AS(save_json((folder / "missing" / "figure.json").string(), awkward()), FileError);
    CHECK(std::distance(std::filesystem::directory_iterator(folder), {}) == 2);
    std::filesystem::remove_all(folder);
}

TEST_CASE("bands, frames and graphs as CSV and JSON") {
    LineFigure figure;
    figure.title = "t";
    figure.x = {.label = "t"};
    figure.y = {.label = "y"};
    figure.series = {{"a", {1, 2}, {3, 4}}, {"b", {2}, {5}}};
    figure.series[0].low = {2, 3};
    figure.series[0].high = {6, 7};
    CHECK(to_csv(figure) == "t,a,\"a, low\",\"a, high\",b\n1,3,2,6,\n2,4,3,7,5\n");
    CHECK(nlohmann::json::parse(to_json(figure))["series"][0]["high"][1] == 7);

    HeatMap map{.title = "m",
                .caption = {},
                .x = {.label = "x"},
                .y = {.label = "y"},
                .value = {.label = "v"},
                .x_at = {1, 2},
                .y_at = {0},
                .values = {}};
    map.frames = {{0, {1, NAN}}, {50, {3, 4}}};
    CHECK(to_csv(map) == "training step,x,y,v\n0,1,0,1\n0,2,0,nan\n50,1,0,3\n50,2,0,4\n");
    map.sparse = true;
    CHECK(to_csv(map) == "training step,x,y,v\n0,1,0,1\n50,1,0,3\n50,2,0,4\n");
    CHECK(nlohmann::json::parse(to_json(map))["frames"][1]["values"][0][1] == 4);

    GraphFigure graph{.title = "g", .caption = {}, .graph = {}};
    GraphNode x{.name = "x,1", .operation = "variable", .shape = Shape{2, 3}};
    x.value_norm = 2;
    GraphNode h{.name = {}, .operation = "tanh", .shape = {}};
    h.time_step = 4;
    h.grad_norm = 0.25;
    graph.graph.nodes = {x, h};
    graph.graph.edges = {{0, 1, 0.5}, {0, 1, {}}};
    graph.graph.lanes = {"readout"};
    CHECK(to_csv(graph) ==
          "item,from,to,name,operation,shape,time step,norm of value,norm of gradient\n"
          "node,0,,\"x,1\",variable,\"[2, 3]\",,2,\nnode,1,,,tanh,[],4,0,0.25\nedge,0,1,,,,,,0.5\nedge,0,1,,,,,,\n");
    const auto json = nlohmann::json::parse(to_json(graph));
    CHECK(json["nodes"][1]["grad_norm"] == 0.25);
    CHECK(json["nodes"][0]["grad_norm"].is_null());
    CHECK(json["edges"][0]["to"] == 1);

    add_frame(graph, 0, graph.graph);
    UnrolledGraph later = graph.graph;
    later.nodes[1].grad_norm = 0.125;
    later.edges[1].grad_norm = 7;
    add_frame(graph, 50, later);
    CHECK(to_csv(graph) ==
          "training step,item,from,to,name,operation,shape,time step,norm of value,norm of gradient\n"
          "0,node,0,,\"x,1\",variable,\"[2, "
          "3]\",,2,\n0,node,1,,,tanh,[],4,0,0.25\n0,edge,0,1,,,,,,0.5\n0,edge,0,1,,,,,,\n"
          "50,node,0,,\"x,1\",variable,\"[2, 3]\",,2,\n50,node,1,,,tanh,[],4,0,0.125\n50,edge,0,1,,,,,,0.5\n"
          "50,edge,0,1,,,,,,7\n");
    const auto stepped = nlohmann::json::parse(to_json(graph));
    CHECK(stepped["nodes"][1]["grad_norm"] == 0.125);
    CHECK(stepped["frames"][0]["step"] == 0);
    CHECK(stepped["frames"][0]["grad_norm"][0].is_null());
    CHECK(stepped["frames"][0]["grad_norm"][1] == 0.25);
    CHECK(stepped["frames"][1]["edges"][1] == 7);
}
