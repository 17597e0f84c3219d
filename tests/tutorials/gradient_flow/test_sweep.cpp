/// Sweeps: their folder, what becomes of one that is killed, and what is refused.

#include <ebb/core/error.hpp>
#include <ebb/core/random.hpp>

#include <chrono>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <thread>

#include "gradient_flow/comparison.hpp"
#include "gradient_flow/folder_lock.hpp"
#include "gradient_flow/run_report.hpp"
#include "gradient_flow/sweep.hpp"
#include "tutorials/gradient_flow/lab.hpp"
#include "tutorials/gradient_flow/run_program.hpp"
#include <doctest/doctest.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

using namespace lab;
namespace fs = std::filesystem;

namespace {

using Words = std::vector<std::string>;

Sweep planned(const Words& arguments, const std::string& folder) {
    std::ostringstream help;
    Request request = parse_request(arguments, help).value();
    request.options.out = folder;
    return plan(request);
}

/// A run that draws nothing on the terminal of whoever runs the tests.
std::vector<RunRecord> swept(const Sweep& sweep) {
    std::ostringstream nowhere;
    run_sweep(sweep, ebb::Progress({.stream = &nowhere}));
    return read_runs(sweep);
}

/// Every file below a folder, with its bytes.
std::map<std::string, std::string> files_of(const fs::path& folder) {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(folder))
        if (entry.is_regular_file())
            files[entry.path().lexically_relative(folder).string()] = ebb::read_file(entry.path().string());
    return files;
}

/// The first file that differs, or is in one folder only; empty where the folders are the same.
std::string first_difference(const fs::path& a, const fs::path& b) {
    const auto left = files_of(a), right = files_of(b);
    for (const auto& [name, bytes] : left)
        if (right.count(name) == 0 || right.at(name) != bytes) return name;
    for (const auto& [name, bytes] : right)
        if (left.count(name) == 0) return name;
    return "";
}

pid_t started(const Words& arguments) {
    const std::string program = std::string(EBB_PROGRAM_DIR) + "/gradient_flow";
    std::vector<char*> words{const_cast<char*>(program.c_str())};
    for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
    words.push_back(nullptr);
    const pid_t process = ::fork();
    REQUIRE(process >= 0);
    if (process == 0) {
        if (!std::freopen("/dev/null", "w", stdout) || !std::freopen("/dev/null", "w", stderr)) ::_exit(126);
        ::execv(words[0], words.data());
        ::_exit(127);
    }
    return process;
}

/// Whether the kill came before the program's own end, which must be a success.
bool was_killed(pid_t process) {
    int status = 0;
    REQUIRE(::waitpid(process, &status, 0) == process);
    if (WIFEXITED(status)) REQUIRE(WEXITSTATUS(status) == 0);
    return WIFSIGNALED(status);
}

std::string refusal(const Sweep& sweep) {
    try {
        swept(sweep);
    } catch (const ebb::Error& error) {
        return error.what();
    }
    return "accepted";
}

const Words small{"--task",   "adding", "--cells",  "tanh,gru", "--gain",  "0.5:1.5:0.5", "--seeds", "2",
                  "--hidden", "6",      "--length", "12",       "--batch", "4",           "--steps", "5"};

}  // namespace

