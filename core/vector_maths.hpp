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
    // Below this, numbers are denormal; times `denormal_scale` = 2^denormal_bits they are not.
    static constexpr float smallest_normal = 1.17549435e-38f;
    static constexpr float denormal_scale = 16777216.0f;
    static constexpr int denormal_bits = 24;
    static constexpr int exponent_bias = 127;
    static constexpr int exponent_bits = 8;
    static constexpr float expm1_lowest = -25.0f;                   // from here on it is -1
    static constexpr float integers_without_fraction = 8388608.0f;  // 2^23: from here on, the last bit counts ones
    // (2 artanh(s) / s - 2) / s^2 in powers of s^2, |s| <= (sqrt(2) - 1) / (sqrt(2) + 1), minimax, 2^-37.
    static constexpr float log_tail[] = {0.66666665657338895667f, 0.40000333704345033659f, 0.28537355050185620601f,
                                         0.23581916655155848609f};
    // erf(x) / x in powers of x^2 on [0, 1], minimax, 2^-29; e^(x^2) erfc(x) on [1, 4], 2^-22 of a number below 0.16.
    static constexpr float erf_near_zero[] = {
        1.1283791657295593682f,    -0.37612625837465104191f,    0.11283585248605634751f,    -0.026853814582072517433f,
        0.0051883304825924878339f, -0.00080102026992725067869f, 0.000078538498284294088513f};
    static constexpr float erfc_numerator[] = {1.0035821215727812787f, 0.83442942648223110888f,
                                               0.30278965493262586418f};
    static constexpr float erfc_denominator[] = {1.0f, 1.9826781963864570398f, 1.4879167019046480063f,
                                                 0.53614828898612739961f};
    static constexpr float erf_highest = 4.0f;
    // Multiplied by this, minus what that adds: the upper half of the fraction.
    static constexpr float splitter = 4097.0f;
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
    static constexpr double smallest_normal = 2.2250738585072014e-308;
    static constexpr double denormal_scale = 18014398509481984.0;
    static constexpr int denormal_bits = 54;
    static constexpr int exponent_bias = 1023;
    static constexpr int exponent_bits = 11;
    static constexpr double expm1_lowest = -45.0;
    static constexpr double integers_without_fraction = 4503599627370496.0;
    // As above: 2^-66, 2^-57, 2^-51 on [1, 6.1].
    static constexpr double log_tail[] = {0.66666666666666661358, 0.40000000000006007717, 0.28571428569139797279,
                                          0.22222222640862931733, 0.18181776018410449533, 0.15387079262153718253,
                                          0.1325030902102051972,  0.1325008725505041213};
    static constexpr double erf_near_zero[] = {
        1.1283791670955125657,    -0.37612638903183520025,    0.11283791670944200308,    -0.026866170643113413715,
        0.0052239776061308421667, -0.00085483259297662442975, 0.00012055293586936949976, -0.000014924712439534814108,
        1.6447132699786621009e-6, -1.6206318752969209004e-7,  1.3710988704190523118e-8,  -7.7794629717615968919e-10};
    static constexpr double erfc_numerator[] = {
        1.0000001422953204016,  1.6828914233786395554,   1.3873258151648673195,   0.69133496484158089077,
        0.21825045245074697235, 0.041722538034538086556, 0.0039182315036767549066};
    static constexpr double erfc_denominator[] = {1.0,
                                                  2.8112719950058553868,
                                                  3.5594999161069111062,
                                                  2.6488015181269465389,
                                                  1.2623455854761219641,
                                                  0.39031061750500394898,
                                                  0.073951300367634055145,
                                                  0.0069448840077955599693};
    static constexpr double erf_highest = 6.0;
    static constexpr double splitter = 134217729.0;
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

/// x = 2^e (1 + f) for normal and denormal x > 0, with f in [sqrt(1/2) - 1, sqrt(2) - 1].
template <class T, class A>
struct Decomposed {
    Vec<T, A> e;
    Vec<T, A> f;
};

template <class T, class A>
inline Decomposed<T, A> decompose(Vec<T, A> x) {
    using V = Vec<T, A>;
    using F = Float<T>;
    using Lanes = typename V::Lanes;
    const Mask<T, A> denormal = x < F::smallest_normal;
    x = where(denormal, x * F::denormal_scale, x);
    // Among the bits of 2^fraction_bits the exponent's bits are units.
    const Lanes offset(F::integers_without_fraction);
    V e = V(shifted_right(x.lanes(), F::fraction_bits) | offset) - (F::integers_without_fraction + F::exponent_bias);
    e = where(denormal, e - F::denormal_bits, e);
    // The fraction's bits under the exponent of 1. Below 0 there is nothing to compute.
    const Lanes fraction = shifted_right(shifted_left(x.lanes(), F::exponent_bits + 1), F::exponent_bits + 1);
    V m = V(fraction | Lanes(T(1)));
    const Mask<T, A> large = m > T(1.41421356237309504880);
    m = where(large, 0.5 * m, m);
    e = where(large, e + 1, e);
    return {e, m - 1};
}

