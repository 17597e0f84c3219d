#include <ebb/autograd/checkpoint.hpp>
#include <ebb/autograd/gradcheck.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/substitution.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>

#include <memory>

#include <doctest/doctest.h>

using namespace ebb;

TEST_CASE("a variable stands in the place of a parameter while in scope, and its gradient flows on") {
    Parameter<double> w("w", Array<double>{2.0, 3.0});
    Tape<double> tape;
    {
        const Substitution doubled(w, 2.0 * w);
        const auto y = w * tape.constant({5.0, 7.0});  // 2 w x
        CHECK(y.value()(1) == 42);
        {
            const Substitution other(w, tape.constant({1.0, 1.0}));
            CHECK((w * 1.0).value()(1) == 1);
        }
        tape.backward(sum(y));
    }
    CHECK(w.grad()(0) == 10);
    CHECK((w * 1.0).value()(1) == 3);
}

TEST_CASE("a substitution passes gradcheck with respect to what it was computed from") {
    const Parameter<double> w("w", Array<double>{1.0, 1.0, 1.0});
    const auto report = gradcheck(
        [&](const std::vector<Variable<double>>& in) {
            const Substitution normed(w, in[0] / norm(in[0]));
            return sum(exp(w * in[1]) * w);
        },
        {{1.0, -2.0, 0.5}, {0.3, 0.7, -1.1}});
    CHECK_MESSAGE(report.passed, report.message);
}

TEST_CASE("substitutions may end in any order") {
    const Parameter<double> a("a", Array<double>{1.0}), b("b", Array<double>{2.0});
    Tape<double> tape;
    auto of_a = std::make_unique<Substitution<double>>(a, tape.ones({1}) * 10.0);
    auto of_b = std::make_unique<Substitution<double>>(b, tape.ones({1}) * 20.0);
    of_a.reset();
    CHECK((a * 1.0).item() == 1);
    CHECK((b * 1.0).item() == 20);
    of_b.reset();
    CHECK((b * 1.0).item() == 2);
}

TEST_CASE("wrong uses of a substitution say what is wrong") {
    const Parameter<double> w("weight", Array<double>{2.0, 3.0});
    Tape<double> tape;
    CHECK_THROWS_WITH_AS(Substitution(w, tape.ones({3})),
                         "Substitution: weight is [2], the variable in its place is [3]: expected equal shapes",
                         ShapeError);
    CHECK((w * 1.0).value()(0) == 2);  // nothing was put in its place
    const Substitution ones(w, tape.ones({2}));
    Tape<double> other;
    CHECK_THROWS_WITH_AS(other.use(w), "Tape.use: the operands are on two different tapes: expected all on one",
                         TapeError);
}
