#include <stdexcept>
#include <string>

#include "support/page.hpp"
#include <doctest/doctest.h>

using tutorial::first_difference;
using tutorial::page;

TEST_CASE("a page is prose, code and output in the order of the source") {
    const std::string source = R"(#include <before>
//: # Title
//:
//: Prose of two
//: lines, y = {{y}}.
int main(int argc, char** argv) {
    tutorial::Lesson lesson(argc, argv);

    lesson.section("First");
    //: One.
    const int a = 1;
    // A comment [in brackets].

    if (a) {
        print(a);
    }
    // [output]
    //: After the output.
    lesson.fact(a == 1,
                "a is 1");
    lesson.section("Second");
    // [hide]
    nobody_sees_this();
    // [show]
    print(2);
    lesson.section("Silent");
    silent();
    return lesson.end();
}

//: ## Exercises
)";
    CHECK(page(source, {{"", "\n1\n\n", " 2\n", ""}, {{"y", "0.29"}}}) == R"(# Title

Prose of two
lines, y = 0.29.

## First

One.

```cpp
const int a = 1;
// A comment [in brackets].

if (a) {
    print(a);
}
```

```text
1
```

After the output.

## Second

```cpp
print(2);
```

```text
 2
```

## Silent

```cpp
silent();
```

## Exercises
)");
}

TEST_CASE("a page that cannot be made says where") {
    CHECK_THROWS_WITH_AS(page("//: # T\n//: {{z}}\n", {{""}, {}}), "line 2: the program has no number called z",
                         std::runtime_error);
    CHECK_THROWS_WITH_AS(page("//: T\n// [outptu]\n", {{""}, {}}),
                         "line 2: there is no directive [outptu]: expected [output], [hide] or [show]",
                         std::runtime_error);
    CHECK_THROWS_WITH_AS(
        page("//: T\nlesson.section(\"A\");\n", {{""}, {}}),
        "the source has 1 sections, the run had 0: each must be a line of its own, reached once and in "
        "order",
        std::runtime_error);
    CHECK_THROWS_WITH_AS(page("//: T\nlesson.section(title);\n", {{"", ""}, {}}),
                         "line 2: expected the title of the section on this line", std::runtime_error);
}

TEST_CASE("the first difference of two texts") {
    CHECK(first_difference("a\nb\n", "a\nb\n").empty());
    CHECK(first_difference("a\nb\n", "a\nc\n") == "line 2:\n  the page says   c\n  the program now b\n");
    CHECK(first_difference("a\nb\n", "a\n") ==
          "line 2:\n  the page says   (nothing: it ends before)\n  the program now b\n");
}
