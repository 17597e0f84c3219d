#include <ebb/core/error.hpp>
#include <ebb/inspect/histogram.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace ebb::inspect {
namespace {

void check_bins(const char* call, std::size_t bins) {
    if (bins == 0) fail<ValueError>(std::string(call) + ": the number of bins is 0: expected at least 1");
}

/// The bin of x, which is between low and high.
std::size_t bin_of(const Histogram& h, double x) {
    // In this order: high - low may be infinite.
    const double place = (x / 2 - h.low / 2) / (h.high / 2 - h.low / 2) * static_cast<double>(h.count.size());
    return std::min(static_cast<std::size_t>(place), h.count.size() - 1);
}

}  // namespace

template <class T>
Histogram histogram(const T* data, std::size_t size, std::size_t bins) {
    check_bins("histogram", bins);
    Histogram result;
    double low = std::numeric_limits<double>::infinity(), high = -low;
    for (std::size_t k = 0; k < size; ++k) {
        const double x = static_cast<double>(data[k]);
        if (!std::isfinite(x)) {
            ++result.nonfinite;
            continue;
        }
        low = std::min(low, x);
        high = std::max(high, x);
    }
    if (low > high) return result;
    result.low = low;
    result.high = high;
    result.count.assign(low == high ? 1 : bins, 0);
    for (std::size_t k = 0; k < size; ++k) {
        const double x = static_cast<double>(data[k]);
        if (std::isfinite(x)) ++result.count[low == high ? 0 : bin_of(result, x)];
    }
    return result;
}

template <class T>
Histogram log_histogram(const T* data, std::size_t size, std::size_t bins_per_decade) {
    check_bins("log_histogram", bins_per_decade);
    Histogram result;
    std::vector<double> logs;
    logs.reserve(size);
    for (std::size_t k = 0; k < size; ++k) {
        const double x = std::abs(static_cast<double>(data[k]));
        if (!std::isfinite(x))
            ++result.nonfinite;
        else if (x == 0)
            ++result.zeros;
        else
            logs.push_back(std::log10(x));
    }
    if (logs.empty()) return result;
    const auto [smallest, largest] = std::minmax_element(logs.begin(), logs.end());
    result.low = std::floor(*smallest);
    result.high = std::max(std::ceil(*largest), result.low + 1);
    result.count.assign(static_cast<std::size_t>(result.high - result.low) * bins_per_decade, 0);
    for (const double x : logs) ++result.count[bin_of(result, x)];
    return result;
}

template Histogram histogram(const float*, std::size_t, std::size_t);
template Histogram histogram(const double*, std::size_t, std::size_t);
template Histogram log_histogram(const float*, std::size_t, std::size_t);
template Histogram log_histogram(const double*, std::size_t, std::size_t);

}  // namespace ebb::inspect
