/// Tapes of recurrent networks, printed and drawn.

#if defined(__GNUC__) && !defined(__clang__)
// g++ 12 says so, wrongly, of std::regex under the sanitizers.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/print_tape.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/autograd/to_dot.hpp>
#include <ebb/core/random.hpp>
#include <ebb/layers/recurrent_cells.hpp>

#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <utility>

#include <doctest/doctest.h>

using namespace ebb;

namespace {

struct DrawnBox {
    std::string label;
    int time_step = -1;  // of the frame that it stands in
    int x = 0, y = 0;
};

/// The boxes of a drawing, read back.
std::map<std::string, DrawnBox> read_boxes(const std::string& dot) {
    std::map<std::string, DrawnBox> boxes;
    int time_step = -1;
    std::istringstream lines(dot);
    for (std::string line; std::getline(lines, line);) {
        std::smatch match;
        if (std::regex_search(line, match, std::regex("subgraph cluster_(\\d+)"))) time_step = std::stoi(match[1]);
        if (line == "    }") time_step = -1;
        if (std::regex_search(line, match, std::regex("^ +(n\\d+) \\[label=\"(.*?)\".*pos=\"(-?\\d+),(-?\\d+)\"")))
            boxes[match[1]] = {match[2], time_step, std::stoi(match[3]), std::stoi(match[4])};
    }
    return boxes;
}

template <class Cell>
std::string drawing_of(Granularity granularity) {
    manual_seed(1);
    Tape<double> tape;
    const Cell cell({.input_size = 2, .hidden_size = 3, .granularity = granularity});
    decltype(cell(Variable<double>())) state;
    for (int t = 0; t < 3; ++t) state = cell(tape.constant(randn<double>({1, 2})).named("x"), state);
    Variable<double> h;
    if constexpr (std::is_same_v<Cell, LSTMCell<double>>)
        h = state.h;
    else
        h = state;
    tape.backward(sum(h * tape.ones({1, 3}).named("ones")));
    return to_dot(tape);
}

}  // namespace

TEST_CASE_TEMPLATE("a drawing has a frame for each time step, with what belongs to it", Cell, RNNCell<double>,
                   LSTMCell<double>, GRUCell<double>) {
    for (const Granularity granularity : {Granularity::fused, Granularity::elementary}) {
        const auto boxes = read_boxes(drawing_of<Cell>(granularity));
        std::map<int, DrawnBox> h;
        int inputs = 0;
        std::set<std::pair<int, int>> places;
        for (const auto& entry : boxes) {
            const DrawnBox& box = entry.second;  // clang++ 14 captures no structured binding
            CAPTURE(box.label);
            CHECK_MESSAGE(places.emplace(box.x, box.y).second, "two boxes stand in one place");
            if (box.label.starts_with("h = ")) h[box.time_step] = box;
            if (box.label.starts_with("x\\n")) ++inputs;
            if (box.label.starts_with("weight") || box.label.starts_with("bias")) CHECK(box.time_step == -1);
            if (box.label.starts_with("ones")) CHECK(box.time_step == 2);
        }
        CHECK(inputs == 3);
        REQUIRE(h.size() == 3);
        for (int t = 0; t < 3; ++t) {
            CHECK(h[t].y == h[0].y);
            if (t > 0) CHECK(h[t].x > h[t - 1].x);
            // All that stands in the frame of step t lies between the states of t - 1 and t + 1.
            for (const auto& [node, box] : boxes) {
                if (box.time_step != t) continue;
                if (t > 0) CHECK(box.x > h[t - 1].x);
                if (t < 2) CHECK(box.x < h[t + 1].x);
            }
        }
    }
}

TEST_CASE("a printed tape shows the time steps of a cell") {
    manual_seed(1);
    Tape<double> tape;
    const RNNCell<double> cell({.input_size = 2, .hidden_size = 3, .name = "encoder"});
    Variable<double> h;
    for (int t = 0; t < 2; ++t) h = cell(tape.zeros({1, 2}), h);
    const std::string text = to_string(tape);
    CHECK(text.find(" time step\n") != std::string::npos);
    std::istringstream lines(text);
    int steps = 0;
    for (std::string line; std::getline(lines, line);)
        if (line.find("encoder.h  rnn_step") != std::string::npos) {
            CHECK(line.ends_with(std::to_string(steps)));
            ++steps;
        }
    CHECK(steps == 2);
}
