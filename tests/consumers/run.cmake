# cmake -DWAY=... -DEBB_SOURCE=... -DEBB_BUILD=... -DWORK=... -P run.cmake
# Builds the outside project in the way that WAY names (see project/CMakeLists.txt) and runs its program.

function(step)
    execute_process(COMMAND ${ARGN} RESULT_VARIABLE status)
    if(NOT status EQUAL 0)
        list(JOIN ARGN " " command)
        message(FATAL_ERROR "failed (${status}): ${command}")
    endif()
endfunction()

set(build "${WORK}/build")
set(options -DWAY=${WAY})
if(WAY STREQUAL "installed")
    set(build "${WORK}/build-installed")
    file(REMOVE_RECURSE "${WORK}/prefix" "${build}")
    step(${CMAKE_COMMAND} --install "${EBB_BUILD}" --prefix "${WORK}/prefix")
    list(APPEND options "-DCMAKE_PREFIX_PATH=${WORK}/prefix")
else()
    # Without npm's part of the report: the outside project is about Ebb's own sources.
    list(APPEND options "-DEBB_SOURCE=${EBB_SOURCE}" -DEBB_INTERACTIVE_REPORT=OFF)
endif()
step(${CMAKE_COMMAND} -S "${CMAKE_CURRENT_LIST_DIR}/project" -B "${build}" -G Ninja -DCMAKE_BUILD_TYPE=Debug
     "-DCMAKE_CXX_COMPILER=${COMPILER}" "-DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER}" ${options})
step(${CMAKE_COMMAND} --build "${build}" --parallel)
step("${build}/consumer")
