/// What `inspect` reads off a tape that real cells have recorded, against difference quotients of the cells' equations.

#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/inspect/gradient_flow.hpp>
#include <ebb/inspect/units.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "integration/slow_recurrent.hpp"
#include "layers/recurrent_kinds.hpp"
#include "support/random_arrays.hpp"
#include <doctest/doctest.h>

using namespace ebb;

namespace {

constexpr std::size_t T = 5, B = 2, I = 3, H = 4;
constexpr double seen_zero = 1e-9;  // what a difference quotient makes of 0

/// One network with the loss L = sum_t <r_t, h_t> + <s, c_T>: on a tape, and as its equations stand.
struct Network {
    std::string kind;
    std::vector<std::pair<std::string, Parameter<double>>> parameters = {};
    Array<double> x = random_array({T, B, I}, 1);
    Array<double> r = random_array({T, B, H}, 2);
    Array<double> s = random_array({1, B, H}, 3);

    bool has_c() const { return kind == "lstm"; }

    /// Records it and goes backward.
    void record(Tape<double>& tape, bool by_layer, Granularity granularity) {
        const RecurrentOptions options{
            .kind = kind, .input_size = I, .hidden_size = H, .granularity = granularity, .name = "net"};
        Variable<double> output, last_c;
        if (by_layer) {
            const AnyLayer<double> layer(options);
            parameters = layer.parameters;
            randomize(parameters);
            const auto [every, states] = layer.run(tape.constant(x), {});
            output = every;
            if (has_c()) last_c = states.at(1);
        } else {
            const AnyCell<double> cell(options);
            parameters = cell.parameters;
            randomize(parameters);
            States<double> states(has_c() ? 2 : 1, tape.zeros({B, H}));
            std::vector<Variable<double>> hs;
            for (std::size_t t = 0; t < T; ++t) {
                states = cell.step(select(tape.constant(x), 0, static_cast<std::ptrdiff_t>(t)), states);
                hs.push_back(states[0]);
            }
            output = stack(hs);
            if (has_c()) last_c = unsqueeze(states[1], 0);
        }
        auto loss = projected(output, r);
        if (has_c()) loss = loss + projected(last_c, s);
        tape.backward(loss);
    }

    const Parameter<double>& parameter(const std::string& name) const {
        for (const auto& [full_name, parameter] : parameters)
            if (full_name.substr(0, full_name.find("_l0")) == name) return parameter;
        throw std::runtime_error("no parameter " + name);
    }

    slow::States slowly(const slow::Nudge& nudge = {}) const {
        const slow::Weights weights{
            slow::matrix_of(parameter("weight_ih").value()), slow::matrix_of(parameter("weight_hh").value()),
            slow::vector_of(parameter("bias_ih").value()), slow::vector_of(parameter("bias_hh").value())};
        return slow::run(kind, weights, slow::sequence_of(x), nudge);
    }

    double loss(const slow::Nudge& nudge) const {
        const slow::States states = slowly(nudge);
        double sum = 0;
        for (std::size_t t = 0; t < T; ++t)
            for (std::size_t b = 0; b < B; ++b)
                for (std::size_t j = 0; j < H; ++j) {
                    sum += r(t, b, j) * states.h[t][b][j];
                    if (has_c() && t == T - 1) sum += s(0, b, j) * states.c[t][b][j];
                }
        return sum;
    }
};

double norm(const slow::Matrix& a) {
    double squares = 0;
    for (const slow::Vector& row : a)
        for (const double element : row) squares += element * element;
    return std::sqrt(squares);
}

/// The fraction of elements that `holds` is true of.
template <class Holds>
double fraction(const slow::Matrix& a, Holds holds) {
    double count = 0, all = 0;
    for (const slow::Vector& row : a)
        for (const double element : row) {
            count += holds(element);
            ++all;
        }
    return count / all;
}

template <class Test>
void for_each_network(Test test) {
    for (const std::string kind : recurrent_kinds)
        for (const bool by_layer : {true, false})
            for (const Granularity granularity : {Granularity::fused, Granularity::elementary}) {
                CAPTURE(kind);
                CAPTURE(by_layer);
                CAPTURE(granularity == Granularity::fused);
                Tape<double> tape;
                Network network{.kind = kind};
                network.record(tape, by_layer, granularity);
                test(network, tape);
            }
}

const std::vector<std::int32_t> time_steps{0, 1, 2, 3, 4};

}  // namespace

