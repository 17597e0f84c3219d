#pragma once
/// What `detect_anomaly` found, as text.

#include <ebb/core/error.hpp>

#include <string>

#include <fmt/format.h>

namespace ebb::test {

/// "\n  called at this_file.cpp:12"
inline std::string called_at(int line, const char* file = __builtin_FILE()) {
    return fmt::format("\n  called at {}:{}", file, line);
}

/// What f's AnomalyError says.
template <class F>
std::string anomaly_of(F f) {
    try {
        f();
    } catch (const AnomalyError& error) {
        return error.what();
    }
    return "none";
}

}  // namespace ebb::test
