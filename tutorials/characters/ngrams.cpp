#include "characters/ngrams.hpp"

#include <ebb/core/error.hpp>

#include <cmath>

#include <fmt/format.h>

namespace characters {
namespace {

/// The `count` characters before `end`, 8 bits each. Each map holds packs of one length: none is mistaken for another.
std::uint64_t pack(const std::vector<std::int64_t>& text, std::size_t end, std::size_t count) {
    std::uint64_t packed = 0;
    for (std::size_t k = end - count; k < end; ++k) packed = packed << 8 | static_cast<std::uint64_t>(text[k]);
    return packed;
}

}  // namespace

NGrams::NGrams(const std::vector<std::int64_t>& text, std::size_t order, std::size_t alphabet_size)
    : alphabet_size_(alphabet_size), histories_(order), followed_(order) {
    if (order < 1 || order > 8) ebb::fail<ebb::ValueError>(fmt::format("NGrams: order is {}: expected 1 to 8", order));
    if (alphabet_size < 1 || alphabet_size > 255)
        ebb::fail<ebb::ValueError>(fmt::format("NGrams: alphabet_size is {}: expected 1 to 255", alphabet_size));
    for (std::size_t n = 0; n < order; ++n)
        for (std::size_t at = n; at < text.size(); ++at) {
            History& history = histories_[n][pack(text, at, n)];
            double& followed = followed_[n][pack(text, at + 1, n + 1)];
            history.count += 1;
            if (followed == 0) history.different += 1;
            followed += 1;
        }
}

double NGrams::probability(const std::vector<std::int64_t>& text, std::size_t at, std::size_t n) const {
    double p = 1 / static_cast<double>(alphabet_size_);
    for (std::size_t length = 0; length < n && length <= at; ++length) {
        const auto history = histories_[length].find(pack(text, at, length));
        if (history == histories_[length].end()) break;  // no longer one can have occurred either
        const auto followed = followed_[length].find(pack(text, at + 1, length + 1));
        const double count = followed == followed_[length].end() ? 0 : followed->second;
        const auto [all, different] = history->second;
        p = (count + different * p) / (all + different);
    }
    return p;
}

double NGrams::bits_per_character(const std::vector<std::int64_t>& text, std::size_t n) const {
    if (text.empty()) ebb::fail<ebb::ValueError>("NGrams: the text is empty: expected at least one character");
    double bits = 0;
    for (std::size_t at = 0; at < text.size(); ++at) bits -= std::log2(probability(text, at, n));
    return bits / static_cast<double>(text.size());
}

}  // namespace characters
