/// Layers above layers, in both directions, over sequences of any lengths: T, B, I, H are steps, batch, input size and
/// hidden size, L and D layers and directions.

#include <ebb/autograd/grad_mode.hpp>
#include <ebb/autograd/jacobian.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/random.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "layers/module_gradcheck.hpp"
#include "layers/recurrent_kinds.hpp"
#include "support/golden.hpp"
#include <doctest/doctest.h>

using namespace ebb;

namespace {

constexpr Granularity granularities[] = {Granularity::fused, Granularity::elementary};

/// Every form of every cell, two layers in both directions.
std::vector<RecurrentOptions> every_form() {
    std::vector<RecurrentOptions> forms;
    for (const std::string kind : recurrent_kinds)
        for (const Granularity granularity : granularities) forms.push_back({.kind = kind, .granularity = granularity});
    forms.push_back({.kind = "lstm", .proj_size = 2});
    forms.push_back({.kind = "lstm", .peepholes = true});
    forms.push_back({.kind = "lstm", .proj_size = 1, .peepholes = true});
    forms.push_back({.kind = "gru", .reset_gate = ResetGate::before_product});
    for (RecurrentOptions& form : forms) {
        form.input_size = 2;
        form.hidden_size = 3;
        form.num_layers = 2;
        form.bidirectional = true;
    }
    return forms;
}

std::size_t width_of_h(const RecurrentOptions& o) {
    return o.proj_size != 0 ? o.proj_size : o.hidden_size;
}

/// h0 and, of an LSTM, c0 for so many sequences.
std::vector<Array<double>> random_states(const RecurrentOptions& o, std::size_t batch, unsigned seed) {
    const std::size_t cells = o.num_layers * (o.bidirectional ? 2 : 1);
    std::vector<Array<double>> states{random_array({cells, batch, width_of_h(o)}, seed)};
    if (o.has_cell_state()) states.push_back(random_array({cells, batch, o.hidden_size}, seed + 1));
    return states;
}

States<double> leaves(Tape<double>& tape, const std::vector<Array<double>>& arrays) {
    States<double> result;
    for (const auto& array : arrays) result.push_back(tape.variable(array));
    return result;
}

/// Sequence b of [.., B, ..] along `axis`, alone.
Array<double> one_of(const Array<double>& all, std::size_t axis, std::size_t b) {
    Tape<double> tape;
    const auto start = static_cast<std::ptrdiff_t>(b), along = static_cast<std::ptrdiff_t>(axis);
    return slice(tape.constant(all), along, start, start + 1).value();
}

}  // namespace

