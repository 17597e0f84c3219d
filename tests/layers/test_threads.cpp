/// Cells and layers trained on several threads at once: run under ThreadSanitizer by `./run test --preset tsan`.

#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/random.hpp>
#include <ebb/layers/linear.hpp>

#include <cstddef>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "layers/recurrent_kinds.hpp"
#include "support/threads.hpp"
#include <doctest/doctest.h>

using namespace ebb;
using namespace ebb::test;

namespace {

template <class T>
using Named = std::vector<std::pair<std::string, Parameter<T>>>;

/// A step down the gradient; every weight goes into `seen`.
template <class T>
void descend(const Named<T>& parameters, std::vector<T>& seen) {
    for (const auto& [name, shared] : parameters) {
        Parameter<T> p = shared;
        Array<T>& value = p.mutable_value();
        for (std::size_t k = 0; k < p.size(); ++k) value.data()[k] -= T(0.1) * p.grad().data()[k];
        p.zero_grad();
        seen.insert(seen.end(), value.begin(), value.end());
    }
}

/// A network of three steps of a cell, its gates included, trained for some steps: every weight after each of them.
std::vector<double> train_cell(const std::string& kind, Granularity granularity, std::uint64_t seed) {
    manual_seed(seed);
    const AnyCell<double> cell(
        {.kind = kind, .input_size = 3, .hidden_size = 5, .granularity = granularity, .name = "cell"});
    std::vector<double> seen;
    Tape<double> tape;
    for (int step = 0; step < 4; ++step) {
        tape.clear();
        States<double> state(kind == "lstm" ? 2 : 1, tape.zeros({2, 5}));
        for (int t = 0; t < 3; ++t) state = cell.step(tape.constant(randn<double>({2, 3})), state);
        tape.backward(mean(square(state[0] - 0.3)));
        descend(cell.parameters, seen);
    }
    return seen;
}

/// A layer over a sequence, two layers high, with dropout between them and sequences of several lengths. It is large
/// enough that the batch is divided among Ebb's threads.
std::vector<float> train_layer(const std::string& kind, std::uint64_t seed) {
    constexpr std::size_t steps = 16, batch = 16, hidden = 80;
    manual_seed(seed);
    const AnyLayer<float> layer(
        {.kind = kind, .input_size = 3, .hidden_size = hidden, .name = "layer", .num_layers = 2, .dropout = 0.1});
    const Linear<float> readout({.in_features = hidden, .out_features = 1});
    std::vector<std::size_t> lengths(batch, steps);
    lengths[3] = 11;
    std::vector<float> seen;
    Tape<float> tape;
    for (int step = 0; step < 2; ++step) {
        tape.clear();
        const auto x = tape.constant(randn<float>({steps, batch, 3}));
        const auto [output, state] = layer.run(x, {}, {.lengths = lengths});
        tape.backward(mean(square(readout(output) - 0.3f)));
        descend(layer.parameters, seen);
        descend(readout.named_parameters(), seen);
    }
    return seen;
}

/// What each of the kinds gives when trained alone, and when all are trained at once.
template <class Train>
void check_alone_and_together(Train train) {
    using Weights = decltype(train(std::string(), std::uint64_t(0)));
    constexpr std::size_t count = recurrent_kinds.size();
    std::vector<Weights> alone(count), together(count);
    // In a thread of its own as well: the generator of random numbers is the thread's.
    for (std::size_t k = 0; k < count; ++k) std::thread([&, k] { alone[k] = train(recurrent_kinds[k], k); }).join();
    std::vector<std::thread> running;
    for (std::size_t k = 0; k < count; ++k)
        running.emplace_back([&, k] { together[k] = train(recurrent_kinds[k], k); });
    for (std::thread& thread : running) thread.join();
    for (std::size_t k = 0; k < count; ++k) {
        CAPTURE(recurrent_kinds[k]);
        CHECK(!alone[k].empty());
        CHECK(together[k] == alone[k]);
    }
}

}  // namespace

TEST_CASE("cells that are trained on several threads at once learn what they learn alone") {
    check_alone_and_together(
        [](const std::string& kind, std::uint64_t seed) { return train_cell(kind, Granularity::fused, seed); });
    check_alone_and_together(
        [](const std::string& kind, std::uint64_t seed) { return train_cell(kind, Granularity::elementary, seed); });
}

TEST_CASE("so do layers, also where each of them asks for Ebb's own threads") {
    check_alone_and_together(train_layer);
    const std::vector<float> on_one_thread = train_layer("lstm", 7);
    const Threads three(3);
    check_alone_and_together(train_layer);
    CHECK(train_layer("lstm", 7) == on_one_thread);
}

TEST_CASE("one set of weights may be read by several threads at once, each with its own tape and pool of work") {
    const Threads two(2);
    LSTM<float> lstm({.input_size = 2, .hidden_size = 80});
    for (auto& [name, parameter] : lstm.named_parameters()) Parameter<float>(parameter).set_requires_grad(false);
    const Array<float> x = random_array<float>({16, 16, 2}, 3);
    std::vector<Array<float>> gradients(4);
    std::vector<std::thread> running;
    for (Array<float>& gradient : gradients)
        running.emplace_back([&lstm, &x, &gradient] {
            Tape<float> tape;
            const auto in = tape.variable(x);
            tape.backward(sum(lstm(in).output));
            gradient = in.grad();
        });
    for (std::thread& thread : running) thread.join();
    for (const Array<float>& gradient : gradients) CHECK(gradient == gradients[0]);
    CHECK(gradients[0](0, 0, 0) != 0);
}
