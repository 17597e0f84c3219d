# The files of the report's page become part of the library: ours from inspect/web, and Vega, Vega-Lite and Cytoscape.js,
# which npm fetches into the build folder, once, in the versions that inspect/web/package-lock.json pins. Without npm or a network
# the library is whole all the same; its reports then hold static figures, and say so.

option(EBB_INTERACTIVE_REPORT "Fetch Vega and Cytoscape.js by npm, so that reports are interactive" ON)

set(web_source "${PROJECT_SOURCE_DIR}/inspect/web")
set(web_build "${PROJECT_BINARY_DIR}/inspect/web")
set(web_fetched "${web_build}/vega.js" "${web_build}/vega-lite.js" "${web_build}/cytoscape.js"
                "${web_build}/licences.txt" "${web_build}/why_static.txt")

find_program(EBB_NPM npm)
mark_as_advanced(EBB_NPM)
set(why_static "")
if(NOT EBB_INTERACTIVE_REPORT)
    set(why_static "Ebb was built with EBB_INTERACTIVE_REPORT off.")
elseif(NOT EBB_NPM)
    set(why_static "Ebb was built on a machine without npm.")
    message(STATUS "Ebb: npm was not found, so reports will have static figures only. For interactive ones install it "
                   "(on Debian: apt-get install npm) and configure again.")
endif()

if(why_static STREQUAL "")
    # A fetch that failed is tried again after each configuration, not in each build.
    if(EXISTS "${web_build}/why_static.txt")
        file(READ "${web_build}/why_static.txt" web_failure)
        if(NOT web_failure STREQUAL "")
            file(REMOVE "${web_build}/why_static.txt")
        endif()
    endif()
    set(web_flags "")
    if(NOT EBB_BUILD_TESTS)
        set(web_flags --omit=dev)
    endif()
    add_custom_command(
        OUTPUT ${web_fetched}
        COMMAND "${CMAKE_COMMAND}" "-DNPM=${EBB_NPM}" "-DFLAGS=${web_flags}" "-DSOURCE=${web_source}"
                "-DBUILD=${web_build}" -P "${web_source}/fetch.cmake"
        DEPENDS "${web_source}/package.json" "${web_source}/package-lock.json" "${web_source}/fetch.cmake"
        COMMENT "Fetching Vega and Cytoscape.js by npm, for interactive reports"
        VERBATIM)
else()
    foreach(name IN ITEMS vega.js vega-lite.js cytoscape.js licences.txt)
        file(CONFIGURE OUTPUT "${web_build}/${name}" CONTENT "")
    endforeach()
    file(CONFIGURE OUTPUT "${web_build}/why_static.txt" CONTENT "${why_static}")
endif()

set(web_embedded "page_template=${web_source}/template.html" "style=${web_source}/report.css"
                 "vega=${web_build}/vega.js" "vega_lite=${web_build}/vega-lite.js"
                 "cytoscape=${web_build}/cytoscape.js" "licences=${web_build}/licences.txt" "why_static=${web_build}/why_static.txt")
# In this order: each sees what the ones before it define.
foreach(name IN ITEMS numbers data page lines maps graph report)
    list(APPEND web_embedded "script=${web_source}/${name}.js")
endforeach()
set(web_files ${web_embedded})
list(TRANSFORM web_files REPLACE "^[a-z_]+=" "")
list(JOIN web_embedded "|" web_embedded_text)
add_custom_command(
    OUTPUT "${web_build}/web_files.cpp"
    COMMAND "${CMAKE_COMMAND}" "-DOUTPUT=${web_build}/web_files.cpp" "-DFILES=${web_embedded_text}"
            -P "${web_source}/embed.cmake"
    DEPENDS ${web_files} "${web_source}/embed.cmake"
    COMMENT "Embedding the report's page"
    VERBATIM)
target_sources(${target} PRIVATE "${web_build}/web_files.cpp")
