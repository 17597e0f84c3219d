/// Generation by its defining properties, on a Markov chain whose probabilities are known, and on an LSTM.

#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/layers/embedding.hpp>
#include <ebb/layers/generation.hpp>
#include <ebb/layers/linear.hpp>
#include <ebb/layers/recurrent_layers.hpp>

#include <cmath>
#include <limits>
#include <numeric>

#include <doctest/doctest.h>

using namespace ebb;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// p(next | token) of a chain with three tokens. After 0, the greedy way leads to 1, and from there nowhere good.
const std::vector<std::vector<double>> chain{{0.10, 0.50, 0.40}, {0.36, 0.33, 0.31}, {0.05, 0.90, 0.05}};

/// The state counts the tokens that were read.
StepResult<int> chain_step(std::int64_t token, const int& read) {
    std::vector<double> logits;
    for (const double p : chain[static_cast<std::size_t>(token)]) logits.push_back(std::log(p) + 7);
    return {logits, read + 1};
}

double chain_log_p(std::int64_t before, const Tokens& tokens) {
    double log_p = 0;
    for (const std::int64_t token : tokens) {
        log_p += std::log(chain[static_cast<std::size_t>(before)][static_cast<std::size_t>(token)]);
        before = token;
    }
    return log_p;
}

Autoregression<int> started(std::int64_t token = 0) {
    Autoregression<int> text(StepFunction<int>{chain_step});
    text.read(token);
    return text;
}

/// The most probable sequence of all, by looking at each.
Tokens best_of_all(std::size_t length) {
    Tokens best, tokens(length, 0);
    double best_p = -infinity;
    for (std::size_t code = 0; code < static_cast<std::size_t>(std::lround(std::pow(3, length))); ++code) {
        std::size_t rest = code;
        for (std::int64_t& token : tokens) {
            token = static_cast<std::int64_t>(rest % 3);
            rest /= 3;
        }
        if (const double p = chain_log_p(0, tokens); p > best_p) {
            best_p = p;
            best = tokens;
        }
    }
    return best;
}

const std::vector<double> four{std::log(0.5), std::log(0.25), std::log(0.15), std::log(0.1)};

/// Whether all are within 1e-12.
bool close(const std::vector<double>& a, const std::vector<double>& b) {
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [](double x, double y) { return std::abs(x - y) < 1e-12; });
}

}  // namespace

TEST_CASE("temperature: p^(1 / temperature), made to sum to 1") {
    CHECK(close(sampling_probabilities(four), {0.5, 0.25, 0.15, 0.1}));
    // Squares: 0.25, 0.0625, 0.0225, 0.01, together 0.345.
    CHECK(close(sampling_probabilities(four, {.temperature = 0.5}),
                {0.25 / 0.345, 0.0625 / 0.345, 0.0225 / 0.345, 0.01 / 0.345}));
    for (const double p : sampling_probabilities(four, {.temperature = 1e9}))
        CHECK(p == doctest::Approx(0.25).epsilon(1e-6));
    // Logits of any size.
    CHECK(close(sampling_probabilities({1e308, -1e308}, {.temperature = 1e-300}), {1, 0}));
}

TEST_CASE("temperature to 0 and top_k = 1 are greedy, and of equals take the first") {
    const std::vector<double> greedy{0, 1, 0, 0};
    const std::vector<double> logits{1, 3, 2.999, 0}, ties{1, 3, 3, 0};
    CHECK(sampling_probabilities(logits, {.temperature = 0}) == greedy);
    CHECK(close(sampling_probabilities(logits, {.temperature = 1e-6}), greedy));
    CHECK(close(sampling_probabilities(logits, {.top_k = 1}), greedy));
    CHECK(sampling_probabilities(ties, {.temperature = 0}) == greedy);
    CHECK(sampling_probabilities(ties, {.top_k = 1}) == greedy);

    auto greedy_text = started(), top_text = started();
    Generator generator(3);
    // 0 -> 1 (0.5), 1 -> 0 (0.36), and so on.
    CHECK(greedy_text.generate(6, {.temperature = 0}, generator) == Tokens{1, 0, 1, 0, 1, 0});
    CHECK(top_text.generate(6, {.top_k = 1}, generator) == Tokens{1, 0, 1, 0, 1, 0});
}

TEST_CASE("top_k keeps the k most probable; the nucleus is the smallest set that reaches p") {
    CHECK(close(sampling_probabilities(four, {.top_k = 2}), {2.0 / 3, 1.0 / 3, 0, 0}));
    CHECK(close(sampling_probabilities(four, {.top_k = 9}), {0.5, 0.25, 0.15, 0.1}));
    // 0.5 + 0.25 is below 0.8; with 0.15 it is 0.9.
    CHECK(close(sampling_probabilities(four, {.top_p = 0.8}), {0.5 / 0.9, 0.25 / 0.9, 0.15 / 0.9, 0}));
    CHECK(close(sampling_probabilities(four, {.top_p = 0.49}), {1, 0, 0, 0}));
    CHECK(close(sampling_probabilities(four, {.top_p = 1}), {0.5, 0.25, 0.15, 0.1}));
    // First the top 2 (2/3 and 1/3), of which the first alone reaches 0.6.
    CHECK(close(sampling_probabilities(four, {.top_k = 2, .top_p = 0.6}), {1, 0, 0, 0}));
    for (double p = 0.05; p < 1; p += 0.05) {
        // Without its least probable member the set does not reach p.
        const std::vector<double> kept = sampling_probabilities(four, {.top_p = p});
        double reached = 0, smallest = 1;
        for (std::size_t k = 0; k < kept.size(); ++k)
            if (kept[k] > 0) {
                reached += std::exp(four[k]);
                smallest = std::exp(four[k]);
            }
        CAPTURE(p);
        CHECK(reached >= p - 1e-12);
        CHECK(reached - smallest < p + 1e-12);
    }
}

