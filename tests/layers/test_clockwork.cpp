#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/layers/clockwork.hpp>
#include <ebb/layers/module_gradcheck.hpp>
#include <ebb/layers/recurrent_layers.hpp>

#include <cmath>

#include "support/golden.hpp"
#include <doctest/doctest.h>

using namespace ebb;

namespace {

using Clockwork = Recurrent<ClockworkCell<double>>;

/// Every unit by itself, on plain numbers, with the whole of W_hh masked: h [T, H] for x [T, I].
Array<double> by_hand(const ClockworkCell<double>& cell, const Array<double>& x) {
    const std::size_t T = x.shape(0), I = x.shape(1), H = cell.hidden_size(), G = cell.periods().size();
    Array<double> all = Array<double>::from_shape({T, H});
    std::vector<double> before(H, 0.0);
    for (std::size_t t = 0; t < T; ++t) {
        std::vector<double> now = before;
        for (std::size_t i = 0; i < H; ++i) {
            const std::size_t period = cell.periods()[i * G / H];
            if (t % period != 0) continue;
            double a = cell.bias.value()(i);
            for (std::size_t k = 0; k < I; ++k) a += cell.weight_ih.value()(i, k) * x(t, k);
            for (std::size_t j = 0; j < H; ++j)
                if (cell.periods()[j * G / H] >= period) a += cell.weight_hh.value()(i, j) * before[j];
            now[i] = std::tanh(a);
        }
        before = now;
        std::copy(now.begin(), now.end(), all.data() + t * H);
    }
    return all;
}

}  // namespace

TEST_CASE("a clockwork network is its equations, unit by unit") {
    manual_seed(1);
    const Clockwork layer({.input_size = 2, .hidden_size = 6}, [](std::size_t inputs, std::size_t hidden) {
        return ClockworkCell<double>({.input_size = inputs, .hidden_size = hidden, .periods = {1, 2, 5}});
    });
    const Array<double> x = randn<double>({12, 2});
    Tape<double> tape;
    const Array<double> h = squeeze(layer(unsqueeze(tape.constant(x), 1)).output, 1).value();
    CHECK(difference(h, by_hand(layer.cell(), x), 1e-13, 1e-15) == "");
    // A module stands still between two strokes of its clock.
    for (std::size_t t = 1; t < 12; ++t) {
        CHECK((h(t, 2) == h(t - 1, 2)) == (t % 2 != 0));
        CHECK((h(t, 5) == h(t - 1, 5)) == (t % 5 != 0));
    }
}

TEST_CASE("a clockwork network of one module with period 1 is an Elman network") {
    manual_seed(2);
    const ClockworkCell<double> clockwork({.input_size = 2, .hidden_size = 3, .periods = {1}});
    RNNCell<double> rnn({.input_size = 2, .hidden_size = 3});
    rnn.weight_ih.set_value(clockwork.weight_ih.value());
    rnn.weight_hh.set_value(clockwork.weight_hh.value());
    rnn.bias_ih.set_value(clockwork.bias.value());
    rnn.bias_hh.set_value(Array<double>(0.0 * clockwork.bias.value()));
    Tape<double> tape;
    Variable<double> h, expected;
    for (std::int32_t t = 0; t < 4; ++t) {
        const auto x = tape.constant(randn<double>({2, 2}));
        h = clockwork(x, h, t);
        expected = rnn(x, expected);
    }
    CHECK(difference(h.value(), expected.value(), 1e-14, 1e-15) == "");
}

TEST_CASE("clockwork networks pass gradcheck, with lengths and in both directions") {
    manual_seed(3);
    const Clockwork layer({.input_size = 2, .hidden_size = 4, .bidirectional = true});
    const auto report = gradcheck(layer,
                                  [&](const auto& in) {
                                      return layer(in[0], in[1], {.lengths = {5, 3}}).output;
                                  },
                                  {randn<double>({5, 2, 2}), randn<double>({2, 2, 4})});
    CHECK_MESSAGE(report.passed, report.message);
}

