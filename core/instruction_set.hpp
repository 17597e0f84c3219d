#pragma once
/// Which instructions the kernels use: chosen once, at run time, from what the machine supports.
///
/// Files named `*_kernels.cpp` hold the loops over memory. The build compiles each of them several times, each time
/// with the macro EBB_INSTRUCTION_SET naming the variant (`baseline`, `avx2`, `avx512`) and with the compiler flags
/// that belong to it: all three on x86-64, the baseline alone on other architectures. A kernel file publishes its
/// functions as a table of pointers, and `kernels<Table>()` finds the table for this machine:
///
///     // gates.hpp                             // gates_kernels.cpp, includes <ebb/core/simd.hpp>
///     struct GateKernels {                     template <>
///         void (*add)(const float* a, ...);    const GateKernels& kernels_for<GateKernels, simd::compiled_for>() {
///     };                                           static constexpr GateKernels table{&add};
///                                                  return table;
///     // gates.cpp                             }
///     kernels<GateKernels>().add(a, ...);

#include <string>
#include <vector>

namespace ebb {

/// The variants, from the weakest to the strongest; the values are ordered.
enum class InstructionSet {
    baseline,  ///< what every machine of the architecture has: SSE2 on x86-64, NEON on AArch64, plain C++ elsewhere
    avx2,      ///< x86-64 with AVX2 and FMA: 8 floats or 4 doubles at once
    avx512,    ///< x86-64 with AVX-512 F, CD, DQ, BW and VL: 16 floats or 8 doubles at once
};

/// "baseline", "avx2" or "avx512".
const char* to_string(InstructionSet set);

/// Whether this machine can run the variant. It always can run the baseline.
bool is_available(InstructionSet set);

/// All that are available, the weakest first: for tests that run every variant.
std::vector<InstructionSet> available_instruction_sets();

/// The variant that the kernels use: the strongest one available, or the one named by the environment variable
/// EBB_INSTRUCTION_SET, which is read at the first call. Throws ValueError when that names none, or one that is not
/// available.
InstructionSet instruction_set();

/// The variant called `name`, checked. Throws ValueError when there is none of that name, or when it is not available.
InstructionSet parse_instruction_set(const std::string& name);

/// The table of one variant; a kernel file defines it by specialisation, for the variant that it is compiled as.
template <class Table, InstructionSet set>
const Table& kernels_for();

namespace detail {
[[noreturn]] void throw_unavailable(InstructionSet set);
}

/// The table of the given variant. Throws ValueError when it is not available.
template <class Table>
const Table& kernels(InstructionSet set) {
    if (!is_available(set)) detail::throw_unavailable(set);
#if defined(__x86_64__)
    if (set == InstructionSet::avx512) return kernels_for<Table, InstructionSet::avx512>();
    if (set == InstructionSet::avx2) return kernels_for<Table, InstructionSet::avx2>();
#endif
    return kernels_for<Table, InstructionSet::baseline>();
}

/// The table of the variant in use. The choice is made once per table.
template <class Table>
const Table& kernels() {
    static const Table& chosen = kernels<Table>(instruction_set());
    return chosen;
}

}  // namespace ebb
