#include <ebb/core/error.hpp>
#include <ebb/inspect/decay.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include <fmt/format.h>

namespace ebb::inspect {

double half_life(double factor) {
    if (!(factor >= 0)) fail<ValueError>(fmt::format("half_life: the factor is {}: expected a number >= 0", factor));
    if (factor == 1) return std::numeric_limits<double>::infinity();
    return std::numbers::ln2 / -std::log(factor);
}

double Decay::tenth_life() const {
    return half_life() * (std::numbers::ln10 / std::numbers::ln2);
}

std::optional<Decay> fit_decay(const std::vector<double>& norm, const DecayOptions& options) {
    std::size_t end = options.first;
    while (end < norm.size() && end <= options.longest && norm[end] >= std::numeric_limits<double>::min() &&
           std::isfinite(norm[end]))
        ++end;
    if (end < options.first + 2) return std::nullopt;
    // slope = sum (d - mean d) (y - mean y) / sum (d - mean d)^2
    const double mean_d = static_cast<double>(options.first + end - 1) / 2;
    double products = 0, squares = 0;
    for (std::size_t d = options.first; d < end; ++d) {
        const double from_mean = static_cast<double>(d) - mean_d;
        products += from_mean * std::log(norm[d]);
        squares += from_mean * from_mean;
    }
    return Decay{std::exp(products / squares), options.first, end - 1};
}

std::optional<std::size_t> memory_horizon(const std::vector<double>& norm, double fraction) {
    if (!(fraction > 0 && fraction <= 1))
        fail<ValueError>(fmt::format("memory_horizon: the fraction is {}: expected 0 < fraction <= 1", fraction));
    double largest = 0;
    for (const double value : norm)
        if (std::isfinite(value)) largest = std::max(largest, value);
    if (largest == 0) return std::nullopt;
    for (std::size_t d = norm.size(); d-- > 0;)
        if (norm[d] >= fraction * largest) return d;
    return std::nullopt;
}

std::vector<double> by_distance(const std::vector<std::int32_t>& time_step, const std::vector<double>& norm) {
    if (time_step.size() != norm.size())
        fail<ValueError>(fmt::format("by_distance: there are {} time steps and {} norms: expected as many",
                                     time_step.size(), norm.size()));
    if (time_step.empty()) return {};
    const auto [first, last] = std::minmax_element(time_step.begin(), time_step.end());
    std::vector<double> result(static_cast<std::size_t>(*last - *first) + 1, 0.0);
    for (std::size_t k = 0; k < norm.size(); ++k) result[static_cast<std::size_t>(*last - time_step[k])] = norm[k];
    return result;
}

}  // namespace ebb::inspect
