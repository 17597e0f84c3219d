#include <ebb/autograd/grad_mode.hpp>
#include <ebb/autograd/gradcheck.hpp>
#include <ebb/autograd/jacobian.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>

#include <vector>

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

}  // namespace

TEST_CASE("hooks see gradients and replace them, in raw memory and recorded") {
    for (const bool recorded : {false, true}) {
        Tape<double> tape;
        const auto x = tape.variable(Array<double>{2, 3});
        const auto h = x * 10;
        h.retain_grad();
        std::vector<Array<double>> seen;
        h.register_hook([&](const Variable<double>& dy) { seen.push_back(dy.value()); });  // looks
        h.register_hook([](const Variable<double>& dy) { return dy * 2; });                // a variable
        h.register_hook([](const auto& dy) { return Array<double>(dy.value() + 1.0); });   // an array
        const auto y = sum(h * h);
        tape.backward(y, {.create_graph = recorded});
        REQUIRE(seen.size() == 1);
        CHECK(seen[0] == Array<double>{40, 60});
        CHECK(gradient(h) == Array<double>{81, 121});  // what the hooks have left is kept
        CHECK(gradient(x) == Array<double>{810, 1210});
    }
}

TEST_CASE("hooks of leaves, of the loss, of what is used twice and of what nothing reaches") {
    Tape<double> tape;
    const auto x = tape.variable(Array<double>{2});
    const auto unused = x * 5;
    const auto y = sum(x * x + x);
    int calls = 0, never = 0;
    x.register_hook([&](const auto& dy) {
        ++calls;
        CHECK(dy.item() == 15);  // whole, and once
        return dy * 100;
    });
    y.register_hook([](const auto& dy) { return dy * 3; });
    unused.register_hook([&](const auto&) { ++never; });
    tape.backward(y);
    CHECK(gradient(x) == Array<double>{1500});
    CHECK(calls == 1);
    CHECK(never == 0);
}

TEST_CASE("a hook goes with its handle, with its tape, and by itself") {
    Tape<double> tape;
    int first = 0, second = 0;
    HookHandle<double> outlives;
    const auto pass = [&](bool remove) {
        const auto x = tape.variable(Array<double>{2});
        HookHandle<double> handle = x.register_hook([&](const auto&) { ++first; });
        HookHandle<double> own;
        own = x.register_hook([&](const auto&) {
            ++second;
            own.remove();
        });
        outlives = handle;
        if (remove) handle.remove();
        const auto y = sum(x * x);
        tape.backward(y, {.retain_graph = true});
        tape.backward(y);
    };
    pass(false);
    CHECK(first == 2);
    CHECK(second == 1);
    pass(true);
    CHECK(first == 2);
    CHECK(second == 2);
    tape.clear();
    outlives.remove();
    const auto x = tape.variable(Array<double>{2});  // the place of the node that had hooks
    tape.backward(sum(x));
    CHECK(first == 2);
}

TEST_CASE("hooks of parameters see what each pass adds") {
    Parameter<double> w("w", array_of({1, 1}, {3}));
    std::vector<double> seen;
    HookHandle<double> handle = w.register_hook([&](const auto& dy) {
        seen.push_back(dy.value().data()[0]);
        return dy * 10;
    });
    for (const bool recorded : {false, true}) {
        w.zero_grad();
        seen.clear();
        for (int k = 0; k < 2; ++k) {
            Tape<double> tape;
            const auto x = tape.constant(array_of({2, 1}, {1, 2}));
            // A share that waits, and one that comes at once.
            tape.backward(sum(linear(x, w)) + sum(tape.use(w) * 4), {.create_graph = recorded});
        }
        CHECK(seen == std::vector<double>{7, 7});
        CHECK(w.grad() == array_of({1, 1}, {140}));
    }
    handle.remove();
    Tape<double> tape;
    tape.backward(sum(tape.use(w) * 4));
    CHECK(w.grad() == array_of({1, 1}, {144}));
    CHECK(seen.size() == 2);
    // Nothing flows in: nothing to see.
    w.register_hook([&](const auto&) { seen.push_back(0); });
    const auto v = tape.variable(Array<double>{1});
    tape.use(w);
    tape.backward(sum(v));
    CHECK(seen.size() == 2);
}

TEST_CASE("a parameter's hook may use that parameter and others, for the first time on the tape") {
    Parameter<double> w("w", Array<double>{2, 3});
    std::vector<Parameter<double>> others;
    for (int k = 0; k < 40; ++k) others.emplace_back("other", Array<double>{1, 1});
    const auto decay = w.register_hook([&](const Variable<double>& dw) {
        Variable<double> sum = dw + 0.5 * w;  // weight decay
        for (const Parameter<double>& other : others) sum = sum + other;
        return sum;
    });
    Tape<double> tape;
    for (int pass = 1; pass <= 2; ++pass) {
        tape.clear();
        tape.backward(sum(tape.use(w) * 3));
        CHECK(w.grad() == Array<double>{pass * (3 + 1 + 40.0), pass * (3 + 1.5 + 40)});
        CHECK(tape.kept_gradient(tape.node(tape.use(w).index())) == w.grad().data());
    }
}

