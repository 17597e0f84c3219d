#pragma once
/// Whole files, read and written safely. Every FileError names the call, the path and what the system says.

#include <cstddef>
#include <string>
#include <string_view>

namespace ebb {

/// All bytes of a regular file. Throws FileError when it is missing, a folder or another thing than a file, or when it
/// cannot be read.
std::string read_file(const std::string& path);

/// The same for a text: also throws FileError for an empty file, and for one that is not text, which is UTF-8 without
/// zero bytes.
std::string read_text_file(const std::string& path);

/// Writes a file so that at every moment, after a crash too, `path` is the old file or the whole new one: the bytes go
/// to a temporary file in the same folder, to the disk, and then take the name. An existing file's permissions are
/// kept; of a symbolic link, the file behind it is replaced. Throws FileError, and leaves nothing behind, when that is
/// not possible.
void write_file_atomically(const std::string& path, std::string_view bytes);
/// The same for bytes that lie in several places, one after the other.
void write_file_atomically(const std::string& path, const std::string_view* parts, std::size_t count);

}  // namespace ebb
