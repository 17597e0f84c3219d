#pragma once
/// How fast a curve of norms falls with the distance from the loss, and how far it reaches.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace ebb::inspect {

/// The steps in which what is multiplied by `factor` at each step is halved: ln 2 / -ln(factor). Infinite for 1, 0 for
/// 0; above 1 it is negative: -half_life is the steps in which it doubles. A mean forget gate of 0.73 (bias 1, input 0)
/// gives 2.2 steps, of 0.9933 (bias 5) 103. Throws ValueError for a factor that is negative or NaN.
double half_life(double factor);

/// Exponential decay or growth: ln norm = a + d ln(factor).
struct Decay {
    double factor = 1;      ///< per step: below 1 it falls
    std::size_t first = 0;  ///< the distances it was fitted to
    std::size_t last = 0;

    bool falls() const noexcept { return factor < 1; }
    double half_life() const { return inspect::half_life(factor); }
    /// The steps in which it falls to a tenth; infinite where the factor is 1; negative where it grows tenfold.
    double tenth_life() const;
};

struct DecayOptions {
    std::size_t first = 1;      ///< the step into the loss, d = 0, has another slope
    std::size_t longest = 100;  ///< no distance beyond this
};

/// The decay of norms by distance (norm[d] belongs to dL/dh_{T-d}), by least squares of ln norm over the distances
/// from `first` to `longest`, as far as the norms go. They end before one that a double cannot hold at full precision
/// (0, or below 2.2e-308), NaN or infinity. Nothing where fewer than two distances are left.
std::optional<Decay> fit_decay(const std::vector<double>& norm, const DecayOptions& options = {});

/// The effective memory horizon: the largest distance d at which the norm is at least `fraction` of the largest one.
/// Steps farther back get less. Nothing where no norm is above 0 and finite. Throws ValueError unless 0 < fraction
/// <= 1.
std::optional<std::size_t> memory_horizon(const std::vector<double>& norm, double fraction = 0.01);

/// Norms of time steps (ascending), as a list over distances from the last of them: norm[d] of step last - d, 0 for
/// steps that are missing.
std::vector<double> by_distance(const std::vector<std::int32_t>& time_step, const std::vector<double>& norm);

}  // namespace ebb::inspect
