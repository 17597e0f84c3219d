#include <ebb/core/error.hpp>
#include <ebb/inspect/graph_layout.hpp>
#include <ebb/inspect/number_text.hpp>
#include <ebb/inspect/palette.hpp>
#include <ebb/inspect/report.hpp>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "xml.hpp"
#include <browser/sample.hpp>
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace ebb;
using namespace ebb::inspect;
using nlohmann::json;

namespace {

GraphFigure small_graph() {
    GraphFigure figure{.title = "Unrolled", .caption = "three nodes", .graph = {}};
    GraphNode x{.name = "x", .operation = "variable", .shape = Shape{2}};
    x.grad_norm = 0.5;
    GraphNode h{.name = "rnn.h", .operation = "tanh", .shape = Shape{2}};
    h.is_state = true;
    h.time_step = 0;
    h.grad_norm = 1e-200;
    GraphNode loss{.name = "L", .operation = "sum"};
    loss.place = GraphPlace::above;
    loss.grad_norm = 1;
    figure.graph.nodes = {x, h, loss};
    figure.graph.edges = {{0, 1, 0.5}, {1, 2, std::nullopt}};
    figure.graph.steps = {{.lane = 0, .time_step = 0, .states = {1}, .node_count = 2, .grad_norm = 1e-200}};
    figure.graph.lanes = {"rnn.h", "readout"};
    lay_out(figure.graph);
    return figure;
}

Report sample_report(const std::string& title = "Where the gradient went") {
    Report report(title, "three cells");
    report.add_fact("half-life", "3.0", "steps");
    report.add(sample::gradient_figure());
    report.add(sample::loss_figure(), Width::half);
    report.add(sample::gate_figure("LSTM", {"input gate", "forget gate", "output gate"}), Width::half);
    report.add(sample::unit_map());
    report.add(sample::result_table());
    report.add_text("Notes", "One.\n\nTwo.");
    return report;
}

std::string between(const std::string& text, const std::string& open, const std::string& close, std::size_t from = 0) {
    const std::size_t begin = text.find(open, from);
    REQUIRE(begin != std::string::npos);
    const std::size_t end = text.find(close, begin + open.size());
    REQUIRE(end != std::string::npos);
    return text.substr(begin + open.size(), end - begin - open.size());
}

json data_of(const std::string& page) {
    return json::parse(between(page, "<script type=\"application/json\" id=\"ebb-data\">", "</script>"));
}

std::size_t count(const std::string& text, const std::string& what) {
    std::size_t n = 0;
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
    return n;
}

std::string read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

struct Folder {
    std::filesystem::path path = std::filesystem::temp_directory_path() / "ebb-test-report";
    Folder() {
        std::filesystem::remove_all(path);
        std::filesystem::create_directories(path);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() { std::filesystem::remove_all(path); }
    std::string operator/(const char* name) const { return (path / name).string(); }
};

}  // namespace

TEST_CASE("a paragraph whose lines all begin with four spaces is code") {
    Report report("title");
    report.add_text("Notes", "One.\n\n    a <b> \\\n      c\n\n    not\nall lines\n\n    last");
    const std::string page = report.html();
    CHECK(page.find("<p>One.</p>\n<pre><code>a &lt;b&gt; \\\n  c</code></pre>\n<p>    not\nall lines</p>\n"
                    "<pre><code>last</code></pre>") != std::string::npos);
}

TEST_CASE("the page names no file and no host that a browser would ask") {
    const std::string page = sample_report().html();
    CHECK(page.find(" src=") == std::string::npos);
    const std::string style = between(page, "<style>", "</style>");
    CHECK(style.find("@import") == std::string::npos);
    CHECK(style.find("url(") == std::string::npos);
    for (std::size_t at = page.find("href=\""); at != std::string::npos; at = page.find("href=\"", at + 1))
        CHECK((page.compare(at + 6, 1, "#") == 0 || page.compare(at + 6, 6, "data:,") == 0));
    CHECK(page.find("Content-Security-Policy\" content=\"default-src 'none'") != std::string::npos);
}

TEST_CASE("each section is there once, by its own id, in order") {
    Report report = sample_report();
    report.add(sample::loss_figure());
    report.add_text("∂∂", "no letters");
    const std::string page = report.html();
    std::vector<std::string> ids;
    for (std::size_t at = page.find("<section "); at != std::string::npos; at = page.find("<section ", at + 1))
        ids.push_back(between(page, "id=\"", "\"", at));
    CHECK(ids == std::vector<std::string>{"gradient-norm-through-time", "loss", "lstm-mean-gate-activation",
                                          "gradient-by-unit-lstm", "the-cells-side-by-side", "notes", "loss-2",
                                          "section"});
    CHECK(page.find("<a href=\"#loss-2\">Loss</a>") != std::string::npos);
    CHECK(page.find("<p>One.</p>\n<p>Two.</p>") != std::string::npos);
    CHECK(page.find("<dt>half-life</dt><dd>3.0 <small>steps</small></dd>") != std::string::npos);
}

TEST_CASE("the still figures are in the page, well-formed") {
    const std::string page = sample_report().html();
    CHECK(count(page, "<div class=\"still\"><svg ") == 4);
    for (std::size_t at = page.find("<div class=\"still\">"); at != std::string::npos;
         at = page.find("<div class=\"still\">", at + 1))
        CHECK(test::Xml(between(page, "<div class=\"still\">", "</div>", at)).problem() == "");
}

TEST_CASE("only figures with frames have a slider, which starts at the last one") {
    const std::string page = sample_report().html();
    CHECK(count(page, "<div class=\"slider\">") == 2);
    CHECK(page.find("id=\"gradient-norm-through-time-step\" min=\"0\" max=\"20\" step=\"1\" value=\"20\" "
                    "aria-valuetext=\"1,000\"") != std::string::npos);
}

TEST_CASE("numbers of a table are written as people write them") {
    const std::string page = sample_report().html();
    CHECK(page.find("<th scope=\"row\">LSTM</th><td class=\"number\">23,425</td><td class=\"number\">1.72</td>") !=
          std::string::npos);
    CHECK(page.find("<th scope=\"col\" class=\"number\">loss <span>bits/char</span></th>") != std::string::npos);
    CHECK(page.find(" × 10⁻") != std::string::npos);
}

TEST_CASE("nothing that a figure is called breaks out of its place") {
    const std::string hostile = "</script><script>alert(1)</script><!-- \"'&{{vega}}";
    const std::size_t scripts = count(sample_report().html(), "<script");
    Report report(hostile, hostile);
    report.add_fact(hostile, hostile, hostile);
    report.add_text(hostile, hostile);
    LineFigure figure = sample::gradient_figure();
    figure.title = figure.caption = figure.x.label = figure.y.unit = figure.frame_label = figure.reference_label =
        hostile;
    figure.series.push_back({hostile, {1, 2}, {1, 2}});
    report.add(figure);
    Table table = sample::result_table();
    table.title = table.caption = table.columns[0].header = table.columns[1].unit = hostile;
    table.rows[0][0] = hostile;
    report.add(table);
    const std::string page = report.html();
    CHECK(count(page, "<script") == scripts);
    CHECK(count(page, "alert(1)</script>") == 0);
    const json data = data_of(page);
    CHECK(data[0]["title"] == hostile);
    CHECK(data[1]["title"] == hostile);
}

TEST_CASE("a name keeps its colour through all figures, and a new name takes the colour least used") {
    const json data = data_of(sample_report().html());
    const auto colour = [&](const std::string& id, const std::string& name) -> std::string {
        for (const json& figure : data)
            if (figure["id"] == id)
                for (const json& series : figure["series"])
                    if (series["name"] == name) return series["light"];
        return "none";
    };
    for (const char* name : {"tanh", "LSTM", "GRU"})
        CHECK(colour("gradient-norm-through-time", name) == colour("loss", name));
    CHECK(colour("gradient-norm-through-time", "LSTM before training") == colour("loss", "LSTM"));
    std::set<std::string> all;
    for (const char* name : {"tanh", "LSTM", "GRU"}) all.insert(colour("loss", name));
    for (const char* name : {"input gate", "forget gate", "output gate"})
        all.insert(colour("lstm-mean-gate-activation", name));
    CHECK(all.size() == 6);
}

TEST_CASE("the page's style sheet has the colours of the palette") {
    std::string style = between(sample_report().html(), "<style>", "</style>");
    const std::size_t dark = style.find("data-theme=\"dark\"");
    REQUIRE(dark != std::string::npos);
    const auto lower = [](std::string text) {
        for (char& c : text) c = static_cast<char>(std::tolower(c));
        return text;
    };
    for (std::size_t i = 0; i < line_colours.size(); ++i) {
        const std::string name = "--line-" + std::to_string(i) + ": ";
        CHECK(style.find(name + lower(std::string{line_colours[i].light}) + ";") < dark);
        CHECK(style.find(name + lower(std::string{line_colours[i].dark}) + ";") != std::string::npos);
        CHECK(style.find(name + lower(std::string{line_colours[i].dark}) + ";") > dark);
    }
}

TEST_CASE("the page says at each step what is not drawn") {
    LineFigure figure = sample::gradient_figure();
    figure.frames[2].series[0].y[0] = 0;
    Report report("zeros");
    report.add(figure);
    const json data = data_of(report.html());
    CHECK(data[0]["notes"].size() == sample::frames);
    CHECK(data[0]["notes"][1] == "");
    CHECK(data[0]["notes"][2] == "Not drawn: tanh: 1 value is 0 (a log axis has no 0).");
}

TEST_CASE("a build with Vega embeds it, and one without says why") {
    const std::string page = sample_report().html();
    if (Report::interactive()) {
        CHECK(Report::why_static().empty());
        CHECK(page.size() > 700000);
        CHECK(page.find("class=\"why-static\"") == std::string::npos);
        CHECK(page.find("University of Washington Interactive Data Lab") != std::string::npos);
        CHECK(page.find("The Cytoscape Consortium") != std::string::npos);
        // A page without a graph does without the library that draws it.
        Report with_graph = sample_report();
        with_graph.add(small_graph());
        CHECK(with_graph.html().size() > page.size() + 400000);
    } else {
        CHECK_FALSE(Report::why_static().empty());
        // Built without npm, or npm could not fetch.
        CHECK(page.find("<p class=\"why-static\">The figures are still pictures. " +
                        escape_markup(Report::why_static())) != std::string::npos);
    }
}

TEST_CASE("the diagnosis stands above all else, with its evidence") {
    Report report("r");
    report.add_fact("half-life", "3.0", "steps");
    report.add_finding(Severity::problem, "It <vanishes>", "by 10× every 7 steps", "Try a gate.");
    report.add_finding(Severity::good, "No dead unit", "0 of 64");
    const std::string page = report.html();
    const std::string diagnosis = between(page, "id=\"diagnosis\"", "</section>");
    CHECK(
        diagnosis.find("<li class=\"problem\"><strong><span>Problem</span> It &lt;vanishes&gt;</strong><p>by 10× every "
                       "7 steps</p><p class=\"advice\">Try a gate.</p></li>") != std::string::npos);
    CHECK(diagnosis.find("<li class=\"good\"><strong><span>Good</span> No dead unit</strong><p>0 of 64</p></li>") !=
          std::string::npos);
    CHECK(page.find("id=\"diagnosis\"") < page.find("id=\"overview\""));
    CHECK_THROWS_WITH_AS(report.add_finding(Severity::note, "", "e"), "Report::add_finding: the finding is empty",
                         ValueError);
    CHECK_THROWS_WITH_AS(report.add_finding(Severity::note, "f", ""), "Report::add_finding: the evidence is empty",
                         ValueError);
}

TEST_CASE("a graph over training has a slider, and one moment of it none") {
    GraphFigure graph = small_graph();
    add_frame(graph, 0, graph.graph);
    const auto slider_of = [](const GraphFigure& figure) {
        Report report("r");
        report.add(figure);
        const std::string page = report.html();
        return page.find("<div class=\"slider\">") == std::string::npos
                   ? std::string()
                   : between(page, "<div class=\"slider\">", "</div>");
    };
    CHECK(slider_of(graph) == "");
    add_frame(graph, 2000, graph.graph);
    const std::string slider = slider_of(graph);
    CHECK(slider.find("max=\"1\"") != std::string::npos);
    CHECK(slider.find("<output for=\"unrolled-step\">2,000</output>") != std::string::npos);
}

TEST_CASE("maps and graphs of many frames share the room of a page: each keeps its first and its last") {
    const auto map_of = [](std::string title, std::size_t columns, std::size_t frames) {
        HeatMap map{.title = std::move(title),
                    .caption = {},
                    .x = {.label = "x"},
                    .y = {.label = "y"},
                    .value = {.label = "v"},
                    .x_at = {},
                    .y_at = {0},
                    .values = {}};
        for (std::size_t k = 0; k < columns; ++k) map.x_at.push_back(static_cast<double>(k));
        for (std::size_t k = 0; k < frames; ++k)
            map.frames.push_back({static_cast<std::int64_t>(10 * k), std::vector<double>(columns, 0.5)});
        return map;
    };
    Report report("r");
    report.add(map_of("small", 100, 30));      // 3,000 numbers: all of them
    report.add(map_of("middle", 60'000, 20));  // half of the 1,197,000 that are left: 9 frames
    report.add(map_of("large", 400'000, 4));   // what is then left has room for one: two
    const std::string page = report.html();
    const auto steps_of = [&](const char* id) {
        const std::string data = between(page, "id=\"ebb-data\">", "</script>");
        std::vector<std::int64_t> steps;
        for (const auto& figure : json::parse(data))
            if (figure["id"] == id) steps = figure["steps"].get<std::vector<std::int64_t>>();
        return steps;
    };
    CHECK(steps_of("small").size() == 30);
    CHECK(steps_of("middle") == std::vector<std::int64_t>{0, 20, 40, 70, 90, 110, 140, 160, 190});
    CHECK(steps_of("large") == std::vector<std::int64_t>{0, 30});
    CHECK(page.find("max=\"8\" step=\"1\"") != std::string::npos);  // the slider of the middle one
    // The files hold all.
    const Folder folder;
    CHECK(report.save_data(folder.path.string()).size() == 6);
    CHECK(json::parse(read(folder / "large.json"))["frames"].size() == 4);
}

TEST_CASE("a report without content, a title or values is refused") {
    CHECK_THROWS_WITH_AS(Report(""), "Report: the title is empty", ValueError);
    Report report("empty");
    CHECK_THROWS_WITH_AS(report.html(),
                         "Report::html: \"empty\": the report is empty: expected at least one figure, table or text",
                         ValueError);
    CHECK_THROWS_WITH_AS(report.add_fact("label", ""), "Report::add_fact: the value is empty", ValueError);
    CHECK_THROWS_WITH_AS(report.add_fact("", "value"), "Report::add_fact: the label is empty", ValueError);
    CHECK_THROWS_WITH_AS(report.add_text("", ""), "Report::add_text: title and text are empty", ValueError);
    CHECK_THROWS_WITH_AS(report.add(LineFigure{}), "Report::add: a figure has no title", ValueError);
    CHECK_THROWS_WITH_AS(report.add(HeatMap{}), "Report::add: a figure has no title", ValueError);
    CHECK_THROWS_WITH_AS(report.add(GraphFigure{}), "Report::add: a figure has no title", ValueError);
    CHECK_THROWS_WITH_AS(report.add(Table{}), "Report::add: a table has no title", ValueError);
}

TEST_CASE("saving writes the whole page or nothing") {
    const Folder folder;
    const std::string path = folder / "report.html";
    sample_report().save(path);
    const std::string first = read(path);
    CHECK(first == sample_report().html());
    CHECK_THROWS_AS(Report("empty").save(path), ValueError);
    CHECK(read(path) == first);
    sample_report("Another").save(path);
    CHECK(read(path) == sample_report("Another").html());
    CHECK_THROWS_AS(sample_report().save(folder / "missing/report.html"), FileError);
    CHECK(std::distance(std::filesystem::directory_iterator(folder.path), {}) == 1);
}

TEST_CASE("each figure is also an SVG file, and its numbers CSV and JSON files") {
    const Folder folder;
    const Report report = sample_report();
    const std::vector<std::string> pictures = report.save_svg(folder / "a/figures");
    REQUIRE(pictures.size() == 4);
    CHECK(std::filesystem::path(pictures[0]).filename() == "gradient-norm-through-time.svg");
    for (const std::string& path : pictures) CHECK(test::Xml(read(path)).problem() == "");
    const std::vector<std::string> numbers = report.save_data(folder / "a/data");
    REQUIRE(numbers.size() == 10);
    CHECK(std::filesystem::path(numbers[8]).filename() == "the-cells-side-by-side.csv");
    CHECK(json::parse(read(numbers[9]))["rows"].size() == 3);

    std::ofstream(folder / "taken") << "a file";
    CHECK_THROWS_WITH_AS(report.save_svg(folder / "taken"),
                         doctest::Contains("Report::save_svg: cannot make the folder"), FileError);
}