TEST_CASE("||dL/dh_t|| and ||dL/dc_t|| are those of difference quotients") {
    for_each_network([](const Network& network, const Tape<double>& tape) {
        const auto flow = inspect::gradient_flow(tape);
        const slow::States states = network.slowly();
        REQUIRE(flow.states().size() == (network.has_c() ? 2 : 1));
        for (const char* name : {"h", "c"}) {
            if (*name == 'c' && !network.has_c()) continue;
            CAPTURE(name);
            const inspect::StateFlow& state = flow[std::string("net.") + name];
            const slow::Sequence& values = *name == 'c' ? states.c : states.h;
            REQUIRE(state.time_step == time_steps);
            for (std::size_t t = 0; t < T; ++t) {
                CAPTURE(t);
                const double expected =
                    slow::gradient_norm([&](const slow::Nudge& nudge) { return network.loss(nudge); },
                                        {.of = *name == 'c' ? slow::Nudge::Of::c : slow::Nudge::Of::h, .t = t}, B, H);
                CHECK(expected > 0.1);
                CHECK(state.grad_norm[t] == doctest::Approx(expected).epsilon(1e-8));
                CHECK(state.value_norm[t] == doctest::Approx(norm(values[t])).epsilon(1e-13));
                CHECK(state.saturation[t] == fraction(values[t], [](double v) { return std::abs(v) > 0.9; }));
            }
        }
    });
}

TEST_CASE("of each layer and direction too: in all, by unit and by sequence") {
    test::RandomArrays random(77);
    for (const std::string kind : recurrent_kinds)
        for (const Granularity granularity : {Granularity::fused, Granularity::elementary}) {
            CAPTURE(kind);
            const std::size_t steps = 2 + random.below(3), samples = 1 + random.below(3), inputs = 1 + random.below(3),
                              units = 2 + random.below(2);
            const AnyLayer<double> layer({.kind = kind,
                                          .input_size = inputs,
                                          .hidden_size = units,
                                          .granularity = granularity,
                                          .name = "net",
                                          .num_layers = 2,
                                          .bidirectional = true});
            randomize(layer.parameters);
            const Array<double> x = random.array({steps, samples, inputs}),
                                r = random.array({steps, samples, 2 * units});
            Tape<double> tape;
            tape.backward(projected(layer.run(tape.constant(x), {}).first, r));
            const auto overview = inspect::gradient_flow(tape);

            // Layers and directions one after another, as their equations stand: two readers of the same sequence, one
            // of them from its end, and their states side by side are what the next layer reads.
            const auto weights_of = [&](const std::string& suffix) {
                const auto find = [&](const std::string& name) {
                    for (const auto& [full_name, parameter] : layer.parameters)
                        if (full_name == name + suffix) return parameter.value();
                    throw std::runtime_error("no parameter " + name + suffix);
                };
                return slow::Weights{slow::matrix_of(find("weight_ih")), slow::matrix_of(find("weight_hh")),
                                     slow::vector_of(find("bias_ih")), slow::vector_of(find("bias_hh"))};
            };
            const auto backwards = [](slow::Sequence sequence) {
                std::reverse(sequence.begin(), sequence.end());
                return sequence;
            };
            const auto loss = [&](std::size_t place, const slow::Nudge& nudge) {
                slow::Sequence read = slow::sequence_of(x);
                for (std::size_t l = 0; l < 2; ++l) {
                    const std::string suffix = "_l" + std::to_string(l);
                    const auto states = [&](std::size_t of, const std::string& name, const slow::Sequence& sequence) {
                        return slow::run(kind, weights_of(name), sequence, of == place ? nudge : slow::Nudge()).h;
                    };
                    const slow::Sequence forward = states(2 * l, suffix, read),
                                         reverse = backwards(states(2 * l + 1, suffix + "_reverse", backwards(read)));
                    read = forward;
                    for (std::size_t t = 0; t < steps; ++t)
                        for (std::size_t b = 0; b < samples; ++b)
                            read[t][b].insert(read[t][b].end(), reverse[t][b].begin(), reverse[t][b].end());
                }
                double sum = 0;
                for (std::size_t t = 0; t < steps; ++t)
                    for (std::size_t b = 0; b < samples; ++b)
                        for (std::size_t j = 0; j < 2 * units; ++j) sum += r(t, b, j) * read[t][b][j];
                return sum;
            };
            const char* const places[] = {"net.l0.", "net.l0.reverse.", "net.l1.", "net.l1.reverse."};
            for (std::size_t place = 0; place < 4; ++place)
                for (const char* state : {"h", "c"}) {
                    if (*state == 'c' && kind != "lstm") continue;
                    const std::string name = places[place] + std::string(state);
                    CAPTURE(name);
                    const auto flow = inspect::unit_flow(tape, name);
                    REQUIRE(flow.time_step.size() == steps);
                    for (std::size_t t = 0; t < steps; ++t) {
                        // Who reads from the end is at the end first.
                        slow::Nudge nudge{.of = *state == 'c' ? slow::Nudge::Of::c : slow::Nudge::Of::h,
                                          .t = place % 2 == 0 ? t : steps - 1 - t};
                        std::vector<double> by_unit(units, 0.0), by_sample(samples, 0.0);
                        double all = 0;
                        for (nudge.row = 0; nudge.row < samples; ++nudge.row)
                            for (nudge.column = 0; nudge.column < units; ++nudge.column) {
                                nudge.by = 1e-5;
                                const double above = loss(place, nudge);
                                nudge.by = -1e-5;
                                const double slope = (above - loss(place, nudge)) / 2e-5;
                                by_unit[nudge.column] += slope * slope;
                                by_sample[nudge.row] += slope * slope;
                                all += slope * slope;
                            }
                        const auto check = [&](double found, double squares) {
                            CHECK(std::abs(found - std::sqrt(squares)) <= 1e-6 * std::sqrt(all));
                        };
                        CHECK(all > 1e-6);
                        check(flow.grad_norm[t], all);
                        check(overview[name].grad_norm[t], all);
                        for (std::size_t j = 0; j < units; ++j) check(flow.unit_grad_norm[t * units + j], by_unit[j]);
                        for (std::size_t b = 0; b < samples; ++b)
                            check(flow.sample_grad_norm[t * samples + b], by_sample[b]);
                    }
                }
        }
}

