#pragma once

#include <cstddef>
#include <vector>

namespace ebb::inspect {

/// How often numbers fall into bins of equal width between `low` and `high`. The last bin holds `high` as well.
struct Histogram {
    double low = 0;
    double high = 0;
    std::vector<std::size_t> count;
    std::size_t zeros = 0;      ///< of a logarithmic histogram: exact zeros, which are in no bin
    std::size_t nonfinite = 0;  ///< NaN and infinity, in no bin

    double width() const { return count.empty() ? 0 : (high - low) / static_cast<double>(count.size()); }
    double edge(std::size_t bin) const { return low + width() * static_cast<double>(bin); }
};

/// From the smallest number to the largest. One bin where they are equal, none where there are no finite numbers.
/// Throws ValueError for no bins.
template <class T>
Histogram histogram(const T* data, std::size_t size, std::size_t bins = 40);

/// Of log10 |x|, from one whole number to another, so that the histograms of a history line up: gradients spread over
/// many powers of ten. `bins_per_decade` bins for each.
template <class T>
Histogram log_histogram(const T* data, std::size_t size, std::size_t bins_per_decade = 4);

}  // namespace ebb::inspect
