/// How long a student waits for the compiler: a program with <ebb/ebb.hpp> against one with the four standard headers
/// that a recurrent network written by hand would include, -O0. Most of the rest is xtensor's arrays, printed beside
/// it.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <fmt/format.h>

namespace {

/// Seconds from start to end of compiling `text`; the median of five runs.
double seconds_to_compile(const std::string& name, const std::string& text) {
    const std::filesystem::path folder = std::filesystem::temp_directory_path() / "ebb_compile_time";
    std::filesystem::create_directories(folder);
    const std::filesystem::path source = folder / (name + ".cpp");
    std::ofstream(source) << text;
    const std::string command = fmt::format("{} -std=c++20 -O0 {} -c '{}' -o '{}.o'", EBB_COMPILER, EBB_INCLUDES,
                                            source.string(), source.string());

    std::array<double, 5> seconds{};
    for (double& run : seconds) {
        const auto start = std::chrono::steady_clock::now();
        if (std::system(command.c_str()) != 0) {
            fmt::print(stderr, "the compiler failed: {}\n", command);
            std::exit(1);
        }
        run = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    }
    std::sort(seconds.begin(), seconds.end());
    return seconds[seconds.size() / 2];
}

}  // namespace

int main() {
    const double standard = seconds_to_compile("standard", R"(#include <cmath>
#include <iostream>
#include <random>
#include <vector>
int main() { std::cout << std::tanh(std::vector<double>{1, 2, 3}.back()) << '\n'; }
)");
    const double arrays = seconds_to_compile("arrays", R"(#include <ebb/core/array.hpp>
int main() {
    const ebb::Array<double> h{{1, 2, 3}};
    return static_cast<int>(h.dimension()) - 2;
}
)");
    const double umbrella = seconds_to_compile("umbrella", R"(#include <ebb/ebb.hpp>
int main() {
    const ebb::Array<double> h{{1, 2, 3}};
    return static_cast<int>(ebb::Shape::of(h.shape()).rank()) - 2;
}
)");
    fmt::print(
        "four standard headers    {:.2f} s\n<ebb/core/array.hpp>     {:.2f} s   {:.2f}\n"
        "<ebb/ebb.hpp>            {:.2f} s   {:.2f}\n",
        standard, arrays, arrays / standard, umbrella, umbrella / standard);
}