TEST_CASE("what a step adds to a weight's gradient is the slope of the loss over that weight in that step alone") {
    for_each_network([](const Network& network, const Tape<double>& tape) {
        using Of = slow::Nudge::Of;
        const std::pair<std::string, Of> kinds[] = {{"weight_ih", Of::weight_ih},
                                                    {"weight_hh", Of::weight_hh},
                                                    {"bias_ih", Of::bias_ih},
                                                    {"bias_hh", Of::bias_hh}};
        for (const auto& kind : kinds) {
            const std::string& name = kind.first;
            const Of of = kind.second;
            CAPTURE(name);
            const Parameter<double>& parameter = network.parameter(name);
            const auto contributions = inspect::weight_contributions(tape, parameter);
            CHECK(contributions.parameter == parameter.name());
            const std::size_t rows = parameter.shape()[0],
                              columns = parameter.shape().rank() > 1 ? parameter.shape()[1] : 1;
            std::vector<double> norms(T, 0);  // a step that is known to add nothing need not be in the list
            for (std::size_t k = 0; k < contributions.time_step.size(); ++k)
                norms.at(static_cast<std::size_t>(contributions.time_step[k])) = contributions.norm[k];
            for (std::size_t t = 0; t < T; ++t) {
                CAPTURE(t);
                const double expected = slow::gradient_norm(
                    [&](const slow::Nudge& nudge) { return network.loss(nudge); }, {.of = of, .t = t}, rows, columns);
                // The first step has no state before it: W_hh adds nothing.
                CHECK((expected > 0.01) == (t > 0 || of != Of::weight_hh));
                CHECK(std::abs(norms[t] - expected) <= 1e-8 * expected + seen_zero);
            }
        }
    });
}

