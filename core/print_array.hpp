#pragma once

#include <ebb/core/array.hpp>
#include <ebb/core/shape.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace ebb {

struct PrintArrayOptions {
    std::size_t decimals = 4;         ///< at most; fewer where no element needs them
    std::size_t max_elements = 1000;  ///< of a larger array only the corners are shown
};

namespace detail {
template <class T>
std::string array_to_string(const T* data, const Shape& shape, const PrintArrayOptions& options);
}

/// A row-major array of float, double or std::int64_t (an Array, or the `value()` or `grad()` of a variable) as NumPy
/// prints one, all elements with the same number of decimals:
///
///     [[1.5, -2.0],
///      [0.0,  3.0]]
///
/// Where some number is 100,000 and more, or not zero and would lose all its digits, all are in scientific notation.
template <class A>
requires requires(const A& array) {
    array.data();
    array.shape();
    requires A::static_layout == xt::layout_type::row_major;
}
std::string to_string(const A& array, const PrintArrayOptions& options = {}) {
    return detail::array_to_string(array.data(), Shape::of(array.shape()), options);
}

}  // namespace ebb
