/// Gradients of states, looked at and changed on their way: the same for fused and for elementary steps, in raw memory
/// and recorded.

#include <ebb/autograd/gradcheck.hpp>
#include <ebb/autograd/jacobian.hpp>

#include <tuple>
#include <utility>

#include "layers/recurrent_kinds.hpp"
#include <doctest/doctest.h>

using namespace ebb;

namespace {

using V = Variable<double>;
constexpr std::size_t T = 5, B = 2, I = 3, H = 4;

/// The states on a tape: h_0, h_1, ..., c_0, c_1, ...
std::vector<V> states_of(Tape<double>& tape) {
    std::vector<V> result;
    for (const char which : {'h', 'c'})
        for (NodeIndex index = 0; index < tape.size(); ++index)
            if (tape.node(index).probe && tape.node(index).name.text().back() == which)
                result.push_back(tape.at(index));
    return result;
}

void check_close(const Array<double>& a, const Array<double>& b) {
    REQUIRE(a.size() == b.size());
    for (std::size_t k = 0; k < a.size(); ++k) CHECK(a.data()[k] == doctest::Approx(b.data()[k]).epsilon(1e-10));
}

}  // namespace

TEST_CASE("hooks on the states of a sequence, and of steps in a loop, change what flows on") {
    for (const std::string kind : recurrent_kinds) {
        CAPTURE(kind);
        std::vector<std::vector<Array<double>>> ways;
        std::vector<std::vector<Array<double>>> seen_in_ways;
        for (const Granularity granularity : {Granularity::fused, Granularity::elementary})
            for (const auto& [by_layer, recorded] :
                 {std::pair{true, false}, {true, true}, {false, false}, {false, true}}) {
                const RecurrentOptions options{
                    .kind = kind, .input_size = I, .hidden_size = H, .granularity = granularity};
                const AnyLayer<double> layer(options);
                const AnyCell<double> cell(options);
                const auto& parameters = by_layer ? layer.parameters : cell.parameters;
                randomize(parameters);
                Tape<double> tape;
                const V x = tape.variable(random_array({T, B, I}, 1));
                V output;
                States<double> after(kind == "lstm" ? 2 : 1, tape.zeros({B, H}));
                if (by_layer) {
                    std::tie(output, after) = layer.run(x, {});
                } else {
                    std::vector<V> every;
                    for (std::size_t t = 0; t < T; ++t) {
                        after = cell.step(select(x, 0, static_cast<std::ptrdiff_t>(t)), after);
                        every.push_back(after[0]);
                    }
                    output = stack(every);
                }
                const std::vector<V> states = states_of(tape);
                std::vector<Array<double>> seen(states.size());
                for (std::size_t k = 0; k < states.size(); ++k)
                    states[k].register_hook([&seen, k](const V& dy) -> V {
                        seen[k] = dy.value();
                        return k % 3 == 0 ? V() : dy * (k % 3 == 1 ? 0.5 : 1.5);
                    });
                tape.backward(sum(output * output) + sum(after.back()), {.create_graph = recorded});
                std::vector<Array<double>> gradients{x.grad()};
                for (const auto& named : parameters) gradients.push_back(named.second.grad());
                for (const V& state : states) gradients.push_back(state.grad());
                ways.push_back(gradients);
                seen_in_ways.push_back(seen);
            }
        for (std::size_t way = 1; way < ways.size(); ++way) {
            CAPTURE(way);
            for (std::size_t k = 0; k < ways[0].size(); ++k) check_close(ways[way][k], ways[0][k]);
            for (std::size_t k = 0; k < seen_in_ways[0].size(); ++k)
                check_close(seen_in_ways[way][k], seen_in_ways[0][k]);
        }
    }
}

TEST_CASE("a hook that looks changes no bit") {
    for (const std::string kind : recurrent_kinds) {
        const AnyLayer<double> layer({.kind = kind, .input_size = I, .hidden_size = H});
        const auto gradient_of_x = [&](bool hooked) {
            Tape<double> tape;
            const V x = tape.variable(random_array({T, B, I}, 1));
            const auto [output, after] = layer.run(x, {});
            if (hooked)
                for (const V& state : states_of(tape)) state.register_hook([](const V&) {});
            tape.backward(sum(output * output));
            return Array<double>(x.grad());
        };
        CHECK(gradient_of_x(true) == gradient_of_x(false));
    }
}

TEST_CASE("grad gives the whole dL/dc_t of an LSTM, fused as in elementary operations") {
    std::vector<std::vector<Array<double>>> ways;
    for (const Granularity granularity : {Granularity::fused, Granularity::elementary}) {
        const AnyLayer<double> layer({.kind = "lstm", .input_size = I, .hidden_size = H, .granularity = granularity});
        randomize(layer.parameters);
        Tape<double> tape;
        const V x = tape.variable(random_array({T, B, I}, 1));
        const auto [output, after] = layer.run(x, {});
        const std::vector<V> states = states_of(tape);
        REQUIRE(states.size() == 2 * T);
        // The last c_t as well, which reaches the loss through h_t alone.
        std::vector<Array<double>> results;
        for (const V& g : grad(sum(output * output), states)) results.push_back(g.value());
        tape.backward(sum(output * output));
        for (std::size_t k = 0; k < states.size(); ++k) check_close(results[k], states[k].grad());
        ways.push_back(results);
    }
    for (std::size_t k = 0; k < ways[0].size(); ++k) check_close(ways[0][k], ways[1][k]);
}