TEST_CASE("what a hook computes can be derived again") {
    // dL/dx = 2 x, hooked to (2 x)^2 = 4 x^2: its derivative is 8 x.
    Tape<double> tape;
    const auto x = tape.variable(Array<double>{3});
    x.register_hook([](const auto& dy) { return dy * dy; });
    const auto g = grad(sum(x * x), {x}, {.create_graph = true})[0];
    CHECK(g.item() == 36);
    // The second pass goes through x as well, whose hook squares again: (8 x)^2.
    CHECK(grad(g, {x})[0].item() == 24.0 * 24.0);
    // Jacobians are of the function itself.
    CHECK(jacobian(x * x, x).item() == 6);
}

TEST_CASE("a hook may use other arrays of the tape, also transposed ones, and leaves nothing behind") {
    Tape<double> tape;
    const auto x = tape.variable(Array<double>{{1, 2}, {3, 4}});
    const auto mask = transpose(tape.constant(Array<double>{{1, 0}, {1, 1}}));
    const auto y = x * 2;
    y.register_hook([&](const auto& dy) { return dy * mask; });
    const std::size_t before = tape.size() + 1;
    const auto loss = sum(y);
    tape.backward(loss);
    CHECK(gradient(x) == Array<double>{{2, 2}, {0, 2}});
    CHECK(tape.size() == before + 1);  // sum and the reshape of its result
    CHECK(values(mask) == Array<double>{{1, 1}, {0, 1}});
}

TEST_CASE("what a hook has kept is refused after it, whatever was recorded since") {
    const char* const message =
        "Variable: it was made in a hook, which has returned since: copy what outlasts a hook into an array, x.value()";
    Tape<double> tape;
    const auto x = tape.variable(Array<double>{2, 3});
    const auto y = x * 2;
    std::vector<Variable<double>> kept;
    bool throws = false;
    const auto handle = y.register_hook([&](const Variable<double>& dy) {
        CHECK((dy * y).shape() == Shape{2});  // with what was made before it
        kept = {dy, dy * x};
        if (throws) throw ValueError("thrown by a hook");
    });
    for (const bool now : {false, true}) {
        throws = now;
        const auto loss = sum(y);
        kept.clear();
        if (throws)
            CHECK_THROWS_AS(tape.backward(loss, {.retain_graph = true}), ValueError);
        else
            tape.backward(loss, {.retain_graph = true});
        REQUIRE(kept.size() == 2);
        CHECK_THROWS_WITH_AS(kept[0].value(), message, TapeError);
        CHECK_THROWS_WITH_AS(kept[1] + x, message, TapeError);
        const auto later = x * 5 + y;  // in their place
        CHECK(later.index() >= kept[1].index());
        CHECK_THROWS_WITH_AS(kept[1].value(), message, TapeError);
        CHECK(values(later) == Array<double>{14, 21});
    }
    tape.clear();
    CHECK_THROWS_WITH_AS(kept[0].value(), doctest::Contains("its tape was cleared"), TapeError);
}

TEST_CASE("hooks: errors") {
    Tape<double> tape;
    const Parameter<double> w("w", Array<double>{3});
    const auto look = [](const auto&) {};
    CHECK_THROWS_WITH_AS(tape.use(w).register_hook(look),
                         "register_hook: w is a parameter: expected a hook on the Parameter itself, "
                         "parameter.register_hook(f)",
                         TapeError);
    CHECK_THROWS_WITH_AS(tape.constant(Array<double>{1}).register_hook(look),
                         "register_hook: node 1 is a constant: no gradient flows into it", TapeError);
    const auto x = tape.variable(Array<double>{2, 5}).named("x");
    const auto h = x * 2;
    const auto loss = sum(h);
    const std::size_t size = tape.size();
    auto handle = h.register_hook([&](const auto& dy) { return sum(dy); });
    CHECK_THROWS_WITH_AS(tape.backward(loss),
                         "register_hook: the hook of node 4 returned a gradient of shape []: expected [2]", ShapeError);
    handle.remove();
    handle = h.register_hook([&](const auto&) { tape.clear(); });
    CHECK_THROWS_WITH_AS(tape.backward(loss),
                         "Tape.clear: a backward pass is running: expected no clear() from within a hook", TapeError);
    handle.remove();
    handle = h.register_hook([&](const auto&) { tape.backward(loss); });
    CHECK_THROWS_WITH_AS(tape.backward(loss),
                         "backward: a backward pass is running on this tape: expected no other from within a hook",
                         TapeError);
    handle.remove();
    // After all that the tape is as it was.
    CHECK(tape.size() == size);
    CHECK(!x.has_grad());
    tape.backward(loss);
    CHECK(gradient(x) == Array<double>{2, 2});
    CHECK(w.grad() == Array<double>{0});
}
