/// The corpus that tutorials share, and what counting makes of it.

#include <ebb/core/error.hpp>
#include <ebb/core/random.hpp>
#include <ebb/layers/generation.hpp>

#include <cmath>
#include <sstream>

#include "characters/ngrams.hpp"
#include "characters/options.hpp"
#include "characters/training.hpp"
#include "support/corpus.hpp"
#include <doctest/doctest.h>

using tutorial::Corpus;

TEST_CASE("a corpus of several texts: nine tenths of each, then what is held out; text and back") {
    const Corpus corpus = tutorial::join_corpus("two", {"aaaaaaaaab",
                                                        "\xEF\xBB\xBF"
                                                        "c\r\n\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"
                                                        "cccccccccccccc"});
    CHECK(tutorial::decode(corpus, corpus.text) ==
          "aaaaaaaaac\n\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"
          "cccccccccccc"
          "bcc");
    CHECK(corpus.training_size == 9 + 17);
    CHECK(corpus.held_out_size() == 1 + 2);
    CHECK(corpus.alphabet.size() == 7);
    CHECK(tutorial::encode(corpus, "cab") == std::vector<std::int64_t>{3, 1, 2});
    CHECK_THROWS_WITH_AS(tutorial::encode(corpus, "cabx"), "encode: character 3 of 'cabx' does not occur in two",
                         ebb::ValueError);
}

TEST_CASE("Witten-Bell on a text small enough for paper") {
    // Of a b a b a c, V = 3: a 3 times, b 2, c 1; after a: b twice, c once; after b: a twice.
    const std::vector<std::int64_t> text{0, 1, 0, 1, 0, 2};
    const characters::NGrams counts(text, 3, 3);
    const auto p = [&](const std::vector<std::int64_t>& history_and_next, std::size_t n) {
        return counts.probability(history_and_next, history_and_next.size() - 1, n);
    };
    CHECK(p({0}, 0) == doctest::Approx(1.0 / 3));
    const double pa = (3 + 3 * (1.0 / 3)) / (6 + 3), pb = (2 + 3 * (1.0 / 3)) / (6 + 3);
    CHECK(p({0}, 1) == doctest::Approx(pa));
    CHECK(p({0, 1}, 2) == doctest::Approx((2 + 2 * pb) / (3 + 2)));
    CHECK(p({1, 0}, 2) == doctest::Approx((2 + 1 * pa) / (2 + 1)));
    // c was followed by nothing: the shorter history counts.
    CHECK(p({2, 0}, 2) == doctest::Approx(pa));
    const double pab = (2 + 2 * pb) / 5;
    CHECK(p({1, 0, 1}, 3) == doctest::Approx((1 + 2 * pab) / (2 + 2)));
    // Every distribution sums to 1.
    for (const std::vector<std::int64_t>& history : {std::vector<std::int64_t>{1, 0}, {0, 2}, {2, 2}, {0, 1}})
        for (std::size_t n = 0; n <= 3; ++n) {
            double sum = 0;
            for (std::int64_t c = 0; c < 3; ++c) sum += p({history[0], history[1], c}, n);
            CHECK(sum == doctest::Approx(1).epsilon(1e-14));
        }
    CHECK(counts.bits_per_character({0, 1}, 1) == doctest::Approx(-(std::log2(pa) + std::log2(pb)) / 2));
    CHECK_THROWS_WITH_AS(characters::NGrams(text, 9, 3), "NGrams: order is 9: expected 1 to 8", ebb::ValueError);
    CHECK_THROWS_WITH_AS(characters::NGrams(text, 1, 256), "NGrams: alphabet_size is 256: expected 1 to 255",
                         ebb::ValueError);
}

TEST_CASE("characters that the training text does not have say nothing: their embeddings are zeros") {
    ebb::manual_seed(1);
    const characters::Model model(4, 3, 5);
    const ebb::Array<float> drawn = model.embedding().weight.value();
    const std::vector<std::int64_t> text{0, 1, 3, 1, 0, 1, 3, 3, 0, 1};
    characters::Options options;
    options.length = 2;
    options.batch = 2;
    options.steps = 0;
    characters::train_model(model, text, options);
    const ebb::Array<float>& rows = model.embedding().weight.value();
    for (std::size_t e = 0; e < 3; ++e) {
        CHECK(rows(2, e) == 0);
        CHECK(drawn(2, e) != 0);
        for (const std::size_t seen : {0, 1, 3}) CHECK(rows(seen, e) == drawn(seen, e));
    }
    options.steps = 5;
    characters::train_model(model, text, options);
    for (std::size_t e = 0; e < 3; ++e) CHECK(rows(2, e) == 0);
    CHECK(rows(1, 0) != drawn(1, 0));
}

TEST_CASE("the character model learns a text with a period, by windows and by streams, and writes it on") {
    std::string text;
    while (text.size() < 3000) text += "abcad";  // what follows an a is in the state only
    const Corpus periodic = tutorial::make_corpus("period", text);
    const std::vector<std::int64_t> training(periodic.text.begin(), periodic.text.begin() + 2700);
    for (const characters::Batching batching : {characters::Batching::windows, characters::Batching::streams}) {
        ebb::manual_seed(1);
        const characters::Model model(4, 8, 16);
        characters::Options options;
        options.length = 16;
        options.batch = 8;
        options.steps = 150;
        options.learning_rate = 0.02;
        options.batching = batching;
        const double before = characters::bits_per_character(model, training);
        characters::train_model(model, training, options);
        CHECK(before > 1.5);
        CHECK(characters::bits_per_character(model, training) < 0.1);
        ebb::Autoregression next(ebb::tape_step<float, ebb::LSTMState<float>>(model));
        next.read(tutorial::encode(periodic, "abcadabc"));
        CHECK(tutorial::decode(periodic, next.generate(7, {.temperature = 0})) == "adabcad");
        options.batch = 2700;
        CHECK_THROWS_WITH_AS(characters::train_model(model, training, options),
                             "train_model: the text has 2700 characters: expected more than --batch times --length, "
                             "2700 x 16",
                             ebb::ValueError);
    }
}

TEST_CASE("the options of the character program") {
    std::ostringstream help;
    const auto options =
        characters::parse_options({"--batching", "streams", "--temperature", "0", "--steps", "7"}, help);
    REQUIRE(options);
    CHECK(options->batching == characters::Batching::streams);
    CHECK(options->temperature == 0);
    CHECK(options->steps == 7);
    CHECK(!characters::parse_options({"--help"}, help));
    CHECK(help.str().find("--top-p") != std::string::npos);
    const auto refusal = [&](const std::vector<std::string>& arguments) {
        try {
            characters::parse_options(arguments, help);
        } catch (const ebb::ValueError& error) {
            return std::string(error.what());
        }
        return std::string("accepted");
    };
    CHECK(refusal({"--seed", "-1"}) ==
          "characters: --seed: '-1': expected a whole number, at least 0: --help lists the options");
    CHECK(refusal({"--top-k", "-1"}) ==
          "characters: --top-k: '-1': expected a whole number, at least 0: --help lists the options");
    CHECK(refusal({"--steps", "-1"}) ==
          "characters: --steps: Value -1 not in range 0 to 100000000: --help lists the options");
    CHECK(refusal({"--no-such"}) ==
          "characters: The following argument was not expected: --no-such: --help lists the options");
    CHECK(refusal({"--batching", "x"}).starts_with("characters: --batching: Check x "));
}
