#pragma once
/// The loops over memory of the optimisers and of clipping, in every variant: one pass over a parameter's value,
/// gradient and state for each step. The headers of the optimisers have the equations.

#include <ebb/core/instruction_set.hpp>

#include <cstddef>

namespace ebb {

/// The numbers of one step of one parameter.
template <class T>
struct SGDStep {
    T learning_rate, momentum, weight_decay;
    T share;  ///< of the gradient in the buffer: 1 - dampening
    bool nesterov;
    bool first;  ///< the buffer is filled, not updated
};

/// Adam and AdamW: they differ in where the decay stands.
template <class T>
struct AdamStep {
    T beta1, one_minus_beta1, beta2, one_minus_beta2, eps;
    T step_size;     ///< eta / (1 - beta1^t)
    T root_scale;    ///< 1 / sqrt(1 - beta2^t)
    T weight_decay;  ///< added to the gradient
    T shrink;        ///< multiplies the value
};

template <class T>
struct AdagradStep {
    T learning_rate, weight_decay, eps;
};

template <class T>
struct RMSpropStep {
    T learning_rate, alpha, one_minus_alpha, momentum, weight_decay, eps;
};

/// `p` is the value, `g` the gradient; n numbers each, of any alignment. A state given as nullptr is not kept.
template <class T>
struct StepKernels {
    void (*sgd)(T* p, const T* g, T* buffer, std::size_t n, const SGDStep<T>& step);
    void (*adam)(T* p, const T* g, T* m, T* v, T* v_max, std::size_t n, const AdamStep<T>& step);
    void (*adagrad)(T* p, const T* g, T* sum, std::size_t n, const AdagradStep<T>& step);
    void (*rmsprop)(T* p, const T* g, T* mean_square, T* mean, T* buffer, std::size_t n, const RMSpropStep<T>& step);

    /// The sum of (scale x)^2, in double.
    double (*sum_of_squares)(const T* x, std::size_t n, double scale);
    /// max |x|; NaN where x has one; 0 for n = 0.
    T (*largest)(const T* x, std::size_t n);
    void (*scale)(T* x, std::size_t n, T factor);
    /// x = min(max(x, -limit), limit); NaN stays.
    void (*clamp)(T* x, std::size_t n, T limit);
};

}  // namespace ebb