TEST_CASE("a padded batch gives what each sequence gives alone, values and gradients, in any order of lengths") {
    const std::vector<std::vector<std::size_t>> orders{
        {5, 4, 2, 2, 1}, {2, 5, 1, 4, 2}, {5, 5, 5, 5, 5}, {3, 0, 5, 0, 3}};
    constexpr std::size_t T = 5, B = 5;
    for (RecurrentOptions form : every_form())
        for (const auto& lengths : orders)
            for (const bool batch_first : {false, true}) {
                CAPTURE(form.kind);
                CAPTURE(form.proj_size);
                CAPTURE(form.peepholes);
                CAPTURE(form.granularity == Granularity::fused);
                CAPTURE(lengths);
                CAPTURE(batch_first);
                form.batch_first = batch_first;
                const AnyLayer<double> layer(form);
                randomize(layer.parameters);
                const std::size_t batch_axis = batch_first ? 0 : 1, time_axis = 1 - batch_axis;
                const std::size_t width = 2 * width_of_h(form);
                const auto extents = [&](std::size_t steps, std::size_t batch, std::size_t last) {
                    return batch_first ? Shape{batch, steps, last} : Shape{steps, batch, last};
                };
                Array<double> x = random_array(extents(T, B, 2), 1), cotangent = random_array(extents(T, B, width), 2);
                for (std::size_t b = 0; b < B; ++b)  // what stands at the padding is not looked at
                    for (std::size_t t = lengths[b]; t < T; ++t)
                        for (std::size_t i = 0; i < 2; ++i) (batch_first ? x(b, t, i) : x(t, b, i)) = 1e9;
                const auto states = random_states(form, B, 3), state_cotangents = random_states(form, B, 5);

                Tape<double> tape;
                const auto xs = tape.variable(x);
                const States<double> before = leaves(tape, states);
                const auto [output, after] = layer.run(xs, before, {.lengths = lengths});
                REQUIRE(output.shape() == extents(T, B, width));
                auto loss = projected(output, cotangent);
                for (std::size_t p = 0; p < after.size(); ++p) loss = loss + projected(after[p], state_cotangents[p]);
                for (auto [name, parameter] : layer.parameters) parameter.zero_grad();
                tape.backward(loss);
                std::map<std::string, Array<double>> gradients;
                for (auto [name, parameter] : layer.parameters) {
                    gradients[name] = parameter.grad();
                    parameter.zero_grad();
                }

                for (std::size_t b = 0; b < B; ++b) {
                    CAPTURE(b);
                    const Array<double> y_b = one_of(output.value(), batch_axis, b);
                    const Array<double> dx_b = one_of(xs.grad(), batch_axis, b);
                    for (std::size_t t = lengths[b]; t < T; ++t) {
                        for (std::size_t j = 0; j < width; ++j) CHECK(y_b.data()[t * width + j] == 0);
                        for (std::size_t i = 0; i < 2; ++i) CHECK(dx_b.data()[t * 2 + i] == 0);
                    }
                    if (lengths[b] == 0) {  // nothing has happened to the state
                        for (std::size_t p = 0; p < after.size(); ++p) {
                            CHECK(one_of(after[p].value(), 1, b) == one_of(states[p], 1, b));
                            CHECK(one_of(before[p].grad(), 1, b) == one_of(state_cotangents[p], 1, b));
                        }
                        continue;
                    }
                    Tape<double> alone;
                    const auto part = [&](const Array<double>& all) {
                        const auto sequence = alone.constant(one_of(all, batch_axis, b));
                        return Array<double>(slice(sequence, static_cast<std::ptrdiff_t>(time_axis), 0,
                                                   static_cast<std::ptrdiff_t>(lengths[b]))
                                                 .value());
                    };
                    const auto x_b = alone.variable(part(x));
                    std::vector<Array<double>> states_b, cotangents_b;
                    for (std::size_t p = 0; p < states.size(); ++p) {
                        states_b.push_back(one_of(states[p], 1, b));
                        cotangents_b.push_back(one_of(state_cotangents[p], 1, b));
                    }
                    const States<double> before_b = leaves(alone, states_b);
                    const auto [expected, after_b] = layer.run(x_b, before_b);
                    auto loss_b = projected(expected, part(cotangent));
                    for (std::size_t p = 0; p < states.size(); ++p)
                        loss_b = loss_b + projected(after_b[p], cotangents_b[p]);
                    alone.backward(loss_b);
                    CHECK(difference(part(output.value()), expected.value(), 1e-12, 1e-14) == "");
                    CHECK(difference(part(xs.grad()), x_b.grad(), 1e-11, 1e-13) == "");
                    for (std::size_t p = 0; p < states.size(); ++p) {
                        CHECK(difference(one_of(after[p].value(), 1, b), after_b[p].value(), 1e-12, 1e-14) == "");
                        CHECK(difference(one_of(before[p].grad(), 1, b), before_b[p].grad(), 1e-11, 1e-13) == "");
                    }
                }
                for (const auto& [name, parameter] : layer.parameters)
                    CHECK(difference(gradients[name], parameter.grad(), 1e-11, 1e-12) == "");
            }
}

TEST_CASE("at each step only the sequences that reach it are computed") {
    const AnyLayer<double> layer(
        {.kind = "lstm", .input_size = 2, .hidden_size = 3, .name = "lstm", .bidirectional = true});
    Tape<double> tape;
    layer.run(tape.variable(random_array({6, 4, 2}, 1)), {}, {.lengths = {2, 5, 1, 5}});
    const std::vector<std::size_t> rows{4, 3, 2, 2, 2};
    std::map<std::string, std::vector<std::int32_t>> times;
    for (NodeIndex index = 0; index < tape.size(); ++index) {
        const Node<double>& node = tape.node(index);
        if (!node.probe) continue;
        times[node.name.text()].push_back(node.time_step);
        CHECK(node.shape == Shape{rows.at(static_cast<std::size_t>(node.time_step)), 3});
    }
    const std::vector<std::int32_t> ascending{0, 1, 2, 3, 4}, descending{4, 3, 2, 1, 0};
    CHECK(times.size() == 4);
    CHECK(times["lstm.h"] == ascending);
    CHECK(times["lstm.c"] == ascending);
    CHECK(times["lstm.reverse.h"] == descending);
    CHECK(times["lstm.reverse.c"] == descending);
}

