#include <ebb/core/error.hpp>

#include <cmath>
#include <limits>

#include "support/operation_cases.hpp"
#include <doctest/doctest.h>

using namespace ebb;
using namespace ebb::test;

namespace {

constexpr Reduction reductions[] = {Reduction::mean, Reduction::sum, Reduction::none};

}  // namespace

std::vector<OperationCase> ebb::test::loss_cases() {
    RandomArrays random(71);
    std::vector<OperationCase> cases;
    const auto add = [&](const char* operation, const char* label, std::vector<Array<double>> inputs, auto f) {
        cases.push_back(operation_case(operation, label, std::move(inputs), f));
    };
    for (const Reduction reduction : reductions) {
        const bool none = reduction == Reduction::none;
        for (const Shape& shape : {Shape{}, Shape{1}, Shape{19}, Shape{3, 5}, Shape{2, 3, 11}}) {
            const auto inputs = random.arrays({shape, shape}, Domain::distinct);
            add(none ? "square" : "mse_loss", "", inputs,
                [=](const auto& in) { return mse_loss(in[0], in[1], reduction); });
            add(none ? "abs" : "l1_loss", "", inputs, [=](const auto& in) { return l1_loss(in[0], in[1], reduction); });
            add(none ? "huber" : "huber_loss", "", inputs,
                [=](const auto& in) { return huber_loss(in[0], in[1], {.delta = 0.7, .reduction = reduction}); });
            const std::vector<Array<double>> logits{random.array(shape), random.array(shape, Domain::open_unit)};
            add("binary_cross_entropy_with_logits", "", logits, [=](const auto& in) {
                return binary_cross_entropy_with_logits(in[0], in[1], {.reduction = reduction});
            });
        }
        for (const Shape& shape : {Shape{5}, Shape{4, 3}, Shape{2, 3, 17}}) {
            const Shape leading = shape.erased(shape.rank() - 1);
            Indices targets = random.indices(leading, shape.back());
            const std::vector<Array<double>> inputs{random.array(shape)};
            add("cross_entropy", "", inputs,
                [=](const auto& in) { return cross_entropy(in[0], targets, {.reduction = reduction}); });
            add("nll_loss", "", inputs,
                [=](const auto& in) { return nll_loss(in[0], targets, {.reduction = reduction}); });
            if (targets.size() > 1) targets.data()[1] = 1;
            const Array<double> weight = random.array(Shape{shape.back()}, Domain::positive);
            add("cross_entropy", "one ignored, weights, smoothing", inputs, [=](const auto& in) {
                using T = ScalarOf<decltype(in)>;
                return cross_entropy(in[0], targets,
                                     {.reduction = reduction,
                                      .ignore_index = targets.size() > 1 ? 1 : -100,
                                      .weight = as<T>(weight),
                                      .label_smoothing = 0.1});
            });
            add("nll_loss", "one ignored, weights", inputs, [=](const auto& in) {
                using T = ScalarOf<decltype(in)>;
                return nll_loss(
                    log_softmax(in[0]), targets,
                    {.reduction = reduction, .ignore_index = targets.size() > 1 ? 1 : -100, .weight = as<T>(weight)});
            });
        }
        const Array<double> weight = random.array(Shape{3, 1}, Domain::positive),
                            positive = random.array(Shape{4}, Domain::positive);
        add("softplus", "binary cross entropy, weights",
            {random.array(Shape{3, 4}), random.array(Shape{3, 4}, Domain::open_unit)}, [=](const auto& in) {
                using T = ScalarOf<decltype(in)>;
                return binary_cross_entropy_with_logits(
                    in[0], in[1],
                    {.reduction = reduction, .weight = as<T>(weight), .positive_weight = as<T>(positive)});
            });
    }
    return cases;
}

TEST_CASE("losses: every case") {
    for (const OperationCase& c : loss_cases()) check_case(c);
}

TEST_CASE("losses of a difference: values") {
    Tape<double> tape;
    const auto a = tape.constant(Array<double>{1, 2, 3, 4}), b = tape.constant(Array<double>{1.5, 2, 1, 8});
    CHECK(mse_loss(a, b).item() == doctest::Approx((0.25 + 4 + 16) / 4));
    CHECK(mse_loss(a, b, Reduction::sum).item() == doctest::Approx(20.25));
    CHECK(l1_loss(a, b).item() == doctest::Approx(6.5 / 4));
    CHECK(huber_loss(a, b).item() == doctest::Approx((0.125 + 1.5 + 3.5) / 4));
    CHECK(huber_loss(a, b, {.delta = 3, .reduction = Reduction::sum}).item() == doctest::Approx(0.125 + 2 + 3 * 2.5));
    const Array<double> squares = mse_loss(a, b, Reduction::none).value();
    CHECK(squares == Array<double>{0.25, 0, 4, 16});
    CHECK(std::isnan(mse_loss(tape.zeros({0}), tape.zeros({0})).item()));
    CHECK(mse_loss(tape.zeros({0}), tape.zeros({0}), Reduction::sum).item() == 0);
}

