#include "support/page.hpp"

#include <algorithm>
#include <cstddef>
#include <stdexcept>

#include <fmt/format.h>

namespace tutorial {
namespace {

std::vector<std::string> lines_of(std::string_view text) {
    std::vector<std::string> lines;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        lines.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

std::string_view without_indent(std::string_view line) {
    return line.substr(std::min(line.find_first_not_of(' '), line.size()));
}

/// Without empty lines at both ends and more than one between others, and without the indent that all lines share.
std::vector<std::string> trimmed(std::vector<std::string> lines) {
    const auto empty = [](const std::string& line) { return without_indent(line).empty(); };
    lines.erase(lines.begin(), std::find_if_not(lines.begin(), lines.end(), empty));
    lines.erase(std::find_if_not(lines.rbegin(), lines.rend(), empty).base(), lines.end());
    lines.erase(
        std::unique(lines.begin(), lines.end(), [&](const auto& a, const auto& b) { return empty(a) && empty(b); }),
        lines.end());
    std::size_t indent = std::string::npos;
    for (const std::string& line : lines)
        if (!empty(line)) indent = std::min(indent, line.find_first_not_of(' '));
    for (std::string& line : lines) line.erase(0, std::min(indent, line.size()));
    return lines;
}

bool is_left_out(std::string_view content) {
    return content.starts_with("int main(") || content.starts_with("#include \"support/") ||
           content.starts_with("lesson.") || content.starts_with("return lesson.") ||
           content.starts_with("tutorial::Lesson");
}

class Writer {
  public:
    explicit Writer(const Run& run) : run_(run) {}

    std::string write(std::string_view source) {
        for (const std::string& line : lines_of(source)) {
            ++line_number_;
            add(line);
        }
        end_section();
        if (section_ + 1 != run_.outputs.size())
            throw std::runtime_error(
                fmt::format("the source has {} sections, the run had {}: each must be a line of "
                            "its own, reached once and in order",
                            section_, run_.outputs.size() - 1));
        return std::move(text_);
    }

  private:
    void add(const std::string& line) {
        const std::string_view content = without_indent(line);
        if (content.starts_with("//:")) {
            if (!hidden_) add_prose(content.substr(std::min<std::size_t>(4, content.size())));
            started_ = true;
        } else if (content.starts_with("// [") && content.ends_with("]")) {
            follow(content.substr(4, content.size() - 5));
        } else if (!started_ || hidden_) {
            return;
        } else if (in_main_ && line == "}") {
            in_main_ = false;
        } else if (in_lesson_statement_ || is_left_out(content)) {
            prose_.emplace_back();
            in_main_ |= content.starts_with("int main(");
            if (content.starts_with("lesson.section(")) add_section(content);
            in_lesson_statement_ = !content.ends_with(";") && !content.ends_with("{") && !content.starts_with("#");
        } else {
            code_.push_back(line);
        }
    }

    void add_prose(std::string_view content) {
        end_code();
        if (content.starts_with("## ")) end_section();
        prose_.push_back(with_numbers(std::string(content)));
    }

    void follow(std::string_view directive) {
        // What stands before it and after it are two paragraphs.
        prose_.emplace_back();
        if (directive == "output")
            add_output();
        else if (directive == "hide")
            hidden_ = true;
        else if (directive == "show")
            hidden_ = false;
        else
            throw std::runtime_error(fmt::format(
                "line {}: there is no directive [{}]: expected [output], [hide] or [show]", line_number_, directive));
    }

    void add_section(std::string_view statement) {
        end_section();
        const std::size_t begin = statement.find('"'), end = statement.rfind('"');
        if (begin == end)
            throw std::runtime_error(
                fmt::format("line {}: expected the title of the section on this line", line_number_));
        add_block({"## " + std::string(statement.substr(begin + 1, end - begin - 1))});
        ++section_;
        output_shown_ = false;
    }

    void end_section() {
        end_code();
        end_prose();
        if (!output_shown_) add_output();
    }

    void add_output() {
        end_code();
        end_prose();
        output_shown_ = true;
        if (section_ >= run_.outputs.size()) return;  // said at the end
        std::vector<std::string> lines = lines_of(run_.outputs[section_]);
        const auto empty = [](const std::string& line) { return line.empty(); };
        lines.erase(lines.begin(), std::find_if_not(lines.begin(), lines.end(), empty));
        lines.erase(std::find_if_not(lines.rbegin(), lines.rend(), empty).base(), lines.end());
        if (lines.empty()) return;
        lines.insert(lines.begin(), "```text");
        lines.emplace_back("```");
        add_block(lines);
    }

    void end_code() {
        std::vector<std::string> lines = trimmed(std::move(code_));
        code_.clear();
        if (lines.empty()) return;
        end_prose();
        lines.insert(lines.begin(), "```cpp");
        lines.emplace_back("```");
        add_block(lines);
    }

    void end_prose() {
        add_block(trimmed(std::move(prose_)));
        prose_.clear();
    }

    void add_block(const std::vector<std::string>& lines) {
        if (lines.empty()) return;
        if (!text_.empty()) text_ += '\n';
        for (const std::string& line : lines) text_ += line + '\n';
    }

    std::string with_numbers(std::string line) const {
        for (std::size_t begin; (begin = line.find("{{")) != std::string::npos;) {
            const std::size_t end = line.find("}}", begin);
            const std::string name = line.substr(begin + 2, end == std::string::npos ? end : end - begin - 2);
            const auto number = run_.numbers.find(name);
            if (number == run_.numbers.end())
                throw std::runtime_error(
                    fmt::format("line {}: the program has no number called {}", line_number_, name));
            line.replace(begin, name.size() + 4, number->second);
        }
        return line;
    }

    const Run& run_;
    std::string text_;
    std::vector<std::string> prose_, code_;
    std::size_t line_number_ = 0, section_ = 0;
    bool started_ = false, hidden_ = false, in_main_ = false, in_lesson_statement_ = false, output_shown_ = false;
};

}  // namespace

std::string page(std::string_view source, const Run& run) {
    return Writer(run).write(source);
}

std::string first_difference(std::string_view expected, std::string_view found) {
    const std::vector<std::string> expected_lines = lines_of(expected), found_lines = lines_of(found);
    for (std::size_t k = 0; k < std::max(expected_lines.size(), found_lines.size()); ++k) {
        const std::string* const wanted = k < expected_lines.size() ? &expected_lines[k] : nullptr;
        const std::string* const got = k < found_lines.size() ? &found_lines[k] : nullptr;
        if (wanted && got && *wanted == *got) continue;
        return fmt::format("line {}:\n  the page says   {}\n  the program now {}\n", k + 1,
                           got ? *got : "(nothing: it ends before)", wanted ? *wanted : "(nothing: it ends before)");
    }
    return {};
}

}  // namespace tutorial
