#include <ebb/core/error.hpp>
#include <ebb/optim/sgd.hpp>
#include <ebb/optim/step_kernels.hpp>

#include <fmt/format.h>

namespace ebb {

namespace {

std::vector<const char*> slots(const SGDOptions& options) {
    detail::check_not_negative("SGD", "momentum", options.momentum);
    detail::check_not_negative("SGD", "weight_decay", options.weight_decay);
    if (!(options.dampening >= 0 && options.dampening <= 1))
        fail<ValueError>(fmt::format("SGD: dampening is {}: expected a number in [0, 1]", options.dampening));
    if (options.nesterov && (options.momentum == 0 || options.dampening != 0))
        fail<ValueError>(
            fmt::format("SGD: nesterov with momentum {} and dampening {}: expected a momentum > 0 and no "
                        "dampening",
                        options.momentum, options.dampening));
    if (options.momentum == 0) return {};
    return {"momentum_buffer"};
}

}  // namespace

template <class T>
SGD<T>::SGD(const std::vector<Parameter<T>>& parameters, SGDOptions options)
    : Optimizer<T>("SGD", parameters, options.learning_rate, slots(options)), options_(options) {}

template <class T>
void SGD<T>::update(const Update& update) {
    kernels<StepKernels<T>>().sgd(update.value, update.gradient, update.slot(0), update.size,
                                  {.learning_rate = static_cast<T>(this->learning_rate()),
                                   .momentum = static_cast<T>(options_.momentum),
                                   .weight_decay = static_cast<T>(options_.weight_decay),
                                   .share = static_cast<T>(1 - options_.dampening),
                                   .nesterov = options_.nesterov,
                                   .first = update.step == 1});
}

template class SGD<float>;
template class SGD<double>;

}  // namespace ebb
