# The language, the warnings, the instruction sets and the sanitizers that Ebb's own sources are compiled with.
# Nothing here reaches a program that uses Ebb.

if(PROJECT_IS_TOP_LEVEL)
    if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
        set(CMAKE_BUILD_TYPE Release CACHE STRING "Release, Debug, RelWithDebInfo" FORCE)
    endif()
    set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
    find_program(EBB_CCACHE ccache)
    mark_as_advanced(EBB_CCACHE)
    if(EBB_CCACHE AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
        set(CMAKE_CXX_COMPILER_LAUNCHER "${EBB_CCACHE}")
    endif()
endif()

# The kernels' instruction sets. Each `*_kernels.cpp` is compiled once for each of them, with EBB_INSTRUCTION_SET set to
# the name; core/instruction_set.hpp chooses among them at run time, and knows the same list.
set(EBB_INSTRUCTION_SETS baseline)
set(EBB_IS_X86_64 OFF)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
    set(EBB_IS_X86_64 ON)
    list(APPEND EBB_INSTRUCTION_SETS avx2 avx512)
    set(EBB_FLAGS_avx2 -mavx2 -mfma)
    set(EBB_FLAGS_avx512 -mavx2 -mfma -mavx512f -mavx512cd -mavx512dq -mavx512bw -mavx512vl
                         -mprefer-vector-width=512)
endif()

set(EBB_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor
                 -Woverloaded-virtual -Wold-style-cast -Wcast-qual)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    list(APPEND EBB_WARNINGS -Wlogical-op -Wduplicated-cond)
    if(CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
        # g++ 12 sees an overlapping memcpy in its own std::string in C++20 (GCC bug 105651).
        list(APPEND EBB_WARNINGS -Wno-restrict)
    endif()
endif()
if(EBB_WARNINGS_AS_ERRORS)
    list(APPEND EBB_WARNINGS -Werror)
endif()

# Never -ffast-math: it makes 1 / (1 + exp(-x)) NaN below -88. These two cost no accuracy, and loops vectorise with them.
set(EBB_MATHS_FLAGS -fno-math-errno -fno-trapping-math)

# Of a small step's time much is calls and copies of small structs.
set(EBB_CALL_FLAGS "")
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # A function of Ebb is not replaced by one of the same name from another library, so it may be inlined; clang++ does.
    list(APPEND EBB_CALL_FLAGS -fno-semantic-interposition)
    if(EBB_IS_X86_64)
        # Else structs are cleared and copied by an instruction that takes some 30 cycles to begin (`rep stos`).
        list(APPEND EBB_CALL_FLAGS -mmemcpy-strategy=unrolled_loop:256:noalign,libcall:-1:noalign
                                   -mmemset-strategy=unrolled_loop:256:noalign,libcall:-1:noalign)
    endif()
endif()

set(EBB_SANITIZER_FLAGS "")
if(EBB_SANITIZE)
    set(EBB_SANITIZER_FLAGS -fsanitize=${EBB_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
endif()

# ebb_compile_as_ours(TARGET): C++20 with Ebb's warnings, its flags for maths and calls, and sanitizers.
function(ebb_compile_as_ours target)
    target_compile_features(${target} PUBLIC cxx_std_20)
    set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
    target_compile_options(${target} PRIVATE ${EBB_WARNINGS} ${EBB_MATHS_FLAGS} ${EBB_CALL_FLAGS})
    target_compile_definitions(${target} PRIVATE $<$<CONFIG:Debug>:_GLIBCXX_ASSERTIONS>)
    if(EBB_SANITIZER_FLAGS)
        # -O1: at -O0 the sanitized tests take minutes.
        target_compile_options(${target} PRIVATE ${EBB_SANITIZER_FLAGS} $<$<CONFIG:Debug>:-O1>)
        target_link_options(${target} PUBLIC ${EBB_SANITIZER_FLAGS})
    endif()
endfunction()
