#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>
#include <ebb/layers/scheduled_sampling.hpp>

#include <cmath>

#include <doctest/doctest.h>

using namespace ebb;

TEST_CASE("a decoder reads the true tokens, its own, or a mixture of given shares") {
    Tape<double> tape;
    constexpr std::size_t B = 4000;
    // softmax of (ln 1, ln 2, ln 7): 0.1, 0.2, 0.7
    Array<double> rows = Array<double>::from_shape({B, 4});
    for (std::size_t b = 0; b < B; ++b) {
        rows(b, 0) = 0;
        rows(b, 1) = std::log(2);
        rows(b, 2) = std::log(7);
        rows(b, 3) = -100;
    }
    const auto logits = tape.constant(rows);
    Indices truth = Indices::from_shape({1, B});
    truth.fill(3);
    Generator generator(1);
    const auto share = [](const Indices& tokens, std::int64_t token) {
        double count = 0;
        for (const std::int64_t t : tokens) count += t == token;
        return count / static_cast<double>(B);
    };
    const auto close = [](double found, double p) {
        return std::abs(found - p) < 5 * std::sqrt(p * (1 - p) / static_cast<double>(B));
    };
    CHECK(share(next_inputs(logits, truth, 0, 1, {}, generator), 3) == 1);
    CHECK(share(next_inputs(logits, truth, 0, 0, {.temperature = 0}, generator), 2) == 1);
    const Indices mixed = next_inputs(logits, truth, 0, 0.25, {.temperature = 0}, generator);
    CHECK(close(share(mixed, 3), 0.25));
    CHECK(close(share(mixed, 2), 0.75));
    const Indices drawn = next_inputs(logits, truth, 0, 0.5, {.temperature = 1}, generator);
    CHECK(close(share(drawn, 3), 0.5));
    CHECK(close(share(drawn, 2), 0.35));
    CHECK(close(share(drawn, 1), 0.1));
    CHECK(close(share(drawn, 0), 0.05));
    truth.fill(-1);  // padding: nothing to read there but its own
    CHECK(share(next_inputs(logits, truth, 0, 1, {.temperature = 0}, generator), 2) == 1);
}

TEST_CASE("every sequence reads its own: the answer of this step, or what its own logits say") {
    Tape<double> tape;
    // The most probable tokens are 2, 0, 1.
    const auto logits = tape.constant(Array<double>{{0, 1, 9}, {9, 1, 0}, {0, 9, 1}});
    const Indices answers{{0, 1, 2}, {1, 2, 0}, {2, 0, 1}};
    Generator generator(1);
    for (std::size_t t = 0; t < 3; ++t)
        CHECK(next_inputs(logits, answers, t, 1, {}, generator) ==
              Indices{answers(t, 0), answers(t, 1), answers(t, 2)});
    CHECK(next_inputs(logits, answers, 1, 0, {.temperature = 0}, generator) == Indices{2, 0, 1});
}

TEST_CASE("the laws by which the share of true tokens falls, on paper") {
    CHECK(linear_decay(0, 1, 0.01) == 1);
    CHECK(linear_decay(30, 1, 0.01, 0.2) == doctest::Approx(0.7));
    CHECK(linear_decay(90, 1, 0.01, 0.2) == 0.2);
    CHECK(exponential_decay(0, 0.9) == 1);
    CHECK(exponential_decay(2, 0.9) == doctest::Approx(0.81));
    CHECK(inverse_sigmoid_decay(0, 9) == doctest::Approx(0.9));
    CHECK(inverse_sigmoid_decay(100, 1) < 1e-40);
    // i = k ln k, exp(i / k) = k
    CHECK(inverse_sigmoid_decay(461, 100) == doctest::Approx(0.5).epsilon(1e-3));
}

TEST_CASE("wrong uses of next_inputs say what is wrong") {
    Tape<double> tape;
    const Indices answers{{1, 2}, {0, 1}, {2, 2}};
    CHECK_THROWS_WITH_AS(next_inputs(tape.ones({3, 4}), answers, 0, 0.5),
                         "next_inputs: logits is [3, 4], answers is [3, 2]: expected [B, V] and [T, B]", ShapeError);
    CHECK_THROWS_WITH_AS(next_inputs(tape.ones({2, 3}), answers, 3, 0.5),
                         "next_inputs: t is 3, answers is [3, 2]: expected 0 to 2", IndexError);
    CHECK_THROWS_WITH_AS(next_inputs(tape.ones({2, 3}), answers, 0, 1.5), "next_inputs: truth is 1.5: expected 0 to 1",
                         ValueError);
}
