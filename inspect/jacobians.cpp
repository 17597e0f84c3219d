#include <ebb/autograd/vjp_rows.hpp>
#include <ebb/core/blas.hpp>
#include <ebb/core/decompositions.hpp>
#include <ebb/core/error.hpp>
#include <ebb/inspect/jacobians.hpp>
#include <ebb/inspect/number_text.hpp>
#include <ebb/inspect/probe_series.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

namespace ebb::inspect {
namespace {

/// 2^exponent times a matrix [n, n]: a product of many Jacobians leaves the range of a double long before its
/// directions lose their meaning.
class ScaledProduct {
  public:
    explicit ScaledProduct(std::size_t n) : n_(n), matrix_(Array<double>::from_shape({n, n})), next_(matrix_) {
        std::fill_n(matrix_.data(), n * n, 0.0);
        for (std::size_t i = 0; i < n; ++i) matrix_.data()[i * n + i] = 1;
    }

    /// P <- P J
    void multiply(const Array<double>& jacobian) {
        gemm(Transpose::no, Transpose::no, n_, n_, n_, 1.0, matrix_.data(), n_, jacobian.data(), n_, 0.0, next_.data(),
             n_);
        std::swap(matrix_, next_);
        double largest = 0;
        for (std::size_t i = 0; i < n_ * n_; ++i) largest = std::max(largest, std::abs(matrix_.data()[i]));
        if (largest == 0) return;
        const int shift = std::ilogb(largest);
        exponent_ += shift;
        for (std::size_t i = 0; i < n_ * n_; ++i) matrix_.data()[i] = std::scalbn(matrix_.data()[i], -shift);
    }

    const Array<double>& matrix() const { return matrix_; }
    int exponent() const { return exponent_; }

