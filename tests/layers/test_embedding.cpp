#include <ebb/autograd/gradcheck.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/random.hpp>
#include <ebb/layers/embedding.hpp>

#include <cmath>

#include <doctest/doctest.h>

using namespace ebb;

namespace {

Indices indices_of(const Shape& shape, std::initializer_list<std::int64_t> values) {
    Indices result = Indices::from_shape(std::vector<std::size_t>(shape.begin(), shape.end()));
    std::copy(values.begin(), values.end(), result.data());
    return result;
}

}  // namespace

TEST_CASE_TEMPLATE("an embedding is the row of its symbol, for indices of any shape", T, float, double) {
    manual_seed(1);
    Embedding<T> embedding({.num_embeddings = 5, .embedding_dim = 3});
    Tape<T> tape;
    const auto y = embedding(indices_of({2, 3}, {4, 0, 4, 1, 2, 0}));
    REQUIRE(y.shape() == Shape{2, 3, 3});
    for (std::size_t k = 0; k < 3; ++k) {
        CHECK(y.value()(0, 0, k) == embedding.weight.value()(4, k));
        CHECK(y.value()(0, 2, k) == embedding.weight.value()(4, k));
        CHECK(y.value()(1, 1, k) == embedding.weight.value()(2, k));
    }
    CHECK(embedding(indices_of({}, {3})).shape() == Shape{3});
    CHECK(embedding(indices_of({0, 4}, {})).shape() == Shape{0, 4, 3});
}

TEST_CASE("weights are drawn from N(0, 1)") {
    manual_seed(2);
    Embedding<double> embedding({.num_embeddings = 300, .embedding_dim = 100});
    double square = 0, fourth = 0, total = 0;
    for (const double w : embedding.weight.value()) {
        total += w / 30000;
        square += w * w / 30000;
        fourth += w * w * w * w / 30000;
    }
    // Five standard errors.
    CHECK(std::abs(total) < 0.029);
    CHECK(std::abs(square - 1) < 0.041);
    CHECK(std::abs(fourth - 3) < 0.29);
}

TEST_CASE("the gradient of a row is the sum over all places where its symbol stands") {
    manual_seed(3);
    Embedding<double> embedding({.num_embeddings = 4, .embedding_dim = 2});
    Tape<double> tape;
    const auto y = embedding(indices_of({5}, {2, 0, 2, 2, 3}));
    const Array<double> seed{{1, 10}, {2, 20}, {3, 30}, {4, 40}, {5, 50}};
    tape.backward(y, seed);
    CHECK(embedding.weight.grad() == Array<double>{{2, 20}, {0, 0}, {8, 80}, {5, 50}});
}

TEST_CASE("an embedding passes gradcheck, repeated symbols and padding included") {
    manual_seed(4);
    const Indices indices = indices_of({2, 3}, {1, 1, 3, 0, 1, 3});
    const CheckedFunction f = [&](const std::vector<Variable<double>>& in) {
        return sum(square(index_select(in[0], indices)) * in[1]);
    };
    const std::vector<Array<double>> in{randn<double>({4, 2}), randn<double>({2, 3, 2})};
    const auto first = gradcheck(f, in);
    CHECK_MESSAGE(first.passed, first.message);
    const auto second = gradgradcheck(f, in);
    CHECK_MESSAGE(second.passed, second.message);
}

TEST_CASE("padding begins as zeros, keeps the value that it is given, and gets no gradient") {
    manual_seed(5);
    Embedding<double> embedding({.num_embeddings = 4, .embedding_dim = 2, .padding_idx = 1});
    CHECK(embedding.padding_idx() == 1);
    CHECK(embedding.weight.value()(1, 0) == 0);
    CHECK(embedding.weight.value()(1, 1) == 0);
    CHECK(embedding.weight.value()(2, 0) != 0);
    embedding.weight.mutable_value()(1, 0) = 7;
    Tape<double> tape;
    const auto y = embedding(indices_of({2, 2}, {1, 2, 2, 1}));
    CHECK(y.value()(0, 0, 0) == 7);
    CHECK(y.value()(1, 0, 1) == embedding.weight.value()(2, 1));
    tape.backward(sum(y * 3));
    CHECK(embedding.weight.grad() == Array<double>{{0, 0}, {0, 0}, {6, 6}, {0, 0}});
}

TEST_CASE("errors of embeddings") {
    CHECK_THROWS_WITH_AS(Embedding<float>({.num_embeddings = 0, .embedding_dim = 3}),
                         "Embedding: num_embeddings is 0, embedding_dim is 3: expected at least 1 each", ValueError);
    CHECK_THROWS_WITH_AS(Embedding<float>({.num_embeddings = 2, .embedding_dim = 3, .padding_idx = 2, .name = "words"}),
                         "words: padding_idx is 2, num_embeddings is 2: expected 0 to 1", IndexError);
    Embedding<double> embedding({.num_embeddings = 5, .embedding_dim = 2, .name = "words"});
    CHECK_THROWS_AS(embedding(indices_of({1}, {0})), TapeError);
    Tape<double> tape;
    CHECK_THROWS_WITH_AS(embedding(indices_of({2, 2}, {0, 4, 5, -1})),
                         "Embedding: index 5 at flat position 2 of the indices: weight is [5, 2], expected 0 to 4\n"
                         "  while running words (Embedding)",
                         IndexError);
    CHECK_THROWS_WITH_AS(embedding(indices_of({2}, {0, -1})),
                         "Embedding: index -1 at flat position 1 of the indices: weight is [5, 2], expected 0 to 4\n"
                         "  while running words (Embedding)",
                         IndexError);
}
