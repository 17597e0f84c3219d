#pragma once
/// The page of a tutorial, made from its program: prose and code from the source, output from a run.

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tutorial {

/// What a run has left behind.
struct Run {
    std::vector<std::string> outputs;            ///< what each section printed; the first is what came before any
    std::map<std::string, std::string> numbers;  ///< what stands for {{name}} in the prose
};

/// The Markdown page. In the source,
///
/// - a line that begins with `//:` is prose, from the first of which on the page begins;
/// - `lesson.section("Title");` is a heading, and what the program prints from there on belongs to it;
/// - `// [output]` is where that is shown; without it, at the end of the section;
/// - what lies between `// [hide]` and `// [show]` is not on the page;
/// - statements that begin with `lesson.`, their header, main()'s first line and last brace are left out;
/// - everything else is code.
///
/// Throws std::runtime_error, with the line, for prose that names a number which the run does not have, an unknown
/// [directive], and a run with more or fewer sections than the source.
std::string page(std::string_view source, const Run& run);

/// The first line in which two texts differ, for a reader; empty where they are equal.
std::string first_difference(std::string_view expected, std::string_view found);

}  // namespace tutorial
