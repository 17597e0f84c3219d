#include <ebb/core/error.hpp>
#include <ebb/optim/adagrad.hpp>
#include <ebb/optim/adam.hpp>
#include <ebb/optim/rmsprop.hpp>
#include <ebb/optim/sgd.hpp>

#include <cmath>
#include <functional>
#include <limits>
#include <memory>

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace ebb;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

template <class T>
Parameter<T> parameter(const char* name, std::size_t size = 1, double value = 1) {
    Array<T> array = Array<T>::from_shape({size});
    for (std::size_t i = 0; i < size; ++i) array(i) = static_cast<T>(value + 0.1 * static_cast<double>(i));
    return Parameter<T>(name, array);
}

template <class T>
void set_gradient(Parameter<T> p, double value) {
    for (std::size_t i = 0; i < p.size(); ++i) p.mutable_grad()(i) = static_cast<T>(value + static_cast<double>(i));
}

/// Every optimiser, with every state that it can have.
template <class T>
std::vector<std::function<std::unique_ptr<Optimizer<T>>(const std::vector<Parameter<T>>&)>> optimizers() {
    return {
        [](const auto& p) { return std::make_unique<SGD<T>>(p, SGDOptions{.learning_rate = 0.1}); },
        [](const auto& p) {
            return std::make_unique<SGD<T>>(p, SGDOptions{.learning_rate = 0.1, .momentum = 0.9, .nesterov = true});
        },
        [](const auto& p) { return std::make_unique<Adam<T>>(p, AdamOptions{.learning_rate = 0.1, .amsgrad = true}); },
        [](const auto& p) { return std::make_unique<AdamW<T>>(p, AdamWOptions{.learning_rate = 0.1}); },
        [](const auto& p) {
            return std::make_unique<Adagrad<T>>(
                p, AdagradOptions{.learning_rate = 0.1, .lr_decay = 0.1, .initial_accumulator_value = 0.2});
        },
        [](const auto& p) {
            return std::make_unique<RMSprop<T>>(p, RMSpropOptions{.learning_rate = 0.1, .momentum = 0.5});
        },
        [](const auto& p) {
            return std::make_unique<RMSprop<T>>(
                p, RMSpropOptions{.learning_rate = 0.1, .alpha = 0.5, .eps = 1e-2, .centered = true});
        },
    };
}

}  // namespace

TEST_CASE_TEMPLATE("SGD on a quadratic contracts by 1 - learning rate times curvature", T, float, double) {
    // L = k p^2 / 2 has the gradient k p, so p_t = (1 - eta k)^t p_0.
    auto p = parameter<T>("p", 1, 2.0);
    SGD<T> sgd({p}, {.learning_rate = 0.1});
    const double k = 3;
    for (int t = 1; t <= 20; ++t) {
        p.mutable_grad()(0) = static_cast<T>(k) * p.value()(0);
        sgd.step();
        CHECK(p.value()(0) == doctest::Approx(2.0 * std::pow(1 - 0.1 * k, t)).epsilon(sizeof(T) == 4 ? 1e-5 : 1e-13));
    }
}

TEST_CASE("momentum under a constant gradient reaches the rate eta / (1 - mu)") {
    auto p = parameter<double>("p", 1, 0);
    SGD<double> sgd({p}, {.learning_rate = 0.1, .momentum = 0.8});
    double before = 0;
    for (int t = 0; t < 200; ++t) {
        before = p.value()(0);
        p.mutable_grad()(0) = 2;
        sgd.step();
    }
    CHECK(before - p.value()(0) == doctest::Approx(0.1 * 2 / (1 - 0.8)).epsilon(1e-12));
}

TEST_CASE("Adam's first step is the learning rate against the gradient's sign, whatever its size") {
    for (const double gradient : {1e-3, 1.0, 1e4, -1e-3, -1e4}) {
        auto p = parameter<double>("p", 1, 5);
        Adam<double> adam({p}, {.learning_rate = 0.01, .eps = 0});
        p.mutable_grad()(0) = gradient;
        adam.step();
        CHECK(p.value()(0) == doctest::Approx(5 - std::copysign(0.01, gradient)).epsilon(1e-14));
    }
}

TEST_CASE("AdamW shrinks a weight without a gradient, Adam's penalty steps against its sign") {
    auto w = parameter<double>("w", 1, 4), v = parameter<double>("v", 1, 4);
    AdamW<double> adamw({w}, {.learning_rate = 0.1, .weight_decay = 0.5});
    Adam<double> adam({v}, {.learning_rate = 0.1, .eps = 0, .weight_decay = 0.5});
    for (int t = 1; t <= 3; ++t) {
        adamw.step();
        CHECK(w.value()(0) == doctest::Approx(4 * std::pow(1 - 0.1 * 0.5, t)).epsilon(1e-14));
    }
    adam.step();
    CHECK(v.value()(0) == doctest::Approx(4 - 0.1).epsilon(1e-14));
}

