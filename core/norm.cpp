#include <ebb/core/instruction_set.hpp>
#include <ebb/core/norm.hpp>
#include <ebb/core/norm_kernels.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace ebb {
namespace {

/// Sum x^2
template <class T>
double sum_of_squares(const T* data, std::size_t size) {
    double sum = 0;
    kernels<NormKernels<T>>().sums_of_squares(data, 1, 0, size, &sum);
    return sum;
}

/// Between these a sum of squares is what it should be: outside of the range it has lost digits to the ends.
template <class T>
constexpr double smallest = static_cast<double>(std::numeric_limits<T>::min()) /
                            static_cast<double>(std::numeric_limits<T>::epsilon());
constexpr double largest = std::numeric_limits<double>::max();

template <class T>
bool is_in_range(double sum) {
    return (sum >= smallest<T> && sum <= largest) || std::isnan(sum);
}

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
    return std::scalbn(std::sqrt(sum_of_squares(scaled.data(), size)), exponent);
}

}  // namespace

template <class T>
double frobenius_norm(const T* data, std::size_t size) {
    const double sum = sum_of_squares(data, size);
    return is_in_range<T>(sum) ? std::sqrt(sum) : norm_of_scaled(data, size);
}

template <class T>
void frobenius_norms(const T* data, std::size_t count, std::ptrdiff_t distance, std::size_t size, double* norms) {
    const NormKernels<T>& kernel = kernels<NormKernels<T>>();
    kernel.sums_of_squares(data, count, distance, size, norms);
    if (kernel.roots(norms, count, smallest<T>, largest)) return;
    for (std::size_t k = 0; k < count; ++k)
        norms[k] = is_in_range<T>(norms[k]) ? std::sqrt(norms[k])
                                            : norm_of_scaled(data + static_cast<std::ptrdiff_t>(k) * distance, size);
}

template double frobenius_norm(const float*, std::size_t);
template double frobenius_norm(const double*, std::size_t);
template void frobenius_norms(const float*, std::size_t, std::ptrdiff_t, std::size_t, double*);
template void frobenius_norms(const double*, std::size_t, std::ptrdiff_t, std::size_t, double*);

}  // namespace ebb
