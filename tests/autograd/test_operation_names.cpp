/// Every operation by the name under which a reader of PyTorch's documentation looks for it, called as there.

#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>

#include <limits>
#include <vector>

#include <doctest/doctest.h>

using namespace ebb;

TEST_CASE_TEMPLATE("every operation is there, in float and in double", T, float, double) {
    Tape<T> tape;
    const auto array = [](std::vector<std::size_t> shape) {
        Array<T> result = Array<T>::from_shape(shape);
        for (std::size_t k = 0; k < result.size(); ++k) result.data()[k] = T(1) + T(k) / 8;
        return result;
    };
    const Variable<T> x = tape.variable(array({2, 3})), y = tape.variable(array({2, 3})),
                      row = tape.variable(array({3})), batch = tape.variable(array({4, 2, 3})),
                      weight = tape.variable(array({5, 3}));
    const Indices rows{0, 1, 1}, places{{2, 0}, {1, 1}}, classes{2, 0};
    const Shape same{2, 3}, none{};

    for (const Variable<T>& r : {x + y,
                                 x - row,
                                 2 * x,
                                 x / y,
                                 pow(x, 2),
                                 pow(x, y),
                                 neg(x),
                                 exp(x),
                                 log(x),
                                 sqrt(x),
                                 abs(x),
                                 sin(x),
                                 cos(x),
                                 tanh(x),
                                 sigmoid(x),
                                 relu(x),
                                 leaky_relu(x),
                                 leaky_relu(x, T(0.1)),
                                 elu(x),
                                 gelu(x),
                                 softplus(x),
                                 silu(x),
                                 clamp(x, 0, 1),
                                 maximum(x, y),
                                 minimum(x, T(1)),
                                 where(x > y, x, y),
                                 where(x > 1, x, 0),
                                 square(x),
                                 expm1(x),
                                 log1p(x),
                                 erf(x),
                                 softmax(x, -1),
                                 log_softmax(x, -1),
                                 cumsum(x, 1),
                                 dropout(x, 0.5),
                                 flip(x, 0),
                                 flip(x, {0, 1})})
        CHECK(r.shape() == same);

    CHECK(sum(x).shape() == none);
    CHECK(mean(x, 0).shape() == Shape{3});
    CHECK(var(x, 1, true).shape() == Shape{2, 1});
    CHECK(max(x, {0, 1}).shape() == none);
    CHECK(min(x, -1).shape() == Shape{2});
    CHECK(prod(x).shape() == none);
    CHECK(logsumexp(x, 1).shape() == Shape{2});
    CHECK(norm(x).shape() == none);
    CHECK(norm(x, 1, 0, true).shape() == Shape{1, 3});
    CHECK(norm(x, std::numeric_limits<double>::infinity()).shape() == none);

    CHECK(matmul(x, transpose(weight)).shape() == Shape{2, 5});
    CHECK(matmul(batch, transpose(weight)).shape() == Shape{4, 2, 5});
    CHECK(linear(batch, weight).shape() == Shape{4, 2, 5});
    CHECK(einsum("bij,kj->bik", batch, weight).shape() == Shape{4, 2, 5});
    CHECK(transpose(batch, 0, -1).shape() == Shape{3, 2, 4});
    CHECK(permute(batch, {2, 0, 1}).shape() == Shape{3, 4, 2});
    CHECK(reshape(x, {3, 2}).shape() == Shape{3, 2});
    CHECK(unsqueeze(x, 0).shape() == Shape{1, 2, 3});
    CHECK(squeeze(unsqueeze(x, 0), 0).shape() == same);
    CHECK(broadcast_to(row, {2, 3}).shape() == same);
    CHECK(concat({x, y}, 1).shape() == Shape{2, 6});
    CHECK(concat(std::vector{x, y}).shape() == Shape{4, 3});
    CHECK(stack({x, y}, -1).shape() == Shape{2, 3, 2});
    CHECK(stack(std::vector{x, y}).shape() == Shape{2, 2, 3});
    CHECK(slice(x, 1, 0, 2).shape() == Shape{2, 2});
    CHECK(select(x, 0, 1).shape() == Shape{3});
    CHECK(index_select(x, rows).shape() == Shape{3, 3});
    CHECK(index_select(x, 0, rows).shape() == Shape{3, 3});
    CHECK(gather(x, 1, places).shape() == Shape{2, 2});
    CHECK(scatter_add(x, 1, places, tape.ones({2, 2})).shape() == same);
    CHECK(index_add(x, 0, rows, tape.ones({3, 3})).shape() == same);
    CHECK(pad(x, 1, 1, 2).shape() == Shape{2, 6});
    CHECK(argmax(x, 1) == Indices{2, 2});

    for (const Reduction reduction : {Reduction::mean, Reduction::sum, Reduction::none}) {
        const Shape whole = reduction == Reduction::none ? same : none,
                    of_rows = reduction == Reduction::none ? Shape{2} : none;
        CHECK(mse_loss(x, y, reduction).shape() == whole);
        CHECK(l1_loss(x, y, reduction).shape() == whole);
        CHECK(huber_loss(x, y, {.delta = 0.5, .reduction = reduction}).shape() == whole);
        CHECK(binary_cross_entropy_with_logits(x, sigmoid(y), {.reduction = reduction}).shape() == whole);
        CHECK(cross_entropy(x, classes, {.reduction = reduction, .ignore_index = 0, .weight = array({3})}).shape() ==
              of_rows);
        CHECK(nll_loss(log_softmax(x, -1), classes, {.reduction = reduction}).shape() == of_rows);
    }
}