TEST_CASE("a long mean of floats is exact enough") {
    Tape<float> tape;
    const std::size_t n = 20'000'000;
    CHECK(mse_loss(tape.full({n}, 3), tape.full({n}, 2)).item() == 1);
    CHECK(mse_loss(tape.full({n}, 3), tape.full({n}, 2), Reduction::sum).item() == 2e7f);
}

TEST_CASE("mse_loss is one node, and allocates nothing of the inputs' size") {
    Tape<double> tape;
    const auto a = tape.variable(xt::xarray<double>::from_shape({100, 100}));
    const auto b = tape.constant(xt::xarray<double>::from_shape({100, 100}));
    const std::size_t nodes = tape.size(), bytes = tape.bytes_used();
    mse_loss(a, b);
    CHECK(tape.size() == nodes + 1);
    CHECK(tape.bytes_used() - bytes < 1000);
}

TEST_CASE("cross entropy: values, from the definition") {
    Tape<double> tape;
    const Array<double> x{{1, 2, 3}, {0, 0, 0}, {5, -1, 2}};
    const auto logits = tape.constant(x);
    const auto log_p = [&](std::size_t n, std::size_t c) {
        return x(n, c) - std::log(std::exp(x(n, 0)) + std::exp(x(n, 1)) + std::exp(x(n, 2)));
    };
    const Indices targets{2, 1, 1};
    CHECK(cross_entropy(logits, targets).item() == doctest::Approx(-(log_p(0, 2) + log_p(1, 1) + log_p(2, 1)) / 3));
    CHECK(cross_entropy(logits, targets, {.reduction = Reduction::sum}).item() ==
          doctest::Approx(-(log_p(0, 2) + log_p(1, 1) + log_p(2, 1))));
    const auto each = cross_entropy(logits, targets, {.reduction = Reduction::none}).value();
    CHECK(each(2) == doctest::Approx(-log_p(2, 1)));
    // The mean is over what counts, by weight.
    const Array<double> weight{1, 3, 0.5};
    CHECK(cross_entropy(logits, targets, {.weight = weight}).item() ==
          doctest::Approx(-(0.5 * log_p(0, 2) + 3 * log_p(1, 1) + 3 * log_p(2, 1)) / 6.5));
    CHECK(cross_entropy(logits, Indices{2, -100, 1}, {.weight = weight}).item() ==
          doctest::Approx(-(0.5 * log_p(0, 2) + 3 * log_p(2, 1)) / 3.5));
    CHECK(cross_entropy(logits, Indices{2, 7, 1}, {.ignore_index = 7}).item() ==
          doctest::Approx(-(log_p(0, 2) + log_p(2, 1)) / 2));
    CHECK(cross_entropy(logits, Indices{0, 7, 7}, {.reduction = Reduction::none, .ignore_index = 7}).value()(1) == 0);
    CHECK(std::isnan(cross_entropy(logits, Indices{7, 7, 7}, {.ignore_index = 7}).item()));
    CHECK(cross_entropy(logits, Indices{7, 7, 7}, {.reduction = Reduction::sum, .ignore_index = 7}).item() == 0);
    // Smoothing moves a part of the target to all classes.
    const double uniform = -(log_p(2, 0) + log_p(2, 1) + log_p(2, 2)) / 3;
    CHECK(cross_entropy(logits, Indices{-100, -100, 1}, {.label_smoothing = 0.2}).item() ==
          doctest::Approx(0.8 * -log_p(2, 1) + 0.2 * uniform));
    // One row without a batch.
    CHECK(cross_entropy(tape.constant(Array<double>{5, -1, 2}), Indices(std::int64_t{1})).item() ==
          doctest::Approx(-log_p(2, 1)));
    // The same as in two steps.
    CHECK(nll_loss(log_softmax(logits), targets, {.weight = weight}).item() ==
          doctest::Approx(cross_entropy(logits, targets, {.weight = weight}).item()));
}

TEST_CASE("cross entropy: large and infinite logits") {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    Tape<double> tape;
    const auto x = tape.variable(Array<double>{{1e300, 0, -1e300}, {-infinity, 3, 3}});
    const auto y = cross_entropy(x, Indices{0, 1}, {.reduction = Reduction::sum});
    CHECK(y.item() == doctest::Approx(std::log(2.0)));
    tape.backward(y);
    const Array<double> dx = x.grad();
    const Array<double> expected{{0, 0, 0}, {0, -0.5, 0.5}};
    for (std::size_t k = 0; k < 6; ++k) CHECK(dx.data()[k] == doctest::Approx(expected.data()[k]));
    CHECK(cross_entropy(x, Indices{1, 0}, {.reduction = Reduction::none}).value()(0) == 1e300);
    CHECK(cross_entropy(x, Indices{1, 0}, {.reduction = Reduction::none}).value()(1) == infinity);
}

