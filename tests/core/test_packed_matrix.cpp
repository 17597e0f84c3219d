#include <ebb/core/array.hpp>
#include <ebb/core/instruction_set.hpp>
#include <ebb/core/packed_matrix.hpp>
#include <ebb/core/packed_matrix_kernels.hpp>
#include <ebb/core/random.hpp>

#include <cmath>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

using namespace ebb;

namespace {

template <class T>
void check_multiply_row(Transpose transposed, std::size_t k, std::size_t n, bool add) {
    CAPTURE(k);
    CAPTURE(n);
    const Array<T> x = normal<T>({1, k}, 0, 1);
    const Array<T> w = transposed == Transpose::yes ? normal<T>({n, k}, 0, 1) : normal<T>({k, n}, 0, 1);
    std::vector<T> memory(PackedMatrix<T>::size(k, n)), y(n + 1, T(2));
    const auto packed = PackedMatrix<T>::pack(transposed, k, n, w.data(), memory.data());
    if (!add) y[0] = std::numeric_limits<T>::quiet_NaN();
    packed.multiply_row(x.data(), add, y.data());
    for (std::size_t j = 0; j < n; ++j) {
        double expected = add ? 2 : 0;
        for (std::size_t i = 0; i < k; ++i)
            expected +=
                static_cast<double>(x(0, i)) * static_cast<double>(transposed == Transpose::yes ? w(j, i) : w(i, j));
        CHECK(std::abs(static_cast<double>(y[j]) - expected) <=
              30 * static_cast<double>(std::numeric_limits<T>::epsilon()) * static_cast<double>(k));
    }
    CHECK(y[n] == 2);
}

template <class T>
void check_multiply(Transpose transposed, std::size_t rows, std::size_t k, std::size_t n, bool add) {
    CAPTURE(rows);
    CAPTURE(k);
    CAPTURE(n);
    manual_seed(5);
    const std::size_t ldx = k + 3, ldy = n + 2;
    const Array<T> x = normal<T>({rows, ldx}, 0, 1);
    const Array<T> w = transposed == Transpose::yes ? normal<T>({n, k}, 0, 1) : normal<T>({k, n}, 0, 1);
    std::vector<T> memory(PackedMatrix<T>::size(k, n));
    const auto packed = PackedMatrix<T>::pack(transposed, k, n, w.data(), memory.data());
    // Without `add`, what was there does not matter.
    std::vector<T> y(rows * ldy, add ? T(2) : std::numeric_limits<T>::quiet_NaN());
    packed.multiply(rows, x.data(), ldx, add, y.data(), ldy);
    double worst = 0;
    for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t j = 0; j < n; ++j) {
            double expected = add ? 2 : 0;
            for (std::size_t i = 0; i < k; ++i)
                expected += static_cast<double>(x(r, i)) *
                            static_cast<double>(transposed == Transpose::yes ? w(j, i) : w(i, j));
            const double error = std::abs(static_cast<double>(y[r * ldy + j]) - expected);
            worst = error <= worst ? worst : error;
        }
        // The gap between the rows is nobody's.
        for (std::size_t j = n; j < ldy; ++j) CHECK((add ? y[r * ldy + j] == 2 : std::isnan(y[r * ldy + j])));
    }
    CHECK(worst <= 30 * static_cast<double>(std::numeric_limits<T>::epsilon()) * static_cast<double>(k));
}

}  // namespace

TEST_CASE_TEMPLATE("Y = X W and Y += X W with a packed W", T, float, double) {
    for (const std::size_t rows : {1u, 2u, 7u, 8u, 21u})
        for (const auto& [k, n] : {std::pair<std::size_t, std::size_t>{1, 1}, {5, 3}, {32, 32}, {40, 33}, {64, 100}})
            for (const Transpose transposed : {Transpose::no, Transpose::yes})
                for (const bool add : {false, true}) check_multiply<T>(transposed, rows, k, n, add);
}

TEST_CASE_TEMPLATE("y = x W and y += x W of a single row", T, float, double) {
    manual_seed(6);
    for (const std::size_t k : {1u, 3u, 4u, 9u, 32u})
        for (const std::size_t n : {1u, 5u, 8u, 16u, 17u, 33u, 100u})
            for (const Transpose transposed : {Transpose::no, Transpose::yes})
                for (const bool add : {false, true}) check_multiply_row<T>(transposed, k, n, add);
}

TEST_CASE_TEMPLATE("a row has the same bits whatever rows stand beside it", T, float, double) {
    const std::size_t rows = 23, k = 50, n = 70;
    const Array<T> x = normal<T>({rows, k}, 0, 1), w = normal<T>({k, n}, 0, 1);
    std::vector<T> memory(PackedMatrix<T>::size(k, n)), all(rows * n), alone(n);
    const auto packed = PackedMatrix<T>::pack(Transpose::no, k, n, w.data(), memory.data());
    packed.multiply(rows, x.data(), k, false, all.data(), n);
    for (std::size_t r = 0; r < rows; ++r) {
        packed.multiply(1, x.data() + r * k, k, false, alone.data(), n);
        CHECK(std::equal(alone.begin(), alone.end(), all.begin() + static_cast<std::ptrdiff_t>(r * n)));
    }
}

TEST_CASE_TEMPLATE("every instruction set multiplies", T, float, double) {
    const std::size_t rows = 9, k = 17, n = 20;
    const Array<T> x = normal<T>({rows, k}, 0, 1), w = normal<T>({k, n}, 0, 1);
    for (const InstructionSet set : available_instruction_sets()) {
        CAPTURE(to_string(set));
        const PackedMatrixKernels<T>& kernel = kernels<PackedMatrixKernels<T>>(set);
        const std::size_t width = kernel.panel_width;
        std::vector<T> packed((n + width - 1) / width * width * k, T(0)), y(rows * n);
        for (std::size_t i = 0; i < k; ++i)
            for (std::size_t j = 0; j < n; ++j) packed[j / width * width * k + i * width + j % width] = w(i, j);
        kernel.multiply(rows, k, n, x.data(), k, packed.data(), false, y.data(), n);
        for (std::size_t r = 0; r < rows; ++r)
            for (std::size_t j = 0; j < n; ++j) {
                double expected = 0;
                for (std::size_t i = 0; i < k; ++i)
                    expected += static_cast<double>(x(r, i)) * static_cast<double>(w(i, j));
                CHECK(std::abs(static_cast<double>(y[r * n + j]) - expected) <=
                      1000 * static_cast<double>(std::numeric_limits<T>::epsilon()));
            }
        std::vector<T> alone(n);
        kernel.multiply_row(k, n, x.data(), packed.data(), false, alone.data());
        for (std::size_t j = 0; j < n; ++j) CHECK(std::abs(alone[j] - y[j]) <= 100 * std::numeric_limits<T>::epsilon());
    }
}
