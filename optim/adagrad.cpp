#include <ebb/optim/adagrad.hpp>
#include <ebb/optim/step_kernels.hpp>

namespace ebb {

namespace {

std::vector<const char*> slots(const AdagradOptions& options) {
    detail::check_not_negative("Adagrad", "lr_decay", options.lr_decay);
    detail::check_not_negative("Adagrad", "weight_decay", options.weight_decay);
    detail::check_not_negative("Adagrad", "initial_accumulator_value", options.initial_accumulator_value);
    detail::check_not_negative("Adagrad", "eps", options.eps);
    return {"sum"};
}

}  // namespace

template <class T>
Adagrad<T>::Adagrad(const std::vector<Parameter<T>>& parameters, AdagradOptions options)
    : Optimizer<T>("Adagrad", parameters, options.learning_rate, slots(options)), options_(options) {
    this->fill_slot(0, static_cast<T>(options.initial_accumulator_value));
}

template <class T>
void Adagrad<T>::update(const Update& update) {
    const double rate = this->learning_rate() / (1 + static_cast<double>(update.step - 1) * options_.lr_decay);
    kernels<StepKernels<T>>().adagrad(update.value, update.gradient, update.slot(0), update.size,
                                      {.learning_rate = static_cast<T>(rate),
                                       .weight_decay = static_cast<T>(options_.weight_decay),
                                       .eps = static_cast<T>(options_.eps)});
}

template class Adagrad<float>;
template class Adagrad<double>;

}  // namespace ebb
