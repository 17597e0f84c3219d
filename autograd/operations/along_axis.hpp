#pragma once

#include <ebb/core/shape.hpp>

#include <cstddef>

namespace ebb {

/// An array seen along one axis: [outer, extent, inner].
struct AlongAxis {
    std::size_t outer = 1;
    std::size_t extent = 1;
    std::size_t inner = 1;

    AlongAxis(const Shape& shape, std::size_t axis) : extent(shape[axis]) {
        for (std::size_t i = 0; i < axis; ++i) outer *= shape[i];
        for (std::size_t i = axis + 1; i < shape.rank(); ++i) inner *= shape[i];
    }
};

}  // namespace ebb
