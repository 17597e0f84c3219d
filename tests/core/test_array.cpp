#include <type_traits>

#include <doctest/doctest.h>
#include <support/xtensor.hpp>
#include <xtensor-blas/xlinalg.hpp>

using namespace ebb;

// xtensor 0.24 under g++ in C++20 gave `xtensor<T, 4>` wherever it had to name the evaluated form of an expression.
TEST_CASE_TEMPLATE("xt::eval of an expression is the array that users hold", T, float, double) {
    const Array<T> a{{1, 2, 3}, {4, 5, 6}};
    const Array<T> b{{10, 20, 30}, {40, 50, 60}};
    auto sum = xt::eval(a + b);
    static_assert(std::is_same_v<decltype(sum), Array<T>>);
    CHECK(sum.dimension() == 2);
    CHECK(sum == Array<T>{{11, 22, 33}, {44, 55, 66}});
}

TEST_CASE_TEMPLATE("xtensor's immediate reducers, views and products give the right arrays", T, float, double) {
    const Array<T> a{{1, 2, 3}, {4, 5, 6}};
    auto rows = xt::sum(a, {1}, xt::evaluation_strategy::immediate);
    static_assert(std::is_same_v<std::decay_t<decltype(rows)>, Array<T>>);
    CHECK(rows == Array<T>({6, 15}));

    const Array<T> mean = xt::mean(a, {0});
    CHECK(mean == Array<T>({T(2.5), T(3.5), T(4.5)}));
    const Array<T> variance = xt::variance(a, {0});
    CHECK(variance == Array<T>({T(2.25), T(2.25), T(2.25)}));

    const Array<T> last_row = xt::view(a, -1, xt::all());
    CHECK(last_row == Array<T>({4, 5, 6}));
    const Array<T> product = xt::linalg::dot(a, xt::eval(xt::transpose(a)));
    CHECK(product == Array<T>{{14, 32}, {32, 77}});
    const Array<T> joined = xt::concatenate(xt::xtuple(a, a), 1);
    CHECK(joined == Array<T>{{1, 2, 3, 1, 2, 3}, {4, 5, 6, 4, 5, 6}});
}

TEST_CASE("arrays are row-major, from 0-d to 5-d") {
    CHECK(Array<double>{}.dimension() == 0);
    const Array<float> five = Array<float>::from_shape({2, 1, 3, 1, 2});
    CHECK(five.dimension() == 5);
    CHECK(five.size() == 12);
    const Array<double> a{{1, 2}, {3, 4}};
    CHECK(a.layout() == xt::layout_type::row_major);
    CHECK(a.data()[1] == 2);
}
