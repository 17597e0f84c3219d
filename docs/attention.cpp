//: # Attention: where a decoder looks
//:
//: A sequence goes in, its reversal comes out. An encoder reads the sequence in both directions; a decoder writes the
//: answer token by token, and before each one it looks at the encoder's states, at all of them and at each as much as
//: it wants (Bahdanau, Cho, Bengio 2015). Nobody tells it where to look. For this task the right place is known, the
//: mirror of the place that is written, so what it has learned can be seen.
//:
//: What is new beside [the page of sequence models](sequence-models.md): `Attention`, with a mask for sequences of
//: different lengths; scheduled sampling; and the weights as a figure.

#include <ebb/ebb.hpp>

#include <algorithm>
#include <utility>
#include <vector>

#include "support/lesson.hpp"
#include <fmt/format.h>

using namespace ebb;

//: ## The model
//:
//: B sequences of at most S tokens, each one of V. The encoder's states are remembered once, [S, B, 2 H]: half of each
//: has read what stands before, half what stands behind. Beyond a sequence's length nothing is looked at.

struct Reverser : Module<double> {
    static constexpr std::size_t V = 10, E = 16, H = 32;
    Embedding<double> source, target;
    GRU<double> encoder;
    GRUCell<double> decoder;
    Attention<double> attention;
    Linear<double> readout;

    Reverser()
        : Module("Reverser"),
          source(register_module("source", Embedding<double>({.num_embeddings = V, .embedding_dim = E}))),
          target(register_module("target", Embedding<double>({.num_embeddings = V + 1, .embedding_dim = E}))),
          encoder(register_module("encoder", GRU<double>({.input_size = E, .hidden_size = H, .bidirectional = true}))),
          decoder(register_module("decoder", GRUCell<double>({.input_size = E + 2 * H, .hidden_size = H}))),
          attention(register_module(
              "attention", Attention<double>({.score = AttentionScore::additive, .query_size = H, .key_size = 2 * H}))),
          readout(register_module("readout", Linear<double>({.in_features = 3 * H, .out_features = V}))) {}

    /// tokens [S, B] and the answers [S, B] -> logits [S, B, V]. Each step reads the token before it: the true one with
    /// probability `truth`, else the one that the model finds most probable.
    Variable<double> operator()(const Indices& tokens, const std::vector<std::size_t>& lengths, const Indices& answers,
                                double truth) const {
        const std::size_t S = tokens.shape(0), B = tokens.shape(1);
        Tape<double>& tape = Tape<double>::active();
        const Variable<double> states = encoder(source(tokens), {}, {.lengths = lengths}).output;  // [S, B, 2 H]
        const AttentionMemory<double> memory = attention.remember(states, lengths);

        Variable<double> h = tape.zeros({B, H}), context = tape.zeros({B, 2 * H});
        Indices before = Indices::from_shape({B});
        before.fill(V);  // the token that begins
        std::vector<Variable<double>> logits;
        for (std::size_t t = 0; t < S; ++t) {
            h = decoder(concat(std::vector{target(before), context}, 1), h);
            context = attention(h, memory).context;  // [B, 2 H]
            logits.push_back(readout(concat(std::vector{h, context}, 1)));
            before = next_inputs(logits.back(), answers, t, truth);
        }
        return stack(logits, 0);
    }
};

// [hide]
namespace {
// [show]
//: ## The task
//:
//: Sequences of 3 to 8 tokens, padded at the end; -1 in the answers is what the loss leaves out.

constexpr std::size_t S = 8;
constexpr std::int64_t padding = -1;

struct Batch {
    Indices tokens, answers;  // [S, B]
    std::vector<std::size_t> lengths;
};

Batch make_batch(std::size_t B) {
    Batch batch{randint({S, B}, 0, Reverser::V), Indices::from_shape({S, B}), {}};
    batch.answers.fill(padding);
    for (std::size_t b = 0; b < B; ++b) {
        const std::size_t length = 3 + b % (S - 2);
        batch.lengths.push_back(length);
        for (std::size_t t = 0; t < length; ++t) batch.answers(t, b) = batch.tokens(length - 1 - t, b);
    }
    return batch;
}
// [hide]
}  // namespace
// [show]

