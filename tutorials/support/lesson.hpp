#pragma once
/// What lets a tutorial's program check itself and write its page. A reader can skip whatever begins with `lesson.`

#include <cstdio>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "support/page.hpp"

namespace tutorial {

/// A tutorial's program, in one of three ways:
///
///     01_the_tape               runs and prints
///     01_the_tape --check       runs, asserts every fact, and that its page in docs/tutorials is what it would write
///     01_the_tape --page FILE   runs, and writes its page
///
/// A program in docs has its page beside itself. The page is made from the source file and what the program prints:
/// page.hpp says how. So a number on the page is
/// one that the program has computed, and the test that runs it with --check asserts every one of them.
class Lesson {
  public:
    /// Made in main(): the source is the file that it is made in. Ends the program for wrong arguments.
    /// (clang++ 14 has no std::source_location yet; both compilers have the builtin beneath it.)
    Lesson(int argc, char** argv, const char* made_in = __builtin_FILE());
    ~Lesson();
    Lesson(const Lesson&) = delete;
    Lesson& operator=(const Lesson&) = delete;

    /// A heading. What is printed from here on belongs to it.
    void section(std::string_view title);
    /// Something that the page says: with --check the program fails where it does not hold.
    void fact(bool holds, std::string_view what);
    /// The text that stands for {{name}} in the prose: a number that the program has computed.
    void number(const std::string& name, std::string text);
    /// A picture that the page shows: the file NAME beside the page, which is written with it, and checked.
    void picture(const std::string& name, std::string text);
    /// The exit code of the program.
    int end();

  private:
    enum class Mode { run, check, write };
    void start_capture();
    void stop_capture();
    std::string printed();
    int check(const std::string& made) const;
    int write(const std::string& made) const;

    Mode mode_ = Mode::run;
    std::string name_, source_, page_;
    Run run_;
    std::map<std::string, std::string> pictures_;
    std::size_t facts_ = 0;
    std::vector<std::string> failed_;
    std::FILE* capture_ = nullptr;
    long captured_ = 0;  // how much of it has been read
    int terminal_ = -1;  // where standard output went before
};

}  // namespace tutorial
