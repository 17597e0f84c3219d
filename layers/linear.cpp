#include <ebb/autograd/operations/linear_algebra.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/random.hpp>
#include <ebb/layers/linear.hpp>

#include <cmath>

#include <fmt/format.h>

namespace ebb {

template <class T>
Linear<T>::Linear(const Options& options, const Parameter<T>& tied) : Module<T>("Linear", options.name) {
    if (options.in_features == 0 || options.out_features == 0)
        fail<ValueError>(fmt::format("{}: in_features is {}, out_features is {}: expected at least 1 each",
                                     this->display_name(), options.in_features, options.out_features));
    const Shape shape{options.out_features, options.in_features};
    if (tied.defined() && tied.shape() != shape)
        fail<ShapeError>(fmt::format(
            "{}: the tied weight is {}: expected [out_features, in_features], {}: a Linear between them can "
            "bring the width to that of the weight",
            this->display_name(), to_string(tied.shape()), to_string(shape)));
    const T bound = T(1) / std::sqrt(static_cast<T>(options.in_features));
    weight = tied.defined() ? tied : Parameter<T>("weight", uniform<T>(shape, -bound, bound));
    this->register_parameter("weight", weight);
    if (options.bias) bias = this->register_parameter("bias", uniform<T>(Shape{options.out_features}, -bound, bound));
}

template <class T>
Variable<T> Linear<T>::operator()(const Variable<T>& x, SourceLine at) const {
    const CalledFrom call(at);
    const ErrorContext context(this->name(), "Linear");
    const Shape& shape = x.shape();
    // Here, and not in linear() only: the tape is as before when it throws, without nodes for the parameters.
    if (shape.rank() == 0 || shape.back() != weight.shape()[1])
        fail<ShapeError>(fmt::format("Linear: x is {}, {} is {}: expected {} as the last extent of x", to_string(shape),
                                     weight.name(), to_string(weight.shape()), weight.shape()[1]));
    Tape<T>& tape = x.tape();
    return linear(x, tape.use(weight), bias.defined() ? tape.use(bias) : Variable<T>());
}

template class Linear<float>;
template class Linear<double>;

}  // namespace ebb
