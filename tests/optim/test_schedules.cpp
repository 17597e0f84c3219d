#include <ebb/core/error.hpp>
#include <ebb/optim/schedules.hpp>
#include <ebb/optim/sgd.hpp>

#include <cmath>
#include <limits>

#include <doctest/doctest.h>

using namespace ebb;

namespace {

SGD<double> optimizer(double rate) {
    return SGD<double>({Parameter<double>("p", Array<double>{0.0})}, {.learning_rate = rate});
}

}  // namespace

TEST_CASE("a cosine goes from the first rate through the middle to the least") {
    auto sgd = optimizer(1.0);
    CosineAnnealingLR cosine(sgd, {.t_max = 100, .eta_min = 0.2});
    for (int t = 0; t < 50; ++t) cosine.step();
    CHECK(sgd.learning_rate() == doctest::Approx(0.6));
    for (int t = 0; t < 50; ++t) cosine.step();
    CHECK(sgd.learning_rate() == doctest::Approx(0.2).epsilon(1e-14));
    CHECK(cosine.steps() == 100);
    CHECK(cosine.learning_rate() == sgd.learning_rate());
}

TEST_CASE("a warm-up rises in equal steps, and then another schedule goes on from its start") {
    auto sgd = optimizer(0.4), alone = optimizer(0.4);
    StepLR step(sgd, {.step_size = 2, .gamma = 0.5}), reference(alone, {.step_size = 2, .gamma = 0.5});
    LinearWarmup warmup(sgd, {.steps = 4, .start_factor = 0.2}, &step);
    double last = sgd.learning_rate();
    CHECK(last == doctest::Approx(0.08));
    for (int t = 0; t < 4; ++t) {
        warmup.step();
        CHECK(sgd.learning_rate() - last == doctest::Approx(0.08));
        last = sgd.learning_rate();
    }
    CHECK(last == 0.4);
    for (int t = 0; t < 10; ++t) {
        warmup.step();
        reference.step();
        CHECK(sgd.learning_rate() == alone.learning_rate());
    }
    CHECK(sgd.learning_rate() == doctest::Approx(0.4 / 32));
}

TEST_CASE("a warm-up alone ends at the first rate and stays there") {
    auto sgd = optimizer(0.4);
    LinearWarmup warmup(sgd, {.steps = 3});
    CHECK(sgd.learning_rate() == doctest::Approx(0.004));
    for (int t = 0; t < 10; ++t) warmup.step();
    CHECK(sgd.learning_rate() == 0.4);
}

TEST_CASE("a rate goes on from a saved state") {
    auto sgd = optimizer(0.4), other = optimizer(0.9);
    ExponentialLR schedule(sgd, {.gamma = 0.9}), again(other, {.gamma = 0.9});
    for (int t = 0; t < 5; ++t) schedule.step();
    again.load_state_dict(schedule.state_dict());
    schedule.step();
    again.step();
    CHECK(other.learning_rate() == sgd.learning_rate());
    CHECK_THROWS_WITH_AS(again.load_state_dict({{"steps", 3}}),
                         "Schedule.load_state_dict: the state has no number initial_rate", ValueError);
    CHECK_THROWS_WITH_AS(again.load_state_dict({{"steps", 0.5}, {"initial_rate", 1}}),
                         "Schedule.load_state_dict: steps is 0.5: expected a whole number >= 0", ValueError);
    CHECK_THROWS_WITH_AS(again.load_state_dict({{"steps", 1}, {"initial_rate", -1}}),
                         "Schedule.load_state_dict: initial_rate is -1: expected a finite number >= 0", ValueError);
    CHECK(again.steps() == 6);
}

TEST_CASE("a plateau is counted on from a saved state, and NaN is never better") {
    auto sgd = optimizer(1), other = optimizer(1);
    ReduceLROnPlateau schedule(sgd, {.patience = 3}), again(other, {.patience = 3});
    schedule.step(5);
    for (int t = 0; t < 3; ++t) schedule.step(std::numeric_limits<double>::quiet_NaN());
    CHECK(schedule.best() == 5);
    CHECK(schedule.learning_rate() == 1);
    again.load_state_dict(schedule.state_dict());
    again.step(6);
    CHECK(other.learning_rate() == doctest::Approx(0.1));
    CHECK_THROWS_WITH_AS(again.load_state_dict({}), "ReduceLROnPlateau.load_state_dict: the state has no number best",
                         ValueError);
}

TEST_CASE("a plateau never takes the rate below the minimum, nor raises one that is below it") {
    auto sgd = optimizer(1);
    ReduceLROnPlateau schedule(sgd, {.factor = 0.5, .patience = 0, .minimum_rate = 0.3});
    for (int t = 0; t < 5; ++t) schedule.step(1);
    CHECK(sgd.learning_rate() == 0.3);
    sgd.set_learning_rate(0.1);
    for (int t = 0; t < 5; ++t) schedule.step(1);
    CHECK(sgd.learning_rate() == 0.1);
}

TEST_CASE("bad options of schedules are refused") {
    auto sgd = optimizer(1);
    CHECK_THROWS_WITH_AS(StepLR(sgd, {.step_size = 0}), "StepLR: step_size is 0: expected 1 or more", ValueError);
    CHECK_THROWS_WITH_AS(StepLR(sgd, {.gamma = -0.1}), "StepLR: gamma is -0.1: expected a finite number >= 0",
                         ValueError);
    CHECK_THROWS_WITH_AS(ExponentialLR(sgd, {.gamma = -1}), "ExponentialLR: gamma is -1: expected a finite number >= 0",
                         ValueError);
    CHECK_THROWS_WITH_AS(CosineAnnealingLR(sgd, {.t_max = 0}), "CosineAnnealingLR: t_max is 0: expected 1 or more",
                         ValueError);
    CHECK_THROWS_WITH_AS(CosineAnnealingLR(sgd, {.eta_min = -1}),
                         "CosineAnnealingLR: eta_min is -1: expected a finite number >= 0", ValueError);
    CHECK_THROWS_WITH_AS(LinearWarmup(sgd, {.steps = 0}), "LinearWarmup: steps is 0: expected 1 or more", ValueError);
    CHECK_THROWS_WITH_AS(LinearWarmup(sgd, {.start_factor = 1.5}),
                         "LinearWarmup: start_factor is 1.5: expected a number in [0, 1]", ValueError);
    CHECK_THROWS_WITH_AS(ReduceLROnPlateau(sgd, {.factor = 1}),
                         "ReduceLROnPlateau: factor is 1: expected a number in [0, 1)", ValueError);
    CHECK_THROWS_WITH_AS(ReduceLROnPlateau(sgd, {.patience = -1}),
                         "ReduceLROnPlateau: patience is -1: expected 0 or more", ValueError);
    CHECK_THROWS_WITH_AS(ReduceLROnPlateau(sgd, {.threshold = -1}),
                         "ReduceLROnPlateau: threshold is -1: expected a finite number >= 0", ValueError);
    CHECK_THROWS_WITH_AS(ReduceLROnPlateau(sgd, {.cooldown = -1}),
                         "ReduceLROnPlateau: cooldown is -1: expected 0 or more", ValueError);
    CHECK_THROWS_WITH_AS(ReduceLROnPlateau(sgd, {.minimum_rate = -1}),
                         "ReduceLROnPlateau: minimum_rate is -1: expected a finite number >= 0", ValueError);
    CHECK(sgd.learning_rate() == 1);
}
