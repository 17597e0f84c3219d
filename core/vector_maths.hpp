#pragma once
/// The functions of mathematics for `simd::Vec`: branch-free, so that every lane costs the same.
///
/// Found by argument-dependent lookup: exp, expm1, log, log1p, tanh, sigmoid, sin, cos, erf, pow. Errors are in units
/// in the last place (ulp) over the whole range, measured against the next wider type by
/// tests/core/test_vector_maths.cpp, with and without fused multiply-add. Special values are those of <cmath> unless a
/// comment says otherwise.

#include <ebb/core/simd.hpp>

namespace ebb::simd {
inline namespace EBB_INSTRUCTION_SET {

namespace detail {

/// c[0] + c[1] x + c[2] x^2 + ..., by Horner's rule.
template <class T, class A, std::size_t count>
inline Vec<T, A> polynomial(Vec<T, A> x, const T (&c)[count]) {
    Vec<T, A> sum = c[count - 1];
    for (std::size_t i = count - 1; i-- > 0;) sum = fma(sum, x, Vec<T, A>(c[i]));
    return sum;
}

/// What the layout of the type gives: adding `magic` to a small number rounds it to an integer n and leaves n + bias in
/// the low bits; moved up by `fraction_bits` these are the number 2^n.
template <class T>
struct Float;

template <>
struct Float<float> {
    static constexpr int fraction_bits = 23;
    static constexpr float infinity = __builtin_inff();
    static constexpr float nan = __builtin_nanf("");
    static constexpr float magic = 12582912.0f + 127.0f;  // 1.5 * 2^23 + bias
    static constexpr float log2_e = 1.44269504088896341f;
    // ln 2 in two parts: products of the high one with integers up to 2^9 are exact.
    static constexpr float ln2_high = 0.693359375f;
    static constexpr float ln2_low = -2.12194440054690583e-4f;
    // Beyond these, e^x is 0 and infinity.
    static constexpr float exp_lowest = -104.0f;
    static constexpr float exp_highest = 89.0f;
    // Between these, 2^n needs no second factor; 2^128 comes out as infinity.
    static constexpr float single_lowest = -87.0f;
    static constexpr float single_highest = 89.0f;
    // (e^r - 1 - r) / r^2 on |r| <= ln(2) / 2, minimax, 2^-28 of e^r.
    static constexpr float exp_tail[] = {0.4999999361226215684f, 0.1666652162333317566f, 0.041668367527468853223f,
                                         0.0083686397198967712345f, 0.0013815163016010235116f};
    // Beyond this, tanh is 1.
    static constexpr float tanh_highest = 10.0f;
    // (tanh(u) / u - 1) / u^2 in powers of u^2, |u| <= ln(2) / 4, minimax.
    static constexpr float tanh_tail[] = {-0.33333322755356693733f, 0.13331184318966563558f, -0.052726558229208260658f};
};

template <>
struct Float<double> {
    static constexpr int fraction_bits = 52;
    static constexpr double infinity = __builtin_inf();
    static constexpr double nan = __builtin_nan("");
    static constexpr double magic = 6755399441055744.0 + 1023.0;  // 1.5 * 2^52 + bias
    static constexpr double log2_e = 1.44269504088896340736;
    static constexpr double ln2_high = 6.93147180369123816490e-01;
    static constexpr double ln2_low = 1.90821492927058770002e-10;
    static constexpr double exp_lowest = -746.0;
    static constexpr double exp_highest = 710.0;
    static constexpr double single_lowest = -708.0;
    static constexpr double single_highest = 710.0;
    // As above; 2^-57 of e^r.
    static constexpr double exp_tail[] = {
        0.50000000000000092264,   0.16666666666666420293,    0.041666666666539767596,    0.0083333333334930508787,
        0.0013888888941483648267, 0.00019841269504668108589, 0.000024801495035339808928, 2.7557591071824430506e-6,
        2.7629637480381543681e-7, 2.4997919240318743769e-8};
    static constexpr double tanh_highest = 20.0;
    static constexpr double tanh_tail[] = {-0.33333333333332511823,   0.13333333332792246314,
                                           -0.053968252791004971071,  0.021869371115340485752,
                                           -0.0088573159667192320637, 0.0034448706281669753785};
};

/// 2^n where `rounded` is n + magic and n is in [-bias, bias + 1]; the ends give 0 and infinity.
template <class T, class A>
inline Vec<T, A> power_of_two(Vec<T, A> rounded) {
    return Vec<T, A>(shifted_left(rounded.lanes(), Float<T>::fraction_bits));
}

/// x = n ln 2 + r, |r| <= ln(2) / 2.
template <class T, class A>
struct Reduced {
    Vec<T, A> rounded;  // n + magic
    Vec<T, A> n;
    Vec<T, A> r;
};

template <class T, class A>
inline Reduced<T, A> reduce_by_ln2(Vec<T, A> x) {
    using F = Float<T>;
    const Vec<T, A> rounded = fma(x, Vec<T, A>(F::log2_e), Vec<T, A>(F::magic));
    const Vec<T, A> n = rounded - F::magic;
    const Vec<T, A> high = fma(n, Vec<T, A>(-F::ln2_high), x);
    return {rounded, n, fma(n, Vec<T, A>(-F::ln2_low), high)};
}

/// e^r for |r| <= ln(2) / 2.
template <class T, class A>
inline Vec<T, A> exp_near_zero(Vec<T, A> r) {
    return fma(r * r, polynomial(r, Float<T>::exp_tail), r) + 1;
}

/// e^x where only its order of magnitude matters once it is below 2^-bias / above 2^(bias + 1) : used in 1 / (1 + e^x).
template <class T, class A>
inline Vec<T, A> exp_of_normal_range(Vec<T, A> x) {
    using F = Float<T>;
    x = min(Vec<T, A>(F::single_highest), max(Vec<T, A>(F::single_lowest), x));
    const Reduced<T, A> reduced = reduce_by_ln2(x);
    return exp_near_zero(reduced.r) * power_of_two(reduced.rounded);
}

}  // namespace detail

/// e^x to 1 ulp; 0 and denormal results, infinity and NaN as std::exp gives them.
template <class T, class A>
inline Vec<T, A> exp(Vec<T, A> x) {
    using F = detail::Float<T>;
    // In this order a NaN passes through both.
    x = min(Vec<T, A>(F::exp_highest), max(Vec<T, A>(F::exp_lowest), x));
    const detail::Reduced<T, A> reduced = detail::reduce_by_ln2(x);
    // 2^n itself may be no normal number, so it is applied as two factors of about 2^(n / 2).
    const Vec<T, A> half_rounded = fma(reduced.n, Vec<T, A>(0.5), Vec<T, A>(F::magic));
    const Vec<T, A> other_rounded = (reduced.n - (half_rounded - F::magic)) + F::magic;
    return detail::exp_near_zero(reduced.r) * detail::power_of_two(half_rounded) * detail::power_of_two(other_rounded);
}

/// The logistic function 1 / (1 + e^-x), to 3 ulp wherever the result is a normal number, however small; results that
/// would be denormal may be given as 0.
template <class T, class A>
inline Vec<T, A> sigmoid(Vec<T, A> x) {
    // Not 0.5 tanh(0.5 x) + 0.5: for x << 0 that subtracts nearly equal numbers and keeps no digit.
    return 1 / (1 + detail::exp_of_normal_range(-x));
}

/// tanh to 2 ulp, small results included; never beyond +-1, and exactly +-1 where the true value rounds to that.
template <class T, class A>
inline Vec<T, A> tanh(Vec<T, A> x) {
    using V = Vec<T, A>;
    using F = detail::Float<T>;
    // |x| = n ln(2) / 2 + u; with s = 2^n the addition theorem says
    // tanh(|x|) = ((s - 1) + (s + 1) tanh(u)) / ((s + 1) + (s - 1) tanh(u)).
    // Near 0, where n = 0, that is tanh(u) itself: no digit is lost as it would be in 1 - 2 / (e^2x + 1).
    const V magnitude = min(V(F::tanh_highest), abs(x));
    const V rounded = fma(magnitude, V(2 * F::log2_e), V(F::magic));
    const V n = rounded - F::magic;
    const V u = fma(n, V(F::ln2_low / -2), fma(n, V(F::ln2_high / -2), magnitude));
    const V square = u * u;
    const V tanh_u = fma(u * square, detail::polynomial(square, F::tanh_tail), u);
    const V s = detail::power_of_two(rounded);
    const V above = s + 1;
    const V below = s - 1;
    return copysign(min(V(1), fma(above, tanh_u, below) / fma(below, tanh_u, above)), x);
}

/// e^x - 1, without the cancellation near 0.
template <class T, class A>
inline Vec<T, A> expm1(Vec<T, A> x) {
    return Vec<T, A>(expm1(x.lanes()));
}

template <class T, class A>
inline Vec<T, A> log(Vec<T, A> x) {
    return Vec<T, A>(log(x.lanes()));
}

/// log(1 + x), without the cancellation near 0.
template <class T, class A>
inline Vec<T, A> log1p(Vec<T, A> x) {
    return Vec<T, A>(log1p(x.lanes()));
}

template <class T, class A>
inline Vec<T, A> sin(Vec<T, A> x) {
    return Vec<T, A>(sin(x.lanes()));
}

template <class T, class A>
inline Vec<T, A> cos(Vec<T, A> x) {
    return Vec<T, A>(cos(x.lanes()));
}

/// The error function.
template <class T, class A>
inline Vec<T, A> erf(Vec<T, A> x) {
    return Vec<T, A>(erf(x.lanes()));
}

/// a^b, as std::pow defines it for zeros, negative bases, infinities and NaN. The relative error grows with the
/// logarithm of the result: it is about |b log(a)| ulp. Plain numbers may stand for either operand: `pow(x, 2)`.
template <class T, class A>
inline Vec<T, A> pow(Vec<T, A> a, std::type_identity_t<Vec<T, A>> b) {
    using V = Vec<T, A>;
    const V magnitude = abs(a);
    const Mask<T, A> integer = floor(b) == b;
    const Mask<T, A> odd = integer & (2 * floor(0.5 * b) != b);
    V power = where(magnitude == 1, V(1), exp(b * log(magnitude)));
    power = where(odd, copysign(power, a), power);
    power = where((a < 0) & !integer & (magnitude != V(detail::Float<T>::infinity)), V(detail::Float<T>::nan), power);
    return where((b == 0) | (a == 1), V(1), power);
}
template <class T, class A, class Number>
requires std::is_arithmetic_v<Number>
inline Vec<T, A> pow(Number a, Vec<T, A> b) {
    return pow(Vec<T, A>(a), b);
}

}  // namespace EBB_INSTRUCTION_SET
}  // namespace ebb::simd
