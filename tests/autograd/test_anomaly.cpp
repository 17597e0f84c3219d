#include <ebb/autograd/anomaly.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>

#include <cmath>
#include <limits>
#include <thread>

#include <doctest/doctest.h>

using namespace ebb;

namespace {
constexpr double infinity = std::numeric_limits<double>::infinity();
const double not_a_number = std::numeric_limits<double>::quiet_NaN();
}  // namespace

TEST_CASE("the operation that first makes an infinity or a NaN is named") {
    const DetectAnomaly on;
    Tape<double> tape;
    const auto x = tape.variable(Array<double>{1, 0, 2}).named("x");
    const auto y = x * 3;
    const std::size_t size = tape.size();
    CHECK_THROWS_WITH_AS(log(y), "detect_anomaly: log (node 3) made -inf at flat index 1 of [3]", AnomalyError);
    CHECK(tape.size() == size);  // it is not there
    CHECK_THROWS_WITH_AS(sqrt(y - 1), "detect_anomaly: sqrt (node 5) made nan at flat index 1 of [3]", AnomalyError);
    // Also of constants, from which nothing is recorded.
    CHECK_THROWS_WITH_AS(tape.scalar(1) / tape.scalar(0), "detect_anomaly: div (node 7) made inf at flat index 0 of []",
                         AnomalyError);
    // The tape goes on.
    tape.backward(sum(y));
    CHECK(Array<double>(x.grad()) == Array<double>{3, 3, 3});
}

TEST_CASE("what comes in is not made") {
    const DetectAnomaly on;
    Tape<double> tape;
    const auto mask = tape.constant(Array<double>{0, -infinity});
    const auto x = tape.variable(Array<double>{1, 2});
    const auto masked = x + mask;
    CHECK(std::isinf(masked.value()(1)));
    CHECK(softmax(masked).value()(1) == 0);
    // inf - inf is new.
    CHECK_THROWS_WITH_AS(masked - mask, doctest::Contains("sub (node"), AnomalyError);
    // NaN in the data is found at the door.
    CHECK_THROWS_WITH_AS(tape.constant(Array<double>{1, not_a_number}),
                         "detect_anomaly: an array with nan at flat index 1 of [2] comes onto the tape", AnomalyError);
}

TEST_CASE("the operation whose backward first makes one is named, with its time step") {
    Tape<double> tape;
    const auto x = tape.variable(Array<double>{4, 0}).named("x");
    const auto root = sqrt(x).named("root");
    root.node().time_step = 7;
    const auto loss = sum(root);
    {
        const DetectAnomaly on;
        CHECK_THROWS_WITH_AS(
            tape.backward(loss),
            "detect_anomaly: the backward of sqrt (root, node 1), time step 7 made inf at flat index 1 of [2] in the "
            "gradient of x (node 0)",
            AnomalyError);
        CHECK(!x.has_grad());
        CHECK_THROWS_WITH_AS(tape.backward(loss * 1.0, Array<double>(not_a_number)),
                             doctest::Contains("the seed holds nan"), AnomalyError);
    }
    // Off again, as before: the infinity goes through.
    tape.backward(loss);
    CHECK(std::isinf(x.grad()(1)));
}

TEST_CASE("a hook and a sum over a parameter's uses can make one, too") {
    const DetectAnomaly on;
    Tape<float> tape;
    const auto x = tape.variable(Array<float>{1}).named("x");
    x.register_hook([](const auto& dy) { return dy * std::numeric_limits<float>::infinity(); });
    CHECK_THROWS_AS(tape.backward(sum(x)), AnomalyError);
    Array<float> zero = Array<float>::from_shape({1, 1});
    zero.fill(0);
    const Parameter<float> w("w", zero);
    const auto huge = tape.full({2, 1}, 3e38f);
    CHECK_THROWS_WITH_AS(
        tape.backward(sum(linear(huge, w))),
        doctest::Contains("the sum over all uses of a parameter gives inf at flat index 0 of [1, 1] in "
                          "the gradient of w"),
        AnomalyError);
}

TEST_CASE("detection is a thread's own, and ends with its scope") {
    CHECK(!anomaly_detection());
    detect_anomaly(true);
    CHECK(anomaly_detection());
    {
        const DetectAnomaly off(false);
        CHECK(!anomaly_detection());
    }
    CHECK(anomaly_detection());
    bool elsewhere = true;
    std::thread([&] { elsewhere = anomaly_detection(); }).join();
    CHECK(!elsewhere);
    detect_anomaly(false);
    Tape<double> tape;
    CHECK(std::isinf(log(tape.variable(Array<double>{0})).value()(0)));
}
