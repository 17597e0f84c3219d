#include <ebb/core/error.hpp>

#include <algorithm>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "gradient_flow/experiment.hpp"
#include "gradient_flow/text_task.hpp"
#include "support/count_allocations.hpp"
#include "tutorials/gradient_flow/lab.hpp"
#include <doctest/doctest.h>

using namespace lab;

namespace {

/// A run that draws nothing on the terminal of whoever runs the tests.
Experiment run(const Options& options) {
    std::ostringstream nowhere;
    return run_experiment(options, invented_corpus(), ebb::Progress({.stream = &nowhere}));
}

bool same(const Measurement& a, const Measurement& b) {
    const auto same_gate = [](const GateMean& x, const GateMean& y) { return x.name == y.name && x.mean == y.mean; };
    return a.loss == b.loss && a.hidden == b.hidden && a.cell_state == b.cell_state && a.gates_alone == b.gates_alone &&
           a.contributions == b.contributions &&
           std::equal(a.gates.begin(), a.gates.end(), b.gates.begin(), b.gates.end(), same_gate) &&
           a.mean_gate == b.mean_gate && a.geometric_gate == b.geometric_gate &&
           a.spectral_radius == b.spectral_radius && a.largest_singular_value == b.largest_singular_value;
}

/// To the bit.
bool same(const CellResult& a, const CellResult& b) {
    return a.cell == b.cell && a.parameter_count == b.parameter_count &&
           std::equal(a.stops.begin(), a.stops.end(), b.stops.begin(), b.stops.end(), [](const Stop& x, const Stop& y) {
               return x.step == y.step && x.training_loss == y.training_loss && x.test.loss == y.test.loss &&
                      same(x.flow, y.flow);
           });
}

template <class T>
bool same_weights(const SequenceModel<T>& a, const SequenceModel<T>& b) {
    const auto mine = a.named_parameters(), theirs = b.named_parameters();
    for (std::size_t k = 0; k < mine.size(); ++k)
        if (mine[k].second.value() != theirs[k].second.value()) return false;
    return true;
}

std::string failure(const Options& options) {
    try {
        run(options);
    } catch (const ebb::ValueError& error) {
        return error.what();
    }
    return "nothing was thrown";
}

}  // namespace

TEST_CASE("the result is the same to the bit for any number of threads, and for any company") {
    Options options = small_options();
    for (const Precision precision : {Precision::float32, Precision::float64}) {
        options.precision = precision;
        options.threads = 1;
        const Experiment alone = run(options);
        REQUIRE(alone.cells.size() == 3);
        CHECK(!same(alone.cells[0], alone.cells[1]));
        for (const std::size_t threads : {2, 3, 7}) {
            CAPTURE(threads);
            options.threads = threads;
            const Experiment together = run(options);
            for (std::size_t k = 0; k < 3; ++k) CHECK(same(together.cells[k], alone.cells[k]));
        }
        options.cells = {Cell::gru, Cell::tanh};
        const Experiment fewer = run(options);
        CHECK(same(fewer.cells[0], alone.cells[2]));
        CHECK(same(fewer.cells[1], alone.cells[0]));
        options.cells = Options().cells;
    }
    options.seed = 2;
    CHECK(!same(run(options).cells[0], run(small_options()).cells[0]));
}

TEST_CASE_TEMPLATE("measuring changes nothing in the training", T, float, double) {
    Options options = small_options();
    options.precision = std::is_same_v<T, float> ? Precision::float32 : Precision::float64;
    const Corpus corpus = invented_corpus();
    const Batch sequences = spread_sequences(corpus, true, options.length, 4);
    const Experiment experiment = run(options);
    for (const CellResult& result : experiment.cells) {
        CAPTURE(title_of(result.cell));
        const SequenceModel<T> plain(result.cell, options, symbol_ports(corpus.alphabet.size()));
        const SequenceModel<T> untrained(result.cell, options, symbol_ports(corpus.alphabet.size()));
        const SequenceModel<T> looked_at(result.cell, options, symbol_ports(corpus.alphabet.size()));
        train_model(plain, options, TextTask(corpus, options.length));
        CHECK(!same_weights(plain, untrained));

        SequenceModel<double> measured(result.cell, options, symbol_ports(corpus.alphabet.size()));
        train_model(looked_at, options, TextTask(corpus, options.length), [&](Step&) {
            score(looked_at, sequences);
            measured.copy_weights(looked_at);
            measure(measured, sequences);
        });
        CHECK(same_weights(plain, looked_at));
        // And so did the experiment, with its own looks.
        CHECK(result.stops.back().test.loss ==
              score(plain, spread_sequences(corpus, true, options.length, most_scored_sequences)).loss);
        CHECK(result.stops.back().step == options.steps);
        CHECK(result.stops.back().test.loss < result.stops.front().test.loss);
    }
}