int main(int argc, char** argv) {
    tutorial::Lesson lesson(argc, argv);

    lesson.section("Training");
    //: At first the decoder reads the true token at each step, later more and more often its own: so it learns to go on
    //: from its own mistakes (scheduled sampling: Bengio, Vinyals, Jaitly, Shazeer 2015). `truth` is the share of true
    //: ones.

    manual_seed(1);
    Reverser model;
    Adam<double> adam(model.parameters(), {.learning_rate = 5e-3});
    train(adam, {.steps = 800, .clip_norm = 1}, [&](Tape<double>&, std::int64_t step) {
        const Batch batch = make_batch(32);
        const double truth = inverse_sigmoid_decay(step, 80);
        const auto logits = model(batch.tokens, batch.lengths, batch.answers, truth);
        const auto loss = cross_entropy(logits, batch.answers, {.ignore_index = padding});
        if (step % 200 == 0) fmt::print("step {:3}: truth {:.2f}, loss {:.2f}\n", step, truth, loss.item());
        return loss;
    });

    // [output]
    lesson.section("What it writes");
    //: With a truth of 0 it is on its own: nothing of the answers goes in.

    model.eval();
    const Batch batch = make_batch(120);
    Tape<double> tape;
    const auto logits = model(batch.tokens, batch.lengths, batch.answers, 0);
    std::size_t right = 0, all = 0;
    for (std::size_t t = 0; t < S; ++t)
        for (std::size_t b = 0; b < 120; ++b) {
            if (batch.answers(t, b) == padding) continue;
            const double* const row = logits.value().data() + (t * 120 + b) * Reverser::V;
            right += std::max_element(row, row + Reverser::V) - row == batch.answers(t, b);
            ++all;
        }
    fmt::print("{} of {} tokens right\n", right, all);

    // [output]
    //: By chance it would be a tenth of them.
    // [hide]
    lesson.fact(right > all * 95 / 100, "it has learned to reverse");
    // [show]

    lesson.section("Where it looks");
    //: The weights are a probe, called after their module: no line of the model says so. `attention_map` makes a figure
    //: of one sequence of the batch, for `report.add(..)`; here its numbers, of a sequence of 6 tokens. A row is a step
    //: of the decoder, a column a position of the sequence.

    const inspect::HeatMap map = inspect::attention_map(tape, "attention.weights", 3);
    for (std::size_t t = 0; t < batch.lengths[3]; ++t) {
        fmt::print("writes {}:", batch.answers(t, 3));
        for (std::size_t s = 0; s < S; ++s) fmt::print("  {:.1f}", map.values[t * S + s]);
        fmt::print("\n");
    }

    // [output]
    //: From the last token to the first: the diagonal. The two positions of the padding have a weight of exactly 0.
    // [hide]
    std::size_t found = 0, places = 0;
    for (std::size_t b = 0; b < 120; ++b) {
        const inspect::HeatMap one = inspect::attention_map(tape, "attention.weights", b);
        for (std::size_t t = 0; t < batch.lengths[b]; ++t, ++places) {
            const double* const row = one.values.data() + t * S;
            found += static_cast<std::size_t>(std::max_element(row, row + S) - row) == batch.lengths[b] - 1 - t;
            for (std::size_t s = batch.lengths[b]; s < S; ++s) lesson.fact(row[s] == 0, "nothing looks at padding");
        }
    }
    lesson.number("found", fmt::format("{} of {}", found, places));
    lesson.fact(found > places * 9 / 10, "the largest weight is at the mirrored place");
    // [show]
    //: Over all 120 sequences the largest weight is at the mirrored place in {{found}} steps.

    lesson.section("In the report");
    //: The report shows the map beside the gradient, which went through the weights into the encoder:

    const auto loss = cross_entropy(logits, batch.answers, {.ignore_index = padding});
    tape.backward(loss);
    inspect::Report report("Reversing with attention");
    report.add(map);
    const auto flow = inspect::gradient_flow(tape);
    const std::vector<double>& back = flow["encoder.h"].grad_norm;
    fmt::print("||dL/dh_t|| of the encoder: {:.1e} at its first step, {:.1e} at its last\n", back.front(), back.back());

    // [output]
    //: `report.save("attention.html")` writes it. Every state of the encoder is one step away from the loss that needs
    //: it: that is what attention does to vanishing gradients.
    // [hide]
    lesson.fact(report.html().find("Where attention.weights looked") != std::string::npos, "the report has the map");
    lesson.fact(back.front() > 0.01 * back.back(), "the gradient reaches the first step");
    // [show]
    return lesson.end();
}
