#include <ebb/core/error.hpp>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>

#include "support/corpus.hpp"
#include "support/temporary_folder.hpp"
#include "tutorials/gradient_flow/lab.hpp"
#include <doctest/doctest.h>

using namespace tutorial;

namespace {

std::string written(const TemporaryFolder& folder, const std::string& bytes) {
    const std::string path = folder / "text";
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
}

}  // namespace

TEST_CASE("a text becomes the places of its characters in its alphabet") {
    const Corpus corpus = make_corpus("name", "caba\u00e9\u4e2d\U0001f600abc");
    CHECK(corpus.alphabet == std::vector<char32_t>{U'a', U'b', U'c', U'\u00e9', U'\u4e2d', U'\U0001f600'});
    CHECK(corpus.text == std::vector<std::int64_t>{2, 0, 1, 0, 3, 4, 5, 0, 1, 2});
    CHECK(corpus.training_size == 9);
    CHECK(corpus.held_out_size() == 1);
    CHECK(corpus.name == "name");
    // A byte order mark is no character, a line end of Windows is one; a lone CR stays.
    CHECK(make_corpus("",
                      "\xEF\xBB\xBF"
                      "a\r\nb\rc")
              .alphabet == std::vector<char32_t>{U'\n', U'\r', U'a', U'b', U'c'});
    CHECK(make_corpus("", "a\r\nb").text.size() == 3);
}

TEST_CASE("a text is known again by its bytes") {
    // Published values of FNV-1a (64 bits): of "foobar" 85944171f73967e8.
    CHECK(make_corpus("", "foobar").hash == 0x85944171f73967e8u);
    CHECK(make_corpus("", "foobaz").hash != make_corpus("", "foobar").hash);
}

TEST_CASE("what is no text is refused, and the message says why") {
    const TemporaryFolder folder;
    const std::string missing = folder / "missing";
    const auto message = [](const std::string& path) {
        try {
            read_corpus(path);
        } catch (const ebb::Error& error) {
            return std::string(error.what());
        }
        return std::string("nothing was thrown");
    };
    const auto of = [](const std::string& path, const std::string& what) {
        return "read_text_file: \"" + path + "\": " + what;
    };
    CHECK(message(missing) == of(missing, "cannot open: No such file or directory"));
    CHECK(message(folder.path().string()) == of(folder.path().string(), "is a folder, expected a file"));
    CHECK(message("/dev/null") == of("/dev/null", "is a device or a pipe, expected a file"));
    const std::string path = folder / "text";
    written(folder, "");
    CHECK(message(path) == of(path, "is empty, expected a text"));
    written(folder, std::string("\x7f"
                                "ELF\x02\x01\x01\x00\x00",
                                9));
    CHECK(message(path) == of(path, "byte 7 is 0, as in binary files: expected a text in UTF-8"));
    written(folder, "caf\xe9 latin");
    CHECK(message(path) == of(path, "byte 3 is 0xe9: expected a text in UTF-8"));
    written(folder, "aaaa");
    const std::string learn = ": expected at least 2 different characters: from less there is nothing to learn";
    CHECK(message(path) == "make_corpus: " + path + " has only one character, again and again" + learn);
    CHECK_THROWS_WITH_AS(make_corpus("bom", "\xEF\xBB\xBF"), ("make_corpus: bom has no character" + learn).c_str(),
                         ebb::ValueError);
    CHECK_THROWS_WITH_AS(read_corpus(path, "program"),
                         ("program: --text " + path + ": has only one character, again and again" + learn).c_str(),
                         ebb::ValueError);
    CHECK_THROWS_AS(read_corpus(missing), ebb::FileError);
    CHECK_THROWS_AS(read_corpus(path), ebb::ValueError);
}

TEST_CASE("a text shorter than its sequences is refused") {
    const Corpus corpus = make_corpus("short", invented_text(100).substr(0, 100));
    CHECK_NOTHROW(check_length(corpus, 9));
    CHECK_THROWS_WITH_AS(
        check_length(corpus, 10),
        "check_length: short has 100 characters, of which the last tenth (10) is held out: expected more than 10 held "
        "out, the sequence length: take a longer text or a smaller --length",
        ebb::ValueError);
}

TEST_CASE("the bits of a character that is coded by its frequency") {
    // 18 of 20 characters are trained on: 17 a and 1 b; counted from 1 they make 20. Held out: b, a.
    const Corpus corpus = make_corpus("", "aaaaaaaaaaaaaaaaabba");
    REQUIRE(corpus.training_size == 18);
    CHECK(frequency_bits(corpus) == doctest::Approx((-std::log2(2.0 / 20) - std::log2(18.0 / 20)) / 2).epsilon(1e-14));
    CHECK(uniform_bits(corpus) == 1);
    CHECK(uniform_bits(make_corpus("", "abcdefgh")) == 3);
}

TEST_CASE("where the default text is missing, the project's own pages take its place") {
    const TemporaryFolder folder;
    const Corpus corpus = default_corpus(folder / "missing");
    CHECK(corpus.name.starts_with("the documentation in "));
    CHECK_NOTHROW(check_length(corpus, lab::Options().length));
    CHECK_NOTHROW(encode(corpus, "recurrent networks"));
    written(folder, "another text");
    CHECK(default_corpus(folder / "text").name == folder / "text");
}

TEST_CASE("the default text is there, and long enough for the default options") {
    const Corpus corpus = default_corpus();
    CHECK(corpus.alphabet.size() > 20);
    CHECK_NOTHROW(check_length(corpus, lab::Options().length));
}
