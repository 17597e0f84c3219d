#include <ebb/core/error.hpp>
#include <ebb/core/index_text.hpp>
#include <ebb/optim/clip.hpp>
#include <ebb/optim/step_kernels.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

namespace ebb {

namespace {

/// Calls f for each weight once, frozen ones left out.
template <class T, class Function>
void for_each_weight(const std::vector<Parameter<T>>& parameters, Function f) {
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        bool seen = !parameters[i].requires_grad();
        for (std::size_t j = 0; j < i && !seen; ++j) seen = parameters[j].shares_with(parameters[i]);
        if (!seen) f(Parameter<T>(parameters[i]));
    }
}

template <class T>
double sum_of_squares(const std::vector<Parameter<T>>& parameters, double scale) {
    double total = 0;
    for_each_weight(parameters, [&](const Parameter<T>& parameter) {
        total += kernels<StepKernels<T>>().sum_of_squares(parameter.grad().data(), parameter.grad().size(), scale);
    });
    return total;
}

/// Multiplies all gradients by max_norm / norm.
template <class T>
void scale_gradients(const std::vector<Parameter<T>>& parameters, double max_norm, double norm) {
    const double factor = max_norm / norm;
    for_each_weight(parameters, [&](Parameter<T> parameter) {
        kernels<StepKernels<T>>().scale(parameter.mutable_grad().data(), parameter.size(), static_cast<T>(factor));
    });
}

void check_limit(const char* call, const char* what, double limit) {
    if (!(limit >= 0)) fail<ValueError>(fmt::format("{}: {} is {}: expected a number >= 0", call, what, limit));
}

}  // namespace

template <class T>
double grad_norm(const std::vector<Parameter<T>>& parameters) {
    const double total = sum_of_squares(parameters, 1.0);
    // The squares of doubles leave the range where the norm itself does not; those of floats cannot.
    constexpr double smallest = std::numeric_limits<double>::min() / std::numeric_limits<double>::epsilon();
    if (std::isfinite(total) && total > smallest) return std::sqrt(total);
    double largest = 0;
    for_each_weight(parameters, [&](const Parameter<T>& parameter) {
        const double own = kernels<StepKernels<T>>().largest(parameter.grad().data(), parameter.grad().size());
        if (!std::isnan(largest) && !(own <= largest)) largest = own;
    });
    if (largest == 0 || !std::isfinite(largest)) return largest;
    // A power of two, so that scaling rounds nothing; 2^1023 is the largest there is.
    const int exponent = std::max(std::ilogb(largest), -1023);
    return std::scalbn(std::sqrt(sum_of_squares(parameters, std::scalbn(1.0, -exponent))), exponent);
}

template <class T>
double clip_grad_norm(const std::vector<Parameter<T>>& parameters, double max_norm, ClipOptions options) {
    check_limit("clip_grad_norm", "max_norm", max_norm);
    const double norm = grad_norm(parameters);
    if (!std::isfinite(norm)) {
        if (options.error_if_nonfinite)
            fail<ValueError>(fmt::format("clip_grad_norm: the norm of the gradients is {}: {}", norm,
                                         first_nonfinite_gradient(parameters)));
        return norm;
    }
    if (norm > max_norm) scale_gradients(parameters, max_norm, norm);
    return norm;
}

template <class T>
void clip_grad_value(const std::vector<Parameter<T>>& parameters, double max_value) {
    check_limit("clip_grad_value", "max_value", max_value);
    for_each_weight(parameters, [&](Parameter<T> parameter) {
        kernels<StepKernels<T>>().clamp(parameter.mutable_grad().data(), parameter.size(), static_cast<T>(max_value));
    });
}

template <class T>
std::string first_nonfinite_gradient(const std::vector<Parameter<T>>& parameters) {
    std::string result;
    for_each_weight(parameters, [&](const Parameter<T>& parameter) {
        const Array<T>& gradient = parameter.grad();
        for (std::size_t i = 0; result.empty() && i < gradient.size(); ++i)
            if (!std::isfinite(gradient.data()[i]))
                result =
                    fmt::format("{}: {} at {}", parameter.name(), gradient.data()[i], index_text(i, parameter.shape()));
    });
    return result;
}

#define EBB_INSTANTIATE(T)                                                                 \
    template double grad_norm(const std::vector<Parameter<T>>&);                           \
    template double clip_grad_norm(const std::vector<Parameter<T>>&, double, ClipOptions); \
    template void clip_grad_value(const std::vector<Parameter<T>>&, double);               \
    template std::string first_nonfinite_gradient(const std::vector<Parameter<T>>&);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb
