#include <ebb/autograd/grad_mode.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>

#include <cmath>
#include <memory>
#include <thread>

#include "support/random_arrays.hpp"
#include <doctest/doctest.h>

using namespace ebb;
using ebb::test::array_of;

namespace {

Array<double> values(const Variable<double>& x) {
    return x.value();
}
Array<double> gradient(const Variable<double>& x) {
    return x.grad();
}

/// y = x1 x2 and z = x1 + x2 in one operation: two outputs.
class ProductAndSum final : public Operation<double> {
  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info{"product_and_sum", "y = a b, z = a + b", "da = dy b + dz, db = dy a + dz"};
        return info;
    }
    void vjp(Vjp<double>& pass) const override {
        const auto dy = pass.dy(0), dz = pass.dy(1);
        if (pass.wants(0)) pass.accumulate(0, dy * pass.input(1) + dz);
        if (pass.wants(1)) pass.accumulate(1, dy * pass.input(0) + dz);
    }
};

std::pair<Variable<double>, Variable<double>> product_and_sum(const Variable<double>& a, const Variable<double>& b) {
    static const ProductAndSum operation;
    Tape<double>& tape = a.tape();
    const auto y = tape.record(operation, {a, b}, a.shape());
    const auto z = tape.record_further_output(y, a.shape());
    for (std::size_t k = 0; k < a.size(); ++k) {
        y.value[k] = a.node().value[k] * b.node().value[k];
        z.value[k] = a.node().value[k] + b.node().value[k];
    }
    return {tape.at(y.index), tape.at(z.index)};
}

/// y = x; its way back throws while `armed`.
class Throwing final : public Operation<double> {
  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info{"throwing", "y = x", "dx = dy"};
        return info;
    }
    void vjp(Vjp<double>& pass) const override {
        if (armed) fail<ValueError>("throwing: armed");
        pass.accumulate(0, pass.dy());
    }
    static inline bool armed = false;
};

Variable<double> throwing(const Variable<double>& x) {
    static const Throwing operation;
    return x.tape().at(x.tape().record(operation, {x}, x.shape(), x.node().value).index);
}

}  // namespace

TEST_CASE("a scalar graph goes forward and back") {
    Tape<double> tape;
    const auto x = tape.variable(Array<double>(2.0));
    const auto w = tape.variable(Array<double>(-3.0));
    const auto y = tanh(x * w + 1) * x;
    tape.backward(y);
    const double a = std::tanh(-5.0), d = 1 - a * a;
    CHECK(y.item() == doctest::Approx(2 * a));
    CHECK(x.grad()() == doctest::Approx(2 * d * -3 + a));
    CHECK(w.grad()() == doctest::Approx(2 * d * 2));
}

TEST_CASE("leaves: values, shapes, names") {
    Tape<double> tape;
    Array<double> array{{1, 2}, {3, 4}};
    const auto x = tape.variable(array);
    array.fill(0);  // the tape has its own copy
    CHECK(values(x) == Array<double>{{1, 2}, {3, 4}});
    CHECK(x.shape() == Shape{2, 2});
    CHECK(x.size() == 4);
    CHECK(x.requires_grad());
    CHECK(x.is_leaf());
    CHECK(x.name().empty());
    CHECK(x.named("x").name() == "x");
    CHECK(x.time_step() == -1);
    CHECK(&x.tape() == &tape);
    const double numbers[] = {5, 6, 7};
    CHECK(values(tape.constant(numbers, {3})) == Array<double>{5, 6, 7});
    CHECK(!tape.constant(numbers, {3}).requires_grad());
    CHECK(tape.scalar(3).item() == 3);
    CHECK(tape.scalar(3).shape() == Shape{});
    CHECK(values(tape.full({2}, 7)) == Array<double>{7, 7});
    CHECK(values(tape.ones({2})) == Array<double>{1, 1});
    CHECK(values(tape.zeros({1, 2})) == array_of({1, 2}, {0, 0}));
    const auto y = x * 2;
    CHECK(!y.is_leaf());
    CHECK(y.requires_grad());
    CHECK((tape.scalar(1) * 2).is_leaf());  // nothing was recorded to make it
}

TEST_CASE("gradients add up over passes") {
    Tape<double> tape;
    const Parameter<double> p("p", Array<double>{3});
    const auto x = tape.variable(Array<double>{2});
    const auto y = x * x * p;
    tape.backward(y, {.retain_graph = true});
    CHECK(gradient(x) == Array<double>{12});
    CHECK(p.grad() == Array<double>{4});
    tape.backward(y, {.retain_graph = true});
    CHECK(gradient(x) == Array<double>{24});
    CHECK(p.grad() == Array<double>{8});
    tape.backward(y, Array<double>{10});
    CHECK(gradient(x) == Array<double>{144});
    CHECK(p.grad() == Array<double>{48});
    x.zero_grad();
    CHECK(gradient(x) == Array<double>{0});
    // Over tapes too, for parameters.
    tape.clear();
    const auto z = tape.use(p) * 5;
    tape.backward(z);
    CHECK(p.grad() == Array<double>{53});
    Parameter<double> same = p;
    same.zero_grad();
    CHECK(p.grad() == Array<double>{0});
}

TEST_CASE("a graph that was freed") {
    Tape<double> tape;
    const auto x = tape.variable(Array<double>{2});
    const auto h = (x * x).named("h");
    const auto y = h * 3;
    const auto z = h * 4;
    tape.backward(y);
    CHECK(gradient(x) == Array<double>{12});
    CHECK_THROWS_WITH_AS(tape.backward(y),
                         "backward: node 3 was freed by an earlier backward pass: expected "
                         "BackwardOptions{.retain_graph = true} there, or the forward pass recorded again",
                         TapeError);
    // Another loss that shares a part with it.
    CHECK_THROWS_WITH_AS(tape.backward(z),
                         "backward: h (node 1) was freed by an earlier backward pass: expected "
                         "BackwardOptions{.retain_graph = true} there, or the forward pass recorded again",
                         TapeError);
    CHECK_THROWS_WITH_AS(grad(z, {x}),
                         "grad: h (node 1) was freed by an earlier backward pass: expected "
                         "BackwardOptions{.retain_graph = true} there, or the forward pass recorded again",
                         TapeError);
    CHECK(gradient(x) == Array<double>{12});
    // One that shares none.
    tape.backward(x * 5);
    CHECK(gradient(x) == Array<double>{17});
}

TEST_CASE("a freed graph gives no memory back: its values can be read until clear()") {
    Tape<double> tape;
    const auto x = tape.variable(Array<double>{2, 3});
    const auto h = x * x, y = exp(h), loss = sum(y);
    const std::size_t before = tape.bytes_used();
    const double* const memory = h.value().data();
    tape.backward(loss);
    CHECK(tape.bytes_used() >= before);
    CHECK(h.value().data() == memory);
    CHECK(Array<double>(h.value()) == Array<double>{4, 9});
    CHECK(y.value()(1) == doctest::Approx(std::exp(9.0)));
    // And by what is recorded next.
    CHECK(Array<double>((h + 1.0).value()) == Array<double>{5, 10});
    tape.clear();
    CHECK_THROWS_AS(h.value(), TapeError);
}

TEST_CASE("two losses over one graph") {
    Tape<double> tape;
    const auto x = tape.variable(Array<double>{2});
    const auto h = x * x;
    tape.backward(h * 3, {.retain_graph = true});
    tape.backward(h * 4);
    CHECK(gradient(x) == Array<double>{28});
}

