#pragma once
/// Derivatives checked against central differences, in double.

#include <ebb/autograd/variable.hpp>
#include <ebb/core/array.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace ebb {

/// A function of any number of arrays, recorded on the tape of its arguments.
using CheckedFunction = std::function<Variable<double>(const std::vector<Variable<double>>&)>;

struct GradCheckOptions {
    double step = 1e-5;       ///< x +- step (1 + |x|)
    double tolerance = 1e-6;  ///< of |analytic - numeric| / max(|analytic|, |numeric|, floor)
    double floor = 1e-2;      ///< relative to the largest entry: below it the error is measured absolutely
    std::uint64_t seed = 0;   ///< of the random cotangent
    /// A function whose gradient is 0 everywhere passes for any wrong derivative, so it fails as vacuous unless
    /// allowed.
    bool allow_zero_gradient = false;
};

struct GradCheckReport {
    bool passed = false;
    double max_error = 0;   ///< the largest relative error
    std::size_t input = 0;  ///< where it is
    std::size_t element = 0;
    double analytic = 0;
    double numeric = 0;
    double largest_gradient = 0;  ///< the largest |dL/dx|: 0 where nothing was seen
    std::string message;          ///< what was found, in one sentence

    explicit operator bool() const noexcept { return passed; }
};

/// Compares dL/dx with central differences, where L = <c, f(x)> for a random cotangent c. The gradient is computed both
/// ways that the engine has, over raw memory and on variables, and the two must agree. A derivative that throws fails,
/// with its error as message; where f itself throws, so does this.
GradCheckReport gradcheck(const CheckedFunction& f, const std::vector<Array<double>>& inputs,
                          const GradCheckOptions& options = {});

/// The same for the second derivative: checks the gradient of <w, dL/dx> for random w, with respect to x and to c,
/// which counts as one more input after those of f. Throws ValueError for a function of no inputs.
GradCheckReport gradgradcheck(const CheckedFunction& f, const std::vector<Array<double>>& inputs,
                              const GradCheckOptions& options = {});

}  // namespace ebb
