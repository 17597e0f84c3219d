#include <ebb/core/print_array.hpp>

#include <limits>
#include <numeric>

#include <doctest/doctest.h>

using ebb::Array;
using ebb::to_string;

TEST_CASE("arrays print as NumPy prints them") {
    CHECK(to_string(Array<double>(2.5)) == "2.5");
    CHECK(to_string(Array<double>{1, 2, 3}) == "[1, 2, 3]");
    CHECK(to_string(Array<float>{{1.5F, -2.0F}, {0.0F, 10.0F}}) ==
          "[[ 1.5, -2.0],\n"
          " [ 0.0, 10.0]]");
    CHECK(to_string(Array<std::int64_t>{{7, 8}, {-12, 9}}) ==
          "[[  7,   8],\n"
          " [-12,   9]]");
    CHECK(to_string(Array<double>{{{1, 2}}, {{3, 4}}}) ==
          "[[[1, 2]],\n"
          "\n"
          " [[3, 4]]]");
}

TEST_CASE("decimals: as many as some element needs, at most those asked for") {
    CHECK(to_string(Array<double>{1.0 / 3, 0.5}) == "[0.3333, 0.5000]");
    CHECK(to_string(Array<double>{1.0 / 3, 0.5}, {.decimals = 2}) == "[0.33, 0.50]");
    CHECK(to_string(Array<double>{0.25, 0.5}) == "[0.25, 0.50]");
    CHECK(to_string(Array<double>{-0.0, -0.00001, 1}, {.decimals = 5}) == "[ 0.00000, -0.00001,  1.00000]");
}

TEST_CASE("numbers too large or too small for fixed decimals are scientific") {
    CHECK(to_string(Array<double>{123456.0, 1}) == "[1.2346e+05, 1.0000e+00]");
    CHECK(to_string(Array<double>{1e-9, 0}) == "[1e-09, 0e+00]");
}

TEST_CASE("what is no number prints as such") {
    const double infinity = std::numeric_limits<double>::infinity();
    CHECK(to_string(Array<double>{0.5, -std::numeric_limits<double>::quiet_NaN(), -infinity}) == "[ 0.5,  nan, -inf]");
}

TEST_CASE("of large arrays the corners are shown; empty ones say their shape") {
    Array<double> large = Array<double>::from_shape({2000, 2000});
    std::iota(large.begin(), large.end(), 0.0);
    const std::string text = to_string(large, {.decimals = 0});
    CHECK(text.starts_with("[[0e+00, 1e+00, 2e+00, ..., 2e+03, 2e+03, 2e+03],\n [2e+03, "));
    CHECK(text.find("],\n ...,\n [") != std::string::npos);
    CHECK(text.ends_with("4e+06]]"));
    CHECK(to_string(Array<double>::from_shape({0})) == "[]");
    CHECK(to_string(Array<double>::from_shape({0, 3})) == "[] of shape [0, 3]");
}