TEST_CASE("gates are those of the equations, averaged") {
    for_each_network([](const Network& network, const Tape<double>& tape) {
        const auto flow = inspect::gradient_flow(tape);
        const slow::States states = network.slowly();
        REQUIRE(flow.gates().size() == states.gates.size());
        for (const auto& named : states.gates) {
            const std::string& name = named.first;
            const slow::Sequence& values = named.second;
            CAPTURE(name);
            const inspect::GateFlow& gate = flow.gate("net." + name);
            REQUIRE(gate.time_step == time_steps);
            for (std::size_t t = 0; t < T; ++t) {
                double sum = 0;
                for (const slow::Vector& row : values[t])
                    for (const double element : row) sum += element;
                CHECK(gate.mean[t] == doctest::Approx(sum / (B * H)).epsilon(1e-13));
                CHECK(gate.closed[t] == fraction(values[t], [](double v) { return v < 0.1; }));
                CHECK(gate.open[t] == fraction(values[t], [](double v) { return v > 0.9; }));
            }
        }
    });
}

TEST_CASE("a layer that has run twice on one tape shows both runs, and contributions of both together") {
    for (const std::string kind : recurrent_kinds)
        for (const Granularity granularity : {Granularity::fused, Granularity::elementary}) {
            CAPTURE(kind);
            CAPTURE(granularity == Granularity::fused);
            const AnyLayer<double> layer(
                {.kind = kind, .input_size = I, .hidden_size = H, .granularity = granularity, .name = "net"});
            randomize(layer.parameters);
            const Array<double> short_x = random_array({3, B, I}, 7), long_x = random_array({6, B, I}, 8);
            const auto last = [&](Tape<double>& tape, const Array<double>& x) {
                return sum(layer.run(tape.constant(x), {}).second.at(0));
            };
            const auto alone = [&](const Array<double>& x) {
                Tape<double> tape;
                tape.backward(last(tape, x));
                return inspect::gradient_flow(tape);
            };
            const auto first = alone(short_x), second = alone(long_x);
            Tape<double> tape;
            const auto loss = last(tape, short_x);
            tape.backward(loss + last(tape, long_x));
            const auto both = inspect::gradient_flow(tape);
            const auto check_same = [](const auto& found, const auto& expected) {
                CHECK(found.time_step == expected.time_step);
                for (std::size_t t = 0; t < expected.time_step.size(); ++t)
                    if constexpr (requires { found.grad_norm; })
                        CHECK(found.grad_norm.at(t) == doctest::Approx(expected.grad_norm[t]).epsilon(1e-12));
                    else
                        CHECK(found.mean.at(t) == doctest::Approx(expected.mean[t]).epsilon(1e-12));
            };
            REQUIRE(both.states().size() == 2 * first.states().size());
            REQUIRE(both.gates().size() == 2 * first.gates().size());
            for (const inspect::StateFlow& state : first.states()) {
                check_same(both[state.name], state);
                check_same(both[state.name + " (2)"], second[state.name]);
            }
            for (const inspect::GateFlow& gate : first.gates()) {
                check_same(both.gate(gate.name), gate);
                check_same(both.gate(gate.name + " (2)"), second.gate(gate.name));
            }
            CHECK(inspect::weight_contributions(tape, layer.parameters[0].second).time_step ==
                  std::vector<std::int32_t>{0, 1, 2, 3, 4, 5});
        }
}

