#include <ebb/core/error.hpp>
#include <ebb/inspect/graph_layout.hpp>
#include <ebb/inspect/palette.hpp>
#include <ebb/inspect/svg.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "xml.hpp"
#include <browser/sample.hpp>
#include <doctest/doctest.h>

using namespace ebb;
using namespace ebb::inspect;

namespace {

LineFigure one_line(const std::vector<double>& x, const std::vector<double>& y, Scale scale) {
    LineFigure figure;
    figure.title = "A line";
    figure.x = {.label = "time"};
    figure.y = {.label = "norm", .unit = {}, .scale = scale};
    figure.series = {{"a", x, y}};
    return figure;
}

double number(const test::Element& element, const std::string& attribute) {
    return std::strtod(element.attributes.at(attribute).c_str(), nullptr);
}

struct Point {
    double x, y;
};

/// The points of a path of M, L and h0, and how many parts it has.
std::vector<Point> points_of(const std::string& path, std::size_t* parts = nullptr) {
    std::vector<Point> points;
    for (std::size_t at = 0; at < path.size();) {
        if (path[at] == 'h') break;
        if (path[at] == 'M' && parts != nullptr) ++*parts;
        char* end = nullptr;
        const double x = std::strtod(path.c_str() + at + 1, &end);
        const double y = std::strtod(end, &end);
        points.push_back({x, y});
        at = static_cast<std::size_t>(end - path.c_str());
        if (path[at] == 'h') at += 2;
    }
    return points;
}

std::vector<test::Element> lines_of(const test::Xml& svg) {
    std::vector<test::Element> lines;
    for (const test::Element& path : svg.named("path"))
        if (path.attributes.count("class") != 0 && path.attributes.at("class").rfind("ebb-line-", 0) == 0 &&
            !path.text.empty())
            lines.push_back(path);
    return lines;
}

/// What a reader does: takes two numbers on the axis and reads the value of a point off the ruler that they make.
struct Ruler {
    double first_px, first, last_px, last;
    double at(double px) const { return first + (last - first) * (px - first_px) / (last_px - first_px); }
};

Ruler ruler_of(const test::Xml& svg, bool vertical, bool log) {
    std::vector<std::pair<double, double>> marks;
    for (const test::Element& text : svg.named("text")) {
        const auto anchor = text.attributes.find("text-anchor");
        if (anchor == text.attributes.end() || anchor->second != (vertical ? "end" : "middle")) continue;
        if (text.attributes.at("class") != "ebb-muted") continue;
        const double value = test::read_number(text.text);
        // The text of a tick stands 4 px below the line that it names.
        marks.emplace_back(vertical ? number(text, "y") - 4 : number(text, "x"), log ? std::log10(value) : value);
    }
    REQUIRE(marks.size() >= 2);
    return {marks.front().first, marks.front().second, marks.back().first, marks.back().second};
}

}  // namespace

TEST_CASE("every sample figure is well-formed XML in every theme") {
    for (const Theme theme : {Theme::automatic, Theme::light, Theme::dark, Theme::page}) {
        const SvgOptions options{.width = 720, .height = 400, .theme = theme};
        CHECK(test::Xml(to_svg(sample::gradient_figure(), options)).problem() == "");
        CHECK(test::Xml(to_svg(sample::loss_figure(), options)).problem() == "");
        CHECK(test::Xml(to_svg(sample::unit_map(), options)).problem() == "");
    }
}

TEST_CASE("the reader of XML sees what is broken") {
    CHECK(test::Xml("<a><b/></a>").problem() == "");
    CHECK(test::Xml("<a><b></a>").problem() != "");
    CHECK(test::Xml("<a>1 < 2</a>").problem() != "");
    CHECK(test::Xml("<a>1 & 2</a>").problem() != "");
    CHECK(test::Xml("<a b=\"1\" b=\"2\"/>").problem() != "");
    CHECK(test::Xml("<a b=1/>").problem() != "");
    CHECK(test::Xml("<a/><b/>").problem() != "");
    CHECK(test::Xml("<a").problem() != "");
    CHECK(test::Xml("<a>\x01</a>").problem() != "");
}