TEST_CASE("losses that are none") {
    Tape<double> tape;
    const auto x = tape.variable(Array<double>{2, 3});
    const auto c = tape.constant(Array<double>{1});
    const auto y = (x * x).named("y");
    CHECK_THROWS_WITH_AS(tape.backward(y),
                         "backward: y (node 2) is [2]: expected one element, or a seed of that shape: "
                         "tape.backward(y, seed)",
                         ShapeError);
    CHECK_THROWS_WITH_AS(tape.backward(y, Array<double>{1}),
                         "backward: y (node 2) is [2], its seed is [1]: expected the same shape", ShapeError);
    CHECK_THROWS_WITH_AS(tape.backward(c),
                         "backward: node 1 depends on no parameter and on no variable that wants a gradient",
                         TapeError);
    CHECK_THROWS_WITH_AS(tape.backward(Variable<double>()),
                         "backward: an operand is a default-constructed Variable, which is on no tape", TapeError);
    CHECK_THROWS_WITH_AS(grad(y, {x}), "grad: y is [2]: expected one element", ShapeError);
    CHECK(!x.has_grad());
    tape.backward(y, Array<double>{1, 10});
    CHECK(gradient(x) == Array<double>{4, 60});
}

TEST_CASE("the loss may be a leaf") {
    Tape<double> tape;
    const auto x = tape.variable(Array<double>{2});
    tape.backward(x);
    CHECK(gradient(x) == Array<double>{1});
    const Parameter<double> p("p", Array<double>(2.0));
    tape.backward(tape.use(p), Array<double>(5.0));
    CHECK(p.grad()() == 5);
}

TEST_CASE("gradients of what is no leaf") {
    Tape<double> tape;
    const auto x = tape.variable(Array<double>{2});
    const auto c = tape.constant(Array<double>{4});
    const auto h = (x * 3).named("h");
    const auto kept = h * 5;
    kept.retain_grad();
    const auto y = kept + kept * h;
    CHECK_THROWS_WITH_AS(x.grad(), "grad: node 0 has no gradient yet: no backward pass has reached it", TapeError);
    tape.backward(y, {.retain_graph = true});
    CHECK_THROWS_WITH_AS(h.grad(),
                         "grad: h (node 3) is no leaf and its gradient was not kept: call retain_grad() on it before "
                         "backward",
                         TapeError);
    CHECK_THROWS_WITH_AS(
        c.grad(), "grad: node 1 is a constant: expected tape.variable(array), or something made from one", TapeError);
    CHECK_THROWS_WITH_AS(c.retain_grad(), "retain_grad: node 1 is a constant: no gradient flows into it", TapeError);
    CHECK(!h.has_grad());
    CHECK(gradient(kept) == Array<double>{7});  // d(k + k h)/dk = 1 + h
    tape.backward(y);
    CHECK(gradient(kept) == Array<double>{14});
    const Parameter<double> p("p", Array<double>{1});
    CHECK_THROWS_WITH_AS(tape.use(p).grad(),
                         "grad: p is a parameter: its gradient is in the Parameter itself, parameter.grad()",
                         TapeError);
}

TEST_CASE("retained gradients, where memory is handed on") {
    // y = reshape(a + b): each node on the way would give its memory to the next.
    Tape<double> tape;
    const auto a = tape.variable(Array<double>{1, 2});
    const auto b = tape.variable(Array<double>{3, 4});
    const auto s = a + b;
    const auto r = reshape(s, {2, 1});
    s.retain_grad();
    r.retain_grad();
    const auto y = sum(r * r) + sum(a + a);
    tape.backward(y, {.retain_graph = true});
    CHECK(gradient(r) == array_of({2, 1}, {8, 12}));
    CHECK(gradient(s) == Array<double>{8, 12});
    CHECK(gradient(a) == Array<double>{10, 14});
    CHECK(gradient(b) == Array<double>{8, 12});
    tape.backward(y);
    CHECK(gradient(r) == array_of({2, 1}, {16, 24}));
    CHECK(gradient(s) == Array<double>{16, 24});
    CHECK(gradient(a) == Array<double>{20, 28});
    CHECK(gradient(b) == Array<double>{16, 24});
}

TEST_CASE("a variable added to itself") {
    Tape<double> tape;
    const auto x = tape.variable(Array<double>{1, 2});
    tape.backward(sum(x + x));
    CHECK(gradient(x) == Array<double>{2, 2});
    const auto h = x * 3;
    const auto y = h + h;
    tape.backward(sum(y + y));
    CHECK(gradient(x) == Array<double>{14, 14});
}

