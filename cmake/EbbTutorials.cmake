# Each tutorials/NAME.cpp is a program NAME, and so is each folder tutorials/NAME with its main.cpp. The other sources of
# such a folder are a library NAME_parts, so that tests reach them.

set(EBB_TUTORIAL_FOLDER "${PROJECT_BINARY_DIR}/tutorials")
set(EBB_TUTORIALS "")       # the programs of one file: each takes --check
set(EBB_TUTORIAL_PARTS "")

function(ebb_add_tutorial name)
    add_executable(${name} ${ARGN})
    ebb_compile_as_ours(${name})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${EBB_TUTORIAL_FOLDER}")
    target_link_libraries(${name} PRIVATE ebb::ebb CLI11::CLI11 fmt::fmt)
endfunction()

file(GLOB ebb_files CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tutorials/*.cpp")
foreach(file IN LISTS ebb_files)
    cmake_path(GET file STEM name)
    ebb_add_tutorial(${name} "${file}")
    list(APPEND EBB_TUTORIALS ${name})
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
        target_link_libraries(${name}_parts PUBLIC ebb::ebb PRIVATE CLI11::CLI11 fmt::fmt nlohmann_json::nlohmann_json)
        target_include_directories(${name}_parts PUBLIC "${PROJECT_SOURCE_DIR}/tutorials")
        target_link_libraries(${name} PRIVATE ${name}_parts)
        list(APPEND EBB_TUTORIAL_PARTS ${name}_parts)
    endif()
endforeach()
