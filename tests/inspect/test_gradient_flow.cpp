#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/random.hpp>
#include <ebb/inspect/gradient_flow.hpp>

#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace ebb;

namespace {

/// inspect knows no layers: a cell of a user's own, with its state as a probe.
template <class T>
Variable<T> probe(const Variable<T>& h, std::int32_t t, StepOwner owner) {
    h.named("rnn.h");
    Node<T>& node = h.node();
    node.probe = node.retains_gradient = true;
    node.time_step = t;
    node.step_owner = owner;
    return h;
}

/// [1, 1]
Array<double> filled(double element) {
    Array<double> a = Array<double>::from_shape({1, 1});
    a.fill(element);
    return a;
}

double norm(const Array<double>& a) {
    double sum = 0;
    for (const double v : a) sum += v * v;
    return std::sqrt(sum);
}

}  // namespace

TEST_CASE("a linear recurrence: the gradient norm is that of a power of W") {
    // h_t = h_{t-1} W', L = <s, h_T>: dL/dh_t = s W^(T-t), here with W diagonal: 2^k and (1/2)^k.
    Tape<double> tape;
    Parameter<double> w("w", Array<double>{{2.0, 0.0}, {0.0, 0.5}});
    auto h = tape.constant(Array<double>{{1.0, 1.0}});
    const StepOwner owner = new_step_owner();
    for (std::int32_t t = 0; t < 5; ++t) h = probe(matmul(h, transpose(Variable<double>(w))), t, owner);
    tape.backward(sum(h));
    const auto flow = inspect::gradient_flow(tape);
    const auto& state = flow["rnn.h"];
    REQUIRE(state.grad_norm.size() == 5);
    for (std::size_t t = 0; t < 5; ++t) {
        const double k = 4 - static_cast<double>(t);
        CHECK(state.time_step[t] == static_cast<std::int32_t>(t));
        CHECK(state.grad_norm[t] == doctest::Approx(std::hypot(std::pow(2, k), std::pow(0.5, k))).epsilon(1e-14));
    }
    // dL/dW = sum_t delta_t' h_{t-1}, with h_{t-1} = (2^t, 2^-t) and delta_t = (2^(4-t), 2^(t-4)).
    const auto contributions = inspect::weight_contributions(tape, w);
    REQUIRE(contributions.norm.size() == 5);
    double total = 0;
    for (std::size_t k = 0; k < 5; ++k) {
        const double t = static_cast<double>(k);
        const double expected =
            std::hypot(std::pow(2, t), std::pow(2, -t)) * std::hypot(std::pow(2, 4 - t), std::pow(2, t - 4));
        CHECK(contributions.norm[k] == doctest::Approx(expected).epsilon(1e-14));
        total += contributions.norm[k];
    }
    CHECK(norm(w.grad()) <= total);
    CHECK(norm(w.grad()) > 0);
}

TEST_CASE_TEMPLATE("norms hold at every scale", T, float, double) {
    // y = x W: dL/dW = x' dy is as large as x and dy are; powers of two round nothing.
    // The norm of a contribution, 2^(+-2 far), is a double; the squares on the way are no T's.
    const int far = std::is_same_v<T, float> ? 100 : 500;
    const auto norms = [](std::size_t B, std::size_t inputs, std::size_t outputs, int x_exponent, int dy_exponent) {
        Tape<T> tape;
        Generator generator(3);
        Array<T> x = normal<T>({B, inputs}, 0, 1, generator), dy = normal<T>({B, outputs}, 0, 1, generator);
        for (T& element : x) element = std::scalbn(element, x_exponent);
        for (T& element : dy) element = std::scalbn(element, dy_exponent);
        const Parameter<T> w("w", normal<T>({inputs, outputs}, 0, 1, generator));
        auto h = tape.variable(x);
        const auto y = probe(matmul(h, Variable<T>(w)), 0, new_step_owner());
        tape.backward(y, dy);
        const auto flow = inspect::gradient_flow(tape);
        return std::vector<double>{inspect::weight_contributions(tape, w).norm.at(0), flow["rnn.h"].grad_norm.at(0),
                                   flow["rnn.h"].value_norm.at(0)};
    };
    // Few sequences and a large weight go by way of x x' and dy dy', many and a small one by x' dy.
    for (const auto& sizes : {std::array<std::size_t, 3>{2, 9, 10}, {20, 3, 4}}) {
        const std::size_t B = sizes[0], inputs = sizes[1], outputs = sizes[2];
        const std::vector<double> at_1 = norms(B, inputs, outputs, 0, 0);
        for (const int x : {-far, 0, far})
            for (const int dy : {-far, 0, far}) {
                CAPTURE(B);
                CAPTURE(x);
                CAPTURE(dy);
                const std::vector<double> scaled = norms(B, inputs, outputs, x, dy);
                CHECK(scaled[0] == std::scalbn(at_1[0], x + dy));
                CHECK(scaled[1] == std::scalbn(at_1[1], dy));
                CHECK(scaled[2] == std::scalbn(at_1[2], x));
            }
    }
}

TEST_CASE("uses of one step add up before the norm is taken, also when one is far smaller") {
    // dL/dw = 3 (1, 0) + s (0, 4): 5 for s = 1.
    const auto norm_for = [](double s) {
        Tape<double> tape;
        const Parameter<double> w("w", Array<double>{{0.0, 0.0}});  // [out = 1, in = 2]
        const auto use = [&](const Array<double>& x) { return linear(tape.constant(x), Variable<double>(w)); };
        tape.backward(sum(use(Array<double>{{3.0, 0.0}})) + sum(use(Array<double>{{0.0, 4.0 * s}})));
        const auto contributions = inspect::weight_contributions(tape, w);
        REQUIRE(contributions.norm.size() == 1);
        return contributions.norm[0];
    };
    CHECK(norm_for(1) == doctest::Approx(5).epsilon(1e-15));
    CHECK(norm_for(1e-250) == doctest::Approx(3).epsilon(1e-15));
    CHECK(norm_for(1e250) == doctest::Approx(4e250).epsilon(1e-15));
}

