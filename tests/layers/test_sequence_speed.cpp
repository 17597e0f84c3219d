/// What makes long and wide sequences fast must not be seen in their numbers.

#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/random.hpp>
#include <ebb/core/threads.hpp>
#include <ebb/layers/recurrent_step.hpp>

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace ebb;

namespace {

constexpr CellKind kinds[] = {CellKind::rnn_tanh, CellKind::rnn_relu, CellKind::lstm, CellKind::gru};

struct Sizes {
    std::size_t T, B, I, H;
};

enum class Mode { layer, cell, elementary };

/// What a training step has found, as doubles.
struct Result {
    std::vector<std::vector<double>> numbers;                // h, dx, dh_0 and the gradients of the weights
    std::vector<std::map<std::int32_t, double>> step_norms;  // of each weight, where they were found on the way
    std::size_t shares_without_delta = 0;
    std::size_t bytes = 0;
};

template <class Numbers>
std::vector<double> doubles(const Numbers& numbers) {
    return std::vector<double>(numbers.begin(), numbers.end());
}

/// One training step. The numbers that go in are floats in either type.
template <class T>
Result train(CellKind kind, const Sizes& n, Mode mode, bool retain_graph = false) {
    manual_seed(11);
    const std::size_t rows = gate_count(kind) * n.H;
    const auto draw = [](const Shape& shape, float bound) {
        return Array<T>(xt::cast<T>(uniform<float>(shape, -bound, bound)));
    };
    const float bound = 1 / std::sqrt(static_cast<float>(n.H));
    Parameter<T> w_ih("w_ih", draw({rows, n.I}, bound)), w_hh("w_hh", draw({rows, n.H}, bound)),
        b_ih("b_ih", draw({rows}, bound)), b_hh("b_hh", draw({rows}, bound));
    Tape<T> tape;
    const Variable<T> x = tape.variable(draw({n.T, n.B, n.I}, 1.5F)), h0 = tape.variable(draw({n.B, n.H}, 0.5F)),
                      y = tape.constant(draw({n.T, n.B, n.H}, 1.0F));
    const bool has_c = kind == CellKind::lstm;
    Variable<T> h = h0, c = has_c ? tape.zeros({n.B, n.H}) : Variable<T>(), output;
    const RecurrentWeights<T> weights{tape.use(w_ih), tape.use(w_hh), tape.use(b_ih), tape.use(b_hh)};
    if (mode == Mode::layer) {
        output = recurrent_sequence(kind, Granularity::fused, x, h, c, false, weights, StepLabels{},
                                    PackedSteps(x.shape()[0], x.shape()[1]))
                     .output;
    } else {
        std::vector<Variable<T>> states;
        StepLabels labels;
        for (std::size_t t = 0; t < n.T; ++t, ++labels.first_time_step) {
            const auto granularity = mode == Mode::cell ? Granularity::fused : Granularity::elementary;
            const auto state =
                recurrent_step(kind, granularity, select(x, 0, static_cast<std::ptrdiff_t>(t)), h, c, weights, labels);
            h = state.h;
            c = state.c;
            states.push_back(h);
        }
        output = stack(states, 0);
    }
    tape.backward(mse_loss(output, y), {.retain_graph = retain_graph});

    Result result;
    result.bytes = tape.bytes_used();
    result.numbers = {doubles(output.value()), doubles(x.grad()), doubles(h0.grad())};
    for (const Parameter<T>& p : {w_ih, w_hh, b_ih, b_hh}) {
        result.numbers.push_back(doubles(p.grad()));
        auto& norms = result.step_norms.emplace_back();
        for (const auto& share : tape.shares(p)) {
            result.shares_without_delta += share.delta == nullptr;
            for (std::size_t t = 0; share.norms && t < share.time_steps; ++t)
                norms[share.first_time_step + static_cast<std::int32_t>(t)] = share.norms[t];
        }
    }
    return result;
}

double relative_distance(const std::vector<double>& a, const std::vector<double>& b) {
    REQUIRE(a.size() == b.size());
    double difference = 0, size = 0;
    for (std::size_t k = 0; k < a.size(); ++k) {
        difference += (a[k] - b[k]) * (a[k] - b[k]);
        size += b[k] * b[k];
    }
    return std::sqrt(difference / size);
}

}  // namespace

TEST_CASE("gradients in float agree with those in double, in every mode") {
    const Sizes sizes{100, 8, 12, 32};
    for (const CellKind kind : kinds) {
        const Result expected = train<double>(kind, sizes, Mode::elementary);
        for (const Mode mode : {Mode::layer, Mode::cell, Mode::elementary}) {
            CAPTURE(static_cast<int>(kind));
            CAPTURE(static_cast<int>(mode));
            const Result single = train<float>(kind, sizes, mode), twice = train<double>(kind, sizes, mode);
            for (std::size_t k = 0; k < expected.numbers.size(); ++k) {
                CAPTURE(k);
                CHECK(relative_distance(single.numbers[k], expected.numbers[k]) < 1e-5);
                CHECK(relative_distance(twice.numbers[k], expected.numbers[k]) < 1e-12);
            }
        }
    }
}

TEST_CASE("the deltas of a long sequence are not kept, and nothing else changes") {
    for (const CellKind kind : kinds) {
        CAPTURE(static_cast<int>(kind));
        const Sizes sizes{1200 / gate_count(kind), 16, 5, 48};
        // A graph that stays may be gone over again, so its deltas stay.
        const Result whole = train<double>(kind, sizes, Mode::layer, true),
                     pieces = train<double>(kind, sizes, Mode::layer);
        CHECK(whole.shares_without_delta == 0);
        CHECK(pieces.shares_without_delta > 4);
        CHECK(pieces.bytes + 2'000'000 < whole.bytes);
        for (std::size_t k = 0; k < whole.numbers.size(); ++k) {
            CAPTURE(k);
            CHECK(relative_distance(pieces.numbers[k], whole.numbers[k]) < 1e-13);
        }
        for (std::size_t p = 0; p < 4; ++p) {
            REQUIRE(pieces.step_norms[p].size() == sizes.T);
            REQUIRE(whole.step_norms[p].size() == sizes.T);
            for (const auto& [t, norm] : whole.step_norms[p])
                CHECK(pieces.step_norms[p].at(t) == doctest::Approx(norm).epsilon(1e-12));
        }
    }
}

TEST_CASE("every number has the same bits on any number of threads") {
    const Sizes sizes{30, 40, 70, 72};  // parts of the batch of 16, 16 and 8 rows; dW in parts of 80 rows
    for (const CellKind kind : kinds)
        for (const Mode mode : {Mode::layer, Mode::cell}) {
            CAPTURE(static_cast<int>(kind));
            CAPTURE(static_cast<int>(mode));
            const Result one = train<float>(kind, sizes, mode);
            for (const int threads : {2, 3}) {
                set_num_threads(threads);
                const Result many = train<float>(kind, sizes, mode);
                set_num_threads(1);
                CHECK(many.numbers == one.numbers);
                CHECK(many.step_norms == one.step_norms);
            }
        }
}