TEST_CASE("the gradient of a module that stands still goes back unchanged; weights from fast to slow have none") {
    manual_seed(4);
    const ClockworkCell<double> cell({.input_size = 1, .hidden_size = 2, .periods = {1, 4}, .name = "clock"});
    Tape<double> tape;
    auto h = tape.variable(randn<double>({1, 2}));
    std::vector<Variable<double>> states;
    for (std::int32_t t = 0; t < 4; ++t) states.push_back(h = cell(tape.ones({1, 1}), h, t));
    tape.backward(sum(select(h, 1, 1)));
    for (const auto& state : states) CHECK(state.grad()(0, 1) == 1);  // 0 goes into it, 1 to 3 leave it
    CHECK(states[2].name() == "clock.h");
    CHECK(states[2].time_step() == 2);
    CHECK(cell.weight_hh.grad()(1, 0) == 0);
    CHECK(cell.weight_hh.grad()(1, 1) != 0);
}

TEST_CASE("the clocks go on from chunk to chunk") {
    manual_seed(5);
    const Clockwork layer({.input_size = 2, .hidden_size = 4});
    const Array<double> x = randn<double>({7, 1, 2});
    Tape<double> tape;
    const auto all = tape.constant(x);
    const Array<double> whole = layer(all).output.value();
    const auto first = layer(slice(all, 0, 0, 3));
    const auto second = layer(slice(all, 0, 3, 7), first.state, {.first_time_step = 3});
    CHECK(Array<double>(concat(std::vector{first.output, second.output}, 0).value()) == whole);
}

TEST_CASE("a head that looks every k steps") {
    CHECK(every(3, 8) == Indices{2, 5});
    CHECK(every(1, 2) == Indices{0, 1});
    CHECK(every(4, 3).size() == 0);
    CHECK_THROWS_WITH_AS(every(0, 3), "every: k is 0: expected at least 1", ValueError);
    Tape<double> tape;
    const auto x = tape.variable(randn<double>({7, 2, 3}));
    const auto seen = index_select(x, every(3, 7));
    CHECK(seen.shape() == Shape{2, 2, 3});
    CHECK(seen.value()(1, 1, 2) == x.value()(5, 1, 2));
    tape.backward(sum(seen));
    for (std::size_t t = 0; t < 7; ++t) CHECK(x.grad()(t, 0, 0) == (t == 2 || t == 5));
}

TEST_CASE("wrong uses of a clockwork cell say what is wrong") {
    const auto make = [](std::size_t inputs, std::size_t hidden, const std::vector<std::size_t>& periods) {
        return ClockworkCell<double>({.input_size = inputs, .hidden_size = hidden, .periods = periods});
    };
    CHECK_THROWS_WITH_AS(make(0, 4, {1}), "ClockworkCell: input_size is 0, hidden_size is 4: expected at least 1 each",
                         ValueError);
    for (const std::vector<std::size_t>& periods : {std::vector<std::size_t>{}, {0, 1}, {1, 4, 2}, {2, 2}})
        CHECK_THROWS_WITH_AS(make(1, 4, periods), doctest::Contains(": expected rising numbers, from 1 on"),
                             ValueError);
    CHECK_THROWS_WITH_AS(make(1, 4, {1, 4, 2}),
                         "ClockworkCell: periods is [1, 4, 2]: expected rising numbers, from 1 on", ValueError);
    CHECK_THROWS_WITH_AS(make(1, 4, {1, 2, 4}),
                         "ClockworkCell: hidden_size is 4, there are 3 periods: expected as many units for each",
                         ValueError);
    const auto cell = make(3, 4, {1, 2});
    Tape<double> tape;
    CHECK_THROWS_WITH_AS(cell(tape.ones({2, 3}), {}, -1),
                         doctest::Contains("ClockworkCell: time_step is -1: expected at least 0"), ValueError);
    CHECK_THROWS_WITH_AS(
        cell(tape.ones({2, 4}), {}, 0),
        doctest::Contains("ClockworkCell: x is [2, 4], weight_ih is [4, 3]: expected [B, I] with 3 as the last extent"),
        ShapeError);
    CHECK_THROWS_WITH_AS(cell(tape.ones({2, 3}), tape.ones({1, 4}), 0),
                         doctest::Contains("ClockworkCell: h is [1, 4], x is [2, 3]: expected h to be [2, 4]"),
                         ShapeError);
}
