/// What holds for every recurrent layer, whatever its numbers: T, B, I, H are steps, batch, input size and hidden size.

#include <ebb/autograd/grad_mode.hpp>
#include <ebb/autograd/gradcheck.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/layers/recurrent_step.hpp>

#include <cstddef>
#include <string>
#include <vector>

#include "layers/module_gradcheck.hpp"
#include "layers/recurrent_kinds.hpp"
#include "support/golden.hpp"
#include <doctest/doctest.h>

using namespace ebb;

namespace {

constexpr Granularity granularities[] = {Granularity::fused, Granularity::elementary};

template <class T>
struct NamedArrays {
    std::vector<std::string> names;
    std::vector<Array<T>> arrays;

    template <class E>
    void add(const std::string& name, const E& array) {
        names.push_back(name);
        arrays.emplace_back(array);
    }
};

template <class A, class B>
void check_same(const NamedArrays<A>& actual, const NamedArrays<B>& expected, double relative, double absolute) {
    REQUIRE(actual.names == expected.names);
    for (std::size_t i = 0; i < actual.names.size(); ++i) {
        const std::string found = difference(actual.arrays[i], expected.arrays[i], relative, absolute);
        CHECK_MESSAGE(found.empty(), actual.names[i], ": ", found);
    }
}

/// Where cotangents flow in.
struct Cotangents {
    bool output = true, states = true;
};

/// x [T, B, I] through a layer, or through a loop of its cell with the same weights: values and gradients.
template <class T>
NamedArrays<T> sequence(const RecurrentOptions& options, std::size_t steps, std::size_t batch, bool given_state,
                        bool by_layer, Cotangents cotangents = {}) {
    const std::size_t hidden = options.hidden_size, states = options.has_cell_state() ? 2 : 1;
    NamedArrays<T> result;
    Tape<T> tape;
    const auto x = tape.variable(random_array<T>({steps, batch, options.input_size}, 1));
    States<T> before;
    for (std::size_t s = 0; s < states && given_state; ++s)
        before.push_back(tape.variable(random_array<T>({1, batch, hidden}, 2 + static_cast<unsigned>(s))));

    Variable<T> output;
    States<T> after;
    std::vector<std::pair<std::string, Parameter<T>>> parameters;
    if (by_layer) {
        const AnyLayer<T> layer(options);
        parameters = layer.parameters;
        randomize(parameters);
        std::tie(output, after) = layer.run(x, before);
    } else {
        const AnyCell<T> cell(options);
        parameters = cell.parameters;
        randomize(parameters);
        for (std::size_t s = 0; s < states; ++s)
            after.push_back(given_state ? squeeze(before[s], 0) : tape.zeros({batch, hidden}));
        std::vector<Variable<T>> hs;
        for (std::size_t t = 0; t < steps; ++t) {
            after = cell.step(select(x, 0, static_cast<std::ptrdiff_t>(t)), after);
            hs.push_back(after[0]);
        }
        output = stack(hs);
        for (auto& state : after) state = unsqueeze(state, 0);
    }
    result.add("output", output.value());
    auto loss = tape.scalar(0);
    if (cotangents.output) loss = loss + projected(output, random_array<T>(output.shape(), 11));
    for (std::size_t s = 0; s < states; ++s) {
        result.add(s == 0 ? "h_n" : "c_n", after[s].value());
        if (cotangents.states)
            loss = loss + projected(after[s], random_array<T>(after[s].shape(), 12 + static_cast<unsigned>(s)));
    }
    tape.backward(loss);
    result.add("dx", x.grad());
    for (const auto& state : before) result.add("dstate", state.grad());
    for (const auto& [name, parameter] : parameters) {
        // weight_ih_l0 of a layer is weight_ih of a cell
        const std::string short_name = name.substr(0, name.find("_l0"));
        result.add("d" + short_name, parameter.grad());
    }
    return result;
}

}  // namespace

TEST_CASE("a layer is a loop of its cell") {
    for (const std::string kind : recurrent_kinds)
        for (const Granularity of_layer : granularities)
            for (const std::size_t steps : {1, 2, 9})
                for (const std::size_t batch : {1, 3})
                    for (const bool given_state : {true, false})
                        for (const Cotangents cotangents :
                             {Cotangents{}, Cotangents{.states = false}, Cotangents{.output = false}}) {
                            CAPTURE(kind);
                            CAPTURE(of_layer == Granularity::fused);
                            CAPTURE(steps);
                            CAPTURE(batch);
                            CAPTURE(given_state);
                            CAPTURE(cotangents.output);
                            RecurrentOptions options{
                                .kind = kind, .input_size = 3, .hidden_size = 5, .granularity = of_layer};
                            const auto layer = sequence<double>(options, steps, batch, given_state, true, cotangents);
                            for (const Granularity of_cell : granularities) {
                                options.granularity = of_cell;
                                check_same(layer,
                                           sequence<double>(options, steps, batch, given_state, false, cotangents),
                                           1e-12, 1e-13);
                            }
                        }
}

