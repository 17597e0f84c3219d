#include "gradient_flow/values.hpp"

#include <ebb/core/error.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>

#include <fmt/format.h>

namespace lab {
namespace {

constexpr double most_values = 10'000;

std::vector<std::string> split(std::string_view text, char at) {
    std::vector<std::string> parts;
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find(at, begin), text.size());
        parts.emplace_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return parts;
}

void add_range(std::string_view option, const std::string& range, std::vector<std::string>& values) {
    const auto refuse = [&](std::string_view expected) {
        ebb::fail<ebb::ValueError>(fmt::format("gradient_flow: {} is '{}': expected {}", option, range, expected));
    };
    const std::vector<std::string> parts = split(range, ':');
    if (parts.size() > 3) refuse("a range FIRST:LAST or FIRST:LAST:STEP");
    double numbers[3] = {0, 0, 1};
    for (std::size_t k = 0; k < parts.size(); ++k) {
        const char* const end = parts[k].data() + parts[k].size();
        const auto [rest, error] = std::from_chars(parts[k].data(), end, numbers[k]);
        if (error != std::errc() || rest != end || !std::isfinite(numbers[k]))
            refuse("a range FIRST:LAST or FIRST:LAST:STEP of numbers");
    }
    const auto [first, last, step] = numbers;
    if (step == 0 || (last - first) / step < 0) refuse("a step that leads from the first value to the last");
    // A hair more, since (1.5 - 0.5) / 0.1 may come out below 10.
    const double count = std::floor((last - first) / step * (1 + 1e-12) + 1e-9) + 1;
    if (!(count <= most_values)) refuse("at most 10000 values");
    for (std::size_t k = 0; k < static_cast<std::size_t>(count); ++k) {
        const double value = first + static_cast<double>(k) * step;
        // Where a range passes 0, the binary sum may miss it by a hair.
        values.push_back(fmt::format("{:.12g}", std::abs(value) < 1e-9 * std::abs(step) ? 0.0 : value));
    }
}

}  // namespace

std::vector<std::string> split_at_commas(std::string_view text) {
    return split(text, ',');
}

std::vector<std::string> expand_values(std::string_view option, std::string_view text) {
    std::vector<std::string> values;
    for (const std::string& part : split_at_commas(text)) {
        if (part.find(':') == std::string::npos)
            values.push_back(part);
        else
            add_range(option, part, values);
    }
    return values;
}

}  // namespace lab
