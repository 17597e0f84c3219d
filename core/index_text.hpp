#pragma once
/// Where in an array something stands, for messages.

#include <ebb/core/shape.hpp>

#include <cstddef>
#include <string>

namespace ebb {

/// The index of element `flat` of an array that lies row by row: "[1, 2]" for element 7 of [3, 5]; "[]" for a scalar.
std::string index_text(std::size_t flat, const Shape& shape);

}  // namespace ebb
