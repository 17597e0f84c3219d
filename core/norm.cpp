#include <ebb/core/instruction_set.hpp>
#include <ebb/core/norm.hpp>
#include <ebb/core/norm_kernels.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace ebb {
namespace {

/// Between these a sum of squares is what it should be: outside of the range it has lost digits to the ends.
template <class T>
constexpr T smallest = std::numeric_limits<T>::min() / std::numeric_limits<T>::epsilon();
template <class T>
constexpr T largest = std::numeric_limits<T>::max();

/// The norm of numbers whose squares are not in range.
template <class T>
double norm_of_scaled(const T* data, std::size_t size) {
    double most = 0;
    for (std::size_t k = 0; k < size; ++k) most = std::max(most, std::abs(static_cast<double>(data[k])));
    if (most == 0 || std::isinf(most)) return most;
    // By a power of two, so that scaling rounds nothing.
    const int exponent = std::ilogb(most);
    thread_local std::vector<T> scaled;
    scaled.resize(size);
    for (std::size_t k = 0; k < size; ++k) scaled[k] = std::scalbn(data[k], -exponent);
    double root = 0;
    kernels<NormKernels<T>>().norms(scaled.data(), 1, 0, size, T(0), largest<T>, &root);
    return std::scalbn(root, exponent);
}

}  // namespace

template <class T>
double frobenius_norm(const T* data, std::size_t size) {
    double norm = 0;
    frobenius_norms(data, 1, 0, size, &norm);
    return norm;
}

template <class T>
void frobenius_norms(const T* data, std::size_t count, std::ptrdiff_t distance, std::size_t size, double* norms) {
    if (kernels<NormKernels<T>>().norms(data, count, distance, size, smallest<T>, largest<T>, norms)) return;
    for (std::size_t k = 0; k < count; ++k)
        if (norms[k] < 0) norms[k] = norm_of_scaled(data + static_cast<std::ptrdiff_t>(k) * distance, size);
}

template double frobenius_norm(const float*, std::size_t);
template double frobenius_norm(const double*, std::size_t);
template void frobenius_norms(const float*, std::size_t, std::ptrdiff_t, std::size_t, double*);
template void frobenius_norms(const double*, std::size_t, std::ptrdiff_t, std::size_t, double*);

}  // namespace ebb
