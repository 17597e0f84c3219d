#include <ebb/autograd/checkpoint.hpp>
#include <ebb/autograd/grad_mode.hpp>
#include <ebb/autograd/gradcheck.hpp>
#include <ebb/autograd/jacobian.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/random.hpp>

#include <functional>
#include <vector>

#include "support/random_arrays.hpp"
#include <doctest/doctest.h>

using namespace ebb;
using ebb::test::array_of;
using ebb::test::RandomArrays;

namespace {

using V = Variable<double>;
using Vs = std::vector<V>;

Array<double> values(const V& x) {
    return x.value();
}
Array<double> gradient(const V& x) {
    return x.grad();
}

/// Two results of two arrays and a weight.
Vs two_of(const Vs& in, const Parameter<double>& w) {
    const V h = tanh(matmul(in[0], w) + in[1]);
    return {h * in[1], sum(h * h)};
}

}  // namespace

TEST_CASE("gradients through a checkpoint are those without it") {
    RandomArrays random(1);
    const Array<double> a = random.array({3, 4}), b = random.array({3, 4});
    const Array<double> weight = random.array({4, 4});
    std::vector<Array<double>> plain;
    for (const int way : {0, 1, 2}) {  // without, with, and one within another
        Parameter<double> w("w", weight);
        Tape<double> tape;
        const V x = tape.variable(a), y = tape.variable(b);
        const auto f = [&w](const Vs& in) { return two_of(in, w); };
        const auto nested = [&](const Vs& in) { return checkpoint(f, in); };
        Vs r = way == 0 ? f({x, y}) : way == 1 ? checkpoint(f, {x, y}) : checkpoint(nested, {x, y});
        r = way == 0 ? f({r[0], y}) : way == 1 ? checkpoint(f, {r[0], y}) : checkpoint(nested, {r[0], y});
        const V loss = sum(r[0]) * r[1];
        tape.backward(loss);
        const std::vector<Array<double>> results{values(loss), gradient(x), gradient(y), w.grad()};
        if (way == 0) {
            plain = results;
            continue;
        }
        for (std::size_t k = 0; k < 3; ++k) CHECK(results[k] == plain[k]);  // to the bit
        for (std::size_t k = 0; k < 16; ++k)                                // the sum over two uses, grouped otherwise
            CHECK(results[3].data()[k] == doctest::Approx(plain[3].data()[k]).epsilon(1e-12));
    }
}

TEST_CASE("a checkpoint keeps its results and nothing else") {
    Tape<double> tape;
    const V x = tape.variable(Array<double>{0.5, 0.25});
    const auto deep = [](const Vs& in) {
        V y = in[0];
        for (int k = 0; k < 1000; ++k) y = y + sin(y) * 0.001;
        return y.named("deep");
    };
    const std::size_t before = tape.size();
    const V y = checkpoint(deep, {x});
    CHECK(tape.size() == before + 1);
    CHECK(tape.bytes_used() < 4096);
    CHECK(y.name() == "deep");
    tape.backward(sum(y));
    CHECK(values(y) == values(deep({x})));
    CHECK(gradient(x)(0) == doctest::Approx(values(jacobian(deep({x}), x))(0, 0)));
}

TEST_CASE("checkpoints pass gradcheck and gradgradcheck, and Jacobians go through them") {
    RandomArrays random(5);
    const Parameter<double> w("w", random.array({3, 3}));
    const CheckedFunction f = [&](const Vs& in) {
        return checkpoint([&](const Vs& inner) { return tanh(matmul(inner[0], w)) * inner[1]; }, {in[0], in[1]});
    };
    const std::vector<Array<double>> inputs{random.array({2, 3}), random.array({2, 3})};
    const auto first = gradcheck(f, inputs);
    CHECK_MESSAGE(first.passed, first.message);
    const auto second = gradgradcheck(f, inputs);
    CHECK_MESSAGE(second.passed, second.message);

    Tape<double> tape;
    const V x = tape.variable(inputs[0]), y = tape.variable(inputs[1]);
    const V checked = f({x, y}), plain = tanh(matmul(x, w)) * y;
    const V W = tape.use(w);
    const auto J = jacobian(checked, {x, y, W}), expected = jacobian(plain, {x, y, W});
    for (std::size_t k = 0; k < 3; ++k)
        for (std::size_t e = 0; e < J[k].size(); ++e)
            CHECK(J[k].value().data()[e] == doctest::Approx(expected[k].value().data()[e]).epsilon(1e-13));
}

TEST_CASE("checkpoints that use one weight many times are derived twice") {
    // A product with a weight that is used often is another kernel's, with other bits than the first.
    RandomArrays random(6);
    const Parameter<double> w("w", random.array({20, 20}));
    const Array<double> start = random.array({2, 20}), direction = random.array({2, 20});
    const auto f = [&w](const Vs& in) { return tanh(matmul(tanh(matmul(in[0], w)), w)); };
    std::vector<Array<double>> results;
    for (const bool checkpoints : {false, true}) {
        Tape<double> tape;
        const V x = tape.variable(start);
        V h = x;
        for (int segment = 0; segment < 3; ++segment) h = checkpoints ? checkpoint(f, {h}) : f({h});
        results.push_back(values(hvp(sum(square(h)), x, tape.constant(direction))));
    }
    for (std::size_t k = 0; k < 40; ++k)
        CHECK(results[1].data()[k] == doctest::Approx(results[0].data()[k]).epsilon(1e-10));
}

