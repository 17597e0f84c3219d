#include <ebb/autograd/grad_mode.hpp>
#include <ebb/inspect/alignment.hpp>
#include <ebb/inspect/gradient_flow.hpp>
#include <ebb/inspect/units.hpp>
#include <ebb/layers/module.hpp>
#include <ebb/layers/recurrent_layers.hpp>

#include "integration/inspected_cells.hpp"
#include "integration/slow_recurrent.hpp"
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
                        CHECK(overview[name].value_norm[t] ==
                              doctest::Approx(norm(values[state].data(), values[state].size())).epsilon(1e-12));
                        const double B = static_cast<double>(sizes.B);
                        double saturated = 0;
                        for (std::size_t j = 0; j < sizes.H; ++j) {
                            double sum = 0, beyond = 0;
                            for (std::size_t b = 0; b < sizes.B; ++b) {
                                sum += values[state](b, j);
                                beyond += std::abs(values[state](b, j)) > 0.9;
                            }
                            CHECK(flow.unit_mean[t * sizes.H + j] == doctest::Approx(sum / B).epsilon(1e-12));
                            CHECK(flow.unit_saturation[t * sizes.H + j] == doctest::Approx(beyond / B).epsilon(1e-12));
                            saturated += beyond / B;
                        }
                        CHECK(overview[name].saturation[t] ==
                              doctest::Approx(saturated / static_cast<double>(sizes.H)).epsilon(1e-12));
                    }
                }
            }
}

