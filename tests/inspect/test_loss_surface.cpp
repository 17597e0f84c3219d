#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/norm.hpp>
#include <ebb/inspect/loss_surface.hpp>

#include <cmath>
#include <stdexcept>

#include "support/random_arrays.hpp"
#include <doctest/doctest.h>

using namespace ebb;
using namespace ebb::inspect;

namespace {

/// The one-unit network of Pascanu, Mikolov, Bengio 2013, sect. 2.3: x_t = w sigmoid(x_{t-1}) + b, x_0 = 0.5, and
/// E = (sigmoid(x_50) - 0.7)^2.
double cliff(double w, double b) {
    double x = 0.5;
    for (int t = 0; t < 50; ++t) x = w / (1 + std::exp(-x)) + b;
    return std::pow(1 / (1 + std::exp(-x)) - 0.7, 2);
}

std::vector<double> bits(const std::vector<Parameter<double>>& parameters) {
    std::vector<double> all;
    for (const auto& parameter : parameters) all.insert(all.end(), parameter.value().begin(), parameter.value().end());
    return all;
}

}  // namespace

TEST_CASE("the cliff of Pascanu's figure 6, point by point, and with the gradient that explodes at it") {
    const Parameter<double> w("w", Array<double>{5.0}), b("b", Array<double>{-2.5});
    const std::vector<Parameter<double>> parameters{w, b};
    Tape<double> tape;
    const auto loss_on = [&](Tape<double>& on) {
        Variable<double> x = on.full({1}, 0.5);
        for (int t = 0; t < 50; ++t) x = w * sigmoid(x) + b;
        const Variable<double> error = sigmoid(x) - 0.7;
        return sum(error * error);
    };
    const auto loss = [&] {
        tape.clear();
        return loss_on(tape).item();
    };
    const auto surface = loss_surface(
        loss, parameters, element_direction(parameters, 0, 0), element_direction(parameters, 1, 0),
        {.alpha_low = 0, .alpha_high = 1, .beta_low = -0.3, .beta_high = 0.3, .alpha_points = 5, .beta_points = 41});
    REQUIRE(surface.loss.size() == 5 * 41);
    CHECK(surface.centre == doctest::Approx(cliff(5, -2.5)).epsilon(1e-12));
    double steepest = 0;
    for (std::size_t i = 0; i < 41; ++i)
        for (std::size_t j = 0; j < 5; ++j) {
            CHECK(surface(i, j) == doctest::Approx(cliff(5 + surface.alpha[j], -2.5 + surface.beta[i])).epsilon(1e-9));
            if (i > 0)
                steepest = std::max(
                    steepest, std::abs(surface(i, j) - surface(i - 1, j)) / (surface.beta[i] - surface.beta[i - 1]));
        }
    // Flat almost everywhere, and a wall: the loss drops from one plateau to another within one step of the grid.
    CHECK(steepest > 10);
    CHECK(w.value()(0) == 5);
    CHECK(b.value()(0) == -2.5);
}

TEST_CASE("parameters come back bit by bit, also after an error") {
    test::RandomArrays random(91);
    const std::vector<Parameter<double>> parameters{{"a", random.array({3, 4})}, {"b", random.array({4})}};
    const std::vector<double> before = bits(parameters);
    Generator generator(7);
    const auto d1 = random_direction(parameters, generator), d2 = random_direction(parameters, generator);
    const auto total = [&] {
        double sum = 0;
        for (const double v : bits(parameters)) sum += v;
        return sum;
    };
    const auto surface = loss_surface<double>(total, parameters, d1, d2, {.alpha_points = 3, .beta_points = 2});
    CHECK(bits(parameters) == before);
    CHECK(surface.alpha == std::vector<double>{-1, 0, 1});
    CHECK(surface.beta == std::vector<double>{-1, 1});
    double moved = 0;
    for (const auto& d : {d1, d2})
        for (const double v : d[0]) moved += v;
    CHECK(surface(1, 2) == doctest::Approx(surface.centre + moved));

    int calls = 0;
    const auto failing = [&]() -> double {
        if (++calls == 4) throw std::runtime_error("enough");
        return 0;
    };
    CHECK_THROWS_WITH(loss_surface<double>(failing, parameters, d1, d2), "enough");
    CHECK(bits(parameters) == before);
}

TEST_CASE("random directions: their lengths, and one seed gives one direction") {
    test::RandomArrays random(92);
    const std::vector<Parameter<double>> parameters{{"weight", random.array({3, 4})}, {"bias", random.array({3})}};
    const auto draw = [&](DirectionScale scale) {
        Generator generator(11);
        return random_direction(parameters, generator, scale);
    };
    const auto filter = draw(DirectionScale::filter), whole = draw(DirectionScale::parameter),
               none = draw(DirectionScale::none);
    const double* const weight = parameters[0].value().data();
    for (std::size_t r = 0; r < 3; ++r)
        CHECK(frobenius_norm(filter[0].data() + 4 * r, 4) == doctest::Approx(frobenius_norm(weight + 4 * r, 4)));
    CHECK(frobenius_norm(filter[1].data(), 3) == 0);
    CHECK(frobenius_norm(whole[0].data(), 12) == doctest::Approx(frobenius_norm(weight, 12)));
    CHECK(frobenius_norm(whole[1].data(), 3) == doctest::Approx(frobenius_norm(parameters[1].value().data(), 3)));
    Generator generator(11);
    const Array<double> expected = randn<double>({3, 4}, generator);
    for (std::size_t i = 0; i < 12; ++i) CHECK(none[0].data()[i] == expected.data()[i]);
    CHECK(draw(DirectionScale::filter)[0] == filter[0]);
    CHECK(none[0].data()[0] * whole[0].data()[0] > 0);
}

TEST_CASE("loss surface: every error says what was expected") {
    const std::vector<Parameter<double>> parameters{{"w", Array<double>{1.0, 2.0}}};
    const auto d = element_direction(parameters, 0, 1);
    CHECK(d[0](0) == 0);
    CHECK(d[0](1) == 1);
    const auto zero = [] { return 0.0; };
    CHECK_THROWS_WITH_AS(loss_surface<double>({}, parameters, d, d), "loss_surface: the loss function is empty",
                         ValueError);
    CHECK_THROWS_WITH_AS(loss_surface<double>(zero, parameters, {}, d),
                         "loss_surface: the first direction has 0 arrays, there are 1 parameters: expected an array "
                         "for each",
                         ShapeError);
    CHECK_THROWS_WITH_AS(loss_surface<double>(zero, parameters, d, {Array<double>{1.0}}),
                         "loss_surface: the second direction is [1] for w, which is [2]: expected the same shape",
                         ShapeError);
    CHECK_THROWS_WITH_AS(loss_surface<double>(zero, parameters, d, d, {.beta_points = 0}),
                         "loss_surface: beta has no points: expected at least one", ValueError);
    CHECK_THROWS_WITH_AS(loss_surface<double>(zero, parameters, d, d, {.alpha_low = 1, .alpha_high = 1}),
                         "loss_surface: alpha goes from 1 to 1: expected two finite, rising numbers", ValueError);
    CHECK(loss_surface<double>(zero, parameters, d, d,
                               {.alpha_low = 0, .alpha_high = 0, .alpha_points = 1, .beta_points = 3})
              .loss.size() == 3);
    CHECK_THROWS_WITH_AS(element_direction(parameters, 1, 0), "element_direction: parameter is 1: expected less than 1",
                         IndexError);
    CHECK_THROWS_WITH_AS(element_direction(parameters, 0, 2),
                         "element_direction: flat_index is 2, w is [2]: expected less than 2", IndexError);
}