TEST_CASE("a layer without biases is a loop of its cell") {
    for (const std::string kind : recurrent_kinds) {
        CAPTURE(kind);
        const RecurrentOptions options{.kind = kind, .input_size = 2, .hidden_size = 9, .bias = false};
        check_same(sequence<double>(options, 4, 2, true, true), sequence<double>(options, 4, 2, true, false), 1e-12,
                   1e-13);
    }
}

TEST_CASE("float agrees with double over a sequence") {
    for (const std::string kind : recurrent_kinds)
        for (const Granularity granularity : granularities) {
            CAPTURE(kind);
            const RecurrentOptions options{.kind = kind, .input_size = 3, .hidden_size = 5, .granularity = granularity};
            check_same(sequence<float>(options, 7, 3, true, true), sequence<double>(options, 7, 3, true, true), 1e-4,
                       1e-4);
        }
}

TEST_CASE("first and second derivatives of every layer agree with central differences, weights included") {
    for (const std::string kind : recurrent_kinds)
        for (const Granularity granularity : granularities)
            for (const bool given_state : {true, false}) {
                CAPTURE(kind);
                CAPTURE(granularity == Granularity::fused);
                CAPTURE(given_state);
                const AnyLayer<double> layer(
                    {.kind = kind, .input_size = 2, .hidden_size = 2, .granularity = granularity});
                randomize(layer.parameters);
                ModuleCheck check;
                check.inputs = {random_array({3, 2, 2}, 1)};
                if (given_state) check.inputs.push_back(random_array({1, 2, 2}, 2));
                if (given_state && kind == "lstm") check.inputs.push_back(random_array({1, 2, 2}, 3));
                for (const auto& [name, parameter] : layer.parameters) check.parameters.push_back(parameter);
                check.f = [&](const std::vector<Variable<double>>& in) {
                    const auto [output, after] = layer.run(in[0], States<double>(in.begin() + 1, in.end()));
                    std::vector<Variable<double>> all{output};
                    all.insert(all.end(), after.begin(), after.end());
                    return concat(all, 0);
                };
                CHECK(check.errors(1) == "");
                CHECK(check.errors(2) == "");
            }
}

TEST_CASE("the weights of a step or a sequence may be variables of the tape") {
    for (const CellKind kind : {CellKind::rnn_tanh, CellKind::rnn_relu, CellKind::lstm, CellKind::gru})
        for (const Granularity granularity : granularities)
            for (const bool whole : {true, false}) {
                CAPTURE(static_cast<int>(kind));
                CAPTURE(granularity == Granularity::fused);
                CAPTURE(whole);
                const std::size_t rows = gate_count(kind) * 2;
                std::vector<Array<double>> inputs{random_array(whole ? Shape{2, 2, 3} : Shape{2, 3}, 1),
                                                  random_array({2, 2}, 2),
                                                  random_array({rows, 3}, 3),
                                                  random_array({rows, 2}, 4),
                                                  random_array({rows}, 5),
                                                  random_array({rows}, 6)};
                if (kind == CellKind::lstm) inputs.push_back(random_array({2, 2}, 7));
                const CheckedFunction f = [&](const std::vector<Variable<double>>& in) {
                    const RecurrentWeights<double> weights{in[2], in[3], in[4], in[5]};
                    const auto c = in.size() > 6 ? in[6] : Variable<double>();
                    const auto result = whole ? recurrent_sequence(kind, granularity, in[0], in[1], c, false, weights,
                                                                   {}, PackedSteps(2, 2))
                                              : recurrent_step(kind, granularity, in[0], in[1], c, weights, {});
                    std::vector<Variable<double>> all{result.h};
                    if (whole) all.push_back(reshape(result.output, {4, 2}));
                    if (result.c.defined()) all.push_back(result.c);
                    return concat(all, 0);
                };
                const auto first = gradcheck(f, inputs);
                CHECK_MESSAGE(first.passed, first.message);
                const auto second = gradgradcheck(f, inputs);
                CHECK_MESSAGE(second.passed, second.message);
            }
}

TEST_CASE("a weight used by two layers gets the gradient of both") {
    for (const std::string kind : recurrent_kinds) {
        CAPTURE(kind);
        const AnyLayer<double> layer({.kind = kind, .input_size = 3, .hidden_size = 3});
        randomize(layer.parameters);
        ModuleCheck check;
        check.inputs = {random_array({2, 2, 3}, 1)};
        for (const auto& [name, parameter] : layer.parameters) check.parameters.push_back(parameter);
        check.f = [&](const std::vector<Variable<double>>& in) {
            return layer.run(layer.run(in[0], {}).first, {}).first;
        };
        CHECK(check.errors(1) == "");
        CHECK(check.errors(2) == "");
    }
}

