#include <ebb/autograd/grad_mode.hpp>
#include <ebb/inspect/alignment.hpp>
#include <ebb/inspect/gradient_flow.hpp>
#include <ebb/inspect/units.hpp>

#include "integration/inspected_cells.hpp"
#include <doctest/doctest.h>

using namespace ebb;
using namespace inspected;

namespace {

/// sum_t <c_t, h_t> over the steps from `first` on, from the states before.
double loss_from(const Cell& cell, const Given& given, const std::vector<Array<double>>& states, std::size_t first,
                 const std::vector<Array<double>>& weights) {
    Tape<double> tape;
    const NoGrad off;
    Given rest = given;
    rest.states = states;
    double loss = 0;
    std::size_t t = first;
    for (const States<double>& after : unrolled(tape, cell, rest, first)) {
        const ArrayView<double> h = after[0].value();
        for (std::size_t i = 0; i < h.size(); ++i) loss += weights[t].data()[i] * h.data()[i];
        ++t;
    }
    return loss;
}

/// dL/dh_t by central differences: what the loss at step t and all later ones make of a small change of h_t. Of c_t
/// also what goes through h_t = o tanh(c_t).
Array<double> difference_gradient(const Cell& cell, const Given& given, const std::vector<Array<double>>& states,
                                  std::size_t state, std::size_t t, const std::vector<Array<double>>& weights) {
    constexpr double step = 1e-6;
    Array<double> gradient = Array<double>::from_shape(states[state].shape());
    for (std::size_t i = 0; i < gradient.size(); ++i) {
        double sides[2];
        for (const int side : {0, 1}) {
            std::vector<Array<double>> moved = states;
            double& element = moved[state].data()[i];
            element += side == 0 ? step : -step;
            if (state == 1) moved[0].data()[i] *= std::tanh(element) / std::tanh(states[1].data()[i]);
            sides[side] = loss_from(cell, given, moved, t + 1, weights);
            for (std::size_t k = 0; k < gradient.size(); ++k) sides[side] += weights[t].data()[k] * moved[0].data()[k];
        }
        gradient.data()[i] = (sides[0] - sides[1]) / (2 * step);
    }
    return gradient;
}

struct Norms {
    double all = 0;
    std::vector<double> by_unit, by_sample;
};

Norms norms_of(const Array<double>& gradient, const Sizes& sizes, std::size_t columns) {
    Norms norms{0, std::vector<double>(columns), std::vector<double>(sizes.B)};
    for (std::size_t b = 0; b < sizes.B; ++b)
        for (std::size_t j = 0; j < columns; ++j) {
            const double squared = std::pow(gradient.data()[b * columns + j], 2);
            norms.all += squared;
            norms.by_unit[j] += squared;
            norms.by_sample[b] += squared;
        }
    norms.all = std::sqrt(norms.all);
    for (double& v : norms.by_unit) v = std::sqrt(v);
    for (double& v : norms.by_sample) v = std::sqrt(v);
    return norms;
}

void check_norms(const inspect::UnitFlow& flow, std::size_t t, const Norms& expected, double tolerance) {
    CHECK(std::abs(flow.grad_norm[t] - expected.all) <= tolerance * expected.all);
    for (std::size_t j = 0; j < flow.units; ++j)
        CHECK(std::abs(flow.unit_grad_norm[t * flow.units + j] - expected.by_unit[j]) <= tolerance * expected.all);
    for (std::size_t b = 0; b < flow.samples; ++b)
        CHECK(std::abs(flow.sample_grad_norm[t * flow.samples + b] - expected.by_sample[b]) <=
              tolerance * expected.all);
}

}  // namespace

