# cmake -DOUTPUT=FILE "-DFILES=NAME=PATH|NAME=PATH..." -P embed.cmake
#
# Writes a source that defines a string for each name, as declared in inspect/web_files.hpp. Files of one name stand one
# after another in its string.

string(REPLACE "|" ";" FILES "${FILES}")
# The standard promises 65,536 characters; g++ and clang++ take them all.
set(source [[
// Made by inspect/web/embed.cmake.
#pragma GCC diagnostic ignored "-Woverlength-strings"
#include <ebb/inspect/web_files.hpp>

namespace ebb::inspect::web {
]])
set(names "")
foreach(entry IN LISTS FILES)
    string(FIND "${entry}" "=" at)
    string(SUBSTRING "${entry}" 0 ${at} name)
    math(EXPR at "${at} + 1")
    string(SUBSTRING "${entry}" ${at} -1 path)
    file(READ "${path}" text)
    string(FIND "${text}" ")embedded\"" clash)
    if(NOT clash EQUAL -1)
        message(FATAL_ERROR "${path} holds the characters that end its string")
    endif()
    list(APPEND names ${name})
    string(APPEND text_of_${name} "R\"embedded(${text})embedded\"\n")
endforeach()
list(REMOVE_DUPLICATES names)
foreach(name IN LISTS names)
    string(APPEND source "const std::string_view ${name} =\n${text_of_${name}};\n")
endforeach()
string(APPEND source "}  // namespace ebb::inspect::web\n")
file(WRITE "${OUTPUT}" "${source}")
