#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>
#include <ebb/inspect/gradient_flow.hpp>

#include <cmath>
#include <vector>

#include <doctest/doctest.h>

using namespace ebb;

namespace {

/// inspect knows no layers: a cell of a user's own, with its state as a probe.
Variable<double> probe(const Variable<double>& h, std::int32_t t, StepOwner owner) {
    h.named("rnn.h");
    Node<double>& node = h.node();
    node.probe = node.retains_gradient = true;
    node.time_step = t;
    node.step_owner = owner;
    return h;
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
