#include <ebb/autograd/gradcheck.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/random.hpp>
#include <ebb/layers/attention.hpp>
#include <ebb/layers/recurrent_cells.hpp>

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "layers/module_gradcheck.hpp"
#include "support/golden.hpp"
#include <doctest/doctest.h>

using namespace ebb;

namespace {

const std::vector<std::pair<std::string, AttentionScore>> scores{{"dot", AttentionScore::dot},
                                                                 {"scaled_dot", AttentionScore::scaled_dot},
                                                                 {"general", AttentionScore::general},
                                                                 {"additive", AttentionScore::additive}};

Attention<double> make(AttentionScore score, std::size_t Q, std::size_t K, std::size_t A = 5) {
    return Attention<double>({.score = score, .query_size = Q, .key_size = K, .hidden_size = A});
}

}  // namespace

TEST_CASE("every score, with lengths and causal masks, is PyTorch's") {
    const GoldenFile file("attention");
    for (const auto& [prefix, score] : scores)
        for (const GoldenCase& golden : file.cases(prefix + "/")) {
            const Attention<double> attention = make(score, golden.shape("query").back(), golden.shape("keys").back());
            for (auto [name, parameter] : attention.named_parameters()) parameter.set_value(golden[name]);
            Tape<double> tape;
            const auto query = tape.variable(golden["query"]), keys = tape.variable(golden["keys"]);
            const auto values = golden.has("values") ? tape.variable(golden["values"]) : keys;
            std::vector<std::size_t> lengths;
            if (golden.has("lengths"))
                for (const std::int64_t length : golden.integers("lengths"))
                    lengths.push_back(static_cast<std::size_t>(length));
            const bool causal = golden.name().find("causal") != std::string::npos;
            const auto [context, weights] =
                attention(query, attention.remember(keys, lengths, values), causal ? causal_mask(4) : Mask());
            check_value(golden, "context", context.value());
            check_value(golden, "weights", weights.value());
            tape.backward(sum(context * tape.constant(golden["dcontext"])) +
                          sum(weights * tape.constant(golden["dweights"])));
            check_gradient(golden, "query", query.grad());
            check_gradient(golden, "keys", keys.grad());
            if (golden.has("values")) check_gradient(golden, "values", values.grad());
            for (const auto& [name, parameter] : attention.named_parameters())
                check_gradient(golden, name, parameter.grad());
        }
}

TEST_CASE("every score passes gradcheck to the second order, also where a query may look nowhere") {
    manual_seed(3);
    for (const auto& entry : scores) {
        CAPTURE(entry.first);
        const AttentionScore score = entry.second;
        const Attention<double> attention = make(score, 3, 3, 2);
        for (const bool many : {false, true}) {
            ModuleCheck check;
            check.inputs = {many ? randn<double>({3, 2, 3}) : randn<double>({2, 3}), randn<double>({3, 2, 3})};
            check.parameters = attention.parameters();
            check.f = [&](const ModuleCheck::Variables& in) {
                const auto memory = attention.remember(in[1], {3, 2});
                const auto [context, weights] = attention(in[0], memory, many ? causal_mask(3, Causal::past) : Mask());
                return sum(context * context) + sum(weights * weights * weights);
            };
            CHECK(check.errors(1) == "");
            CHECK(check.errors(2) == "");
        }
    }
}

TEST_CASE("what is masked has weight exactly 0 and gradient exactly 0, whatever is there") {
    manual_seed(5);
    for (const auto& entry : scores) {
        CAPTURE(entry.first);
        const AttentionScore score = entry.second;
        const Attention<double> attention = make(score, 3, 3);
        Tape<double> tape;
        Array<double> far = randn<double>({4, 2, 3});
        for (std::size_t j = 0; j < 3; ++j) far(3, 1, j) = 1e150;  // beyond the length of sequence 1
        const auto keys = tape.variable(far), query = tape.variable(randn<double>({2, 3}));
        const auto [context, weights] = attention(query, attention.remember(keys, {4, 2}));
        CHECK(weights.value()(1, 2) == 0);
        CHECK(weights.value()(1, 3) == 0);
        CHECK(weights.value()(1, 0) + weights.value()(1, 1) == doctest::Approx(1).epsilon(1e-14));
        tape.backward(sum(context * context));
        for (const std::size_t s : {2u, 3u})
            for (std::size_t j = 0; j < 3; ++j) CHECK(keys.grad()(s, 1, j) == 0);
        CHECK(keys.grad()(1, 1, 0) != 0);
        CHECK(query.grad()(1, 0) != 0);
    }
}

