#include <ebb/optim/progress_bar.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <sstream>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

using namespace ebb;

namespace {

/// What a terminal shows after the text: it knows newline, return, cursor up, and erasing to the end of line or screen,
/// and wraps as terminals do.
std::vector<std::string> screen(const std::string& text, std::size_t columns) {
    std::vector<std::vector<std::string>> lines(1);  // of characters, which UTF-8 makes of several bytes
    std::size_t row = 0, column = 0;
    const auto go_down = [&] {
        if (++row == lines.size()) lines.emplace_back();
        column = 0;
    };
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\n') {
            go_down();
        } else if (text[i] == '\r') {
            column = 0;
        } else if (text[i] == '\x1b') {
            REQUIRE(text[i + 1] == '[');
            std::size_t end = i + 2, count = 0;
            for (; std::isdigit(text[end]); ++end) count = 10 * count + static_cast<std::size_t>(text[end] - '0');
            switch (text[end]) {
                case 'A':
                    REQUIRE(count <= row);
                    row -= count;
                    break;
                case 'J':
                    lines.resize(row + 1);
                    [[fallthrough]];
                case 'K':
                    lines[row].resize(std::min(lines[row].size(), column));
                    break;
                default:
                    FAIL("an escape that the terminal does not know");
            }
            i = end;
        } else if ((static_cast<unsigned char>(text[i]) & 0xC0u) == 0x80u) {
            lines[row][column - 1] += text[i];
        } else {
            if (column == columns) go_down();
            if (column == lines[row].size()) lines[row].emplace_back();
            lines[row][column++] = text[i];
        }
    }
    std::vector<std::string> result;
    for (const auto& line : lines) {
        result.emplace_back();
        for (const std::string& character : line) result.back() += character;
    }
    return result;
}

/// A terminal of any size and a clock that goes when told to.
struct FakeTerminal {
    std::ostringstream stream;
    TerminalSize size;
    double now = 100;

    ProgressOptions options(bool terminal = true, bool utf8 = false) {
        return {.stream = &stream,
                .terminal = terminal,
                .utf8 = utf8,
                .size = [this] { return size; },
                .clock = [this] { return now; }};
    }
    std::vector<std::string> lines() const { return screen(stream.str(), size.columns); }
    std::string text() const {
        std::string result;
        for (const std::string& line : lines()) result += (result.empty() ? "" : "\n") + line;
        return result;
    }
};

}  // namespace

TEST_CASE("a bar shows loss, gradient norm, speed and the time that is left") {
    FakeTerminal terminal;
    ProgressBar bar("LSTM", 200, terminal.options());
    CHECK(terminal.text() == "LSTM    0% [>          ]\n");
    terminal.now += 5;
    bar.update(100, 2.3141, 0.0512);
    CHECK(terminal.text() == "LSTM   50% [=====>     ]  loss 2.314    |g| 0.0512     20 steps/s     0:05 left\n");
    terminal.now += 5;
    bar.update(199, 0.00001234, 123456);
    CHECK(terminal.text() == "LSTM   99% [==========>]  loss 1.2e-05  |g| 1.2e+05    20 steps/s     0:01 left\n");
    terminal.now += 2.5;
    bar.update(200, 1.5, 0.25);
    CHECK(terminal.text() == "LSTM  200 steps in 12.5 s, 16 steps/s  loss 1.500  |g| 0.250\n");
    bar.update(200, 7, 7);  // after the end nothing changes
    bar.finish();
    CHECK(terminal.text() == "LSTM  200 steps in 12.5 s, 16 steps/s  loss 1.500  |g| 0.250\n");
}

TEST_CASE("a bar in UTF-8 has lines of its own, and names count characters") {
    FakeTerminal terminal;
    Progress progress(terminal.options(true, true));
    auto first = progress.add("größe", 10);
    auto second = progress.add("b", 10);
    terminal.now += 1;
    first.update(5, 1, 1);
    const auto lines = terminal.lines();
    CHECK(lines[0] == "größe   50%  ━━━━━─────   loss 1.000    |g| 1.000    5.00 steps/s     0:01 left");
    CHECK(lines[1] == "b        0%  ──────────");
}

