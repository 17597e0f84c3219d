#include <ebb/autograd/gradcheck.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>

#include "support/random_arrays.hpp"
#include <doctest/doctest.h>

using namespace ebb;
using ebb::test::RandomArrays;

TEST_CASE("softmax and its relatives: derivatives along every axis") {
    using Variables = std::vector<Variable<double>>;
    RandomArrays random(3);
    for (const Shape& shape : {Shape{1}, Shape{7}, Shape{3, 9}, Shape{2, 3, 5}, Shape{2, 1, 3, 9}})
        for (std::size_t a = 0; a < shape.rank(); ++a) {
            const auto axis = static_cast<std::ptrdiff_t>(a);
            const std::vector<Array<double>> inputs{random.array(shape)};
            GradCheckOptions options;
            options.allow_zero_gradient = shape[a] == 1;
            const CheckedFunction functions[] = {
                [=](const Variables& in) { return softmax(in[0], axis); },
                [=](const Variables& in) { return log_softmax(in[0], axis); },
                [=](const Variables& in) { return logsumexp(in[0], axis); },
                [=](const Variables& in) { return logsumexp(in[0], axis, true); },
            };
            for (const CheckedFunction& f : functions) {
                const auto first = gradcheck(f, inputs, options);
                CHECK_MESSAGE(first.passed, first.message);
                const auto second = gradgradcheck(f, inputs, options);
                CHECK_MESSAGE(second.passed, second.message);
            }
        }
}
