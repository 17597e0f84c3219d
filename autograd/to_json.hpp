#pragma once
/// A tape as JSON, for viewers and for other programs.

#include <ebb/autograd/tape.hpp>

#include <iosfwd>
#include <string>

namespace ebb {

struct JsonOptions {
    bool arrays = false;  ///< also every element of values and gradients: "value_array", "gradient_array", row-major
};

/// {"scalar": "double", "nodes": [..]}, where a node is
///
///     {"index": 2, "kind": "operation", "operation": "mul", "inputs": [0, 1], "shape": [2, 3], "name": "h",
///      "time_step": 4, "probe": true, "value": 0.53, "gradient": 0.1}
///
/// "kind" is parameter, variable, constant or operation. "value" and "gradient" are the number itself of an array with
/// one element, else the norm; null where that is not finite. "name", "time_step", "probe" and "gradient" are left out
/// where there is none.
template <class T>
void to_json(const Tape<T>& tape, std::ostream& stream, const JsonOptions& options = {});
template <class T>
std::string to_json(const Tape<T>& tape, const JsonOptions& options = {});

}  // namespace ebb