TEST_CASE("states are called after layer and direction, with the time in the sequence") {
    for (const Granularity granularity : granularities) {
        const AnyLayer<double> layer({.kind = "gru",
                                      .input_size = 2,
                                      .hidden_size = 3,
                                      .granularity = granularity,
                                      .name = "encoder",
                                      .num_layers = 2,
                                      .bidirectional = true});
        Tape<double> tape;
        layer.run(tape.variable(random_array({3, 1, 2}, 1)), {}, {.first_time_step = 10});
        std::map<std::string, std::vector<std::int32_t>> times;
        std::map<std::string, StepOwner> owners;
        for (NodeIndex index = 0; index < tape.size(); ++index) {
            const Node<double>& node = tape.node(index);
            if (!node.probe) continue;
            times[node.name.text()].push_back(node.time_step);
            owners[node.name.text()] = node.step_owner;
        }
        const std::vector<std::int32_t> ascending{10, 11, 12}, descending{12, 11, 10};
        CHECK(times.size() == 4);
        CHECK(times["encoder.l0.h"] == ascending);
        CHECK(times["encoder.l0.reverse.h"] == descending);
        CHECK(times["encoder.l1.h"] == ascending);
        CHECK(times["encoder.l1.reverse.h"] == descending);
        CHECK(owners["encoder.l0.h"] != owners["encoder.l1.h"]);
        CHECK(owners["encoder.l0.h"] != owners["encoder.l0.reverse.h"]);
    }
}

TEST_CASE("gates belong to the time of their step, in either direction") {
    const AnyLayer<double> layer({.kind = "lstm",
                                  .input_size = 2,
                                  .hidden_size = 3,
                                  .granularity = Granularity::elementary,
                                  .bidirectional = true});
    Tape<double> tape;
    layer.run(tape.variable(random_array({4, 1, 2}, 1)), {});
    std::map<std::string, std::vector<std::int32_t>> times;
    for (NodeIndex index = 0; index < tape.size(); ++index)
        if (tape.node(index).intermediate) times[tape.node(index).name.text()].push_back(tape.node(index).time_step);
    CHECK(times.size() == 4);
    CHECK(times["forget_gate"] == std::vector<std::int32_t>{0, 1, 2, 3, 3, 2, 1, 0});
}

TEST_CASE("what is no sequence at all passes the state on: no sequences, and all lengths 0") {
    for (const RecurrentOptions& form : every_form()) {
        CAPTURE(form.kind);
        const AnyLayer<double> layer(form);
        Tape<double> tape;
        const auto [none, none_after] = layer.run(tape.zeros({4, 0, 2}), {});
        CHECK(none.shape() == Shape{4, 0, 2 * width_of_h(form)});
        CHECK(none_after[0].shape() == Shape{4, 0, width_of_h(form)});

        const auto states = random_states(form, 2, 1);
        const States<double> before = leaves(tape, states);
        const auto [output, after] = layer.run(tape.ones({4, 2, 2}), before, {.lengths = {0, 0}});
        CHECK(output.shape() == Shape{4, 2, 2 * width_of_h(form)});
        CHECK(sum(abs(output)).item() == 0);
        for (std::size_t p = 0; p < states.size(); ++p) CHECK(Array<double>(after[p].value()) == states[p]);
    }
}

TEST_CASE("a sequence in parts, and one step at a time, is the whole sequence") {
    constexpr std::size_t T = 7;
    for (RecurrentOptions form : every_form()) {
        CAPTURE(form.kind);
        form.bidirectional = false;
        const AnyLayer<double> layer(form);
        randomize(layer.parameters);
        const Array<double> x = random_array({T, 3, 2}, 1), cotangent = random_array({T, 3, width_of_h(form)}, 2);
        const auto results = [&](const std::vector<std::ptrdiff_t>& ends) {
            for (auto [name, parameter] : layer.parameters) parameter.zero_grad();
            Tape<double> tape;
            const auto in = tape.variable(x);
            std::vector<Variable<double>> outputs;
            States<double> state;
            std::ptrdiff_t start = 0;
            for (const std::ptrdiff_t end : ends) {
                const auto [output, after] = layer.run(slice(in, 0, start, end), state);
                outputs.push_back(output);
                state = after;
                start = end;
            }
            const auto output = concat(outputs, 0);
            tape.backward(projected(output, cotangent) + sum(square(state.back())));
            std::vector<Array<double>> arrays{output.value(), Array<double>(in.grad())};
            for (const auto& part : state) arrays.emplace_back(part.value());
            for (const auto& [name, parameter] : layer.parameters) arrays.push_back(parameter.grad());
            return arrays;
        };
        const auto whole = results({7}), chunks = results({3, 4, 7}), steps = results({1, 2, 3, 4, 5, 6, 7});
        for (std::size_t k = 0; k < whole.size(); ++k) {
            CHECK(difference(chunks[k], whole[k], 1e-11, 1e-13) == "");
            CHECK(difference(steps[k], whole[k], 1e-11, 1e-13) == "");
        }
    }
}