/// x 2^n, rounded once; n may be too small or too large for 2^n to be a normal number, by a factor of two.
template <class T, class A>
inline Vec<T, A> times_power_of_two(Vec<T, A> x, Vec<T, A> n) {
    using F = Float<T>;
    // As two factors of about 2^(n / 2).
    const Vec<T, A> half_rounded = fma(n, Vec<T, A>(0.5), Vec<T, A>(F::magic));
    const Vec<T, A> other_rounded = (n - (half_rounded - F::magic)) + F::magic;
    return x * power_of_two(half_rounded) * power_of_two(other_rounded);
}

/// x where e^x is neither 0 nor infinity, and the nearest such number elsewhere. NaN passes through.
template <class T, class A>
inline Vec<T, A> clamped_for_exp(Vec<T, A> x) {
    return min(Vec<T, A>(Float<T>::exp_highest), max(Vec<T, A>(Float<T>::exp_lowest), x));
}

/// A number in two parts, of which the second is what the first has lost by rounding.
template <class T, class A>
struct Exact {
    Vec<T, A> value;
    Vec<T, A> rest;
};

template <class T, class A>
inline Exact<T, A> exact_product(Vec<T, A> a, Vec<T, A> b) {
    const Vec<T, A> product = a * b;
    if constexpr (rounds_once<A>) {
        return {product, fma(a, b, -product)};
    } else {
        // Dekker: halves of the fractions, whose products are exact.
        const auto upper = [](Vec<T, A> x) {
            const Vec<T, A> shifted = x * Float<T>::splitter;
            return shifted - (shifted - x);
        };
        const Vec<T, A> a1 = upper(a);
        const Vec<T, A> b1 = upper(b);
        const Vec<T, A> a2 = a - a1;
        const Vec<T, A> b2 = b - b1;
        return {product, ((a1 * b1 - product) + a1 * b2 + a2 * b1) + a2 * b2};
    }
}

/// For |a| >= |b|, or a = 0.
template <class T, class A>
inline Exact<T, A> exact_sum(Vec<T, A> a, Vec<T, A> b) {
    const Vec<T, A> total = a + b;
    return {total, b - (total - a)};
}

/// log(x) for finite x > 0, with about twice the digits of T.
template <class T, class A>
inline Exact<T, A> exact_log(Vec<T, A> x) {
    using V = Vec<T, A>;
    using F = Float<T>;
    const Decomposed<T, A> parts = decompose(x);
    // log(1 + f) = 2 artanh(s) = 2 s + s^3 (2/3 + 2/5 s^2 + ...), s = f / (2 + f).
    const Exact<T, A> divisor = exact_sum(V(2), parts.f);
    const V s = parts.f / divisor.value;
    const Exact<T, A> back = exact_product(s, divisor.value);
    const V s_rest = (((parts.f - back.value) - back.rest) - s * divisor.rest) / divisor.value;
    const V square = s * s;
    const V cubic = s * square * polynomial(square, F::log_tail);
    const Exact<T, A> leading = exact_sum(parts.e * F::ln2_high, 2 * s);
    return exact_sum(leading.value, leading.rest + (2 * s_rest + (cubic + parts.e * F::ln2_low)));
}

}  // namespace detail

/// e^x to 1 ulp; 0 and denormal results, infinity and NaN as std::exp gives them.
template <class T, class A>
inline Vec<T, A> exp(Vec<T, A> x) {
    const detail::Reduced<T, A> reduced = detail::reduce_by_ln2(detail::clamped_for_exp(x));
    return detail::times_power_of_two(detail::exp_near_zero(reduced.r), reduced.n);
}

/// The logistic function 1 / (1 + e^-x), to 3 ulp wherever the result is a normal number, however small; results that
/// would be denormal may be given as 0.
template <class T, class A>
inline Vec<T, A> sigmoid(Vec<T, A> x) {
    // Not 0.5 tanh(0.5 x) + 0.5: for x << 0 that subtracts nearly equal numbers and keeps no digit.
    return 1 / (1 + detail::exp_of_normal_range(-x));
}

/// tanh to 3 ulp, small results included; never beyond +-1, and exactly +-1 where the true value rounds to that.
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

/// e^x - 1 to 2 ulp, without the cancellation near 0.
template <class T, class A>
inline Vec<T, A> expm1(Vec<T, A> x) {
    using V = Vec<T, A>;
    using F = detail::Float<T>;
    const V clamped = min(V(F::exp_highest), max(V(F::expm1_lowest), x));
    const detail::Reduced<T, A> reduced = detail::reduce_by_ln2(clamped);
    // 2^n (e^r - 1) + (2^n - 1), as twice the half of it: 2^n may be infinite where the result is not.
    const V tail = fma(reduced.r * reduced.r, detail::polynomial(reduced.r, F::exp_tail), reduced.r);
    const V half = detail::power_of_two(reduced.rounded - 1);
    return where(x == 0, x, 2 * fma(half, tail, half - 0.5));
}

