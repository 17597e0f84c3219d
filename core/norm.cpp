#include <ebb/core/instruction_set.hpp>
#include <ebb/core/norm.hpp>
#include <ebb/core/norm_kernels.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace ebb {
namespace {

/// Sum x^2 of the numbers times 2^-exponent.
template <class T>
double scaled_sum_of_squares(const T* data, std::size_t size, int exponent) {
    thread_local std::vector<T> scaled;
    scaled.resize(size);
    for (std::size_t k = 0; k < size; ++k) scaled[k] = std::scalbn(data[k], -exponent);
    return kernels<NormKernels<T>>().sum_of_squares(scaled.data(), size);
}

}  // namespace

template <class T>
double frobenius_norm(const T* data, std::size_t size) {
    const double sum = kernels<NormKernels<T>>().sum_of_squares(data, size);
    // Outside of this, squares have lost digits to the ends of the range.
    constexpr double smallest =
        static_cast<double>(std::numeric_limits<T>::min()) / static_cast<double>(std::numeric_limits<T>::epsilon());
    if ((std::isfinite(sum) && sum >= smallest) || std::isnan(sum)) return std::sqrt(sum);
    double largest = 0;
    for (std::size_t k = 0; k < size; ++k) largest = std::max(largest, std::abs(static_cast<double>(data[k])));
    if (largest == 0 || std::isinf(largest)) return largest;
    // By a power of two, so that scaling rounds nothing.
    const int exponent = std::ilogb(largest);
    return std::scalbn(std::sqrt(scaled_sum_of_squares(data, size, exponent)), exponent);
}

template double frobenius_norm(const float*, std::size_t);
template double frobenius_norm(const double*, std::size_t);

}  // namespace ebb