TEST_CASE("hostile names stay text") {
    LineFigure figure = one_line({1, 2}, {1, 2}, Scale::linear);
    const std::string hostile = "</text><script>alert('1 & 2')</script> \"\x01\xff";
    figure.title = hostile;
    figure.caption = hostile;
    figure.x.label = hostile;
    figure.y.unit = hostile;
    figure.reference_label = hostile;
    figure.frame_label = hostile;
    figure.series[0].name = hostile;
    figure.series.push_back({"before", {1, 2}, {1, 1}, LineStyle::reference, hostile});
    figure.frames = {{1, {{"b", {1, 2}, {2, 3}}}}};
    const test::Xml svg(to_svg(figure));
    CHECK(svg.problem() == "");
    CHECK(svg.named("script").empty());
    HeatMap map = sample::unit_map();
    map.title = hostile;
    map.value.label = hostile;
    CHECK(test::Xml(to_svg(map)).problem() == "");
}

TEST_CASE("the picture reads back as its data, on a linear scale") {
    const std::vector<double> x{0, 1, 2.5, 4, 10};
    const std::vector<double> y{-0.3, 0.2, 0.05, 0.9, 0.44};
    const test::Xml svg(to_svg(one_line(x, y, Scale::linear)));
    const Ruler across = ruler_of(svg, false, false);
    const Ruler up = ruler_of(svg, true, false);
    REQUIRE(lines_of(svg).size() == 1);
    const std::vector<Point> points = points_of(lines_of(svg)[0].attributes.at("d"));
    REQUIRE(points.size() == x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
        CHECK(across.at(points[i].x) == doctest::Approx(x[i]).epsilon(0.001).scale(10));
        CHECK(up.at(points[i].y) == doctest::Approx(y[i]).epsilon(0.001).scale(1));
    }
}

TEST_CASE("the picture reads back as its data, on a log scale and a reversed axis") {
    const std::vector<double> x{1, 20, 50, 99};
    const std::vector<double> y{3e-12, 4e-7, 2e-9, 0.05};
    LineFigure figure = one_line(x, y, Scale::log);
    figure.x.reversed = true;
    const test::Xml svg(to_svg(figure));
    const Ruler across = ruler_of(svg, false, false);
    const Ruler up = ruler_of(svg, true, true);
    const std::vector<Point> points = points_of(lines_of(svg)[0].attributes.at("d"));
    REQUIRE(points.size() == x.size());
    CHECK(points[0].x > points[3].x);
    for (std::size_t i = 0; i < x.size(); ++i) {
        CHECK(across.at(points[i].x) == doctest::Approx(x[i]).epsilon(0.001).scale(100));
        CHECK(up.at(points[i].y) == doctest::Approx(std::log10(y[i])).epsilon(0.001).scale(10));
    }
}

TEST_CASE("values that a log axis cannot show leave gaps, and a note says so") {
    const test::Xml svg(to_svg(one_line({1, 2, 3, 4, 5, 6, 7}, {0.1, 0.2, 0, 0.3, NAN, 0.4, 0.5}, Scale::log)));
    CHECK(svg.problem() == "");
    std::size_t parts = 0;
    REQUIRE(lines_of(svg).size() == 1);
    const std::string path = lines_of(svg)[0].attributes.at("d");
    CHECK(path.find("nan") == std::string::npos);
    CHECK(path.find("inf") == std::string::npos);
    // The lone value between the gaps is a dot.
    CHECK(path.find("h0") != std::string::npos);
    parts = static_cast<std::size_t>(std::count(path.begin(), path.end(), 'M'));
    CHECK(parts == 3);
    std::string words;
    for (const test::Element& text : svg.named("text")) words += text.text + "|";
    CHECK(words.find("Not drawn: a: 1 value is 0, 1 is NaN (a log axis has no 0).") != std::string::npos);
}

