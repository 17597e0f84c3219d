#if defined(__GNUC__) && !defined(__clang__)
// g++ 12 says so, wrongly, of std::regex under the sanitizers.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/autograd/to_dot.hpp>
#include <ebb/core/error.hpp>

#include <algorithm>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include <doctest/doctest.h>

using namespace ebb;

namespace {

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a drawing has a box for every node and an arrow for every input") {
    Tape<double> tape;
    Parameter<double> w("weight", Array<double>{{1, 2}, {3, 4}});
    const auto x = tape.variable(Array<double>{5, 6}).named("x");
    const auto y = tanh(matmul(w, x) + 1.0).named("y");
    (void)(y * y);
    const std::string dot = to_dot(tape);

    // Read back by another route: all "nI [label=" and "nI -> nJ;".
    std::set<std::string> boxes, arrows;
    std::istringstream lines(dot);
    for (std::string line; std::getline(lines, line);) {
        std::smatch match;
        if (std::regex_search(line, match, std::regex("^ +(n\\d+) \\[label="))) boxes.insert(match[1]);
        if (std::regex_search(line, match, std::regex("^ +(n\\d+ -> n\\d+)[; ]"))) arrows.insert(match[1]);
    }
    CHECK(boxes.size() == tape.size());
    std::size_t inputs = 0;
    std::set<std::string> expected;
    for (NodeIndex index = 0; index < tape.size(); ++index)
        for (std::size_t i = 0; i < tape.node(index).input_count; ++i, ++inputs)
            expected.insert("n" + std::to_string(tape.input(tape.node(index), i)) + " -> n" + std::to_string(index));
    CHECK(inputs >= 7);
    CHECK(arrows == expected);
    CHECK(dot.starts_with("digraph tape {\n"));
    CHECK(dot.ends_with("}\n"));
    CHECK(std::count(dot.begin(), dot.end(), '{') == std::count(dot.begin(), dot.end(), '}'));
    CHECK(contains(dot, R"([label="weight\n[2, 2]\nvalue |5.477|", shape=box3d, )"));
    CHECK(contains(dot, R"("y = tanh\n[2]\nvalue )"));
    CHECK_FALSE(contains(dot, "gradient"));
    CHECK_FALSE(contains(dot, "cluster"));
}

TEST_CASE("after backward boxes are filled by the size of their gradient") {
    Tape<double> tape;
    const auto x = tape.variable(Array<double>(1.0)).named("x");
    const auto small = (x * 1000.0).named("b");
    const auto y = (small * 1.0).named("y");
    tape.retain_grads();
    tape.backward(y);
    const std::string dot = to_dot(tape, {.title = "a \"chain\""});
    CHECK(contains(dot, R"~(label="a \"chain\"\ngradient from 1 (light) to 1e+03 (dark)";)~"));
    CHECK(contains(dot, R"("x\nvalue 1\ngradient 1000", shape=box, penwidth=2, fillcolor="#62a8d3", pos=")"));
    CHECK(contains(
        dot, R"("b = mul\nvalue 1000\ngradient 1", shape=box, style="rounded,filled", fillcolor="#eff3ff", pos=")"));
    CHECK(contains(
        dot, R"("constant\nvalue 1000", shape=box, color="gray60", fontcolor="gray30", fillcolor="white", pos=")"));
    CHECK_FALSE(contains(to_dot(tape, {.fill_by_gradient = false}), "light"));
}

TEST_CASE("names cannot break out of a label") {
    Tape<double> tape;
    (void)tape.scalar(1).named("a\"]; x\\ \n");
    CHECK(contains(to_dot(tape), R"([label="a\"]; x\\ \n\nvalue 1",)"));
}

TEST_CASE("a tape too large to draw is refused") {
    Tape<double> tape;
    for (int k = 0; k < 11; ++k) (void)tape.scalar(1);
    std::ostringstream stream;
    CHECK_THROWS_WITH_AS(to_dot(tape, stream, {.max_nodes = 10}),
                         "to_dot: the tape has 11 nodes: expected at most DotOptions.max_nodes = 10", ValueError);
    CHECK(stream.str().empty());
}
