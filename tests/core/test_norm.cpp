#include <ebb/core/norm.hpp>

#include <cmath>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

using ebb::frobenius_norm;

namespace {

template <class T>
double norm(const std::vector<T>& x) {
    return frobenius_norm(x.data(), x.size());
}

}  // namespace

TEST_CASE("the norm of 3 and 4 is 5, at every scale that a number can have") {
    CHECK(norm(std::vector<double>{3, -4}) == 5);
    CHECK(norm(std::vector<float>{-3, 4}) == 5);
    // 3, 4 and 5 times a power of two are exact, down to where the last bit of a double is 1.
    for (int exponent = -1074; exponent <= 1021; ++exponent) {
        CAPTURE(exponent);
        const double unit = std::scalbn(1.0, exponent);
        CHECK(norm(std::vector<double>{3 * unit, 4 * unit}) == 5 * unit);
    }
    for (int exponent = -149; exponent <= 125; ++exponent) {
        CAPTURE(exponent);
        const float unit = std::scalbn(1.0F, exponent);
        CHECK(norm(std::vector<float>{3 * unit, 4 * unit}) == 5 * std::scalbn(1.0, exponent));
    }
}

TEST_CASE_TEMPLATE("the norms of many blocks, in either direction, each at its own scale", T, float, double) {
    const T large = std::scalbn(T(1), std::numeric_limits<T>::max_exponent - 4),
            small = std::numeric_limits<T>::denorm_min();
    const std::vector<T> x{3, 4, 0, 3 * large, 4 * large, 0, 3 * small, 4 * small, 0, 5, 12, 0};
    const std::vector<double> expected{5, 5 * static_cast<double>(large), 5 * static_cast<double>(small), 13};
    std::vector<double> norms(4);
    ebb::frobenius_norms(x.data(), 4, 3, 2, norms.data());
    CHECK(norms == expected);
    ebb::frobenius_norms(x.data() + 9, 4, -3, 2, norms.data());
    CHECK(norms == std::vector<double>(expected.rbegin(), expected.rend()));
    ebb::frobenius_norms(x.data(), 2, 9, 2, norms.data());
    CHECK(norms[0] == 5);
    CHECK(norms[1] == 13);
}

TEST_CASE("small elements beside large ones, nothing, and what is no number") {
    CHECK(norm(std::vector<double>{1e-200, 1e200, 1e-300}) == doctest::Approx(1e200).epsilon(1e-15));
    CHECK(norm(std::vector<double>(1'000'000, 1e-170)) == doctest::Approx(1e-167).epsilon(1e-12));
    CHECK(norm(std::vector<double>{}) == 0);
    CHECK(norm(std::vector<double>{0.0, -0.0}) == 0);
    const double infinity = std::numeric_limits<double>::infinity(), nan = std::nan("");
    CHECK(norm(std::vector<double>{1, -infinity, 2}) == infinity);
    CHECK(norm(std::vector<double>{1e300, 1e300, 1e-300}) == doctest::Approx(std::sqrt(2.0) * 1e300).epsilon(1e-15));
    CHECK(std::isnan(norm(std::vector<double>{1, nan, 2})));
    CHECK(std::isnan(norm(std::vector<double>{infinity, nan})));
    CHECK(std::isnan(norm(std::vector<float>{1, std::nanf(""), 2})));
}
