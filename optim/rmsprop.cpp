#include <ebb/optim/rmsprop.hpp>
#include <ebb/optim/step_kernels.hpp>

namespace ebb {

namespace {

std::vector<const char*> slots(const RMSpropOptions& options) {
    detail::check_fraction("RMSprop", "alpha", options.alpha);
    detail::check_not_negative("RMSprop", "eps", options.eps);
    detail::check_not_negative("RMSprop", "weight_decay", options.weight_decay);
    detail::check_not_negative("RMSprop", "momentum", options.momentum);
    std::vector<const char*> result{"square_avg"};
    if (options.centered) result.push_back("grad_avg");
    if (options.momentum > 0) result.push_back("momentum_buffer");
    return result;
}

}  // namespace

template <class T>
RMSprop<T>::RMSprop(const std::vector<Parameter<T>>& parameters, RMSpropOptions options)
    : Optimizer<T>("RMSprop", parameters, options.learning_rate, slots(options)), options_(options) {}

template <class T>
void RMSprop<T>::update(const Update& update) {
    T* const a = options_.centered ? update.slot(1) : nullptr;
    T* const b = options_.momentum > 0 ? update.slot(options_.centered ? 2 : 1) : nullptr;
    kernels<StepKernels<T>>().rmsprop(update.value, update.gradient, update.slot(0), a, b, update.size,
                                      {.learning_rate = static_cast<T>(this->learning_rate()),
                                       .alpha = static_cast<T>(options_.alpha),
                                       .one_minus_alpha = static_cast<T>(1 - options_.alpha),
                                       .momentum = static_cast<T>(options_.momentum),
                                       .weight_decay = static_cast<T>(options_.weight_decay),
                                       .eps = static_cast<T>(options_.eps)});
}

template class RMSprop<float>;
template class RMSprop<double>;

}  // namespace ebb
