#include "support/corpus.hpp"

#include <ebb/core/error.hpp>
#include <ebb/core/file.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include <fmt/format.h>

namespace tutorial {
namespace {

namespace fs = std::filesystem;
using ebb::fail;
using ebb::FileError;
using ebb::ValueError;

constexpr char debian_folder[] = "/usr/share/common-licenses";

/// The code points of a text in UTF-8, without a leading byte order mark and with LF for CR LF.
std::vector<char32_t> code_points(std::string_view text) {
    // Zeros beyond the end, where only a text that is no UTF-8 would make us look.
    const auto byte = [&](std::size_t k) -> char32_t {
        return k < text.size() ? static_cast<unsigned char>(text[k]) : 0;
    };
    std::vector<char32_t> characters;
    characters.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const char32_t first = byte(at);
        const std::size_t length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
        char32_t character = length == 1 ? first : first & (0x7Fu >> length);
        for (std::size_t k = 1; k < length; ++k) character = character << 6 | (byte(at + k) & 0x3Fu);
        at += length;
        const bool windows_line_end = character == U'\r' && byte(at) == U'\n';
        if (!windows_line_end) characters.push_back(character);
    }
    if (!characters.empty() && characters.front() == 0xFEFF) characters.erase(characters.begin());
    return characters;
}

}  // namespace

Corpus make_corpus(std::string name, std::string_view text) {
    return join_corpus(std::move(name), {std::string(text)});
}

Corpus join_corpus(std::string name, const std::vector<std::string>& texts) {
    Corpus corpus;
    corpus.name = std::move(name);
    corpus.hash = 0xcbf29ce484222325u;
    std::vector<char32_t> characters, held_out;
    for (const std::string& text : texts) {
        const std::vector<char32_t> decoded = code_points(text);
        const auto tenth = decoded.begin() + static_cast<std::ptrdiff_t>(decoded.size() * 9 / 10);
        characters.insert(characters.end(), decoded.begin(), tenth);
        held_out.insert(held_out.end(), tenth, decoded.end());
        for (const char byte : text) corpus.hash = (corpus.hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;
    }
    corpus.training_size = characters.size();
    characters.insert(characters.end(), held_out.begin(), held_out.end());
    corpus.alphabet = characters;
    std::sort(corpus.alphabet.begin(), corpus.alphabet.end());
    corpus.alphabet.erase(std::unique(corpus.alphabet.begin(), corpus.alphabet.end()), corpus.alphabet.end());
    if (corpus.alphabet.size() < 2)
        fail<ValueError>(fmt::format(
            "make_corpus: {} has {}: expected at least 2 different characters: from less there is nothing to "
            "learn",
            corpus.name, corpus.alphabet.empty() ? "no character" : "only one character, again and again"));
    corpus.text.reserve(characters.size());
    for (const char32_t character : characters)
        corpus.text.push_back(std::lower_bound(corpus.alphabet.begin(), corpus.alphabet.end(), character) -
                              corpus.alphabet.begin());
    return corpus;
}

Corpus read_corpus(const std::string& path) {
    return make_corpus(path, ebb::read_text_file(path));
}

Corpus read_corpus(const std::string& path, const char* program) {
    const auto refusal = [&](std::string what) {
        // The option takes the place of the call.
        for (const std::string& call :
             {fmt::format("read_text_file: \"{}\": ", path), fmt::format("make_corpus: {} ", path)})
            if (what.starts_with(call)) what.erase(0, call.size());
        if (what.find("expected") == std::string::npos) what += ": expected a readable text in UTF-8";
        return fmt::format("{}: --text {}: {}", program, path, what);
    };
    try {
        return read_corpus(path);
    } catch (const FileError& error) {
        fail<FileError>(refusal(error.what()));
    } catch (const ValueError& error) {
        fail<ValueError>(refusal(error.what()));
    }
}

Corpus default_corpus(const std::string& first) {
    std::error_code ignored;
    if (fs::exists(first, ignored)) return read_corpus(first);
    std::vector<fs::path> pages;
    for (const fs::path& folder : {fs::path(EBB_SOURCE_DIR), fs::path(EBB_SOURCE_DIR) / "docs"})
        for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored))
            if (entry.path().extension() == ".md") pages.push_back(entry.path());
    if (pages.empty())
        fail<FileError>(
            fmt::format("default_corpus: neither {} nor Ebb's own pages in {} are there: expected a text: "
                        "name one with --text FILE",
                        first, EBB_SOURCE_DIR));
    std::sort(pages.begin(), pages.end());
    std::string text;
    for (const fs::path& page : pages) text += ebb::read_text_file(page.string());
    return make_corpus(fmt::format("the documentation in {}", EBB_SOURCE_DIR), text);
}

