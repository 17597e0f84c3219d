#include <ebb/autograd/gradcheck.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>

#include <cmath>
#include <limits>

#include "support/random_arrays.hpp"
#include <doctest/doctest.h>

using namespace ebb;
using ebb::test::RandomArrays;

namespace {

using Variables = std::vector<Variable<double>>;

void check_derivatives(const CheckedFunction& f, const std::vector<Array<double>>& inputs,
                       GradCheckOptions second = {}) {
    const auto first_report = gradcheck(f, inputs);
    CHECK_MESSAGE(first_report.passed, first_report.message);
    const auto second_report = gradgradcheck(f, inputs, second);
    CHECK_MESSAGE(second_report.passed, second_report.message);
}

constexpr Reduction reductions[] = {Reduction::mean, Reduction::sum, Reduction::none};

}  // namespace

TEST_CASE("losses of a difference: derivatives") {
    RandomArrays random(1);
    GradCheckOptions flat;
    flat.allow_zero_gradient = true;
    for (const Reduction reduction : reductions)
        for (const Shape& shape : {Shape{}, Shape{1}, Shape{3, 5}, Shape{2, 3, 11}}) {
            const auto inputs = random.arrays({shape, shape}, Domain::distinct);
            check_derivatives([=](const Variables& in) { return mse_loss(in[0], in[1], reduction); }, inputs);
            check_derivatives([=](const Variables& in) { return l1_loss(in[0], in[1], reduction); }, inputs, flat);
            check_derivatives(
                [=](const Variables& in) { return huber_loss(in[0], in[1], {.delta = 0.7, .reduction = reduction}); },
                inputs, flat);
        }
}

TEST_CASE("cross entropy: derivatives") {
    RandomArrays random(2);
    for (const Reduction reduction : reductions)
        for (const Shape& shape : {Shape{5}, Shape{4, 3}, Shape{2, 3, 17}}) {
            const Shape leading = shape.erased(shape.rank() - 1);
            Indices targets = random.indices(leading, shape.back());
            if (targets.size() > 1) targets.data()[1] = -100;
            const Array<double> weight = random.array(Shape{shape.back()}, Domain::positive);
            const std::vector<Array<double>> inputs{random.array(shape)};
            check_derivatives(
                [&](const Variables& in) { return cross_entropy(in[0], targets, {.reduction = reduction}); }, inputs);
            check_derivatives(
                [&](const Variables& in) {
                    return cross_entropy(in[0], targets,
                                         {.reduction = reduction, .weight = weight, .label_smoothing = 0.1});
                },
                inputs);
            check_derivatives(
                [&](const Variables& in) {
                    return nll_loss(log_softmax(in[0]), targets, {.reduction = reduction, .weight = weight});
                },
                inputs);
        }
}
