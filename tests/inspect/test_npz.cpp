#include <ebb/core/error.hpp>
#include <ebb/core/file.hpp>
#include <ebb/inspect/npz.hpp>

#include <cstdint>
#include <cstring>

#include "support/random_arrays.hpp"
#include "support/temporary_folder.hpp"
#include <doctest/doctest.h>

using namespace ebb;
using namespace ebb::inspect;

namespace {

std::uint64_t number_at(const std::string& bytes, std::size_t at, std::size_t size) {
    std::uint64_t number = 0;
    for (std::size_t k = 0; k < size; ++k)
        number |= std::uint64_t{static_cast<std::uint8_t>(bytes.at(at + k))} << (8 * k);
    return number;
}

}  // namespace

// That NumPy reads these files is tested where it is installed: tests/python.

TEST_CASE("an NPZ file is a zip archive whose parts say where the next one is") {
    const TemporaryFolder folder;
    test::RandomArrays random(95);
    const NamedArrays arrays{{"lstm.h.grad_norm", random.array({2, 3})}, {"α", test::array_of({1}, {0.5})}};
    save_npz(folder / "a.npz", arrays);
    const std::string bytes = read_file(folder / "a.npz");

    const std::size_t end = bytes.size() - 22;
    CHECK(number_at(bytes, end, 4) == 0x06054b50);
    CHECK(number_at(bytes, end + 10, 2) == 2);
    std::size_t entry = number_at(bytes, end + 16, 4);
    CHECK(entry + number_at(bytes, end + 12, 4) == end);
    for (const auto& [name, array] : arrays) {
        CHECK(number_at(bytes, entry, 4) == 0x02014b50);
        const std::size_t name_size = number_at(bytes, entry + 28, 2), size = number_at(bytes, entry + 20, 4);
        CHECK(bytes.substr(entry + 46, name_size) == name + ".npy");
        const std::size_t local = number_at(bytes, entry + 42, 4);
        CHECK(number_at(bytes, local, 4) == 0x04034b50);
        CHECK(number_at(bytes, local + 14, 4) == number_at(bytes, entry + 16, 4));
        CHECK(number_at(bytes, local + 18, 4) == size);
        CHECK(bytes.substr(local + 30, name_size) == name + ".npy");
        const std::string npy = bytes.substr(local + 30 + name_size, size);
        CHECK(npy.substr(0, 8) == std::string("\x93NUMPY\x01\x00", 8));
        const std::size_t header = 10 + number_at(npy, 8, 2);
        CHECK(header % 64 == 0);
        CHECK(npy[header - 1] == '\n');
        CHECK(npy.size() == header + 8 * array.size());
        for (std::size_t i = 0; i < array.size(); ++i) {
            double value = 0;
            std::memcpy(&value, npy.data() + header + 8 * i, 8);
            CHECK(value == array.data()[i]);
        }
        entry += 46 + name_size;
    }
    CHECK(entry == end);
    CHECK(bytes.find("'shape': (2, 3), ") != std::string::npos);
    CHECK(bytes.find("'shape': (1,), ") != std::string::npos);
}

TEST_CASE("the checksum is the one that Python's zlib.crc32 gives for the same .npy") {
    const TemporaryFolder folder;
    save_npz(folder / "one.npz", {{"a", test::array_of({1}, {1.0})}});
    CHECK(number_at(read_file(folder / "one.npz"), 14, 4) == 0xd7dbd7bb);
}

TEST_CASE("the same arrays give the same bytes, and an old file stays where a new one cannot be") {
    const TemporaryFolder folder;
    const NamedArrays arrays{{"a", test::array_of({2}, {1, 2})}};
    save_npz(folder / "a.npz", arrays);
    save_npz(folder / "b.npz", arrays);
    CHECK(read_file(folder / "a.npz") == read_file(folder / "b.npz"));
    CHECK_THROWS_AS(save_npz(folder / "missing/a.npz", arrays), FileError);
}

TEST_CASE("npz: every error says what was expected") {
    const TemporaryFolder folder;
    const Array<double> a = test::array_of({1}, {1});
    CHECK_THROWS_WITH_AS(save_npz(folder / "a.npz", {}), "save_npz: there are no arrays: expected at least one",
                         ValueError);
    CHECK_THROWS_WITH_AS(save_npz(folder / "a.npz", {{"", a}}),
                         "save_npz: an array is called \"\": expected 1 to 60,000 bytes, none of them zero",
                         ValueError);
    CHECK_THROWS_WITH_AS(
        save_npz(folder / "a.npz", {{std::string(60'001, 'x'), a}}),
        ("save_npz: an array is called \"" + std::string(40, 'x') + "\": expected 1 to 60,000 bytes, none of them zero")
            .c_str(),
        ValueError);
}
