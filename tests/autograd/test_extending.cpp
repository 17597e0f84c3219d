/// docs/extending.md is true: its diff is what the sources have, its programs are those below.

#include <ebb/autograd/gradcheck.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/file.hpp>

#include <filesystem>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "support/random_cases.hpp"
#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace ebb;
using namespace ebb::test;

namespace {

// begin of the operation
template <class T>
class Cube final : public Operation<T> {
  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info{"cube", "y = x^3", "dx = 3 dy x^2"};
        return info;
    }
    void vjp(Vjp<T>& pass) const override {
        const Variable<T> x = pass.input(0);
        pass.accumulate(0, 3 * pass.dy() * x * x);
    }
};

template <class T>
Variable<T> cube(const Variable<T>& x, SourceLine at = source_line()) {
    const CalledFrom call(at);
    static const Cube<T> operation;
    Tape<T>& tape = x.tape();
    const auto recorded = tape.record(operation, {x}, x.shape());
    const T* const value = x.node().value;
    for (std::size_t k = 0; k < x.size(); ++k) recorded.value[k] = value[k] * value[k] * value[k];
    return tape.at(recorded.index);
}
// end of the operation

std::string file_of_project(const std::string& path) {
    return read_text_file(std::string(EBB_GOLDEN_DIR) + "/../../" + path);
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
}

/// Lines without what indents all of them, so that code within a function can stand at the margin of a page.
std::string at_the_margin(std::vector<std::string> lines) {
    std::size_t margin = std::string::npos;
    for (const std::string& line : lines)
        if (!line.empty()) margin = std::min(margin, line.find_first_not_of(' '));
    std::string result;
    for (const std::string& line : lines) result += (line.empty() ? line : line.substr(margin)) + "\n";
    return result;
}

/// What stands between two marks of this file.
std::string here(const std::string& what) {
    std::vector<std::string> found;
    bool inside = false;
    for (const std::string& line : lines_of(file_of_project("tests/autograd/test_extending.cpp"))) {
        if (line.ends_with("// end of " + what)) inside = false;
        if (inside) found.push_back(line);
        if (line.ends_with("// begin of " + what)) inside = true;
    }
    REQUIRE(!found.empty());
    return at_the_margin(found);
}

/// The blocks of one language in the page.
std::vector<std::string> blocks(const std::string& language) {
    std::vector<std::string> result;
    bool inside = false;
    for (const std::string& line : lines_of(file_of_project("docs/extending.md"))) {
        if (inside && line == "```")
            inside = false;
        else if (inside)
            result.back() += line + "\n";
        else if (line == "```" + language) {
            inside = true;
            result.emplace_back();
        }
    }
    return result;
}

std::size_t count_of(const std::string& text, const std::string& part) {
    std::size_t count = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
    return count;
}

struct Hunk {
    std::string path;
    std::string after;  // the lines as they are once the diff is applied
};

std::vector<Hunk> hunks_of(const std::string& diff) {
    std::vector<Hunk> hunks;
    std::string path;
    for (const std::string& line : lines_of(diff)) {
        if (line.starts_with("--- a/")) continue;
        if (line.starts_with("+++ b/"))
            path = line.substr(6);
        else if (line == "@@")
            hunks.push_back({path, {}});
        else if (line[0] == '+' || line[0] == ' ')
            hunks.back().after += line.substr(1) + "\n";
    }
    return hunks;
}

}  // namespace

TEST_CASE("the diff that adds an operation is what the sources have, and they have no more of it") {
    const std::vector<std::string> diffs = blocks("diff");
    REQUIRE(diffs.size() == 1);
    const std::vector<Hunk> hunks = hunks_of(diffs[0]);
    REQUIRE(hunks.size() == 3);
    std::size_t mentions = 0;
    for (const Hunk& hunk : hunks) {
        CAPTURE(hunk.path);
        CHECK_MESSAGE(count_of(file_of_project(hunk.path), hunk.after) == 1, hunk.after);
        mentions += count_of(hunk.after, "Softsign") + count_of(hunk.after, "softsign");
    }
    REQUIRE(mentions == 5);
    // Nowhere else: not in the engine, not in the tests, but for what tests this page.
    std::size_t in_sources = 0;
    const std::filesystem::path root = std::string(EBB_GOLDEN_DIR) + "/../..";
    for (const std::string folder : {"core", "autograd", "tests/autograd", "tests/support", "tests/golden/topics"})
        for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
            if (!entry.is_regular_file() || entry.path().filename() == "test_extending.cpp") continue;
            if (entry.path().extension() != ".cpp" && entry.path().extension() != ".hpp" &&
                entry.path().extension() != ".py")
                continue;
            const std::string text = read_file(entry.path().string());
            in_sources += count_of(text, "Softsign") + count_of(text, "softsign");
        }
    CHECK(in_sources == mentions);
}

TEST_CASE("what the diff adds is tested by itself") {
    std::size_t found = 0;
    for (const RandomCase& c : random_cases())
        if (c.operation == "softsign") {
            ++found;
            const Tally tally = check_random_cases(c, 20, false);
            CHECK(tally.failures == std::vector<std::string>{});
            CHECK(tally.vacuous == 0);
        }
    CHECK(found == 1);
}

TEST_CASE("the operation of one's own program is the one of the page") {
    // begin of the check
    const CheckedFunction f = [](const std::vector<Variable<double>>& in) { return cube(in[0]); };
    CHECK(gradcheck(f, {Array<double>{0.5, -1.25, 2}}).passed);
    CHECK(gradgradcheck(f, {Array<double>{0.5, -1.25, 2}}).passed);
    // end of the check
    const std::vector<std::string> programs = blocks("cpp");
    REQUIRE(programs.size() == 2);
    CHECK(programs[0] == here("the operation"));
    CHECK(programs[1] == here("the check"));
}