TEST_CASE("a figure in which nothing can be drawn is still a picture, which says why") {
    for (const double value : {0.0, -1.0, double(NAN), double(INFINITY)}) {
        const test::Xml svg(to_svg(one_line({1, 2}, {value, value}, Scale::log)));
        CHECK(svg.problem() == "");
        CHECK(lines_of(svg).empty());
        std::string words;
        for (const test::Element& text : svg.named("text")) words += text.text;
        CHECK(words.find("Not drawn: a: 2 values are") != std::string::npos);
    }
}

TEST_CASE("extreme values make finite coordinates") {
    const double tiny = std::numeric_limits<double>::denorm_min();
    const double huge = std::numeric_limits<double>::max();
    for (const LineFigure& figure :
         {one_line({1, 2, 3}, {tiny, 1, huge}, Scale::log), one_line({1, 2, 3}, {-huge, 0, huge}, Scale::linear),
          one_line({-huge, 0, huge}, {1, 2, 3}, Scale::linear), one_line({1}, {1}, Scale::log),
          one_line({1, 1}, {2, 2}, Scale::linear)}) {
        const test::Xml svg(to_svg(figure));
        CHECK(svg.problem() == "");
        REQUIRE(lines_of(svg).size() == 1);
        for (const Point& point : points_of(lines_of(svg)[0].attributes.at("d"))) {
            CHECK(point.x >= 0);
            CHECK(point.x <= 720);
            CHECK(point.y >= 0);
            CHECK(point.y <= 400);
        }
    }
}

TEST_CASE("what lies beyond the ends of an axis is cut off by an inner picture") {
    LineFigure figure = one_line({1, 2, 3}, {1e-30, 1e-3, 0.1}, Scale::log);
    CHECK(test::Xml(to_svg(figure)).named("svg").size() == 1);
    figure.y.min = 1e-5;
    const test::Xml svg(to_svg(figure));
    CHECK(svg.problem() == "");
    CHECK(svg.named("svg").size() == 2);
}

TEST_CASE("many points are thinned, and keep their highest and lowest") {
    std::vector<double> x;
    std::vector<double> y;
    for (int i = 0; i < 100000; ++i) {
        x.push_back(i);
        y.push_back(std::sin(i * 0.001) + (i == 50001 ? 7 : 0) - (i == 70002 ? 9 : 0));
    }
    const std::string picture = to_svg(one_line(x, y, Scale::linear));
    CHECK(picture.size() < 100000);
    const test::Xml svg(picture);
    const Ruler up = ruler_of(svg, true, false);
    double low = 0;
    double high = 0;
    for (const Point& point : points_of(lines_of(svg)[0].attributes.at("d"))) {
        low = std::min(low, up.at(point.y));
        high = std::max(high, up.at(point.y));
    }
    CHECK(high == doctest::Approx(y[50001]).epsilon(0.01));
    CHECK(low == doctest::Approx(y[70002]).epsilon(0.01));
}

TEST_CASE("names at the ends of lines do not overlap") {
    LineFigure figure = one_line({1, 2}, {1, 1}, Scale::linear);
    for (const char* name : {"b", "c", "d", "e"}) figure.series.push_back({name, {1, 2}, {2, 1}});
    const test::Xml svg(to_svg(figure));
    std::vector<double> places;
    for (const test::Element& text : svg.named("text"))
        if (text.text.size() == 1 && text.text >= "a" && text.text <= "e") places.push_back(number(text, "y"));
    REQUIRE(places.size() == 5);
    std::sort(places.begin(), places.end());
    for (std::size_t i = 1; i < places.size(); ++i) CHECK(places[i] - places[i - 1] >= 12);
}

TEST_CASE("the frame that is asked for is drawn") {
    LineFigure figure = one_line({1, 2}, {1, 2}, Scale::linear);
    figure.frames = {{0, {{"b", {1, 2}, {1, 1}}}}, {1500, {{"b", {1, 2}, {2, 2}}}}};
    CHECK(to_svg(figure).find("training step 1,500") != std::string::npos);
    CHECK(to_svg(figure, {.frame = 0}).find("training step 0") != std::string::npos);
    CHECK(to_svg(figure, {.frame = 0}) != to_svg(figure, {.frame = 1}));
    CHECK_THROWS_WITH_AS(to_svg(figure, {.frame = 2}), "\"A line\": frame 2 of a figure with 2 frames", IndexError);
    CHECK_THROWS_WITH_AS(to_svg(sample::unit_map(), {.frame = 0}),
                         "\"Gradient by unit, LSTM\": frame 0 of a figure with 0 frames", IndexError);
}

