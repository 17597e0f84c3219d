#include <ebb/core/instruction_set.hpp>
#include <ebb/core/products.hpp>
#include <ebb/core/products_kernels.hpp>
#include <ebb/core/random.hpp>

#include <cmath>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

using namespace ebb;

namespace {

/// Terms of a few rows each, that lie in wider rows; their sum and their norms by loops in long double.
template <class T>
struct Case {
    std::size_t m, n;
    std::vector<Array<T>> a, b;
    std::vector<ProductTerm<T>> terms;
    std::vector<long double> sum;
    std::vector<double> norms, column_norms;

    Case(std::size_t rows_of_c, std::size_t columns, const std::vector<std::size_t>& rows, std::size_t gap,
         T a_scale = 1, T b_scale = 1)
        : m(rows_of_c), n(columns), sum(m * n, 0) {
        manual_seed(3);
        for (const std::size_t r : rows) {
            a.push_back(normal<T>({r, m + gap}, 0, 1) * a_scale);
            b.push_back(normal<T>({r, n + gap}, 0, 1) * b_scale);
        }
        for (std::size_t k = 0; k < rows.size(); ++k) {
            terms.push_back({a[k].data(), b[k].data(), rows[k], m + gap, n + gap});
            long double squares = 0, column_squares = 0;
            for (std::size_t i = 0; i < m; ++i) {
                long double column = 0;
                for (std::size_t r = 0; r < rows[k]; ++r) column += static_cast<long double>(a[k](r, i));
                column_squares += column * column;
                for (std::size_t j = 0; j < n; ++j) {
                    long double element = 0;
                    for (std::size_t r = 0; r < rows[k]; ++r)
                        element += static_cast<long double>(a[k](r, i)) * static_cast<long double>(b[k](r, j));
                    sum[i * n + j] += element;
                    squares += element * element;
                }
            }
            norms.push_back(static_cast<double>(std::sqrt(squares)));
            column_norms.push_back(static_cast<double>(std::sqrt(column_squares)));
        }
    }
};

template <class T>
double tolerance() {
    return 200 * static_cast<double>(std::numeric_limits<T>::epsilon());
}

template <class T>
void check_sum(const std::vector<T>& c, const std::vector<long double>& expected) {
    long double difference = 0, size = 0;
    for (std::size_t k = 0; k < expected.size(); ++k) {
        const long double d = static_cast<long double>(c[k]) - expected[k];
        difference += d * d;
        size += expected[k] * expected[k];
    }
    CHECK(static_cast<double>(std::sqrt(difference)) <= tolerance<T>() * static_cast<double>(std::sqrt(size)));
}

const std::vector<std::vector<std::size_t>> row_counts = {
    {1}, {16}, {8, 8, 8}, {1, 1, 1, 1, 1}, {300}, {5, 0, 300, 2}, std::vector<std::size_t>(40, 16)};
const std::vector<std::pair<std::size_t, std::size_t>> sizes = {{1, 1},   {3, 5},   {4, 32},   {16, 8},
                                                                {64, 64}, {20, 33}, {33, 100}, {8, 300}};

}  // namespace

TEST_CASE_TEMPLATE("a sum of products and the norm of each", T, float, double) {
    for (const auto& size : sizes)
        for (const auto& rows : row_counts)
            for (const std::size_t gap : {0u, 7u}) {
                const std::size_t m = size.first, n = size.second;
                CAPTURE(m);
                CAPTURE(n);
                CAPTURE(rows.size());
                const Case<T> c(m, n, rows, gap);
                // The sum is added to what is there.
                std::vector<T> with(m * n, T(1)), without(m * n, T(1));
                std::vector<long double> expected = c.sum;
                for (long double& element : expected) element += 1;
                std::vector<double> norms(rows.size(), -1);
                add_products<T>(c.terms, m, n, with.data(), n, norms.data());
                add_products<T>(c.terms, m, n, without.data(), n, nullptr);
                check_sum(with, expected);
                check_sum(without, expected);
                for (std::size_t k = 0; k < rows.size(); ++k)
                    CHECK(norms[k] == doctest::Approx(c.norms[k]).epsilon(tolerance<T>()));
            }
}

