#include <ebb/autograd/gradcheck.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>

#include <string>
#include <vector>

#include "support/random_arrays.hpp"
#include <doctest/doctest.h>

using namespace ebb;
using namespace ebb::test;

TEST_CASE("einsum: what it says in other words") {
    RandomArrays random(5);
    Tape<double> tape;
    const auto a = tape.constant(random.array({3, 4})), b = tape.constant(random.array({4, 2})),
               square_matrix = tape.constant(random.array({3, 3}));
    const auto same = [](const Variable<double>& x, const Variable<double>& y) {
        return x.shape() == y.shape() && max(abs(x - y)).item() < 1e-14;
    };
    CHECK(same(einsum("ij,jk->ik", a, b), matmul(a, b)));
    CHECK(same(einsum("ij,jk", a, b), matmul(a, b)));
    CHECK(same(einsum(" ij , jk -> ki ", a, b), transpose(matmul(a, b))));
    CHECK(same(einsum("ij,ij->", a, a), sum(a * a)));
    CHECK(same(einsum("ij,ij->i", a, a), sum(a * a, 1)));
    CHECK(same(einsum("ij,kl->", a, b), sum(a) * sum(b)));
    CHECK(same(einsum("ij->ji", a), transpose(a)));
    CHECK(same(einsum("ij->", a), sum(a)));
    CHECK(same(einsum("ii", square_matrix),
               sum(square_matrix * tape.constant(Array<double>{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}))));
    CHECK(same(einsum("ji", a), transpose(a)));  // without an arrow, in alphabetical order
    CHECK(same(einsum("ij,jk->ik", slice(a, 1, 0, 1), b), matmul(slice(a, 1, 0, 1), sum(b, 0, true))));
    CHECK(einsum(",->", tape.scalar(3), tape.scalar(4)).item() == 12);
    CHECK(einsum("iii->i", tape.ones({2, 2, 2})).shape() == Shape{2});
}

TEST_CASE("einsum: an ellipsis stands for the axes without letters, which broadcast") {
    RandomArrays random(6);
    Tape<double> tape;
    const auto a = tape.variable(random.array({5, 2, 3, 4})), b = tape.variable(random.array({2, 4, 3}));
    const auto same = [](const Variable<double>& x, const Variable<double>& y) {
        return x.shape() == y.shape() && max(abs(x - y)).item() < 1e-14;
    };
    CHECK(same(einsum("...ij,...jk->...ik", a, b), matmul(a, b)));
    CHECK(same(einsum("...ij,...jk", a, b), matmul(a, b)));  // without an arrow, first
    const auto matrix = select(b, 0, 1);
    CHECK(same(einsum("i...j,jk->k...i", a, matrix), permute(matmul(a, matrix), {3, 1, 2, 0})));
    CHECK(same(einsum("...i->i...", a), permute(a, {3, 0, 1, 2})));
    CHECK(same(einsum("...i->i", a), sum(a, {0, 1, 2})));  // summed over, as in PyTorch
    CHECK(same(einsum("...", a), a));
    CHECK(same(einsum("...,...->...", a, select(select(a, 0, 0), 0, 0)), a * select(select(a, 0, 0), 0, 0)));
    CHECK(same(einsum("...ii->...", matmul(a, b)), einsum("abii->ab", matmul(a, b))));
    // An axis of extent 1 in the ellipsis.
    const auto column = slice(b, 0, 0, 1);
    CHECK(same(einsum("...ij,...jk->...ik", a, column), matmul(a, column)));
}

TEST_CASE("einsum: one product, and no copy of a matrix that lies right") {
    Tape<double> tape;
    const auto a = tape.variable(Array<double>::from_shape({3, 4})),
               b = tape.variable(Array<double>::from_shape({2, 4}));
    const std::size_t before = tape.size();
    einsum("ij,kj->ik", a, b);
    CHECK(tape.size() == before + 2);  // b transposed, and the product
}

TEST_CASE("einsum: errors, and the tape is as before") {
    Tape<double> tape, other;
    const auto a = tape.variable(Array<double>::from_shape({3, 4})),
               b = tape.variable(Array<double>::from_shape({4, 2}));
    const std::size_t size = tape.size();
    CHECK_THROWS_WITH_AS(einsum("ij,jk->ik", a), "einsum: \"ij,jk->ik\": it is for 2 operands, 1 is given", ValueError);
    CHECK_THROWS_WITH_AS(einsum("ij->i", a, b), "einsum: \"ij->i\": it is for 1 operand, 2 are given", ValueError);
    CHECK_THROWS_WITH_AS(einsum("i1,jk->ik", a, b),
                         "einsum: \"i1,jk->ik\": '1' is no letter: expected as in \"ij,jk->ik\"", ValueError);
    CHECK_THROWS_WITH_AS(einsum("..j,jk->..k", a, b),
                         "einsum: \"..j,jk->..k\": '.' is no letter: expected as in \"ij,jk->ik\"", ValueError);
    CHECK_THROWS_WITH_AS(einsum("...i...,jk->", a, b), "einsum: \"...i...,jk->\": an operand has an ellipsis twice",
                         ValueError);
    CHECK_THROWS_WITH_AS(einsum("...i->...i...", a), "einsum: \"...i->...i...\": the result has an ellipsis twice",
                         ValueError);
    CHECK_THROWS_WITH_AS(einsum("ij->...i", a), "einsum: \"ij->...i\": the result has an ellipsis, no operand has",
                         ValueError);
    CHECK_THROWS_WITH_AS(einsum("...ijk->...", a),
                         "einsum: \"...ijk->...\": \"ijk\" is [3, 4]: expected an axis for each letter", ShapeError);
    CHECK_THROWS_WITH_AS(einsum("...i,...j->...", a, b),
                         "einsum: \"...i,...j->...\": an axis of the ellipsis is 3 in one operand and 4 in the other",
                         ShapeError);
    CHECK_THROWS_WITH_AS(einsum("ij,jk->i>", a, b),
                         "einsum: \"ij,jk->i>\": '>' is no letter: expected as in \"ij,jk->ik\"", ValueError);
    CHECK_THROWS_WITH_AS(einsum("ij,jk->ii", a, b), "einsum: \"ij,jk->ii\": the result has 'i' twice", ValueError);
    CHECK_THROWS_WITH_AS(einsum("ij,jk->il", a, b), "einsum: \"ij,jk->il\": the result has 'l', no operand has",
                         ValueError);
    CHECK_THROWS_WITH_AS(einsum("ij,jkl->ik", a, b),
                         "einsum: \"ij,jkl->ik\": \"jkl\" is [4, 2]: expected an axis for each letter", ShapeError);
    CHECK_THROWS_WITH_AS(einsum("ij,ik->jk", a, b), "einsum: \"ij,ik->jk\": i is 3 in one operand and 4 in the other",
                         ShapeError);
    CHECK_THROWS_WITH_AS(einsum("ii->", a), "einsum: \"ii->\": i is 3 and 4 in one operand", ShapeError);
    CHECK_THROWS_WITH_AS(einsum("ij,jk->ik", a, other.zeros({4, 2})),
                         "einsum: the operands are on two different tapes: expected all on one", TapeError);
    CHECK(tape.size() == size);
}