TEST_CASE("tokens are drawn as often as they are probable: chi-square") {
    Generator generator(11);
    constexpr std::size_t draws = 20000;
    std::vector<double> count(4);
    for (std::size_t k = 0; k < draws; ++k)
        count[static_cast<std::size_t>(sample_token(four, {.temperature = 0.7}, generator))] += 1;
    const std::vector<double> p = sampling_probabilities(four, {.temperature = 0.7});
    double chi_square = 0;
    for (std::size_t k = 0; k < 4; ++k) {
        const double expected = p[k] * draws;
        chi_square += (count[k] - expected) * (count[k] - expected) / expected;
    }
    CHECK(chi_square < 16.27);  // 3 degrees of freedom: exceeded once in a thousand times
    // A forbidden token never comes.
    for (std::size_t k = 0; k < 1000; ++k) CHECK(sample_token({-infinity, 0, -infinity}, {}, generator) == 1);
}

TEST_CASE("reading adds up log p by the chain rule") {
    auto text = started();
    CHECK(text.log_likelihood() == 0);
    CHECK(text.read(2) == doctest::Approx(std::log(0.40)));
    CHECK(text.read(Tokens{1, 0, 0}) == doctest::Approx(std::log(0.90 * 0.36 * 0.10)));
    CHECK(text.log_likelihood() == doctest::Approx(chain_log_p(0, {2, 1, 0, 0})));
    CHECK(text.state() == 5);
}

TEST_CASE("the state stays between calls, and the seed decides") {
    const SamplingOptions options{.temperature = 0.9};
    Generator one(5), two(5), three(6);
    auto whole = started(), pieces = started(), other = started();
    const Tokens all = whole.generate(40, options, one);
    Tokens joined = pieces.generate(15, options, two);
    const Tokens rest = pieces.generate(25, options, two);
    joined.insert(joined.end(), rest.begin(), rest.end());
    CHECK(joined == all);
    CHECK(pieces.state() == 41);
    CHECK(pieces.log_likelihood() == whole.log_likelihood());
    CHECK(other.generate(40, options, three) != all);
}

TEST_CASE("a wide beam finds the most probable sequence of all, a narrow one is greedy") {
    for (std::size_t length = 1; length <= 6; ++length) {
        CAPTURE(length);
        const auto beams = started().beam_search(
            {.width = static_cast<std::size_t>(std::lround(std::pow(3, length))), .length = length});
        CHECK(beams.size() == static_cast<std::size_t>(std::lround(std::pow(3, length))));
        const Tokens best = best_of_all(length);
        CHECK(beams[0].tokens == best);
        CHECK(beams[0].log_likelihood == doctest::Approx(chain_log_p(0, best)).epsilon(1e-12));
        CHECK(beams[0].score == beams[0].log_likelihood);
        CHECK(!beams[0].ended);
        double all = 0;
        for (std::size_t k = 0; k < beams.size(); ++k) {
            all += std::exp(beams[k].log_likelihood);
            if (k > 0) CHECK(beams[k - 1].score >= beams[k].score);
        }
        CHECK(all == doctest::Approx(1).epsilon(1e-12));

        auto greedy = started();
        CHECK(started().beam_search({.width = 1, .length = length})[0].tokens ==
              greedy.generate(length, {.temperature = 0}));
    }
    // The greedy way (0.5 x 0.36) misses what two hypotheses find (0.4 x 0.9).
    CHECK(started().beam_search({.width = 1, .length = 2})[0].tokens == Tokens{1, 0});
    CHECK(started().beam_search({.width = 2, .length = 2})[0].tokens == Tokens{2, 1});
    // Nothing was read.
    const auto text = started();
    CHECK(text.beam_search({.length = 4}).size() == 4);
    CHECK(text.state() == 1);
}