TEST_CASE("first and second derivatives of every form agree with central differences, with lengths") {
    for (RecurrentOptions form : every_form()) {
        CAPTURE(form.kind);
        CAPTURE(form.proj_size);
        CAPTURE(form.peepholes);
        CAPTURE(form.granularity == Granularity::fused);
        form.hidden_size = form.proj_size != 0 ? 3 : 2;
        form.initial_state = InitialState::learned;
        const AnyLayer<double> layer(form);
        randomize(layer.parameters);
        ModuleCheck check;
        check.inputs = {random_array({3, 2, 2}, 1)};
        for (const auto& [name, parameter] : layer.parameters) check.parameters.push_back(parameter);
        check.f = [&](const std::vector<Variable<double>>& in) {
            const auto [output, after] = layer.run(in[0], {}, {.lengths = {1, 3}});
            std::vector<Variable<double>> all{reshape(output, {output.size()})};
            for (const auto& state : after) all.push_back(reshape(state, {state.size()}));
            return concat(all, 0);
        };
        CHECK(check.errors(1) == "");
        if (form.kind != "rnn_relu") CHECK(check.errors(2) == "");
    }
}

TEST_CASE("gradients add up over passes, wherever in packed sequences they begin, in both directions") {
    for (const std::string kind : recurrent_kinds)
        for (const bool given_state : {false, true}) {
            CAPTURE(kind);
            CAPTURE(given_state);
            const RecurrentOptions options{
                .kind = kind, .input_size = 2, .hidden_size = 3, .num_layers = 2, .bidirectional = true};
            const AnyLayer<double> layer(options);
            randomize(layer.parameters);
            const auto gradients = [&](const std::vector<std::vector<std::ptrdiff_t>>& passes) {
                for (auto [name, parameter] : layer.parameters) parameter.zero_grad();
                Tape<double> tape;
                const auto x = tape.variable(random_array({6, 4, 2}, 1));
                const States<double> before =
                    given_state ? leaves(tape, random_states(options, 4, 2)) : States<double>();
                const auto output = layer.run(x, before, {.lengths = {3, 6, 1, 6}}).first;
                for (const auto& pass : passes) {
                    auto loss = tape.scalar(0);
                    for (const std::ptrdiff_t t : pass) loss = loss + sum(square(select(output, 0, t)));
                    tape.backward(loss, BackwardOptions{.retain_graph = true});
                }
                std::vector<Array<double>> result{Array<double>(x.grad())};
                for (const auto& state : before) result.emplace_back(state.grad());
                for (const auto& [name, parameter] : layer.parameters) result.push_back(parameter.grad());
                return result;
            };
            const auto together = gradients({{0, 1, 2, 3, 4, 5}});
            for (const auto& apart : {gradients({{5}, {4}, {3}, {2}, {1}, {0}}), gradients({{0}, {2, 5}, {1, 3}, {4}})})
                for (std::size_t k = 0; k < together.size(); ++k)
                    CHECK(difference(apart[k], together[k], 1e-12, 1e-14) == "");
        }
}

TEST_CASE("Jacobians in one sweep are those of the elementary graph, over packed sequences in both directions") {
    for (const std::string kind : recurrent_kinds)
        for (const bool packed : {false, true}) {
            CAPTURE(kind);
            CAPTURE(packed);
            std::vector<std::vector<Array<double>>> results;
            for (const Granularity granularity : granularities) {
                const RecurrentOptions options{
                    .kind = kind, .input_size = 2, .hidden_size = 2, .granularity = granularity, .bidirectional = true};
                const AnyLayer<double> layer(options);
                randomize(layer.parameters);
                Tape<double> tape;
                const auto x = tape.variable(random_array({4, 3, 2}, 1));
                std::vector<Variable<double>> targets = leaves(tape, random_states(options, 3, 2));
                const auto [output, after] =
                    layer.run(x, targets, {.lengths = packed ? Lengths{2, 4, 1} : Lengths{4, 4, 4}});
                targets.push_back(x);
                for (const auto& [name, parameter] : layer.parameters) targets.push_back(tape.use(parameter));
                results.emplace_back();
                for (const auto& J : jacobian(concat(std::vector{reshape(output, {output.size()}),
                                                                 reshape(after.back(), {after.back().size()})},
                                                     0),
                                              targets))
                    results.back().emplace_back(J.value());
            }
            for (std::size_t k = 0; k < results[0].size(); ++k)
                CHECK(difference(results[0][k], results[1][k], 1e-11, 1e-13) == "");
        }
}