TEST_CASE("norms of dL/dx_t, of a sequence given to a layer") {
    test::RandomArrays random(72);
    for (const char* kind : recurrent_kinds) {
        CAPTURE(kind);
        const Sizes sizes = random_sizes(random);
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
        REQUIRE(flow.time_step.size() == sizes.T);
        for (std::size_t t = 0; t < sizes.T; ++t) {
            CHECK(flow.time_step[t] == static_cast<std::int32_t>(t));
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
}

TEST_CASE("norms of dL/dx_t, of inputs given to a cell") {
    test::RandomArrays random(76);
    for (const char* kind : kinds)
        for (const Granularity granularity : {Granularity::fused, Granularity::elementary}) {
            CAPTURE(kind);
            const Sizes sizes = random_sizes(random);
            const Cell cell = cell_of(kind, sizes, granularity);
            const Given given = random_given(kind, sizes, random);
            std::vector<Array<double>> weights;
            for (std::size_t t = 0; t < sizes.T; ++t) weights.push_back(random.array({sizes.B, sizes.H}));
            Tape<double> tape;
            std::vector<Variable<double>> x;
            for (const Array<double>& x_t : given.x) x.push_back(tape.variable(x_t));
            x.push_back(tape.variable(given.x[0]));  // one that no step takes
            States<double> states;
            for (const Array<double>& state : given.states) states.push_back(tape.constant(state));
            Variable<double> loss = tape.scalar(0);
            for (std::size_t t = 0; t < sizes.T; ++t) {
                states = cell.step(x[t], states);
                loss = loss + projected(states[0], weights[t]);
            }
            tape.backward(loss);
            const auto flow = inspect::unit_flow(x);
            CHECK(flow.name == "x");
            for (std::size_t t = 0; t < sizes.T; ++t) {
                Array<double> gradient = Array<double>::from_shape({sizes.B, sizes.I});
                for (std::size_t i = 0; i < gradient.size(); ++i) {
                    Given up = given, down = given;
                    up.x[t].data()[i] += 1e-6;
                    down.x[t].data()[i] -= 1e-6;
                    gradient.data()[i] =
                        (loss_from(cell, up, up.states, 0, weights) - loss_from(cell, down, down.states, 0, weights)) /
                        2e-6;
                }
                check_norms(flow, t, norms_of(gradient, sizes, sizes.I), 1e-6);
            }
            CHECK(flow.grad_norm.back() == 0);
        }
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

namespace {

/// A unit of a user's own, with a gate: h_t = f . h_{t-1} + (1 - f) . tanh(x_t U), f = sigmoid([h_{t-1}, x_t] V).
struct KeepingCell : Module<double> {
    Parameter<double> u, v;
    KeepingCell(std::size_t inputs, std::size_t hidden)
        : Module("KeepingCell"),
          u(register_parameter("u", random_array<double>({inputs, hidden}, 5))),
          v(register_parameter("v", random_array<double>({hidden + inputs, hidden}, 6, 2))) {}
    Variable<double> operator()(const Variable<double>& x, const Variable<double>& h) const {
        const auto f = sigmoid(matmul(concat(std::vector{h, x}, 1), v)).named("keep");
        return f * h + (1 - f) * tanh(matmul(x, u));
    }
};

/// Its equations, number by number, from a state of zeros.
slow::Sequence slow_gate(const KeepingCell& cell, const Array<double>& x, std::size_t H) {
    const std::size_t T = x.shape(0), B = x.shape(1), I = x.shape(2);
    slow::Matrix h(B, slow::Vector(H, 0.0));
    slow::Sequence gate(T, h);
    for (std::size_t t = 0; t < T; ++t) {
        slow::Matrix next = h;
        for (std::size_t b = 0; b < B; ++b)
            for (std::size_t j = 0; j < H; ++j) {
                double a = 0, n = 0;
                for (std::size_t k = 0; k < H; ++k) a += h[b][k] * cell.v.value()(k, j);
                for (std::size_t i = 0; i < I; ++i) {
                    a += x(t, b, i) * cell.v.value()(H + i, j);
                    n += x(t, b, i) * cell.u.value()(i, j);
                }
                const double f = gate[t][b][j] = slow::sigmoid(a);
                next[b][j] = f * h[b][j] + (1 - f) * std::tanh(n);
            }
        h = next;
    }
    return gate;
}

/// The gate `name` on the tape, in all and unit by unit, and the memory that it gives, against its values [T][B][H].
void check_gate(const Tape<double>& tape, const std::string& name, const slow::Sequence& values) {
    CAPTURE(name);
    const std::size_t T = values.size(), B = values[0].size(), H = values[0][0].size();
    const auto flow = inspect::gradient_flow(tape);
    const inspect::GateFlow& all = flow.gate(name);
    const auto units = inspect::unit_gate(tape, name);
    REQUIRE(all.mean.size() == T);
    REQUIRE(units.mean.size() == T * H);
    CHECK(units.units == H);
    const double rows = static_cast<double>(B), columns = static_cast<double>(H);
    std::vector<double> product(H, 1.0);  // of all B T activations of a unit
    for (std::size_t t = 0; t < T; ++t) {
        double mean = 0, open = 0, closed = 0;
        for (std::size_t j = 0; j < H; ++j) {
            double unit_mean = 0, unit_open = 0, unit_closed = 0;
            for (std::size_t b = 0; b < B; ++b) {
                const double f = values[t][b][j];
                unit_mean += f / rows;
                unit_open += (f > 0.9) / rows;
                unit_closed += (f < 0.1) / rows;
                product[j] *= f;
            }
            CHECK(units.mean[t * H + j] == doctest::Approx(unit_mean).epsilon(1e-10));
            CHECK(units.open[t * H + j] == doctest::Approx(unit_open).epsilon(1e-10));
            CHECK(units.closed[t * H + j] == doctest::Approx(unit_closed).epsilon(1e-10));
            mean += unit_mean / columns, open += unit_open / columns, closed += unit_closed / columns;
        }
        CHECK(all.mean[t] == doctest::Approx(mean).epsilon(1e-10));
        CHECK(all.open[t] == doctest::Approx(open).epsilon(1e-10));
        CHECK(all.closed[t] == doctest::Approx(closed).epsilon(1e-10));
    }
    for (std::size_t j = 0; j < H; ++j) {
        const bool negative = [&] {  // a gate of tanh is no factor of a memory
            for (const slow::Matrix& step : values)
                for (const slow::Vector& row : step)
                    if (row[j] < 0) return true;
            return false;
        }();
        CHECK(std::isnan(units.geometric_mean[j]) == negative);
        CHECK(std::isnan(units.half_life[j]) == negative);
        if (negative) continue;
        const double factor = std::pow(product[j], 1 / static_cast<double>(B * T));
        CHECK(units.geometric_mean[j] == doctest::Approx(factor).epsilon(1e-10));
        // f^half_life = 1/2
        CHECK(std::pow(factor, units.half_life[j]) == doctest::Approx(0.5).epsilon(1e-8));
    }
}

}  // namespace

TEST_CASE("gates, in all and unit by unit, and their half-lives are those of the equations") {
    test::RandomArrays random(74);
    for (const std::string kind : {"lstm", "gru"})
        for (const Granularity granularity : {Granularity::fused, Granularity::elementary})
            for (int trial = 0; trial < 3; ++trial) {
                CAPTURE(kind);
                const Sizes sizes = random_sizes(random);
                const AnyLayer<double> layer({.kind = kind,
                                              .input_size = sizes.I,
                                              .hidden_size = sizes.H,
                                              .granularity = granularity,
                                              .name = "cell"});
                randomize(layer.parameters);
                const Array<double> x = random.array({sizes.T, sizes.B, sizes.I});
                Tape<double> tape;
                layer.run(tape.constant(x), {});
                const auto parameter = [&](std::size_t k) { return layer.parameters[k].second.value(); };
                const slow::Weights weights{slow::matrix_of(parameter(0)), slow::matrix_of(parameter(1)),
                                            slow::vector_of(parameter(2)), slow::vector_of(parameter(3))};
                for (const auto& [name, values] : slow::run(kind, weights, slow::sequence_of(x)).gates)
                    check_gate(tape, "cell." + name, values);
            }
    for (int trial = 0; trial < 3; ++trial) {
        const Sizes sizes = random_sizes(random);
        const Recurrent<KeepingCell> layer({.input_size = sizes.I, .hidden_size = sizes.H, .name = "own"});
        const Array<double> x = random.array({sizes.T, sizes.B, sizes.I});
        Tape<double> tape;
        layer(tape.constant(x));
        check_gate(tape, "own.keep", slow_gate(KeepingCell(sizes.I, sizes.H), x, sizes.H));
    }
    Tape<double> tape;
    const LSTM<double> lstm({.input_size = 1, .hidden_size = 2, .name = "cell"});
    lstm(tape.ones({2, 1, 1}));
    CHECK_THROWS_WITH_AS(inspect::unit_gate(tape, "cell.update_gate"),
                         "unit_gate: no gate is called cell.update_gate: the tape has cell.input_gate, "
                         "cell.forget_gate, cell.cell_gate, cell.output_gate",
                         ValueError);
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