/// The natural logarithm to 1 ulp, of denormal numbers too; -infinity of 0, NaN below.
template <class T, class A>
inline Vec<T, A> log(Vec<T, A> x) {
    using V = Vec<T, A>;
    using F = detail::Float<T>;
    const detail::Decomposed<T, A> parts = detail::decompose(x);
    // log(1 + f) = f - (f^2 / 2 - s (f^2 / 2 + R)), s = f / (2 + f): f itself is exact.
    const V f = parts.f;
    const V s = f / (2 + f);
    const V square = s * s;
    const V half_square = 0.5 * f * f;
    const V correction = s * fma(square, detail::polynomial(square, F::log_tail), half_square);
    V result = parts.e * F::ln2_high - ((half_square - fma(parts.e, V(F::ln2_low), correction)) - f);
    // Infinity stays infinity, and NaN NaN.
    result = where(x < F::infinity, result, x);
    result = where(x == 0, V(-F::infinity), result);
    return where(x < 0, V(F::nan), result);
}

/// log(1 + x), without the cancellation near 0. Of -0 it is -0.
template <class T, class A>
inline Vec<T, A> log1p(Vec<T, A> x) {
    return where(x == 0, x, Vec<T, A>(log1p(x.lanes())));
}

template <class T, class A>
inline Vec<T, A> sin(Vec<T, A> x) {
    return Vec<T, A>(sin(x.lanes()));
}

template <class T, class A>
inline Vec<T, A> cos(Vec<T, A> x) {
    return Vec<T, A>(cos(x.lanes()));
}

/// The error function, to 3 ulp.
template <class T, class A>
inline Vec<T, A> erf(Vec<T, A> x) {
    using V = Vec<T, A>;
    using F = detail::Float<T>;
    const V magnitude = abs(x);
    const V near_zero = x * detail::polynomial(x * x, F::erf_near_zero);
    const V clamped = min(V(F::erf_highest), magnitude);
    const V erfc = exp(-clamped * clamped) * detail::polynomial(clamped, F::erfc_numerator) /
                   detail::polynomial(clamped, F::erfc_denominator);
    return where(magnitude < 1, near_zero, copysign(1 - erfc, x));
}

/// a^b to 3 ulp, with std::pow's results for zeros, negative bases, infinities and NaN. Plain numbers may stand for
/// either operand: `pow(x, 2)`.
template <class T, class A>
inline Vec<T, A> pow(Vec<T, A> a, std::type_identity_t<Vec<T, A>> b) {
    using V = Vec<T, A>;
    using F = detail::Float<T>;
    const V magnitude = abs(a);
    // e^(b log|a|). The exponent's last place counts as many times as the exponent is large: hence in two parts.
    const detail::Exact<T, A> logarithm = detail::exact_log(magnitude);
    const detail::Exact<T, A> product = detail::exact_product(b, logarithm.value);
    const detail::Exact<T, A> exponent = detail::exact_sum(product.value, fma(b, logarithm.rest, product.rest));
    // Far beyond, the parts overflow, and are not needed.
    const Mask<T, A> reasonable = abs(product.value) < 2 * F::exp_highest;
    const detail::Reduced<T, A> reduced =
        detail::reduce_by_ln2(detail::clamped_for_exp(where(reasonable, exponent.value, product.value)));
    const V r = reduced.r + where(reasonable, exponent.rest, V(0));
    V power = detail::times_power_of_two(detail::exp_near_zero(r), reduced.n);
    const V at_the_ends = where(((magnitude == 0) & (b < 0)) | ((magnitude != 0) & (b > 0)), V(F::infinity), V(0));
    power = where((magnitude == 0) | (magnitude == F::infinity), at_the_ends, power);
    power = where(magnitude == 1, V(1), power);
    power = where((a != a) | (b != b), V(F::nan), power);

    const Mask<T, A> integer = floor(b) == b;
    const Mask<T, A> odd = integer & (2 * floor(0.5 * b) != b);
    power = where(odd, copysign(power, a), power);
    power = where((a < 0) & !integer & (magnitude != F::infinity), V(F::nan), power);
    return where((b == 0) | (a == 1), V(1), power);
}
template <class T, class A, class Number>
requires std::is_arithmetic_v<Number>
inline Vec<T, A> pow(Number a, Vec<T, A> b) {
    return pow(Vec<T, A>(a), b);
}

}  // namespace EBB_INSTRUCTION_SET
}  // namespace ebb::simd
