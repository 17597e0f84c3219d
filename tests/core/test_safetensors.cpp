#include <ebb/core/error.hpp>
#include <ebb/core/file.hpp>
#include <ebb/core/safetensors.hpp>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>

#include <doctest/doctest.h>
#include <support/temporary_folder.hpp>

using namespace ebb;

namespace {

/// A file made by hand: the length of the header, the header, the data.
std::string file_of(const std::string& header, const std::string& data) {
    const std::uint64_t length = header.size();
    std::string bytes(8, '\0');
    std::memcpy(bytes.data(), &length, 8);
    return bytes + header + data;
}

std::map<std::string, AnyArray> one_of_each() {
    return {
        {"bools", Array<bool>{true, false, true}},
        {"bytes", Array<std::uint8_t>{{1, 2}, {3, 255}}},
        {"doubles", Array<double>{{1.5, -2.25, 1e300}}},
        {"empty", Array<float>::from_shape({0, 7})},
        {"floats", Array<float>{{{1.5f, -0.0f}, {std::numeric_limits<float>::infinity(), 1e-40f}}}},
        {"integers", Array<std::int64_t>{std::numeric_limits<std::int64_t>::min(), 5}},
        {"scalar", Array<double>(3.0)},
        {"small integers", Array<std::int32_t>{{-1, 0}, {7, 0}}},
    };
}

/// Checks that the file is refused with this message, which follows the file's name.
void check_refused(const std::string& bytes, const std::string& message) {
    CHECK_THROWS_WITH_AS(parse_safetensors(bytes, "f"), ("load_safetensors: \"f\": " + message).c_str(), FileError);
}

/// The same for a header before 8 bytes of data.
void check_header_refused(const std::string& header, const std::string& message) {
    check_refused(file_of(header, std::string(8, '\0')), message);
}

}  // namespace

TEST_CASE("arrays of every type, shape and value come back as they were") {
    const TemporaryFolder folder;
    const std::string path = folder / "arrays.safetensors";
    const std::map<std::string, std::string> metadata{{"epoch", "7"}, {"\"quoted\" \n", "z\xC3\xBCrich"}};
    save_safetensors(path, one_of_each(), metadata);
    const ArrayFile file = load_safetensors(path);
    CHECK(file.metadata == metadata);
    CHECK(file.names() == std::vector<std::string>{"bools", "bytes", "doubles", "empty", "floats", "integers", "scalar",
                                                   "small integers"});
    CHECK(file.get<bool>("bools") == Array<bool>{true, false, true});
    CHECK(file.get<std::uint8_t>("bytes") == Array<std::uint8_t>{{1, 2}, {3, 255}});
    CHECK(file.get<double>("doubles") == Array<double>{{1.5, -2.25, 1e300}});
    CHECK(file.get<float>("empty").dimension() == 2);
    CHECK(file.get<float>("empty").shape(1) == 7);
    CHECK(std::signbit(file.get<float>("floats")(0, 0, 1)));
    CHECK(file.get<float>("floats")(0, 1, 1) == 1e-40f);
    CHECK(file.get<std::int64_t>("integers")(0) == std::numeric_limits<std::int64_t>::min());
    CHECK(file.get<double>("scalar").dimension() == 0);
    CHECK(file.get<double>("scalar")() == 3);
    CHECK(file.get<std::int32_t>("small integers")(1, 0) == 7);

    save_safetensors(path, {});
    CHECK(load_safetensors(path).arrays.empty());
}

TEST_CASE("the same content gives the same bytes, and arrays are aligned in the file") {
    const TemporaryFolder folder;
    save_safetensors(folder / "a", one_of_each(), {{"k", "v"}});
    save_safetensors(folder / "b", one_of_each(), {{"k", "v"}});
    const std::string bytes = read_file(folder / "a");
    CHECK(bytes == read_file(folder / "b"));
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data(), 8);
    CHECK(length % 8 == 0);
    // Doubles and 64-bit integers first: 3 + 2 + 1 of them, 48 bytes.
    CHECK(bytes.find("\"floats\":{\"data_offsets\":[48,64]") != std::string::npos);
}

TEST_CASE("a file written byte by byte after the format's description is read") {
    const std::string header =
        R"({"__metadata__":{"by":"hand"},"w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}   )";
    const std::string data("\x00\x00\x80\x3f\x00\x00\x00\xc0", 8);  // 1.0, -2.0
    const ArrayFile file = parse_safetensors(file_of(header, data), "hand");
    CHECK(file.get<float>("w") == Array<float>{{1, -2}});
    CHECK(file.get_metadata("by") == "hand");
    CHECK(file.contains("w"));
    CHECK_FALSE(file.contains("v"));
    CHECK(parse_safetensors(file_of("{}", ""), "empty").arrays.empty());
}

