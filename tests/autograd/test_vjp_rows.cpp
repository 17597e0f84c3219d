/// Many rows in one sweep give what one backward pass per row gives.

#include <ebb/autograd/vjp_rows.hpp>
#include <ebb/core/error.hpp>

#include <cmath>

#include "support/operation_cases.hpp"
#include <doctest/doctest.h>

using namespace ebb;
using namespace ebb::test;

namespace {

template <class T>
Array<T> row_of(const Array<T>& rows, std::size_t row, const Shape& shape) {
    Array<T> result = Array<T>::from_shape(std::vector<std::size_t>(shape.begin(), shape.end()));
    std::copy_n(rows.data() + row * result.size(), result.size(), result.data());
    return result;
}

Array<double> rows_for(const Variable<double>& y, std::size_t rows, RandomArrays& random) {
    return random.array(y.shape().inserted(0, rows));
}

}  // namespace

TEST_CASE("vjp_rows of every operation is backward, row by row") {
    std::vector<OperationCase> cases;
    for (const auto& family : {elementwise_cases(), indexing_cases(), linear_algebra_cases(), loss_cases(),
                               reduction_cases(), shape_cases(), softmax_cases()})
        cases.insert(cases.end(), family.begin(), family.end());
    REQUIRE(cases.size() > 100);
    RandomArrays random(7);
    for (const OperationCase& c : cases) {
        CAPTURE(c.operation);
        CAPTURE(c.label);
        constexpr std::size_t K = 3;
        Tape<double> tape;
        Variables<double> xs, hs;
        for (const Array<double>& x : c.inputs) {
            xs.push_back(tape.variable(x));
            hs.push_back(xs.back() * 1.5);  // so that what the operation gets is no leaf
        }
        // Every input twice over: the second use adds to what the first has left.
        const Variable<double> y = c.in_double(hs) + c.in_double(hs);
        if (!y.requires_grad()) continue;
        const Array<double> seeds = rows_for(y, K, random);
        Variables<double> targets = xs;
        targets.insert(targets.end(), hs.begin(), hs.end());
        for (const Variable<double>& h : hs) h.retain_grad();
        const std::vector<Array<double>> rows = vjp_rows<double>({y}, {seeds}, targets);
        for (std::size_t k = 0; k < K; ++k) {
            for (const Variable<double>& x : targets) x.zero_grad();
            tape.backward(y, row_of(seeds, k, y.shape()), {.retain_graph = true});
            for (std::size_t i = 0; i < targets.size(); ++i) {
                const Array<double> got = row_of(rows[i], k, targets[i].shape());
                for (std::size_t e = 0; e < got.size(); ++e) {
                    const double expected = targets[i].has_grad() ? targets[i].grad().data()[e] : 0;
                    CHECK(got.data()[e] == doctest::Approx(expected).epsilon(1e-12).scale(1e-3));
                }
            }
        }
    }
}

TEST_CASE("vjp_rows: roots, targets and what lies between") {
    Tape<double> tape;
    const auto a = tape.variable(Array<double>{2, 3});
    const auto b = tape.variable(Array<double>{5, 7});
    const auto unused = tape.variable(Array<double>{1});
    const auto h = a * b;
    const auto y = h * h;
    const auto z = sum(h);
    const Array<double> seed_y{{1, 0}, {0, 1}, {0, 0}};
    const Array<double> seed_z{0, 0, 10};
    const auto rows = vjp_rows<double>({y, z}, {seed_y, seed_z}, {h, a, unused, a});
    CHECK(rows[0] == Array<double>{{20, 0}, {0, 42}, {10, 10}});
    CHECK(rows[1] == Array<double>{{100, 0}, {0, 294}, {50, 70}});
    CHECK(rows[2] == array_of({3, 1}, {0, 0, 0}));
    CHECK(rows[3] == rows[1]);
    // A root that is a target itself, and one that lies above all targets' dependents.
    CHECK(vjp_rows<double>({h}, {identity_rows(h)}, {h})[0] == Array<double>{{1, 0}, {0, 1}});
    CHECK(vjp_rows<double>({a}, {identity_rows(a)}, {y})[0] == Array<double>{{0, 0}, {0, 0}});
    // Held, h is a variable of its own: nothing of y reaches a but through h.
    CHECK(vjp_rows<double>({y}, {identity_rows(y)}, {h, a}, {.hold_targets = true})[1] ==
          Array<double>{{0, 0}, {0, 0}});
    // Nothing was left behind, and nothing freed.
    CHECK(!a.has_grad());
    tape.backward(sum(y));
    CHECK(Array<double>(a.grad()) == Array<double>{100, 294});
    // It may look at a graph that is freed.
    CHECK(vjp_rows<double>({y}, {identity_rows(y)}, {h})[0] == Array<double>{{20, 0}, {0, 42}});
}