TEST_CASE("several parameters at once, and results that are used again, are what each call by itself gives") {
    inspect::GradientFlow<double> flow;
    std::vector<inspect::WeightContributions> contributions;
    // One sequence and several, with a first state and without; ever other states and gates, and fewer than before.
    for (const std::size_t batch : {std::size_t{1}, std::size_t{3}, std::size_t{9}})
        for (const std::string kind : {"lstm", "gru", "rnn_tanh"})
            for (const bool reverse : {false, true})
                for (const bool from_zeros : {true, false}) {
                    CAPTURE(batch);
                    CAPTURE(kind);
                    CAPTURE(reverse);
                    CAPTURE(from_zeros);
                    const AnyLayer<double> layer(
                        {.kind = kind, .input_size = I, .hidden_size = H, .name = "net", .bidirectional = reverse});
                    randomize(layer.parameters);
                    std::vector<Parameter<double>> parameters;
                    for (const auto& [name, parameter] : layer.parameters) parameters.push_back(parameter);
                    Tape<double> tape;
                    States<double> first;
                    const std::size_t directions = reverse ? 2 : 1;
                    for (unsigned k = 0; !from_zeros && k < (kind == "lstm" ? 2u : 1u); ++k)
                        first.push_back(tape.constant(random_array({directions, batch, H}, 20 + k)));
                    const auto output = layer.run(tape.constant(random_array({T, batch, I}, 5)), first).first;
                    tape.backward(sum(output * output));

                    inspect::gradient_flow(tape, flow);
                    const auto fresh = inspect::gradient_flow(tape);
                    REQUIRE(flow.states().size() == fresh.states().size());
                    for (const inspect::StateFlow& state : fresh.states()) {
                        const inspect::StateFlow& found = flow[state.name];
                        CHECK(found.time_step == state.time_step);
                        CHECK(found.grad_norm == state.grad_norm);
                        CHECK(found.value_norm == state.value_norm);
                        CHECK(found.saturation == state.saturation);
                        CHECK(found.backwards == state.backwards);
                    }
                    REQUIRE(flow.gates().size() == fresh.gates().size());
                    for (const inspect::GateFlow& gate : fresh.gates()) {
                        const inspect::GateFlow& found = flow.gate(gate.name);
                        CHECK(found.time_step == gate.time_step);
                        CHECK(found.mean == gate.mean);
                        CHECK(found.closed == gate.closed);
                        CHECK(found.open == gate.open);
                    }
                    inspect::weight_contributions(tape, parameters, contributions);
                    const auto at_once = inspect::weight_contributions(tape, parameters);
                    REQUIRE(contributions.size() == parameters.size());
                    REQUIRE(at_once.size() == parameters.size());
                    for (std::size_t k = 0; k < parameters.size(); ++k) {
                        const auto expected = inspect::weight_contributions(tape, parameters[k]);
                        for (const inspect::WeightContributions& found : {contributions[k], at_once[k]}) {
                            CHECK(found.parameter == expected.parameter);
                            CHECK(found.time_step == expected.time_step);
                            CHECK(found.norm == expected.norm);
                        }
                    }
                }
    Tape<double> empty;
    inspect::gradient_flow(empty, flow);
    CHECK(flow.states().empty());
    CHECK(flow.gates().empty());
}

