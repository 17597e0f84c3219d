/// The zip format as far as it is needed: PKWARE's APPNOTE.TXT, sections 4.3.7 (local header), 4.3.12 (central
/// directory) and 4.3.16 (its end). Entries are stored, not compressed: so this is small enough to do without a library
/// that every program linked with Ebb would need as well.

#include <ebb/core/error.hpp>
#include <ebb/core/file.hpp>
#include <ebb/core/shape.hpp>
#include <ebb/inspect/npz.hpp>

#include <array>
#include <bit>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace ebb::inspect {
namespace {

static_assert(std::endian::native == std::endian::little, "the bytes of the arrays are written as they lie in memory");

/// The checksum of zip: the polynomial 0xEDB88320, a byte at a time.
std::uint32_t crc32(std::uint32_t crc, std::string_view bytes) {
    static constexpr auto table = [] {
        std::array<std::uint32_t, 256> entries{};
        for (std::uint32_t byte = 0; byte < 256; ++byte) {
            std::uint32_t value = byte;
            for (int bit = 0; bit < 8; ++bit) value = (value & 1U) != 0 ? 0xEDB88320U ^ (value >> 1U) : value >> 1U;
            entries[byte] = value;
        }
        return entries;
    }();
    crc = ~crc;
    for (const char c : bytes) crc = table[(crc ^ static_cast<std::uint8_t>(c)) & 0xFFU] ^ (crc >> 8U);
    return ~crc;
}

void put(std::string& out, std::uint64_t number, int bytes) {
    for (int k = 0; k < bytes; ++k) out += static_cast<char>(number >> (8U * static_cast<unsigned>(k)) & 0xFFU);
}

/// "\x93NUMPY", version 1.0, and a Python literal, padded so that the numbers begin at a multiple of 64.
std::string npy_header(const Shape& shape) {
    std::string extents = fmt::format("{}", fmt::join(shape.begin(), shape.end(), ", "));
    if (shape.rank() == 1) extents += ',';
    std::string text = fmt::format("{{'descr': '<f8', 'fortran_order': False, 'shape': ({}), }}", extents);
    constexpr std::size_t before = 10;
    text.append(63 - (before + text.size()) % 64, ' ');
    text += '\n';
    std::string header("\x93NUMPY\x01\x00", 8);
    put(header, text.size(), 2);
    return header + text;
}

struct Entry {
    const std::string name;
    std::string npy;
    std::string_view numbers;
    std::uint32_t crc = 0;
    std::uint64_t size = 0;
    std::uint64_t offset = 0;
    std::string local_header;

    /// What the local header and the central directory have in common.
    void put_common(std::string& out) const {
        put(out, 20, 2);      // version needed
        put(out, 0x0800, 2);  // flags: the name is UTF-8
        put(out, 0, 2);       // method: stored
        put(out, 0, 2);       // time and date: 1980-01-01, so that the same arrays give the same bytes
        put(out, 0x21, 2);
        put(out, crc, 4);
        put(out, size, 4);  // compressed
        put(out, size, 4);
        put(out, name.size(), 2);
        put(out, 0, 2);  // no extra field
    }
};

}  // namespace

void save_npz(const std::string& path, const NamedArrays& arrays) {
    if (arrays.empty()) fail<ValueError>("save_npz: there are no arrays: expected at least one");
    constexpr std::size_t most = std::numeric_limits<std::uint16_t>::max();
    if (arrays.size() > most)
        fail<ValueError>(fmt::format("save_npz: there are {} arrays: expected at most {}", arrays.size(), most));
    std::vector<Entry> entries;
    std::uint64_t end = 0;
    for (const auto& [name, array] : arrays) {
        if (name.empty() || name.size() > 60'000 || name.find('\0') != std::string::npos)
            fail<ValueError>(
                fmt::format("save_npz: an array is called \"{}\": expected 1 to 60,000 bytes, none of "
                            "them zero",
                            name.substr(0, 40)));
        Entry& entry =
            entries.emplace_back(Entry{name + ".npy", npy_header(Shape::of(array.shape())), {}, 0, 0, end, {}});
        entry.numbers = {reinterpret_cast<const char*>(array.data()), array.size() * sizeof(double)};
        entry.crc = crc32(crc32(0, entry.npy), entry.numbers);
        entry.size = entry.npy.size() + entry.numbers.size();
        put(entry.local_header, 0x04034b50, 4);
        entry.put_common(entry.local_header);
        entry.local_header += entry.name;
        end += entry.local_header.size() + entry.size;
    }
    std::string directory;
    for (const Entry& entry : entries) {
        put(directory, 0x02014b50, 4);
        put(directory, 20, 2);  // made by
        entry.put_common(directory);
        put(directory, 0, 2);  // no comment
        put(directory, 0, 2);  // disk 0
        put(directory, 0, 2);  // binary
        put(directory, 0, 4);  // no attributes
        put(directory, entry.offset, 4);
        directory += entry.name;
    }
    const std::uint64_t directory_size = directory.size();
    put(directory, 0x06054b50, 4);
    put(directory, 0, 4);  // disk 0, twice
    put(directory, entries.size(), 2);
    put(directory, entries.size(), 2);
    put(directory, directory_size, 4);
    put(directory, end, 4);
    put(directory, 0, 2);  // no comment
    if (end + directory.size() > std::numeric_limits<std::uint32_t>::max())
        fail<ValueError>(fmt::format("save_npz: the arrays take {} bytes: expected less than 4 GB", end));

    std::vector<std::string_view> parts;
    for (const Entry& entry : entries) parts.insert(parts.end(), {entry.local_header, entry.npy, entry.numbers});
    parts.push_back(directory);
    write_file_atomically(path, parts.data(), parts.size());
}

}  // namespace ebb::inspect