TEST_CASE("a centred RMSprop under a constant gradient stays finite, where the variance is nothing but rounding") {
    // In float s_t - a_t^2 comes out negative now and then; a root of it would be NaN.
    for (float gradient = 0.1f; gradient < 10; gradient *= 1.37f) {
        auto p = parameter<float>("p");
        RMSprop<float> rmsprop({p}, {.learning_rate = 1e-6, .alpha = 0.5, .centered = true});
        for (int t = 0; t < 100; ++t) {
            p.mutable_grad()(0) = gradient;
            rmsprop.step();
        }
        CHECK(std::isfinite(p.value()(0)));
    }
}

TEST_CASE("Adagrad's steps under a constant gradient fall as 1 / sqrt(t)") {
    auto p = parameter<double>("p", 1, 0);
    Adagrad<double> adagrad({p}, {.learning_rate = 0.5, .eps = 0});
    double expected = 0;
    for (int t = 1; t <= 50; ++t) {
        p.mutable_grad()(0) = -3;
        adagrad.step();
        expected += 0.5 / std::sqrt(t);
        CHECK(p.value()(0) == doctest::Approx(expected).epsilon(1e-13));
    }
}

TEST_CASE("sizes around the width of a register are all stepped, and nothing beside them") {
    for (std::size_t size = 0; size <= 40; ++size)
        for (const auto& make : optimizers<float>()) {
            auto p = parameter<float>("p", size), alone = parameter<float>("alone");
            set_gradient(p, 0.5);
            const auto optimizer = make({p});
            optimizer->step();
            for (std::size_t i = 0; i < size; ++i) {
                // The last numbers are stepped as a number alone is.
                alone = Parameter<float>("alone", Array<float>{1.0f + 0.1f * static_cast<float>(i)});
                alone.mutable_grad()(0) = p.grad()(i);
                make({alone})->step();
                CHECK(p.value()(i) == doctest::Approx(alone.value()(0)).epsilon(1e-6));
            }
        }
}

TEST_CASE("a parameter that appears twice is stepped once") {
    for (const auto& make : optimizers<double>()) {
        auto tied = parameter<double>("tied", 3), single = parameter<double>("single", 3);
        const auto twice = make({tied, tied}), once = make({single});
        CHECK(twice->parameters().size() == 1);
        for (int step = 0; step < 3; ++step) {
            set_gradient(tied, 1.5);
            set_gradient(single, 1.5);
            twice->step();
            once->step();
        }
        CHECK(tied.value() == single.value());
    }
}

TEST_CASE("a frozen parameter and its state stay as they are") {
    for (const auto& make : optimizers<double>()) {
        auto p = parameter<double>("p", 3), other = parameter<double>("other", 3);
        const auto optimizer = make({p, other}), reference = make({other});
        set_gradient(p, 1);
        p.set_requires_grad(false);
        const Array<double> before = p.value(), other_before = other.value();
        optimizer->step();
        CHECK(p.value() == before);
        CHECK(other.value() != other_before - 1);
        CHECK(optimizer->state_dict().numbers.at("0.p.step") == 0);
        CHECK(optimizer->state_dict().numbers.at("1.other.step") == 1);
        // Once thawed, its first step is a first step.
        auto fresh = parameter<double>("fresh", 3);
        set_gradient(fresh, 1);
        p.set_requires_grad(true);
        optimizer->step();
        make({fresh})->step();
        CHECK(p.value() == fresh.value());
    }
}

TEST_CASE("gradients are read only, and zero_grad sets them to zero") {
    for (const auto& make : optimizers<double>()) {
        auto p = parameter<double>("p", 5);
        set_gradient(p, 1.5);
        const Array<double> gradient = p.grad();
        const auto optimizer = make({p});
        optimizer->step();
        CHECK(p.grad() == gradient);
        optimizer->zero_grad();
        for (const double g : p.grad()) CHECK(g == 0);
    }
}

TEST_CASE("a NaN gradient spoils its own element and no other") {
    for (const auto& make : optimizers<float>()) {
        auto p = parameter<float>("p", 19), clean = parameter<float>("clean", 19);
        set_gradient(p, 1);
        set_gradient(clean, 1);
        p.mutable_grad()(17) = std::numeric_limits<float>::quiet_NaN();
        make({p})->step();
        make({clean})->step();
        for (std::size_t i = 0; i < 19; ++i)
            if (i == 17)
                CHECK(std::isnan(p.value()(i)));
            else
                CHECK(p.value()(i) == clean.value()(i));
    }
}

