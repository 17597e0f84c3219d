/// The program itself, as a user meets it.

#include <filesystem>
#include <fstream>
#include <string>

#include "tutorials/gradient_flow/lab.hpp"
#include "tutorials/gradient_flow/run_program.hpp"
#include <doctest/doctest.h>

TEST_CASE("a small run prints its table and its report's path, and draws no progress into a file") {
    const TemporaryFolder folder;
    std::ofstream(folder / "text") << invented_text(2000);
    const std::string out = folder / "out";
    const Ended ended = gradient_flow(
        folder, "--text '" + (folder / "text") + "' --out '" + out + "' --hidden 6 --length 9 --batch 3 --steps 4");
    CHECK(ended.code == 0);
    CHECK(ended.errors.empty());
    CHECK(ended.output.find("Text      " + (folder / "text") + "\n") == 0);
    CHECK(ended.output.find("cell parameters  weights   trained other") != std::string::npos);
    CHECK(ended.output.ends_with("\nReport: " + out + "/report.html\n"));
    CHECK(ended.output.find('\r') == std::string::npos);
    CHECK(std::filesystem::exists(out + "/report.html"));
}

TEST_CASE("help goes to standard output") {
    const TemporaryFolder folder;
    const Ended ended = gradient_flow(folder, "--help");
    CHECK(ended.code == 0);
    CHECK(ended.errors.empty());
    CHECK(ended.output.find("--spectral-radius X") != std::string::npos);
}

TEST_CASE("what is wrong is said in one line on standard error, and nothing is left behind") {
    const TemporaryFolder folder;
    const std::string text = folder / "text", out = folder / "out";
    std::ofstream(folder / "empty").flush();
    std::ofstream(folder / "binary", std::ios::binary) << std::string(
        "\x7f"
        "ELF\0",
        5);
    std::ofstream(text) << invented_text(300);
    const std::pair<std::string, std::string> cases[] = {
        {"--hidden 0", "gradient_flow: --hidden is 0: expected a whole number from 1 to 4096"},
        {"--length 0", "gradient_flow: --length is 0: expected a whole number from 2 to 100000"},
        {"--text " + (folder / "missing"),
         "read_text_file: \"" + (folder / "missing") + "\": cannot open: No such file or directory"},
        {"--text " + (folder / "empty"), "read_text_file: \"" + (folder / "empty") + "\": is empty, expected a text"},
        {"--text " + (folder / "binary"),
         "read_text_file: \"" + (folder / "binary") + "\": byte 4 is 0x00: expected a text in UTF-8"},
        {"--text " + text,
         "check_length: " + text +
             " has 300 characters, of which the last tenth (30) is held out: expected more than 128 held out, the "
             "sequence length: take a longer text or a smaller --length"},
    };
    for (const auto& [arguments, message] : cases) {
        const Ended ended = gradient_flow(folder, arguments + " --out '" + out + "'");
        CHECK(ended.code == 2);
        CHECK(ended.output.empty());
        CHECK(ended.errors == message + "\n");
        CHECK(!std::filesystem::exists(out));
    }
    // A training that breaks down has begun, and said so.
    const Ended ended = gradient_flow(folder, "--text " + text + " --out '" + out +
                                                  "' --cells gru --length 9 --hidden 4 --steps 3 --learning-rate 3e38");
    CHECK(ended.code == 2);
    CHECK(ended.errors ==
          "gradient_flow: GRU: after step 1 the loss is nan: expected a finite number: a smaller --learning-rate or "
          "--clip keeps the weights in bounds\n");
    CHECK(!std::filesystem::exists(out + "/report.html"));
}
