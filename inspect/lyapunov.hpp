#pragma once

#include <ebb/core/array.hpp>

#include <cstddef>
#include <vector>

namespace ebb::inspect {

struct LyapunovOptions {
    /// So many steps turn the directions into their places and are not counted in the means: the transient.
    std::size_t discard = 0;
};

/// The Lyapunov exponents of a sequence of Jacobians, natural logarithms per step: how fast small deviations grow (> 0)
/// or shrink (< 0) on average, direction by direction.
struct LyapunovSpectrum {
    std::vector<double> exponents;             ///< n of them, by falling size; -infinity where a direction dies
    std::vector<std::vector<double>> running;  ///< the estimate after each counted step, in the order of the QR method
};

/// The QR method (Benettin, Galgani, Giorgilli, Strelcyn 1980; for RNNs Vogt, Puelma Touzel, Shlizerman, Lajoie 2022):
///
///     Q_0 = I,   Q_k R_k = J_k Q_{k-1},   lambda_i = lim 1/K sum_k ln (R_k)_ii
///
/// `jacobians` are J_1, ..., J_K, each [n, n], in the order of time. The mean over K steps differs from the limit by
/// O(1/K). Throws ValueError for no Jacobian, or as many to discard as there are; ShapeError where one is not [n, n].
LyapunovSpectrum lyapunov_spectrum(const std::vector<Array<double>>& jacobians, const LyapunovOptions& options = {});

}  // namespace ebb::inspect