TEST_CASE("tapes that were cleared or destroyed, and variables of none") {
    Variable<double> outlived;
    {
        Tape<double> tape;
        const auto x = tape.variable(Array<double>{1});
        outlived = x;
        tape.clear();
        CHECK(tape.size() == 0);
        const char* const message =
            "Variable: its tape was cleared or destroyed since: copy what outlasts a tape into an array, x.value(), "
            "and "
            "make a new variable from it";
        CHECK_THROWS_WITH_AS(x.value(), message, TapeError);
        CHECK_THROWS_WITH_AS(x * 2, message, TapeError);
        CHECK_THROWS_WITH_AS(tape.backward(x), message, TapeError);
        const auto y = tape.variable(Array<double>{1});
        CHECK_THROWS_WITH_AS(y * x, message, TapeError);
        CHECK_THROWS_WITH_AS(x.shape(), message, TapeError);
        CHECK(tape.size() == 1);
        tape.backward(y * 3);
        CHECK(gradient(y) == Array<double>{3});
    }
    const char* const message =
        "Variable: its tape was cleared or destroyed since: copy what outlasts a tape into an array, x.value(), and "
        "make "
        "a new variable from it";
    CHECK_THROWS_WITH_AS(outlived.value(), message, TapeError);
    Tape<double> other;  // may get the anchor of the one that is gone
    CHECK_THROWS_WITH_AS(outlived.value(), message, TapeError);
    CHECK_THROWS_WITH_AS(other.ones({1}) * outlived, message, TapeError);
    CHECK_THROWS_WITH_AS(Variable<double>().value(), "Variable: it was default-constructed and is on no tape",
                         TapeError);
    CHECK_THROWS_WITH_AS(other.ones({1}) * Variable<double>(),
                         "mul: an operand is a default-constructed Variable, which is on no tape", TapeError);
}

TEST_CASE("two tapes") {
    Tape<double> outer;
    const auto x = outer.variable(Array<double>{2});
    const Parameter<double> p("p", Array<double>{3});
    {
        Tape<double> inner;
        CHECK(&Tape<double>::active() == &inner);
        const auto y = inner.variable(Array<double>{5});
        const std::size_t sizes[] = {outer.size(), inner.size()};
        CHECK_THROWS_WITH_AS(x * y, "mul: the operands are on two different tapes: expected all on one", TapeError);
        CHECK_THROWS_WITH_AS(outer.backward(y),
                             "backward: the operands are on two different tapes: expected all on one", TapeError);
        CHECK_THROWS_WITH_AS(matmul(x, y), "matmul: the operands are on two different tapes: expected all on one",
                             TapeError);
        CHECK(outer.size() == sizes[0]);
        CHECK(inner.size() == sizes[1]);
        inner.backward(Variable<double>(p) * y);  // a parameter is recorded on the active tape
        CHECK(p.grad() == Array<double>{5});
        outer.backward(x * outer.use(p));
        CHECK(p.grad() == Array<double>{7});
        CHECK(gradient(x) == Array<double>{3});
    }
    CHECK(&Tape<double>::active() == &outer);
    // Out of order.
    auto first = std::make_unique<Tape<double>>();
    auto second = std::make_unique<Tape<double>>();
    first.reset();
    CHECK(&Tape<double>::active() == second.get());
    second.reset();
    CHECK(&Tape<double>::active() == &outer);
}

TEST_CASE("no tape") {
    CHECK_THROWS_WITH_AS(
        Tape<float>::active(),
        "no tape is active on this thread: expected a Tape<T> in scope, or an operand that is on a tape", TapeError);
    const Parameter<float> p("p", Array<float>{3});
    CHECK_THROWS_WITH_AS(
        p * p, "no tape is active on this thread: expected a Tape<T> in scope, or an operand that is on a tape",
        TapeError);
}

