// Matrix products against three loops in long double.

#include <ebb/core/blas.hpp>
#include <ebb/core/blas_kernels.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/instruction_set.hpp>
#include <ebb/core/threads.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

using namespace ebb;

namespace {

constexpr Transpose both[] = {Transpose::no, Transpose::yes};

/// A row-major matrix whose rows lie `distance` apart; what lies between them is a marker that must stay.
template <class T>
struct Matrix {
    std::size_t rows, columns, distance;
    std::vector<T> data;
    static constexpr T marker = T(12345);

    Matrix(std::size_t row_count, std::size_t column_count, std::size_t gap, std::uint64_t seed)
        : rows(row_count), columns(column_count), distance(column_count + gap), data(rows * distance, marker) {
        std::uint64_t state = seed * 2654435761u + 1;
        for (std::size_t i = 0; i < rows; ++i)
            for (std::size_t j = 0; j < columns; ++j) {
                state = state * 6364136223846793005u + 1442695040888963407u;
                at(i, j) = static_cast<T>(static_cast<double>(state >> 40) / double(1 << 23) - 1);
            }
    }
    T& at(std::size_t i, std::size_t j) { return data[i * distance + j]; }
    const T& at(std::size_t i, std::size_t j) const { return data[i * distance + j]; }
    void fill(T value) {
        for (std::size_t i = 0; i < rows; ++i)
            for (std::size_t j = 0; j < columns; ++j) at(i, j) = value;
    }
};

template <class T>
void check_gemm(Transpose ta, Transpose tb, std::size_t m, std::size_t n, std::size_t k, T alpha, T beta,
                std::size_t gap) {
    const bool a_transposed = ta == Transpose::yes;
    const bool b_transposed = tb == Transpose::yes;
    const Matrix<T> a(a_transposed ? k : m, a_transposed ? m : k, gap, 1);
    const Matrix<T> b(b_transposed ? n : k, b_transposed ? k : n, 2 * gap, 2);
    Matrix<T> c(m, n, 3 * gap, 3);
    const Matrix<T> c_before = c;
    if (beta == 0) c.fill(std::numeric_limits<T>::quiet_NaN());

    gemm<T>(ta, tb, m, n, k, alpha, a.data.data(), a.distance, b.data.data(), b.distance, beta, c.data.data(),
            c.distance);

    double worst = 0;
    for (std::size_t i = 0; i < m; ++i)
        for (std::size_t j = 0; j < n; ++j) {
            long double sum = 0;
            for (std::size_t l = 0; l < k; ++l)
                sum += static_cast<long double>(a_transposed ? a.at(l, i) : a.at(i, l)) *
                       static_cast<long double>(b_transposed ? b.at(j, l) : b.at(l, j));
            const long double expected = alpha * sum + (beta == 0 ? 0 : beta * c_before.at(i, j));
            const double error = std::fabs(static_cast<double>(c.at(i, j) - expected));
            worst = std::isnan(error) ? error : std::max(worst, error);
        }
    INFO("m=" << m << " n=" << n << " k=" << k << " a'=" << a_transposed << " b'=" << b_transposed << " alpha=" << alpha
              << " beta=" << beta << " gap=" << gap);
    CHECK(worst <= (static_cast<double>(k) + 4) * static_cast<double>(std::numeric_limits<T>::epsilon()));
    for (std::size_t i = 0; i < m; ++i)
        for (std::size_t j = n; j < c.distance; ++j) CHECK(c.data[i * c.distance + j] == Matrix<T>::marker);
}

}  // namespace

TEST_CASE_TEMPLATE("gemm agrees with three loops: all sizes, transposes, row distances and factors", T, float, double) {
    for (const Transpose ta : both)
        for (const Transpose tb : both)
            for (const std::size_t gap : {0u, 3u})
                for (const std::size_t m : {0u, 1u, 2u, 7u, 33u})
                    for (const std::size_t n : {0u, 1u, 2u, 7u, 33u})
                        for (const std::size_t k : {0u, 1u, 2u, 5u, 41u}) {
                            check_gemm<T>(ta, tb, m, n, k, T(1), T(0), gap);
                            check_gemm<T>(ta, tb, m, n, k, T(1), T(1), gap);
                            check_gemm<T>(ta, tb, m, n, k, T(-0.5), T(0.25), gap);
                            check_gemm<T>(ta, tb, m, n, k, T(0), T(0.5), gap);
                            check_gemm<T>(ta, tb, m, n, k, T(0), T(0), gap);
                        }
}

