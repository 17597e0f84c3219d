# cmake -DEBB_SOURCE=... -DBUILD=FOLDER -P failing_npm.cmake
# Runs the fetch of the report's libraries with an npm that fails.

file(REMOVE_RECURSE "${BUILD}")
find_program(false false REQUIRED)
execute_process(COMMAND ${CMAKE_COMMAND} "-DNPM=${false}" "-DSOURCE=${EBB_SOURCE}/inspect/web" "-DBUILD=${BUILD}"
                        -P "${EBB_SOURCE}/inspect/web/fetch.cmake"
                RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(NOT status EQUAL 0)
    message(FATAL_ERROR "the build would stop (${status}):\n${output}")
endif()
if(NOT output MATCHES "static figures only")
    message(FATAL_ERROR "it does not say what is lost:\n${output}")
endif()
file(READ "${BUILD}/why_static.txt" why)
if(NOT why STREQUAL "npm could not fetch Vega and Cytoscape.js when Ebb was built.")
    message(FATAL_ERROR "the report would say: \"${why}\"")
endif()
foreach(name IN ITEMS vega.js vega-lite.js cytoscape.js licences.txt)
    file(SIZE "${BUILD}/${name}" size)
    if(NOT size EQUAL 0)
        message(FATAL_ERROR "${name} is not empty")
    endif()
endforeach()
