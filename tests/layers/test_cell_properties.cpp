/// What holds for every cell, whatever its numbers: B, I, H are batch, input size and hidden size.

#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>

#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "layers/module_gradcheck.hpp"
#include "layers/recurrent_kinds.hpp"
#include "support/golden.hpp"
#include <doctest/doctest.h>

using namespace ebb;

namespace {

struct Size {
    std::size_t batch, inputs, hidden;
};
// Below, at and above the width of a vector register, with and without a remainder.
constexpr Size sizes[] = {{1, 1, 1}, {2, 3, 4}, {3, 2, 8}, {1, 5, 17}, {5, 7, 33}};

/// Values and gradients after two steps: the second one uses the weights and the state again.
template <class T>
struct TwoSteps {
    std::vector<std::string> names;
    std::vector<Array<T>> arrays;

    TwoSteps(const RecurrentOptions& options, const Size& size, unsigned seed = 1) {
        const AnyCell<T> cell(options);
        randomize(cell.parameters);
        Tape<T> tape;
        const auto x1 = tape.variable(random_array<T>({size.batch, size.inputs}, seed));
        const auto x2 = tape.variable(random_array<T>({size.batch, size.inputs}, seed + 1));
        States<T> before{tape.variable(random_array<T>({size.batch, size.hidden}, seed + 2))};
        if (options.has_cell_state())
            before.push_back(tape.variable(random_array<T>({size.batch, size.hidden}, seed + 3)));
        const States<T> first = cell.step(x1, before);
        const States<T> second = cell.step(x2, first);
        Variable<T> loss = tape.scalar(0);
        for (std::size_t i = 0; i < second.size(); ++i) {
            add("first state", first[i].value());
            add("second state", second[i].value());
            const unsigned s = seed + 10 + static_cast<unsigned>(i);
            loss = loss + projected(first[i], random_array<T>(first[i].shape(), s)) +
                   projected(second[i], random_array<T>(second[i].shape(), s + 5));
        }
        tape.backward(loss);
        add("dx1", x1.grad());
        add("dx2", x2.grad());
        for (const auto& state : before) add("dstate", state.grad());
        for (const auto& [name, parameter] : cell.parameters) add("d" + name, parameter.grad());
    }

    template <class E>
    void add(const std::string& name, const E& array) {
        names.push_back(name);
        arrays.emplace_back(array);
    }
};

template <class A, class B>
void check_same(const TwoSteps<A>& actual, const TwoSteps<B>& expected, double relative, double absolute) {
    REQUIRE(actual.names == expected.names);
    for (std::size_t i = 0; i < actual.names.size(); ++i) {
        const std::string found = difference(actual.arrays[i], expected.arrays[i], relative, absolute);
        CHECK_MESSAGE(found.empty(), actual.names[i], ": ", found);
    }
}

}  // namespace

TEST_CASE("the fused step and the elementary operations give the same values and gradients") {
    for (const std::string kind : recurrent_kinds)
        for (const Size& size : sizes)
            for (const bool bias : {true, false}) {
                CAPTURE(kind);
                CAPTURE(size.hidden);
                CAPTURE(bias);
                RecurrentOptions options{
                    .kind = kind, .input_size = size.inputs, .hidden_size = size.hidden, .bias = bias};
                const TwoSteps<double> fused(options, size);
                const TwoSteps<float> fused_float(options, size);
                options.granularity = Granularity::elementary;
                check_same(fused, TwoSteps<double>(options, size), 1e-13, 1e-14);
                check_same(fused_float, TwoSteps<float>(options, size), 2e-5, 2e-6);
            }
}

TEST_CASE("the fused step and the elementary operations have the same second derivatives") {
    for (const std::string kind : recurrent_kinds) {
        CAPTURE(kind);
        std::vector<Array<double>> second[2];
        for (const Granularity granularity : {Granularity::fused, Granularity::elementary}) {
            const AnyCell<double> cell({.kind = kind, .input_size = 3, .hidden_size = 5, .granularity = granularity});
            randomize(cell.parameters);
            Tape<double> tape;
            const auto x = tape.variable(random_array({2, 3}, 1));
            States<double> before{tape.variable(random_array({2, 5}, 2))};
            if (kind == "lstm") before.push_back(tape.variable(random_array({2, 5}, 3)));
            const States<double> after = cell.step(x, cell.step(x, before));
            auto loss = sum(square(after.at(0)));
            if (kind == "lstm") loss = loss + sum(square(after.at(1)));
            std::vector<Variable<double>> targets{x, before.at(0)};
            for (const auto& [name, parameter] : cell.parameters) targets.push_back(tape.use(parameter));
            auto norm = tape.scalar(0);
            for (const auto& g : grad(loss, targets, {.create_graph = true})) norm = norm + sum(g * g);
            auto& arrays = second[granularity == Granularity::fused ? 0 : 1];
            for (const auto& g : grad(norm, targets)) arrays.emplace_back(g.value());
        }
        REQUIRE(second[0].size() == second[1].size());
        for (std::size_t i = 0; i < second[0].size(); ++i) {
            const std::string found = difference(second[0][i], second[1][i], 1e-11, 1e-12);
            CHECK_MESSAGE(found.empty(), "derivative ", i, ": ", found);
        }
    }
}