TEST_CASE("hypotheses end at the end token, and the length penalty decides between short and long") {
    const BeamOptions short_ones{.width = 81, .length = 4, .end_token = 0};
    const auto beams = started().beam_search(short_ones);
    for (const Hypothesis& beam : beams) {
        const auto end = std::find(beam.tokens.begin(), beam.tokens.end(), 0);
        CHECK(beam.ended == (end != beam.tokens.end()));
        if (beam.ended) CHECK(end + 1 == beam.tokens.end());
        if (!beam.ended) CHECK(beam.tokens.size() == 4);
    }
    // 0 -> 1 -> 0: 0.5 x 0.36 = 0.18.
    CHECK(beams[0].tokens == Tokens{1, 0});
    // ((5 + 4) / 6)^a and ((5 + 2) / 6)^a: with a large enough, four tokens win.
    BeamOptions long_ones = short_ones;
    long_ones.length_penalty = 10;
    const auto longer = started().beam_search(long_ones);
    CHECK(longer[0].tokens.size() == 4);
    CHECK(longer[0].score == doctest::Approx(longer[0].log_likelihood / std::pow(1.5, 10)));
    CHECK(beam_score(-3, 1, 0.6) == -3);
    CHECK(beam_score(-3, 7, 1) == doctest::Approx(-1.5));
}

TEST_CASE("an LSTM step by step on tapes of its own gives the logits of the whole sequence") {
    manual_seed(4);
    const Embedding<double> embedding({.num_embeddings = 5, .embedding_dim = 3});
    const LSTM<double> lstm({.input_size = 3, .hidden_size = 4});
    const Linear<double> readout({.in_features = 4, .out_features = 5});
    const auto model = [&](const Indices& tokens, const LSTMState<double>& state) {
        const auto [output, next] = lstm(embedding(tokens), state);
        return std::pair{readout(output), next};
    };
    const Tokens tokens{3, 0, 4, 4, 1, 2, 0};
    Tape<double> tape;
    Indices sequence = Indices::from_shape({tokens.size(), 1});
    std::copy(tokens.begin(), tokens.end(), sequence.begin());
    const auto logits = model(sequence, {}).first;
    const auto log_p = log_softmax(logits);

    Autoregression text(tape_step<double, LSTMState<double>>(model));
    double expected = 0;
    for (std::size_t t = 0; t < tokens.size(); ++t) {
        if (t > 0) expected += log_p.value()(t - 1, 0, tokens[t]);
        text.read(tokens[t]);
        for (std::size_t v = 0; v < 5; ++v)
            CHECK(text.logits()[v] == doctest::Approx(logits.value()(t, 0, v)).epsilon(1e-13));
    }
    CHECK(text.log_likelihood() == doctest::Approx(expected).epsilon(1e-13));
    // The tape outside is as it was, and active again.
    CHECK(&Tape<double>::active() == &tape);
    const auto beams = text.beam_search({.width = 125, .length = 3});
    CHECK(beams.size() == 125);
    for (const std::size_t k : {0u, 60u, 124u}) {
        auto copy = text;
        CHECK(copy.read(beams[k].tokens) == doctest::Approx(beams[k].log_likelihood).epsilon(1e-12));
    }
}

TEST_CASE("wrong uses of generation say what is wrong") {
    CHECK_THROWS_WITH_AS(log_probabilities({}),
                         "log_probabilities: logits is empty: expected one number for each token", ValueError);
    CHECK_THROWS_WITH_AS(log_probabilities({1, std::nan(""), 2}),
                         "log_probabilities: logit 1 is nan: expected a number or -infinity", ValueError);
    CHECK_THROWS_WITH_AS(log_probabilities({1, infinity}),
                         "log_probabilities: logit 1 is inf: expected a number or -infinity", ValueError);
    CHECK_THROWS_WITH_AS(log_probabilities({-infinity, -infinity}),
                         "log_probabilities: all logits are -infinity: expected at least one token that may follow",
                         ValueError);
    CHECK_THROWS_WITH_AS(sampling_probabilities({1}, {.temperature = -1}),
                         "sampling_probabilities: temperature is -1: expected a number, at least 0", ValueError);
    CHECK_THROWS_WITH_AS(sampling_probabilities({1}, {.top_p = 0}),
                         "sampling_probabilities: top_p is 0: expected above 0, at most 1", ValueError);
    Autoregression<int> fresh(StepFunction<int>{chain_step});
    CHECK_THROWS_WITH_AS(fresh.generate(1), "Autoregression::generate: nothing was read yet: expected a start token",
                         ValueError);
    CHECK_THROWS_WITH_AS(fresh.beam_search(),
                         "Autoregression::beam_search: nothing was read yet: expected a start token", ValueError);
    CHECK_THROWS_WITH_AS(Autoregression<int>(StepFunction<int>{}), "Autoregression: step is empty: expected a function",
                         ValueError);
    auto text = started();
    CHECK_THROWS_WITH_AS(text.read(3), "Autoregression::read: token 3: expected 0 to 2", IndexError);
    CHECK_THROWS_WITH_AS(text.read(Tokens{1, 2, 3}), "Autoregression::read: token 3: expected 0 to 2", IndexError);
    CHECK(text.state() == 1);
    CHECK(text.log_likelihood() == 0);
    CHECK_THROWS_WITH_AS(text.beam_search({.width = 0}), "beam_search: width is 0: expected at least 1", ValueError);
    CHECK_THROWS_WITH_AS(text.beam_search({.length = 0}), "beam_search: length is 0: expected at least 1", ValueError);
    CHECK_THROWS_WITH_AS(text.beam_search({.length_penalty = -1}),
                         "beam_search: length_penalty is -1: expected a number, at least 0", ValueError);
}
