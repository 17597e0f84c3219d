#pragma once

#include <ebb/autograd/source_line.hpp>
#include <ebb/autograd/variable.hpp>
#include <ebb/core/random.hpp>

namespace ebb {

/// y = x . m / (1 - p), m ~ Bernoulli(1 - p) for each element: what is left is enlarged, so that y is x in expectation
/// and nothing need be scaled when dropout is off (Srivastava et al. 2014, in the inverted form of PyTorch). dx = dy .
/// m / (1 - p) with the same m. With p = 1, y is 0; with p = 0 it is x itself, and nothing is drawn. Throws ValueError
/// unless 0 <= p <= 1.
template <class T>
Variable<T> dropout(const Variable<T>& x, double p, Generator& generator = default_generator(),
                    SourceLine at = source_line());

}  // namespace ebb
