#pragma once
/// Columns of numbers from a CSV file.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace lab {

struct SeriesFile {
    std::string path;                ///< for messages
    std::vector<std::string> names;  ///< of the columns: the header's, or "column 1"
    std::vector<double> values;      ///< [rows, columns]
    std::uint64_t hash = 0;          ///< FNV-1a (64 bits) of the file's bytes

    std::size_t columns() const noexcept { return names.size(); }
    std::size_t rows() const noexcept { return names.empty() ? 0 : values.size() / names.size(); }
};

/// The columns that `columns` names, with commas between them (all of them where it is empty): by the name in the
/// header, or by number from 1. The first line is a header unless each of its chosen cells is a number; empty lines are
/// left out; cells may be quoted ("1.5") and have spaces around them. Throws ebb::FileError for a file that cannot be
/// read or is no text, and ebb::ValueError, with file, line and column, for a line of another number of cells, a cell
/// that is no finite number, a column that is not there, and a file without rows.
SeriesFile read_series(const std::string& path, const std::string& columns = {});

}  // namespace lab
