#include <ebb/autograd/substitution.hpp>
#include <ebb/core/error.hpp>

#include <fmt/format.h>

namespace ebb {

template <class T>
Substitution<T>::Substitution(const Parameter<T>& parameter, const Variable<T>& value)
    : parameter_(parameter), value_(value), outer_(innermost_) {
    if (value.shape() != parameter.shape())
        fail<ShapeError>(fmt::format("Substitution: {} is {}, the variable in its place is {}: expected equal shapes",
                                     parameter.name(), to_string(parameter.shape()), to_string(value.shape())));
    innermost_ = this;
}

template <class T>
Substitution<T>::~Substitution() {
    // Those in a container may go in any order.
    Substitution** link = &innermost_;
    while (*link != this) link = &(*link)->outer_;
    *link = outer_;
}

template class Substitution<float>;
template class Substitution<double>;

}  // namespace ebb
