# A module is a folder of .hpp and .cpp files side by side, included as <ebb/MODULE/NAME.hpp>.
#
# Each has an include root of its own, BUILD/include-MODULE, that holds a one-line forwarding header for each of its
# headers. So a module sees only the modules that it uses, diagnostics show the true paths, and the spelling is the same
# in the tree, in a project that adds Ebb as a subfolder, and once installed.

# ebb_forward_header(ROOT SPELLING FILE): writes ROOT/SPELLING, which includes FILE.
function(ebb_forward_header root spelling file)
    # file(CONFIGURE) leaves an unchanged file alone, so that a new configuration rebuilds nothing.
    set(ebb_true_header "${file}")
    file(CONFIGURE OUTPUT "${root}/${spelling}" CONTENT "#pragma once\n#include \"@ebb_true_header@\"\n" @ONLY)
endfunction()

# ebb_glob(OUT FOLDER PATTERN...): files under FOLDER, npm's left out.
function(ebb_glob out folder)
    list(TRANSFORM ARGN PREPEND "${folder}/" OUTPUT_VARIABLE patterns)
    file(GLOB_RECURSE files CONFIGURE_DEPENDS LIST_DIRECTORIES false ${patterns})
    list(FILTER files EXCLUDE REGEX "/node_modules/")
    set(${out} "${files}" PARENT_SCOPE)
endfunction()

# ebb_add_module(NAME [USES MODULE...]): the static library ebb_NAME (ebb::NAME) from the folder NAME.
function(ebb_add_module name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "USES")
    set(folder "${PROJECT_SOURCE_DIR}/${name}")
    ebb_glob(headers "${folder}" *.hpp)
    ebb_glob(sources "${folder}" *.cpp)
    if(NOT headers AND NOT sources)
        return()
    endif()
    set(kernels "${sources}")
    list(FILTER kernels INCLUDE REGEX "_kernels\\.cpp$")
    list(FILTER sources EXCLUDE REGEX "_kernels\\.cpp$")

    set(root "${PROJECT_BINARY_DIR}/include-${name}")
    # A header that was removed or renamed must not live on in its forwarding header.
    file(GLOB_RECURSE stale RELATIVE "${root}/ebb/${name}" "${root}/ebb/${name}/*.hpp")
    foreach(header IN LISTS headers)
        file(RELATIVE_PATH path "${folder}" "${header}")
        ebb_forward_header("${root}" "ebb/${name}/${path}" "${header}")
        list(REMOVE_ITEM stale "${path}")
    endforeach()
    foreach(path IN LISTS stale)
        file(REMOVE "${root}/ebb/${name}/${path}")
    endforeach()

    if(NOT sources)
        # A library needs a source, also while a module is headers only.
        set(sources "${root}/${name}.cpp")
        file(CONFIGURE OUTPUT "${sources}" CONTENT "// This module has headers only.\n")
    endif()

    set(target ebb_${name})
    add_library(${target} STATIC ${sources} ${headers})
    add_library(ebb::${name} ALIAS ${target})
    ebb_compile_as_ours(${target})
    set_target_properties(${target} PROPERTIES EXPORT_NAME ${name} POSITION_INDEPENDENT_CODE ON)
    target_include_directories(${target} PUBLIC "$<BUILD_INTERFACE:${root}>"
                                                "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
    target_include_directories(${target} SYSTEM PRIVATE "${EBB_CBLAS_INCLUDE_DIR}")
    target_link_libraries(${target} PUBLIC xtensor fmt::fmt PRIVATE BLAS::BLAS)
    list(TRANSFORM arg_USES PREPEND ebb_ OUTPUT_VARIABLE used_targets)
    target_link_libraries(${target} PUBLIC ${used_targets})
    # Headers that only Ebb's own sources need: who links an installed Ebb need not have them.
    target_link_libraries(${target} PUBLIC $<BUILD_INTERFACE:xsimd>
                                    PRIVATE $<BUILD_INTERFACE:nlohmann_json::nlohmann_json>)

    if(kernels)
        foreach(set IN LISTS EBB_INSTRUCTION_SETS)
            set(objects ${target}_${set})
            add_library(${objects} OBJECT ${kernels})
            ebb_compile_as_ours(${objects})
            set_target_properties(${objects} PROPERTIES POSITION_INDEPENDENT_CODE ON)
            # Also a debug build is unusable when each batch operation is a call.
            target_compile_options(${objects} PRIVATE $<IF:$<CONFIG:Debug>,-O1,-O3> ${EBB_FLAGS_${set}})
            target_compile_definitions(${objects} PRIVATE EBB_INSTRUCTION_SET=${set})
            target_include_directories(${objects} PRIVATE "${root}")
            target_link_libraries(${objects} PRIVATE ${used_targets} xtensor xsimd fmt::fmt)
            target_sources(${target} PRIVATE $<TARGET_OBJECTS:${objects}>)
        endforeach()
    endif()

    # What only this module needs (embedded files, say) stands beside its sources.
    include("${folder}/module.cmake" OPTIONAL)

    if(EBB_INSTALL)
        install(TARGETS ${target} EXPORT ebbTargets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
        install(DIRECTORY "${folder}/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/ebb/${name}"
                FILES_MATCHING PATTERN "*.hpp" PATTERN node_modules EXCLUDE)
    endif()
    set_property(GLOBAL APPEND PROPERTY EBB_MODULES ${name})
    set_property(GLOBAL PROPERTY EBB_HEADERS_${name} "${headers}")
endfunction()

# ebb_add_umbrella(): the target ebb::ebb, all modules and <ebb/ebb.hpp>.
function(ebb_add_umbrella)
    get_property(modules GLOBAL PROPERTY EBB_MODULES)
    list(TRANSFORM modules PREPEND ebb_ OUTPUT_VARIABLE targets)
    ebb_forward_header("${PROJECT_BINARY_DIR}/include-ebb" ebb/ebb.hpp "${PROJECT_SOURCE_DIR}/ebb.hpp")
    add_library(ebb INTERFACE)
    add_library(ebb::ebb ALIAS ebb)
    target_include_directories(ebb INTERFACE "$<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include-ebb>"
                                             "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
    target_link_libraries(ebb INTERFACE ${targets})
    if(EBB_INSTALL)
        install(TARGETS ebb EXPORT ebbTargets)
        install(FILES "${PROJECT_SOURCE_DIR}/ebb.hpp" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/ebb")
        set(config "${CMAKE_INSTALL_LIBDIR}/cmake/ebb")
        install(EXPORT ebbTargets NAMESPACE ebb:: DESTINATION "${config}")
        write_basic_package_version_file("${PROJECT_BINARY_DIR}/ebbConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
        install(FILES "${PROJECT_SOURCE_DIR}/cmake/ebbConfig.cmake" "${PROJECT_BINARY_DIR}/ebbConfigVersion.cmake"
                DESTINATION "${config}")
    endif()
endfunction()

# The same numbers on every machine: a fused multiply-add rounds once where a product and a sum round twice.
set_source_files_properties("${PROJECT_SOURCE_DIR}/core/random.cpp" PROPERTIES COMPILE_OPTIONS -ffp-contract=off)
