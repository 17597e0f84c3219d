#include <ebb/core/blas.hpp>
#include <ebb/core/decompositions.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/shape.hpp>
#include <ebb/inspect/lyapunov.hpp>

#include <algorithm>
#include <cmath>
#include <functional>

#include <fmt/format.h>

namespace ebb::inspect {

LyapunovSpectrum lyapunov_spectrum(const std::vector<Array<double>>& jacobians, const LyapunovOptions& options) {
    if (jacobians.size() <= options.discard)
        fail<ValueError>(fmt::format("lyapunov_spectrum: there are {} Jacobians and {} to discard: expected more",
                                     jacobians.size(), options.discard));
    const std::size_t n = jacobians.front().shape().empty() ? 0 : jacobians.front().shape(0);
    Array<double> q = Array<double>::from_shape({n, n}), turned = q;
    std::fill_n(q.data(), n * n, 0.0);
    for (std::size_t i = 0; i < n; ++i) q.data()[i * n + i] = 1;

    LyapunovSpectrum spectrum;
    std::vector<double> sum(n, 0.0);
    for (std::size_t k = 0; k < jacobians.size(); ++k) {
        const Shape shape = Shape::of(jacobians[k].shape());
        if (shape != Shape{n, n})
            fail<ShapeError>(
                fmt::format("lyapunov_spectrum: Jacobian {} is {}: expected a square matrix, of the size "
                            "of the first",
                            k, to_string(shape)));
        // Q_k R_k = J_k Q_{k-1}
        gemm(Transpose::no, Transpose::no, n, n, n, 1.0, jacobians[k].data(), n, q.data(), n, 0.0, turned.data(), n);
        linalg::QR next = linalg::qr(turned);
        q = std::move(next.q);
        if (k < options.discard) continue;
        const double count = static_cast<double>(k - options.discard + 1);
        std::vector<double>& mean = spectrum.running.emplace_back(n);
        for (std::size_t i = 0; i < n; ++i) {
            sum[i] += std::log(next.r.data()[i * n + i]);
            mean[i] = sum[i] / count;
        }
    }
    spectrum.exponents = spectrum.running.back();
    std::sort(spectrum.exponents.begin(), spectrum.exponents.end(), std::greater<>());
    return spectrum;
}

}  // namespace ebb::inspect