TEST_CASE("where the output is no terminal, nothing is written but what is printed") {
    FakeTerminal terminal;
    std::ostringstream stream;
    for (const auto& options : {terminal.options(false), ProgressOptions{.stream = &terminal.stream}}) {
        Progress progress(options);
        auto bar = progress.add("LSTM", 10);
        bar.update(5, 1, 1);
        bar.update(10, 1, 1);
    }
    CHECK(terminal.stream.str().empty());
    Progress(terminal.options(false)).print("a line");
    CHECK(terminal.stream.str() == "a line\n");
}

TEST_CASE("it is drawn at most once in an interval") {
    FakeTerminal terminal;
    ProgressBar bar("", 1000, terminal.options());
    std::size_t drawn = 0;
    for (int step = 1; step <= 999; ++step) {
        const std::size_t before = terminal.stream.str().size();
        terminal.now += 0.01;
        bar.update(step, 1, 1);
        drawn += terminal.stream.str().size() != before;
    }
    CHECK(drawn >= 90);
    CHECK(drawn <= 100);
}

TEST_CASE("several bars are drawn together; one that is done leaves its line above those that run") {
    FakeTerminal terminal;
    Progress progress(terminal.options());
    auto tanh = progress.add("tanh", 10), lstm = progress.add("LSTM", 20);
    terminal.now += 1;
    tanh.update(5, 3, 1);
    CHECK(terminal.text() ==
          "tanh   50% [=====>     ]  loss 3.000    |g| 1.000    5.00 steps/s     0:01 left\n"
          "LSTM    0% [>          ]\n");
    auto gru = progress.add("GRU", 30);
    terminal.now += 1;
    lstm.update(20, 2, 0.5);
    CHECK(terminal.text() ==
          "LSTM  20 steps in 2.0 s, 10 steps/s  loss 2.000  |g| 0.500\n"
          "tanh   50% [=====>     ]  loss 3.000    |g| 1.000    5.00 steps/s     0:00 left\n"
          "GRU     0% [>          ]\n");
    progress.print("gradient norm above 100");
    tanh.update(10, 2.5, 1);
    {
        const auto stopped = std::move(gru);  // destroyed before its last step
    }
    CHECK(terminal.text() ==
          "LSTM  20 steps in 2.0 s, 10 steps/s  loss 2.000  |g| 0.500\n"
          "gradient norm above 100\n"
          "tanh  10 steps in 2.0 s, 5.00 steps/s  loss 2.500  |g| 1.000\n"
          "GRU   stopped after 0 of 30 steps, 1.0 s\n");
}

TEST_CASE("no line wraps at any width: the less important goes first") {
    for (std::size_t columns = 1; columns <= 200; ++columns) {
        FakeTerminal terminal;
        terminal.size.columns = columns;
        Progress progress(terminal.options());
        auto first = progress.add("a rather long name of a bar", 1000), second = progress.add("x", 1000);
        terminal.now += 1;
        first.update(100, -12.345678, 1e-9);
        terminal.now += 1;
        second.update(1, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity());
        CHECK(terminal.lines().size() == 3);
    }
    const auto at = [](std::size_t columns) {
        FakeTerminal terminal;
        terminal.size.columns = columns;
        ProgressBar bar("LSTM", 200, terminal.options());
        terminal.now += 1;
        bar.update(100, 2.3, 0.5);
        return terminal.lines()[0];
    };
    CHECK(
        at(120) ==
        "LSTM   50% [====================>                   ]  loss 2.300    |g| 0.500     100 steps/s     0:01 left");
    CHECK(at(70) == "LSTM   50% [=======>       ]  loss 2.300    |g| 0.500       0:01 left");
    CHECK(at(60) == "LSTM   50% [=========>        ]  loss 2.300       0:01 left");
    CHECK(at(42) == "LSTM   50%  loss 2.300       0:01 left");
    CHECK(at(30) == "LSTM   50%  loss 2.300");
    CHECK(at(12) == "LSTM   50%");
    CHECK(at(5) == "LSTM");
}

