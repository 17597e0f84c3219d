#include <ebb/core/error.hpp>
#include <ebb/core/threads.hpp>

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

#include "support/threads.hpp"
#include <doctest/doctest.h>

using namespace ebb;
using namespace ebb::test;

TEST_CASE("there is one thread until the user asks for more") {
    CHECK(get_num_threads() == 1);
    const Threads three(3);
    CHECK(get_num_threads() == 3);
    CHECK_THROWS_WITH_AS(set_num_threads(0), "set_num_threads: count is 0, expected at least 1", ValueError);
    CHECK(get_num_threads() == 3);
}

TEST_CASE("every part is run once, whatever the number of threads") {
    for (const int threads : {1, 2, 3, 8}) {
        const Threads some(threads);
        for (const std::size_t parts : {0u, 1u, 2u, 7u, 1000u}) {
            CAPTURE(threads);
            CAPTURE(parts);
            std::vector<std::atomic<int>> runs(parts);
            parallel_for(parts, [&](std::size_t part) { ++runs[part]; });
            for (const auto& count : runs) CHECK(count == 1);
        }
    }
}

TEST_CASE("what a part has written is there when all are done") {
    const Threads four(4);
    std::vector<std::size_t> numbers(64);
    for (std::size_t round = 1; round <= 2000; ++round) {
        parallel_for(numbers.size(), [&](std::size_t part) { numbers[part] = round * part; });
        std::size_t wrong = 0;
        for (std::size_t part = 0; part < numbers.size(); ++part) wrong += numbers[part] != round * part;
        REQUIRE(wrong == 0);
    }
}

TEST_CASE("parts within a part, and from several threads of the program, are run as well") {
    const Threads two(2);
    std::atomic<int> inner{0};
    parallel_for(4, [&](std::size_t) { parallel_for(3, [&](std::size_t) { ++inner; }); });
    CHECK(inner == 12);

    std::atomic<int> outer{0};
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 3; ++caller)
        callers.emplace_back([&] {
            for (int round = 0; round < 100; ++round) parallel_for(5, [&](std::size_t) { ++outer; });
        });
    for (std::thread& caller : callers) caller.join();
    CHECK(outer == 1500);
}

TEST_CASE("what a part throws comes out, and the pool goes on") {
    for (const int threads : {1, 3}) {
        const Threads some(threads);
        CHECK_THROWS_WITH_AS(parallel_for(8,
                                          [](std::size_t part) {
                                              if (part == 5) throw std::runtime_error("part 5");
                                          }),
                             "part 5", std::runtime_error);
        std::atomic<int> runs{0};
        parallel_for(8, [&](std::size_t) { ++runs; });
        CHECK(runs == 8);
    }
}
