#include <ebb/autograd/substitution.hpp>
#include <ebb/core/error.hpp>

#include <fmt/format.h>

namespace ebb {
namespace {

template <class T>
thread_local Substitution<T>* innermost = nullptr;

}  // namespace

template <class T>
Substitution<T>::Substitution(const Parameter<T>& parameter, const Variable<T>& value)
    : parameter_(parameter), value_(value), outer_(innermost<T>) {
    if (value.shape() != parameter.shape())
        fail<ShapeError>(fmt::format("Substitution: {} is {}, the variable in its place is {}: expected equal shapes",
                                     parameter.name(), to_string(parameter.shape()), to_string(value.shape())));
    innermost<T> = this;
}

template <class T>
Substitution<T>::~Substitution() {
    // Those in a container may go in any order.
    Substitution** link = &innermost<T>;
    while (*link != this) link = &(*link)->outer_;
    *link = outer_;
}

template <class T>
const Variable<T>* Substitution<T>::of(const Parameter<T>& parameter) noexcept {
    for (const Substitution* s = innermost<T>; s; s = s->outer_)
        if (s->parameter_.shares_with(parameter)) return &s->value_;
    return nullptr;
}

template class Substitution<float>;
template class Substitution<double>;

}  // namespace ebb
