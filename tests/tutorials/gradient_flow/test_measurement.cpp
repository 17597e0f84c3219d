/// What the demo measures against what theory says (Pascanu, Mikolov, Bengio 2013; Hochreiter, Schmidhuber 1997).

#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "gradient_flow/measurement.hpp"
#include "gradient_flow/text_task.hpp"
#include "tutorials/gradient_flow/lab.hpp"
#include <doctest/doctest.h>

using namespace lab;

namespace {

struct Measured {
    SequenceModel<double> model;
    Batch sequences;
    Measurement flow;
};

Measured measured(Cell cell, Options options) {
    const Corpus corpus = invented_corpus();
    const SequenceModel<double> model(cell, options, symbol_ports(corpus.alphabet.size()));
    const Batch sequences = spread_sequences(corpus, true, options.length, 4);
    return {model, sequences, measure(model, sequences)};
}

Options long_options() {
    Options options = small_options();
    options.hidden = 24;
    options.length = 60;
    return options;
}

double factor_of(const std::vector<double>& norms) {
    return fit_decay(norms).value().factor;
}

ebb::Array<double> value(const SequenceModel<double>& model, const std::string& name) {
    for (const auto& [full_name, parameter] : model.named_parameters())
        if (full_name == name) return parameter.value();
    throw std::runtime_error("no parameter " + name);
}

}  // namespace

TEST_CASE("a tanh network at rest multiplies the gradient by W_hh, no more and no less") {
    // Nothing comes in: h stays 0, where tanh has slope 1, so that dL/dh_{T-d} = dL/dh_T W_hh^d, both sides of the
    // critical spectral radius 1.
    for (const Init init : {Init::uniform, Init::orthogonal})
        for (const double radius : {0.5, 1.0, 1.5}) {
            CAPTURE(name_of(init));
            CAPTURE(radius);
            Options options = long_options();
            options.init = init;
            options.input_scale = 0;
            options.spectral_radius = radius;
            const auto [model, sequences, flow] = measured(Cell::tanh, options);
            CHECK(flow.spectral_radius == doctest::Approx(radius).epsilon(1e-12));

            // dL/dh_T = (softmax(b) - y) W_out / B of the readout W_out h + b, y the character that follows.
            const ebb::Array<double> w_out = value(model, "readout.weight"), bias = value(model, "readout.bias");
            const ebb::Array<double> w = value(model, "tanh.weight_hh_l0");  // [H, H]
            const std::size_t T = options.length, B = sequences.symbols.shape(1), H = options.hidden, V = bias.size();
            double exponentials = 0;
            for (const double b : bias) exponentials += std::exp(b);
            std::vector<std::vector<double>> g(B, std::vector<double>(H, 0));
            for (std::size_t b = 0; b < B; ++b)
                for (std::size_t v = 0; v < V; ++v) {
                    const bool next = sequences.classes(T - 1, b) == static_cast<std::int64_t>(v);
                    const double slope = std::exp(bias(v)) / exponentials - (next ? 1 : 0);
                    for (std::size_t j = 0; j < H; ++j) g[b][j] += slope * w_out(v, j) / static_cast<double>(B);
                }
            for (std::size_t d = 0; d < T; ++d) {
                double squares = 0;
                for (auto& row : g) {
                    for (const double element : row) squares += element * element;
                    std::vector<double> before(H, 0);
                    for (std::size_t i = 0; i < H; ++i)
                        for (std::size_t j = 0; j < H; ++j) before[j] += row[i] * w(i, j);
                    row = before;
                }
                CAPTURE(d);
                CHECK(flow.hidden[d] == doctest::Approx(std::sqrt(squares)).epsilon(1e-9));
            }
            // An orthogonal matrix turns; what it is scaled by is the factor of a step.
            if (init == Init::orthogonal) CHECK(factor_of(flow.hidden) == doctest::Approx(radius).epsilon(1e-9));
        }
}

TEST_CASE("below the critical gain the gradient of a tanh network falls as its bound says, above it may grow") {
    for (const Init init : {Init::uniform, Init::normal, Init::orthogonal}) {
        CAPTURE(name_of(init));
        Options options = long_options();
        options.init = init;
        options.spectral_radius = 0.5;
        const Measurement flow = measured(Cell::tanh, options).flow;
        const std::vector<double> allowed = bound(flow);
        REQUIRE(allowed.size() == options.length);
        CHECK(flow.hidden[0] > 0);
        for (std::size_t d = 0; d < options.length; ++d) {
            CAPTURE(d);
            CHECK(flow.hidden[d] <= allowed[d] * (1 + 1e-12));
            CHECK(allowed[d] == doctest::Approx(flow.hidden[0] * std::pow(flow.largest_singular_value, d)));
        }
        CHECK(factor_of(flow.hidden) < 0.5);  // a slope of tanh is at most 1
        if (init == Init::orthogonal) CHECK(flow.largest_singular_value == doctest::Approx(0.5).epsilon(1e-12));
    }
    // Chaos: with a gain far above 1 the network keeps itself awake, and a small change grows (Sompolinsky et al.
    // 1988).
    Options options = long_options();
    options.init = Init::normal;
    options.hidden = 64;
    double before = 0;
    for (const double gain : {0.5, 1.0, 2.0, 4.0}) {
        options.gain = gain;
        const double factor = factor_of(measured(Cell::tanh, options).flow.hidden);
        CAPTURE(gain);
        CAPTURE(factor);
        CHECK(factor > before);
        CHECK((factor > 1) == (gain > 1));
        before = factor;
    }
}