  private:
    std::size_t n_;
    Array<double> matrix_, next_;
    int exponent_ = 0;
};

/// The first `size` rows and columns.
Array<double> block(const Array<double>& matrix, std::size_t size) {
    const std::size_t n = matrix.shape(0);
    Array<double> result = Array<double>::from_shape({size, size});
    for (std::size_t i = 0; i < size; ++i) std::copy_n(matrix.data() + i * n, size, result.data() + i * size);
    return result;
}

/// Of 2^exponent times the matrix.
Spectrum spectrum_of(const Array<double>& matrix, int exponent) {
    Spectrum spectrum{linalg::singular_values(matrix), linalg::spectral_radius(matrix)};
    for (double& sigma : spectrum.singular_values) sigma = std::scalbn(sigma, exponent);
    spectrum.radius = std::scalbn(spectrum.radius, exponent);
    return spectrum;
}

}  // namespace

double Spectrum::condition() const {
    const double smallest = singular_values.back();
    return smallest > 0 ? singular_values.front() / smallest : std::numeric_limits<double>::infinity();
}

template <class T>
StateJacobians state_jacobians(Tape<T>& tape, std::string_view state, const JacobianOptions& options) {
    constexpr const char* call = "state_jacobians";
    const std::vector<ProbeSeries> parts = find_cell(call, tape, state);
    const ProbeSeries& named = parts.front();
    StateJacobians result;
    std::size_t n = 0;
    for (const ProbeSeries& part : parts) {
        for (const NodeIndex index : part.node)
            if (!tape.node(index).requires_grad)
                fail<TapeError>(
                    fmt::format("{}: {} is a constant: expected a forward pass outside of NoGrad, with "
                                "weights or inputs that want a gradient",
                                call, part.name));
        result.parts.push_back({part.name, tape.node(part.node.front()).shape[1]});
        n += result.parts.back().size;
    }
    std::vector<std::size_t> steps;  // that the sequence has
    std::size_t most_rows = 0;
    for (std::size_t k = 0; k < named.steps(); ++k) {
        const std::size_t rows = tape.node(named.node[k]).shape[0];
        most_rows = std::max(most_rows, rows);
        if (options.sample >= rows) continue;
        steps.push_back(k);
        result.time_step.push_back(named.time_step[k]);
    }
    if (steps.empty())
        fail<IndexError>(fmt::format("{}: sample is {}, {} has {}: expected less", call, options.sample, named.name,
                                     counted(most_rows, "row", "rows")));
    if (steps.size() == 1)
        fail<ValueError>(fmt::format("{}: {} has one time step: expected at least two", call, named.name));

    std::vector<Variable<T>> before(parts.size()), after(parts.size());
    std::vector<Array<T>> seeds(parts.size());
    for (std::size_t k = 0; k + 1 < steps.size(); ++k) {
        std::size_t first = 0;
        for (std::size_t p = 0; p < parts.size(); ++p) {
            before[p] = tape.at(parts[p].node[steps[k]]);
            after[p] = tape.at(parts[p].node[steps[k + 1]]);
            // Row i of J is the gradient of s_{k+1}[i]: seeds are the rows of the identity, in the place of the sample.
            const std::size_t B = after[p].shape()[0], H = after[p].shape()[1];
            if (k == 0 || seeds[p].shape(1) != B) {
                seeds[p] = Array<T>::from_shape({n, B, H});
                seeds[p].fill(T(0));
                for (std::size_t i = 0; i < H; ++i) seeds[p](first + i, options.sample, i) = 1;
            }
            first += H;
        }
        // Held, h_t and c_t are independent variables: what goes from one into the other counts for neither.
        const std::vector<Array<T>> rows = vjp_rows(after, seeds, before, {.hold_targets = true});
        Array<double> jacobian = Array<double>::from_shape({n, n});
        first = 0;
        for (std::size_t p = 0; p < parts.size(); ++p) {
            const std::size_t H = result.parts[p].size, size = before[p].size();
            for (std::size_t i = 0; i < n; ++i)
                std::copy_n(rows[p].data() + i * size + options.sample * H, H, jacobian.data() + i * n + first);
            first += H;
        }
        result.step.push_back(std::move(jacobian));
    }
    return result;
}

JacobianSpectrum jacobian_spectrum(const StateJacobians& jacobians, const JacobianOptions& options) {
    JacobianSpectrum result;
    result.time_step = jacobians.time_step;
    const std::size_t T = jacobians.time_step.size();
    const std::size_t n = jacobians.step.front().shape(0);
    for (const StateJacobians::Part& part : jacobians.parts) {
        result.state += (result.state.empty() ? "" : ", ") + part.name;
        result.size += part.size;
        if (!options.joint) break;
    }
    for (std::size_t k = 0; k + 1 < T; ++k) {
        const Array<double>& jacobian = jacobians.step[k];
        if (!std::all_of(jacobian.data(), jacobian.data() + n * n, [](double v) { return std::isfinite(v); }))
            fail<ValueError>(
                fmt::format("jacobian_spectrum: the Jacobian of {} from time step {} to {} holds NaN or infinity",
                            jacobians.parts.front().name, jacobians.time_step[k], jacobians.time_step[k + 1]));
        result.step.push_back(spectrum_of(block(jacobian, result.size), 0));
    }
    // dh_{T-1}/dh_k = J_{T-2} ... J_k, from the last factor to the first.
    ScaledProduct product(n);
    result.product.resize(T);
    for (std::size_t k = T; k-- > 0;) {
        if (k + 1 < T) product.multiply(jacobians.step[k]);
        result.product[k] = spectrum_of(block(product.matrix(), result.size), product.exponent());
    }
    result.lyapunov = lyapunov_spectrum(jacobians.step, {options.discard});
    return result;
}

template <class T>
JacobianSpectrum jacobian_spectrum(Tape<T>& tape, std::string_view state, const JacobianOptions& options) {
    return jacobian_spectrum(state_jacobians(tape, state, options), options);
}

template <class T>
std::vector<double> norm_bound(const Array<T>& w, double gamma, std::size_t steps) {
    if (!(gamma >= 0) || !std::isfinite(gamma))
        fail<ValueError>(fmt::format("norm_bound: gamma is {}: expected a number >= 0", gamma));
    const double factor = gamma * linalg::spectral_norm(w);
    std::vector<double> bound(steps);
    for (std::size_t k = 0; k < steps; ++k) bound[k] = std::pow(factor, static_cast<double>(steps - 1 - k));
    return bound;
}

#define EBB_INSTANTIATE(T)                                                                           \
    template StateJacobians state_jacobians(Tape<T>&, std::string_view, const JacobianOptions&);     \
    template JacobianSpectrum jacobian_spectrum(Tape<T>&, std::string_view, const JacobianOptions&); \
    template std::vector<double> norm_bound(const Array<T>&, double, std::size_t);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb::inspect
