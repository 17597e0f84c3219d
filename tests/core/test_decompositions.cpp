// Decompositions against what defines them, multiplied out by loops, and against matrices whose spectrum is known.

#include <ebb/core/decompositions.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/random.hpp>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <numbers>

#include <doctest/doctest.h>

using namespace ebb;

namespace {

/// Relative to the number itself: doctest adds 1 to what it multiplies with epsilon.
doctest::Approx near(double value) {
    return doctest::Approx(value).scale(0);
}

/// xtensor cannot tell a matrix of one row from other things in braces.
template <class T>
Array<T> matrix(std::initializer_list<std::initializer_list<T>> rows) {
    Array<T> result = Array<T>::from_shape({rows.size(), rows.begin()->size()});
    T* element = result.data();
    for (const auto& row : rows) element = std::copy(row.begin(), row.end(), element);
    return result;
}

Array<double> product(const Array<double>& a, const Array<double>& b, bool transpose_a = false) {
    const std::size_t m = transpose_a ? a.shape(1) : a.shape(0), k = transpose_a ? a.shape(0) : a.shape(1);
    Array<double> c = Array<double>::from_shape({m, b.shape(1)});
    for (std::size_t i = 0; i < m; ++i)
        for (std::size_t j = 0; j < b.shape(1); ++j) {
            long double total = 0;
            for (std::size_t l = 0; l < k; ++l) total += (transpose_a ? a(l, i) : a(i, l)) * b(l, j);
            c(i, j) = static_cast<double>(total);
        }
    return c;
}

double largest_difference(const Array<double>& a, const Array<double>& b) {
    REQUIRE(a.shape() == b.shape());
    double largest = 0;
    for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a.data()[i] - b.data()[i]));
    return largest;
}

Array<double> identity(std::size_t n) {
    Array<double> result = Array<double>::from_shape({n, n});
    result.fill(0);
    for (std::size_t i = 0; i < n; ++i) result(i, i) = 1;
    return result;
}

/// S diag(..) S^-1 without an inverse: two similarity transforms by unit triangular matrices keep the eigenvalues.
Array<double> hidden_in_a_full_matrix(Array<double> a) {
    const std::size_t n = a.shape(0);
    Generator generator(3);
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j) {
            if (i == j) continue;
            // (I + s E_ij) A (I - s E_ij)
            const double s = 0.3 * generator.normal();
            for (std::size_t k = 0; k < n; ++k) a(i, k) += s * a(j, k);
            for (std::size_t k = 0; k < n; ++k) a(k, j) -= s * a(k, i);
        }
    return a;
}

}  // namespace

TEST_CASE("A = Q R with orthonormal Q and upper triangular R of no negative diagonal") {
    Generator generator(1);
    for (const Shape& shape : {Shape{1, 1}, Shape{5, 5}, Shape{40, 40}, Shape{70, 33}, Shape{3, 8}}) {
        CAPTURE(to_string(shape));
        const Array<double> a = randn<double>(shape, generator);
        const auto [q, r] = linalg::qr(a);
        CHECK(largest_difference(product(q, r), a) < 1e-13 * static_cast<double>(shape[0]));
        CHECK(largest_difference(product(q, q, true), identity(std::min(shape[0], shape[1]))) < 1e-13);
        for (std::size_t i = 0; i < r.shape(0); ++i) {
            CHECK(r(i, i) >= 0);
            for (std::size_t j = 0; j < std::min(i, r.shape(1)); ++j) CHECK(r(i, j) == 0);
        }
    }
}

TEST_CASE("singular values of matrices where they are known by hand") {
    // A'A = [[25, 20], [20, 25]], whose eigenvalues are 45 and 5.
    const std::vector<double> sigma = linalg::singular_values(matrix<double>({{3, 0}, {4, 5}}));
    CHECK(sigma[0] == near(std::sqrt(45)).epsilon(1e-14));
    CHECK(sigma[1] == near(std::sqrt(5)).epsilon(1e-14));
    // A column has one: its length; so has a row.
    CHECK(linalg::spectral_norm(matrix<double>({{2}, {3}, {6}})) == near(7).epsilon(1e-14));
    CHECK(linalg::spectral_norm(matrix<float>({{2, 3, 6}})) == near(7).epsilon(1e-14));
}

