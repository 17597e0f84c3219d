#include <ebb/core/error.hpp>
#include <ebb/core/instruction_set.hpp>

#include <cstdlib>

#include <fmt/format.h>

namespace ebb {

namespace {

constexpr InstructionSet all_sets[] = {InstructionSet::baseline, InstructionSet::avx2, InstructionSet::avx512};

std::string names_of_available() {
    std::string names;
    for (const InstructionSet set : available_instruction_sets())
        names += fmt::format("{}{}", names.empty() ? "" : ", ", to_string(set));
    return names;
}

InstructionSet choose() {
    const char* wish = std::getenv("EBB_INSTRUCTION_SET");
    return wish == nullptr || *wish == '\0' ? available_instruction_sets().back() : parse_instruction_set(wish);
}

}  // namespace

const char* to_string(InstructionSet set) {
    switch (set) {
        case InstructionSet::baseline:
            return "baseline";
        case InstructionSet::avx2:
            return "avx2";
        case InstructionSet::avx512:
            return "avx512";
    }
    return "unknown";
}

bool is_available(InstructionSet set) {
    if (set == InstructionSet::baseline) return true;
#if defined(__x86_64__)
    // The builtin also asks whether the operating system saves the wide registers.
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (set == InstructionSet::avx2) return avx2;
    return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl");
#else
    return false;
#endif
}

std::vector<InstructionSet> available_instruction_sets() {
    std::vector<InstructionSet> sets;
    for (const InstructionSet set : all_sets)
        if (is_available(set)) sets.push_back(set);
    return sets;
}

InstructionSet parse_instruction_set(const std::string& name) {
    for (const InstructionSet set : all_sets)
        if (name == to_string(set)) {
            if (!is_available(set)) detail::throw_unavailable(set);
            return set;
        }
    throw ValueError(fmt::format("EBB_INSTRUCTION_SET: unknown instruction set \"{}\": expected one of {}", name,
                                 names_of_available()));
}

InstructionSet instruction_set() {
    static const InstructionSet chosen = choose();
    return chosen;
}

void detail::throw_unavailable(InstructionSet set) {
    throw ValueError(fmt::format("EBB_INSTRUCTION_SET: this machine does not support {}: expected one of {}",
                                 to_string(set), names_of_available()));
}

}  // namespace ebb