TEST_CASE("getters say what is there instead") {
    ArrayFile file = parse_safetensors(file_of("{}", ""), "model.safetensors");
    CHECK_THROWS_WITH_AS(file.get<double>("w"), "\"model.safetensors\": there is no array \"w\": it has none",
                         FileError);
    file.arrays = {{"weight", Array<float>{0.1f, 2}}, {"bias", Array<std::int64_t>{1}}};
    CHECK_THROWS_WITH_AS(file.get<double>("w"), "\"model.safetensors\": there is no array \"w\": it has bias, weight",
                         FileError);
    CHECK_THROWS_WITH_AS(file.get<double>("weight"), "\"model.safetensors\": array \"weight\" is F32, expected F64",
                         FileError);
    CHECK_THROWS_WITH_AS(file.get_as<double>("bias"),
                         "\"model.safetensors\": array \"bias\" is I64, expected F32 or F64", FileError);
    CHECK_THROWS_WITH_AS(file.get_metadata("epoch"), "\"model.safetensors\": there is no metadata \"epoch\"",
                         FileError);
    CHECK(file.get_as<double>("weight") == Array<double>{static_cast<double>(0.1f), 2});
    CHECK(file.get_as<float>("weight") == Array<float>{0.1f, 2});
    CHECK(std::string(dtype_name(file.arrays.at("bias"))) == "I64");
}

TEST_CASE("names that the format does not have are not written") {
    const TemporaryFolder folder;
    const std::string path = folder / "file";
    CHECK_THROWS_WITH_AS(save_safetensors(path, {{"__metadata__", Array<float>{1}}}),
                         ("save_safetensors: \"" + path + "\": an array cannot be called \"__metadata__\"").c_str(),
                         ValueError);
    CHECK_THROWS_WITH_AS(save_safetensors(path, {{"\xFF", Array<float>{1}}}),
                         ("save_safetensors: \"" + path + "\": a name or metadata is not UTF-8").c_str(), ValueError);
    CHECK_THROWS_WITH_AS(save_safetensors(path, {}, {{"k", "\xC0"}}),
                         ("save_safetensors: \"" + path + "\": a name or metadata is not UTF-8").c_str(), ValueError);
    CHECK_THROWS_AS(read_file(path), FileError);
    CHECK_THROWS_WITH_AS(load_safetensors(path),
                         ("read_file: \"" + path + "\": cannot open: No such file or directory").c_str(), FileError);
}

TEST_CASE("a header that does not fit the file is refused") {
    check_refused("", "the file has 0 bytes, expected at least 8, the length of the header");
    check_refused("1234567", "the file has 7 bytes, expected at least 8, the length of the header");
    check_refused(std::string("\x05\0\0\0\0\0\0\0{}", 10),
                  "the header is 5 bytes long by its first 8 bytes, but only 2 follow");
    check_refused(std::string(8, '\xFF'),
                  "the header is 18446744073709551615 bytes long by its first 8 bytes, but only 0 follow");
    check_refused(file_of(std::string(100'000'001, ' '), ""),
                  "the header is 100000001 bytes long, expected at most 100000000");
}