TEST_CASE_TEMPLATE("every instruction set computes the same outer product", T, float, double) {
    const Matrix<T> a(9, 1, 2, 1);
    const Matrix<T> b(1, 37, 0, 2);
    for (const InstructionSet set : available_instruction_sets())
        for (const T beta : {T(0), T(1), T(0.5)}) {
            Matrix<T> c(9, 37, 5, 3);
            const Matrix<T> before = c;
            kernels<BlasKernels<T>>(set).outer_product(9, 37, T(2), a.data.data(), a.distance, b.data.data(), beta,
                                                       c.data.data(), c.distance);
            for (std::size_t i = 0; i < 9; ++i)
                for (std::size_t j = 0; j < 37; ++j)
                    CHECK(c.at(i, j) ==
                          doctest::Approx(2 * a.at(i, 0) * b.at(0, j) + beta * before.at(i, j)).epsilon(1e-5));
            for (std::size_t i = 0; i < 9; ++i)
                for (std::size_t j = 37; j < 42; ++j) CHECK(c.data[i * c.distance + j] == Matrix<T>::marker);
        }
}

TEST_CASE("gemm refuses rows that overlap and extents that BLAS cannot count") {
    double x[4] = {};
    CHECK_THROWS_WITH_AS(gemm(Transpose::no, Transpose::no, 2, 2, 2, 1.0, x, 1, x, 2, 0.0, x, 2),
                         "gemm: lda is 1, expected at least 2, the length of a row", ShapeError);
    CHECK_THROWS_WITH_AS(gemm(Transpose::yes, Transpose::yes, 1, 1, 2, 1.0, x, 1, x, 1, 0.0, x, 1),
                         "gemm: ldb is 1, expected at least 2, the length of a row", ShapeError);
    CHECK_THROWS_WITH_AS(gemm(Transpose::no, Transpose::no, 1, 2, 1, 1.0, x, 1, x, 2, 0.0, x, 0),
                         "gemm: ldc is 0, expected at least 2, the length of a row", ShapeError);
    CHECK_THROWS_WITH_AS(gemm(Transpose::no, Transpose::no, 2, 2, 2, 1.0, x, std::size_t{1} << 31, x, 2, 0.0, x, 2),
                         "gemm: an extent is 2147483648, expected at most 2147483647", ValueError);
}

TEST_CASE("a large product has the same bits on any number of threads") {
    const auto product = [](std::size_t m, std::size_t n, Transpose transpose_a, Transpose transpose_b) {
        const bool at = transpose_a == Transpose::yes, bt = transpose_b == Transpose::yes;
        const Matrix<float> a(at ? 70 : m, at ? m : 70, 0, 1);
        const Matrix<float> b(bt ? n : 70, bt ? 70 : n, 0, 2);
        std::vector<float> c(m * n, 1.0F);
        gemm(transpose_a, transpose_b, m, n, 70, 1, a.data.data(), at ? m : 70, b.data.data(), bt ? 70 : n, 1, c.data(),
             n);
        return c;
    };
    for (const auto& [m, n] : {std::pair<std::size_t, std::size_t>{1000, 90}, {33, 1500}, {513, 513}})
        for (const Transpose ta : {Transpose::no, Transpose::yes})
            for (const Transpose tb : {Transpose::no, Transpose::yes}) {
                const std::vector<float> one = product(m, n, ta, tb);
                for (const int threads : {2, 5}) {
                    set_num_threads(threads);
                    const bool same = product(m, n, ta, tb) == one;
                    set_num_threads(1);
                    CHECK(same);
                }
            }
    check_gemm<double>(Transpose::no, Transpose::yes, 530, 140, 150, 1.0, 0.0, 1);
    check_gemm<double>(Transpose::yes, Transpose::no, 20, 900, 150, 1.0, 1.0, 1);
}

TEST_CASE("one thread gives the same bits every time, and several threads of the program may multiply at once") {
    const Matrix<float> a(64, 96, 0, 1);
    const Matrix<float> b(96, 80, 0, 2);
    const auto product = [&] {
        std::vector<float> c(64 * 80);
        gemm(Transpose::no, Transpose::no, 64, 80, 96, 1, a.data.data(), 96, b.data.data(), 80, 0, c.data(), 80);
        return c;
    };
    const std::vector<float> expected = product();
    bool same[4] = {};
    std::vector<std::thread> threads;
    for (bool& result : same)
        threads.emplace_back([&] {
            result = true;
            for (int repeat = 0; repeat < 20; ++repeat) result = result && product() == expected;
        });
    for (std::thread& thread : threads) thread.join();
    for (const bool result : same) CHECK(result);
}
