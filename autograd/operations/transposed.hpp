#pragma once
/// A transposed array is a note on its node (which array, which axes) until something needs its elements in order.

#include <ebb/autograd/variable.hpp>
#include <ebb/core/shape.hpp>

#include <cstddef>

namespace ebb {

/// Saved by a transposed node, whose value is nullptr until it is copied out.
struct Transposed {
    NodeIndex source;
    std::size_t axis0;  // axis0 < axis1
    std::size_t axis1;
};

/// target = or += source with two axes exchanged; `shape` is the shape of the source.
template <bool add, class T>
void exchange_axes(T* target, const T* source, const Shape& shape, std::size_t axis0, std::size_t axis1) {
    // The source seen as [outer, m, middle, n, inner], the target as [outer, n, middle, m, inner].
    std::size_t outer = 1, middle = 1, inner = 1;
    for (std::size_t i = 0; i < axis0; ++i) outer *= shape[i];
    for (std::size_t i = axis0 + 1; i < axis1; ++i) middle *= shape[i];
    for (std::size_t i = axis1 + 1; i < shape.rank(); ++i) inner *= shape[i];
    const std::size_t m = shape[axis0], n = shape[axis1];
    for (std::size_t o = 0; o < outer; ++o)
        for (std::size_t j = 0; j < n; ++j)
            for (std::size_t c = 0; c < middle; ++c)
                for (std::size_t i = 0; i < m; ++i) {
                    T* const to = target + (((o * n + j) * middle + c) * m + i) * inner;
                    const T* const from = source + (((o * m + i) * middle + c) * n + j) * inner;
                    for (std::size_t k = 0; k < inner; ++k) {
                        if constexpr (add)
                            to[k] += from[k];
                        else
                            to[k] = from[k];
                    }
                }
}

}  // namespace ebb
