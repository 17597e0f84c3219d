# Draws figure.svg and turns it into a PNG by the command that docs/python.md gives.

file(REMOVE_RECURSE "${FOLDER}")
file(MAKE_DIRECTORY "${FOLDER}")
execute_process(COMMAND "${PAGE_DATA}" WORKING_DIRECTORY "${FOLDER}" COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${RSVG_CONVERT}" --zoom 2 --output figure.png figure.svg WORKING_DIRECTORY "${FOLDER}"
                COMMAND_ERROR_IS_FATAL ANY)
# The signature, and in the header 1440 = 2 x 720 pixels of width.
file(READ "${FOLDER}/figure.png" beginning LIMIT 20 HEX)
if(NOT beginning MATCHES "^89504e470d0a1a0a0000000d49484452000005a0")
    message(FATAL_ERROR "figure.png begins with ${beginning}")
endif()
