/// Compiled once for each instruction set: see core/simd.hpp for what may stand in such a file.

#include <ebb/core/simd.hpp>
#include <ebb/optim/step_kernels.hpp>

namespace ebb {
namespace {

using simd::Vec;

/// Where a loop stands: a whole register of numbers, or the last few.
template <class T>
struct Whole {
    std::size_t i;
    Vec<T> load(const T* x) const { return Vec<T>::load(x + i); }
    void store(Vec<T> v, T* x) const { v.store(x + i); }
};
template <class T>
struct Rest {
    std::size_t i, count;
    Vec<T> load(const T* x) const { return Vec<T>::load(x + i, count); }
    void store(Vec<T> v, T* x) const { v.store(x + i, count); }
};

template <class T, class Function>
inline void for_each(std::size_t n, Function f) {
    std::size_t i = 0;
    for (; i + Vec<T>::width <= n; i += Vec<T>::width) f(Whole<T>{i});
    if (i < n) f(Rest<T>{i, n - i});
}

template <class T>
void sgd(T* p, const T* g, T* buffer, std::size_t n, const SGDStep<T>& step) {
    const Vec<T> rate(step.learning_rate), decay(step.weight_decay), momentum(step.momentum), share(step.share);
    if (buffer == nullptr) {
        for_each<T>(n, [&](auto at) {
            const Vec<T> value = at.load(p);
            at.store(value - rate * (at.load(g) + decay * value), p);
        });
    } else {
        for_each<T>(n, [&](auto at) {
            const Vec<T> value = at.load(p);
            const Vec<T> gradient = at.load(g) + decay * value;
            // b_1 = g_1; b_t = mu b_{t-1} + (1 - tau) g_t
            const Vec<T> b = step.first ? gradient : momentum * at.load(buffer) + share * gradient;
            at.store(b, buffer);
            at.store(value - rate * (step.nesterov ? gradient + momentum * b : b), p);
        });
    }
}

template <class T>
void adam(T* p, const T* g, T* m, T* v, T* v_max, std::size_t n, const AdamStep<T>& step) {
    const Vec<T> beta1(step.beta1), one_minus_beta1(step.one_minus_beta1);
    const Vec<T> beta2(step.beta2), one_minus_beta2(step.one_minus_beta2);
    const Vec<T> eps(step.eps), step_size(step.step_size), root_scale(step.root_scale);
    const Vec<T> decay(step.weight_decay), shrink(step.shrink);
    for_each<T>(n, [&](auto at) {
        const Vec<T> value = at.load(p);
        const Vec<T> gradient = at.load(g) + decay * value;
        // m_t = beta1 m_{t-1} + (1 - beta1) g,  v_t = beta2 v_{t-1} + (1 - beta2) g^2
        const Vec<T> mean = beta1 * at.load(m) + one_minus_beta1 * gradient;
        Vec<T> mean_square = beta2 * at.load(v) + one_minus_beta2 * (gradient * gradient);
        at.store(mean, m);
        at.store(mean_square, v);
        if (v_max != nullptr) {
            mean_square = max(at.load(v_max), mean_square);
            at.store(mean_square, v_max);
        }
        at.store(shrink * value - step_size * mean / (sqrt(mean_square) * root_scale + eps), p);
    });
}

template <class T>
void adagrad(T* p, const T* g, T* sum, std::size_t n, const AdagradStep<T>& step) {
    const Vec<T> rate(step.learning_rate), decay(step.weight_decay), eps(step.eps);
    for_each<T>(n, [&](auto at) {
        const Vec<T> value = at.load(p);
        const Vec<T> gradient = at.load(g) + decay * value;
        const Vec<T> squares = at.load(sum) + gradient * gradient;
        at.store(squares, sum);
        at.store(value - rate * gradient / (sqrt(squares) + eps), p);
    });
}

template <class T>
void rmsprop(T* p, const T* g, T* mean_square, T* mean, T* buffer, std::size_t n, const RMSpropStep<T>& step) {
    const Vec<T> alpha(step.alpha), one_minus_alpha(step.one_minus_alpha), momentum(step.momentum);
    const Vec<T> rate(step.learning_rate), decay(step.weight_decay), eps(step.eps);
    for_each<T>(n, [&](auto at) {
        const Vec<T> value = at.load(p);
        const Vec<T> gradient = at.load(g) + decay * value;
        const Vec<T> square = alpha * at.load(mean_square) + one_minus_alpha * (gradient * gradient);
        at.store(square, mean_square);
        Vec<T> variance = square;
        if (mean != nullptr) {
            const Vec<T> average = alpha * at.load(mean) + one_minus_alpha * gradient;
            at.store(average, mean);
            // Rounding can take E[g^2] - E[g]^2 below 0, whose root is NaN.
            variance = max(Vec<T>(0), square - average * average);
        }
        Vec<T> update = gradient / (sqrt(variance) + eps);
        if (buffer != nullptr) {
            update = momentum * at.load(buffer) + update;
            at.store(update, buffer);
        }
        at.store(value - rate * update, p);
    });
}

template <class T>
double sum_of_squares(const T* x, std::size_t n, double scale) {
    // Several sums, so that one addition need not wait for the other; as many in every variant.
    constexpr std::size_t lanes = 16;
    double sums[lanes] = {};
    std::size_t i = 0;
    for (; i + lanes <= n; i += lanes)
        for (std::size_t lane = 0; lane < lanes; ++lane) {
            const double value = scale * static_cast<double>(x[i + lane]);
            sums[lane] += value * value;
        }
    double total = 0;
    for (; i < n; ++i) {
        const double value = scale * static_cast<double>(x[i]);
        total += value * value;
    }
    for (std::size_t lane = 0; lane < lanes; ++lane) total += sums[lane];
    return total;
}

template <class T>
T largest(const T* x, std::size_t n) {
    Vec<T> most(T(0));
    // max(a, b) gives back b's NaN, so a NaN is kept by being put there again.
    for_each<T>(n, [&](auto at) {
        const Vec<T> magnitude = abs(at.load(x));
        most = where(most == most, max(most, magnitude), most);
    });
    T lanes[Vec<T>::width];
    most.store(lanes);
    T result = 0;
    for (const T lane : lanes)
        if (lane > result || lane != lane) {
            result = lane;
            if (lane != lane) break;
        }
    return result;
}

template <class T>
void scale(T* x, std::size_t n, T factor) {
    for_each<T>(n, [&](auto at) { at.store(Vec<T>(factor) * at.load(x), x); });
}

template <class T>
void clamp(T* x, std::size_t n, T limit) {
    for_each<T>(n, [&](auto at) { at.store(max(Vec<T>(-limit), min(Vec<T>(limit), at.load(x))), x); });
}

template <class T>
constexpr StepKernels<T> table{
    .sgd = &sgd<T>,
    .adam = &adam<T>,
    .adagrad = &adagrad<T>,
    .rmsprop = &rmsprop<T>,
    .sum_of_squares = &sum_of_squares<T>,
    .largest = &largest<T>,
    .scale = &scale<T>,
    .clamp = &clamp<T>,
};

}  // namespace

template <>
const StepKernels<float>& kernels_for<StepKernels<float>, simd::compiled_for>() {
    return table<float>;
}

template <>
const StepKernels<double>& kernels_for<StepKernels<double>, simd::compiled_for>() {
    return table<double>;
}

}  // namespace ebb
