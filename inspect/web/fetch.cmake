# cmake -DNPM=... -DFLAGS=... -DSOURCE=FOLDER -DBUILD=FOLDER -P fetch.cmake
#
# Installs what SOURCE/package-lock.json names into BUILD/node_modules and copies what the page embeds into BUILD. Where
# that fails, the copies are empty, BUILD/why_static.txt says why, and the build goes on.

set(vendor "${BUILD}/vega.js" "${BUILD}/vega-lite.js" "${BUILD}/cytoscape.js" "${BUILD}/licences.txt")
file(MAKE_DIRECTORY "${BUILD}")

function(give_up reason)
    foreach(file IN LISTS vendor)
        file(WRITE "${file}" "")
    endforeach()
    file(WRITE "${BUILD}/why_static.txt" "${reason}")
    message(WARNING "Ebb: reports of this build have static figures only. ${reason}\n"
                    "For interactive ones mend that, then configure and build again.")
endfunction()

file(COPY "${SOURCE}/package.json" "${SOURCE}/package-lock.json" DESTINATION "${BUILD}")
execute_process(
    COMMAND "${NPM}" ci ${FLAGS} --ignore-scripts --no-audit --no-fund --no-update-notifier --prefer-offline
            --fetch-retries=1 --fetch-timeout=60000 --loglevel=error
    WORKING_DIRECTORY "${BUILD}" RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output TIMEOUT 600)
if(NOT result EQUAL 0)
    message("${output}")
    give_up("npm could not fetch Vega and Cytoscape.js when Ebb was built.")
    return()
endif()

set(modules "${BUILD}/node_modules")
foreach(path IN ITEMS vega/build/vega.min.js vega-lite/build/vega-lite.min.js cytoscape/dist/cytoscape.min.js)
    string(REGEX MATCH "^[^/]+" name "${path}")
    if(NOT EXISTS "${modules}/${path}")
        give_up("npm has fetched no ${path}.")
        return()
    endif()
    file(READ "${modules}/${path}" text)
    string(REGEX REPLACE "\n//# sourceMappingURL=[^\n]*" "" text "${text}")
    # Neither may end the page's script element, nor start a comment in it; within strings the escapes mean the same.
    string(REPLACE "</script" "<\\/script" text "${text}")
    string(REPLACE "<!--" "<\\!--" text "${text}")
    file(WRITE "${BUILD}/${name}.js" "${text}")
endforeach()

# The licences of everything bundled in the three, each text once, with the packages that it holds for.
file(GLOB packages LIST_DIRECTORIES true "${modules}/vega*" "${modules}/d3-*" "${modules}/cytoscape" "${modules}/topojson-client"
     "${modules}/delaunator" "${modules}/robust-predicates" "${modules}/internmap" "${modules}/tslib"
     "${modules}/json-stringify-pretty-compact")
set(hashes "")
foreach(package IN LISTS packages)
    file(GLOB candidates "${package}/LICEN[CS]E*" "${package}/licen[cs]e*")
    if(candidates)
        list(GET candidates 0 licence)
        cmake_path(GET package FILENAME name)
        file(SHA1 "${licence}" hash)
        list(APPEND hashes ${hash})
        list(APPEND names_${hash} ${name})
        set(file_${hash} "${licence}")
    endif()
endforeach()
list(REMOVE_DUPLICATES hashes)
set(text "")
foreach(hash IN LISTS hashes)
    list(JOIN names_${hash} ", " names)
    file(READ "${file_${hash}}" licence)
    string(APPEND text "${names}:\n\n${licence}\n\n")
endforeach()
file(WRITE "${BUILD}/licences.txt" "${text}")
file(WRITE "${BUILD}/why_static.txt" "")
