#pragma once
/// For tests that hold a page to a program.

#include <ebb/core/file.hpp>

#include <cstddef>
#include <string>

#include <doctest/doctest.h>

/// Without the spaces at the beginnings of lines: what is indented in a program stands at the margin of a page.
inline std::string without_indent(const std::string& text) {
    std::string result;
    bool at_beginning = true;
    for (const char c : text) {
        if (at_beginning && c == ' ') continue;
        at_beginning = c == '\n';
        result += c;
    }
    return result;
}

/// The lines between two marks, without indent.
inline std::string between(const std::string& text, const std::string& begin, const std::string& end) {
    const std::size_t from = text.find(begin);
    REQUIRE(from != std::string::npos);
    const std::size_t start = text.find('\n', from) + 1;
    const std::size_t stop = text.find(end, start);
    REQUIRE(stop != std::string::npos);
    return without_indent(text.substr(start, stop - start));
}

/// Checks that each C++ snippet of docs/PAGE stands in tests/SOURCE, which runs it. Gives their number.
inline std::size_t check_snippets(const std::string& page, const std::string& source) {
    const std::string tests = std::string(EBB_GOLDEN_DIR) + "/../";
    const std::string text = without_indent(ebb::read_file(tests + "../docs/" + page));
    const std::string program = without_indent(ebb::read_file(tests + source));
    const std::string fence = "```cpp\n";
    std::size_t snippets = 0;
    for (std::size_t at = text.find(fence); at != std::string::npos; at = text.find(fence, at)) {
        const std::size_t begin = at + fence.size(), end = text.find("```", begin);
        REQUIRE(end != std::string::npos);
        const std::string snippet = text.substr(begin, end - begin);
        CHECK_MESSAGE(program.find(snippet) != std::string::npos, page << " shows what no test runs:\n" << snippet);
        ++snippets;
        at = end + 3;
    }
    return snippets;
}