TEST_CASE("themes differ where they should") {
    const LineFigure figure = one_line({1, 2}, {1, 2}, Scale::linear);
    const std::string automatic = to_svg(figure, {.theme = Theme::automatic});
    CHECK(automatic.find("prefers-color-scheme: dark") != std::string::npos);
    CHECK(to_svg(figure, {.theme = Theme::light}).find("<style") == std::string::npos);
    CHECK(to_svg(figure, {.theme = Theme::dark}).find("#ffffff") == std::string::npos);
    const std::string page = to_svg(figure, {.theme = Theme::page});
    CHECK(page.find("<style") == std::string::npos);
    CHECK(page.find("ebb-paper") == std::string::npos);
    CHECK(page.find(">A line</text>") == std::string::npos);
    CHECK(automatic.find(">A line</text>") != std::string::npos);
}

TEST_CASE("superscripts and subscripts are set by us") {
    LineFigure figure = one_line({1, 2}, {1e-8, 1}, Scale::log);
    figure.y.label = "‖∂L/∂hₜ‖";
    const std::string picture = to_svg(figure);
    CHECK(picture.find("⁻") == std::string::npos);
    CHECK(picture.find("ₜ") == std::string::npos);
    std::string words;
    for (const test::Element& text : test::Xml(picture).named("text")) words += text.text + "|";
    CHECK(words.find("‖∂L/∂ht‖|") != std::string::npos);
    CHECK(words.find("10−8|") != std::string::npos);
}

TEST_CASE("a heat map paints each cell in the colour of its value") {
    HeatMap map;
    map.title = "map";
    map.x = {.label = "t"};
    map.y = {.label = "unit"};
    map.value = {.label = "g", .unit = {}, .scale = Scale::log};
    map.x_at = {1, 2};
    map.y_at = {0, 1};
    map.values = {1, 0, 10, 100};
    const test::Xml svg(to_svg(map));
    CHECK(svg.problem() == "");
    // One path for each of the three shades, none for the zero; light is high, and row 0 is at the bottom.
    std::map<std::string, std::vector<Point>> cells;
    for (const test::Element& path : svg.named("path"))
        if (path.attributes.count("class") == 0) cells[path.attributes.at("fill")] = points_of(path.attributes.at("d"));
    REQUIRE(cells.size() == 3);
    const Point low = cells.at("#101840")[0];
    const Point high = cells.at("#fcf0b0")[0];
    CHECK(low.x < high.x);
    CHECK(low.y > high.y);
}

TEST_CASE("a picture needs room, and a figure") {
    LineFigure figure = one_line({1, 2}, {1, 2}, Scale::linear);
    CHECK_THROWS_WITH_AS(to_svg(figure, {.width = 100, .height = 400}),
                         "to_svg: the picture is 100 x 400 px: expected at least 240 x 180 and at most 10000 x 10000",
                         ValueError);
    figure.series.clear();
    CHECK_THROWS_WITH_AS(to_svg(figure), "to_svg: \"A line\": the figure is empty: expected at least one series",
                         ValueError);
}

TEST_CASE("a band is a closed path in the colour of its line, and has gaps where it cannot be drawn") {
    LineFigure figure;
    figure.title = "band";
    figure.x = {.label = "t"};
    figure.y = {.label = "y", .scale = Scale::log};
    figure.series = {{"a", {1, 2, 3, 4, 5}, {2, 2, 2, 2, 2}}};
    figure.series[0].low = {1, 1, 0, 1, 1};
    figure.series[0].high = {4, 4, 4, 4, 4};
    const std::string svg = to_svg(figure);
    CHECK(test::Xml(svg).problem() == "");
    const std::size_t begin = svg.find("class=\"ebb-band-0\"");
    REQUIRE(begin != std::string::npos);
    const std::size_t path = svg.rfind("d=\"", begin);
    const std::string d = svg.substr(path + 3, svg.find('"', path + 3) - path - 3);
    CHECK(std::count(d.begin(), d.end(), 'M') == 2);
    CHECK(std::count(d.begin(), d.end(), 'z') == 2);
    CHECK(std::count(d.begin(), d.end(), 'L') == 6);
    CHECK(svg.find("fill=\"#0072B2\"", path) != std::string::npos);
}

