/// `detect_anomaly` in cells and layers: the time step, and the line of the program that called them.

#include <ebb/autograd/anomaly.hpp>
#include <ebb/autograd/grad_mode.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/probe.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/random.hpp>
#include <ebb/layers/cell_wrappers.hpp>
#include <ebb/layers/clockwork.hpp>
#include <ebb/layers/drop_connect.hpp>
#include <ebb/layers/linear.hpp>
#include <ebb/layers/penalties.hpp>
#include <ebb/layers/recurrent.hpp>
#include <ebb/layers/recurrent_layers.hpp>
#include <ebb/layers/regularized_cells.hpp>
#include <ebb/layers/sequence_dropout.hpp>
#include <ebb/layers/sequential.hpp>

#include <cstddef>
#include <string>
#include <vector>

#include "support/anomaly.hpp"
#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace ebb;
using namespace ebb::test;

namespace {

/// h_t = 1e200 h_{t-1} + x_t: beyond all doubles at step 2.
template <class Layer>
void make_exploding(Layer& layer) {
    for (auto& [name, shared] : layer.named_parameters()) {
        Parameter<double> p = shared;
        Array<double> value = p.value();
        value.fill(name.starts_with("weight_hh") ? 1e200 : name.starts_with("weight") ? 1.0 : 0.0);
        p.set_value(value);
    }
}

/// A cell of a user's own.
struct Growing : Module<double> {
    Growing(std::size_t, std::size_t) : Module<double>("Growing") {}
    Variable<double> operator()(const Variable<double>& x, const Variable<double>& h) const {
        return x + exp(h * 300.0);
    }
    static constexpr int line = __LINE__ - 2;
};

}  // namespace

TEST_CASE("a cell and a layer name the time step and the line of their call, whatever they are made of") {
    const DetectAnomaly on;
    for (const Granularity granularity : {Granularity::fused, Granularity::elementary}) {
        const std::string time = ", time step 2 made inf";
        RNNCell<double> cell({.input_size = 1,
                              .hidden_size = 1,
                              .nonlinearity = Nonlinearity::relu,
                              .granularity = granularity,
                              .name = "grower"});
        make_exploding(cell);
        Tape<double> tape;
        auto h = tape.zeros({1, 1});
        const auto x = tape.ones({1, 1});
        const std::string of_cell = anomaly_of([&] {
            for (int t = 0; t < 5; ++t) h = cell(x, h);
        });
        const int line_of_cell = __LINE__ - 2;
        CAPTURE(of_cell);
        CHECK(of_cell.find(time) != std::string::npos);
        CHECK(of_cell.find(called_at(line_of_cell)) != std::string::npos);

        RNN<double> rnn(
            {.input_size = 1, .hidden_size = 1, .nonlinearity = Nonlinearity::relu, .granularity = granularity});
        make_exploding(rnn);
        const std::string of_layer = anomaly_of([&] { rnn(tape.ones({5, 1, 1})); });
        const int line_of_layer = __LINE__ - 1;
        CAPTURE(of_layer);
        CHECK(of_layer.find(time) != std::string::npos);
        CHECK(of_layer.find(called_at(line_of_layer)) != std::string::npos);
        const NoGrad off;
        CHECK(anomaly_of([&] { rnn(tape.ones({5, 1, 1})); }).find(time) != std::string::npos);
    }
}

TEST_CASE("a cell that its user wrote and a function in a Sequential name their own lines") {
    const DetectAnomaly on;
    Tape<double> tape;
    const Recurrent<Growing> layer({.input_size = 1, .hidden_size = 1});
    const std::string of_cell = anomaly_of([&] { layer(tape.ones({5, 1, 1})); });
    CAPTURE(of_cell);
    CHECK(of_cell.find("detect_anomaly: exp (node") == 0);
    CHECK(of_cell.find(", time step 2 made inf") != std::string::npos);
    CHECK(of_cell.find(called_at(Growing::line)) != std::string::npos);

    const Sequential<double> model(Linear<double>({.in_features = 1, .out_features = 2}), [](const auto& x) {
        return log(x * 0.0);  //
    });
    const int of_function = __LINE__ - 2;
    const std::string found = anomaly_of([&] { model(tape.ones({1, 1})); });
    CAPTURE(found);
    CHECK(found.find(called_at(of_function)) != std::string::npos);
    // Of Ebb's own layers it is the line of the model's call.
    const auto y = Sequential<double>(Linear<double>({.in_features = 1, .out_features = 2}))(tape.ones({1, 1}));
    const int of_model = __LINE__ - 1;
    CHECK(tape.line_of(y.index()).text() == fmt::format("{}:{}", __FILE__, of_model));
}