TEST_CASE("a sweep that is killed ten times at random moments ends with the files of one that nobody killed") {
    const TemporaryFolder folder;
    Words whole = small;
    whole.insert(whole.end(), {"--out", folder / "whole"});
    const auto begin = std::chrono::steady_clock::now();
    CHECK(!was_killed(started(whole)));
    const std::chrono::duration<double> lasted = std::chrono::steady_clock::now() - begin;
    REQUIRE(files_of(folder / "whole").count("report.html") == 1);
    REQUIRE(files_of(folder / "whole").size() > 12 * 4);

    ebb::Generator generator(std::random_device{}());
    const std::string out = folder / "killed";
    Words again = small;
    again.insert(again.end(), {"--out", out});
    int killed = 0;
    for (int attempt = 0; killed < 10 && attempt < 200; ++attempt) {
        // Every third time at the very beginning, where the folder is made.
        const double wait = generator.uniform() * lasted.count() * (attempt % 3 == 0 ? 0.1 : 1);
        CAPTURE(wait);
        // By the same command, or by the folder alone, once it is known what it is.
        const bool resume = attempt % 2 == 1 && fs::exists(fs::path(out) / "sweep.json");
        const pid_t process = started(resume ? Words{"--resume", out, "--threads", "1"} : again);
        std::this_thread::sleep_for(std::chrono::duration<double>(wait));
        ::kill(process, SIGKILL);
        if (was_killed(process)) {
            ++killed;
            continue;
        }
        // It was done before: the whole thing once more from the beginning.
        CHECK(first_difference(folder / "whole", out) == "");
        fs::remove_all(out);
    }
    CHECK(killed == 10);
    CHECK(!was_killed(started(again)));
    CHECK(first_difference(folder / "whole", out) == "");
}

TEST_CASE("a second process in the folder of a running sweep is refused, and takes nothing from the first") {
    const TemporaryFolder folder;
    const std::string out = folder / "out";
    Words endless = small;
    endless.back() = "100000";
    endless.insert(endless.end(), {"--out", out});
    const pid_t first = started(endless);
    for (int wait = 0; wait < 3000 && !fs::exists(out + "/sweep.json"); ++wait)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    REQUIRE(fs::exists(out + "/sweep.json"));
    for (const std::string& command : {fmt::format("{}", fmt::join(endless, " ")), "--resume " + out}) {
        const Ended second = gradient_flow(folder, command);
        CHECK(second.code == 2);
        CHECK(second.errors == "gradient_flow: --out " + out +
                                   " is where another process runs a sweep: expected a folder of its own, or to begin "
                                   "when that one has ended\n");
    }
    ::kill(first, SIGKILL);
    CHECK(was_killed(first));
    // What is killed leaves no lock behind.
    CHECK_NOTHROW(FolderLock{out});

    // What the first one is writing is no remainder.
    Words other = small;
    other.insert(other.end(), {"--out", folder / "other"});
    const std::string file = folder / "other/.sweep.json.1.0.tmp";
    fs::create_directories(folder / "other");
    std::ofstream(file) << "half of a fi";
    {
        const FolderLock lock(folder / "other");
        CHECK(gradient_flow(folder, fmt::format("{}", fmt::join(other, " "))).code == 2);
        CHECK(fs::exists(file));
    }
    CHECK(gradient_flow(folder, fmt::format("{}", fmt::join(other, " "))).code == 0);
    CHECK(!fs::exists(file));
}

TEST_CASE("the folder of a sweep says what it takes to repeat each run, and the command repeats it") {
    const TemporaryFolder folder;
    const Sweep sweep = planned(small, folder / "sweep");
    REQUIRE(sweep.runs.size() == 12);
    CHECK(sweep.runs.front().name == "tanh_gain=0.5_seed=1");
    CHECK(sweep.runs[1].name == "tanh_gain=0.5_seed=2");
    CHECK(sweep.runs.back().name == "gru_gain=1.5_seed=2");
    const std::vector<RunRecord> runs = swept(sweep);
    save_results(sweep, runs);
    REQUIRE(runs.size() == 12);
    CHECK(runs.back().steps == std::vector<std::size_t>{0, 1, 2, 3, 4, 5});
    CHECK(*runs.back().options.gain == 1.5);
    CHECK(runs.back().options.seed == 2);
    CHECK(runs.back().hidden.size() == 6);
    CHECK(runs.back().hidden[0].size() == 12);
    CHECK(runs.back().test_loss != runs.front().test_loss);

    // A row for each run, below a header.
    std::istringstream table(ebb::read_file(folder / "sweep/results.csv"));
    std::size_t lines = 0;
    for (std::string line; std::getline(table, line);) ++lines;
    CHECK(lines == 13);

    const auto json = nlohmann::json::parse(ebb::read_file(folder / "sweep/sweep.json"));
    REQUIRE(json["runs"].size() == 12);
    const std::string command = json["runs"][11]["command"];
    REQUIRE(command.starts_with("./run demo "));
    const std::string single = folder / "single";
    CHECK(gradient_flow(folder, command.substr(11) + " --out '" + single + "'").code == 0);
    CHECK(first_difference(folder / "sweep/runs/gru_gain=1.5_seed=2", folder / "single/runs/gru") == "");
}