TEST_CASE("a header that is no JSON, or other JSON than the format's, is refused") {
    check_header_refused("", "the header is not valid JSON at its byte 1");
    check_header_refused("{\"w\":", "the header is not valid JSON at its byte 6");
    check_header_refused("{} x", "the header is not valid JSON at its byte 4");
    check_header_refused("{\"\xFF\":1}", "the header is not valid JSON at its byte 3");
    check_header_refused("{\"w\":1e999}", "the header is not valid JSON: a number is out of range");
    check_header_refused("[1,2]", "the header is [1,2], expected an object");
    check_header_refused("[\"" + std::string(100, 'x') + "\"]",
                         "the header is [\"" + std::string(55, 'x') + "..., expected an object");
    check_header_refused(std::string(100'000, '['), "the header is nested deeper than 3 levels");
    check_header_refused(R"({"w":{"dtype":"F32","shape":[[[1]]],"data_offsets":[0,8]}})",
                         "the header is nested deeper than 3 levels");
    check_header_refused(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"w":1})",
                         "\"w\" stands twice in the header");
    check_header_refused(R"({"w":{"dtype":"F32","dtype":"F64","shape":[2],"data_offsets":[0,8]}})",
                         "\"dtype\" stands twice in the header");
    check_header_refused(R"({"__metadata__":[1]})", "__metadata__ is [1], expected an object");
    check_header_refused(R"({"__metadata__":{"k":3}})", "metadata \"k\" is 3, expected a string");
}

TEST_CASE("an entry that does not say all that is needed is refused") {
    const std::string expected = ", expected an object with dtype, shape and data_offsets";
    check_header_refused(R"({"w":7})", "array \"w\": its entry is 7" + expected);
    check_header_refused(R"({"w":{"shape":[2],"data_offsets":[0,8]}})",
                         "array \"w\": its entry is {\"data_offsets\":[0,8],\"shape\":[2]}" + expected);
    check_header_refused(R"({"w":{"dtype":"F32","data_offsets":[0,8]}})",
                         "array \"w\": its entry is {\"data_offsets\":[0,8],\"dtype\":\"F32\"}" + expected);
    check_header_refused(R"({"w":{"dtype":"F32","shape":[2]}})",
                         "array \"w\": its entry is {\"dtype\":\"F32\",\"shape\":[2]}" + expected);
}

TEST_CASE("types, shapes and places that make no sense are refused") {
    const auto entry = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
        return "{\"w\":{\"dtype\":" + dtype + ",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}}";
    };
    const std::string types = ", expected \"F32\", \"F64\", \"I64\", \"I32\", \"U8\" or \"BOOL\"";
    check_header_refused(entry("\"BF16\"", "[4]", "[0,8]"), "array \"w\": dtype is \"BF16\"" + types);
    check_header_refused(entry("3", "[4]", "[0,8]"), "array \"w\": dtype is 3" + types);

    for (const std::string shape : {"2", "[-2]", "[2.0]", "[\"2\"]", "[null]", "[1,1,1,1,1,1,1,1,2]", "{}"})
        check_header_refused(
            entry("\"F32\"", shape, "[0,8]"),
            "array \"w\": shape is " + shape + ", expected a list of at most 8 numbers, none negative");
    for (const std::string offsets : {"8", "[]", "[0]", "[0,8,8]", "[8,0]", "[-1,8]", "[0,8.0]", "[\"0\",8]"})
        check_header_refused(entry("\"F32\"", "[2]", offsets),
                             "array \"w\": data_offsets is " + offsets + ", expected [begin, end] with begin <= end");
    check_header_refused(entry("\"F32\"", "[3]", "[0,12]"),
                         "array \"w\": data_offsets is [0, 12], but the file holds 8 bytes of arrays");
    check_header_refused(
        entry("\"F32\"", "[2]", "[18446744073709551608,18446744073709551615]"),
        "array \"w\": data_offsets is [18446744073709551608, 18446744073709551615], but the file holds 8 "
        "bytes of arrays");
    check_header_refused(entry("\"F32\"", "[3]", "[0,8]"),
                         "array \"w\": shape [3] of F32 takes 12 bytes, but data_offsets [0, 8] is 8");
    check_header_refused(entry("\"F64\"", "[]", "[0,4]"),
                         "array \"w\": shape [] of F64 takes 8 bytes, but data_offsets [0, 4] is 4");
    check_header_refused(entry("\"F32\"", "[0]", "[0,8]"),
                         "array \"w\": shape [0] of F32 takes 0 bytes, but data_offsets [0, 8] is 8");
    // 2^32 * 2^32 + 2, in bytes, is 8 in 64 bits.
    check_header_refused(entry("\"U8\"", "[4294967296,4294967296]", "[0,0]"),
                         "array \"w\": shape is [4294967296,4294967296], which overflows");
    check_header_refused(entry("\"F64\"", "[2305843009213693953]", "[0,8]"),
                         "array \"w\": shape is [2305843009213693953], which overflows");
    check_refused(file_of(entry("\"BOOL\"", "[3]", "[0,3]"), std::string("\1\0\2", 3)),
                  "array \"w\": element 2 is the byte 2, expected 0 or 1");
}

TEST_CASE("an extent of 0 makes an array empty, whatever the other extents are") {
    const ArrayFile file = parse_safetensors(
        file_of(R"({"w":{"dtype":"F64","shape":[9223372036854775808,9223372036854775808,0],"data_offsets":[0,0]}})",
                ""),
        "f");
    CHECK(file.get<double>("w").size() == 0);
}

