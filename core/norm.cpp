#include <ebb/core/norm.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace ebb {
namespace {

template <class T>
double sum_of_squares(const T* data, std::size_t size, double scale) {
    double sum = 0;
    for (std::size_t k = 0; k < size; ++k) {
        const double x = static_cast<double>(data[k]) * scale;
        sum += x * x;
    }
    return sum;
}

}  // namespace

template <class T>
double frobenius_norm(const T* data, std::size_t size) {
    const double sum = sum_of_squares(data, size, 1);
    // Below, squares have lost digits to the end of the range; those of floats cannot.
    constexpr double smallest = std::numeric_limits<double>::min() / std::numeric_limits<double>::epsilon();
    if ((std::isfinite(sum) && sum >= smallest) || std::isnan(sum)) return std::sqrt(sum);
    double largest = 0;
    for (std::size_t k = 0; k < size; ++k) largest = std::max(largest, std::abs(static_cast<double>(data[k])));
    if (largest == 0 || std::isinf(largest)) return largest;
    // By a power of two, so that scaling rounds nothing; 2^1023 is the largest there is.
    const int exponent = std::max(std::ilogb(largest), -1023);
    return std::scalbn(std::sqrt(sum_of_squares(data, size, std::scalbn(1.0, -exponent))), exponent);
}

template double frobenius_norm(const float*, std::size_t);
template double frobenius_norm(const double*, std::size_t);

}  // namespace ebb