TEST_CASE("first and second derivatives of every cell agree with central differences, weights included") {
    for (const std::string kind : recurrent_kinds)
        for (const Granularity granularity : {Granularity::fused, Granularity::elementary})
            for (const bool bias : {true, false}) {
                CAPTURE(kind);
                CAPTURE(granularity == Granularity::fused);
                CAPTURE(bias);
                const AnyCell<double> cell(
                    {.kind = kind, .input_size = 2, .hidden_size = 3, .bias = bias, .granularity = granularity});
                randomize(cell.parameters);
                ModuleCheck check;
                check.inputs = {random_array({2, 2}, 1), random_array({2, 3}, 2)};
                if (kind == "lstm") check.inputs.push_back(random_array({2, 3}, 3));
                for (const auto& [name, parameter] : cell.parameters) check.parameters.push_back(parameter);
                check.f = [&](const std::vector<Variable<double>>& in) {
                    const States<double> before(in.begin() + 1, in.end());
                    // The input twice, the state once, the weights twice.
                    return concat(cell.step(in[0], cell.step(in[0], before)), 1);
                };
                CHECK(check.errors(1) == "");
                CHECK(check.errors(2) == "");
            }
}

TEST_CASE("a gradient reaches the state before where only h, or only c, is used") {
    // dL/dc alone, dL/dh alone: what the other would have added is 0, not garbage.
    for (const Granularity granularity : {Granularity::fused, Granularity::elementary})
        for (const std::size_t used : {0, 1}) {
            CAPTURE(used);
            const AnyCell<double> cell({.kind = "lstm", .input_size = 2, .hidden_size = 3, .granularity = granularity});
            randomize(cell.parameters);
            ModuleCheck check;
            check.inputs = {random_array({2, 2}, 1), random_array({2, 3}, 2), random_array({2, 3}, 3)};
            check.f = [&](const std::vector<Variable<double>>& in) {
                return cell.step(in[0], {in[1], in[2]}).at(used);
            };
            CHECK(check.errors(1) == "");
            CHECK(check.errors(2) == "");
        }
}

TEST_CASE("one array may be input and state at once") {
    for (const std::string kind : recurrent_kinds) {
        CAPTURE(kind);
        const AnyCell<double> cell({.kind = kind, .input_size = 3, .hidden_size = 3});
        randomize(cell.parameters);
        ModuleCheck check;
        check.inputs = {random_array({2, 3}, 7)};
        for (const auto& [name, parameter] : cell.parameters) check.parameters.push_back(parameter);
        check.f = [&](const std::vector<Variable<double>>& in) {
            return concat(cell.step(in[0], States<double>(kind == "lstm" ? 2 : 1, in[0])), 1);
        };
        CHECK(check.errors(1) == "");
        CHECK(check.errors(2) == "");
    }
}

TEST_CASE("float agrees with double") {
    for (const std::string kind : recurrent_kinds)
        for (const Size& size : sizes) {
            CAPTURE(kind);
            CAPTURE(size.hidden);
            const RecurrentOptions options{.kind = kind, .input_size = size.inputs, .hidden_size = size.hidden};
            check_same(TwoSteps<float>(options, size), TwoSteps<double>(options, size), 2e-5, 1e-5);
        }
}

TEST_CASE("the rows of a batch are independent") {
    constexpr std::size_t batch = 3, inputs = 2, hidden = 5;
    for (const std::string kind : recurrent_kinds)
        for (const Granularity granularity : {Granularity::fused, Granularity::elementary}) {
            CAPTURE(kind);
            const AnyCell<double> cell(
                {.kind = kind, .input_size = inputs, .hidden_size = hidden, .granularity = granularity});
            randomize(cell.parameters);
            const std::size_t states = kind == "lstm" ? 2 : 1;
            Tape<double> tape;
            std::vector<Variable<double>> in{tape.variable(random_array({batch, inputs}, 1))};
            for (std::size_t s = 0; s < states; ++s) in.push_back(tape.variable(random_array({batch, hidden}, 2)));
            const States<double> after = cell.step(in[0], {in.begin() + 1, in.end()});
            for (std::ptrdiff_t row = 0; row < std::ptrdiff_t(batch); ++row) {
                std::vector<Variable<double>> alone;
                for (const auto& v : in) alone.push_back(slice(v, 0, row, row + 1));
                const States<double> after_alone = cell.step(alone[0], {alone.begin() + 1, alone.end()});
                auto loss = tape.scalar(0);
                for (std::size_t s = 0; s < states; ++s) {
                    const auto of_batch = slice(after[s], 0, row, row + 1);
                    CHECK(difference(after_alone[s].value(), Array<double>(of_batch.value()), 1e-13, 1e-14) == "");
                    loss = loss + sum(square(of_batch));
                }
                // Nothing flows into the other rows: 0, not nearly 0.
                for (const auto& g : grad(loss, in, {.retain_graph = true})) {
                    const Array<double> gradient = g.value();
                    for (std::size_t b = 0; b < batch; ++b)
                        for (std::size_t k = 0; k < gradient.shape(1); ++k)
                            CHECK((gradient(b, k) == 0) == (b != std::size_t(row)));
                }
            }
        }
}