TEST_CASE("another thread") {
    Tape<double> tape;
    const auto x = tape.variable(Array<double>{2});
    const Parameter<double> p("p", Array<double>{3});
    std::thread([&] {
        CHECK_THROWS_AS(Tape<double>::active(), TapeError);
        CHECK_THROWS_WITH_AS(x * 2, "Tape: the tape belongs to another thread: expected one tape per thread",
                             TapeError);
        CHECK_THROWS_WITH_AS(x * x, "mul: the tape belongs to another thread: expected one tape per thread", TapeError);
        CHECK_THROWS_WITH_AS(tape.backward(x),
                             "backward: the tape belongs to another thread: expected one tape per thread", TapeError);
        CHECK_THROWS_WITH_AS(tape.clear(),
                             "Tape.clear: the tape belongs to another thread: expected one tape per thread", TapeError);
        CHECK_THROWS_WITH_AS(tape.use(p), "Tape.use: the tape belongs to another thread: expected one tape per thread",
                             TapeError);
        Tape<double> own;
        CHECK(&Tape<double>::active() == &own);
        own.backward(own.use(p) * 2);
    }).join();
    CHECK(tape.size() == 1);
    CHECK(&Tape<double>::active() == &tape);
    CHECK(p.grad() == Array<double>{2});
}

TEST_CASE("NoGrad, EnableGrad, detach") {
    Tape<double> tape;
    const auto x = tape.variable(Array<double>{2});
    const Parameter<double> p("p", Array<double>{3});
    CHECK(grad_enabled());
    {
        const NoGrad off;
        CHECK(!grad_enabled());
        const auto y = x * x;
        CHECK(!y.requires_grad());
        CHECK(values(y) == Array<double>{4});
        CHECK(!tape.use(p).requires_grad());
        CHECK_THROWS_AS(tape.backward(y), TapeError);
        {
            const EnableGrad on;
            CHECK(grad_enabled());
            CHECK((x * x).requires_grad());
        }
        CHECK(!grad_enabled());
    }
    CHECK(grad_enabled());
    const auto h = (x * x).named("h");
    const auto d = h.detach();
    CHECK(!d.requires_grad());
    CHECK(d.name() == "h");
    CHECK(d.value().data() == h.value().data());
    tape.backward(h * d);  // as if d were the number 4
    CHECK(gradient(x) == Array<double>{16});
    // A parameter that was first used without a gradient is recorded again with one.
    tape.backward(tape.use(p) * 7);
    CHECK(p.grad() == Array<double>{7});
    // Transposed, and then detached.
    const auto t = transpose(tape.variable(Array<double>{{1, 2}, {3, 4}})).detach();
    CHECK(values(t) == Array<double>{{1, 3}, {2, 4}});
    CHECK(!t.requires_grad());
}

TEST_CASE("parameters that are frozen") {
    Parameter<double> p("p", Array<double>{3});
    p.set_requires_grad(false);
    Tape<double> tape;
    const auto x = tape.variable(Array<double>{2});
    const auto y = x * p;
    tape.backward(y);
    CHECK(gradient(x) == Array<double>{3});
    CHECK(p.grad() == Array<double>{0});
    CHECK_THROWS_WITH_AS(tape.backward(tape.use(p) * 2),
                         "backward: node 4 depends on no parameter and on no variable that wants a gradient",
                         TapeError);
    p.set_requires_grad(true);
    tape.clear();
    tape.backward(tape.use(p) * 2);
    CHECK(p.grad() == Array<double>{2});
}