TEST_CASE_TEMPLATE("from a saved state training goes on to the bit", T, float, double) {
    for (const auto& make : optimizers<T>()) {
        auto straight = parameter<T>("w", 21), first = parameter<T>("w", 21);
        const auto gradient = [](Parameter<T> p, int step) { set_gradient(p, std::sin(step) - 5); };
        const auto uninterrupted = make({straight}), before = make({first});
        before->set_learning_rate(0.03);
        uninterrupted->set_learning_rate(0.03);
        const auto run = [&](Optimizer<T>& optimizer, Parameter<T> p, int from, int to) {
            for (int step = from; step < to; ++step) {
                gradient(p, step);
                optimizer.step();
            }
        };
        run(*uninterrupted, straight, 0, 9);
        run(*before, first, 0, 4);
        const OptimizerState<T> saved = before->state_dict();
        run(*before, first, 4, 5);  // what happens afterwards does not change what was saved

        auto second = parameter<T>("w", 21);
        const auto again = make({second});
        run(*again, second, 0, 4);  // to the same values; its state is replaced
        again->set_learning_rate(0.5);
        again->load_state_dict(saved);
        CHECK(again->learning_rate() == 0.03);
        auto replayed = parameter<T>("w", 21);
        {
            const auto replay = make({replayed});
            replay->set_learning_rate(0.03);
            run(*replay, replayed, 0, 4);
        }
        second.set_value(replayed.value());
        run(*again, second, 4, 9);
        CHECK(second.value() == straight.value());
    }
}

TEST_CASE("a saved state has PyTorch's names") {
    auto w = parameter<double>("w", 2), b = parameter<double>("b", 3);
    set_gradient(w, 2);
    Adam<double> adam({w, b}, {.learning_rate = 0.5});
    adam.step();
    const auto state = adam.state_dict();
    CHECK(state.optimizer == "Adam");
    CHECK(state.numbers == std::map<std::string, double>{{"learning_rate", 0.5}, {"0.w.step", 1}, {"1.b.step", 1}});
    CHECK(state.arrays.size() == 4);
    CHECK(state.arrays.at("0.w.exp_avg")(1) == doctest::Approx(0.1 * 3));
    CHECK(state.arrays.at("0.w.exp_avg_sq")(1) == doctest::Approx(0.001 * 9));
    CHECK(state.arrays.at("1.b.exp_avg").size() == 3);
}

TEST_CASE("a state that does not fit is refused, and nothing changes") {
    auto w = parameter<double>("w", 2), b = parameter<double>("b", 3);
    set_gradient(w, 2);
    Adam<double> adam({w, b}, {.learning_rate = 0.5});
    adam.step();
    const auto good = adam.state_dict();
    auto state = good;

    SUBCASE("of another optimiser") {
        CHECK_THROWS_WITH_AS(SGD<double>({w}).load_state_dict(good),
                             "SGD.load_state_dict: the state is of Adam, expected one of SGD", ValueError);
    }
    SUBCASE("of nothing") {
        CHECK_THROWS_WITH_AS(adam.load_state_dict({}),
                             "Adam.load_state_dict: the state is of no optimiser, expected one of Adam", ValueError);
    }
    SUBCASE("of parameters of other names") {
        auto v = parameter<double>("v", 2);
        CHECK_THROWS_WITH_AS(Adam<double>({v, b}).load_state_dict(good),
                             "Adam.load_state_dict: the state has no number 0.v.step: is it of the same parameters?",
                             ValueError);
    }
    SUBCASE("of more parameters") {
        CHECK_THROWS_WITH_AS(Adam<double>({w}).load_state_dict(good),
                             "Adam.load_state_dict: the state has 4 arrays and 3 numbers, expected 2 and 2: is it of "
                             "the same parameters and options?",
                             ValueError);
    }
    SUBCASE("of other options") {
        CHECK_THROWS_WITH_AS(Adam<double>({w, b}, {.amsgrad = true}).load_state_dict(good),
                             "Adam.load_state_dict: the state has no array 0.w.max_exp_avg_sq: is it of the same "
                             "parameters and options?",
                             ValueError);
    }
    SUBCASE("of another shape") {
        state.arrays["1.b.exp_avg_sq"] = Array<double>::from_shape({4});
        CHECK_THROWS_WITH_AS(adam.load_state_dict(state), "Adam.load_state_dict: 1.b.exp_avg_sq is [4], expected [3]",
                             ShapeError);
    }
    SUBCASE("with half a step") {
        state.numbers["1.b.step"] = 1.5;
        CHECK_THROWS_WITH_AS(adam.load_state_dict(state),
                             "Adam.load_state_dict: 1.b.step is 1.5: expected a whole number >= 0", ValueError);
    }
    SUBCASE("with a bad rate") {
        state.numbers["learning_rate"] = -1;
        CHECK_THROWS_WITH_AS(adam.load_state_dict(state),
                             "Adam.load_state_dict: learning_rate is -1: expected a finite number >= 0", ValueError);
    }
    const auto after = adam.state_dict();
    CHECK(after.numbers == good.numbers);
    for (const auto& [name, array] : good.arrays) CHECK(after.arrays.at(name) == array);
}