TEST_CASE("the random numbers of a checkpoint are the same when it is computed again") {
    manual_seed(3);
    Tape<double> tape;
    const V x = tape.variable(Array<double>{1, 1, 1, 1, 1, 1, 1, 1});
    const auto noisy = [](const Vs& in) {
        Array<double> noise = Array<double>::from_shape({8});
        for (double& v : noise) v = default_generator().uniform();
        return in[0] * in[0].tape().constant(noise);
    };
    const V first = checkpoint(noisy, {x}), second = checkpoint(noisy, {x});
    CHECK(values(first) != values(second));
    const Generator after = default_generator();
    tape.backward(sum(first) + sum(second) * 2);
    CHECK(default_generator() == after);
    for (std::size_t k = 0; k < 8; ++k)
        CHECK(gradient(x)(k) == doctest::Approx(values(first)(k) + 2 * values(second)(k)));
}

TEST_CASE("what wants no gradient gets none") {
    Parameter<double> w("w", Array<double>{3}), frozen("frozen", Array<double>{5});
    frozen.set_requires_grad(false);
    const auto f = [&](const Vs& in) { return in[0] * w * frozen + in[1]; };
    Tape<double> tape;
    const V c = tape.constant(Array<double>{2}), x = tape.variable(Array<double>{7});
    tape.backward(sum(checkpoint(f, {c, x})));
    CHECK(w.grad() == Array<double>{10});
    CHECK(frozen.grad() == Array<double>{0});
    CHECK(gradient(x) == Array<double>{1});
    {
        const NoGrad off;
        CHECK(!checkpoint(f, {c, x}).requires_grad());
    }
    w.set_requires_grad(false);
    CHECK(!checkpoint(f, {c, c}).requires_grad());
    // Of two results one may lead nowhere.
    const auto halves = [](const Vs& in) { return Vs{in[0] * 2, in[1] * 3}; };
    const Vs both = checkpoint(halves, {x, c});
    x.zero_grad();
    tape.backward(sum(both[0]) + sum(both[1]));
    CHECK(gradient(x) == Array<double>{2});
}

TEST_CASE("hooks of a parameter see its gradient once, whole, also from several checkpoints") {
    Parameter<double> w("w", Array<double>{3});
    std::vector<double> seen;
    w.register_hook([&](const auto& dy) { seen.push_back(dy.item()); });
    Tape<double> tape;
    const V x = tape.variable(Array<double>{2});
    const auto f = [&](const Vs& in) { return in[0] * w; };
    tape.backward(sum(checkpoint(f, {checkpoint(f, {x})})));  // w^2 x
    CHECK(seen == std::vector<double>{12});
    CHECK(w.grad() == Array<double>{12});
}

TEST_CASE("checkpoint: errors, and a tape that can go on") {
    Tape<double> tape;
    const V x = tape.variable(Array<double>{2}).named("x");
    const auto none = [](const Vs&) { return Vs{}; };
    CHECK_THROWS_WITH_AS(checkpoint(none, std::vector<V>{}), "checkpoint: no inputs: expected at least one",
                         ValueError);
    CHECK_THROWS_WITH_AS(checkpoint(none, {x}), "checkpoint: f returns no variable: expected at least one", ValueError);
    // A variable from outside must come in by the inputs.
    CHECK_THROWS_WITH_AS(checkpoint([&](const Vs& in) { return in[0] * x; }, {x}),
                         "mul: the operands are on two different tapes: expected all on one", TapeError);
    CHECK_THROWS_AS(checkpoint([&](const Vs&) { return x; }, {x}), TapeError);
    CHECK(&Tape<double>::active() == &tape);
    CHECK(tape.size() == 1);

    double factor = 2;
    const V y = checkpoint([&](const Vs& in) { return in[0] * factor; }, {x});
    factor = 3;
    CHECK_THROWS_WITH_AS(
        tape.backward(y, {.retain_graph = true}),
        "checkpoint (node 1): f gives another result in backward than at first: expected a function of "
        "its arguments, of parameters, and of arrays that stay as they are; random numbers only from "
        "default_generator()",
        ValueError);
    CHECK(!x.has_grad());
    factor = 2;
    tape.backward(y);
    CHECK(gradient(x) == Array<double>{2});

    Parameter<double> w("w", Array<double>{3});
    const V z = checkpoint([&](const Vs& in) { return in[0] * w; }, {x});
    w.set_value(Array<double>{4});
    CHECK_THROWS_WITH_AS(tape.backward(z), doctest::Contains("parameter w was written after it was recorded"),
                         TapeError);
}