TEST_CASE("a padded batch with lengths is each sequence alone") {
    manual_seed(6);
    const Attention<double> attention = make(AttentionScore::additive, 3, 4);
    const Array<double> keys = randn<double>({5, 2, 4}), queries = randn<double>({3, 2, 3});
    Tape<double> tape;
    const auto together = attention(tape.constant(queries), attention.remember(tape.constant(keys), {5, 2})).context;
    const auto alone = attention(slice(tape.constant(queries), 1, 1, 2),
                                 attention.remember(slice(slice(tape.constant(keys), 0, 0, 2), 1, 1, 2)))
                           .context;
    CHECK(difference(select(together, 1, 1).value(), select(alone, 1, 0).value(), 1e-14, 1e-15) == "");
}

TEST_CASE("many queries at once are one query after another, and causal rows are prefixes") {
    manual_seed(7);
    for (const auto& entry : scores) {
        CAPTURE(entry.first);
        const AttentionScore score = entry.second;
        const Attention<double> attention = make(score, 4, 4);
        const Array<double> states = randn<double>({5, 2, 4});
        Tape<double> tape;
        const auto h = tape.constant(states);
        const auto all = attention(h, attention.remember(h), causal_mask(5, Causal::past));
        // The first has no past.
        for (const double v : select(all.context, 0, 0).value()) CHECK(v == 0);
        for (const double v : select(all.weights, 0, 0).value()) CHECK(v == 0);
        for (std::ptrdiff_t t = 1; t < 5; ++t) {
            const auto one = attention(select(h, 0, t), attention.remember(slice(h, 0, 0, t)));
            CHECK(difference(select(all.context, 0, t).value(), one.context.value(), 1e-13, 1e-15) == "");
        }
    }
}

TEST_CASE("a mask [T, B, S] is for each sequence its own [T, S], also together with lengths") {
    manual_seed(11);
    const Attention<double> attention = make(AttentionScore::general, 3, 4);
    Tape<double> tape;
    const auto keys = tape.constant(randn<double>({5, 2, 4})), queries = tape.constant(randn<double>({3, 2, 3}));
    Mask mask = Mask::from_shape({3, 2, 5});
    Generator generator(2);
    for (std::size_t k = 0; k < mask.size(); ++k) mask.data()[k] = generator.bernoulli(0.6);
    const auto together = attention(queries, attention.remember(keys, {4, 5}), mask);
    for (std::size_t b = 0; b < 2; ++b) {
        Mask own = Mask::from_shape({3, 5});
        for (std::size_t t = 0; t < 3; ++t)
            for (std::size_t s = 0; s < 5; ++s) own(t, s) = mask(t, b, s);
        const auto at = static_cast<std::ptrdiff_t>(b);
        const auto alone =
            attention(slice(queries, 1, at, at + 1), attention.remember(slice(keys, 1, at, at + 1), {4 + b}), own);
        CHECK(difference(select(together.weights, 1, at).value(), select(alone.weights, 1, 0).value(), 1e-14, 1e-15) ==
              "");
    }
    for (std::size_t t = 0; t < 3; ++t)
        for (std::size_t b = 0; b < 2; ++b)
            for (std::size_t s = 0; s < 5; ++s)
                CHECK((together.weights.value()(t, b, s) == 0) == (!mask(t, b, s) || s >= 4 + b));
}

TEST_CASE("a sequence of length 0 has context 0, and nothing of it is NaN") {
    manual_seed(8);
    const Attention<double> attention = make(AttentionScore::general, 2, 3);
    Tape<double> tape;
    const auto keys = tape.variable(randn<double>({3, 2, 3})), query = tape.variable(randn<double>({2, 2}));
    const auto [context, weights] = attention(query, attention.remember(keys, {0, 3}));
    tape.backward(sum(context) + sum(weights * weights));
    for (std::size_t j = 0; j < 3; ++j) {
        CHECK(context.value()(0, j) == 0);
        CHECK(weights.value()(0, j) == 0);
        CHECK(keys.grad()(j, 0, 0) == 0);
    }
    CHECK(query.grad()(0, 0) == 0);
    CHECK(query.grad()(1, 0) != 0);
}

TEST_CASE("scaled_dot is softmax(q'k / sqrt(K)), on paper") {
    const Attention<double> attention = make(AttentionScore::scaled_dot, 4, 4);
    Tape<double> tape;
    // q'k = 2 log 3 and 0, sqrt(K) = 2: the weights are 3 / 4 and 1 / 4.
    const double a = 2 * std::log(3.0);
    const auto keys = tape.constant(Array<double>{{{a, 0, 0, 5}}, {{0, 0, 1, 5}}});
    const auto query = tape.constant(Array<double>{{1, 0, 0, 0}});
    const auto [context, weights] = attention(query, attention.remember(keys));
    CHECK(weights.value()(0, 0) == doctest::Approx(0.75).epsilon(1e-14));
    CHECK(context.value()(0, 0) == doctest::Approx(0.75 * a).epsilon(1e-14));
    CHECK(context.value()(0, 2) == doctest::Approx(0.25).epsilon(1e-14));
    CHECK(context.value()(0, 3) == doctest::Approx(5).epsilon(1e-14));
}