TEST_CASE("gradients add up over passes, wherever in the sequence they begin") {
    for (const std::string kind : recurrent_kinds)
        for (const Granularity granularity : granularities) {
            CAPTURE(kind);
            CAPTURE(granularity == Granularity::fused);
            const AnyLayer<double> layer({.kind = kind, .input_size = 2, .hidden_size = 3, .granularity = granularity});
            randomize(layer.parameters);
            const Array<double> x = random_array({6, 2, 2}, 1);
            const auto gradients = [&](const std::vector<std::vector<std::ptrdiff_t>>& passes) {
                for (auto [name, parameter] : layer.parameters) parameter.zero_grad();
                NamedArrays<double> result;
                Tape<double> tape;
                const auto in = tape.variable(x);
                const auto output = layer.run(in, {}).first;
                for (const auto& pass : passes) {
                    auto loss = tape.scalar(0);
                    for (const std::ptrdiff_t t : pass) loss = loss + sum(square(select(output, 0, t)));
                    tape.backward(loss, BackwardOptions{.retain_graph = true});
                }
                result.add("dx", in.grad());
                for (const auto& [name, parameter] : layer.parameters) result.add(name, parameter.grad());
                return result;
            };
            const auto together = gradients({{0, 1, 2, 3, 4, 5}});
            check_same(gradients({{5}, {4}, {3}, {2}, {1}, {0}}), together, 1e-12, 1e-14);
            check_same(gradients({{0}, {1}, {2, 5}, {3}, {4}}), together, 1e-12, 1e-14);
            check_same(gradients({{3}, {2, 1, 0}, {5, 4}}), together, 1e-12, 1e-14);
        }
}

TEST_CASE("frozen weights, constant inputs and constant states get no gradient and change no other") {
    for (const std::string kind : recurrent_kinds)
        for (const Granularity granularity : granularities) {
            CAPTURE(kind);
            CAPTURE(granularity == Granularity::fused);
            const AnyLayer<double> layer({.kind = kind, .input_size = 2, .hidden_size = 3, .granularity = granularity});
            randomize(layer.parameters);
            const std::size_t states = kind == "lstm" ? 2 : 1;
            // Bit k of `wanted`: whether the k-th of x, states, parameters wants a gradient.
            const auto gradients = [&](unsigned wanted) {
                Tape<double> tape;
                unsigned bit = 0;
                const auto leaf = [&](const Array<double>& array) {
                    return (wanted >> bit++) & 1u ? tape.variable(array) : tape.constant(array);
                };
                const auto x = leaf(random_array({4, 2, 2}, 1));
                States<double> before;
                for (std::size_t s = 0; s < states; ++s) before.push_back(leaf(random_array({1, 2, 3}, 2)));
                for (auto [name, parameter] : layer.parameters) {
                    parameter.set_requires_grad((wanted >> bit++) & 1u);
                    parameter.zero_grad();
                }
                const auto [output, after] = layer.run(x, before);
                tape.backward(sum(square(output)) + sum(square(after.back())));
                std::vector<Array<double>> result;
                const auto add = [&](const Variable<double>& v) {
                    CHECK(v.has_grad() == v.requires_grad());
                    if (v.has_grad())
                        result.emplace_back(v.grad());
                    else
                        result.emplace_back(Array<double>(v.value() * 0.0));
                };
                add(x);
                for (const auto& state : before) add(state);
                for (const auto& [name, parameter] : layer.parameters) result.push_back(parameter.grad());
                return result;
            };
            const unsigned count = static_cast<unsigned>(1 + states + layer.parameters.size());
            const auto all = gradients((1u << count) - 1);
            for (unsigned wanted = 1; wanted < (1u << count) - 1; ++wanted) {
                const auto some = gradients(wanted);
                for (unsigned k = 0; k < count; ++k) {
                    const Array<double> nothing = all[k] * 0.0;
                    const auto found = difference(some[k], (wanted >> k) & 1u ? all[k] : nothing, 1e-13, 1e-15);
                    CHECK_MESSAGE(found.empty(), "wanted ", wanted, ", gradient ", k, ": ", found);
                }
            }
        }
}

