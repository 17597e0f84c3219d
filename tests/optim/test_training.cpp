#include <ebb/autograd/operations.hpp>
#include <ebb/core/error.hpp>
#include <ebb/optim/adam.hpp>
#include <ebb/optim/clip.hpp>
#include <ebb/optim/progress_bar.hpp>
#include <ebb/optim/schedules.hpp>
#include <ebb/optim/sgd.hpp>
#include <ebb/optim/training.hpp>

#include <cmath>
#include <limits>
#include <sstream>

#include <doctest/doctest.h>

using namespace ebb;

namespace {

Parameter<double> numbers(const char* name, std::initializer_list<double> values) {
    Array<double> array = Array<double>::from_shape({values.size()});
    std::copy(values.begin(), values.end(), array.begin());
    return Parameter<double>(name, array);
}

/// L = sum p^2 / 2, whose gradient is p.
LossFunction<double> quadratic(const Parameter<double>& p) {
    return [p](Tape<double>& tape, std::int64_t) { return 0.5 * sum(tape.use(p) * tape.use(p)); };
}

}  // namespace

TEST_CASE("training does what its parts do one after the other") {
    auto p = numbers("p", {3, -4}), q = numbers("p", {3, -4});
    Adam<double> adam({p}, {.learning_rate = 0.1}), reference({q}, {.learning_rate = 0.1});
    ExponentialLR schedule(adam, {.gamma = 0.9}), reference_schedule(reference, {.gamma = 0.9});
    const auto history = train(adam, {.steps = 7, .clip_norm = 4.5, .schedule = &schedule}, quadratic(p));
    REQUIRE(history.steps() == 7);
    std::int64_t clipped = 0;
    for (std::size_t step = 0; step < 7; ++step) {
        CHECK(history.learning_rate[step] == reference.learning_rate());
        reference.zero_grad();
        Tape<double> tape;
        const auto loss = quadratic(q)(tape, 0);
        tape.backward(loss);
        CHECK(history.loss[step] == loss.item());
        const double norm = clip_grad_norm<double>({q}, 4.5);
        CHECK(history.gradient_norm[step] == norm);
        clipped += norm > 4.5;
        reference.step();
        reference_schedule.step();
    }
    CHECK(p.value() == q.value());
    CHECK(history.clipped_steps == clipped);
    CHECK(clipped > 0);
    CHECK(clipped < 7);
}

TEST_CASE("the loss function is told the step, and works on the tape that is active") {
    auto p = numbers("p", {1});
    SGD<double> sgd({p}, {.learning_rate = 0.1});
    std::vector<std::int64_t> steps;
    Tape<double> outer;
    train(sgd, {.steps = 3}, [&](Tape<double>& tape, std::int64_t step) {
        steps.push_back(step);
        CHECK(&Tape<double>::active() == &tape);
        CHECK(tape.size() == 0);
        return sum(tape.use(p));
    });
    CHECK(steps == std::vector<std::int64_t>{0, 1, 2});
    CHECK(&Tape<double>::active() == &outer);
}

TEST_CASE("after_backward sees the tape and the unclipped gradients, after_step the changed parameters") {
    auto p = numbers("p", {3, 4});
    SGD<double> sgd({p}, {.learning_rate = 0.5});
    int calls = 0;
    train(sgd,
          {.steps = 2,
           .clip_norm = 1,
           .after_backward =
               [&](TrainingStep<double>& now) {
                   CHECK(now.step == calls);
                   CHECK(now.tape.size() > 0);
                   CHECK(&now.optimizer == &sgd);
                   CHECK(now.clipped);
                   CHECK(now.learning_rate == 0.5);
                   CHECK(grad_norm(sgd.parameters()) == now.gradient_norm);
                   if (now.step == 0) {
                       CHECK(now.loss == 12.5);
                       CHECK(now.gradient_norm == 5);
                       CHECK(p.value()(0) == 3);
                   }
               },
           .after_step =
               [&](TrainingStep<double>& now) {
                   ++calls;
                   if (now.step == 0) CHECK(p.value()(0) == doctest::Approx(3 - 0.5 * 3.0 / 5));
               }},
          quadratic(p));
    CHECK(calls == 2);
}

TEST_CASE("either callback can stop the training after its step") {
    for (const bool after_step : {false, true}) {
        auto p = numbers("p", {1});
        SGD<double> sgd({p}, {.learning_rate = 0.5});
        const auto stop = [](TrainingStep<double>& now) { now.stop = now.step == 3; };
        TrainingOptions<double> options{.steps = 100};
        (after_step ? options.after_step : options.after_backward) = stop;
        CHECK(train(sgd, options, quadratic(p)).steps() == 4);
        CHECK(p.value()(0) == 1.0 / 16);
    }
}