TEST_CASE("a graph of few steps is drawn node by node, one of many as bars") {
    const auto graph_of = [](std::int32_t steps) {
        GraphFigure figure{.title = "g", .caption = {}, .graph = {}};
        figure.graph.lanes = {"rnn.h", "readout"};
        for (std::int32_t t = 0; t < steps; ++t) {
            GraphNode node{.name = "rnn.h", .operation = "tanh"};
            node.time_step = t;
            if (t > 0) node.grad_norm = std::pow(10.0, t - steps);
            figure.graph.nodes.push_back(node);
            const auto k = static_cast<std::uint32_t>(t);
            if (t > 0) figure.graph.edges.push_back({k - 1, k, 0.1});
            if (t > 0) figure.graph.step_edges.push_back({k - 1, k, 0.1});
            figure.graph.steps.push_back(
                {.lane = 0, .time_step = t, .states = {k}, .node_count = 1, .grad_norm = node.grad_norm});
        }
        lay_out(figure.graph);
        return figure;
    };
    const std::string few = to_svg(graph_of(4));
    CHECK(test::Xml(few).problem() == "");
    CHECK(few.find("t = 3") != std::string::npos);
    CHECK(few.find(">rnn.h</text>") != std::string::npos);
    // The first one has no gradient.
    CHECK(few.find("class=\"ebb-missing\"") != std::string::npos);
    const std::string some = to_svg(graph_of(30));
    CHECK(some.find("<circle") != std::string::npos);
    const std::string many = to_svg(graph_of(500));
    CHECK(test::Xml(many).problem() == "");
    CHECK(many.find("<circle") == std::string::npos);
    CHECK(many.find("rnn.h, t = 499: norm of gradient 0.100") != std::string::npos);
    CHECK(many.size() < 150000);
    CHECK_THROWS_WITH_AS(to_svg(graph_of(4), {.frame = 0}), "\"g\": frame 0 of a figure with 0 frames", IndexError);

    // Of a graph with a slider the last stop, or the one that is asked for.
    GraphFigure stepped{.title = "g", .caption = {}, .graph = {}};
    add_frame(stepped, 0, graph_of(4).graph);
    UnrolledGraph later = graph_of(4).graph;
    later.nodes[3].grad_norm = 0.02;
    add_frame(stepped, 1500, later);
    CHECK(to_svg(stepped).find("training step 1,500") != std::string::npos);
    CHECK(to_svg(stepped).find("norm of gradient 0.0200") != std::string::npos);
    CHECK(to_svg(stepped, {.frame = 0}).find("training step 0<") != std::string::npos);
    CHECK(to_svg(stepped, {.frame = 0}).find("norm of gradient 0.0200") == std::string::npos);
}

TEST_CASE("a map with more cells than a picture shows is drawn in blocks, and no peak is lost") {
    HeatMap map{.title = "m",
                .caption = {},
                .x = {.label = "x"},
                .y = {.label = "y"},
                .value = {.label = "v"},
                .x_at = {},
                .y_at = {},
                .values = {}};
    for (int k = 0; k < 400; ++k) map.x_at.push_back(k);
    map.y_at = map.x_at;
    map.values.assign(400 * 400, 0.0);
    map.values[400 * 123 + 77] = 1;
    const std::string svg = to_svg(map);
    CHECK(test::Xml(svg).problem() == "");
    // The background of zeros, and the peak.
    const std::size_t cells = svg.find("<g shape-rendering");
    const std::string peak = "fill=\"" + heat_colour(1) + "\"";
    CHECK(svg.find(peak, cells) < svg.find("</g>", cells));
    CHECK(svg.size() < 60000);
}