TEST_CASE("looks are taken at step 0, at the end, and more closely in the beginning") {
    CHECK(stops_of(0) == std::vector<std::size_t>{0});
    CHECK(stops_of(1) == std::vector<std::size_t>{0, 1});
    for (const std::size_t steps : {2u, 7u, 500u, 100000u}) {
        const std::vector<std::size_t> stops = stops_of(steps);
        CHECK(stops.front() == 0);
        CHECK(stops.back() == steps);
        CHECK(stops.size() <= most_stops);
        CHECK(std::adjacent_find(stops.begin(), stops.end(), std::greater_equal<>()) == stops.end());
    }
    CHECK(stops_of(500).size() == most_stops);
    CHECK(stops_of(500)[1] < 10);
}

TEST_CASE("a training that breaks down says which cell, when and why, for any number of threads") {
    Options options = small_options();
    options.learning_rate = 3e38;
    options.clip = 0;
    const std::string message = failure(options);
    CHECK(message ==
          "gradient_flow: tanh: after step 1 the loss is nan: expected a finite number: a smaller --learning-rate or "
          "--clip keeps the weights in bounds");
    for (const std::size_t threads : {1, 2, 3}) {
        options.threads = threads;
        CHECK(failure(options) == message);
    }
    // Also before the first step.
    options = small_options();
    options.gain = 1e300;
    CHECK(failure(options) == "gradient_flow: --gain is 1e+300: expected a number from 0 to 1000000");
}

TEST_CASE("weights of NaN end a training before it changes anything") {
    const Options options = small_options();
    const Corpus corpus = invented_corpus();
    const SequenceModel<float> model(Cell::gru, options, symbol_ports(corpus.alphabet.size()));
    ebb::Parameter<float> weight = model.weights().weight_ih;
    weight.mutable_value()(1, 2) = std::numeric_limits<float>::quiet_NaN();
    const ebb::Array<float> before = model.weights().weight_hh.value();
    CHECK_THROWS_WITH_AS(train_model(model, options, TextTask(corpus, options.length)),
                         "train: at step 0 the loss is nan and the norm of the gradients nan: a parameter holds nan "
                         "at [1, 2] of weight_ih_l0",
                         ebb::ValueError);
    CHECK(model.weights().weight_hh.value() == before);
}

TEST_CASE("a text that is too short for its sequences is refused before any work") {
    Options options = small_options();
    options.length = 401;
    CHECK(
        failure(options) ==
        "check_length: invented has 4004 characters, of which the last tenth (401) is held out: expected more than 401 "
        "held out, the sequence length: take a longer text or a smaller --length");
    options.hidden = 0;
    CHECK(failure(options) == "gradient_flow: --hidden is 0: expected a whole number from 1 to 4096");
}
TEST_CASE("from the second on, a training step of the demo allocates nothing") {
    if (!counts_allocations) return;  // under a sanitizer
    Options options = small_options();
    const Corpus corpus = invented_corpus();
    for (const Cell cell : options.cells) {
        CAPTURE(title_of(cell));
        const SequenceModel<float> model(cell, options, symbol_ports(corpus.alphabet.size()));
        std::vector<std::size_t> count(options.steps + 1, 0);
        train_model(model, options, TextTask(corpus, options.length),
                    [&](Step& step) { count[step.steps_done] = allocations; });
        for (std::size_t step = 2; step <= options.steps; ++step) {
            CAPTURE(step);
            CHECK(count[step] - count[step - 1] == 0);
        }
    }
}
