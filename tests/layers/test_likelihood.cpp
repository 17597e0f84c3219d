#include <ebb/autograd/gradcheck.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/layers/likelihood.hpp>

#include <cmath>
#include <limits>

#include <doctest/doctest.h>

using namespace ebb;

namespace {

/// Logits [3, 2, 2] of known probabilities: p(1) = 0.5, 0.25 | 0.8, 0.9 | 0.1, 0.6 at each time, for both sequences.
Array<double> known_logits() {
    Array<double> logits = Array<double>::from_shape({3, 2, 2});
    const double p[] = {0.5, 0.25, 0.8, 0.9, 0.1, 0.6};
    for (std::size_t k = 0; k < 6; ++k) {
        logits.data()[2 * k] = std::log(1 - p[k]) + 3;
        logits.data()[2 * k + 1] = std::log(p[k]) + 3;
    }
    return logits;
}
const Indices targets{{1, 1}, {1, 0}, {0, -100}};

}  // namespace

TEST_CASE("the log-likelihood of a sequence is the sum of what each token costs, padding none") {
    Tape<double> tape;
    const auto likelihood = sequence_log_likelihood(tape.constant(known_logits()), targets);
    CHECK(likelihood.shape() == Shape{2});
    CHECK(likelihood.value()(0) == doctest::Approx(std::log(0.5 * 0.8 * 0.9)).epsilon(1e-13));
    CHECK(likelihood.value()(1) == doctest::Approx(std::log(0.25 * 0.1)).epsilon(1e-13));
}

TEST_CASE("sequence_log_likelihood passes gradcheck") {
    const auto report =
        gradcheck([](const std::vector<Variable<double>>& in) { return sequence_log_likelihood(in[0], targets); },
                  {known_logits()});
    CHECK_MESSAGE(report.passed, report.message);
}

TEST_CASE("a likelihood in pieces is that of the whole; bits and perplexity are its mean") {
    Tape<double> tape;
    const auto logits = tape.constant(known_logits());
    LogLikelihood whole, pieces;
    whole.add(logits, targets);
    for (std::size_t t = 0; t < 3; ++t)
        pieces.add(select(logits, 0, static_cast<std::ptrdiff_t>(t)), Indices{targets(t, 0), targets(t, 1)});
    CHECK(whole.tokens() == 5);
    CHECK(whole.nats() == doctest::Approx(std::log(0.5 * 0.8 * 0.9 * 0.25 * 0.1)).epsilon(1e-13));
    CHECK(pieces.nats() == doctest::Approx(whole.nats()).epsilon(1e-15));
    CHECK(pieces.tokens() == 5);
    CHECK(whole.bits_per_token() == doctest::Approx(-std::log2(0.5 * 0.8 * 0.9 * 0.25 * 0.1) / 5).epsilon(1e-13));
    CHECK(whole.perplexity() == doctest::Approx(std::pow(0.5 * 0.8 * 0.9 * 0.25 * 0.1, -1.0 / 5)).epsilon(1e-13));
}

TEST_CASE("among n equally likely tokens the perplexity is n, and a token costs log2 n bits") {
    Tape<float> tape;
    LogLikelihood total;
    total.add(tape.zeros({2, 2, 8}), Indices{{0, 3}, {7, 7}});
    CHECK(total.perplexity() == doctest::Approx(8).epsilon(1e-12));
    CHECK(total.bits_per_token() == doctest::Approx(3).epsilon(1e-12));
    CHECK(perplexity(std::log(8)) == doctest::Approx(8).epsilon(1e-14));
    CHECK(bits(std::log(8)) == doctest::Approx(3).epsilon(1e-14));
}

TEST_CASE("wrong uses of likelihoods say what is wrong") {
    Tape<double> tape;
    LogLikelihood total;
    CHECK_THROWS_WITH_AS(total.bits_per_token(), "LogLikelihood::bits_per_token: no token was added yet", ValueError);
    CHECK_THROWS_WITH_AS(total.perplexity(), "LogLikelihood::perplexity: no token was added yet", ValueError);
    CHECK_THROWS_WITH_AS(total.add(tape.zeros({3, 2, 2}), Indices{1, 1}),
                         "LogLikelihood: logits is [3, 2, 2], targets is [2]: expected targets of the leading shape of "
                         "logits",
                         ShapeError);
    CHECK_THROWS_WITH_AS(total.add(tape.zeros({2, 2}), Indices{1, 2}),
                         "LogLikelihood: target 2 at flat index 1: expected 0 to 1, or -100", IndexError);
    CHECK_THROWS_WITH_AS(total.add(tape.full({1, 2}, std::numeric_limits<double>::quiet_NaN()), Indices{1}),
                         "log_probabilities: logit 0 is nan: expected a number or -infinity", ValueError);
    CHECK(total.tokens() == 0);
    CHECK_THROWS_WITH_AS(sequence_log_likelihood(tape.zeros({3, 2}), Indices{1, 1, 1}),
                         "sequence_log_likelihood: logits is [3, 2]: expected [T, B, V]", ShapeError);
}