TEST_CASE("a parameter that is written after it was recorded") {
    Parameter<double> p("weight", Array<double>{3});
    for (const bool frozen : {false, true}) {
        Tape<double> tape;
        p.set_requires_grad(!frozen);
        p.zero_grad();
        const auto x = tape.variable(Array<double>{2});
        const auto y = x * x * p;
        p.mutable_value()(0) = 4;
        const char* const message =
            "backward: parameter weight was written after it was recorded, so the tape mixes its old and its new "
            "value: run "
            "backward before the optimiser's step, or record the forward pass again";
        CHECK_THROWS_WITH_AS(tape.backward(y), message, TapeError);
        CHECK_THROWS_WITH_AS(tape.backward(y, {.create_graph = true}), message, TapeError);
        CHECK_THROWS_AS(grad(y, {x}), TapeError);
        CHECK(!x.has_grad());
        CHECK(p.grad() == Array<double>{0});
        // What does not depend on it can still go back; recorded again, it has a new node.
        tape.backward(x * 5);
        CHECK(gradient(x) == Array<double>{5});
        const auto z = x * p;
        CHECK(values(z) == Array<double>{8});
        tape.backward(z);
        CHECK(gradient(x) == Array<double>{9});
        if (!frozen) CHECK(p.grad() == Array<double>{2});
    }
}

TEST_CASE("a parameter whose memory has moved") {
    Parameter<double> p("weight", Array<double>{3, 4});
    Tape<double> tape;
    const auto v = tape.use(p);
    p.mutable_value() = Array<double>{5, 6};  // the storage of another array
    CHECK(values(v) == Array<double>{5, 6});
    CHECK(values(v * 2) == Array<double>{10, 12});
    p.mutable_value() = array_of({1, 3}, {5, 6, 7});
    const char* const message = "Parameter: weight is [2], but its value was replaced by one of shape [1, 3]";
    CHECK_THROWS_WITH_AS(v.value(), message, ShapeError);
    CHECK_THROWS_WITH_AS(v * 2, message, ShapeError);
    CHECK_THROWS_WITH_AS(tape.use(p), message, ShapeError);
    CHECK_THROWS_WITH_AS(tape.use(p) * 2, message, ShapeError);
}

TEST_CASE("a parameter whose gradient was resized") {
    Parameter<double> p("weight", Array<double>{3, 4});
    Tape<double> tape;
    const auto y = sum(tape.use(p));
    p.mutable_grad() = Array<double>{1};
    CHECK_THROWS_WITH_AS(tape.backward(y),
                         "backward: parameter weight is [2], but its gradient was resized to 1 elements", ShapeError);
}

TEST_CASE("parameters: values that are none, and shapes that change") {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
    using P = Parameter<double>;
    CHECK_THROWS_WITH_AS(P("weight", Array<double>{{1, 2}, {nan, 4}}),
                         "Parameter: weight holds nan at [1, 0]: expected finite numbers", ValueError);
    CHECK_THROWS_WITH_AS(P("weight", Array<double>{1, -infinity}),
                         "Parameter: weight holds -inf at [1]: expected finite numbers", ValueError);
    P p("weight", Array<double>{1, 2});
    CHECK_THROWS_WITH_AS(p.set_value(Array<double>{1, 2, 3}),
                         "Parameter.set_value: weight is [2], the new value is [3]", ShapeError);
    CHECK_THROWS_WITH_AS(p.set_value(Array<double>{1, nan}),
                         "Parameter.set_value: weight holds nan at [1]: expected finite numbers", ValueError);
    CHECK(p.value() == Array<double>{1, 2});
    p.set_value(Array<double>{3, 4});
    CHECK(p.value() == Array<double>{3, 4});
    CHECK(p.shape() == Shape{2});
    CHECK(p.size() == 2);
    CHECK(p.name() == "weight");
    P copy = p;
    copy.set_name("tied");
    CHECK(p.name() == "tied");
    CHECK(copy.shares_with(p));
    CHECK(!copy.shares_with(P("tied", p.value())));
    CHECK_THROWS_WITH_AS(P().value(),
                         "Parameter: it was default-constructed and holds no array: expected Parameter(name, array)",
                         ValueError);
    CHECK(!P().defined());
    Tape<double> tape;
    CHECK(tape.use(p).index() == tape.use(copy).index());  // tied weights are one node
    CHECK(tape.use(p).name() == "tied");
}

