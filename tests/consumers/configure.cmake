# cmake -DEBB_SOURCE=... -DBUILD=FOLDER -DCOMPILER=... -DOPTIONS=A|B -DOUTCOME=fails|succeeds -DTEXT=... -P configure.cmake
# Configures Ebb with the options: it must end as OUTCOME says, and say TEXT.

string(REPLACE "|" ";" options "${OPTIONS}")
file(REMOVE_RECURSE "${BUILD}")
execute_process(COMMAND ${CMAKE_COMMAND} -S "${EBB_SOURCE}" -B "${BUILD}" -G Ninja "-DCMAKE_CXX_COMPILER=${COMPILER}" ${options}
                RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(OUTCOME STREQUAL "fails" AND status EQUAL 0)
    message(FATAL_ERROR "configuring succeeded:\n${output}")
elseif(OUTCOME STREQUAL "succeeds" AND NOT status EQUAL 0)
    message(FATAL_ERROR "configuring failed (${status}):\n${output}")
endif()
# CMake breaks its lines where it likes.
string(REGEX REPLACE "[ \n]+" " " words "${output}")
string(FIND "${words}" "${TEXT}" at)
if(at EQUAL -1)
    message(FATAL_ERROR "\"${TEXT}\" is not in what was said:\n${output}")
endif()