TEST_CASE("a hook on a state changes what flows on, where sequences end and where they begin") {
    for (const std::string kind : recurrent_kinds)
        for (std::int32_t t = 0; t < 5; ++t) {
            CAPTURE(kind);
            CAPTURE(t);
            std::vector<std::vector<Array<double>>> results;
            for (const Granularity granularity : granularities)
                for (const bool hooked : {true, false}) {
                    const RecurrentOptions options{.kind = kind,
                                                   .input_size = 2,
                                                   .hidden_size = 3,
                                                   .granularity = granularity,
                                                   .bidirectional = true};
                    const AnyLayer<double> layer(options);
                    randomize(layer.parameters);
                    Tape<double> tape;
                    const auto x = tape.variable(random_array({5, 4, 2}, 1));
                    const States<double> before = leaves(tape, random_states(options, 4, 2));
                    const auto [output, after] = layer.run(x, before, {.lengths = {2, 5, 1, 4}});
                    for (NodeIndex index = 0; index < tape.size() && hooked; ++index)
                        if (tape.node(index).probe && tape.node(index).time_step == t)
                            tape.at(index).register_hook([](const auto& dh) { return 3 * dh; });
                    tape.backward(sum(square(output)) + sum(square(after.back())));
                    results.push_back({Array<double>(x.grad())});
                    for (const auto& state : before) results.back().emplace_back(state.grad());
                    for (const auto& [name, parameter] : layer.parameters) results.back().push_back(parameter.grad());
                }
            for (std::size_t k = 0; k < results[0].size(); ++k)
                CHECK(difference(results[0][k], results[2][k], 1e-11, 1e-13) == "");
            CHECK(difference(results[0][0], results[1][0], 1e-3, 1e-3) != "");
        }
}

TEST_CASE("a pass that begins inside a direction reaches what came before it there, and nothing else") {
    for (const std::string kind : recurrent_kinds) {
        CAPTURE(kind);
        const AnyLayer<double> fused({.kind = kind, .input_size = 2, .hidden_size = 3, .bidirectional = true}),
            elementary({.kind = kind,
                        .input_size = 2,
                        .hidden_size = 3,
                        .granularity = Granularity::elementary,
                        .bidirectional = true});
        randomize(fused.parameters);
        randomize(elementary.parameters);
        const std::vector<std::size_t> lengths{2, 5, 1, 4};
        for (std::int32_t t = 0; t < 5; ++t)
            for (const std::string probe : {"h", "reverse.h"}) {
                CAPTURE(t);
                CAPTURE(probe);
                std::vector<std::vector<Array<double>>> results;
                for (const AnyLayer<double>* layer : {&fused, &elementary}) {
                    for (auto [name, parameter] : layer->parameters) parameter.zero_grad();
                    Tape<double> tape;
                    const auto x = tape.variable(random_array({5, 4, 2}, 1));
                    States<double> before{tape.variable(random_array({2, 4, 3}, 2))};
                    if (kind == "lstm") before.push_back(tape.variable(random_array({2, 4, 3}, 3)));
                    layer->run(x, before, {.lengths = lengths});
                    Variable<double> state;
                    for (NodeIndex index = 0; index < tape.size(); ++index)
                        if (tape.node(index).name.text() == probe && tape.node(index).time_step == t)
                            state = tape.at(index);
                    REQUIRE(state.defined());
                    tape.backward(sum(square(state)));
                    results.push_back({Array<double>(x.grad())});
                    for (const auto& part : before) results.back().emplace_back(part.grad());
                    for (const auto& [name, parameter] : layer->parameters) results.back().push_back(parameter.grad());
                    for (std::size_t s = 0; s < 5; ++s)  // x_s, of the sequences that reach t
                        for (std::size_t b = 0; b < 4; ++b) {
                            const bool before_t = probe == "h" ? static_cast<std::int32_t>(s) <= t
                                                               : static_cast<std::int32_t>(s) >= t && s < lengths[b];
                            const bool reaches = before_t && static_cast<std::int32_t>(lengths[b]) > t;
                            if (kind != "rnn_relu") CHECK((x.grad()(s, b, 0) != 0) == reaches);
                        }
                }
                for (std::size_t k = 0; k < results[0].size(); ++k)
                    CHECK(difference(results[0][k], results[1][k], 1e-11, 1e-13) == "");
            }
    }
}

