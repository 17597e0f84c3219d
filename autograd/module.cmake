# What `detect_anomaly` takes for Ebb's own lines; the rest of a path is as the compiler was given it.
set_property(SOURCE "${PROJECT_SOURCE_DIR}/autograd/source_line.cpp"
             APPEND PROPERTY COMPILE_DEFINITIONS EBB_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