TEST_CASE("more bars than rows are counted") {
    FakeTerminal terminal;
    terminal.size.rows = 5;
    Progress progress(terminal.options());
    std::vector<ProgressBar> bars;
    for (int i = 0; i < 9; ++i) bars.push_back(progress.add("bar", 10));
    CHECK(terminal.lines().size() == 5);
    CHECK(terminal.lines()[3] == "and 6 more");
    while (bars.size() > 4) bars.pop_back();
    CHECK(terminal.lines().size() == 5 + 5);
    CHECK(terminal.lines()[8] == "bar    0% [>           ]");
}

TEST_CASE("a name cannot break the lines") {
    FakeTerminal terminal;
    ProgressBar bar("a\nb\x1b[2J", 10, terminal.options());
    CHECK(terminal.lines()[0].substr(0, 8) == "a b [2J ");
}

TEST_CASE("times and speeds are written as people write them") {
    const auto shown = [](double seconds, std::int64_t done, std::int64_t steps) {
        FakeTerminal terminal;
        terminal.size.columns = 100;
        ProgressBar bar("", steps, terminal.options());
        terminal.now += seconds;
        bar.update(done, 1, 1);
        const std::string line = terminal.lines()[0];
        return line.substr(line.find("|g| 1.000") + 9);
    };
    CHECK(shown(1, 1, 61) == "    1.00 steps/s     1:00 left");
    CHECK(shown(10, 1, 1000) == "    0.10 steps/s  2:46:30 left");
    CHECK(shown(1, 54321, 100000) == "    54321 steps/s     0:01 left");
    CHECK(shown(100, 1, 100000000) == "    0.01 steps/s  9999 days left");
}

TEST_CASE("the speed is the plain average at first and forgets later") {
    FakeTerminal terminal;
    terminal.size.columns = 100;
    ProgressBar bar("", 100000, terminal.options());
    std::int64_t done = 0;
    const auto run = [&](double seconds, std::int64_t per_second) {
        for (int i = 0; i < static_cast<int>(10 * seconds); ++i) {
            terminal.now += 0.1000001;
            bar.update(done += per_second / 10, 1, 1);
        }
        const std::string line = terminal.lines()[0];
        const auto end = line.find(" steps/s");
        return std::stod(line.substr(end - 4, 4));
    };
    run(1, 10);
    CHECK(run(1, 30) == doctest::Approx(20).epsilon(0.02));
    CHECK(run(60, 100) == doctest::Approx(100).epsilon(0.02));
}

TEST_CASE("bars of several threads share a terminal") {
    FakeTerminal terminal;
    terminal.size.columns = 100;
    ProgressOptions options = terminal.options();
    options.interval = 0;
    options.clock = [] { return 1.0; };
    Progress progress(options);
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i)
        threads.emplace_back([bar = progress.add(std::string(1, static_cast<char>('a' + i)), 300)]() mutable {
            for (int step = 1; step <= 300; ++step) bar.update(step, 1.0 / step, 1);
        });
    for (std::thread& thread : threads) thread.join();
    auto lines = terminal.lines();
    REQUIRE(lines.size() == 4);
    std::sort(lines.begin(), lines.begin() + 3);
    for (std::size_t i = 0; i < 3; ++i)
        CHECK(lines[i] == std::string(1, static_cast<char>('a' + i)) + "  300 steps in 0.0 s  loss 0.0033  |g| 1.000");
}

TEST_CASE("a bar that another is moved into ends first") {
    FakeTerminal terminal;
    Progress progress(terminal.options());
    auto bar = progress.add("one", 5);
    bar.update(2, 1, 1);
    bar = progress.add("two", 5);
    CHECK(terminal.lines()[0] == "one  stopped after 2 of 5 steps, 0.0 s  loss 1.000  |g| 1.000");
    CHECK(terminal.lines()[1].substr(0, 3) == "two");
}
