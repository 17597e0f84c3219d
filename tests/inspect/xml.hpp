#pragma once
/// A small reader of XML, as strict as a browser is with an SVG file: it says what is wrong, and gives the elements.

#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ebb::inspect::test {

struct Element {
    std::string name;
    std::map<std::string, std::string> attributes;  // as written, not unescaped
    std::string text;                               // of it and of all inside it, unescaped
};

class Xml {
  public:
    explicit Xml(std::string_view source) : rest_(source) { read(); }

    const std::string& problem() const { return problem_; }
    const std::vector<Element>& elements() const { return elements_; }

    std::vector<Element> named(std::string_view name) const {
        std::vector<Element> found;
        for (const Element& element : elements_)
            if (element.name == name) found.push_back(element);
        return found;
    }

  private:
    void fail(const std::string& what) {
        if (problem_.empty()) problem_ = what + " before: " + std::string{rest_.substr(0, 60)};
        rest_ = {};
    }

    static bool is_name(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
               c == ':';
    }

    std::string take_name() {
        std::size_t length = 0;
        while (length < rest_.size() && is_name(rest_[length])) ++length;
        const std::string name{rest_.substr(0, length)};
        if (name.empty())
            fail("a name is missing");
        else
            rest_.remove_prefix(length);
        return name;
    }

    void skip_space() {
        while (!rest_.empty() && (rest_[0] == ' ' || rest_[0] == '\n' || rest_[0] == '\t' || rest_[0] == '\r'))
            rest_.remove_prefix(1);
    }

    /// Text without markup, unescaped; it may hold neither `<` nor a lone `&` nor what XML forbids.
    std::string unescaped(std::string_view text) {
        static const std::map<std::string, std::string, std::less<>> entities{
            {"amp", "&"}, {"lt", "<"}, {"gt", ">"}, {"quot", "\""}, {"#39", "'"}};
        std::string plain;
        while (!text.empty()) {
            const auto byte = static_cast<unsigned char>(text[0]);
            if (byte < 0x20 && text[0] != '\n' && text[0] != '\t' && text[0] != '\r') fail("a control character");
            if (text[0] == '<') fail("a < in text");
            if (text[0] != '&') {
                plain += text[0];
                text.remove_prefix(1);
                continue;
            }
            const std::size_t end = text.find(';');
            const auto entity = entities.find(text.substr(1, end == std::string_view::npos ? 0 : end - 1));
            if (end == std::string_view::npos || entity == entities.end()) {
                fail("an & that starts no entity");
                return plain;
            }
            plain += entity->second;
            text.remove_prefix(end + 1);
        }
        return plain;
    }

    void read() {
        std::vector<std::size_t> open;
        while (!rest_.empty()) {
            const std::string text = unescaped(rest_.substr(0, rest_.find('<')));
            for (const std::size_t element : open) elements_[element].text += text;
            if (open.empty() && text.find_first_not_of(" \n") != std::string::npos) fail("text outside of the root");
            const std::size_t tag = rest_.find('<');
            if (tag == std::string_view::npos) break;
            rest_.remove_prefix(tag + 1);
            if (!rest_.empty() && rest_[0] == '/') {
                rest_.remove_prefix(1);
                const std::string name = take_name();
                if (open.empty() || elements_[open.back()].name != name)
                    fail("an end tag of " + name + " that closes nothing");
                if (!rest_.empty() && rest_[0] != '>') fail("an end tag that does not end");
                if (!open.empty()) open.pop_back();
                rest_.remove_prefix(rest_.empty() ? 0 : 1);
                continue;
            }
            Element element{take_name(), {}, {}};
            while (true) {
                skip_space();
                if (rest_.empty() || rest_[0] == '>' || rest_[0] == '/') break;
                const std::string name = take_name();
                if (rest_.substr(0, 2) != "=\"") {
                    fail("an attribute without a quoted value");
                    break;
                }
                rest_.remove_prefix(2);
                const std::string value{rest_.substr(0, rest_.find('"'))};
                unescaped(value);
                if (!element.attributes.emplace(name, value).second) fail("the attribute " + name + " comes twice");
                if (rest_.size() <= value.size()) break;
                rest_.remove_prefix(value.size() + 1);
            }
            const bool is_closed = rest_.substr(0, 2) == "/>";
            if (!is_closed && (rest_.empty() || rest_[0] != '>')) fail("a tag that does not end");
            if (rest_.empty()) break;
            rest_.remove_prefix(is_closed ? 2 : 1);
            if (elements_.empty() != open.empty()) fail("a second root");
            elements_.push_back(element);
            if (!is_closed) open.push_back(elements_.size() - 1);
        }
        if (problem_.empty() && !open.empty()) problem_ = elements_[open.back()].name + " is not closed";
    }

    std::string_view rest_;
    std::string problem_;
    std::vector<Element> elements_;
};

inline void replace_all(std::string& text, std::string_view what, std::string_view by) {
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
        text.replace(at, what.size(), by);
}

/// A number as people write it, "−1,234.5", "2 × 10⁻⁷" or "10⁻⁷" (also with the exponent set lower, as in the text of
/// an SVG element: "10−7"), read back.
inline double read_number(std::string text) {
    replace_all(text, ",", "");
    replace_all(text, "\u2212", "-");
    const bool has_power = text.find("×") != std::string::npos;
    bool is_raised = false;
    constexpr std::pair<const char*, const char*> raised[] = {{"⁰", "0"}, {"¹", "1"}, {"²", "2"}, {"³", "3"},
                                                              {"⁴", "4"}, {"⁵", "5"}, {"⁶", "6"}, {"⁷", "7"},
                                                              {"⁸", "8"}, {"⁹", "9"}, {"⁻", "-"}};
    for (const auto& [character, plain] : raised) {
        is_raised = is_raised || text.find(character) != std::string::npos;
        replace_all(text, character, plain);
    }
    replace_all(text, " × ", "*");
    const std::size_t times = text.find('*');
    const std::string mantissa = has_power ? text.substr(0, times) : "1";
    const std::string power = has_power ? text.substr(times + 1) : text;
    const bool is_power = power.rfind("10", 0) == 0 && power.size() > 2 && (has_power || is_raised || power[2] == '-');
    if (!is_power) return std::strtod(text.c_str(), nullptr);
    return std::strtod((mantissa + "e" + power.substr(2)).c_str(), nullptr);
}

}  // namespace ebb::inspect::test
