/// Compiled once for each instruction set: see core/simd.hpp for what may stand in such a file.

#include <ebb/autograd/operations/softmax_kernels.hpp>
#include <ebb/core/simd.hpp>
#include <ebb/core/vector_maths.hpp>

namespace ebb {
namespace {

using simd::Vec;

template <class T>
constexpr T infinity = static_cast<T>(__builtin_inf());

float log_of(float x) {
    return __builtin_logf(x);
}
double log_of(double x) {
    return __builtin_log(x);
}

// ---- parts of a line: whole registers, and the first lanes of the last one ------------------------------------------

template <class T>
struct Whole {
    static Vec<T> load(const T* from) { return Vec<T>::load(from); }
    static void store(Vec<T> v, T* to) { v.store(to); }
    static Vec<T> or_else(Vec<T> v, T) { return v; }
};

template <class T>
alignas(64) constexpr T ones[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

template <class T>
struct First {
    std::size_t count;
    Vec<T> load(const T* from) const { return Vec<T>::load(from, count); }
    void store(Vec<T> v, T* to) const { v.store(to, count); }
    /// v in the lanes that count, `otherwise` in the others.
    Vec<T> or_else(Vec<T> v, T otherwise) const {
        return where(Vec<T>::load(ones<T>, count) != Vec<T>(0), v, Vec<T>(otherwise));
    }
};

/// Calls f(offset, part) for the parts of a line of n numbers.
template <class T, class Function>
inline void for_each_part(std::size_t n, Function f) {
    constexpr std::size_t width = Vec<T>::width;
    std::size_t j = 0;
    for (; j + width <= n; j += width) f(j, Whole<T>{});
    if (j < n) f(j, First<T>{n - j});
}

template <class T, class Part>
inline void put(const Part& part, Vec<T> share, T* dx, bool assign) {
    part.store(assign ? share : part.load(dx) + share, dx);
}

/// The largest of n numbers; -infinity for none. A NaN may be passed over: it shows in the exponentials.
template <class T>
inline T largest(const T* x, std::size_t n) {
    constexpr std::size_t width = Vec<T>::width;
    Vec<T> lanes(-infinity<T>);
    for_each_part<T>(
        n, [&](std::size_t j, auto part) { lanes = max(lanes, part.or_else(part.load(x + j), -infinity<T>)); });
    T buffer[width];
    lanes.store(buffer);
    T result = buffer[0];
    for (std::size_t k = 1; k < width; ++k) result = buffer[k] > result ? buffer[k] : result;
    return result;
}

/// What is subtracted before the exponential in logsumexp: the largest entry, if it is finite.
template <class T>
inline T finite_or_zero(T x) {
    return x < infinity<T> && x > -infinity<T> ? x : T(0);
}
template <class T>
inline Vec<T> finite_or_zero(Vec<T> x) {
    return where((x < infinity<T>)&(x > -infinity<T>), x, Vec<T>(0));
}

template <class T>
inline T sum_of_exponentials(const T* x, std::size_t n, T shift) {
    Vec<T> sums(T(0));
    for_each_part<T>(n, [&](std::size_t j, auto part) { sums += part.or_else(exp(part.load(x + j) - shift), T(0)); });
    return sum(sums);
}

// ---- along the last axis: a line is a row ---------------------------------------------------------------------------

template <class T>
void softmax_of_row(std::size_t n, const T* x, T* y) {
    const T shift = largest(x, n);
    Vec<T> sums(T(0));
    for_each_part<T>(n, [&](std::size_t j, auto part) {
        const Vec<T> e = exp(part.load(x + j) - shift);
        part.store(e, y + j);
        sums += part.or_else(e, T(0));
    });
    const Vec<T> scale(1 / sum(sums));
    for_each_part<T>(n, [&](std::size_t j, auto part) { part.store(part.load(y + j) * scale, y + j); });
}

template <class T>
void log_softmax_of_row(std::size_t n, const T* x, T* y) {
    const T shift = largest(x, n);
    const T log_sum = log_of(sum_of_exponentials(x, n, shift));
    for_each_part<T>(n, [&](std::size_t j, auto part) { part.store((part.load(x + j) - shift) - log_sum, y + j); });
}

template <class T>
void logsumexp_of_row(std::size_t n, const T* x, T* y) {
    const T shift = finite_or_zero(largest(x, n));
    *y = shift + log_of(sum_of_exponentials(x, n, shift));
}

template <class T>
void softmax_backward_of_row(std::size_t n, const T* y, const T* dy, T* dx, bool assign) {
    Vec<T> sums(T(0));
    for_each_part<T>(n, [&](std::size_t j, auto part) { sums += part.load(dy + j) * part.load(y + j); });
    const Vec<T> dot(sum(sums));
    for_each_part<T>(
        n, [&](std::size_t j, auto part) { put(part, part.load(y + j) * (part.load(dy + j) - dot), dx + j, assign); });
}

template <class T>
void log_softmax_backward_of_row(std::size_t n, const T* y, const T* dy, T* dx, bool assign) {
    Vec<T> sums(T(0));
    for_each_part<T>(n, [&](std::size_t j, auto part) { sums += part.load(dy + j); });
    const Vec<T> total(sum(sums));
    for_each_part<T>(n, [&](std::size_t j, auto part) {
        put(part, part.load(dy + j) - exp(part.load(y + j)) * total, dx + j, assign);
    });
}

/// e^(x - y), and 0 where y, and with it x, is -infinity.
template <class T>
inline Vec<T> share_of_sum(Vec<T> x, Vec<T> y) {
    return exp(where(y == Vec<T>(-infinity<T>), y, x - y));
}

template <class T>
void logsumexp_backward_of_row(std::size_t n, const T* x, const T* y, const T* dy, T* dx, bool assign) {
    const Vec<T> total(*y), scale(*dy);
    for_each_part<T>(
        n, [&](std::size_t j, auto part) { put(part, scale * share_of_sum(part.load(x + j), total), dx + j, assign); });
}

// ---- along another axis: a register holds neighbouring lines, from e to e their elements are `inner` apart --------

template <class T, class Part>
inline Vec<T> largest_of_lines(const Part& part, std::size_t extent, std::size_t inner, const T* x) {
    Vec<T> result(-infinity<T>);
    for (std::size_t e = 0; e < extent; ++e) result = max(result, part.load(x + e * inner));
    return result;
}

template <class T, class Part>
inline Vec<T> sum_of_exponentials_of_lines(const Part& part, std::size_t extent, std::size_t inner, const T* x,
                                           Vec<T> shift) {
    Vec<T> sums(T(0));
    for (std::size_t e = 0; e < extent; ++e) sums += exp(part.load(x + e * inner) - shift);
    return sums;
}

template <class T, class Part>
void softmax_of_lines(const Part& part, std::size_t extent, std::size_t inner, const T* x, T* y) {
    const Vec<T> shift = largest_of_lines(part, extent, inner, x);
    Vec<T> sums(T(0));
    for (std::size_t e = 0; e < extent; ++e) {
        const Vec<T> power = exp(part.load(x + e * inner) - shift);
        part.store(power, y + e * inner);
        sums += power;
    }
    const Vec<T> scale = 1 / sums;
    for (std::size_t e = 0; e < extent; ++e) part.store(part.load(y + e * inner) * scale, y + e * inner);
}

template <class T, class Part>
void log_softmax_of_lines(const Part& part, std::size_t extent, std::size_t inner, const T* x, T* y) {
    const Vec<T> shift = largest_of_lines(part, extent, inner, x);
    const Vec<T> log_sum = log(sum_of_exponentials_of_lines(part, extent, inner, x, shift));
    for (std::size_t e = 0; e < extent; ++e) part.store((part.load(x + e * inner) - shift) - log_sum, y + e * inner);
}

template <class T, class Part>
void logsumexp_of_lines(const Part& part, std::size_t extent, std::size_t inner, const T* x, T* y) {
    const Vec<T> shift = finite_or_zero(largest_of_lines(part, extent, inner, x));
    part.store(shift + log(sum_of_exponentials_of_lines(part, extent, inner, x, shift)), y);
}

template <class T, class Part>
void softmax_backward_of_lines(const Part& part, std::size_t extent, std::size_t inner, const T* y, const T* dy, T* dx,
                               bool assign) {
    Vec<T> dot(T(0));
    for (std::size_t e = 0; e < extent; ++e) dot += part.load(dy + e * inner) * part.load(y + e * inner);
    for (std::size_t e = 0; e < extent; ++e)
        put(part, part.load(y + e * inner) * (part.load(dy + e * inner) - dot), dx + e * inner, assign);
}

template <class T, class Part>
void log_softmax_backward_of_lines(const Part& part, std::size_t extent, std::size_t inner, const T* y, const T* dy,
                                   T* dx, bool assign) {
    Vec<T> total(T(0));
    for (std::size_t e = 0; e < extent; ++e) total += part.load(dy + e * inner);
    for (std::size_t e = 0; e < extent; ++e)
        put(part, part.load(dy + e * inner) - exp(part.load(y + e * inner)) * total, dx + e * inner, assign);
}

template <class T, class Part>
void logsumexp_backward_of_lines(const Part& part, std::size_t extent, std::size_t inner, const T* x, const T* y,
                                 const T* dy, T* dx, bool assign) {
    const Vec<T> total = part.load(y), scale = part.load(dy);
    for (std::size_t e = 0; e < extent; ++e)
        put(part, scale * share_of_sum(part.load(x + e * inner), total), dx + e * inner, assign);
}

// ---- the whole array ------------------------------------------------------------------------------------------------

template <class T>
void softmax_of_all(std::size_t outer, std::size_t extent, std::size_t inner, const T* x, T* y) {
    for (std::size_t o = 0; o < outer; ++o, x += extent * inner, y += extent * inner)
        if (inner == 1)
            softmax_of_row(extent, x, y);
        else
            for_each_part<T>(inner,
                             [&](std::size_t j, auto part) { softmax_of_lines(part, extent, inner, x + j, y + j); });
}

template <class T>
void log_softmax_of_all(std::size_t outer, std::size_t extent, std::size_t inner, const T* x, T* y) {
    for (std::size_t o = 0; o < outer; ++o, x += extent * inner, y += extent * inner)
        if (inner == 1)
            log_softmax_of_row(extent, x, y);
        else
            for_each_part<T>(
                inner, [&](std::size_t j, auto part) { log_softmax_of_lines(part, extent, inner, x + j, y + j); });
}

template <class T>
void logsumexp_of_all(std::size_t outer, std::size_t extent, std::size_t inner, const T* x, T* y) {
    for (std::size_t o = 0; o < outer; ++o, x += extent * inner, y += inner)
        if (inner == 1)
            logsumexp_of_row(extent, x, y);
        else
            for_each_part<T>(inner,
                             [&](std::size_t j, auto part) { logsumexp_of_lines(part, extent, inner, x + j, y + j); });
}

template <class T>
void softmax_backward_of_all(std::size_t outer, std::size_t extent, std::size_t inner, const T* y, const T* dy, T* dx,
                             bool assign) {
    for (std::size_t o = 0; o < outer; ++o, y += extent * inner, dy += extent * inner, dx += extent * inner)
        if (inner == 1)
            softmax_backward_of_row(extent, y, dy, dx, assign);
        else
            for_each_part<T>(inner, [&](std::size_t j, auto part) {
                softmax_backward_of_lines(part, extent, inner, y + j, dy + j, dx + j, assign);
            });
}

template <class T>
void log_softmax_backward_of_all(std::size_t outer, std::size_t extent, std::size_t inner, const T* y, const T* dy,
                                 T* dx, bool assign) {
    for (std::size_t o = 0; o < outer; ++o, y += extent * inner, dy += extent * inner, dx += extent * inner)
        if (inner == 1)
            log_softmax_backward_of_row(extent, y, dy, dx, assign);
        else
            for_each_part<T>(inner, [&](std::size_t j, auto part) {
                log_softmax_backward_of_lines(part, extent, inner, y + j, dy + j, dx + j, assign);
            });
}

template <class T>
void logsumexp_backward_of_all(std::size_t outer, std::size_t extent, std::size_t inner, const T* x, const T* y,
                               const T* dy, T* dx, bool assign) {
    for (std::size_t o = 0; o < outer; ++o, x += extent * inner, dx += extent * inner, y += inner, dy += inner)
        if (inner == 1)
            logsumexp_backward_of_row(extent, x, y, dy, dx, assign);
        else
            for_each_part<T>(inner, [&](std::size_t j, auto part) {
                logsumexp_backward_of_lines(part, extent, inner, x + j, y + j, dy + j, dx + j, assign);
            });
}

template <class T>
constexpr SoftmaxKernels<T> table{
    &softmax_of_all<T>,          &log_softmax_of_all<T>,          &logsumexp_of_all<T>,
    &softmax_backward_of_all<T>, &log_softmax_backward_of_all<T>, &logsumexp_backward_of_all<T>};

}  // namespace

template <>
const SoftmaxKernels<float>& kernels_for<SoftmaxKernels<float>, simd::compiled_for>() {
    return table<float>;
}

template <>
const SoftmaxKernels<double>& kernels_for<SoftmaxKernels<double>, simd::compiled_for>() {
    return table<double>;
}

}  // namespace ebb