TEST_CASE("norms of dL/dh_t and dL/dc_t, in all, by unit and by sequence, are those of finite differences") {
    test::RandomArrays random(71);
    for (const char* kind : kinds)
        for (const Granularity granularity : {Granularity::fused, Granularity::elementary})
            for (int trial = 0; trial < 2; ++trial) {
                const Sizes sizes = random_sizes(random);
                const Cell cell = cell_of(kind, sizes, granularity);
                const Given given = random_given(kind, sizes, random);
                std::vector<Array<double>> weights;
                for (std::size_t t = 0; t < sizes.T; ++t) weights.push_back(random.array({sizes.B, sizes.H}));
                Tape<double> tape;
                const auto states = unrolled(tape, cell, given);
                const auto losses = losses_of(tape, states, weights);
                Variable<double> total = losses[0];
                for (std::size_t t = 1; t < sizes.T; ++t) total = total + losses[t];
                tape.backward(total);
                const auto overview = inspect::gradient_flow(tape);
                for (std::size_t state = 0; state < state_count(kind); ++state) {
                    const char* const name = state == 0 ? "cell.h" : "cell.c";
                    const auto flow = inspect::unit_flow(tape, name);
                    CAPTURE(kind);
                    CAPTURE(name);
                    REQUIRE(flow.time_step.size() == sizes.T);
                    CHECK(flow.units == sizes.H);
                    CHECK(flow.samples == sizes.B);
                    for (std::size_t t = 0; t < sizes.T; ++t) {
                        std::vector<Array<double>> values;
                        for (const Variable<double>& s : states[t]) values.emplace_back(s.value());
                        const Array<double> gradient = difference_gradient(cell, given, values, state, t, weights);
                        check_norms(flow, t, norms_of(gradient, sizes, sizes.H), 1e-6);
                        CHECK(overview[name].grad_norm[t] == doctest::Approx(flow.grad_norm[t]).epsilon(1e-14));
                        double saturated = 0;
                        for (std::size_t j = 0; j < sizes.H; ++j) {
                            double sum = 0;
                            for (std::size_t b = 0; b < sizes.B; ++b) sum += values[state](b, j);
                            CHECK(flow.unit_mean[t * sizes.H + j] ==
                                  doctest::Approx(sum / static_cast<double>(sizes.B)).epsilon(1e-12));
                            saturated += flow.unit_saturation[t * sizes.H + j];
                        }
                        CHECK(overview[name].saturation[t] ==
                              doctest::Approx(saturated / static_cast<double>(sizes.H)).epsilon(1e-12));
                    }
                }
            }
}

TEST_CASE("norms of dL/dx_t, of a sequence given to a layer and of inputs given to a cell") {
    test::RandomArrays random(72);
    for (const char* kind : recurrent_kinds) {
        CAPTURE(kind);
        const Sizes sizes{4, 2, 3, 5};
        const AnyLayer<double> layer({.kind = kind, .input_size = sizes.I, .hidden_size = sizes.H});
        randomize(layer.parameters);
        const Array<double> x = random.array({sizes.T, sizes.B, sizes.I});
        const Array<double> c = random.array({sizes.T, sizes.B, sizes.H});
        const auto loss = [&](const Array<double>& values) {
            Tape<double> tape;
            const NoGrad off;
            return projected(layer.run(tape.constant(values), {}).first, c).item();
        };
        Tape<double> tape;
        const auto leaf = tape.variable(x);
        tape.backward(projected(layer.run(leaf, {}).first, c));
        const auto flow = inspect::unit_flow(leaf, "x");
        CHECK(flow.time_step == std::vector<std::int32_t>{0, 1, 2, 3});
        std::vector<Variable<double>> steps;
        for (std::size_t t = 0; t < sizes.T; ++t) {
            Array<double> gradient = Array<double>::from_shape({sizes.B, sizes.I});
            for (std::size_t i = 0; i < gradient.size(); ++i) {
                Array<double> up = x, down = x;
                up.data()[t * gradient.size() + i] += 1e-6;
                down.data()[t * gradient.size() + i] -= 1e-6;
                gradient.data()[i] = (loss(up) - loss(down)) / 2e-6;
            }
            check_norms(flow, t, norms_of(gradient, sizes, sizes.I), 1e-6);
        }
    }

    // Of a cell: x_t as leaves of their own; the last is not used.
    const Sizes sizes{4, 2, 3, 5};
    const Cell cell = cell_of("gru", sizes);
    const Given given = random_given("gru", sizes, random);
    Tape<double> tape;
    std::vector<Variable<double>> x;
    States<double> state{tape.constant(given.states[0])};
    for (std::size_t t = 0; t < sizes.T; ++t) {
        x.push_back(tape.variable(given.x[t]));
        if (t + 1 < sizes.T) state = cell.step(x[t], state);
    }
    tape.backward(sum(state[0]));
    const auto flow = inspect::unit_flow(x);
    CHECK(flow.name == "x");
    for (std::size_t t = 0; t + 1 < sizes.T; ++t)
        CHECK(flow.grad_norm[t] == doctest::Approx(norm(x[t].grad().data(), x[t].size())).epsilon(1e-14));
    CHECK(flow.grad_norm.back() == 0);
}

