#include <ebb/autograd/gradcheck.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/layers/module_gradcheck.hpp>
#include <ebb/layers/sequence_dropout.hpp>

#include <cmath>
#include <set>

#include <doctest/doctest.h>

using namespace ebb;

TEST_CASE("locked dropout uses one mask for all time steps, and keeps the mean") {
    manual_seed(1);
    Tape<double> tape;
    const auto y = locked_dropout(tape.ones({6, 20, 30}), 0.25);
    double sum = 0;
    for (std::size_t b = 0; b < 20; ++b)
        for (std::size_t f = 0; f < 30; ++f) {
            const double first = y.value()(0, b, f);
            CHECK((first == 0 || first == doctest::Approx(4.0 / 3)));
            for (std::size_t t = 1; t < 6; ++t) CHECK(y.value()(t, b, f) == first);
            sum += first;
        }
    CHECK(std::abs(sum / 600 - 1) < 5 * std::sqrt(0.25 / 0.75 / 600));
    // Each sequence has a mask of its own.
    for (std::ptrdiff_t b = 1; b < 20; ++b)
        CHECK(Array<double>(select(y, 1, b).value()) != Array<double>(select(y, 1, 0).value()));
    LockedDropout<double> layer({.p = 0.5});
    CHECK(Array<double>(layer(tape.ones({2, 9, 9})).value()) != Array<double>(layer(tape.ones({2, 9, 9})).value()));
    layer.eval();
    const auto x = tape.ones({2, 3, 4});
    CHECK(layer(x).index() == x.index());
}

TEST_CASE("embedding dropout drops a word wherever it stands") {
    manual_seed(2);
    const Embedding<double> embedding({.num_embeddings = 40, .embedding_dim = 3});
    const Indices words = randint({30, 20}, 0, 40);
    Tape<double> tape;
    const auto y = embedding_dropout(embedding, words, 0.4);
    std::set<std::int64_t> dropped, kept;
    for (std::size_t t = 0; t < 30; ++t)
        for (std::size_t b = 0; b < 20; ++b) {
            const auto word = static_cast<std::size_t>(words(t, b));
            const bool is_dropped = y.value()(t, b, 0) == 0;
            (is_dropped ? dropped : kept).insert(words(t, b));
            for (std::size_t e = 0; e < 3; ++e)
                CHECK(y.value()(t, b, e) ==
                      doctest::Approx(is_dropped ? 0 : embedding.weight.value()(word, e) / 0.6).epsilon(1e-14));
        }
    for (const std::int64_t word : dropped) CHECK(!kept.contains(word));
    CHECK(dropped.size() > 5);
    CHECK(kept.size() > 10);
}

TEST_CASE("dropout for sequences passes gradcheck") {
    manual_seed(4);
    const auto report = gradcheck(
        [](const std::vector<Variable<double>>& in) {
            Generator generator(3);
            const auto y = locked_dropout(in[0], 0.4, generator);
            return sum(y * y * y);
        },
        {randn<double>({3, 4, 5})});
    CHECK_MESSAGE(report.passed, report.message);
    const Embedding<double> embedding({.num_embeddings = 6, .embedding_dim = 2});
    const auto of_words =
        gradcheck(embedding,
                  [&](const std::vector<Variable<double>>& in) {
                      Generator generator(3);
                      const auto y = embedding_dropout(embedding, {{0, 3, 3}, {5, 1, 0}}, 0.4, generator);
                      return sum(y * y * in[0]);
                  },
                  {randn<double>({2, 3, 2})});
    CHECK_MESSAGE(of_words.passed, of_words.message);
}

TEST_CASE("wrong uses of dropout for sequences say what is wrong") {
    Tape<double> tape;
    CHECK_THROWS_WITH_AS(locked_dropout(tape.ones({2, 3}), 0.5), "locked_dropout: x is [2, 3]: expected [T, B, F]",
                         ShapeError);
    CHECK_THROWS_WITH_AS(locked_dropout(tape.ones({2, 3, 4}), 1.5), "locked_dropout: p is 1.5: expected 0 to 1",
                         ValueError);
    const Embedding<double> embedding({.num_embeddings = 4, .embedding_dim = 3});
    CHECK_THROWS_WITH_AS(embedding_dropout(embedding, Indices{1}, -1), "embedding_dropout: p is -1: expected 0 to 1",
                         ValueError);
    CHECK_THROWS_WITH_AS(LockedDropout<double>({.p = 2}), "LockedDropout: p is 2: expected 0 to 1", ValueError);
}
