#pragma once
/// Tables for the terminal: columns as wide as their widest cell.

#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace ebb {

enum class Align { left, right };

struct TextColumn {
    std::string header;
    Align align;
    std::vector<std::string> cells;

    /// Whether no cell says anything.
    bool empty() const;
};

/// Characters, not bytes: text may be UTF-8.
std::size_t text_width(const std::string& text);

/// Lines without trailing spaces. `gap` is a row before which a line of its own stands.
std::string text_table(const std::vector<TextColumn>& columns,
                       std::size_t gap = std::numeric_limits<std::size_t>::max(), const std::string& gap_line = {});

}  // namespace ebb
