#include <ebb/autograd/grad_mode.hpp>
#include <ebb/inspect/loss_surface.hpp>

#include "integration/inspected_cells.hpp"
#include <doctest/doctest.h>

using namespace ebb;
using namespace inspected;

TEST_CASE("each point of a loss surface is the loss of a cell with those weights, and its slope is the gradient") {
    test::RandomArrays random(95);
    for (const char* kind : kinds) {
        CAPTURE(kind);
        const Sizes sizes = random_sizes(random);
        const Given given = random_given(kind, sizes, random);
        std::vector<Array<double>> weights;
        for (std::size_t t = 0; t < sizes.T; ++t) weights.push_back(random.array({sizes.B, sizes.H}));
        const auto loss_of = [&](Tape<double>& tape, const Cell& cell) {
            const auto losses = losses_of(tape, unrolled(tape, cell, given), weights);
            Variable<double> loss = losses[0];
            for (std::size_t t = 1; t < losses.size(); ++t) loss = loss + losses[t];
            return loss;
        };
        const auto value_of = [&](const Cell& cell) {
            Tape<double> tape;
            const NoGrad off;
            return loss_of(tape, cell).item();
        };
        const Cell cell = cell_of(kind, sizes);
        std::vector<Parameter<double>> parameters;
        for (const auto& named : cell.parameters) parameters.push_back(named.second);
        Generator generator(5);
        const auto d1 = inspect::random_direction(parameters, generator),
                   d2 = inspect::random_direction(parameters, generator);
        const auto moved = [&](double alpha, double beta) {
            const Cell other = cell_of(kind, sizes);  // with the same weights
            for (std::size_t p = 0; p < parameters.size(); ++p) {
                Parameter<double> parameter = other.parameters[p].second;
                for (std::size_t i = 0; i < parameter.size(); ++i)
                    parameter.mutable_value().data()[i] += alpha * d1[p].data()[i] + beta * d2[p].data()[i];
            }
            return value_of(other);
        };
        constexpr double h = 1e-4;
        const auto surface = inspect::loss_surface<double>([&] { return value_of(cell); }, parameters, d1, d2,
                                                           {.alpha_points = 5, .beta_points = 3});
        for (std::size_t i = 0; i < 3; ++i)
            for (std::size_t j = 0; j < 5; ++j) {
                const double expected = moved(surface.alpha[j], surface.beta[i]);
                CHECK(std::abs(surface(i, j) - expected) <= 1e-8 * std::abs(expected));
            }
        CHECK(surface.centre == value_of(cell));

        // <dL/dw, d> is the slope along d.
        Tape<double> tape;
        tape.backward(loss_of(tape, cell));
        const auto close = inspect::loss_surface<double>(
            [&] { return value_of(cell); }, parameters, d1, d2,
            {.alpha_low = -h, .alpha_high = h, .beta_low = -h, .beta_high = h, .alpha_points = 3, .beta_points = 3});
        double along_1 = 0, along_2 = 0;
        for (std::size_t p = 0; p < parameters.size(); ++p)
            for (std::size_t i = 0; i < parameters[p].size(); ++i) {
                along_1 += parameters[p].grad().data()[i] * d1[p].data()[i];
                along_2 += parameters[p].grad().data()[i] * d2[p].data()[i];
            }
        CHECK((close(1, 2) - close(1, 0)) / (2 * h) == doctest::Approx(along_1).epsilon(1e-6));
        CHECK((close(2, 1) - close(0, 1)) / (2 * h) == doctest::Approx(along_2).epsilon(1e-6));
    }
}