TEST_CASE_TEMPLATE("every instruction set computes it", T, float, double) {
    const Case<T> c(37, 50, {16, 16, 3}, 0);
    for (const InstructionSet set : available_instruction_sets()) {
        CAPTURE(to_string(set));
        const ProductKernels<T>& kernel = kernels<ProductKernels<T>>(set);
        std::vector<T> sum(c.m * c.n, T(0)), scratch(kernel.scratch_size(35, c.n));
        double squared[3];
        kernel.add_products(c.terms.data(), 3, c.m, c.n, sum.data(), c.n, scratch.data(), squared);
        check_sum(sum, c.sum);
        std::vector<T> columns(c.m, T(0));
        for (std::size_t k = 0; k < 3; ++k) {
            CHECK(std::sqrt(squared[k]) == doctest::Approx(c.norms[k]).epsilon(tolerance<T>()));
            CHECK(std::sqrt(kernel.add_column_sums(c.terms[k], c.m, columns.data())) ==
                  doctest::Approx(c.column_norms[k]).epsilon(tolerance<T>()));
        }
    }
}

TEST_CASE_TEMPLATE("only the given columns of C are written", T, float, double) {
    const Case<T> c(5, 6, {9}, 0);
    std::vector<T> sum(5 * 8, T(0));
    add_products<T>(c.terms, 5, 6, sum.data(), 8, nullptr);
    for (std::size_t i = 0; i < 5; ++i) {
        CHECK(static_cast<double>(sum[i * 8 + 5]) ==
              doctest::Approx(static_cast<double>(c.sum[i * 6 + 5])).epsilon(tolerance<T>()));
        CHECK(sum[i * 8 + 6] == 0);
        CHECK(sum[i * 8 + 7] == 0);
    }
}

TEST_CASE_TEMPLATE("column sums and the norm of each term's", T, float, double) {
    for (const std::size_t m : {1u, 5u, 16u, 100u}) {
        const Case<T> c(m, 1, {16, 0, 3, 500}, 2);
        std::vector<T> sums(m, T(0));
        std::vector<double> norms(4);
        add_column_sums<T>(c.terms, m, sums.data(), norms.data());
        for (std::size_t i = 0; i < m; ++i) {
            long double expected = 0;
            for (std::size_t k = 0; k < 4; ++k)
                for (std::size_t r = 0; r < c.terms[k].rows; ++r) expected += static_cast<long double>(c.a[k](r, i));
            CHECK(static_cast<double>(sums[i]) ==
                  doctest::Approx(static_cast<double>(expected)).epsilon(10 * tolerance<T>()));
        }
        for (std::size_t k = 0; k < 4; ++k)
            CHECK(norms[k] == doctest::Approx(c.column_norms[k]).epsilon(tolerance<T>()));
    }
}

TEST_CASE_TEMPLATE("norms are right where the squares of the type are not", T, float, double) {
    const bool is_float = std::is_same_v<T, float>;
    const T small = is_float ? T(1e-25) : T(1e-200), large = is_float ? T(1e+15) : T(1e+120);
    for (const auto& [a_scale, b_scale] : {std::pair{small, T(1)}, {T(1), small}, {large, large}}) {
        const Case<T> c(12, 20, {16, 4}, 3, a_scale, b_scale);
        std::vector<T> sum(c.m * c.n, T(0));
        std::vector<double> norms(2);
        add_products<T>(c.terms, c.m, c.n, sum.data(), c.n, norms.data());
        for (std::size_t k = 0; k < 2; ++k) CHECK(norms[k] == doctest::Approx(c.norms[k]).epsilon(tolerance<T>()));
        std::vector<T> columns(c.m, T(0));
        add_column_sums<T>(c.terms, c.m, columns.data(), norms.data());
        for (std::size_t k = 0; k < 2; ++k)
            CHECK(norms[k] == doctest::Approx(c.column_norms[k]).epsilon(tolerance<T>()));
    }
}

TEST_CASE_TEMPLATE("zeros have norm 0, NaN has norm NaN", T, float, double) {
    std::vector<T> a(16 * 8, T(0)), b(16 * 4, T(1)), sum(8 * 4, T(0));
    const std::vector<ProductTerm<T>> terms{{a.data(), b.data(), 16, 8, 4}};
    double norm = -1;
    add_products<T>(terms, 8, 4, sum.data(), 4, &norm);
    CHECK(norm == 0);
    a[5] = std::numeric_limits<T>::quiet_NaN();
    add_products<T>(terms, 8, 4, sum.data(), 4, &norm);
    CHECK(std::isnan(norm));
}
