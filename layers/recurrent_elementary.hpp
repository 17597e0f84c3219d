#pragma once
/// One step of each cell in elementary operations: the textbook's graph. What is fused (recurrent_step.cpp) is held to
/// it.

#include <ebb/autograd/variable.hpp>
#include <ebb/layers/recurrent_step.hpp>

#include <utility>
#include <vector>

namespace ebb {

template <class T>
struct ElementaryStep {
    Variable<T> h, c;  ///< after the step
    std::vector<std::pair<const char*, Variable<T>>> gates;
};

/// x [B, I], h [B, H] or [B, P] with a projection, c [B, H] of an LSTM. Shapes are the caller's to check.
template <class T>
ElementaryStep<T> elementary_step(CellKind kind, const Variable<T>& x, const Variable<T>& h, const Variable<T>& c,
                                  const RecurrentWeights<T>& weights);

}  // namespace ebb
