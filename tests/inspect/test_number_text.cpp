#include <ebb/inspect/number_text.hpp>

#include <cmath>
#include <limits>
#include <string>

#include "xml.hpp"
#include <doctest/doctest.h>

using namespace ebb::inspect;

TEST_CASE("numbers are written as people write them") {
    CHECK(format_number(0) == "0");
    CHECK(format_number(-0.0) == "0");
    CHECK(format_number(1) == "1.00");
    CHECK(format_number(0.0712) == "0.0712");
    CHECK(format_number(0.07119) == "0.0712");
    CHECK(format_number(0.001) == "0.00100");
    CHECK(format_number(0.0009) == "9.00 × 10⁻⁴");
    CHECK(format_number(-3.5) == "−3.50");
    CHECK(format_number(1234.5) == "1,234");  // to even, as the standard rounds
    CHECK(format_number(123456.7) == "123,457");
    CHECK(format_number(1234567.5) == "1.23 × 10⁶");
    CHECK(format_number(1234567) == "1,234,567");
    CHECK(format_number(1e15) == "1.00 × 10¹⁵");
    CHECK(format_number(1.2e-7) == "1.20 × 10⁻⁷");
    CHECK(format_number(-1.2e-7, 2) == "−1.2 × 10⁻⁷");
    CHECK(format_number(2e300, 1) == "2 × 10³⁰⁰");
}

TEST_CASE("rounding up to the next power of ten moves the exponent") {
    CHECK(format_number(9.996) == "10.0");
    CHECK(format_number(9.996e-10) == "1.00 × 10⁻⁹");
    CHECK(format_number(0.0009999) == "0.00100");
    CHECK(format_number(999999.7) == "1.00 × 10⁶");
}

TEST_CASE("what is no number says so") {
    CHECK(format_number(std::nan("")) == "NaN");
    CHECK(format_number(INFINITY) == "∞");
    CHECK(format_number(-INFINITY) == "−∞");
    CHECK(format_number_ascii(std::nan("")) == "NaN");
    CHECK(format_number_ascii(-INFINITY) == "-inf");
}

TEST_CASE("numbers read back within their digits") {
    double value = 1e-305;
    while (value < 1e308) {
        for (const double sign : {1.0, -1.0})
            for (const int digits : {1, 3, 6}) {
                const double number = sign * value;
                const double relative = std::pow(10.0, 1 - digits);
                CAPTURE(number);
                CHECK(test::read_number(format_number(number, digits)) ==
                      doctest::Approx(number).epsilon(relative).scale(0));
                std::string ascii = format_number_ascii(number, digits);
                std::erase(ascii, ',');
                CHECK(std::strtod(ascii.c_str(), nullptr) == doctest::Approx(number).epsilon(relative).scale(0));
            }
        value *= 17.3;
    }
}

TEST_CASE("whole numbers are written in full") {
    CHECK(format_integer(0) == "0");
    CHECK(format_integer(999) == "999");
    CHECK(format_integer(1000) == "1,000");
    CHECK(format_integer(-12345678) == "−12,345,678");
}

TEST_CASE("counts agree with their noun") {
    CHECK(counted(0, "value", "values") == "0 values");
    CHECK(counted(1, "value", "values") == "1 value");
    CHECK(counted(2, "value", "values") == "2 values");
}

TEST_CASE("markup is escaped, and what XML forbids is replaced") {
    CHECK(escape_markup("a < b & \"c\" > 'd'") == "a &lt; b &amp; &quot;c&quot; &gt; &#39;d&#39;");
    CHECK(escape_markup("‖∂L/∂hₜ‖ 😀") == "‖∂L/∂hₜ‖ 😀");
    CHECK(escape_markup(std::string("a\0b\x1b[1m", 7)) == "a\uFFFDb\uFFFD[1m");
    CHECK(escape_markup("tab\tline\n") == "tab\tline\n");
}

TEST_CASE("bytes that are not UTF-8 are replaced one by one") {
    CHECK(valid_utf8("caf\xe9") == "caf\uFFFD");
    CHECK(valid_utf8("\xc0\xaf") == "\uFFFD\uFFFD");                      // overlong
    CHECK(valid_utf8("\xed\xa0\x80") == "\uFFFD\uFFFD\uFFFD");            // a surrogate
    CHECK(valid_utf8("\xf4\x90\x80\x80") == "\uFFFD\uFFFD\uFFFD\uFFFD");  // beyond Unicode
    CHECK(valid_utf8("\xe2\x88") == "\uFFFD\uFFFD");                      // cut off
    CHECK(valid_utf8("é∂😀") == "é∂😀");
}

TEST_CASE("characters are counted, not bytes") {
    CHECK(count_characters("") == 0);
    CHECK(count_characters("10⁻¹²") == 5);
    CHECK(count_characters("‖∂L/∂hₜ‖") == 8);
}

TEST_CASE("a slug is a safe name of a file") {
    CHECK(slug("Gradient norm through time") == "gradient-norm-through-time");
    CHECK(slug("LSTM: mean (gate) activation!") == "lstm-mean-gate-activation");
    CHECK(slug("../../etc/passwd") == "etc-passwd");
    CHECK(slug("‖∂L/∂hₜ‖") == "l-ht");
    CHECK(slug("the gradient of Wₕₕ") == "the-gradient-of-whh");
    CHECK(slug("x₀ᵢⱼ₉") == "x0ij9");
    CHECK(slug("∂∂") == "");
    CHECK(slug(std::string(500, 'x')).size() == 80);
}
