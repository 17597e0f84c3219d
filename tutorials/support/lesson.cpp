#include "support/lesson.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

namespace tutorial {
namespace {

std::string contents(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error("cannot read " + path);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// Whether the page stands beside its program, in docs; else the program is one of the tutorials.
bool beside(const std::filesystem::path& source) {
    return source.parent_path().filename() == "docs";
}

/// "<!-- .. -->" and how to run the program, around the page.
std::string framed(const std::filesystem::path& source, const std::string& body) {
    const std::string name = source.stem();
    const bool is_beside = beside(source);
    const std::string file = fmt::format("{}/{}.cpp", is_beside ? "docs" : "tutorials", name);
    return fmt::format(
        "<!-- Made by the program itself from {0} and its output. Change that, then:\n"
        "     cmake --build --preset release --target tutorial_pages -->\n\n{1}\n"
        "---\n\nThe program of this page is [{0}]({2}); {3}.\n",
        file, body, is_beside ? name + ".cpp" : "../../" + file,
        is_beside ? fmt::format("a build makes it, as `tutorials/{}`", name)
                  : fmt::format("`./run tutorial {}` runs it", name));
}

}  // namespace

// A compiler cache may have made the path relative to the folder that the compiler ran in.
Lesson::Lesson(int argc, char** argv, const char* made_in)
    : source_((std::filesystem::path(EBB_BINARY_DIR) / made_in).string()) {
    const std::filesystem::path source(source_);
    name_ = source.stem();
    page_ = (beside(source) ? source.parent_path() : source.parent_path().parent_path() / "docs" / "tutorials") /
            (name_ + ".md");
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    if (arguments.size() == 1 && arguments[0] == "--check") {
        mode_ = Mode::check;
    } else if (arguments.size() == 2 && arguments[0] == "--page") {
        mode_ = Mode::write;
        page_ = arguments[1];
    } else if (!arguments.empty()) {
        const bool asked = arguments.size() == 1 && arguments[0] == "--help";
        fmt::print(asked ? stdout : stderr,
                   "usage: {0}               runs and prints\n"
                   "       {0} --check       asserts what its page says\n"
                   "       {0} --page FILE   writes its page\n",
                   name_);
        std::exit(asked ? 0 : 2);
    }
    if (mode_ != Mode::run) start_capture();
}

Lesson::~Lesson() {
    stop_capture();
}

void Lesson::section(std::string_view title) {
    if (mode_ == Mode::run)
        fmt::print("\n== {}\n\n", title);
    else
        run_.outputs.push_back(printed());
}

void Lesson::fact(bool holds, std::string_view what) {
    ++facts_;
    if (!holds) failed_.emplace_back(what);
}

void Lesson::number(const std::string& name, std::string text) {
    run_.numbers[name] = std::move(text);
}

void Lesson::picture(const std::string& name, std::string text) {
    pictures_[name] = std::move(text);
}

int Lesson::end() {
    if (mode_ == Mode::run) return 0;
    run_.outputs.push_back(printed());
    stop_capture();
    try {
        const std::string made = framed(source_, tutorial::page(contents(source_), run_));
        return mode_ == Mode::check ? check(made) : write(made);
    } catch (const std::exception& error) {
        fmt::print(stderr, "{}: {}\n", name_, error.what());
        return 1;
    }
}

int Lesson::check(const std::string& made) const {
    for (const std::string& what : failed_) fmt::print(stderr, "{}: this does not hold: {}\n", name_, what);
    const std::string difference = first_difference(made, contents(page_));
    if (!difference.empty())
        fmt::print(stderr, "{}: {} is not what the program would write, {}", name_, page_, difference);
    bool pictures_differ = false;
    for (const auto& [name, text] : pictures_) {
        const std::string path = std::filesystem::path(page_).replace_filename(name);
        if (contents(path) == text) continue;
        fmt::print(stderr, "{}: {} is not what the program would write\n", name_, path);
        pictures_differ = true;
    }
    if (!failed_.empty() || !difference.empty() || pictures_differ) return 1;
    fmt::print("{}: {} facts hold, and the page is up to date\n", name_, facts_);
    return 0;
}

int Lesson::write(const std::string& made) const {
    for (const std::string& what : failed_) fmt::print(stderr, "{}: this does not hold: {}\n", name_, what);
    if (!failed_.empty()) return 1;
    std::filesystem::create_directories(std::filesystem::absolute(page_).parent_path());
    const auto write_file = [](const std::string& path, const std::string& text) {
        std::ofstream file(path, std::ios::binary);
        if (!(file << text).flush()) throw std::runtime_error("cannot write " + path);
    };
    write_file(page_, made);
    for (const auto& [name, text] : pictures_) write_file(std::filesystem::path(page_).replace_filename(name), text);
    return 0;
}

// Standard output itself goes into a file: so a tutorial prints as any program does.

void Lesson::start_capture() {
    std::fflush(stdout);
    terminal_ = dup(STDOUT_FILENO);
    capture_ = std::tmpfile();
    if (terminal_ < 0 || !capture_ || dup2(fileno(capture_), STDOUT_FILENO) < 0)
        throw std::runtime_error("cannot redirect the standard output");
}

void Lesson::stop_capture() {
    if (!capture_) return;
    std::fflush(stdout);
    dup2(terminal_, STDOUT_FILENO);
    close(terminal_);
    std::fclose(capture_);
    capture_ = nullptr;
}

std::string Lesson::printed() {
    std::fflush(stdout);
    std::string text;
    char buffer[4096];
    for (ssize_t size; (size = pread(fileno(capture_), buffer, sizeof buffer, captured_)) > 0; captured_ += size)
        text.append(buffer, static_cast<std::size_t>(size));
    return text;
}

}  // namespace tutorial