TEST_CASE("a cell within wrappers and one with remedies name the step of their layer, or of their own loop") {
    const DetectAnomaly on;
    const auto make = [](std::size_t inputs, std::size_t hidden) {
        RNNCell<double> cell({.input_size = inputs,
                              .hidden_size = hidden,
                              .nonlinearity = Nonlinearity::relu,
                              .granularity = Granularity::elementary});
        make_exploding(cell);
        return ZoneoutCell(cell, {.h = 0});
    };
    const auto make_regularized = [](std::size_t inputs, std::size_t hidden) {
        RegularizedRNNCell<double> cell(
            {.input_size = inputs, .hidden_size = hidden, .nonlinearity = Nonlinearity::relu});
        make_exploding(cell);
        return cell;
    };
    const auto check = [](const auto& layer, const auto& cell) {
        Tape<double> tape;
        const std::string of_layer = anomaly_of([&] { layer(tape.ones({5, 1, 1})); });
        CAPTURE(of_layer);
        CHECK(of_layer.find(", time step 2 made inf") != std::string::npos);
        CHECK(of_layer.find("time step 0") == std::string::npos);
        // A layer that goes on from a chunk before counts on.
        const std::string later = anomaly_of([&] { layer(tape.ones({5, 1, 1}), {}, {.first_time_step = 40}); });
        CAPTURE(later);
        CHECK(later.find(", time step 42 made inf") != std::string::npos);
        Variable<double> h;
        const std::string of_loop = anomaly_of([&] {
            for (int t = 0; t < 5; ++t) h = cell(tape.ones({1, 1}), h);
        });
        CAPTURE(of_loop);
        CHECK(of_loop.find(", time step 2 made inf") != std::string::npos);
    };
    check(Recurrent<ZoneoutCell<RNNCell<double>>>({.input_size = 1, .hidden_size = 1}, make), make(1, 1));
    check(Recurrent<RegularizedRNNCell<double>>({.input_size = 1, .hidden_size = 1}, make_regularized),
          make_regularized(1, 1));
}

TEST_CASE("in a loop of one's own the newest state is named, which is all that can be known") {
    const DetectAnomaly on;
    Tape<double> tape;
    const auto w = tape.full({1, 1}, 1e200);
    auto h = tape.zeros({1, 1});
    const std::string found = anomaly_of([&] {
        for (int t = 0; t < 5; ++t) {
            h = matmul(h, w) + 1.0;
            probe(h, "mine.h", t);
        }
    });
    CAPTURE(found);
    CHECK(found.find("detect_anomaly: matmul (node") == 0);
    CHECK(found.find(", after time step 1 made inf") != std::string::npos);
    // A readout of that state, too.
    const std::string readout = anomaly_of([&] { log(h * 0.0); });
    CHECK(readout.find(", after time step 1 made -inf") != std::string::npos);
}

TEST_CASE("remedies, clocks and penalties name the line of their call, too") {
    const DetectAnomaly on;
    manual_seed(1);
    const LSTMCell<double> lstm({.input_size = 3, .hidden_size = 4});
    const ZoneoutCell zoneout(lstm);
    const VariationalDropoutCell variational(lstm, {.input = 0.2, .state = 0.2});
    const RegularizedCellOptions options{
        .input_size = 3, .hidden_size = 4, .layer_norm = true, .recurrent_dropout = 0.2};
    const RegularizedLSTMCell<double> regularized_lstm(options);
    const RegularizedGRUCell<double> regularized_gru(options);
    const RegularizedRNNCell<double> regularized_rnn({.input_size = 3, .hidden_size = 4, .layer_norm = true});
    const ClockworkCell<double> clockwork({.input_size = 3, .hidden_size = 4, .periods = {1, 2}});
    const LockedDropout<double> locked;
    const Embedding<double> embedding({.num_embeddings = 5, .embedding_dim = 3});
    const RNN<double> rnn({.input_size = 3, .hidden_size = 4});
    Tape<double> tape;
    const auto x = tape.constant(randn<double>({2, 3})), sequence = tape.variable(randn<double>({5, 2, 3}));
    const auto last = rnn(sequence).state;
    const int first = __LINE__ + 1;
    const auto made = std::vector<Variable<double>>{
        zoneout(x).h,                                           //
        variational(x).h,                                       //
        regularized_lstm(x).h,                                  //
        regularized_gru(x),                                     //
        regularized_rnn(x),                                     //
        clockwork(x, {}, 0),                                    //
        locked(sequence),                                       //
        locked_dropout(sequence, 0.5),                          //
        embedding_dropout(embedding, {1, 3}, 0.5),              //
        activation_penalty(sequence),                           //
        temporal_activation_penalty(sequence),                  //
        orthogonality_penalty(lstm.weight_hh),                  //
        spectral_norm_penalty(lstm.weight_hh),                  //
        vanishing_gradient_penalty(sum(square(last)), "rnn.h")  //
    };
    for (std::size_t k = 0; k < made.size(); ++k) {
        CAPTURE(k);
        CHECK(tape.line_of(made[k].index()).text() == fmt::format("{}:{}", __FILE__, first + static_cast<int>(k) + 1));
    }
    const DropConnect dropped(rnn, 0.5);
    const int of_mask = __LINE__ - 1;
    CHECK(tape.line_of(tape.use(rnn.weight_hh).index()).text() == fmt::format("{}:{}", __FILE__, of_mask));
}
