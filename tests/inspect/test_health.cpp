#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/probe.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/inspect/health.hpp>
#include <ebb/inspect/report.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include <doctest/doctest.h>

using namespace ebb;
using namespace ebb::inspect;

namespace {

StateFlow curve(const std::vector<double>& norm) {
    StateFlow flow;
    flow.name = "rnn.h";
    for (std::size_t t = 0; t < norm.size(); ++t) flow.time_step.push_back(static_cast<std::int32_t>(t));
    flow.grad_norm = norm;
    flow.value_norm.assign(norm.size(), 1);
    flow.saturation.assign(norm.size(), 0);
    return flow;
}

/// norm at time t of a gradient that is multiplied by `factor` at each step back from t = steps - 1.
StateFlow geometric(std::size_t steps, double factor) {
    std::vector<double> norm;
    for (std::size_t t = 0; t < steps; ++t) norm.push_back(std::pow(factor, static_cast<double>(steps - 1 - t)));
    return curve(norm);
}

}  // namespace

TEST_CASE("a vanishing gradient: by how much, and from where on") {
    // Tenfold every 7 steps: 10^-6 is 42 steps from the last, t = 99 - 42 = 57.
    const auto findings = diagnose(geometric(100, std::pow(10, -1.0 / 6.99)));
    REQUIRE(findings.size() == 1);
    CHECK(findings[0].ailment == Ailment::vanishing);
    CHECK(to_string(findings[0]) ==
          "rnn.h: the gradient falls by 10× every 7.0 steps: steps before t = 58 get less than 10⁻⁶ of it, 58 of "
          "100; try a gated cell (LSTM, GRU), a forget-gate bias of 1 or chrono initialisation, orthogonal recurrent "
          "weights, or a loss at more steps");
    CHECK(diagnose(geometric(40, std::pow(10, -1.0 / 7))).empty());
    CHECK(diagnose(geometric(100, 0.99)).empty());
    CHECK(diagnose(geometric(100, 0.9), {.negligible = 1e-3}).at(0).ailment == Ailment::vanishing);

    // A direction that reads backwards: what is far from the loss comes later in time.
    StateFlow backwards = geometric(100, std::pow(10, -1.0 / 6.99));
    std::reverse(backwards.grad_norm.begin(), backwards.grad_norm.end());
    backwards.backwards = true;
    CHECK(diagnose(backwards).at(0).evidence ==
          "the gradient falls by 10× every 7.0 steps: steps after t = 41 get less than 10⁻⁶ of it, 58 of 100");
    // One that falls off a cliff, to exact zeros.
    CHECK(diagnose(curve({0, 0, 1, 1})).at(0).evidence ==
          "the gradient falls: steps before t = 2 get less than 10⁻⁶ of it, 2 of 4");
}

TEST_CASE("an exploding gradient: by how much, and between which steps") {
    const auto findings = diagnose(geometric(41, std::pow(10, 0.1)));
    REQUIRE(findings.size() == 1);
    CHECK(findings[0].ailment == Ailment::exploding);
    CHECK(findings[0].evidence ==
          "the gradient grows by 10× every 10 steps on its way back: its norm is 1.00 at t = 40 and 10,000 at t = 0");
    CHECK(findings[0].advice.find("clip") != std::string::npos);
    CHECK(diagnose(geometric(41, 1.1)).empty());
    CHECK(diagnose(geometric(41, 1.1), {.growth = 10}).size() == 1);
}

TEST_CASE("gradients and states that are no numbers, and gradients that are not there") {
    auto flow = curve({1, std::nan(""), 1});
    CHECK(diagnose(flow).at(0).ailment == Ailment::not_finite);
    CHECK(diagnose(flow).at(0).evidence == "the gradient is NaN at time step 1, 1 step from the last");
    flow.grad_norm = {1, 1, 1};
    flow.value_norm = {1, 1, std::numeric_limits<double>::infinity()};
    CHECK(diagnose(flow).at(0).evidence == "the state holds NaN or infinity at time step 2");
    CHECK(diagnose(curve({0, 0, 0})).at(0).ailment == Ailment::no_gradient);
    CHECK(diagnose(curve({})).empty());
}

TEST_CASE("saturated and dead units are counted and named") {
    // h_t of 8 units: units 1 and 4 saturated, units 2 and 6 without a gradient.
    Parameter<double> w("w", Array<double>{{0.1, 5.0, 0.1, 0.2, -5.0, 0.3, 0.1, 0.2}});
    const Array<double> mask{{1, 1, 0, 1, 1, 1, 0, 1}};
    Tape<double> tape;
    Variable<double> total = tape.scalar(0);
    for (int t = 0; t < 4; ++t) {
        const auto h = probe(tanh(tape.ones({1, 1}) * w), "rnn.h", t);
        total = total + sum(h * tape.constant(mask));
    }
    tape.backward(total);
    const auto findings = diagnose(tape, {w});
    REQUIRE(findings.size() == 2);
    CHECK(findings[0].ailment == Ailment::saturated_units);
    CHECK(findings[0].evidence == "2 of 8 units (1, 4) stand beyond ±0.9 at 95.0 % of all steps or more");
    CHECK(findings[1].ailment == Ailment::dead_units);
    CHECK(findings[1].evidence == "2 of 8 units (2, 6) get no gradient at any step");
    CHECK(diagnose(tape, {w}, {.units = 0.3}).empty());

    w.mutable_grad()(0, 3) = std::nan("");
    const auto with_nan = diagnose(tape, {w}, {.units = 0.3});
    REQUIRE(with_nan.size() == 1);
    CHECK(to_string(with_nan[0]).substr(0, 43) == "w: its gradient holds NaN or infinity; find");
}

TEST_CASE("a training that clips most of its steps, and one whose loss was infinite") {
    FlowHistory history;
    history.steps = 100;
    history.clipped_steps = 51;
    history.intervals = {{.first_step = 0, .last_step = 99, .steps = 100, .clipped = 51}};
    CHECK(diagnose(history).at(0).evidence == "the gradient was clipped at 51 of 100 steps");
    history.clipped_steps = 50;
    CHECK(diagnose(history).empty());
    history.intervals[0].largest_loss = std::numeric_limits<double>::infinity();
    CHECK(diagnose(history).at(0).ailment == Ailment::not_finite);
    history.intervals.clear();
    history.records.emplace_back().states = {geometric(100, 0.5)};
    history.records.back().parameters.emplace_back().name = "w";
    history.records.back().parameters.back().grad_norm = std::nan("");
    const auto findings = diagnose(history);
    REQUIRE(findings.size() == 2);
    CHECK(findings[0].ailment == Ailment::vanishing);
    CHECK(findings[1].subject == "w");
}

TEST_CASE("findings stand in a report, and where there are none it says so") {
    Report report("Title");
    add_findings(report, diagnose(geometric(100, 0.5)));
    add_findings(report, diagnose(curve({1, std::nan("")})));
    const std::string page = report.add_text("", "words").html();
    CHECK(page.find("rnn.h: the gradient vanishes") != std::string::npos);
    CHECK(page.find("The gradient falls by 10× every 3.3 steps") != std::string::npos);
    CHECK(page.find("Try a gated cell") != std::string::npos);
    CHECK(page.find("rnn.h: NaN or infinity") != std::string::npos);
    CHECK(page.find("Nothing found") == std::string::npos);
    Report healthy("Title");
    add_findings(healthy, {});
    CHECK(healthy.add_text("", "words").html().find("Nothing found") != std::string::npos);
}
