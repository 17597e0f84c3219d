/// `detect_anomaly` in cells and layers: the time step, and the line of the program that called them.

#include <ebb/autograd/anomaly.hpp>
#include <ebb/autograd/grad_mode.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/layers/linear.hpp>
#include <ebb/layers/recurrent.hpp>
#include <ebb/layers/recurrent_layers.hpp>
#include <ebb/layers/sequential.hpp>

#include <cstddef>
#include <string>

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
        // An elementary operation has the time of the newest state that went into it: W h_1 is the first that is too
        // large.
        const std::string time = granularity == Granularity::fused ? "time step 2 made inf" : "time step 1 made inf";
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
