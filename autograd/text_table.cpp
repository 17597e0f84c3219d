#include <ebb/autograd/text_table.hpp>

#include <algorithm>

namespace ebb {

bool TextColumn::empty() const {
    return std::all_of(cells.begin(), cells.end(), [](const auto& cell) { return cell.empty() || cell == "-"; });
}

std::size_t text_width(const std::string& text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string text_table(const std::vector<TextColumn>& columns, std::size_t gap, const std::string& gap_line) {
    std::vector<std::size_t> widths;
    for (const TextColumn& column : columns) {
        widths.push_back(text_width(column.header));
        for (const std::string& cell : column.cells) widths.back() = std::max(widths.back(), text_width(cell));
    }
    std::string text;
    const auto add_line = [&](const auto& cell_of) {
        std::string line;
        for (std::size_t k = 0; k < columns.size(); ++k) {
            const std::string& cell = cell_of(columns[k]);
            const std::string padding(widths[k] - text_width(cell), ' ');
            if (k > 0) line += "  ";
            line += columns[k].align == Align::left ? cell + padding : padding + cell;
        }
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + '\n';
    };
    add_line([](const TextColumn& column) -> const std::string& { return column.header; });
    for (std::size_t row = 0; row < columns[0].cells.size(); ++row) {
        if (row == gap) text += gap_line;
        add_line([row](const TextColumn& column) -> const std::string& { return column.cells[row]; });
    }
    return text;
}

}  // namespace ebb
