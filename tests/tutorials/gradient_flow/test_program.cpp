/// The program itself, as a user meets it.

#include <filesystem>
#include <fstream>
#include <string>

#include "tutorials/gradient_flow/lab.hpp"
#include "tutorials/gradient_flow/run_program.hpp"
#include <doctest/doctest.h>
#include <unistd.h>

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
         "gradient_flow: --text " + (folder / "missing") +
             ": cannot open: No such file or directory: expected a readable text in UTF-8"},
        {"--task text --text " + (folder / "missing"),
         "gradient_flow: --text " + (folder / "missing") +
             ": cannot open: No such file or directory: expected a readable text in UTF-8"},
        {"--text " + (folder / "empty"), "gradient_flow: --text " + (folder / "empty") + ": is empty, expected a text"},
        {"--text " + (folder / "binary"), "gradient_flow: --text " + (folder / "binary") +
                                              ": byte 4 is 0, as in binary files: expected a text in UTF-8"},
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

TEST_CASE("a folder that cannot be written is refused before the training") {
    if (::geteuid() == 0) {
        MESSAGE("skipped: root may write everywhere");
        return;
    }
    const TemporaryFolder folder;
    const std::string text = folder / "text";
    std::ofstream(text) << invented_text(2000);
    namespace fs = std::filesystem;
    for (const char* part : {"", "figures", "data"}) {
        const std::string out = folder / "out";
        fs::create_directories(out + "/figures");
        fs::create_directories(out + "/data");
        const fs::path locked = fs::path(out) / part;
        fs::permissions(locked, static_cast<fs::perms>(0555));
        const Ended ended = gradient_flow(folder, "--text '" + text + "' --out '" + out + "' --length 9");
        fs::permissions(locked, static_cast<fs::perms>(0755));
        CHECK(ended.code == 2);
        CHECK(ended.output.empty());
        CHECK(ended.errors == "gradient_flow: --out " + out +
                                  " cannot be written: Permission denied: expected a folder where files can be made\n");
    }
}

TEST_CASE("output that does not arrive is an error") {
    const TemporaryFolder folder;
    const Ended full = gradient_flow(folder, "--help >/dev/full 2>'" + (folder / "said") + "'; exit $?");
    CHECK(full.code == 2);
    CHECK(ebb::read_file(folder / "said") ==
          "gradient_flow: standard output cannot be written: expected a file or terminal with room\n");
}

TEST_CASE("where memory runs out, the message says what to make smaller") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    MESSAGE("skipped: a sanitizer takes more memory than any limit leaves");
#else
    const TemporaryFolder folder;
    const std::string text = folder / "text";
    std::ofstream(text) << invented_text(20000);
    const Ended ended = gradient_flow(
        folder,
        "--text '" + text + "' --out '" + (folder / "out") + "' --hidden 4096 --batch 4096 --length 1000 --threads 1",
        "ulimit -v 1000000; ");
    CHECK(ended.code == 2);
    CHECK(ended.errors ==
          "gradient_flow: memory ran out: expected a smaller --hidden, --batch, --length or --threads\n");
#endif
}
