#pragma once

#include <ebb/core/array.hpp>
#include <ebb/core/shape.hpp>

#include <cstdint>

namespace ebb {

/// Seeds the random numbers of this thread.
void manual_seed(std::uint64_t seed);
/// Numbers from [low, high), in row-major order.
template <class T>
Array<T> uniform(const Shape& shape, T low, T high);

}  // namespace ebb
