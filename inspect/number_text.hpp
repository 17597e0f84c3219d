#pragma once
/// Numbers and words as people write them, and as XML, HTML and JSON need them.

#include <cstddef>
#include <string>
#include <string_view>

namespace ebb::inspect {

/// With at least `digits` significant digits, thousands parted by commas and a true minus sign: "1,234", "0.0712",
/// "−3.50", "1.20 × 10⁻⁷"; "NaN", "∞". Digits before the decimal point are never rounded away below a million.
std::string format_number(double value, int digits = 3);

/// As format_number(), for terminals without Unicode: "1.20e-07", "-3.50", "inf".
std::string format_number_ascii(double value, int digits = 3);

/// A whole number with thousands parted by commas: "−12,345".
std::string format_integer(double value);

/// "⁻¹²" for -12.
std::string superscript(int exponent);

/// "1 value", "12 values".
std::string counted(std::size_t count, std::string_view singular, std::string_view plural);

/// Text for XML and HTML, between tags and in quoted attributes. Characters that XML forbids and bytes that are not
/// UTF-8 become U+FFFD.
std::string escape_markup(std::string_view text);

/// Text with each byte that is not UTF-8 replaced by U+FFFD.
std::string valid_utf8(std::string_view text);

/// The number of characters (code points) of UTF-8 text.
std::size_t count_characters(std::string_view text);

/// ASCII letters and digits of a title, parted by hyphens, for file names and anchors: "gradient-norm-through-time".
/// Subscripts count as what they stand for: "Wₕₕ" is "whh". Empty when the title has none.
std::string slug(std::string_view title);

}  // namespace ebb::inspect
