# What Ebb stands on. Each is a Debian package; a missing one stops the configuration with the command that installs it.

function(ebb_require package debian_package)
    cmake_parse_arguments(PARSE_ARGV 2 arg "" "VERSION" "")
    find_package(${package} ${arg_VERSION} QUIET)
    if(NOT ${package}_FOUND)
        message(FATAL_ERROR "Ebb needs ${package} ${arg_VERSION}, which was not found.\n"
                            "On Debian or Ubuntu: apt-get install ${debian_package}\n"
                            "Elsewhere: install it and add its prefix to CMAKE_PREFIX_PATH.")
    endif()
endfunction()

# Imported targets belong to the folder that finds them, but a project that adds Ebb as a subfolder links to them as well.
set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL ON)

ebb_require(xtensor libxtensor-dev VERSION 0.24)
ebb_require(xsimd libxsimd-dev)
ebb_require(fmt libfmt-dev VERSION 9)
ebb_require(nlohmann_json nlohmann-json3-dev VERSION 3.11)

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

# One BLAS, and a known one: two of them in a process fight over threads, and others have other names for the thread count.
set(BLA_VENDOR OpenBLAS)
find_package(BLAS QUIET)
find_path(EBB_CBLAS_INCLUDE_DIR cblas.h PATH_SUFFIXES openblas openblas-pthread)
mark_as_advanced(EBB_CBLAS_INCLUDE_DIR)
if(NOT BLAS_FOUND OR NOT EBB_CBLAS_INCLUDE_DIR)
    if(NOT BLAS_FOUND)
        set(ebb_missing "the OpenBLAS library")
    else()
        set(ebb_missing "OpenBLAS's header cblas.h")
    endif()
    message(FATAL_ERROR "Ebb needs OpenBLAS: ${ebb_missing} was not found.\n"
                        "On Debian or Ubuntu: apt-get install libopenblas-dev\n"
                        "Elsewhere: install it and add its prefix to CMAKE_PREFIX_PATH.")
endif()

if(EBB_BUILD_TUTORIALS)
    ebb_require(CLI11 libcli11-dev VERSION 2)
endif()
if(EBB_BUILD_TESTS)
    ebb_require(doctest doctest-dev)
    ebb_require(xtensor-blas libxtensor-blas-dev)
endif()
