#pragma once

#include <cstddef>

namespace ebb {

/// The Frobenius norm of `size` numbers, sqrt(sum x^2), to the precision of T. It is right wherever the norm itself is
/// a double: the squares alone would be 0 below 1e-162 and infinite above 1e154, of floats below 1e-23 and above 1e19.
/// NaN where there is one, else infinity where there is one; 0 of nothing.
template <class T>
double frobenius_norm(const T* data, std::size_t size);

/// The norms of `count` blocks of `size` numbers each, which begin `distance` numbers apart: a state at many time
/// steps.
template <class T>
void frobenius_norms(const T* data, std::size_t count, std::ptrdiff_t distance, std::size_t size, double* norms);

}  // namespace ebb
