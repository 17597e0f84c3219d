# Each tutorials/NAME.cpp is a program NAME with a page, docs/tutorials/NAME.md, that it writes itself:
# `cmake --build --preset release --target tutorial_pages`. So is each docs/NAME.cpp, with its page docs/NAME.md beside it.
# Each folder tutorials/NAME with a main.cpp is a program NAME; its other sources are a library NAME_parts, so that tests
# reach them. tutorials/support is what the programs share.

find_package(Threads REQUIRED)

set(EBB_TUTORIAL_FOLDER "${PROJECT_BINARY_DIR}/tutorials")
set(EBB_TUTORIALS "")       # the programs of one file: each takes --check
set(EBB_TUTORIAL_PARTS "")

function(ebb_add_tutorial name)
    add_executable(${name} ${ARGN})
    ebb_compile_as_ours(${name})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${EBB_TUTORIAL_FOLDER}")
    target_link_libraries(${name} PRIVATE ebb::ebb CLI11::CLI11 fmt::fmt)
endfunction()

file(GLOB ebb_files CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tutorials/support/*.cpp")
add_library(ebb_tutorial_support STATIC ${ebb_files})
ebb_compile_as_ours(ebb_tutorial_support)
target_link_libraries(ebb_tutorial_support PUBLIC fmt::fmt PRIVATE ebb::ebb)
target_compile_definitions(ebb_tutorial_support PRIVATE EBB_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                                                        EBB_BINARY_DIR="${PROJECT_BINARY_DIR}")
target_include_directories(ebb_tutorial_support PUBLIC "${PROJECT_SOURCE_DIR}/tutorials")
list(APPEND EBB_TUTORIAL_PARTS ebb_tutorial_support)

add_custom_target(tutorial_pages)
file(GLOB ebb_files CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tutorials/*.cpp" "${PROJECT_SOURCE_DIR}/docs/*.cpp")
foreach(file IN LISTS ebb_files)
    cmake_path(GET file STEM name)
    ebb_add_tutorial(${name} "${file}")
    target_link_libraries(${name} PRIVATE ebb_tutorial_support)
    list(APPEND EBB_TUTORIALS ${name})
    cmake_path(GET file PARENT_PATH folder)
    set(page "${PROJECT_SOURCE_DIR}/docs/tutorials/${name}.md")
    if(folder STREQUAL "${PROJECT_SOURCE_DIR}/docs")
        set(page "${folder}/${name}.md")
    endif()
    add_custom_target(${name}_page COMMAND ${name} --page "${page}" COMMENT "Writing ${page}" VERBATIM)
    add_dependencies(tutorial_pages ${name}_page)
endforeach()

file(GLOB ebb_files CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tutorials/*/main.cpp")
foreach(file IN LISTS ebb_files)
    cmake_path(GET file PARENT_PATH folder)
    cmake_path(GET folder FILENAME name)
    ebb_add_tutorial(${name} "${file}")
    ebb_glob(parts "${folder}" *.cpp)
    list(REMOVE_ITEM parts "${file}")
    if(parts)
        add_library(${name}_parts STATIC ${parts})
        ebb_compile_as_ours(${name}_parts)
        target_link_libraries(${name}_parts PUBLIC ebb::ebb ebb_tutorial_support
                                             PRIVATE CLI11::CLI11 fmt::fmt nlohmann_json::nlohmann_json Threads::Threads)
        target_compile_definitions(${name}_parts PRIVATE EBB_VERSION="${PROJECT_VERSION}")
        target_include_directories(${name}_parts PUBLIC "${PROJECT_SOURCE_DIR}/tutorials")
        target_link_libraries(${name} PRIVATE ${name}_parts)
        list(APPEND EBB_TUTORIAL_PARTS ${name}_parts)
    endif()
endforeach()
