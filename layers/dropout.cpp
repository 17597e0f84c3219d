#include <ebb/core/error.hpp>
#include <ebb/layers/dropout.hpp>

namespace ebb {

template <class T>
Dropout<T>::Dropout(const Options& options) : Module<T>("Dropout", options.name), p_(options.p) {
    check_probability(this->display_name(), p_);
}

template <class T>
Variable<T> Dropout<T>::operator()(const Variable<T>& x, SourceLine at) const {
    const CalledFrom call(at);
    const ErrorContext context(this->name(), "Dropout");
    return this->training() ? dropout(x, p_) : x;
}

template class Dropout<float>;
template class Dropout<double>;

}  // namespace ebb
