/// From the second training step on, the engine allocates nothing: neither from its arenas nor from the heap.

#include <ebb/autograd/grad_mode.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>

#include "support/count_allocations.hpp"
#include "support/random_arrays.hpp"
#include <doctest/doctest.h>

using namespace ebb;

namespace {

/// How many allocations the third call of `step` makes, and how often its tape asked for memory.
template <class T, class Step>
std::size_t allocations_of_third(Tape<T>& tape, Step step) {
    step();
    step();
    const std::size_t from_system = tape.allocations(), before = allocations;
    step();
    const std::size_t made = allocations - before;
    CHECK(tape.allocations() == from_system);
    return made;
}

}  // namespace

TEST_CASE("allocations are counted") {
    if (!counts_allocations) return;
    const std::size_t before = allocations;
    ::operator delete(::operator new(1));  // a new-expression might be left out
    CHECK(allocations == before + 1);
}

TEST_CASE("a training step allocates nothing once the tape is warm") {
    test::RandomArrays random(81);
    const Array<double> x = random.array({4, 3}), h0 = random.array({4, 5}), target = random.array({4, 5});
    const Indices classes = random.indices({4}, 5), words = random.indices({4}, 7);
    Parameter<double> w("w", random.array({5, 3})), u("u", random.array({5, 5})), b("b", random.array({5}));
    Parameter<double> embedding("embedding", random.array({7, 3}));
    Tape<double> tape;
    const auto step = [&] {
        tape.clear();
        auto h = tape.constant(h0);
        const auto input = tape.constant(x) + index_select(embedding, words);
        for (int t = 0; t < 40; ++t) h = tanh(linear(input, w, b) + matmul(h, transpose(tape.use(u))));
        const auto y = sigmoid(slice(h, 0, 0, 2)) * softmax(slice(h, 0, 2, 4)) + relu(select(h, 0, 1));
        const auto loss = mse_loss(h, tape.constant(target)) + cross_entropy(h, classes) + mean(y) +
                          sum(sum(exp(-h), 1) * logsumexp(h, -1)) + sum(mean(reshape(h, {2, 10}), {0, 1})) +
                          sum(broadcast_to(sum(h, 0, true), {3, 5})) + sum(where(h > 0, h, 0.1 * h)) +
                          l1_loss(h, tape.constant(target)) + sum(pad(h, 1, 1, 2)) + sum(log_softmax(h, 0) * h);
        tape.backward(loss);
        for (Parameter<double>* p : {&w, &u, &b, &embedding}) p->zero_grad();
    };
    CHECK(allocations_of_third(tape, step) == 0);
}

TEST_CASE("evaluation allocates nothing once the tape is warm") {
    test::RandomArrays random(82);
    const Array<float> x = test::to_float(random.array({4, 3}));
    const Parameter<float> w("w", test::to_float(random.array({5, 3})));
    Tape<float> tape;
    const auto step = [&] {
        tape.clear();
        const NoGrad off;
        CHECK(mean(tanh(linear(tape.constant(x), w))).item() < 1);
    };
    CHECK(allocations_of_third(tape, step) <= 1);  // doctest's own
}

TEST_CASE("several passes over one graph allocate nothing once the first is done") {
    test::RandomArrays random(83);
    const Parameter<double> w("w", random.array({3, 3}));
    Tape<double> tape;
    const auto x = tape.variable(random.array({4, 3}));
    const auto y = sum(tanh(x * 2 + x) * exp(x)) + sum(x + x);
    const auto step = [&] { tape.backward(y, {.retain_graph = true}); };
    CHECK(allocations_of_third(tape, step) == 0);
}