TEST_CASE("with weights of zero the gates are at one half") {
    const Array<double> c0{{2.0, -1.0}}, h0{{0.5, 4.0}}, x{{3.0, -7.0, 1.0}};
    for (const Granularity granularity : {Granularity::fused, Granularity::elementary}) {
        const auto cell = [&](const std::string& kind) {
            AnyCell<double> result({.kind = kind, .input_size = 3, .hidden_size = 2, .granularity = granularity});
            for (auto [name, parameter] : result.parameters) parameter.mutable_value().fill(0);
            return result;
        };
        Tape<double> tape;
        const auto in = tape.constant(x);
        // c' = c / 2, h' = tanh(c') / 2
        const States<double> lstm = cell("lstm").step(in, {tape.constant(h0), tape.constant(c0)});
        CHECK(difference(lstm[1].value(), Array<double>{{1.0, -0.5}}, 1e-15, 0) == "");
        CHECK(difference(lstm[0].value(), Array<double>{{std::tanh(1.0) / 2, -std::tanh(0.5) / 2}}, 1e-15, 0) == "");
        // h' = h / 2
        const States<double> gru = cell("gru").step(in, {tape.constant(h0)});
        CHECK(difference(gru[0].value(), Array<double>{{0.25, 2.0}}, 1e-15, 0) == "");
        for (const std::string kind : {"rnn_tanh", "rnn_relu"})
            CHECK(difference(cell(kind).step(in, {tape.constant(h0)})[0].value(), Array<double>{{0.0, 0.0}}, 0, 0) ==
                  "");
    }
}

TEST_CASE("with its forget gate open and its input gate shut, an LSTM carries c and its gradient unchanged") {
    for (const Granularity granularity : {Granularity::fused, Granularity::elementary}) {
        const LSTMCell<double> cell({.input_size = 1, .hidden_size = 2, .granularity = granularity});
        for (auto [name, parameter] : cell.named_parameters()) parameter.mutable_value().fill(0);
        // Order i, f, g, o: sigmoid(-50) is 2e-22, and 1 - sigmoid(50) is nothing at all in double.
        Parameter<double> bias = cell.bias_ih;
        bias.set_value({-50, -50, 50, 50, 1, 1, 0, 0});
        Tape<double> tape;
        const auto x = tape.ones({1, 1});
        const auto c0 = tape.variable(Array<double>{{0.3, -2.0}});
        auto h = tape.zeros({1, 2}), c = c0;
        for (int t = 0; t < 200; ++t) {
            const auto [next_h, next_c] = cell(x, {h, c});
            h = next_h;
            c = next_c;
        }
        tape.backward(sum(c));
        CHECK(difference(c.value(), Array<double>(c0.value()), 1e-14, 0) == "");
        CHECK(difference(c0.grad(), Array<double>{{1.0, 1.0}}, 1e-14, 0) == "");
    }
}

TEST_CASE("a million steps of tanh go forward and back") {
    // Small states and a permutation as recurrent matrix: tanh'(h) is 1 to 1e-18, nothing vanishes and nothing
    // explodes, so that h_T is h_0 permuted T times, dL/dh_0 is the cotangent permuted back, and each step adds one
    // permuted cotangent to the gradient of the bias.
    constexpr std::size_t steps = 1'000'000;
    const RNNCell<double> cell({.input_size = 1, .hidden_size = 4});
    for (auto [name, parameter] : cell.named_parameters()) parameter.mutable_value().fill(0);
    Parameter<double> weight = cell.weight_hh;
    weight.set_value({{0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}, {1, 0, 0, 0}});
    const Array<double> start{{1e-9, -2e-9, 3e-9, 5e-9}}, cotangent{{1, 2, -4, 8}};

    Tape<double> tape;
    const auto x = tape.zeros({1, 1});
    const auto h0 = tape.variable(start);
    auto h = h0;
    for (std::size_t t = 0; t < steps; ++t) h = cell(x, h);
    CHECK(tape.size() >= steps);
    tape.backward(h, cotangent);
    // T is a multiple of 4.
    CHECK(difference(h.value(), start, 1e-9, 0) == "");
    CHECK(difference(h0.grad(), cotangent, 1e-9, 0) == "");
    const double per_unit = (1 + 2 - 4 + 8) * double(steps) / 4;
    CHECK(difference(cell.bias_ih.grad(), Array<double>{per_unit, per_unit, per_unit, per_unit}, 1e-9, 0) == "");
    CHECK(h.time_step() == std::int32_t(steps - 1));
}
