#include <ebb/core/error.hpp>
#include <ebb/inspect/number_text.hpp>
#include <ebb/inspect/terminal.hpp>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include <browser/sample.hpp>
#include <doctest/doctest.h>

using namespace ebb;
using namespace ebb::inspect;

namespace {

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
}

LineFigure straight(Scale scale) {
    LineFigure figure;
    figure.title = "A straight line";
    figure.x = {.label = "t"};
    figure.y = {.label = "norm", .unit = {}, .scale = scale};
    figure.series = {{"a", {}, {}}};
    for (int i = 0; i <= 8; ++i) {
        figure.series[0].x.push_back(i);
        figure.series[0].y.push_back(scale == Scale::log ? std::pow(10.0, -i) : 1.25 * i);
    }
    return figure;
}

/// Sets an environment variable for the length of a test.
class Variable {
  public:
    Variable(const char* name, const char* value) : name_(name) {
        if (const char* old = std::getenv(name)) {
            old_ = old;
            was_set_ = true;
        }
        if (value == nullptr)
            unsetenv(name);
        else
            setenv(name, value, 1);
    }
    Variable(const Variable&) = delete;
    Variable& operator=(const Variable&) = delete;
    ~Variable() {
        if (was_set_)
            setenv(name_, old_.c_str(), 1);
        else
            unsetenv(name_);
    }

  private:
    const char* name_;
    std::string old_;
    bool was_set_ = false;
};

}  // namespace

TEST_CASE("no line is wider than the terminal") {
    for (const bool unicode : {true, false})
        for (const std::size_t width : {40U, 60U, 80U, 100U})
            for (const LineFigure& figure : {sample::gradient_figure(), sample::loss_figure(), straight(Scale::log)})
                for (const std::string& line :
                     lines_of(to_terminal(figure, {.width = width, .height = 12, .unicode = unicode}))) {
                    CAPTURE(line);
                    CHECK(count_characters(line) <= width);
                }
}

TEST_CASE("plain ASCII where that is asked for") {
    LineFigure figure = sample::gradient_figure();
    figure.title = "∂ and what has no form: 漢";
    const std::string text = to_terminal(figure, {.unicode = false});
    for (const char c : text) REQUIRE(static_cast<unsigned char>(c) < 0x80);
    CHECK(text.find("||dL/dh_t||") != std::string::npos);
    CHECK(text.find("10^-20 +") != std::string::npos);
    CHECK(text.find("d and what has no form: ?") != std::string::npos);
}

TEST_CASE("a straight line is drawn straight") {
    for (const Scale scale : {Scale::log, Scale::linear}) {
        const std::string text = to_terminal(straight(scale), {.width = 60, .height = 9, .unicode = false});
        std::vector<std::size_t> first;
        for (const std::string& line : lines_of(text)) {
            const std::size_t axis = line.find_first_of("|+");
            const std::size_t mark = line.find('*');
            if (axis != std::string::npos && mark != std::string::npos && mark > axis) first.push_back(mark);
        }
        REQUIRE(first.size() == 9);
        for (std::size_t i = 1; i < first.size(); ++i) {
            const auto step = static_cast<int>(first[i]) - static_cast<int>(first[i - 1]);
            CHECK(std::abs(step) >= 3);
            CHECK(std::abs(step) <= 8);
            CHECK((step > 0) == (scale == Scale::log));
        }
    }
}

TEST_CASE("braille dots fill the plot from corner to corner") {
    const std::vector<std::string> lines = lines_of(to_terminal(straight(Scale::linear), {.width = 60, .height = 10}));
    // Title, y axis, then the plot: the first row ends at the top right, the last one starts at the bottom left.
    CHECK(count_characters(lines[2]) == 60);
    const std::size_t axis = lines[11].find("┤");
    REQUIRE(axis != std::string::npos);
    CHECK(lines[11].substr(axis + 3, 1) != " ");
}

TEST_CASE("series are told apart: by marks, by letters or by colours") {
    const LineFigure figure = sample::loss_figure();
    const std::string ascii = to_terminal(figure, {.unicode = false});
    CHECK(ascii.find("* tanh   o LSTM   + GRU") != std::string::npos);
    const std::string letters = to_terminal(figure, {.unicode = true});
    CHECK(letters.find("a tanh   b LSTM   c GRU") != std::string::npos);
    CHECK(letters.find('\x1b') == std::string::npos);
    const std::string colours = to_terminal(figure, {.unicode = true, .colour = true});
    CHECK(colours.find("\x1b[38;5;208m━━\x1b[0m LSTM") != std::string::npos);
    // Each colour that is switched on is switched off.
    std::size_t on = 0;
    std::size_t off = 0;
    for (std::size_t at = colours.find("\x1b["); at != std::string::npos; at = colours.find("\x1b[", at + 1))
        ++(colours.compare(at, 4, "\x1b[0m") == 0 ? off : on);
    CHECK(on == off);
    CHECK(on > 10);
}

TEST_CASE("the frame, the reference and what is not drawn are named") {
    LineFigure figure = sample::gradient_figure();
    figure.frames.back().series[0].y[0] = 0;
    const std::string text = to_terminal(figure, {.unicode = false});
    CHECK(text.find("Gradient norm through time, training step 1,000\n") == 0);
    CHECK(text.find(". before training") != std::string::npos);
    CHECK(text.find("Not drawn: tanh: 1 value is 0 (a log axis has no 0).") != std::string::npos);
    CHECK(to_terminal(figure, {.frame = 0}).find("training step 0") != std::string::npos);
}

TEST_CASE("extreme values draw something, quickly") {
    const double tiny = std::numeric_limits<double>::denorm_min();
    const double huge = std::numeric_limits<double>::max();
    LineFigure figure = straight(Scale::log);
    figure.series[0] = {"a", {1, 2, 3, 4}, {tiny, huge, 0, NAN}};
    figure.y.min = 1e-3;
    figure.y.max = 1e-2;
    CHECK_NOTHROW(to_terminal(figure));
    figure.series[0] = {"a", {1, 2}, {0, 0}};
    CHECK(to_terminal(figure).find("Not drawn: a: 2 values are 0") != std::string::npos);
}

TEST_CASE("a title cannot send commands to the terminal") {
    LineFigure figure = straight(Scale::log);
    figure.title = "\x1b[2J\r\nclear\xff";
    CHECK(to_terminal(figure).find('\x1b') == std::string::npos);
    CHECK(to_terminal(figure, {.unicode = false}).find('\x1b') == std::string::npos);
}

TEST_CASE("too small a size is refused") {
    CHECK_THROWS_WITH_AS(to_terminal(straight(Scale::log), {.width = 39}),
                         "to_terminal: 39 characters by 20 lines: expected at least 40 by 4", ValueError);
}

TEST_CASE("options follow the locale, and a file gets no colours") {
    std::FILE* file = std::tmpfile();
    REQUIRE(file != nullptr);
    const Variable no_ctype("LC_CTYPE", nullptr);
    const Variable lang("LANG", "en_GB.UTF-8");
    {
        const Variable all("LC_ALL", nullptr);
        CHECK(terminal_options(file).unicode);
    }
    {
        const Variable all("LC_ALL", "C");
        CHECK_FALSE(terminal_options(file).unicode);
    }
    {
        const Variable all("LC_ALL", "C.utf8");
        CHECK(terminal_options(file).unicode);
    }
    CHECK_FALSE(terminal_options(file).colour);
    CHECK(terminal_options(file).width == 80);
    std::fclose(file);
}