TEST_CASE("weights are probes, with the time step of their query, and keep their gradient") {
    manual_seed(9);
    Tape<double> tape;
    const RNNCell<double> cell({.input_size = 2, .hidden_size = 3, .name = "decoder"});
    const Attention<double> attention({.query_size = 3, .key_size = 3, .name = "decoder.attention"});
    const auto memory = attention.remember(tape.variable(randn<double>({4, 1, 3})));
    Variable<double> h = cell(tape.constant(randn<double>({1, 2})));
    h = cell(tape.constant(randn<double>({1, 2})), h);
    const auto [context, weights] = attention(h, memory);
    tape.backward(sum(context));
    CHECK(weights.name() == "decoder.attention.weights");
    CHECK(weights.time_step() == 1);
    CHECK(weights.node().probe);
    CHECK(weights.grad().size() == 4);
    // Of the sum of the context, d/dweights_s is the sum of value s.
    for (std::size_t s = 0; s < 4; ++s)
        CHECK(weights.grad()(0, s) == doctest::Approx(memory.values.value()(0, s, 0) + memory.values.value()(0, s, 1) +
                                                      memory.values.value()(0, s, 2)));
}

TEST_CASE("wrong uses of attention say what is wrong, and record nothing") {
    CHECK_THROWS_WITH_AS(make(AttentionScore::dot, 2, 3),
                         "attention: query_size is 2, key_size is 3: expected equal sizes for a dot product; "
                         "AttentionScore::general takes any",
                         ValueError);
    CHECK_THROWS_WITH_AS(make(AttentionScore::general, 0, 3),
                         "attention: query_size is 0, key_size is 3: expected at least 1 each", ValueError);
    Tape<double> tape;
    const Attention<double> attention({.score = AttentionScore::general, .query_size = 2, .key_size = 3, .name = ""});
    const auto keys = tape.zeros({5, 4, 3});
    const auto memory = attention.remember(keys, {1, 2, 3, 4});
    const auto one = tape.zeros({4, 2}), many = tape.zeros({6, 4, 2}), wrong = tape.zeros({4, 3});
    const auto small = tape.zeros({5, 3, 3}), none = tape.zeros({0, 4, 3});
    const std::size_t before = tape.size();
    const auto throws = [&](const auto& f, const std::string& message) {
        std::string found = "nothing thrown";
        try {
            f();
        } catch (const Error& error) {
            found = error.what();
        }
        CHECK(found.substr(0, message.size()) == message);
    };
    throws([&] { attention.remember(wrong); },
           "Attention: keys is [4, 3]: expected [S, B, K] with 3 as the last extent");
    throws([&] { attention.remember(none); }, "Attention: keys is [0, 4, 3]: S is 0, expected at least one");
    throws([&] { attention.remember(keys, {}, small); },
           "Attention: values is [5, 3, 3], keys is [5, 4, 3]: expected [S, B, V] with the same S and B");
    throws(
        [&] {
            attention.remember(keys, {1, 2});
        },
        "Attention: there are 2 lengths, keys is [5, 4, 3]: expected 4, one for each sequence");
    throws([&] { attention.remember(keys, {1, 2, 3, 6}); }, "length_mask: length 3 is 6: expected 0 to 5");
    throws([&] { attention(one, {}); }, "Attention: the memory is empty: expected one from remember()");
    throws([&] { attention(wrong, memory); },
           "Attention: query is [4, 3]: expected [B, Q] or [T, B, Q] with B = 4 and Q = 2");
    throws([&] { attention(one, memory, causal_mask(4)); }, "Attention: mask is [4, 4]: expected [B, S], [4, 5]");
    throws([&] { attention(many, memory, causal_mask(5)); },
           "Attention: mask is [5, 5]: expected [T, S], [6, 5], or [T, B, S], [6, 4, 5]");
    throws([&] { masked_softmax(one, causal_mask(3)); },
           "masked_softmax: mask is [3, 3], x is [4, 2]: expected the mask to broadcast to x");
    throws(
        [&] {
            masked_softmax(one, Mask::from_shape({1, 4, 2}));
        },
        "masked_softmax: mask is [1, 4, 2], x is [4, 2]: expected the mask to broadcast to x");
    throws(
        [&] {
            masked_softmax(tape.at(one.index()), Mask::from_shape({4, 2, 1}));
        },
        "masked_softmax: mask is [4, 2, 1], x is [4, 2]: expected the mask to broadcast to x");
    CHECK(tape.size() == before);
}
