#include <ebb/core/array.hpp>
#include <ebb/core/instruction_set.hpp>
#include <ebb/core/norm.hpp>
#include <ebb/core/norm_kernels.hpp>
#include <ebb/core/random.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
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

TEST_CASE_TEMPLATE("norms of blocks of every size, however many, by every instruction set", T, float, double) {
    for (const ebb::InstructionSet set : ebb::available_instruction_sets()) {
        CAPTURE(to_string(set));
        ebb::manual_seed(1);
        const ebb::NormKernels<T>& kernel = ebb::kernels<ebb::NormKernels<T>>(set);
        for (const std::size_t size : {1u, 7u, 8u, 16u, 24u, 32u, 33u, 48u, 64u, 256u, 257u, 3000u})
            for (const std::size_t count : {1u, 5u, 16u, 37u}) {
                CAPTURE(size);
                CAPTURE(count);
                const std::size_t distance = size + 3;
                ebb::Array<T> x = ebb::normal<T>({count * distance}, 0, 1);
                std::vector<double> norms(count, -1);
                const auto norms_of_all = [&](T smallest, T largest) {
                    return kernel.norms(x.data(), count, static_cast<std::ptrdiff_t>(distance), size, smallest, largest,
                                        norms.data());
                };
                REQUIRE(norms_of_all(T(1e-30), T(1e30)));
                for (std::size_t k = 0; k < count; ++k) {
                    double expected = 0;
                    for (std::size_t j = 0; j < size; ++j)
                        expected += std::pow(static_cast<double>(x(k * distance + j)), 2);
                    CHECK(norms[k] == doctest::Approx(std::sqrt(expected)).epsilon(1e-6));
                    // A block's norm does not depend on what stands beside it.
                    double alone = -1;
                    CHECK(kernel.norms(x.data() + k * distance, 1, 0, size, T(1e-30), T(1e30), &alone));
                    CHECK(alone == norms[k]);
                }
                // One that is out of range is found wherever it stands; NaN is in it.
                for (const std::size_t odd : {std::size_t{0}, count / 2, count - 1}) {
                    CHECK(norms_of_all(T(1e-30), T(1e30)));
                    T& element = x(odd * distance + size / 2);
                    const T before = std::exchange(element, T(1e10));
                    const std::vector<double> expected = norms;
                    CHECK_FALSE(norms_of_all(T(1e-30), T(1e15)));
                    for (std::size_t k = 0; k < count; ++k) CHECK(norms[k] == (k == odd ? -1 : expected[k]));
                    element = std::numeric_limits<T>::quiet_NaN();
                    CHECK(norms_of_all(T(1e-30), T(1e30)));
                    CHECK(std::isnan(norms[odd]));
                    element = before;
                    const std::vector<T> block(&x(odd * distance), &x(odd * distance) + size);
                    std::fill_n(&x(odd * distance), size, T(0));
                    CHECK_FALSE(norms_of_all(T(1e-30), T(1e30)));
                    CHECK(norms[odd] == -1);
                    std::copy(block.begin(), block.end(), &x(odd * distance));
                }
            }
    }
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