Corpus licenses_corpus() {
    std::error_code ignored;
    std::vector<fs::path> files;
    for (const fs::directory_entry& entry : fs::directory_iterator(debian_folder, ignored))
        if (entry.is_regular_file(ignored) && !entry.is_symlink(ignored)) files.push_back(entry.path());
    if (files.empty()) return default_corpus();
    std::sort(files.begin(), files.end());
    std::vector<std::string> texts;
    for (const fs::path& file : files) texts.push_back(ebb::read_text_file(file.string()));
    return join_corpus(fmt::format("{} licences in {}", files.size(), debian_folder), texts);
}

std::vector<std::int64_t> encode(const Corpus& corpus, std::string_view text) {
    std::vector<std::int64_t> numbers;
    for (const char32_t character : code_points(text)) {
        const auto place = std::lower_bound(corpus.alphabet.begin(), corpus.alphabet.end(), character);
        if (place == corpus.alphabet.end() || *place != character)
            fail<ValueError>(
                fmt::format("encode: character {} of '{}' does not occur in {}", numbers.size(), text, corpus.name));
        numbers.push_back(place - corpus.alphabet.begin());
    }
    return numbers;
}

std::string decode(const Corpus& corpus, const std::vector<std::int64_t>& numbers) {
    std::string text;
    for (const std::int64_t number : numbers) {
        const char32_t c = corpus.alphabet.at(static_cast<std::size_t>(number));
        const auto byte = [&](char32_t value) { text += static_cast<char>(value); };
        // UTF-8: 7 bits in one byte, or 6 in each byte after the first, whose leading ones count the bytes.
        if (c < 0x80) {
            byte(c);
        } else if (c < 0x800) {
            byte(0xC0 | c >> 6);
            byte(0x80 | (c & 0x3F));
        } else if (c < 0x10000) {
            byte(0xE0 | c >> 12);
            byte(0x80 | (c >> 6 & 0x3F));
            byte(0x80 | (c & 0x3F));
        } else {
            byte(0xF0 | c >> 18);
            byte(0x80 | (c >> 12 & 0x3F));
            byte(0x80 | (c >> 6 & 0x3F));
            byte(0x80 | (c & 0x3F));
        }
    }
    return text;
}

void check_length(const Corpus& corpus, std::size_t length) {
    // The held-out tenth is the shorter part.
    if (corpus.held_out_size() > length && corpus.training_size > length) return;
    fail<ValueError>(
        fmt::format("check_length: {} has {} characters, of which the last tenth ({}) is held out: expected more than "
                    "{} held out, the sequence length: take a longer text or a smaller --length",
                    corpus.name, corpus.text.size(), corpus.held_out_size(), length));
}

double frequency_bits(const Corpus& corpus) {
    std::vector<double> counts(corpus.alphabet.size(), 1.0);
    for (std::size_t k = 0; k < corpus.training_size; ++k) counts[static_cast<std::size_t>(corpus.text[k])] += 1;
    const double total = static_cast<double>(corpus.training_size + corpus.alphabet.size());
    double bits = 0;
    for (std::size_t k = corpus.training_size; k < corpus.text.size(); ++k)
        bits -= std::log2(counts[static_cast<std::size_t>(corpus.text[k])] / total);
    return bits / static_cast<double>(corpus.held_out_size());
}

double uniform_bits(const Corpus& corpus) {
    return std::log2(static_cast<double>(corpus.alphabet.size()));
}

}  // namespace tutorial