TEST_CASE("each step's contribution to a weight's gradient, and how it stands to the whole") {
    // The independent way: a copy of the cell for each step, whose gradients are the contributions themselves.
    test::RandomArrays random(73);
    for (const char* kind : kinds)
        for (int trial = 0; trial < 4; ++trial) {
            CAPTURE(kind);
            const auto granularity = trial % 2 == 0 ? Granularity::fused : Granularity::elementary;
            const Sizes sizes = random_sizes(random);
            const Cell cell = cell_of(kind, sizes, granularity);
            const Given given = random_given(kind, sizes, random);
            const Array<double> c = random.array({sizes.B, sizes.H});
            Tape<double> tape;
            tape.backward(projected(unrolled(tape, cell, given).back()[0], c));

            Tape<double> untied;
            std::vector<Cell> copies;
            States<double> states;
            for (const Array<double>& state : given.states) states.push_back(untied.constant(state));
            for (std::size_t t = 0; t < sizes.T; ++t) {
                copies.push_back(cell_of(kind, sizes));
                states = copies.back().step(untied.constant(given.x[t]), states);
            }
            untied.backward(projected(states[0], c));

            for (std::size_t p = 0; p < cell.parameters.size(); ++p) {
                CAPTURE(cell.parameters[p].first);
                const Parameter<double>& parameter = cell.parameters[p].second;
                const std::size_t size = parameter.size();
                std::vector<double> whole(size, 0.0);
                for (const Cell& copy : copies)
                    for (std::size_t i = 0; i < size; ++i) whole[i] += copy.parameters[p].second.grad().data()[i];
                const double whole_norm = norm(whole.data(), size);
                const auto contributions = inspect::weight_contributions(tape, parameter);
                const auto alignment = inspect::contribution_alignment(tape, parameter);
                REQUIRE(alignment.cosine.size() == sizes.T);
                CHECK(alignment.whole_norm == doctest::Approx(whole_norm).epsilon(1e-10));
                double shares = 0;
                for (std::size_t t = 0; t < sizes.T; ++t) {
                    const double* const g = copies[t].parameters[p].second.grad().data();
                    double inner = 0;
                    for (std::size_t i = 0; i < size; ++i) inner += g[i] * whole[i];
                    CHECK(contributions.time_step[t] == static_cast<std::int32_t>(t));
                    CHECK(std::abs(contributions.norm[t] - norm(g, size)) <= 1e-8 * norm(g, size));
                    CHECK(alignment.norm[t] == contributions.norm[t]);
                    CHECK(std::abs(alignment.cosine[t] - inner / (norm(g, size) * whole_norm)) <= 1e-8);
                    CHECK(std::abs(alignment.share[t] - inner / (whole_norm * whole_norm)) <= 1e-8);
                    shares += alignment.share[t];
                }
                CHECK(shares == doctest::Approx(1).epsilon(1e-10));
            }
        }
}

TEST_CASE("gates unit by unit are those of a step computed by hand") {
    test::RandomArrays random(74);
    for (const Granularity granularity : {Granularity::fused, Granularity::elementary}) {
        const Sizes sizes{4, 3, 2, 3};
        const Cell cell = cell_of("lstm", sizes, granularity);
        const Given given = random_given("lstm", sizes, random);
        Tape<double> tape;
        const auto states = unrolled(tape, cell, given);
        const auto gate = inspect::unit_gate(tape, "cell.forget_gate");
        REQUIRE(gate.mean.size() == sizes.T * sizes.H);
        CHECK(gate.units == sizes.H);
        const auto parameter = [&](std::size_t k) { return cell.parameters[k].second.value(); };
        std::vector<double> logs(sizes.H, 0.0);
        for (std::size_t t = 0; t < sizes.T; ++t)
            for (std::size_t j = 0; j < sizes.H; ++j) {
                double mean = 0, open = 0, closed = 0;
                for (std::size_t b = 0; b < sizes.B; ++b) {
                    // f = sigmoid(W_if x_t + b_if + W_hf h_{t-1} + b_hf), rows H to 2 H
                    const std::size_t row = sizes.H + j;
                    double a = parameter(2)(row) + parameter(3)(row);
                    for (std::size_t i = 0; i < sizes.I; ++i) a += parameter(0)(row, i) * given.x[t](b, i);
                    for (std::size_t i = 0; i < sizes.H; ++i)
                        a += parameter(1)(row, i) * (t == 0 ? given.states[0](b, i) : states[t - 1][0].value()(b, i));
                    const double f = 1 / (1 + std::exp(-a));
                    mean += f / static_cast<double>(sizes.B);
                    open += (f > 0.9) / static_cast<double>(sizes.B);
                    closed += (f < 0.1) / static_cast<double>(sizes.B);
                    logs[j] += std::log(f) / static_cast<double>(sizes.B * sizes.T);
                }
                CHECK(gate.mean[t * sizes.H + j] == doctest::Approx(mean).epsilon(1e-10));
                CHECK(gate.open[t * sizes.H + j] == doctest::Approx(open).epsilon(1e-10));
                CHECK(gate.closed[t * sizes.H + j] == doctest::Approx(closed).epsilon(1e-10));
            }
        for (std::size_t j = 0; j < sizes.H; ++j) {
            CHECK(gate.geometric_mean[j] == doctest::Approx(std::exp(logs[j])).epsilon(1e-10));
            CHECK(gate.half_life[j] == doctest::Approx(std::log(0.5) / logs[j]).epsilon(1e-10));
        }
        const auto cell_gate = inspect::unit_gate(tape, "cell.cell_gate");
        CHECK(std::isnan(cell_gate.half_life[0]) == std::isnan(cell_gate.geometric_mean[0]));
        CHECK_THROWS_WITH_AS(inspect::unit_gate(tape, "cell.update_gate"),
                             "unit_gate: no gate is called cell.update_gate: the tape has cell.input_gate, "
                             "cell.forget_gate, cell.cell_gate, cell.output_gate",
                             ValueError);
    }
}