TEST_CASE("bad options are refused") {
    const std::vector<Parameter<double>> p{parameter<double>("p")};
    CHECK_THROWS_WITH_AS(SGD<double>({}), "SGD: the list of parameters is empty", ValueError);
    CHECK_THROWS_WITH_AS(SGD<double>({p[0], Parameter<double>()}),
                         "SGD: parameter 1 of the list was default-constructed and holds no array", ValueError);
    CHECK_THROWS_WITH_AS(SGD<double>(p, {.learning_rate = -0.1}),
                         "SGD: learning_rate is -0.1: expected a finite number >= 0", ValueError);
    CHECK_THROWS_WITH_AS(SGD<double>(p, {.learning_rate = not_a_number}),
                         "SGD: learning_rate is nan: expected a finite number >= 0", ValueError);
    CHECK_THROWS_WITH_AS(SGD<double>(p).set_learning_rate(infinity),
                         "set_learning_rate: the rate is inf: expected a finite number >= 0", ValueError);
    CHECK_THROWS_WITH_AS(SGD<double>(p, {.momentum = -0.9}), "SGD: momentum is -0.9: expected a finite number >= 0",
                         ValueError);
    CHECK_THROWS_WITH_AS(SGD<double>(p, {.dampening = 1.5}), "SGD: dampening is 1.5: expected a number in [0, 1]",
                         ValueError);
    CHECK_THROWS_WITH_AS(SGD<double>(p, {.weight_decay = -1}), "SGD: weight_decay is -1: expected a finite number >= 0",
                         ValueError);
    CHECK_THROWS_WITH_AS(SGD<double>(p, {.nesterov = true}),
                         "SGD: nesterov with momentum 0 and dampening 0: expected a momentum > 0 and no dampening",
                         ValueError);
    CHECK_THROWS_WITH_AS(SGD<double>(p, {.momentum = 0.9, .dampening = 0.5, .nesterov = true}),
                         "SGD: nesterov with momentum 0.9 and dampening 0.5: expected a momentum > 0 and no dampening",
                         ValueError);
    CHECK_THROWS_WITH_AS(Adam<double>(p, {.betas = {1, 0.999}}),
                         "Adam: the first of betas is 1: expected a number in [0, 1)", ValueError);
    CHECK_THROWS_WITH_AS(Adam<double>(p, {.betas = {0.9, -0.1}}),
                         "Adam: the second of betas is -0.1: expected a number in [0, 1)", ValueError);
    CHECK_THROWS_WITH_AS(Adam<double>(p, {.eps = -1e-8}), "Adam: eps is -1e-08: expected a finite number >= 0",
                         ValueError);
    CHECK_THROWS_WITH_AS(Adagrad<double>(p, {.lr_decay = -1}), "Adagrad: lr_decay is -1: expected a finite number >= 0",
                         ValueError);
    CHECK_THROWS_WITH_AS(Adagrad<double>(p, {.initial_accumulator_value = -1}),
                         "Adagrad: initial_accumulator_value is -1: expected a finite number >= 0", ValueError);
    CHECK_THROWS_WITH_AS(RMSprop<double>(p, {.alpha = 1}), "RMSprop: alpha is 1: expected a number in [0, 1)",
                         ValueError);
    CHECK_THROWS_WITH_AS(RMSprop<double>(p, {.momentum = -1}), "RMSprop: momentum is -1: expected a finite number >= 0",
                         ValueError);
    CHECK_THROWS_WITH_AS(AdamW<double>(p, {.betas = {not_a_number, 0.9}}),
                         "AdamW: the first of betas is nan: expected a number in [0, 1)", ValueError);
    CHECK_THROWS_WITH_AS(AdamW<double>(p, {.weight_decay = -1}),
                         "AdamW: weight_decay is -1: expected a finite number >= 0", ValueError);
}

TEST_CASE("an array that was given another shape is refused before anything is stepped") {
    auto first = parameter<double>("first", 2), second = parameter<double>("second", 3);
    SGD<double> sgd({first, second}, {.learning_rate = 0.1});
    set_gradient(first, 1);
    const Array<double> before = first.value();
    SUBCASE("a gradient") {
        second.mutable_grad() = Array<double>{1, 2};
        CHECK_THROWS_WITH_AS(sgd.step(), "SGD.step: the gradient of second is [2], expected [3]", ShapeError);
    }
    SUBCASE("a value") {
        second.mutable_value() = Array<double>{1, 2, 3, 4};
        CHECK_THROWS_WITH_AS(sgd.step(), "SGD.step: the value of second is [4], expected [3]", ShapeError);
    }
    CHECK(first.value() == before);
}
