#pragma once
/// The loops of softmax and its relatives. Arrays are seen along one axis: [outer, extent, inner].

#include <cstddef>

namespace ebb {

template <class T>
struct SoftmaxKernels {
    using Forward = void (*)(std::size_t outer, std::size_t extent, std::size_t inner, const T* x, T* y);
    /// dx = ... where `assign`, else dx += ...
    using Backward = void (*)(std::size_t outer, std::size_t extent, std::size_t inner, const T* y, const T* dy, T* dx,
                              bool assign);

    Forward softmax;
    Forward log_softmax;
    Forward logsumexp;  // y is [outer, inner]
    Backward softmax_backward;
    Backward log_softmax_backward;
    /// dx = dy e^(x - y), where y and dy are [outer, inner].
    void (*logsumexp_backward)(std::size_t outer, std::size_t extent, std::size_t inner, const T* x, const T* y,
                               const T* dy, T* dx, bool assign);
};

}  // namespace ebb