TEST_CASE("item") {
    Tape<double> tape;
    CHECK(tape.ones({1, 1}).item() == 1);
    CHECK_THROWS_WITH_AS(tape.ones({2}).item(), "item: the variable is [2]: expected an array with one element",
                         ShapeError);
    CHECK_THROWS_WITH_AS(tape.ones({0}).named("x").item(), "item: x is [0]: expected an array with one element",
                         ShapeError);
    CHECK(transpose(tape.constant(array_of({1, 1}, {7}))).item() == 7);
}

TEST_CASE("an operation with two outputs") {
    const auto both_ways = [](auto loss_of, const Array<double>& da, const Array<double>& db) {
        for (const bool recorded : {false, true}) {
            Tape<double> tape;
            const auto a = tape.variable(Array<double>{2, 3});
            const auto b = tape.variable(Array<double>{5, 7});
            const auto [y, z] = product_and_sum(a, b);
            tape.backward(loss_of(y, z), {.create_graph = recorded});
            CHECK(gradient(a) == da);
            CHECK(gradient(b) == db);
        }
    };
    both_ways([](auto y, auto z) { return sum(y) + 10 * sum(z); }, {15, 17}, {12, 13});
    both_ways([](auto y, auto) { return sum(y); }, {5, 7}, {2, 3});
    both_ways([](auto, auto z) { return sum(z * z); }, {14, 20}, {14, 20});
    // The loss itself is the first output, or the second one.
    Tape<double> tape;
    const auto a = tape.variable(Array<double>{2});
    const auto b = tape.variable(Array<double>{5});
    const auto [y, z] = product_and_sum(a, b);
    y.retain_grad();
    z.retain_grad();
    tape.backward(y, {.retain_graph = true});
    CHECK(gradient(a) == Array<double>{5});
    tape.backward(z, {.retain_graph = true});
    CHECK(gradient(a) == Array<double>{6});
    CHECK(gradient(y) == Array<double>{1});
    CHECK(gradient(z) == Array<double>{1});
    CHECK(values(grad(z, {b})[0]) == Array<double>{1});
    tape.backward(z);
    CHECK_THROWS_AS(tape.backward(y), TapeError);  // the operation is freed, not only its second output
    CHECK(!z.is_leaf());
}

TEST_CASE("the functional form") {
    Tape<double> tape;
    const auto x = tape.variable(Array<double>{2});
    const auto other = tape.variable(Array<double>{1});
    const auto y = x * x * x;
    const auto dx = grad(y, {x})[0];
    CHECK(values(dx) == Array<double>{12});
    CHECK(!dx.requires_grad());
    CHECK(!x.has_grad());
    const auto first = grad(y, {x}, {.create_graph = true})[0];
    const auto second = grad(first, {x}, {.create_graph = true})[0];
    const auto third = grad(second, {x}, {.create_graph = true})[0];
    CHECK(first.item() == 12);
    CHECK(second.item() == 12);
    CHECK(third.item() == 6);
    CHECK_THROWS_WITH_AS(grad(y, {x, other}), "grad: y does not depend on x number 1 (node 1)", TapeError);
    CHECK(grad(x, {x})[0].item() == 1);
    const Parameter<double> p("p", Array<double>{3});
    const auto w = tape.use(p);
    CHECK(grad(w * w, {w})[0].item() == 6);
    CHECK(p.grad() == Array<double>{0});
    // Of something in between.
    const auto h = x * 2;
    CHECK(grad(h * h, {h})[0].item() == 8);
    // A gradient in the loss: d/dx (x^3 + (3 x^2)^2) = 3 x^2 + 36 x^3.
    const auto g = grad(y, {x}, {.create_graph = true})[0];
    tape.backward(y + g * g);
    CHECK(gradient(x) == Array<double>{12 + 288});
}