TEST_CASE("without a recurrent matrix the gates alone carry the gradient") {
    Options options = long_options();
    options.gain = 0;
    options.forget_bias = 2;
    const Measurement lstm = measured(Cell::lstm, options).flow;
    const Measurement gru = measured(Cell::gru, options).flow;
    REQUIRE(lstm.cell_state.size() == options.length);
    REQUIRE(lstm.gates_alone.size() == options.length);
    REQUIRE(gru.gates_alone.size() == options.length);
    CHECK(&gru.carried() == &gru.hidden);
    CHECK(&lstm.carried() == &lstm.cell_state);
    for (std::size_t d = 0; d < options.length; ++d) {
        CAPTURE(d);
        CHECK(lstm.cell_state[d] == doctest::Approx(lstm.gates_alone[d]).epsilon(1e-12));
        CHECK(gru.hidden[d] == doctest::Approx(gru.gates_alone[d]).epsilon(1e-12));
        // Of an LSTM no other way leads to an earlier h.
        if (d > 0) CHECK(lstm.hidden[d] == 0);
    }
    // Gates that are all the same, sigmoid(2), are the factor of a step themselves.
    options.input_scale = 0;
    const double gate = 1 / (1 + std::exp(-2.0));
    for (const Cell cell : {Cell::lstm, Cell::gru}) {
        CAPTURE(title_of(cell));
        const Measurement flow = measured(cell, options).flow;
        CHECK(flow.mean_gate == doctest::Approx(gate).epsilon(1e-12));
        CHECK(flow.geometric_gate == doctest::Approx(gate).epsilon(1e-12));
        CHECK(factor_of(flow.carried()) == doctest::Approx(gate).epsilon(1e-12));
    }
}

TEST_CASE("with open gates and a weak recurrent matrix an LSTM decays by its mean forget gate") {
    Options options;  // the demo's own
    options.gain = 0.1;
    options.forget_bias = 3;
    if (!std::filesystem::exists(tutorial::debian_text)) {
        MESSAGE("skipped: the numbers are those of " << tutorial::debian_text);
        return;
    }
    const tutorial::Corpus corpus = tutorial::default_corpus();
    const SequenceModel<double> model(Cell::lstm, options, symbol_ports(corpus.alphabet.size()));
    const Measurement flow = measure(model, spread_sequences(corpus, true, options.length, 16));
    CHECK(flow.mean_gate == doctest::Approx(0.950).epsilon(1e-3));
    CHECK(flow.geometric_gate == doctest::Approx(0.950).epsilon(1e-3));
    // The units whose gates are most open outlast the mean, and the weak W_hh adds a little.
    CHECK(std::abs(factor_of(flow.gates_alone) - flow.mean_gate) < 0.002);
    CHECK(std::abs(factor_of(flow.cell_state) - flow.mean_gate) < 0.006);
    // Not so where gates are half closed and W_hh has its say.
    const SequenceModel<double> usual(Cell::lstm, Options(), symbol_ports(corpus.alphabet.size()));
    const Measurement usual_flow = measure(usual, spread_sequences(corpus, true, options.length, 16));
    CHECK(std::abs(factor_of(usual_flow.cell_state) - usual_flow.mean_gate) > 0.1);
}

TEST_CASE("models of all cells share embedding and readout, and weights of NaN are not measured") {
    const Options options = small_options();
    const SequenceModel<double> tanh(Cell::tanh, options, symbol_ports(9)), lstm(Cell::lstm, options, symbol_ports(9));
    const SequenceModel<float> in_float(Cell::tanh, options, symbol_ports(9));
    for (const char* name : {"embedding.weight", "readout.weight", "readout.bias"})
        CHECK(value(tanh, name) == value(lstm, name));
    CHECK(value(tanh, "tanh.weight_hh_l0").size() == 8 * 8);

    SequenceModel<double> copy(Cell::tanh, options, symbol_ports(9));
    copy.copy_weights(in_float);
    for (std::size_t k = 0; k < copy.parameters().size(); ++k) {
        const auto& from = in_float.parameters()[k].value();
        const auto& to = copy.parameters()[k].value();
        CHECK(std::equal(from.begin(), from.end(), to.begin(),
                         [](float a, double b) { return static_cast<double>(a) == b; }));
    }
    ebb::Parameter<float> weight = in_float.weights().weight_hh;
    weight.mutable_value()(2, 3) = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS_WITH_AS(copy.copy_weights(in_float),
                         "copy_weights: tanh.weight_hh_l0 of the tanh model holds nan: expected numbers",
                         ebb::ValueError);
}

TEST_CASE("sequences are parts of the text, and nothing runs over its end") {
    const Corpus corpus = invented_corpus();
    const Batch sequences = spread_sequences(corpus, true, 12, 5);
    REQUIRE(sequences.symbols.shape(0) == 12);
    REQUIRE(sequences.symbols.shape(1) == 5);
    for (std::size_t b = 0; b < 5; ++b)
        for (std::size_t t = 0; t + 1 < 12; ++t) CHECK(sequences.classes(t, b) == sequences.symbols(t + 1, b));
    // The first begins where the held-out text does, the last ends one before its end.
    CHECK(sequences.symbols(0, 0) == corpus.text[corpus.training_size]);
    CHECK(sequences.classes(11, 4) == corpus.text.back());
    CHECK_THROWS_WITH_AS(take_sequences(corpus, {0, corpus.text.size() - 3}, 3),
                         ("take_sequences: sequence 1 is " + std::to_string(corpus.text.size() - 3) + " to " +
                          std::to_string(corpus.text.size()) + ", the text has " + std::to_string(corpus.text.size()) +
                          " characters: expected one more character after it")
                             .c_str(),
                         ebb::IndexError);
}