TEST_CASE("binary cross entropy with logits: values") {
    Tape<double> tape;
    const auto x = tape.constant(Array<double>{0.5, -2, 1000, -1000});
    const auto t = tape.constant(Array<double>{1, 0, 1, 0});
    const auto losses = binary_cross_entropy_with_logits(x, t, {.reduction = Reduction::none}).value();
    CHECK(losses(0) == doctest::Approx(-std::log(1 / (1 + std::exp(-0.5)))));
    CHECK(losses(1) == doctest::Approx(-std::log(1 - 1 / (1 + std::exp(2.0)))));
    CHECK(losses(2) == 0);
    CHECK(losses(3) == 0);
    CHECK(binary_cross_entropy_with_logits(x, 1 - t, {.reduction = Reduction::sum}).item() ==
          doctest::Approx(2000 + std::log1p(std::exp(0.5)) + std::log1p(std::exp(2.0))));
    const auto weighted = binary_cross_entropy_with_logits(
        x, t, {.reduction = Reduction::none, .weight = Array<double>{2, 3, 1, 1}, .positive_weight = Array<double>{5}});
    CHECK(weighted.value()(0) == doctest::Approx(10 * losses(0)));
    CHECK(weighted.value()(1) == doctest::Approx(3 * losses(1)));
}

TEST_CASE("losses: errors, and the tape is as before") {
    Tape<double> tape;
    const auto a = tape.variable(Array<double>::from_shape({3}));
    const auto b = tape.variable(Array<double>::from_shape({3, 1}));
    const auto logits = tape.variable(Array<double>::from_shape({2, 5}));
    const auto scalar = tape.scalar(1);
    const std::size_t size = tape.size();
    CHECK_THROWS_WITH_AS(
        mse_loss(a, b),
        "mse_loss: prediction is [3], target is [3, 1]: expected equal shapes, nothing is broadcast here", ShapeError);
    CHECK_THROWS_WITH_AS(
        mse_loss(a, b, Reduction::none),
        "mse_loss: prediction is [3], target is [3, 1]: expected equal shapes, nothing is broadcast here", ShapeError);
    CHECK_THROWS_WITH_AS(
        l1_loss(b, a), "l1_loss: prediction is [3, 1], target is [3]: expected equal shapes, nothing is broadcast here",
        ShapeError);
    CHECK_THROWS_WITH_AS(
        huber_loss(a, scalar),
        "huber_loss: prediction is [3], target is []: expected equal shapes, nothing is broadcast here", ShapeError);
    CHECK_THROWS_WITH_AS(huber_loss(a, a, {.delta = 0}), "huber_loss: delta is 0: expected a number above 0",
                         ValueError);
    CHECK_THROWS_WITH_AS(binary_cross_entropy_with_logits(a, b),
                         "binary_cross_entropy_with_logits: logits is [3], target is [3, 1]: expected equal shapes, "
                         "nothing is broadcast here",
                         ShapeError);
    CHECK_THROWS_WITH_AS(
        binary_cross_entropy_with_logits(a, a, {.weight = Array<double>::from_shape({2, 3})}),
        "binary_cross_entropy_with_logits: logits is [3], weight is [2, 3]: expected one that broadcasts to it",
        ShapeError);
    CHECK_THROWS_WITH_AS(binary_cross_entropy_with_logits(b, b, {.positive_weight = Array<double>::from_shape({2})}),
                         "binary_cross_entropy_with_logits: logits is [3, 1], positive_weight is [2]: expected one "
                         "that broadcasts to it",
                         ShapeError);
    CHECK_THROWS_WITH_AS(
        cross_entropy(logits, Indices{4, 5}),
        "cross_entropy: target 5 at flat position 1: logits is [2, 5], expected 0 to 4, or -100 to ignore it",
        IndexError);
    CHECK_THROWS_WITH_AS(
        cross_entropy(logits, Indices{-1, 0}),
        "cross_entropy: target -1 at flat position 0: logits is [2, 5], expected 0 to 4, or -100 to ignore it",
        IndexError);
    CHECK_THROWS_WITH_AS(cross_entropy(logits, Indices{1, 2, 3}),
                         "cross_entropy: logits is [2, 5], the targets are [3]: expected [2], a class for each row",
                         ShapeError);
    CHECK_THROWS_WITH_AS(cross_entropy(scalar, Indices{1}),
                         "cross_entropy: logits is a scalar: expected [.., C], the classes as last axis", ShapeError);
    CHECK_THROWS_WITH_AS(cross_entropy(logits, Indices{1, 2}, {.weight = Array<double>{1, 2}}),
                         "cross_entropy: logits is [2, 5], the weight of the classes is [2]: expected [5]", ShapeError);
    CHECK_THROWS_WITH_AS(cross_entropy(logits, Indices{1, 2}, {.label_smoothing = 1.5}),
                         "cross_entropy: label_smoothing is 1.5: expected 0 to 1", ValueError);
    CHECK_THROWS_WITH_AS(
        nll_loss(logits, Indices{1, 9}),
        "nll_loss: target 9 at flat position 1: log_probabilities is [2, 5], expected 0 to 4, or -100 to ignore it",
        IndexError);
    CHECK(tape.size() == size);
    a.named("readout");
    b.named("labels");
    CHECK_THROWS_WITH_AS(mse_loss(a, b),
                         "mse_loss: readout is [3], labels is [3, 1]: expected equal shapes, nothing is broadcast here",
                         ShapeError);
}
