#include <ebb/autograd/memory_summary.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/autograd/to_json.hpp>

#include <cmath>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace ebb;

TEST_CASE("a tape as JSON is what the tape is") {
    const Parameter<double> w("w \"quoted\"", Array<double>{3, 4});
    Tape<double> tape;
    const auto x = tape.variable(Array<double>{2, 0}).named("x");
    const auto h = x * w;
    h.named("h").node().time_step = 4;
    h.node().probe = true;
    log(x);
    tape.backward(sum(h));
    const auto json = nlohmann::json::parse(to_json(tape));
    CHECK(json["scalar"] == "double");
    const auto& nodes = json["nodes"];
    REQUIRE(nodes.size() == tape.size());
    CHECK(nodes[0] == nlohmann::json::parse(R"({"index": 0, "kind": "variable", "operation": "variable", "inputs": [],
              "shape": [2], "name": "x", "value": 2.0, "gradient": 5.0})"));
    CHECK(nodes[1]["kind"] == "parameter");
    CHECK(nodes[1]["name"] == "w \"quoted\"");
    CHECK(nodes[2] == nlohmann::json::parse(R"({"index": 2, "kind": "operation", "operation": "mul",
              "inputs": [0, 1], "shape": [2], "name": "h", "time_step": 4, "probe": true, "value": 6.0})"));
    CHECK(nodes[3]["value"].is_null());  // an infinity
    CHECK(!nodes[3].contains("value_array"));

    const auto arrays = nlohmann::json::parse(to_json(tape, {.arrays = true}))["nodes"];
    CHECK(arrays[2]["value_array"] == std::vector<double>{6, 0});
    CHECK(arrays[0]["gradient_array"] == std::vector<double>{3, 4});
    CHECK(nlohmann::json::parse(to_json(Tape<float>())) ==
          nlohmann::json::parse(R"({"scalar": "float", "nodes": []})"));
}

TEST_CASE("the memory of a tape, by operation and by name") {
    const Parameter<double> w("w", Array<double>{1, 2, 3, 4});
    Tape<double> tape;
    CHECK(to_string(memory_summary(tape)) == "the tape is empty\n");
    const auto x = tape.variable(Array<double>{1, 2, 3, 4}).named("x");
    const auto h = (x * w).named("h");
    const auto view = reshape(h, {2, 2});
    const auto y = (view * view).named("h");
    tape.backward(sum(y));
    const MemorySummary s = memory_summary(tape);
    const auto row = [](const std::vector<MemoryRow>& rows, const std::string& what) {
        for (const MemoryRow& r : rows)
            if (r.what == what) return r;
        FAIL("no row ", what);
        return MemoryRow{};
    };
    CHECK(row(s.by_operation, "mul").nodes == 2);
    CHECK(row(s.by_operation, "mul").values == 64);
    CHECK(row(s.by_operation, "reshape").values == 0);
    CHECK(row(s.by_operation, "variable").gradients == 32);
    CHECK(row(s.by_name, "h").values == 64);
    CHECK(row(s.by_name, "h").nodes == 2);
    CHECK(s.by_name.size() == 2);
    CHECK(s.by_operation.front().what == "mul");
    CHECK(s.parameters == 32);
    CHECK(s.used == tape.bytes_used());
    CHECK(s.reserved == tape.bytes_reserved());
    const std::string text = to_string(s);
    CHECK(text.find("by operation  nodes  values  gradients\nmul               2    64 B        0 B\n") == 0);
    CHECK(text.find("\n\nby name  nodes  values  gradients\nh            2    64 B        0 B\n") != std::string::npos);
}
