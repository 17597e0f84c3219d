#pragma once
/// Arrays in files: the safetensors format, which PyTorch, NumPy and others read and write too.
///
/// A file is 8 bytes with the length of a header, the header in JSON (each array's name, type, shape and place), and
/// the arrays' bytes, row-major and little-endian, one after the other. Nothing in it is ever executed, and every claim
/// of the header is checked against the file before memory is taken.

#include <ebb/core/array.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace ebb {

/// An array of one of the types that files hold: F32, F64, I64, I32, U8, BOOL.
using AnyArray = std::variant<Array<float>, Array<double>, Array<std::int64_t>, Array<std::int32_t>,
                              Array<std::uint8_t>, Array<bool>>;

/// The format's name of an array's type: "F32".
const char* dtype_name(const AnyArray& array);

/// Named arrays, and named strings about them.
struct ArrayFile {
    std::map<std::string, AnyArray> arrays;
    std::map<std::string, std::string> metadata;
    std::string path;  ///< where it was read from, for error messages

    bool contains(const std::string& name) const;
    std::vector<std::string> names() const;

    /// The array called `name`, of exactly this type. Throws FileError, naming the file, when there is none of that
    /// name, or when its type is another.
    template <class T>
    const Array<T>& get(const std::string& name) const;
    /// The array called `name`, of float or double, as an array of T (float or double). Throws FileError like `get`.
    template <class T>
    Array<T> get_as(const std::string& name) const;
    /// The metadata called `name`. Throws FileError, naming the file, when there is none of that name.
    const std::string& get_metadata(const std::string& name) const;
};

/// Writes arrays and metadata to a file, atomically: see write_file_atomically. The same content gives the same bytes.
/// Throws FileError when the file cannot be written, ValueError for a name that is not UTF-8 or is "__metadata__".
void save_safetensors(const std::string& path, const std::map<std::string, AnyArray>& arrays,
                      const std::map<std::string, std::string>& metadata = {});

/// Reads a file. Throws FileError, naming the file and the array, when it cannot be read or is not in the format: cut
/// short, a header that is no JSON or longer than the file, unknown types, shapes that overflow or do not fit their
/// bytes, places that overlap, leave gaps or lie outside of the file, names that stand twice.
ArrayFile load_safetensors(const std::string& path);

/// The same for bytes in memory; `path` is what error messages call them.
ArrayFile parse_safetensors(std::string_view bytes, const std::string& path);

}  // namespace ebb
