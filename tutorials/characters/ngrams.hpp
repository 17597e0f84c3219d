#pragma once
/// What counting reaches: the models that a network must beat to have learnt something.

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace characters {

/// p(c | h) from how often c followed the last n - 1 characters h in a text, interpolated with all shorter histories
/// (Witten and Bell 1991, method C; Chen and Goodman 1998, sect. 2.5):
///
///     p_n(c | h) = (count(h c) + d(h) p_{n-1}(c | h')) / (count(h) + d(h))
///
/// where d(h) is how many different characters followed h, h' is h without its first character, and p_0 = 1 / V.
class NGrams {
  public:
    /// Counts the histories of 0 to `order` - 1 characters. Characters are numbers from 0 to V - 1.
    /// Throws ebb::ValueError for an order of 0 or above 8, or for V of 0 or above 255: a history is one number.
    NGrams(const std::vector<std::int64_t>& text, std::size_t order, std::size_t alphabet_size);

    /// p_n(text[at] | what stands before), n from 0 to the order. Where fewer than n - 1 characters stand before, or a
    /// history never occurred, the longest that did counts.
    double probability(const std::vector<std::int64_t>& text, std::size_t at, std::size_t n) const;

    /// The mean of -log2 p_n over all characters of a text. Throws ebb::ValueError for an empty one.
    double bits_per_character(const std::vector<std::int64_t>& text, std::size_t n) const;

  private:
    struct History {
        double count = 0;
        double different = 0;
    };
    std::size_t alphabet_size_;
    // [n]: of histories of n characters, and of those with the character that followed, packed 8 bits each.
    std::vector<std::unordered_map<std::uint64_t, History>> histories_;
    std::vector<std::unordered_map<std::uint64_t, double>> followed_;
};

}  // namespace characters
