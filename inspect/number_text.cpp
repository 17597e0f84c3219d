#include <ebb/inspect/number_text.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>

#include <fmt/format.h>

namespace ebb::inspect {

namespace {

constexpr std::string_view minus = "\u2212";
constexpr std::string_view replacement = "\uFFFD";

/// "1234567.5" with commas: "1,234,567.5".
std::string with_commas(std::string digits) {
    const std::size_t point = std::min(digits.find('.'), digits.size());
    for (std::size_t at = point; at > 3;) {
        at -= 3;
        digits.insert(at, 1, ',');
    }
    return digits;
}

/// Mantissa and exponent after rounding to `digits`: 9.996 with three digits is 1.00 x 10^1.
struct Scientific {
    std::string mantissa;
    int exponent;
};

Scientific scientific(double magnitude, int digits) {
    const std::string text = fmt::format("{:.{}e}", magnitude, std::max(digits, 1) - 1);
    const std::size_t e = text.find('e');
    return {text.substr(0, e), std::atoi(text.c_str() + e + 1)};
}

bool is_plain(int exponent) {
    return exponent >= -3 && exponent < 6;
}

/// A whole number that a double holds exactly is written out in full.
bool is_long_integer(double magnitude) {
    return magnitude >= 1e6 && magnitude < 1e15 && std::trunc(magnitude) == magnitude;
}

/// The length of the UTF-8 sequence at the start of `text`, 0 where it is not valid.
std::size_t utf8_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned first = byte(0);
    if (first < 0x80) return 1;
    std::size_t length = 0;
    std::uint32_t code = 0;
    if ((first & 0xE0U) == 0xC0U) {
        length = 2;
        code = first & 0x1FU;
    } else if ((first & 0xF0U) == 0xE0U) {
        length = 3;
        code = first & 0x0FU;
    } else if ((first & 0xF8U) == 0xF0U) {
        length = 4;
        code = first & 0x07U;
    } else {
        return 0;
    }
    if (text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0U) != 0x80U) return 0;
        code = (code << 6U) | (byte(i) & 0x3FU);
    }
    // Overlong forms, surrogates and what lies beyond Unicode are not UTF-8.
    constexpr std::array<std::uint32_t, 5> smallest{0, 0, 0x80, 0x800, 0x10000};
    if (code < smallest[length] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return 0;
    return length;
}

/// Calls take(sequence) with each valid UTF-8 sequence of `text`, and with "" for each byte that belongs to none.
template <class Take>
void for_each_character(std::string_view text, const Take& take) {
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        take(text.substr(0, length));
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
}

/// The subscripts that Unicode has of digits and Latin letters.
struct Subscript {
    std::string_view written;
    char stands_for;
};
constexpr Subscript subscripts[] = {{"₀", '0'}, {"₁", '1'}, {"₂", '2'}, {"₃", '3'}, {"₄", '4'}, {"₅", '5'}, {"₆", '6'},
                                    {"₇", '7'}, {"₈", '8'}, {"₉", '9'}, {"ₐ", 'a'}, {"ₑ", 'e'}, {"ₕ", 'h'}, {"ᵢ", 'i'},
                                    {"ⱼ", 'j'}, {"ₖ", 'k'}, {"ₗ", 'l'}, {"ₘ", 'm'}, {"ₙ", 'n'}, {"ₒ", 'o'}, {"ₚ", 'p'},
                                    {"ᵣ", 'r'}, {"ₛ", 's'}, {"ₜ", 't'}, {"ᵤ", 'u'}, {"ᵥ", 'v'}, {"ₓ", 'x'}};

}  // namespace

std::string format_number(double value, int digits) {
    if (std::isnan(value)) return "NaN";
    const std::string sign{value < 0 ? minus : std::string_view{}};
    const double magnitude = std::abs(value);
    if (std::isinf(value)) return sign + "∞";
    if (magnitude == 0) return "0";
    if (is_long_integer(magnitude)) return format_integer(value);
    const auto [mantissa, exponent] = scientific(magnitude, digits);
    if (!is_plain(exponent)) return fmt::format("{}{} × 10{}", sign, mantissa, superscript(exponent));
    return sign + with_commas(fmt::format("{:.{}f}", magnitude, std::max(0, digits - 1 - exponent)));
}

std::string format_number_ascii(double value, int digits) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
    if (value == 0) return "0";
    const double magnitude = std::abs(value);
    const std::string sign = value < 0 ? "-" : "";
    if (is_long_integer(magnitude)) return sign + with_commas(fmt::format("{:.0f}", magnitude));
    const int exponent = scientific(magnitude, digits).exponent;
    if (!is_plain(exponent)) return fmt::format("{:.{}e}", value, std::max(digits, 1) - 1);
    return sign + with_commas(fmt::format("{:.{}f}", magnitude, std::max(0, digits - 1 - exponent)));
}

std::string format_integer(double value) {
    return std::string{value < 0 ? minus : std::string_view{}} + with_commas(fmt::format("{:.0f}", std::abs(value)));
}

std::string superscript(int exponent) {
    constexpr std::array<std::string_view, 10> raised{"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
    std::string text = exponent < 0 ? "⁻" : "";
    for (const char digit : fmt::format("{}", std::abs(exponent)))
        text += raised[static_cast<std::size_t>(digit - '0')];
    return text;
}

std::string counted(std::size_t count, std::string_view singular, std::string_view plural) {
    return fmt::format("{} {}", count, count == 1 ? singular : plural);
}

std::string escape_markup(std::string_view text) {
    std::string escaped;
    escaped.reserve(text.size());
    for_each_character(text, [&](std::string_view character) {
        if (character.empty()) {
            escaped += replacement;
            return;
        }
        switch (character[0]) {
            case '&':
                escaped += "&amp;";
                return;
            case '<':
                escaped += "&lt;";
                return;
            case '>':
                escaped += "&gt;";
                return;
            case '"':
                escaped += "&quot;";
                return;
            case '\'':
                escaped += "&#39;";
                return;
            default:
                break;
        }
        const auto byte = static_cast<unsigned char>(character[0]);
        const bool control = byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r';
        const bool non_character = character == "\xEF\xBF\xBE" || character == "\xEF\xBF\xBF";
        escaped += control || non_character ? replacement : character;
    });
    return escaped;
}

std::string valid_utf8(std::string_view text) {
    std::string valid;
    valid.reserve(text.size());
    for_each_character(text, [&](std::string_view character) { valid += character.empty() ? replacement : character; });
    return valid;
}

std::size_t count_characters(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string slug(std::string_view title) {
    std::string plain;
    for_each_character(title, [&](std::string_view character) {
        const auto* const found = std::find_if(std::begin(subscripts), std::end(subscripts),
                                               [&](const Subscript& one) { return one.written == character; });
        if (found != std::end(subscripts))
            plain += found->stands_for;
        else
            plain += character.empty() ? "-" : character;
    });
    std::string name;
    for (const char c : plain) {
        const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        const bool is_digit = c >= '0' && c <= '9';
        if (is_letter || is_digit) {
            name += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        } else if (!name.empty() && name.back() != '-') {
            name += '-';
        }
    }
    // File systems end names at 255 bytes.
    if (name.size() > 80) name.resize(80);
    while (!name.empty() && name.back() == '-') name.pop_back();
    return name;
}

}  // namespace ebb::inspect