TEST_CASE("without gradients a layer has the same values and records nothing to go back through") {
    for (const std::string kind : recurrent_kinds)
        for (const Granularity granularity : granularities) {
            CAPTURE(kind);
            const AnyLayer<double> layer({.kind = kind, .input_size = 2, .hidden_size = 3, .granularity = granularity});
            randomize(layer.parameters);
            Tape<double> tape;
            const auto x = tape.variable(random_array({4, 2, 2}, 1));
            const Array<double> recorded = layer.run(x, {}).first.value();
            const NoGrad off;
            const auto output = layer.run(x, {}).first;
            CHECK_FALSE(output.requires_grad());
            CHECK(difference(output.value(), recorded, 0, 0) == "");
        }
}

TEST_CASE("what comes later does not change what came before") {
    for (const std::string kind : recurrent_kinds) {
        CAPTURE(kind);
        const AnyLayer<double> layer({.kind = kind, .input_size = 2, .hidden_size = 3});
        randomize(layer.parameters);
        Tape<double> tape;
        const auto x = tape.variable(random_array({6, 2, 2}, 1));
        const auto whole = layer.run(x, {}).first;
        const auto part = layer.run(slice(x, 0, 0, 4), {}).first;
        CHECK(difference(slice(whole, 0, 0, 4).value(), Array<double>(part.value()), 1e-14, 1e-15) == "");
        const Array<double> dx = grad(sum(select(whole, 0, 3)), {x}).at(0).value();
        for (std::size_t t = 0; t < 6; ++t)
            for (std::size_t b = 0; b < 2; ++b) CHECK((dx(t, b, 0) == 0) == (t > 3));
    }
}

TEST_CASE("a sequence in two halves is the whole sequence") {
    for (const std::string kind : recurrent_kinds)
        for (const Granularity granularity : granularities) {
            CAPTURE(kind);
            const AnyLayer<double> layer({.kind = kind, .input_size = 2, .hidden_size = 3, .granularity = granularity});
            randomize(layer.parameters);
            const Array<double> x = random_array({7, 2, 2}, 1);
            NamedArrays<double> results[2];
            for (const bool halves : {false, true}) {
                for (auto [name, parameter] : layer.parameters) parameter.zero_grad();
                Tape<double> tape;
                const auto in = tape.variable(x);
                Variable<double> output;
                States<double> after;
                if (halves) {
                    const auto [first, between] = layer.run(slice(in, 0, 0, 3), {});
                    const auto [second, last] = layer.run(slice(in, 0, 3, 7), between);
                    output = concat(std::vector{first, second}, 0);
                    after = last;
                } else {
                    std::tie(output, after) = layer.run(in, {});
                }
                tape.backward(sum(square(output)) + sum(after.back()));
                NamedArrays<double>& result = results[halves];
                result.add("output", output.value());
                for (const auto& state : after) result.add("state", state.value());
                result.add("dx", in.grad());
                for (const auto& [name, parameter] : layer.parameters) result.add(name, parameter.grad());
            }
            check_same(results[1], results[0], 1e-12, 1e-14);
        }
}

TEST_CASE("a gradient that is kept is the one that flowed through") {
    // The output gives its gradient away to the states; who keeps it must not find it changed.
    for (const std::string kind : recurrent_kinds) {
        CAPTURE(kind);
        const AnyLayer<double> layer({.kind = kind, .input_size = 2, .hidden_size = 3});
        randomize(layer.parameters);
        Tape<double> tape;
        const auto x = tape.variable(random_array({5, 2, 2}, 1));
        const auto output = layer.run(x, {}).first;
        output.retain_grad();
        const Array<double> cotangent = random_array(output.shape(), 3);
        tape.backward(output, cotangent);
        CHECK(difference(output.grad(), cotangent, 0, 0) == "");
        const Array<double> dx = x.grad();

        const auto again = layer.run(x, {}).first;
        x.zero_grad();
        tape.backward(again, cotangent);
        CHECK(difference(x.grad(), dx, 1e-13, 1e-15) == "");
    }
}

TEST_CASE("a million steps of a layer go forward and back") {
    // As with the cell: a permutation as recurrent matrix and small states, so that nothing vanishes.
    constexpr std::size_t steps = 1'000'000;
    const RNN<double> layer({.input_size = 1, .hidden_size = 4});
    for (auto [name, parameter] : layer.named_parameters()) {
        parameter.mutable_value().fill(0);
        if (name == "weight_hh_l0") parameter.set_value({{0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}, {1, 0, 0, 0}});
    }
    const Array<double> start{{{1e-9, -2e-9, 3e-9, 5e-9}}}, cotangent{{{1, 2, -4, 8}}};
    Tape<double> tape;
    const auto h0 = tape.variable(start);
    const auto [output, state] = layer(tape.zeros({steps, 1, 1}), h0);
    tape.backward(state, cotangent);
    CHECK(difference(state.value(), start, 1e-9, 0) == "");
    CHECK(difference(h0.grad(), cotangent, 1e-9, 0) == "");
}
