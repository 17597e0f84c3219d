#include <ebb/core/error.hpp>
#include <ebb/optim/clip.hpp>

#include <cmath>
#include <limits>

#include <doctest/doctest.h>

using namespace ebb;

namespace {

template <class T>
Parameter<T> with_gradient(const char* name, const Array<T>& gradient) {
    Array<T> value = Array<T>::from_shape(gradient.shape());
    value.fill(T(1));
    Parameter<T> result(name, value);
    result.mutable_grad() = gradient;
    return result;
}

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

}  // namespace

TEST_CASE_TEMPLATE("the norm is of all gradients together", T, float, double) {
    const auto a = with_gradient<T>("a", {{T(2), T(-4)}, {T(4), T(0)}}), b = with_gradient<T>("b", {T(8)});
    CHECK(grad_norm<T>({a, b}) == 10);
    CHECK(grad_norm<T>({a, b, a}) == 10);
    CHECK(grad_norm<T>({a}) == 6);
    CHECK(grad_norm<T>({}) == 0);
    auto frozen = b;
    frozen.set_requires_grad(false);
    CHECK(grad_norm<T>({a, b}) == 6);
}

TEST_CASE_TEMPLATE("the norm of any length is summed right", T, float, double) {
    for (std::size_t size = 0; size < 70; ++size) {
        Array<T> gradient = Array<T>::from_shape({size});
        for (std::size_t i = 0; i < size; ++i) gradient(i) = static_cast<T>(i + 1);
        const auto n = static_cast<double>(size);
        CHECK(grad_norm<T>({with_gradient<T>("g", gradient)}) ==
              doctest::Approx(std::sqrt(n * (n + 1) * (2 * n + 1) / 6)).epsilon(1e-14));
    }
}

TEST_CASE("a sum of many small floats loses nothing") {
    // In float 2^24 + 1 is 2^24.
    Array<float> gradient = Array<float>::from_shape({1000001});
    gradient.fill(1);
    gradient(0) = 0x1p12f;
    CHECK(grad_norm<float>({with_gradient<float>("g", gradient)}) == std::sqrt(0x1p24 + 1e6));
}

TEST_CASE_TEMPLATE("the norm neither overflows nor underflows on the way", T, float, double) {
    // Powers of two: 3, 4 and 5 times them are exact.
    const T large = std::ldexp(T(1), std::numeric_limits<T>::max_exponent - 4);
    constexpr T small = std::numeric_limits<T>::min() * 4;
    constexpr T least = std::numeric_limits<T>::denorm_min();
    for (const T size : {large, small, least}) {
        const auto p = with_gradient<T>("p", {3 * size, T(0), -4 * size});
        CHECK(grad_norm<T>({p}) == 5 * static_cast<double>(size));
    }
    const auto huge = with_gradient<T>("p", {large, large});
    CHECK(clip_grad_norm<T>({huge}, 1.0) == doctest::Approx(std::sqrt(2.0) * static_cast<double>(large)));
    CHECK(grad_norm<T>({huge}) == doctest::Approx(1));
}

TEST_CASE_TEMPLATE("clipping by norm keeps the direction and reaches the threshold", T, float, double) {
    const double epsilon = 4 * static_cast<double>(std::numeric_limits<T>::epsilon());
    const auto a = with_gradient<T>("a", {T(3), T(-12)}), b = with_gradient<T>("b", {T(4)});
    CHECK(clip_grad_norm<T>({a, b, a}, 6.5) == 13);
    CHECK(a.grad()(0) == doctest::Approx(1.5).epsilon(epsilon));
    CHECK(a.grad()(1) == doctest::Approx(-6).epsilon(epsilon));
    CHECK(b.grad()(0) == doctest::Approx(2).epsilon(epsilon));
    CHECK(grad_norm<T>({a, b}) == doctest::Approx(6.5).epsilon(epsilon));
    CHECK(clip_grad_norm<T>({a, b}, 0) > 6);
    CHECK(grad_norm<T>({a, b}) == 0);
}

TEST_CASE("clipping leaves what is short enough, to the bit, and what is frozen") {
    const Array<double> gradient{0.3, -0.4};
    auto p = with_gradient<double>("p", gradient), frozen = with_gradient<double>("frozen", Array<double>{100.0});
    frozen.set_requires_grad(false);
    CHECK(clip_grad_norm<double>({p, frozen}, 0.5) == doctest::Approx(0.5));
    CHECK(clip_grad_norm<double>({p, frozen}, infinity) == doctest::Approx(0.5));
    CHECK(p.grad() == gradient);
    clip_grad_norm<double>({p, frozen}, 0.1);
    clip_grad_value<double>({p, frozen}, 0.1);
    CHECK(frozen.grad()(0) == 100);
}

TEST_CASE_TEMPLATE("a norm that is not finite leaves the gradients, or is an error when asked for", T, float, double) {
    for (const double bad : {not_a_number, infinity, -infinity})
        for (const std::size_t place : {0, 5, 18}) {
            Array<T> gradient = Array<T>::from_shape({19});
            gradient.fill(T(1));
            gradient(place) = static_cast<T>(bad);
            const auto a = with_gradient<T>("a", {T(7)}), b = with_gradient<T>("b", gradient);
            const double norm = clip_grad_norm<T>({a, b}, 1.0);
            CHECK((std::isnan(bad) ? std::isnan(norm) : norm == infinity));
            CHECK(a.grad()(0) == 7);
            CHECK(b.grad()(1) == 1);
        }
    const auto a = with_gradient<T>("a", {T(7)}), b = with_gradient<T>("b", {T(1), T(not_a_number)});
    CHECK_THROWS_WITH_AS(clip_grad_norm<T>({a, b}, 1.0, {.error_if_nonfinite = true}),
                         "clip_grad_norm: the norm of the gradients is nan: b: nan at [1]", ValueError);
    CHECK(first_nonfinite_gradient<T>({a, b}) == "b: nan at [1]");
    CHECK(first_nonfinite_gradient<T>({a}).empty());
}

TEST_CASE_TEMPLATE("clipping by value bounds each element", T, float, double) {
    Array<T> gradient = Array<T>::from_shape({21});
    for (std::size_t i = 0; i < 21; ++i) gradient(i) = static_cast<T>(i) - 10;
    gradient(20) = static_cast<T>(not_a_number);
    const auto p = with_gradient<T>("p", gradient);
    clip_grad_value<T>({p}, 2.5);
    for (std::size_t i = 0; i < 20; ++i) CHECK(p.grad()(i) == std::clamp(static_cast<double>(i) - 10, -2.5, 2.5));
    CHECK(std::isnan(p.grad()(20)));
}

TEST_CASE("bad thresholds are refused") {
    const auto p = with_gradient<double>("p", {1.0});
    CHECK_THROWS_WITH_AS(clip_grad_norm<double>({p}, -1), "clip_grad_norm: max_norm is -1: expected a number >= 0",
                         ValueError);
    CHECK_THROWS_WITH_AS(clip_grad_norm<double>({p}, not_a_number),
                         "clip_grad_norm: max_norm is nan: expected a number >= 0", ValueError);
    CHECK_THROWS_WITH_AS(clip_grad_value<double>({p}, -1), "clip_grad_value: max_value is -1: expected a number >= 0",
                         ValueError);
}
