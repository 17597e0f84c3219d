#include <ebb/optim/adam.hpp>
#include <ebb/optim/step_kernels.hpp>

#include <cmath>

namespace ebb {

namespace {

template <class Options>
std::vector<const char*> slots(const char* name, const Options& options) {
    detail::check_fraction(name, "the first of betas", options.betas.first);
    detail::check_fraction(name, "the second of betas", options.betas.second);
    detail::check_not_negative(name, "eps", options.eps);
    detail::check_not_negative(name, "weight_decay", options.weight_decay);
    if (options.amsgrad) return {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"};
    return {"exp_avg", "exp_avg_sq"};
}

/// What Adam and AdamW share; the two decays are the caller's.
template <class T, class Options>
AdamStep<T> step_of(const Options& options, double learning_rate, std::int64_t step) {
    const auto [beta1, beta2] = options.betas;
    const auto t = static_cast<double>(step);
    // In double also for float: 1 - 0.999 has three digits less in float.
    return {.beta1 = static_cast<T>(beta1),
            .one_minus_beta1 = static_cast<T>(1 - beta1),
            .beta2 = static_cast<T>(beta2),
            .one_minus_beta2 = static_cast<T>(1 - beta2),
            .eps = static_cast<T>(options.eps),
            .step_size = static_cast<T>(learning_rate / (1 - std::pow(beta1, t))),
            .root_scale = static_cast<T>(1 / std::sqrt(1 - std::pow(beta2, t))),
            .weight_decay = 0,
            .shrink = 1};
}

}  // namespace

template <class T>
Adam<T>::Adam(const std::vector<Parameter<T>>& parameters, AdamOptions options)
    : Optimizer<T>("Adam", parameters, options.learning_rate, slots("Adam", options)), options_(options) {}

template <class T>
void Adam<T>::update(const Update& update) {
    auto step = step_of<T>(options_, this->learning_rate(), update.step);
    step.weight_decay = static_cast<T>(options_.weight_decay);
    kernels<StepKernels<T>>().adam(update.value, update.gradient, update.slot(0), update.slot(1), update.slot(2),
                                   update.size, step);
}

template <class T>
AdamW<T>::AdamW(const std::vector<Parameter<T>>& parameters, AdamWOptions options)
    : Optimizer<T>("AdamW", parameters, options.learning_rate, slots("AdamW", options)), options_(options) {}

template <class T>
void AdamW<T>::update(const Update& update) {
    auto step = step_of<T>(options_, this->learning_rate(), update.step);
    step.shrink = static_cast<T>(1 - this->learning_rate() * options_.weight_decay);
    kernels<StepKernels<T>>().adam(update.value, update.gradient, update.slot(0), update.slot(1), update.slot(2),
                                   update.size, step);
}

template class Adam<float>;
template class Adam<double>;
template class AdamW<float>;
template class AdamW<double>;

}  // namespace ebb