TEST_CASE("backward with create_graph fills the same gradients") {
    const Parameter<double> p("p", Array<double>{{1, 2, 3}, {4, 5, 6}});
    Array<double> plain;
    for (const bool recorded : {false, true}) {
        Parameter<double> q("q", p.value());
        Tape<double> tape;
        const auto x = tape.variable(array_of({1, 3}, {1, -1, 0.5}));
        const auto h = matmul(x, transpose(tape.use(q)));  // the weight's gradient is a transposed array
        h.retain_grad();
        tape.backward(sum(h * h), {.create_graph = recorded});
        if (!recorded)
            plain = q.grad();
        else
            CHECK(q.grad() == plain);
        CHECK(gradient(h) == array_of({1, 2}, {2 * h.value()(0, 0), 2 * h.value()(0, 1)}));
        CHECK(Shape::of(x.grad().shape()) == Shape{1, 3});
    }
}

TEST_CASE("an operation that throws on its way back leaves a tape that can go on") {
    const Parameter<double> w("w", array_of({1, 1}, {2}));
    Tape<double> tape;
    tape.use(w);  // before the operation, so that its gradient is not finished when that throws
    const auto x = tape.variable(array_of({1, 1}, {3}));
    const auto h = throwing(x);
    const auto y = linear(h, w);
    const auto loss = sum(y * y);
    Throwing::armed = true;
    CHECK_THROWS_WITH_AS(tape.backward(loss), "throwing: armed", ValueError);
    CHECK(tape.shares(w).empty());
    CHECK(!x.has_grad());
    CHECK(w.grad()() == 0);
    Throwing::armed = false;
    tape.backward(loss);
    CHECK(gradient(x) == array_of({1, 1}, {24}));
    CHECK(w.grad() == array_of({1, 1}, {36}));
}

TEST_CASE("errors say which module was running") {
    const std::string name = "encoder";
    const ErrorContext context(name, "LSTMCell", 0);
    Tape<double> tape;
    const auto x = tape.constant(Array<double>::from_shape({32, 10})).named("x");
    const auto w = tape.constant(Array<double>::from_shape({20, 12})).named("weight_ih");
    CHECK_THROWS_WITH_AS(
        matmul(x, w),
        "matmul: inner dimensions differ: x is [32, 10], weight_ih is [20, 12]: 10 != 20\n  while running "
        "encoder (LSTMCell), time step 0",
        ShapeError);
}

TEST_CASE("a chain of 1,000,000 nodes goes forward and back") {
    Tape<float> tape;
    const auto x = tape.variable(Array<float>(0.5f));
    auto y = x;
    for (int k = 0; k < 1'000'000; ++k) y = y + 1;
    CHECK(y.item() == 1'000'000.5f);
    tape.backward(y);
    CHECK(x.grad()() == 1);
    // On variables as well.
    tape.clear();
    const auto z = tape.variable(Array<float>(0.5f));
    y = z;
    for (int k = 0; k < 100'000; ++k) y = y * 1;
    CHECK(grad(y, {z}, {.create_graph = true})[0].item() == 1);
}

TEST_CASE("arrays that no memory can hold") {
    Tape<double> tape;
    const std::size_t huge = std::size_t{1} << 40;
    const auto x = tape.ones({1, 1});
    CHECK_THROWS_WITH_AS(
        broadcast_to(x, {huge, huge}),
        "broadcast_to: its result is [1099511627776, 1099511627776]: more elements than memory can hold", ShapeError);
    CHECK_THROWS_WITH_AS(tape.zeros({huge, huge}),
                         "Tape: an array is [1099511627776, 1099511627776]: more elements than memory can hold",
                         ShapeError);
    CHECK(tape.size() == 1);
}

TEST_CASE("a backward pass through a long chain needs the gradients of two nodes, however long it is") {
    const auto added_by_backward = [](int length) {
        Tape<double> tape;
        Array<double> start = Array<double>::from_shape({256});
        start.fill(0.5);
        Variable<double> h = tape.variable(start);
        for (int t = 0; t < length; ++t) h = tanh(h);
        const std::size_t before = tape.bytes_used();
        tape.backward(h, start);
        return tape.bytes_used() - before;
    };
    const std::size_t added = added_by_backward(10);
    CHECK(added <= 3 * 256 * sizeof(double));
    CHECK(added_by_backward(100'000) == added);
}