TEST_CASE("a loss or a gradient that is not finite ends the training before the step") {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    auto p = numbers("p", {1, 2}), q = numbers("q", {1, 4});
    SGD<double> sgd({p, q}, {.learning_rate = 0.25});
    const TrainingOptions<double> options{.steps = 10};
    const std::string hint = "; a smaller learning_rate or a clip_norm keeps an exploding gradient in bounds";
    const auto bad_at_2 = [&](std::function<Variable<double>(Tape<double>&)> bad) -> LossFunction<double> {
        return [&, bad](Tape<double>& tape, std::int64_t step) {
            const auto good = sum(tape.use(p)) + sum(tape.use(q));
            return step == 2 ? good + bad(tape) : good;
        };
    };
    Array<double> value, gradients;
    const auto run = [&](const LossFunction<double>& loss) {
        auto keeping = options;
        keeping.after_step = [&](TrainingStep<double>&) { value = p.value(); };
        train(sgd, keeping, loss);
    };

    SUBCASE("an infinite loss with finite gradients") {
        CHECK_THROWS_WITH_AS(run(bad_at_2([&](auto& tape) { return tape.scalar(infinity); })),
                             ("train: at step 2 the loss is inf and the norm of the gradients 2: all parameters and "
                              "their gradients are finite" +
                              hint)
                                 .c_str(),
                             ValueError);
    }
    SUBCASE("a finite loss with an infinite gradient") {
        // sqrt has the slope infinity at 0.
        CHECK_THROWS_WITH_AS(run(bad_at_2([&](auto& tape) {
                                 const auto x = tape.use(q) - tape.constant(q.value());
                                 return sum(sqrt(x));
                             })),
                             ("train: at step 2 the loss is 6 and the norm of the gradients inf: the first gradient "
                              "that is not finite is that of q: inf at [0]" +
                              hint)
                                 .c_str(),
                             ValueError);
    }
    SUBCASE("NaN in a weight") {
        auto keeping = options;
        keeping.after_step = [&](TrainingStep<double>& now) {
            value = p.value();
            if (now.step == 1) q.mutable_value()(1) = std::nan("");
        };
        CHECK_THROWS_WITH_AS(
            train(sgd, keeping, bad_at_2([&](auto& tape) { return tape.scalar(0); })),
            ("train: at step 2 the loss is nan and the norm of the gradients 2: a parameter holds nan at [1] "
             "of q" +
             hint)
                .c_str(),
            ValueError);
    }
    CHECK(p.value() == value);
    CHECK(sgd.state_dict().numbers.at("0.p.step") == 2);
}

TEST_CASE("a diverging training is stopped, and the message names the step") {
    auto p = numbers("p", {1});
    SGD<double> sgd({p}, {.learning_rate = 1e30});
    CHECK_THROWS_WITH_AS(train(sgd, {}, quadratic(p)),
                         doctest::Contains("train: at step 6 the loss is inf and the norm of the gradients"),
                         ValueError);
}

TEST_CASE("bad options and bad losses are refused") {
    auto p = numbers("p", {1, 2});
    SGD<double> sgd({p});
    CHECK_THROWS_WITH_AS(train(sgd, {.steps = -1}, quadratic(p)), "train: steps is -1: expected 0 or more", ValueError);
    CHECK_THROWS_WITH_AS(train(sgd, {.clip_norm = 0}, quadratic(p)), "train: clip_norm is 0: expected a number > 0",
                         ValueError);
    CHECK_THROWS_WITH_AS(train(sgd, {}, nullptr), "train: the loss function is empty", ValueError);
    CHECK_THROWS_WITH_AS(train(sgd, {}, [&](Tape<double>& tape, std::int64_t) { return tape.use(p) * 2.0; }),
                         "train: the loss at step 0 is [2]: expected one number", ShapeError);
    CHECK(train(sgd, {.steps = 0}, quadratic(p)).steps() == 0);
}

TEST_CASE("training moves a progress bar, and ends it also by an error") {
    std::ostringstream stream;
    Progress progress({.stream = &stream, .terminal = true, .utf8 = false, .size = [] { return TerminalSize{}; }});
    auto p = numbers("p", {3, 4});
    SGD<double> sgd({p}, {.learning_rate = 0});
    auto good = progress.add("good", 5), bad = progress.add("bad", 5);
    train(sgd, {.steps = 5, .progress = &good}, quadratic(p));
    CHECK(stream.str().find("good  5 steps in") != std::string::npos);
    CHECK(stream.str().find("loss 12.50  |g| 5.000") != std::string::npos);
    CHECK_THROWS_AS(
        train(sgd, {.steps = 5, .progress = &bad},
              [&](Tape<double>& tape, std::int64_t step) { return sum(tape.use(p)) / (step == 3 ? 0.0 : 1.0); }),
        ValueError);
    CHECK(stream.str().find("bad   stopped after 3 of 5 steps") != std::string::npos);
}
