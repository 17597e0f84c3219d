/// How long a student waits for the compiler: a program with <ebb/ebb.hpp> against one with the four standard headers
/// that a recurrent network written by hand would include, -O0. Most of the rest is xtensor's arrays, printed beside
/// it. The programs are compiled in turns, so that a busy machine slows all of them alike.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace {

struct Program {
    std::string name;
    std::string text;
    std::vector<double> seconds{};
};

/// Seconds from start to end of compiling it.
double seconds_to_compile(const Program& program, const std::filesystem::path& source) {
    std::ofstream(source) << program.text;
    const std::string command = fmt::format("{} -std=c++20 -O0 {} -c '{}' -o '{}.o'", EBB_COMPILER, EBB_INCLUDES,
                                            source.string(), source.string());
    const auto start = std::chrono::steady_clock::now();
    if (std::system(command.c_str()) != 0) {
        fmt::print(stderr, "the compiler failed: {}\n", command);
        std::exit(1);
    }
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

}  // namespace

int main() {
    std::vector<Program> programs{{"four standard headers", R"(#include <cmath>
#include <iostream>
#include <random>
#include <vector>
int main() { std::cout << std::tanh(std::vector<double>{1, 2, 3}.back()) << '\n'; }
)"},
                                  {"<ebb/core/array.hpp>", R"(#include <ebb/core/array.hpp>
int main() {
    const ebb::Array<double> h{{1, 2, 3}};
    return static_cast<int>(h.dimension()) - 2;
}
)"},
                                  {"<ebb/ebb.hpp>", R"(#include <ebb/ebb.hpp>
int main() {
    const ebb::Array<double> h{{1, 2, 3}};
    return static_cast<int>(ebb::Shape::of(h.shape()).rank()) - 2;
}
)"}};
    const std::filesystem::path folder = std::filesystem::temp_directory_path() / "ebb_compile_time";
    std::filesystem::create_directories(folder);
    constexpr std::size_t rounds = 7;
    for (std::size_t round = 0; round < rounds; ++round)
        for (Program& program : programs)
            program.seconds.push_back(seconds_to_compile(program, folder / "program.cpp"));

    // The ratio of one round is of programs that were compiled next to each other.
    for (const Program& program : programs) {
        std::vector<double> ratios;
        for (std::size_t round = 0; round < rounds; ++round)
            ratios.push_back(program.seconds[round] / programs[0].seconds[round]);
        fmt::print("{:<24} {:.2f} s   {:.2f}\n", program.name, median(program.seconds), median(ratios));
    }
}
