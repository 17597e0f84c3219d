#pragma once
/// A text as numbers: each different character is a class.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tutorial {

struct Corpus {
    std::string name;                ///< the file's path, for messages
    std::vector<char32_t> alphabet;  ///< the different characters, by rising code point
    std::vector<std::int64_t> text;  ///< each character's place in the alphabet
    std::size_t training_size = 0;   ///< the first nine tenths of each text; the rest is held out
    std::uint64_t hash = 0;          ///< FNV-1a (64 bits) of the bytes, by which a text is known again

    std::size_t held_out_size() const noexcept { return text.size() - training_size; }
};

/// The corpus of a text in valid UTF-8. A character is a code point; a leading byte order mark is left out, and a line
/// end of Windows (CR LF) counts as LF. The alphabet is that of the whole text, so that the held-out part has no
/// character without a class. Throws ebb::ValueError for less than two different characters.
Corpus make_corpus(std::string name, std::string_view text);
/// The same of several texts: the first nine tenths of each, one after the other, and then the last tenths.
Corpus join_corpus(std::string name, const std::vector<std::string>& texts);

/// The same from a file. Throws also ebb::FileError for a file that is missing, cannot be read, is empty, or is no
/// text: one with a zero byte, or with bytes that are no UTF-8, whose place the message gives.
Corpus read_corpus(const std::string& path);

/// The same for a program's option --text: what is thrown names the program, the option and what was expected.
Corpus read_corpus(const std::string& path, const char* program);

/// Where every Debian has the GNU General Public License.
inline constexpr char debian_text[] = "/usr/share/common-licenses/GPL-3";

/// The file `first`; where it is missing, the documentation of Ebb itself. Throws ebb::FileError where neither is
/// there.
Corpus default_corpus(const std::string& first = debian_text);

/// All licences that every Debian has, by name, without the links among them; where they are missing, as
/// `default_corpus`.
Corpus licenses_corpus();

/// A text as numbers. Throws ebb::ValueError for a character that the corpus does not have.
std::vector<std::int64_t> encode(const Corpus& corpus, std::string_view text);
/// Numbers as text, in UTF-8. Throws std::out_of_range for what is no place in the alphabet.
std::string decode(const Corpus& corpus, const std::vector<std::int64_t>& numbers);

/// Throws ebb::ValueError where either part of the text is shorter than one sequence of `length` characters and the
/// one that follows it.
void check_length(const Corpus& corpus, std::size_t length);

/// How many bits a character costs when each is coded by its frequency in the training text alone, on the held-out
/// text: what a model that looks at nothing reaches. Frequencies are counted from 1, so that none is 0 (Laplace).
double frequency_bits(const Corpus& corpus);

/// -log2 (1 / size of the alphabet): no knowledge at all.
double uniform_bits(const Corpus& corpus);

}  // namespace tutorial