TEST_CASE("what each step adds to a weight's gradient is kept at its time, in every form and both directions") {
    for (const std::string kind : recurrent_kinds)
        for (const bool packed : {false, true}) {
            CAPTURE(kind);
            CAPTURE(packed);
            // Of every weight the sum of the shares at each time.
            const auto shares_by_time = [&](Granularity granularity) {
                const AnyLayer<double> layer({.kind = kind,
                                              .input_size = 2,
                                              .hidden_size = 3,
                                              .granularity = granularity,
                                              .bidirectional = true});
                randomize(layer.parameters);
                Tape<double> tape;
                const auto x = tape.variable(random_array({5, 3, 2}, 1));
                States<double> before{tape.variable(random_array({2, 3, 3}, 2))};
                if (kind == "lstm") before.push_back(tape.variable(random_array({2, 3, 3}, 3)));
                SequenceOptions how;
                if (packed) how.lengths = {2, 5, 1};
                tape.backward(sum(square(layer.run(x, before, how).first)));
                std::map<std::string, std::map<std::int32_t, Array<double>>> sums;
                for (const auto& [name, parameter] : layer.parameters) {
                    if (parameter.shape().rank() != 2) continue;
                    const std::size_t rows = parameter.shape()[0], columns = parameter.shape()[1];
                    for (const auto& share : tape.shares(parameter)) {
                        const std::size_t batch = share.rows / share.time_steps;
                        for (std::size_t r = 0; r < share.rows; ++r) {
                            auto& sum_at = sums[name][share.first_time_step + static_cast<std::int32_t>(r / batch)];
                            if (sum_at.dimension() == 0) sum_at = Array<double>(parameter.value() * 0.0);
                            for (std::size_t i = 0; i < rows; ++i)
                                for (std::size_t j = 0; j < columns; ++j)
                                    sum_at(i, j) +=
                                        share.delta[r * share.delta_stride + i] * share.x[r * share.x_stride + j];
                        }
                    }
                }
                return sums;
            };
            const auto fused = shares_by_time(Granularity::fused), elementary = shares_by_time(Granularity::elementary);
            CHECK(fused.size() == 4);
            for (const auto& [weight, times] : fused) {
                CHECK(times.size() == 5);
                for (const auto& [time, found] : times)
                    CHECK(difference(found, elementary.at(weight).at(time), 1e-11, 1e-13) == "");
            }
        }
}

TEST_CASE("a learned initial state begins as zeros, is the same for every sequence, and gives way to a given one") {
    for (RecurrentOptions form : every_form()) {
        CAPTURE(form.kind);
        const AnyLayer<double> zeros(form);
        randomize(zeros.parameters);
        form.initial_state = InitialState::learned;
        const AnyLayer<double> learned(form);
        const std::size_t states = form.has_cell_state() ? 2 : 1;
        REQUIRE(learned.parameters.size() == zeros.parameters.size() + states);
        for (std::size_t k = 0; k < zeros.parameters.size(); ++k) {
            CHECK(learned.parameters[k].first == zeros.parameters[k].first);
            auto parameter = learned.parameters[k].second;
            parameter.set_value(zeros.parameters[k].second.value());
        }
        auto h_0 = learned.parameters[zeros.parameters.size()].second;
        CHECK(h_0.name() == "h_0");
        CHECK(h_0.shape() == Shape{4, 1, width_of_h(form)});
        if (states == 2) CHECK(learned.parameters.back().first == "c_0");

        Tape<double> tape;
        const auto x = tape.constant(random_array({3, 2, 2}, 1));
        const Array<double> from_zeros = zeros.run(x, {}).first.value();
        CHECK(difference(learned.run(x, {}).first.value(), from_zeros, 1e-14, 1e-15) == "");

        const Array<double> start = random_array({4, 1, width_of_h(form)}, 2);
        h_0.set_value(start);
        States<double> given{broadcast_to(tape.variable(start), {4, 2, width_of_h(form)})};
        if (states == 2) given.push_back(tape.zeros({4, 2, form.hidden_size}));
        const auto expected = zeros.run(x, given).first, found = learned.run(x, {}).first;
        CHECK(difference(found.value(), expected.value(), 1e-14, 1e-15) == "");
        CHECK(difference(found.value(), from_zeros, 1e-3, 1e-3) != "");
        const auto d_given = grad(sum(square(expected)), {given[0]}).at(0);
        tape.backward(sum(square(found)));
        CHECK(difference(h_0.grad(), sum(d_given, 1, true).value(), 1e-12, 1e-14) == "");

        States<double> none{tape.zeros({4, 2, width_of_h(form)})};
        if (states == 2) none.push_back(tape.zeros({4, 2, form.hidden_size}));
        CHECK(difference(learned.run(x, none).first.value(), from_zeros, 1e-14, 1e-15) == "");
    }
}