TEST_CASE_TEMPLATE("a sequence in parts on one tape is read as the whole is", Scalar, float, double) {
    // Rows of one sequence and of several; states as wide as a vector of the machine, and no multiple of it.
    for (const bool truncated : {false, true})
        for (const auto& sizes : {std::pair<std::size_t, std::size_t>{1, 16}, {1, 19}, {2, 16}, {2, 19}}) {
            const std::size_t batch = sizes.first, hidden = sizes.second;
            CAPTURE(truncated);
            CAPTURE(batch);
            CAPTURE(hidden);
            constexpr std::size_t parts = 6, length = 4;
            const RNN<Scalar> layer({.input_size = I, .hidden_size = hidden, .name = "net"});
            Tape<Scalar> tape;
            const auto x = tape.constant(normal<Scalar>({parts * length, batch, I}, 0, 1));
            const auto y = tape.constant(normal<Scalar>({parts * length, batch, hidden}, 0, 1));
            std::vector<Variable<Scalar>> outputs;
            Variable<Scalar> state;
            for (std::size_t part = 0; part < parts; ++part) {
                const auto begin = static_cast<std::ptrdiff_t>(part * length);
                const auto x_of_part = slice(x, 0, begin, begin + static_cast<std::ptrdiff_t>(length));
                const auto result =
                    part == 0 ? layer(x_of_part)
                              : layer(x_of_part, state, {.first_time_step = static_cast<std::int32_t>(part * length)});
                outputs.push_back(result.output);
                state = truncated ? result.state.detach() : result.state;
            }
            tape.backward(sum(y * concat(outputs, 0)));

            // What is read, against plain loops over the tape.
            const auto norm = [](const Scalar* data, std::size_t size) {
                double squares = 0;
                for (std::size_t k = 0; k < size; ++k)
                    squares += static_cast<double>(data[k]) * static_cast<double>(data[k]);
                return std::sqrt(squares);
            };
            const double precision = std::is_same_v<Scalar, float> ? 1e-6 : 1e-14;
            const auto flow = inspect::gradient_flow(tape);
            const inspect::StateFlow& h = flow["net.h"];
            REQUIRE(h.time_step.size() == parts * length);
            std::vector<NodeIndex> probes;
            for (NodeIndex k = 0; k < tape.size(); ++k)
                if (tape.node(k).probe) probes.push_back(k);
            REQUIRE(probes.size() == parts * length);
            for (std::size_t t = 0; t < probes.size(); ++t) {
                const Node<Scalar>& node = tape.node(probes[t]);
                const std::size_t size = batch * hidden;
                CHECK(h.time_step[t] == static_cast<std::int32_t>(t));
                CHECK(h.grad_norm[t] == doctest::Approx(norm(node.retained_gradient, size)).epsilon(precision));
                CHECK(h.value_norm[t] == doctest::Approx(norm(node.value, size)).epsilon(precision));
                double saturated = 0;
                for (std::size_t k = 0; k < size; ++k) saturated += std::abs(node.value[k]) > Scalar(0.9);
                CHECK(h.saturation[t] == doctest::Approx(saturated / static_cast<double>(size)).epsilon(1e-14));
            }
            const std::vector<Parameter<Scalar>> parameters{layer.weight_ih, layer.weight_hh, layer.bias_ih,
                                                            layer.bias_hh};
            const auto contributions = inspect::weight_contributions(tape, parameters);
            for (std::size_t p = 0; p < parameters.size(); ++p) {
                const auto alone = inspect::weight_contributions(tape, parameters[p]);
                CHECK(contributions[p].time_step == alone.time_step);
                CHECK(contributions[p].norm == alone.norm);
                CHECK(contributions[p].norm.size() >= parts * length - 1);
            }
            // Of a bias ||delta_t||, delta_t = dL/dh_t (1 - h_t^2), summed over the rows.
            for (std::size_t t = 0; t < probes.size(); ++t) {
                const Node<Scalar>& node = tape.node(probes[t]);
                std::vector<Scalar> delta(hidden, Scalar(0));
                for (std::size_t k = 0; k < batch * hidden; ++k)
                    delta[k % hidden] += node.retained_gradient[k] * (1 - node.value[k] * node.value[k]);
                CHECK(contributions[2].norm[t] ==
                      doctest::Approx(norm(delta.data(), hidden)).epsilon(std::max(precision, 3e-6)));
            }
        }
}

TEST_CASE("a step of a layer that was given a name of its own is shown by that name") {
    for (const std::string kind : recurrent_kinds) {
        CAPTURE(kind);
        const AnyLayer<double> layer({.kind = kind, .input_size = I, .hidden_size = H, .name = "net"});
        randomize(layer.parameters);
        const Array<double> x = random_array({T, B, I}, 9);
        Tape<double> tape;
        const auto flow_of = [&](bool renamed) {
            tape.clear();
            const auto output = layer.run(tape.constant(x), {}).first;
            for (NodeIndex k = 0; renamed && k < tape.size(); ++k)
                if (tape.node(k).name.text() == "net.h" && tape.node(k).time_step == 2) tape.at(k).named("mine");
            tape.backward(sum(output * output));
            return inspect::gradient_flow(tape);
        };
        const auto plain = flow_of(false), flow = flow_of(true);
        CHECK(flow["mine"].time_step == std::vector<std::int32_t>{2});
        CHECK(flow["mine"].grad_norm.at(0) == plain["net.h"].grad_norm.at(2));
        CHECK(flow["net.h"].time_step == std::vector<std::int32_t>{0, 1, 3, 4});
        for (std::size_t k = 0; k < 4; ++k)
            CHECK(flow["net.h"].grad_norm.at(k) == plain["net.h"].grad_norm.at(k < 2 ? k : k + 1));
        if (kind == "lstm") CHECK(flow["net.c"].grad_norm == plain["net.c"].grad_norm);
    }
}
