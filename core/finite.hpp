#pragma once
/// Arrays that must hold numbers and nothing else.

#include <ebb/core/array.hpp>

#include <string_view>

namespace ebb {

/// Throws ValueError, naming `call`, the array by `name` and the place of the first wrong element, unless all elements
/// are finite.
template <class T>
void check_finite(std::string_view call, std::string_view name, const Array<T>& array);

}  // namespace ebb