TEST_CASE("dropout falls between the layers, and only in training") {
    RecurrentOptions options{.kind = "gru", .input_size = 2, .hidden_size = 3, .num_layers = 2};
    const AnyLayer<double> plain(options);
    randomize(plain.parameters);
    const auto with_dropout = [&](double p) {
        options.dropout = p;
        AnyLayer<double> layer(options);
        for (std::size_t k = 0; k < plain.parameters.size(); ++k)
            layer.parameters[k].second.set_value(plain.parameters[k].second.value());
        return layer;
    };
    Tape<double> tape;
    const auto x = tape.constant(random_array({4, 3, 2}, 1));
    const auto [expected, expected_after] = plain.run(x, {});

    const AnyLayer<double> half = with_dropout(0.5);
    manual_seed(1);
    const auto [first, first_after] = half.run(x, {});
    const Array<double> second = half.run(x, {}).first.value();
    manual_seed(1);
    const Array<double> again = half.run(x, {}).first.value();
    CHECK(difference(first.value(), expected.value(), 1e-3, 1e-3) != "");
    CHECK(difference(first.value(), second, 1e-3, 1e-3) != "");
    CHECK(Array<double>(first.value()) == again);
    // Nothing falls on the first layer's input, nor on its states.
    CHECK(difference(select(first_after[0], 0, 0).value(), Array<double>(select(expected_after[0], 0, 0).value()), 0,
                     0) == "");
    half.train(false);
    CHECK(Array<double>(half.run(x, {}).first.value()) == Array<double>(expected.value()));

    // With p = 1 the second layer sees zeros.
    const Array<double> blind = with_dropout(1).run(x, {}).first.value();
    GRU<double> upper({.input_size = 3, .hidden_size = 3});
    for (std::size_t k = 0; k < 4; ++k) upper.parameters()[k].set_value(plain.parameters[4 + k].second.value());
    CHECK(difference(blind, upper(tape.zeros({4, 3, 3})).output.value(), 1e-14, 1e-15) == "");
}

TEST_CASE("an activation of one's own: tanh is the tanh cell, the identity is a linear network") {
    const RNN<double> given({.input_size = 2, .hidden_size = 3, .num_layers = 2, .bidirectional = true},
                            [](const auto& a) { return tanh(a); });
    const RNN<double> built_in({.input_size = 2, .hidden_size = 3, .num_layers = 2, .bidirectional = true});
    RNN<double> copy = built_in;
    copy.load_state_dict(given.state_dict());
    Tape<double> tape;
    const auto x = tape.constant(random_array({4, 2, 2}, 1));
    CHECK(difference(given(x).output.value(), built_in(x).output.value(), 1e-14, 1e-15) == "");

    // dh_T/dh_0 = W^T, exactly.
    const RNNCell<double> linear_cell({.input_size = 1, .hidden_size = 2, .bias = false},
                                      [](const auto& a) { return a; });
    Parameter<double> w = linear_cell.weight_hh;
    w.set_value({{0, 2}, {-3, 0}});
    const auto start = tape.variable({{5.0, 7.0}});
    Variable<double> h = start;
    for (int t = 0; t < 4; ++t) h = linear_cell(tape.zeros({1, 1}), h);
    CHECK(h.time_step() == 3);
    CHECK(h.name() == "h");
    // W W = -6 I, so W^4 = 36 I
    CHECK(difference(h.value(), Array<double>{{180.0, 252.0}}, 0, 0) == "");
    CHECK(difference(grad(sum(h), {start}).at(0).value(), Array<double>{{36.0, 36.0}}, 0, 0) == "");
}