TEST_CASE("sequences without a step or without a sequence contribute nothing") {
    const Parameter<double> w("w", Array<double>{{1.0, 2.0}, {3.0, 4.0}, {5.0, 6.0}});  // [out = 3, in = 2]
    const auto contributions = [&](const Shape& shape) {
        Tape<double> tape;
        const auto x = tape.variable(Array<double>::from_shape({shape[0], shape[1], shape[2]}));
        tape.backward(sum(linear(x, Variable<double>(w))));
        return inspect::weight_contributions(tape, w);
    };
    CHECK(contributions({0, 4, 2}).time_step.empty());
    CHECK(contributions({0, 4, 2}).norm.empty());
    CHECK(contributions({3, 0, 2}).time_step == std::vector<std::int32_t>{0, 1, 2});
    CHECK(contributions({3, 0, 2}).norm == std::vector<double>{0, 0, 0});
}

TEST_CASE("each run of a cell is a list of its own, in which time ascends") {
    // h_t = h_{t-1} W with W = 2, so that a gradient names its distance: dL/dh_t = 2^(T-1-t), L = h_{T-1}.
    const auto powers = [](std::size_t T) {
        std::vector<double> result;
        for (std::size_t t = 0; t < T; ++t) result.push_back(std::pow(2, static_cast<double>(T - 1 - t)));
        return result;
    };
    const auto steps = [](std::int32_t T) {
        std::vector<std::int32_t> result;
        for (std::int32_t t = 0; t < T; ++t) result.push_back(t);
        return result;
    };
    Tape<double> tape;
    const Parameter<double> w("w", filled(2));
    const StepOwner owner = new_step_owner();
    const auto begin = [&] { return tape.constant(filled(1)); };
    const auto step = [&](const Variable<double>& h, std::int32_t t) {
        return probe(matmul(h, Variable<double>(w)), t, owner);
    };

    SUBCASE("one after another, of any lengths") {
        auto loss = tape.scalar(0);
        for (const std::int32_t T : {1, 3, 5, 2}) {
            auto h = begin();
            for (std::int32_t t = 0; t < T; ++t) h = step(h, t);
            loss = loss + sum(h);
        }
        tape.backward(loss);
        const auto flow = inspect::gradient_flow(tape);
        REQUIRE(flow.states().size() == 4);
        std::size_t k = 0;
        for (const std::int32_t T : {1, 3, 5, 2}) {
            const auto& state = flow.states()[k++];
            CAPTURE(T);
            CHECK(state.name == (k == 1 ? std::string("rnn.h") : fmt::format("rnn.h ({})", k)));
            CHECK(state.time_step == steps(T));
            CHECK(state.grad_norm == powers(static_cast<std::size_t>(T)));
        }
    }
    SUBCASE("taking turns") {
        auto a = begin(), b = begin();
        for (std::int32_t t = 0; t < 4; ++t) {
            a = step(a, t);
            b = step(b, t);
        }
        tape.backward(sum(a) + 8 * sum(b));
        const auto flow = inspect::gradient_flow(tape);
        REQUIRE(flow.states().size() == 2);
        CHECK(flow["rnn.h"].grad_norm == std::vector<double>{8, 4, 2, 1});
        CHECK(flow["rnn.h (2)"].grad_norm == std::vector<double>{64, 32, 16, 8});
        CHECK(flow["rnn.h (2)"].time_step == steps(4));
    }
    SUBCASE("two ways on from one state") {
        auto h = begin();
        for (std::int32_t t = 0; t < 3; ++t) h = step(h, t);
        const auto left = step(step(h, 3), 4), right = step(step(h, 3), 4);
        tape.backward(sum(left) + 2 * sum(right));
        const auto flow = inspect::gradient_flow(tape);
        REQUIRE(flow.states().size() == 2);
        CHECK(flow["rnn.h"].grad_norm == std::vector<double>{48, 24, 12, 2, 1});
        CHECK(flow["rnn.h (2)"].time_step == std::vector<std::int32_t>{3, 4});
        CHECK(flow["rnn.h (2)"].grad_norm == std::vector<double>{4, 2});
    }
    SUBCASE("backwards in time") {
        auto h = begin();
        for (std::int32_t t = 5; t-- > 0;) h = step(h, t);
        tape.backward(sum(h));
        const auto flow = inspect::gradient_flow(tape);
        const auto& state = flow["rnn.h"];
        CHECK(state.time_step == steps(5));
        CHECK(state.grad_norm == std::vector<double>{1, 2, 4, 8, 16});
        CHECK(state.value_norm == std::vector<double>{32, 16, 8, 4, 2});
        CHECK(state.saturation == std::vector<double>(5, 1));
    }
}

TEST_CASE("what is not on the tape is named") {
    Tape<double> tape;
    CHECK_THROWS_WITH_AS(inspect::gradient_flow(tape)["h"], "GradientFlow: no state is called h: the tape has none",
                         ValueError);
    Parameter<double> w("w", Array<double>{{1.0, 2.0}});
    CHECK_THROWS_WITH_AS(
        inspect::weight_contributions(tape, w),
        "weight_contributions: w has none on this tape: expected it to be used in a matrix product, and a "
        "backward pass",
        ValueError);
}
