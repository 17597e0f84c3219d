#include <ebb/autograd/anomaly.hpp>
#include <ebb/autograd/checkpoint.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/source_line.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>

#include <cmath>
#include <limits>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/anomaly.hpp"
#include "support/random_cases.hpp"
#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace ebb;
using namespace ebb::test;

namespace {
constexpr double infinity = std::numeric_limits<double>::infinity();
const double not_a_number = std::numeric_limits<double>::quiet_NaN();

/// Of a node that was recorded while nobody looked.
const std::string unknown_line = "\n  called at a line that is not known, since detect_anomaly was off by then";
}  // namespace

TEST_CASE("the operation that first makes an infinity or a NaN is named") {
    const DetectAnomaly on;
    Tape<double> tape;
    const auto x = tape.variable(Array<double>{1, 0, 2}).named("x");
    const auto y = x * 3;
    const std::size_t size = tape.size();
    std::string found = anomaly_of([&] { log(y); });
    CHECK(found == "detect_anomaly: log (node 3) made -inf at flat index 1 of [3]" + called_at(__LINE__ - 1));
    CHECK(tape.size() == size);  // it is not there
    found = anomaly_of([&] { sqrt(y - 1); });
    CHECK(found == "detect_anomaly: sqrt (node 5) made nan at flat index 1 of [3]" + called_at(__LINE__ - 1));
    // Also of constants, from which nothing is recorded.
    found = anomaly_of([&] { tape.scalar(1) / tape.scalar(0); });
    CHECK(found == "detect_anomaly: div (node 7) made inf at flat index 0 of []" + called_at(__LINE__ - 1));
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
    const std::string found = anomaly_of([&] { tape.constant(Array<double>{1, not_a_number}); });
    const int line = __LINE__ - 1;
    CHECK(found == "detect_anomaly: an array with nan at flat index 1 of [2] comes onto the tape" + called_at(line));
}