TEST_CASE("peepholes: i and f see the cell state before, o the one after; by hand") {
    const auto sigma = [](double a) { return 1 / (1 + std::exp(-a)); };
    const LSTMCell<double> cell({.input_size = 1, .hidden_size = 1, .peepholes = true});
    const auto set = [](Parameter<double> parameter, const std::vector<double>& values) {
        REQUIRE(values.size() == parameter.size());
        std::copy(values.begin(), values.end(), parameter.mutable_value().data());
    };
    set(cell.weight_ih, {0.1, 0.2, 0.3, 0.4});
    set(cell.weight_hh, {-0.5, 0.6, 0.7, -0.8});
    set(cell.bias_ih, {0.01, 0.02, 0.03, 0.04});
    set(cell.bias_hh, {0, 0, 0, 0});
    set(cell.weight_ch, {1.5, -2.5, 3.5});
    const double x = 0.9, h = -0.4, c = 0.7;
    const double i = sigma(0.1 * x - 0.5 * h + 0.01 + 1.5 * c);
    const double f = sigma(0.2 * x + 0.6 * h + 0.02 - 2.5 * c);
    const double g = std::tanh(0.3 * x + 0.7 * h + 0.03);
    const double c_t = f * c + i * g;
    const double o = sigma(0.4 * x - 0.8 * h + 0.04 + 3.5 * c_t);
    Tape<double> tape;
    const auto state = cell(tape.full({1, 1}, x), {tape.full({1, 1}, h), tape.full({1, 1}, c)});
    CHECK(state.c.item() == doctest::Approx(c_t).epsilon(1e-14));
    CHECK(state.h.item() == doctest::Approx(o * std::tanh(c_t)).epsilon(1e-14));

    // With peepholes of 0 it is the LSTM.
    set(cell.weight_ch, {0, 0, 0});
    const LSTMCell<double> plain({.input_size = 1, .hidden_size = 1});
    for (std::size_t k = 0; k < 4; ++k) plain.parameters()[k].set_value(cell.parameters()[k].value());
    const auto input = tape.full({1, 1}, x);
    const LSTMState<double> before{tape.full({1, 1}, h), tape.full({1, 1}, c)};
    CHECK(cell(input, before).h.item() == doctest::Approx(plain(input, before).h.item()).epsilon(1e-14));
}

TEST_CASE("a GRU that resets before the product, by hand") {
    const auto sigma = [](double a) { return 1 / (1 + std::exp(-a)); };
    const GRUCell<double> cell({.input_size = 1, .hidden_size = 2, .reset_gate = ResetGate::before_product});
    randomize(cell.named_parameters());
    const auto& W = cell.weight_ih.value();
    const auto& U = cell.weight_hh.value();
    const auto& b = cell.bias_ih.value();
    const auto& d = cell.bias_hh.value();
    const double x = 0.9, h[2] = {-0.4, 0.7};
    double r[2], z[2], expected[2];
    for (std::size_t j = 0; j < 2; ++j) {
        r[j] = sigma(W(j, 0) * x + b(j) + U(j, 0) * h[0] + U(j, 1) * h[1] + d(j));
        z[j] = sigma(W(2 + j, 0) * x + b(2 + j) + U(2 + j, 0) * h[0] + U(2 + j, 1) * h[1] + d(2 + j));
    }
    for (std::size_t j = 0; j < 2; ++j) {
        const double n =
            std::tanh(W(4 + j, 0) * x + b(4 + j) + U(4 + j, 0) * r[0] * h[0] + U(4 + j, 1) * r[1] * h[1] + d(4 + j));
        expected[j] = (1 - z[j]) * n + z[j] * h[j];
    }
    Tape<double> tape;
    const auto found = cell(tape.full({1, 1}, x), tape.constant(Array<double>{{h[0], h[1]}}));
    for (std::size_t j = 0; j < 2; ++j) CHECK(found.value()(0, j) == doctest::Approx(expected[j]).epsilon(1e-14));
}

TEST_CASE("a copy of a layer is the same layer, and its cells have its weights") {
    LSTM<double> lstm({.input_size = 2, .hidden_size = 3, .num_layers = 2, .bidirectional = true});
    const LSTM<double> copy = lstm;
    CHECK(lstm.output_size() == 6);
    CHECK(lstm.parameters().size() == 16);
    CHECK(copy.cell(1, true).weight_hh.shares_with(lstm.parameters()[13]));
    CHECK(lstm.named_parameters()[13].first == "weight_hh_l1_reverse");
    CHECK(lstm.cell(1).weight_ih.shape() == Shape{12, 6});
    CHECK(lstm.weight_ih.shares_with(lstm.cell().weight_ih));
}

TEST_CASE("without gradients nothing is recorded to go back through, with lengths and both directions too") {
    for (const RecurrentOptions& form : every_form()) {
        const AnyLayer<double> layer(form);
        Tape<double> tape;
        const auto x = tape.variable(random_array({4, 3, 2}, 1));
        const Array<double> recorded = layer.run(x, {}, {.lengths = {2, 4, 1}}).first.value();
        const NoGrad off;
        const auto output = layer.run(x, {}, {.lengths = {2, 4, 1}}).first;
        CHECK_FALSE(output.requires_grad());
        CHECK(difference(output.value(), recorded, 0, 0) == "");
    }
}