TEST_CASE("the result does not depend on the number of threads") {
    const TemporaryFolder folder;
    Sweep sweep = planned(small, folder / "one");
    sweep.options.threads = 1;
    save_results(sweep, swept(sweep));
    sweep.folder = folder / "five";
    sweep.options.threads = 5;
    save_results(sweep, swept(sweep));
    CHECK(first_difference(folder / "one", folder / "five") == "");
}

TEST_CASE("each task is swept, in one sweep too") {
    const TemporaryFolder folder;
    std::ofstream csv(folder / "waves.csv");
    csv << "sin,cos\n";
    for (int k = 0; k < 400; ++k) csv << std::sin(0.3 * k) << "," << std::cos(0.3 * k) << "\n";
    csv.close();
    std::ofstream(folder / "text") << invented_text(2000);
    const Sweep sweep = planned({"--task",          "text,adding,copying,order,echo,series",
                                 "--csv",           folder / "waves.csv",
                                 "--text",          folder / "text",
                                 "--cells",         "lstm",
                                 "--hidden",        "8",
                                 "--length",        "12",
                                 "--batch",         "8",
                                 "--steps",         "30",
                                 "--learning-rate", "0.02",
                                 "--delay",         "2"},
                                folder / "out");
    const std::vector<RunRecord> runs = swept(sweep);
    REQUIRE(runs.size() == 6);
    for (const RunRecord& run : runs) {
        CAPTURE(run.name);
        CHECK(run.failure == "");
        CHECK(run.test_loss.back() < run.test_loss.front());
        const bool numbers = run.options.task == TaskName::adding || run.options.task == TaskName::series;
        CHECK(std::isnan(run.accuracy.back()) == numbers);
        if (!numbers) CHECK((run.accuracy.back() >= 0 && run.accuracy.back() <= 1));
        CHECK(run.hidden.back().front() > 0);
    }
    CHECK(runs[2].hidden.back().size() == 32);  // copying takes T + 20 steps
    CHECK_NOTHROW(save_results(sweep, runs));
    CHECK(ebb::read_file(folder / "out/report.html").find("of the baseline") != std::string::npos);

    // Each of them in full, with what curves over many runs do not hold; the run's own files stay as they were.
    for (const PlannedRun& run : sweep.runs) {
        CAPTURE(run.name);
        const std::string own = folder_of(sweep, run);
        const auto before = files_of(own);
        std::ostringstream nowhere;
        const RunReport full = report_run(own, own, ebb::Progress({.stream = &nowhere}));
        CHECK(full.path == own + "/report.html");
        CHECK(full.same());
        const std::string page = ebb::read_file(full.path);
        for (const char* title : {"The LSTM unrolled", "Gradient by unit, LSTM", "Forget gate by unit, LSTM",
                                  "Gates of the LSTM through time"})
            CHECK(page.find(title) != std::string::npos);
        const bool one_loss = run.options.task == TaskName::adding || run.options.task == TaskName::order;
        CHECK((page.find("Which loss reaches which step, LSTM") == std::string::npos) == one_loss);
        CHECK(page.find("--report") != std::string::npos);
        auto after = files_of(own);
        for (const auto& [name, bytes] : before) CHECK(after[name] == bytes);
        CHECK(after.contains("data/gradient-norm-through-time.csv"));
    }
    CHECK_NOTHROW(swept(sweep));  // and the sweep is the same as before
}