TEST_CASE("places that overlap or leave gaps are refused") {
    const auto entry = [](const std::string& name, const std::string& shape, const std::string& offsets) {
        return "\"" + name + "\":{\"dtype\":\"U8\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
    };
    check_header_refused("{" + entry("a", "[5]", "[0,5]") + "," + entry("b", "[4]", "[4,8]") + "}",
                         "array \"b\": begins at byte 4 of the arrays, expected 5, where the one before it ends");
    check_header_refused("{" + entry("a", "[8]", "[0,8]") + "," + entry("b", "[8]", "[0,8]") + "}",
                         "array \"b\": begins at byte 0 of the arrays, expected 8, where the one before it ends");
    check_header_refused("{" + entry("a", "[3]", "[0,3]") + "," + entry("b", "[4]", "[4,8]") + "}",
                         "array \"b\": begins at byte 4 of the arrays, expected 3, where the one before it ends");
    check_header_refused("{" + entry("a", "[7]", "[1,8]") + "}",
                         "array \"a\": begins at byte 1 of the arrays, expected 0, where the one before it ends");
    check_header_refused("{" + entry("a", "[7]", "[0,7]") + "}",
                         "the arrays end at byte 7, but the file holds 8 bytes of them");
    check_header_refused("{}", "the arrays end at byte 0, but the file holds 8 bytes of them");
    // Empty arrays may stand anywhere between two others.
    CHECK_NOTHROW(parse_safetensors(file_of("{" + entry("a", "[8]", "[0,8]") + "," + entry("b", "[0]", "[8,8]") + "," +
                                                entry("c", "[0]", "[0,0]") + "}",
                                            "12345678"),
                                    "f"));
}

TEST_CASE("whatever happens to the bytes, reading them gives arrays or a FileError") {
    const TemporaryFolder folder;
    save_safetensors(folder / "whole", one_of_each(), {{"k", "v"}});
    const std::string whole = read_file(folder / "whole");
    for (std::size_t length = 0; length < whole.size(); ++length)
        CHECK_THROWS_AS(parse_safetensors(whole.substr(0, length), "f"), FileError);
    CHECK_THROWS_AS(parse_safetensors(whole + '\0', "f"), FileError);

    std::uint64_t header_bytes = 0;
    std::memcpy(&header_bytes, whole.data(), 8);
    const std::size_t data_bytes = whole.size() - 8 - header_bytes;

    std::mt19937 random(1);
    const std::string interesting = "{}[]\",:0123456789-.eE \\u\xFF\x80";
    int refused = 0;
    for (int i = 0; i < 20'000; ++i) {
        std::string bytes = whole;
        for (unsigned k = 0; k <= random() % 4; ++k) {
            const std::size_t where = random() % bytes.size();
            switch (random() % 5) {
                case 0:
                    bytes[where] = static_cast<char>(random());
                    break;
                case 1:
                    bytes[where] = interesting[random() % interesting.size()];
                    break;
                case 2:
                    bytes.erase(where, random() % 20);
                    break;
                case 3:
                    bytes.insert(where, bytes.substr(random() % bytes.size(), random() % 40));
                    break;
                case 4:
                    bytes[where] = static_cast<char>(bytes[where] ^ 1 << random() % 8);
                    break;
            }
            if (bytes.empty()) bytes = "{";
        }
        // Half of the time the length of the header is made right again, so that the parser is reached.
        if (i % 2 == 0 && bytes.size() > 8) {
            const std::uint64_t length = bytes.size() - 8 - std::min(bytes.size() - 8, data_bytes);
            std::memcpy(bytes.data(), &length, 8);
        }
        try {
            for (const auto& [name, array] : parse_safetensors(bytes, "f").arrays)
                std::visit([](const auto& typed) { CHECK(typed.size() <= 1000); }, array);
        } catch (const FileError& error) {
            ++refused;
            CHECK(std::string(error.what()).rfind("load_safetensors: \"f\": ", 0) == 0);
        }
    }
    CHECK(refused > 10'000);
    CHECK(refused < 20'000);
}

TEST_CASE("a file written by another program is read") {
    const ArrayFile file = load_safetensors(EBB_GOLDEN_DIR "/cells.safetensors");
    CHECK(file.arrays.size() > 100);
    for (const auto& [name, array] : file.arrays) CHECK(std::string(dtype_name(array)) == "F64");
}
