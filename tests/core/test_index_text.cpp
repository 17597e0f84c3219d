#include <ebb/core/index_text.hpp>

#include <doctest/doctest.h>

using namespace ebb;

TEST_CASE("an element's index, row by row") {
    CHECK(index_text(7, {3, 5}) == "[1, 2]");
    CHECK(index_text(14, {3, 5}) == "[2, 4]");
    CHECK(index_text(23, {2, 3, 4}) == "[1, 2, 3]");
    CHECK(index_text(4, {5}) == "[4]");
    CHECK(index_text(0, {}) == "[]");
}
