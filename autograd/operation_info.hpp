#pragma once

#include <string_view>

namespace ebb {

/// Where the inputs of an operation may lie so that its derivative exists: tests draw their inputs from there.
enum class Domain {
    real,       ///< anywhere
    positive,   ///< x > 0
    nonzero,    ///< away from 0: a kink or a pole
    distinct,   ///< no two inputs equal: maximum, minimum
    open_unit,  ///< 0 < x < 1
};

/// The line of an operation in the catalogue and in the table of the docs.
struct OperationInfo {
    std::string_view name;
    std::string_view equation;    ///< y = ...
    std::string_view derivative;  ///< dx = ..., in terms of dy
    Domain domain = Domain::real;
};

}  // namespace ebb