TEST_CASE("the operation whose backward first makes one is named, with its time step") {
    Tape<double> tape;
    const auto x = tape.variable(Array<double>{4, 0}).named("x");
    const auto root = sqrt(x).named("root");
    root.node().time_step = 7;
    const auto loss = sum(root);
    {
        const DetectAnomaly on;
        const std::string message =
            "detect_anomaly: the backward of sqrt (root, node 1), time step 7 made inf at flat index 1 of [2] in the "
            "gradient of x (node 0)";
        CHECK(anomaly_of([&] { tape.backward(loss); }) == message + unknown_line);
        CHECK(anomaly_of([&] { tape.backward(loss, {.create_graph = true}); }) == message + unknown_line);
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

TEST_CASE("the line is that of the call in the user's program: operators, functions, functions made of others") {
    const DetectAnomaly on;
    Tape<double> tape;
    const auto x = tape.variable(Array<double>{{4, 0}, {1, 2}});
    const Parameter<double> p("p", Array<double>{{1, 1}, {0, 1}});
    const int first = __LINE__ + 1;
    const auto forms = std::vector<Variable<double>>{
        x * p,                //
        2 / (x + 1),          //
        -p,                   //
        (x + 1) /             //
            (x + 2),          //
        pow(p, 2),            //
        maximum(x, 1),        //
        x >= p,               //
        mean(x, 0),           //
        flip(x, 1),           //
        stack({x, x}),        //
        mse_loss(x, p),       //
        stddev(x),            //
        where(x > 3, x, p),   //
        index_select(p, {0})  //
    };
    const int lines[] = {0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};
    for (std::size_t k = 0; k < forms.size(); ++k) {
        CAPTURE(k);
        const SourceLine line = tape.line_of(forms[k].index());
        CHECK(line.text() == fmt::format("{}:{}", __FILE__, first + lines[k] + 1));
    }
    // In a formula of several lines each operation has its own.
    const std::string found = anomaly_of([&] {
        sum(x) *     //
            log(x);  //
    });
    const int of_log = __LINE__ - 2;
    CHECK(found.ends_with("made -inf at flat index 1 of [2, 2]" + called_at(of_log)));
}

TEST_CASE("backward names the line of the forward pass, also of a gradient's gradient") {
    Tape<double> tape;
    Variable<double> x, root, loss;
    {
        const DetectAnomaly on;
        x = tape.variable(Array<double>{4, 0}).named("x");
        root = sqrt(x);
        const int of_root = __LINE__ - 1;
        loss = sum(root);
        const std::string message =
            "detect_anomaly: the backward of sqrt (node 1) made inf at flat index 1 of [2] in the gradient of x (node "
            "0)";
        CHECK(anomaly_of([&] { tape.backward(loss, {.retain_graph = true}); }) == message + called_at(of_root));
        const std::size_t size = tape.size();
        CHECK(anomaly_of([&] { tape.backward(loss, {.create_graph = true}); }) == message + called_at(of_root));
        CHECK(anomaly_of([&] { grad(loss, {x}); }) == message + called_at(of_root));
        CHECK(tape.size() == size);

        // The derivative of x^(3/2) is 0 at 0, its derivative is not finite.
        const auto y = pow(x, 1.5);
        const int of_pow = __LINE__ - 1;
        const auto slope = grad(sum(y), {x}, {.create_graph = true})[0];
        CHECK(anomaly_of([&] { tape.backward(sum(slope)); }).ends_with(called_at(of_pow)));
    }
    // What was recorded while it was off has no line.
    const auto later = sum(sqrt(x));
    const DetectAnomaly on;
    CHECK(anomaly_of([&] { tape.backward(later); }).ends_with(unknown_line));
}

TEST_CASE("a hook and a checkpointed function have lines of their own") {
    const DetectAnomaly on;
    Tape<double> tape;
    const auto x = tape.variable(Array<double>{4, 0}).named("x");
    const auto logarithm = [](const auto& in) { return log(in[0]); };
    const int of_log = __LINE__ - 1;
    CHECK(anomaly_of([&] { checkpoint<double>(logarithm, {x}); }).ends_with(called_at(of_log)));
    const auto root = [](const auto& in) { return sqrt(in[0]); };
    const int of_root = __LINE__ - 1;
    const auto y = checkpoint<double>(root, {x});
    CHECK(anomaly_of([&] { tape.backward(sum(y)); }).ends_with(called_at(of_root)));
    x.register_hook([](const auto& dy) { return log(dy - 1); });
    const int of_hook = __LINE__ - 1;
    CHECK(anomaly_of([&] { tape.backward(sum(x)); }).ends_with(called_at(of_hook)));
}

TEST_CASE("a write by a reference that was kept is found while anomalies are looked for, and leaves all as it was") {
    Parameter<double> w("w", Array<double>{2, 3});
    Array<double>& kept = w.mutable_value();
    Array<double> data{5, 7};
    const DetectAnomaly on;
    Tape<double> tape;
    const auto y = sum(w * w);
    kept(0) = 4;
    CHECK_THROWS_WITH_AS(tape.backward(y),
                         "backward: parameter w was written after it was recorded, by a reference kept from "
                         "mutable_value(): expected a new call of mutable_value() for each write, after backward",
                         TapeError);
    CHECK_THROWS_AS(grad(y, {tape.use(w)}), TapeError);
    CHECK(w.grad() == Array<double>{0, 0});
    kept(0) = 2;  // as it was
    tape.backward(y);
    CHECK(w.grad() == Array<double>{4, 6});

    const auto x = tape.borrow(data).named("x");
    const auto z = sum(x * w);
    data(1) = 8;
    CHECK_THROWS_WITH_AS(tape.backward(z),
                         ("backward: the array borrowed as x (node " + std::to_string(x.index()) +
                          ") was written since: expected it to stay as it is until Tape.clear")
                             .c_str(),
                         TapeError);
    tape.clear();
    tape.backward(sum(tape.borrow(data) * w));
    CHECK(w.grad() == Array<double>{9, 14});
}

// Nobody can write into the value of a variable: there is no way to its elements that is not const.
static_assert(!std::is_assignable_v<decltype(*std::declval<Node<double>&>().value), double>);
static_assert(!std::is_assignable_v<decltype(std::declval<Variable<double>>().value()(0)), double>);
static_assert(!std::is_assignable_v<decltype(std::declval<Variable<double>>().grad()(0)), double>);
static_assert(!std::is_assignable_v<decltype(std::declval<const Parameter<double>>().value()(0)), double>);

TEST_CASE("every operation of the catalogue knows the line of its caller") {
    const DetectAnomaly on;
    for (const RandomCase& c : random_cases()) {
        CAPTURE(c.operation);
        Draw draw(3);
        const OperationCase drawn = c.draw(draw);
        Tape<double> tape;
        std::vector<Variable<double>> in;
        for (const Array<double>& x : drawn.inputs) in.push_back(tape.variable(x));
        const auto leaves = static_cast<NodeIndex>(tape.size());
        drawn.in_double(in);
        for (NodeIndex k = leaves; k < tape.size(); ++k) {
            const Node<double>& node = tape.node(k);
            if (!node.operation) continue;
            const SourceLine line = tape.line_of(k);
            REQUIRE(line.known());
            CHECK(std::string(line.file()).find("/tests/") != std::string::npos);
        }
    }
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
