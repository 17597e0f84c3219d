#include <ebb/core/error.hpp>
#include <ebb/inspect/vega_lite.hpp>

#include <cmath>
#include <string>

#include <browser/sample.hpp>
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace ebb;
using namespace ebb::inspect;
using nlohmann::json;

TEST_CASE("a specification holds its data, rounded to seven digits") {
    LineFigure figure;
    figure.title = "t";
    figure.x = {.label = "t"};
    figure.y = {.label = "y"};
    figure.series = {{"a", {1, 2}, {1.0 / 3, NAN}}, {"b", {2, 3}, {2e-300, INFINITY}}};
    const json spec = json::parse(to_vega_lite(figure));
    CHECK(spec["data"]["values"] == "x,s0,s1\n1,0.3333333,\n2,nan,2e-300\n3,,inf\n");
    CHECK(spec["data"]["format"]["type"] == "csv");
}

TEST_CASE("the parameter step starts at the last frame and offers all") {
    const json spec = json::parse(to_vega_lite(sample::gradient_figure()));
    json step;
    for (const json& parameter : spec["params"])
        if (parameter["name"] == "step") step = parameter;
    CHECK(step["value"] == 1000);
    CHECK(step["bind"]["options"].size() == sample::frames);
    CHECK(json::parse(to_vega_lite(sample::loss_figure()))["params"].size() == 1);
}

TEST_CASE("the scale is logarithmic where the figure says so, and the same at every step") {
    const json spec = json::parse(to_vega_lite(sample::gradient_figure()));
    for (const json& layer : spec["layer"]) {
        if (!layer["encoding"].contains("y")) continue;
        const json& scale = layer["encoding"]["y"]["scale"];
        CHECK(scale["type"] == "log");
        CHECK(scale["domain"][0] == 1e-31);
        CHECK(scale["domain"][1] == 0.1);
    }
}

TEST_CASE("names may hold anything") {
    LineFigure figure = sample::loss_figure();
    figure.series[0].name = "it's [a].b \\ \"quoted\" </script>\xff";
    const std::string text = to_vega_lite(figure);
    const json spec = json::parse(text);
    for (const char c : text) REQUIRE(static_cast<unsigned char>(c) < 0x80);
    CHECK(spec["layer"][0]["encoding"]["color"]["scale"]["domain"][0] == "it's [a].b \\ \"quoted\" </script>\uFFFD");
}

TEST_CASE("lines like another one take its colour and have no entry of their own") {
    const json spec = json::parse(to_vega_lite(sample::gradient_figure()));
    const json& domain = spec["layer"][0]["encoding"]["color"]["scale"]["domain"];
    CHECK(domain == json::array({"tanh", "LSTM", "GRU"}));
    CHECK(spec["config"]["range"]["category"].size() == 3);
    bool found = false;
    for (const json& transform : spec["layer"][0]["transform"])
        if (transform.contains("lookup"))
            for (const json& row : transform["from"]["data"]["values"])
                if (row["name"] == "LSTM before training") {
                    found = true;
                    CHECK(row["colour"] == "LSTM");
                    CHECK(row["kind"] == "before training");
                }
    CHECK(found);
}

TEST_CASE("a heat map has a colour for the whole range of its values") {
    const json spec = json::parse(to_vega_lite(sample::unit_map()));
    const json& scale = spec["encoding"]["fill"]["scale"];
    CHECK(scale["type"] == "log");
    CHECK(scale["domain"].size() == scale["range"].size());
    for (std::size_t i = 1; i < scale["domain"].size(); ++i)
        CHECK(scale["domain"][i].get<double>() > scale["domain"][i - 1].get<double>());
    CHECK(spec["encoding"]["x"]["scale"]["domain"] == json::array({0.5, 100.5}));
}

TEST_CASE("an empty figure is no specification") {
    LineFigure figure = sample::loss_figure();
    figure.series.clear();
    CHECK_THROWS_WITH_AS(to_vega_lite(figure),
                         "to_vega_lite: \"Loss\": the figure is empty: expected at least one series", ValueError);
}

TEST_CASE("bands are areas behind the lines, in their colours") {
    const json spec = json::parse(to_vega_lite(sample::seed_figure()));
    for (std::size_t k = 0; k < 3; ++k) {
        const json& layer = spec["layer"][k];
        CHECK(layer["mark"]["type"] == "area");
        CHECK(layer["encoding"]["color"]["datum"] == sample::cells()[k].name);
        CHECK(layer["encoding"]["y"]["field"] == "s" + std::to_string(3 * k + 1));
        CHECK(layer["encoding"]["y2"]["field"] == "s" + std::to_string(3 * k + 2));
    }
    CHECK(spec["layer"][3]["mark"]["type"] == "line");
}

TEST_CASE("a specification without its data names them") {
    for (const std::string& text : {to_vega_lite(sample::gradient_figure(), VegaData::named),
                                    to_vega_lite(sample::triangle_map(), VegaData::named)}) {
        const json spec = json::parse(text);
        CHECK(spec["data"] == json{{"name", "points"}});
        CHECK(text.find("datum.step") == std::string::npos);
        CHECK(text.size() < 20000);
    }
}

TEST_CASE("a heat map with frames has the same slider") {
    const json spec = json::parse(to_vega_lite(sample::triangle_map()));
    CHECK(spec["params"][0]["name"] == "step");
    CHECK(spec["params"][0]["value"] == 1000);
    CHECK(spec["transform"][0]["filter"] == "datum.step === step");
}