TEST_CASE("units: every error says what was expected") {
    Tape<double> tape;
    const auto w = tape.variable(Array<double>{{1.0, 2.0}, {3.0, 4.0}});
    probe(sum(w), "a.h", 0);
    CHECK_THROWS_WITH_AS(inspect::unit_flow(tape, "b.h"), "unit_flow: no state is called b.h: the tape has a.h",
                         ValueError);
    CHECK_THROWS_WITH_AS(inspect::unit_flow(tape, "a.h"), "unit_flow: a.h is []: expected [B, H]", ShapeError);
    probe(w * w, "c.h", 0);
    probe(concat(std::vector{w, w}, 1), "c.h", 1);
    CHECK_THROWS_WITH_AS(inspect::unit_flow(tape, "c.h"),
                         "unit_flow: c.h has 2 units at one time step and 4 at another: expected as many", ShapeError);
    CHECK_THROWS_WITH_AS(inspect::unit_flow(w), "unit_flow: x is [2, 2]: expected [T, B, I]", ShapeError);
    CHECK_THROWS_WITH_AS(inspect::unit_flow(tape.ones({2, 3, 4})),
                         "grad: node 5 is a constant: expected tape.variable(array), or something made from one",
                         TapeError);
    CHECK_THROWS_WITH_AS(inspect::unit_flow(reshape(w, {1, 2, 2})),
                         "grad: node 6 is no leaf and its gradient was not kept: call retain_grad() on it before "
                         "backward",
                         TapeError);
}

TEST_CASE("layers, directions and lengths: every state is found, ascending in time, NaN where a sequence has no step") {
    test::RandomArrays random(75);
    GRU<double> gru({.input_size = 2, .hidden_size = 3, .num_layers = 2, .bidirectional = true});
    const std::vector<std::size_t> lengths{4, 2};
    Tape<double> tape;
    const auto output = gru(tape.constant(random.array({4, 2, 2})), {}, {.lengths = lengths}).output;
    tape.backward(sum(output * output));
    const auto overview = inspect::gradient_flow(tape);
    for (const char* name : {"gru.l0.h", "gru.l0.reverse.h", "gru.l1.h", "gru.l1.reverse.h"}) {
        CAPTURE(name);
        const auto flow = inspect::unit_flow(tape, name);
        CHECK(flow.backwards == (std::string(name).find("reverse") != std::string::npos));
        CHECK(overview[name].backwards == flow.backwards);
        CHECK(flow.time_step == std::vector<std::int32_t>{0, 1, 2, 3});
        CHECK(flow.samples == 2);
        for (std::size_t t = 0; t < 4; ++t) {
            CHECK(flow.grad_norm[t] == overview[name].grad_norm[t]);
            CHECK(flow.grad_norm[t] > 0);
            CHECK(std::isnan(flow.sample_grad_norm[2 * t + 1]) == (t >= 2));
        }
    }
}