TEST_CASE("a run that breaks down is recorded, and the others go on") {
    const TemporaryFolder folder;
    const Sweep sweep = planned({"--task", "echo", "--cells", "gru", "--learning-rate", "0.01,3e38", "--delay", "1",
                                 "--hidden", "4", "--length", "8", "--batch", "2", "--steps", "3"},
                                folder / "out");
    const std::vector<RunRecord> runs = swept(sweep);
    REQUIRE(runs.size() == 2);
    CHECK(runs[0].failure == "");
    CHECK(runs[1].failure ==
          "after step 1 the loss is nan: expected a finite number: a smaller --learning-rate or --clip keeps the "
          "weights in bounds");
    CHECK_NOTHROW(save_results(sweep, runs));
    CHECK(results_text(runs).find("broke down") != std::string::npos);
    const std::string broken = folder_of(sweep, sweep.runs[1]);
    CHECK_THROWS_WITH_AS(report_run(broken, broken, ebb::Progress()),
                         ("gradient_flow: --report " + broken + ": the run broke down: " + runs[1].failure +
                          ": expected a run that has ended")
                             .c_str(),
                         ebb::ValueError);
    CHECK_THROWS_WITH_AS(
        report_run(folder / "out", folder / "out", ebb::Progress()),
        ("gradient_flow: --report " + (folder / "out") + ": expected the folder of a run, with its run.json").c_str(),
        ebb::ValueError);
    CHECK(ebb::read_file(folder / "out/results.csv").find("after step 1 the loss is nan") != std::string::npos);
}

TEST_CASE("a folder of another sweep, or of something else, is refused and left as it is") {
    const TemporaryFolder folder;
    const std::string out = folder / "out";
    Words other = small;
    other[5] = "0.5";
    swept(planned(small, out));
    const auto before = files_of(out);
    CHECK(refusal(planned(other, out)) ==
          "gradient_flow: --out " + out +
              " holds another sweep, ./run demo --task adding --length 12 --cells tanh,gru --hidden 6 "
              "--embedding 32 --init uniform --gain 0.5,1,1.5 --input-scale 1 --steps 5 --batch 4 --learning-rate "
              "0.004 --clip 1 --seed 1,2 --precision float: expected a folder of its own");
    CHECK(files_of(out) == before);

    std::string text = ebb::read_file(out + "/sweep.json");
    const std::size_t version = text.find("\"version\": \"") + 12;
    text.replace(version, text.find('"', version) - version, "0.0.1");
    std::ofstream(out + "/sweep.json", std::ios::binary) << text;
    CHECK(refusal(planned(small, out))
              .starts_with("gradient_flow: --out " + out +
                           " holds a sweep of version 0.0.1: expected one of this version, "));

    // What one leaves that was killed before its sweep.json had its name.
    fs::create_directories(folder / "begun");
    std::ofstream(folder / "begun/.sweep.json.12.0.tmp") << "{";
    CHECK(refusal(planned(small, folder / "begun")) == "accepted");
    CHECK(!fs::exists(folder / "begun/.sweep.json.12.0.tmp"));

    fs::create_directories(folder / "mine");
    std::ofstream(folder / "mine/diary") << "dear diary";
    CHECK(refusal(planned(small, folder / "mine")) ==
          "gradient_flow: --out " + (folder / "mine") +
              " holds diary, and no sweep.json: expected an empty folder, or one of a sweep");

    const Ended ended = gradient_flow(folder, "--resume '" + (folder / "mine") + "'");
    CHECK(ended.code == 2);
    CHECK(ended.errors == "gradient_flow: --resume " + (folder / "mine") + ": read_file: \"" +
                              (folder / "mine/sweep.json") +
                              "\": cannot open: No such file or directory: expected the folder of a sweep\n");
    std::ofstream(folder / "mine/sweep.json") << "[1, 2";
    CHECK(gradient_flow(folder, "--resume '" + (folder / "mine") + "'").errors ==
          "gradient_flow: " + (folder / "mine/sweep.json") + " is damaged: expected what a sweep writes\n");
}
