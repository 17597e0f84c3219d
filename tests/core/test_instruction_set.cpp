#include <ebb/core/error.hpp>
#include <ebb/core/instruction_set.hpp>

#include <cstdlib>

#include <doctest/doctest.h>

using namespace ebb;

TEST_CASE("the baseline is always available, and comes first") {
    CHECK(is_available(InstructionSet::baseline));
    CHECK(available_instruction_sets().front() == InstructionSet::baseline);
    for (const InstructionSet set : available_instruction_sets()) CHECK(parse_instruction_set(to_string(set)) == set);
}

TEST_CASE("the strongest instruction set is used, unless the environment names another") {
    const char* wish = std::getenv("EBB_INSTRUCTION_SET");
    if (wish == nullptr || *wish == '\0')
        CHECK(instruction_set() == available_instruction_sets().back());
    else
        CHECK(to_string(instruction_set()) == std::string(wish));
}

TEST_CASE("an unknown instruction set is refused, with those that would do") {
    std::string names;
    for (const InstructionSet set : available_instruction_sets())
        names += (names.empty() ? "" : ", ") + std::string(to_string(set));
    CHECK_THROWS_WITH_AS(parse_instruction_set("avx1024"),
                         ("EBB_INSTRUCTION_SET: unknown instruction set \"avx1024\": expected one of " + names).c_str(),
                         ValueError);
    CHECK_THROWS_WITH_AS(
        detail::throw_unavailable(InstructionSet::avx512),
        ("EBB_INSTRUCTION_SET: this machine does not support avx512: expected one of " + names).c_str(), ValueError);
}