TEST_CASE("singular values of a random matrix: their squares are the eigenvalues of A'A") {
    Generator generator(2);
    const Array<double> a = randn<double>({20, 12}, generator);
    const std::vector<double> sigma = linalg::singular_values(a);
    const auto lambda = linalg::eigenvalues(product(a, a, true));
    REQUIRE(sigma.size() == 12);
    REQUIRE(lambda.size() == 12);
    for (std::size_t i = 0; i < 12; ++i) {
        CHECK(sigma[i] * sigma[i] == near(lambda[i].real()).epsilon(1e-11));
        CHECK(lambda[i].imag() == 0);
    }
}

TEST_CASE("A = U diag(sigma) V' with orthonormal U and V, and the singular values of before") {
    Generator generator(3);
    for (const Shape& shape : {Shape{1, 1}, Shape{6, 6}, Shape{20, 7}, Shape{4, 9}}) {
        CAPTURE(to_string(shape));
        const Array<double> a = randn<double>(shape, generator);
        const auto [u, sigma, vt] = linalg::svd(a);
        const std::size_t k = std::min(shape[0], shape[1]);
        Array<double> scaled = vt;
        for (std::size_t i = 0; i < k; ++i)
            for (std::size_t j = 0; j < shape[1]; ++j) scaled(i, j) *= sigma[i];
        CHECK(largest_difference(product(u, scaled), a) < 1e-13);
        CHECK(largest_difference(product(u, u, true), identity(k)) < 1e-13);
        for (std::size_t i = 0; i < k; ++i)
            for (std::size_t j = 0; j < k; ++j) {
                double inner = 0;
                for (std::size_t l = 0; l < shape[1]; ++l) inner += vt(i, l) * vt(j, l);
                CHECK(std::abs(inner - (i == j)) < 1e-13);
            }
        const std::vector<double> alone = linalg::singular_values(a);
        for (std::size_t i = 0; i < k; ++i) CHECK(sigma[i] == near(alone[i]).epsilon(1e-13));
    }
}

TEST_CASE("eigenvalues that were put into a matrix come out of it, by falling modulus, pairs from above") {
    Array<double> a = Array<double>::from_shape({5, 5});
    a.fill(0);
    a(0, 0) = -0.5;
    a(1, 1) = 3;
    a(2, 2) = -4;
    // A turn by 60 degrees and a stretch by 3.5.
    const double angle = std::numbers::pi / 3;
    a(3, 3) = a(4, 4) = 3.5 * std::cos(angle);
    a(3, 4) = -3.5 * std::sin(angle);
    a(4, 3) = 3.5 * std::sin(angle);
    const Array<double> full = hidden_in_a_full_matrix(a);
    const std::vector<std::complex<double>> expected{-4, std::polar(3.5, angle), std::polar(3.5, -angle), 3, -0.5};
    const auto lambda = linalg::eigenvalues(full);
    REQUIRE(lambda.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) CHECK(std::abs(lambda[i] - expected[i]) < 1e-12);
    CHECK(linalg::spectral_radius(full) == near(4).epsilon(1e-13));
}

TEST_CASE("rho is not the norm: a shear can stretch, and never grows") {
    const Array<double> shear = matrix<double>({{0.5, 100}, {0, 0.5}});
    CHECK(linalg::spectral_radius(shear) == near(0.5));
    CHECK(linalg::spectral_norm(shear) == near(100).epsilon(1e-3));
}

TEST_CASE("errors of decompositions") {
    CHECK_THROWS_WITH_AS(linalg::svd(Array<double>::from_shape({0, 2})),
                         "svd: a is [0, 2]: expected a matrix of at least one row and one column", ShapeError);
    CHECK_THROWS_WITH_AS(linalg::qr(Array<double>({1, 2, 3})),
                         "qr: a is [3]: expected a matrix of at least one row and one column", ShapeError);
    const Array<double> empty = Array<double>::from_shape({0, 4});
    CHECK_THROWS_WITH_AS(linalg::singular_values(empty),
                         "singular_values: a is [0, 4]: expected a matrix of at least one row and one column",
                         ShapeError);
    CHECK_THROWS_WITH_AS(linalg::eigenvalues(matrix<double>({{1, 2}})),
                         "eigenvalues: a is [1, 2]: expected a square matrix", ShapeError);
    CHECK_THROWS_WITH_AS(linalg::spectral_radius(matrix<float>({{1, 2}})),
                         "spectral_radius: a is [1, 2]: expected a square matrix", ShapeError);
    Array<double> nan = matrix<double>({{1, 2}, {3, 4}});
    nan(1, 0) = std::numeric_limits<double>::quiet_NaN();
    CHECK_THROWS_WITH_AS(linalg::spectral_norm(nan), "spectral_norm: a holds nan at [1, 0]: expected finite numbers",
                         ValueError);
}
