/// docs/gradient-flow.md and docs/lab.md show what the program prints; the snippet of the first is the one between the
/// marks below.

#include <ebb/core/file.hpp>
#include <ebb/ebb.hpp>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "support/corpus.hpp"
#include "support/documented.hpp"
#include "tutorials/gradient_flow/run_program.hpp"
#include <doctest/doctest.h>

namespace {

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
}

std::string the_page(const std::string& name = "gradient-flow") {
    return ebb::read_file(std::string(EBB_GOLDEN_DIR) + "/../../docs/" + name + ".md");
}

std::string this_file() {
    return ebb::read_file(std::string(EBB_GOLDEN_DIR) + "/../tutorials/gradient_flow/test_documentation.cpp");
}

/// The first line of `shown` that `printed` does not have in this place; "..." stands for any lines.
std::string first_wrong_line(const std::vector<std::string>& shown, const std::vector<std::string>& printed) {
    std::size_t at = 0;
    bool anywhere = false;
    for (const std::string& line : shown) {
        if (line == "...") {
            anywhere = true;
            continue;
        }
        const auto from = printed.begin() + static_cast<std::ptrdiff_t>(at);
        const auto found = anywhere ? std::find(from, printed.end(), line) : from;
        if (found == printed.end() || *found != line) return line;
        at = static_cast<std::size_t>(found - printed.begin()) + 1;
        anywhere = false;
    }
    return anywhere || at == printed.size() ? "" : "(the end)";
}

/// Runs the page's commands, one after the other, in one folder. Gives their number.
std::size_t check_commands(const std::string& page_name) {
    const TemporaryFolder folder;
    const std::vector<std::string> page = lines_of(the_page(page_name));
    const std::string prompt = "$ ./run demo";
    std::size_t commands = 0;
    for (std::size_t k = 0; k + 1 < page.size(); ++k) {
        if (page[k] != "```console") continue;
        REQUIRE(page[k + 1].rfind(prompt, 0) == 0);
        const auto begin = page.begin() + static_cast<std::ptrdiff_t>(k + 2);
        const std::vector<std::string> shown(begin, std::find(begin, page.end(), "```"));
        const Ended ended =
            gradient_flow(folder, page[k + 1].substr(prompt.size()), "cd '" + folder.path().string() + "'; ");
        CHECK(ended.code == 0);
        const std::string wrong = first_wrong_line(shown, lines_of(ended.output));
        CHECK_MESSAGE(wrong.empty(), page[k + 1], "\nthe page shows\n", wrong, "\nit prints\n", ended.output);
        ++commands;
    }
    return commands;
}

}  // namespace

TEST_CASE("each command of the demo's page prints what the page shows") {
    if (!std::filesystem::exists(tutorial::debian_text)) {
        MESSAGE("skipped: the page shows numbers of " << tutorial::debian_text);
        return;
    }
    CHECK(check_commands("gradient-flow") >= 8);
}

TEST_CASE("each command of the lab's page prints what the page shows") {
    CHECK(check_commands("lab") == 5);
}

TEST_CASE("the page's program") {
    const TemporaryFolder folder;
    const std::filesystem::path before = std::filesystem::current_path();
    std::filesystem::current_path(folder.path());
    // begin of the program
    ebb::manual_seed(1);
    ebb::LSTM<double> lstm({.input_size = 3, .hidden_size = 8});
    ebb::Tape<double> tape;
    const auto x = tape.constant(ebb::randn<double>({20, 2, 3}));  // [T, B, I]
    tape.backward(ebb::sum(lstm(x).state.h));

    const auto flow = ebb::inspect::gradient_flow(tape);
    const std::vector<double>& norms = flow["lstm.c"].grad_norm;  // ||dL/dc_t||, a number per time step
    const std::vector<double>& gates = flow.gate("lstm.forget_gate").mean;
    const auto shares = ebb::inspect::weight_contributions(tape, lstm.weight_hh);  // ||delta_t' h_{t-1}||

    ebb::inspect::save_csv("flow.csv", flow);
    ebb::inspect::save_json("shares.json", shares);
    // end of the program
    std::filesystem::current_path(before);
    CHECK(norms.size() == 20);
    CHECK(gates.size() == 20);
    CHECK(norms.front() < norms.back());
    CHECK(ebb::read_file(folder / "flow.csv") == ebb::inspect::to_csv(flow));
    CHECK(ebb::read_file(folder / "shares.json") == ebb::inspect::to_json(shares));
    CHECK(between(the_page(), "```cpp", "```") ==
          between(this_file(), "// begin of the program", "// end of the program"));
}
