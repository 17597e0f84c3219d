#include <ebb/autograd/grad_mode.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/probe.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>

#include <vector>

#include <doctest/doctest.h>

using namespace ebb;

TEST_CASE("a probe has a name and a time step, and keeps its gradient") {
    Tape<double> tape;
    const auto x = tape.variable(Array<double>{1.0, 2.0});
    const Variable<double> h = probe(3 * x, "mycell.h", 4);
    const Variable<double> c = probe(h * h, "mycell.c", 4), other = probe(c + 1, "other.h", 4);
    tape.backward(sum(other));
    CHECK(h.name() == "mycell.h");
    CHECK(h.time_step() == 4);
    CHECK(h.grad()(1) == 12);
    CHECK(h.node().probe);
    CHECK(h.node().step_owner == c.node().step_owner);
    CHECK(h.node().step_owner != other.node().step_owner);
    // What is computed from it is of its time step.
    CHECK((h + 1).time_step() == 4);
}

TEST_CASE("what a step computes belongs to it, and nothing else does") {
    Tape<double> tape;
    const Parameter<double> w("w", Array<double>{{1.0, 2.0}, {3.0, 4.0}});
    Variable<double> h = tape.ones({1, 2}), below = h;
    std::vector<Variable<double>> products, readouts;
    for (int t = 0; t < 3; ++t) {
        below = probe(below * 2 + 1, "below.h", t);
        products.push_back(matmul(h, w));
        h = probe(tanh(products.back() + below), "above.h", t);
        readouts.push_back(sum(h));
    }
    for (int t = 0; t < 3; ++t) {
        CHECK(products[static_cast<std::size_t>(t)].time_step() == t);
        CHECK(readouts[static_cast<std::size_t>(t)].time_step() == t);
    }
    CHECK(products[2].node().step_owner == h.node().step_owner);
    CHECK(below.node().step_owner != h.node().step_owner);
    CHECK(tape.use(w).time_step() == -1);
}

TEST_CASE("a probe of a constant keeps no gradient") {
    Tape<double> tape;
    const Variable<double> h = probe(tape.ones({2}), "h", 0);
    CHECK(h.node().probe);
    CHECK_FALSE(h.node().retains_gradient);
}

TEST_CASE("a probe without a name or a time") {
    Tape<double> tape;
    CHECK_THROWS_WITH_AS(probe(tape.ones({2}), "", 0), "probe: the name is empty: expected one such as \"mycell.h\"",
                         ValueError);
    CHECK_THROWS_WITH_AS(probe(tape.ones({2}), "h", -1), "probe: h is at time step -1: expected 0 to 2^31 - 1",
                         ValueError);
    CHECK_THROWS_WITH_AS(probe(tape.ones({2}), "h", std::int64_t{1} << 31),
                         "probe: h is at time step 2147483648: expected 0 to 2^31 - 1", ValueError);
}
