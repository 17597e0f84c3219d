#include <ebb/core/arena.hpp>
#include <ebb/core/error.hpp>

#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include <doctest/doctest.h>

using namespace ebb;

namespace {

std::uintptr_t address(const void* pointer) {
    return reinterpret_cast<std::uintptr_t>(pointer);
}

}  // namespace

TEST_CASE("large allocations begin on a cache line, and small ones never cross one") {
    Arena arena;
    for (std::size_t bytes = 0; bytes < 300; ++bytes) {
        const std::uintptr_t start = address(arena.allocate(bytes));
        REQUIRE(start != 0);
        CHECK(start % 16 == 0);
        if (bytes > 32)
            CHECK(start % Arena::alignment == 0);
        else if (bytes > 0)
            CHECK(start / 64 == (start + bytes - 1) / 64);
    }
}

TEST_CASE("allocations are apart from each other and hold what is written to them") {
    Arena arena;
    std::mt19937 random(1);
    std::vector<std::pair<unsigned char*, std::size_t>> pieces;
    for (int i = 0; i < 3000; ++i) {
        const std::size_t bytes = i % 500 == 499 ? 300'000 : random() % 200;
        pieces.emplace_back(static_cast<unsigned char*>(arena.allocate(bytes)), bytes);
        std::memset(pieces.back().first, i % 251, bytes);
    }
    int wrong = 0;
    for (int i = 0; i < 3000; ++i)
        for (std::size_t j = 0; j < pieces[static_cast<std::size_t>(i)].second; ++j)
            wrong += pieces[static_cast<std::size_t>(i)].first[j] != i % 251;
    CHECK(wrong == 0);
}

TEST_CASE("after clear the same work takes the same memory, and asks the system for none") {
    Arena arena;
    const auto work = [&] {
        std::vector<void*> pieces;
        std::mt19937 random(2);
        for (int i = 0; i < 5000; ++i) pieces.push_back(arena.allocate(random() % 3000));
        pieces.push_back(arena.allocate(9'000'000));
        for (int i = 0; i < 100; ++i) pieces.push_back(arena.allocate(random() % 300));
        return pieces;
    };
    const std::vector<void*> first = work();
    const std::size_t chunks = arena.allocations();
    const std::size_t used = arena.bytes_used();
    const std::size_t reserved = arena.bytes_reserved();
    CHECK(chunks > 2);
    CHECK(used >= 9'000'000);
    CHECK(reserved >= used);
    for (int pass = 0; pass < 3; ++pass) {
        arena.clear();
        CHECK(arena.bytes_used() == 0);
        CHECK(work() == first);
        CHECK(arena.allocations() == chunks);
        CHECK(arena.bytes_used() == used);
        CHECK(arena.bytes_reserved() == reserved);
    }
    CHECK(arena.peak_bytes_used() == used);
}

TEST_CASE("the number of chunks grows with the logarithm of the memory") {
    Arena arena;
    for (int i = 0; i < 40'000; ++i) arena.allocate(1000);
    CHECK(arena.allocations() <= 11);
    CHECK(arena.bytes_reserved() <= 3 * arena.bytes_used());
}

TEST_CASE("a pass that goes another way uses the chunks that are there") {
    Arena arena;
    arena.allocate(100'000);
    arena.allocate(3'000'000);
    arena.allocate(100'000);
    const std::size_t chunks = arena.allocations();
    arena.clear();
    arena.allocate(2'900'000);
    arena.allocate(90'000);
    arena.allocate(80'000);
    CHECK(arena.allocations() == chunks);
}

TEST_CASE("rewind gives back what came after the mark") {
    Arena arena;
    CHECK(arena.bytes_used() == 0);
    const Arena::Mark empty = arena.mark();
    double* kept = arena.allocate<double>(10);
    for (int i = 0; i < 10; ++i) kept[i] = i;
    const Arena::Mark mark = arena.mark();
    const std::size_t used = arena.bytes_used();
    const void* next = arena.allocate(100);
    for (int i = 0; i < 1000; ++i) arena.allocate(5000);
    const std::size_t peak = arena.bytes_used();
    arena.rewind(mark);
    CHECK(arena.bytes_used() == used);
    CHECK(arena.peak_bytes_used() == peak);
    CHECK(arena.allocate(100) == next);
    for (int i = 0; i < 10; ++i) CHECK(kept[i] == i);
    arena.rewind(mark);
    arena.rewind(empty);
    CHECK(arena.bytes_used() == 0);
    CHECK(arena.allocate<double>(10) == kept);
}

TEST_CASE("a mark that lies ahead is refused, and changes nothing") {
    const char* message =
        "Arena::rewind: the mark lies ahead: it was taken before a rewind or clear, or in another arena";
    Arena arena;
    arena.allocate(10);
    const Arena::Mark early = arena.mark();
    arena.allocate(1000);
    const Arena::Mark late = arena.mark();
    arena.allocate(1'000'000);
    const Arena::Mark in_another_chunk = arena.mark();
    arena.rewind(early);
    const std::size_t used = arena.bytes_used();
    CHECK_THROWS_WITH_AS(arena.rewind(late), message, ValueError);
    CHECK_THROWS_WITH_AS(arena.rewind(in_another_chunk), message, ValueError);
    Arena other;
    other.allocate(10);
    CHECK_THROWS_WITH_AS(other.rewind(early), message, ValueError);
    CHECK(arena.bytes_used() == used);
}

TEST_CASE("release gives the memory to the system, and the arena works on") {
    Arena arena;
    arena.allocate(1'000'000);
    const std::size_t peak = arena.bytes_used();
    arena.release();
    CHECK(arena.bytes_reserved() == 0);
    CHECK(arena.bytes_used() == 0);
    CHECK(arena.peak_bytes_used() == peak);
    CHECK(arena.allocate(5) != nullptr);
}

TEST_CASE("more than there can be is refused, and changes nothing") {
    Arena arena;
    arena.allocate(10);
    const std::size_t used = arena.bytes_used();
    CHECK_THROWS_AS(arena.allocate<double>(std::numeric_limits<std::size_t>::max() / 4), std::bad_alloc);
    CHECK_THROWS_AS(arena.allocate(std::numeric_limits<std::size_t>::max() - 5), std::bad_alloc);
    CHECK(arena.bytes_used() == used);
    CHECK(arena.allocate(10) != nullptr);
}

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>

TEST_CASE("the sanitizer knows what is allocated and what is not") {
    Arena arena;
    char* piece = arena.allocate<char>(24);
    CHECK_FALSE(__asan_address_is_poisoned(piece));
    CHECK_FALSE(__asan_address_is_poisoned(piece + 23));
    CHECK(__asan_address_is_poisoned(piece + 24));
    const Arena::Mark mark = arena.mark();
    char* later = arena.allocate<char>(1000);
    CHECK_FALSE(__asan_address_is_poisoned(later + 999));
    arena.rewind(mark);
    CHECK(__asan_address_is_poisoned(later));
    CHECK_FALSE(__asan_address_is_poisoned(piece));
    arena.clear();
    CHECK(__asan_address_is_poisoned(piece));
}
#endif
