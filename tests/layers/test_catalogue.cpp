/// The operations of the layers, found in their catalogue and checked as those of the engine are.

#include <ebb/layers/catalogue.hpp>
#include <ebb/layers/layer_norm.hpp>
#include <ebb/layers/recurrent_step.hpp>

#include <string>
#include <vector>

#include "support/random_cases.hpp"
#include <doctest/doctest.h>

using namespace ebb;
using namespace ebb::test;

namespace {

/// The inputs of a cell, in this order: x, weight_ih, weight_hh, h, then c (LSTM), then bias_ih and bias_hh.
template <class T>
RecurrentWeights<T> weights_of(const Variables<T>& in, bool bias) {
    RecurrentWeights<T> weights;
    weights.weight_ih = in[1];
    weights.weight_hh = in[2];
    if (bias) {
        weights.bias_ih = in[in.size() - 2];
        weights.bias_hh = in[in.size() - 1];
    }
    return weights;
}

std::vector<Shape> shapes_of_cell(Draw& draw, CellKind kind, const Shape& leading, bool bias) {
    const std::size_t G = gate_count(kind), B = leading.back(), I = draw.positive_extent(), H = draw.positive_extent();
    Shape x = leading;
    x.push_back(I);
    std::vector<Shape> shapes{x, {G * H, I}, {G * H, H}, {B, H}};
    if (kind == CellKind::lstm) shapes.push_back({B, H});
    if (bias) shapes.insert(shapes.end(), {Shape{G * H}, Shape{G * H}});
    return shapes;
}

RandomCase step_case(const char* name, CellKind kind) {
    return {name, [=](Draw& draw) {
                const bool bias = draw.coin();
                std::vector<Array<double>> inputs =
                    draw.arrays(shapes_of_cell(draw, kind, Shape{draw.positive_extent()}, bias),
                                kind == CellKind::rnn_relu ? Domain::positive : Domain::real);
                // A saturated unit has next to no derivative, which differences do not see.
                if (kind != CellKind::rnn_relu)
                    for (Array<double>& x : inputs) x *= 0.4;
                if (kind == CellKind::rnn_relu) {
                    // Away from the kink: every product has the sign of its unit, the first one's is above 0.
                    const std::size_t H = inputs[3].shape()[1];
                    for (std::size_t j = 1; j < H; ++j) {
                        if (draw.coin()) continue;
                        for (const std::size_t k : {std::size_t{1}, std::size_t{2}}) {
                            const std::size_t columns = inputs[k].shape()[1];
                            for (std::size_t i = 0; i < columns; ++i) inputs[k](j, i) *= -1;
                        }
                        for (std::size_t k = 4; k < inputs.size(); ++k) inputs[k](j) *= -1;
                    }
                }
                OperationCase c = operation_case(name, bias ? "bias" : "", inputs, [=](const auto& in) {
                    using T = ScalarOf<decltype(in)>;
                    const Variable<T> c0 = kind == CellKind::lstm ? in[4] : Variable<T>();
                    const RecurrentResult<T> y = recurrent_step(kind, Granularity::fused, in[0], in[3], c0,
                                                                weights_of<T>(in, bias), StepLabels());
                    return y.c.defined() ? concat(std::vector{y.h, y.c}, 0) : y.h;
                });
                c.kinked = true;  // a cell takes no variable for two of its weights
                return c;
            }};
}

std::vector<RandomCase> layer_cases() {
    return {step_case("rnn_step", CellKind::rnn_tanh),
            step_case("rnn_relu_step", CellKind::rnn_relu),
            step_case("lstm_step", CellKind::lstm),
            step_case("gru_step", CellKind::gru),
            {"sequence_output",
             [](Draw& draw) {
                 const auto kind = draw.coin() ? CellKind::rnn_tanh : CellKind::gru;
                 const Shape leading{draw.positive_extent(), draw.positive_extent()};
                 const bool reverse = draw.coin();
                 OperationCase c =
                     operation_case("sequence_output", "", draw.arrays(shapes_of_cell(draw, kind, leading, false)),
                                    [=](const auto& in) {
                                        using T = ScalarOf<decltype(in)>;
                                        return recurrent_sequence(kind, Granularity::fused, in[0], in[3], Variable<T>(),
                                                                  false, weights_of<T>(in, false), StepLabels(),
                                                                  PackedSteps(leading[0], leading[1]), reverse)
                                            .output;
                                    });
                 c.kinked = true;
                 return c;
             }},
            {"normalize", [](Draw& draw) {
                 Shape shape = draw.positive_shape(1);
                 // Two numbers become -1 and 1, whatever they are, with next to no derivative.
                 shape[shape.rank() - 1] = 3 + draw.below(3);
                 const Shape normalized{shape.back()};
                 return operation_case("normalize", "", draw.arrays({shape}, Domain::distinct),
                                       [=](const auto& in) { return layer_norm(in[0], normalized, {}, {}, 1e-3); });
             }}};
}

}  // namespace

TEST_CASE("every operation of the layers has random cases, and passes them") {
    const std::vector<RandomCase> cases = layer_cases();
    CHECK(without_random_case(layer_catalogue(), cases) == std::vector<std::string>{});
    for (const RandomCase& c : cases) {
        CAPTURE(c.operation);
        const Tally tally = check_random_cases(c, 200, false);
        CHECK(tally.checked == 200);
        CHECK(tally.vacuous == 0);
        for (const std::string& failure : tally.failures) FAIL_CHECK(failure);
        // Each records what it says.
        for (std::uint64_t seed = 1000; seed < 1005; ++seed) {
            Draw draw(seed);
            const OperationCase drawn = c.draw(draw);
            Tape<double> tape;
            Variables<double> in;
            for (const Array<double>& x : drawn.inputs) in.push_back(tape.variable(x));
            drawn.in_double(in);
            bool found = false;
            for (NodeIndex k = 0; k < tape.size(); ++k) {
                const Operation<double>* const operation = tape.node(k).operation;
                found |= operation && operation->info().name == c.operation;
            }
            CHECK(found);
        }
    }
}