TEST_CASE("vjp_rows with respect to parameters") {
    const Parameter<double> w("w", Array<double>{{1, 2}, {3, 4}, {5, 6}}), bias("bias", Array<double>{1, 1, 1});
    for (const bool transposed : {false, true}) {
        Tape<double> tape;
        const auto x = tape.variable(Array<double>{{1, -1}, {0.5, 2}});
        const auto y = transposed ? matmul(x, transpose(tape.use(w))) + bias : linear(x, w, bias);
        const auto rows = vjp_rows<double>({y}, {identity_rows(y)}, {tape.use(w), tape.use(bias), x});
        for (std::size_t k = 0; k < 6; ++k)
            for (std::size_t i = 0; i < 3; ++i) {
                const bool own = k % 3 == i;
                CHECK(rows[1](k, i) == (own ? 1 : 0));
                for (std::size_t j = 0; j < 2; ++j) CHECK(rows[0](k, i, j) == (own ? x.value()(k / 3, j) : 0));
            }
        for (std::size_t k = 0; k < 6; ++k)
            for (std::size_t j = 0; j < 2; ++j) CHECK(rows[2](k, k / 3, j) == w.value()(k % 3, j));
        CHECK(w.grad() == Array<double>{{0, 0}, {0, 0}, {0, 0}});
        CHECK(tape.shares(w).empty());
    }
}

TEST_CASE("vjp_rows: errors") {
    Tape<double> tape;
    const auto x = tape.variable(Array<double>{2, 3});
    const auto c = tape.constant(Array<double>{2, 3});
    const auto y = x * c;
    using Rows = Array<double>;
    CHECK_THROWS_WITH_AS(vjp_rows<double>({}, {}, {x}), "vjp_rows: no roots: expected at least one", ValueError);
    CHECK_THROWS_WITH_AS(vjp_rows<double>({y}, {}, {x}), "vjp_rows: 1 roots, 0 arrays of seeds: expected as many",
                         ValueError);
    CHECK_THROWS_WITH_AS(vjp_rows<double>({y}, {Rows{1, 2}}, {x}),
                         "vjp_rows: root 0 is [2], its seeds are [2]: expected [K, the shape of the root] with one K "
                         ">= 1 for all roots",
                         ShapeError);
    CHECK_THROWS_AS(vjp_rows<double>({y, y}, {identity_rows(y), Rows{{1, 2}}}, {x}), ShapeError);
    CHECK_THROWS_WITH_AS(vjp_rows<double>({y}, {identity_rows(y)}, {c}),
                         "vjp_rows: target 0 (node 1) is a constant: nothing flows into it", TapeError);
    Tape<double> other;
    CHECK_THROWS_AS(vjp_rows<double>({y}, {identity_rows(y)}, {other.variable(Rows{1})}), TapeError);
    const auto elsewhere = other.variable(Rows{1});
    CHECK_THROWS_WITH_AS(vjp_rows<double>({elsewhere}, {identity_rows(elsewhere)}, {x}),
                         "vjp_rows: the operands are on two different tapes: expected all on one", TapeError);
}
