#pragma once
/// For tests that hold a page to a program.

#include <cstddef>
#include <string>

#include <doctest/doctest.h>

/// The lines between two marks, without spaces at their beginnings.
inline std::string between(const std::string& text, const std::string& begin, const std::string& end) {
    const std::size_t from = text.find(begin);
    REQUIRE(from != std::string::npos);
    const std::size_t start = text.find('\n', from) + 1;
    const std::size_t stop = text.find(end, start);
    REQUIRE(stop != std::string::npos);
    std::string result;
    bool at_beginning = true;
    for (const char c : text.substr(start, stop - start)) {
        if (at_beginning && c == ' ') continue;
        at_beginning = c == '\n';
        result += c;
    }
    return result;
}
