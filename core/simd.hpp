#pragma once
/// Several numbers at once: `Vec<T>` holds as many floats or doubles as one register of the instruction set does.
///
/// A formula written once, `dy * (1 - y * y)`, works on numbers, on a Vec and on Variables alike. Kernels apply it to
/// contiguous memory:
///
///     std::size_t i = 0;
///     for (; i + Vec<T>::width <= n; i += Vec<T>::width) f(Vec<T>::load(x + i)).store(y + i);
///     if (i < n) f(Vec<T>::load(x + i, n - i)).store(y + i, n - i);
///
/// The hazard: one file, several compilations
/// ------------------------------------------
/// A `*_kernels.cpp` file is compiled once per instruction set (instruction_set.hpp) and all its compilations are
/// linked into one program. The linker keeps only one of several inline functions or template instantiations of the
/// same name, so `f<float>` from the AVX-512 compilation may serve the baseline and stop an older machine with an
/// illegal instruction. Therefore nothing that emits code may have the same name in two compilations:
///  - all of `ebb::simd` is in an inline namespace named by EBB_INSTRUCTION_SET, so `Vec<float>` is a type of its own
///  in
///    each, and so is every template over it;
///  - xsimd's own namespace is renamed in the same way while its headers are read;
///  - a kernel file puts its own functions and types into an unnamed namespace, and uses from std only what never
///    becomes a function of its own (types and constants; no containers, no algorithms).
/// Files compiled once only may include this header too; they get a namespace of their own, with baseline vectors.

#if defined(__FAST_MATH__)
#error \
    "Ebb must not be built with -ffast-math: it lets the compiler drop the rounding tricks and the NaN handling of the kernels."
#endif
#if defined(XSIMD_HPP)
#error \
    "include <ebb/core/simd.hpp> before, or instead of, <xsimd/xsimd.hpp>: it gives xsimd's namespace a name of its own"
#endif

#if !defined(EBB_INSTRUCTION_SET)
#define EBB_INSTRUCTION_SET compiled_once
#endif

#define EBB_DETAIL_JOIN_EXPANDED(a, b) a##b
#define EBB_DETAIL_JOIN(a, b) EBB_DETAIL_JOIN_EXPANDED(a, b)
#define xsimd EBB_DETAIL_JOIN(ebb_xsimd_, EBB_INSTRUCTION_SET)
#if defined(__GNUC__) && !defined(__clang__)
// g++ 12 takes the deliberately undefined registers of its own AVX-512 header for mistakes (GCC bug 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <xsimd/xsimd.hpp>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
#undef xsimd

#include <ebb/core/instruction_set.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace ebb::simd {
inline namespace EBB_INSTRUCTION_SET {

namespace xs = ::EBB_DETAIL_JOIN(ebb_xsimd_, EBB_INSTRUCTION_SET);

/// One number at a time, in plain C++: the vector of machines that xsimd has no baseline for.
struct Scalar {};

namespace detail {

// The values that the macro can have; another one does not compile.
enum class Compilation { compiled_once, baseline, avx2, avx512 };
constexpr Compilation compilation = Compilation::EBB_INSTRUCTION_SET;

template <bool condition, class A, class B>
using Choose = std::conditional_t<condition, A, B>;

#if defined(__x86_64__)
using Baseline = xs::sse2;
#elif defined(__aarch64__)
using Baseline = xs::neon64;
#else
using Baseline = Scalar;
#endif

}  // namespace detail

/// The variant that this file is being compiled as.
constexpr InstructionSet compiled_for = detail::compilation == detail::Compilation::avx512 ? InstructionSet::avx512
                                        : detail::compilation == detail::Compilation::avx2 ? InstructionSet::avx2
                                                                                           : InstructionSet::baseline;

/// The registers that `Vec<T>` uses in this file.
using Arch = detail::Choose<compiled_for == InstructionSet::avx512, xs::avx512dq,
                            detail::Choose<compiled_for == InstructionSet::avx2, xs::fma3<xs::avx2>, detail::Baseline>>;

namespace detail {

/// What Vec needs of xsimd's batch, for one number.
template <class T>
struct OneLane {
    static constexpr std::size_t size = 1;
    using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
    T value{};

    OneLane() = default;
    OneLane(T scalar) : value(scalar) {}
    static OneLane load_unaligned(const T* source) { return *source; }
    void store_unaligned(T* target) const { *target = value; }

    friend OneLane operator+(OneLane a, OneLane b) { return a.value + b.value; }
    friend OneLane operator-(OneLane a, OneLane b) { return a.value - b.value; }
    friend OneLane operator*(OneLane a, OneLane b) { return a.value * b.value; }
    friend OneLane operator/(OneLane a, OneLane b) { return a.value / b.value; }
    friend OneLane operator-(OneLane a) { return -a.value; }
    friend OneLane operator&(OneLane a, OneLane b) { return from_bits(a.bits() & b.bits()); }
    friend OneLane operator|(OneLane a, OneLane b) { return from_bits(a.bits() | b.bits()); }
    friend OneLane operator^(OneLane a, OneLane b) { return from_bits(a.bits() ^ b.bits()); }

    struct Bool {
        bool value = false;
        friend Bool operator&(Bool a, Bool b) { return {a.value && b.value}; }
        friend Bool operator|(Bool a, Bool b) { return {a.value || b.value}; }
        friend Bool operator!(Bool a) { return {!a.value}; }
        friend bool any(Bool a) { return a.value; }
        friend bool all(Bool a) { return a.value; }
        friend std::size_t count_of(Bool a) { return a.value; }
    };
    friend Bool operator==(OneLane a, OneLane b) { return {a.value == b.value}; }
    friend Bool operator<(OneLane a, OneLane b) { return {a.value < b.value}; }
    friend Bool operator<=(OneLane a, OneLane b) { return {a.value <= b.value}; }
    friend Bool operator>(OneLane a, OneLane b) { return {a.value > b.value}; }
    friend Bool operator>=(OneLane a, OneLane b) { return {a.value >= b.value}; }

    friend OneLane select(Bool mask, OneLane a, OneLane b) { return mask.value ? a : b; }
    friend OneLane fma(OneLane a, OneLane b, OneLane c) { return a.value * b.value + c.value; }
    friend OneLane min(OneLane a, OneLane b) { return a.value < b.value ? a : b; }
    friend OneLane max(OneLane a, OneLane b) { return a.value > b.value ? a : b; }
    friend OneLane abs(OneLane a) { return std::fabs(a.value); }
    friend OneLane sqrt(OneLane a) { return std::sqrt(a.value); }
    friend OneLane floor(OneLane a) { return std::floor(a.value); }
    friend OneLane log1p(OneLane a) { return std::log1p(a.value); }
    friend OneLane sin(OneLane a) { return std::sin(a.value); }
    friend OneLane cos(OneLane a) { return std::cos(a.value); }
    friend T hadd(OneLane a) { return a.value; }
    friend OneLane haddp(const OneLane* rows) { return *rows; }
    friend OneLane shifted_right(OneLane a, int count) { return from_bits(static_cast<Bits>(a.bits() >> count)); }
    friend OneLane shifted_left(OneLane a, int count) { return from_bits(static_cast<Bits>(a.bits() << count)); }

  private:
    Bits bits() const {
        Bits result;
        __builtin_memcpy(&result, &value, sizeof result);
        return result;
    }
    static OneLane from_bits(Bits bits) {
        T result;
        __builtin_memcpy(&result, &bits, sizeof result);
        return result;
    }
};

/// The bits of each lane moved to the left, as integers.
template <class T, class A>
inline xs::batch<T, A> shifted_left(const xs::batch<T, A>& lanes, int count) {
    using Integer = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
    return xs::bitwise_cast<xs::batch<T, A>>(xs::bitwise_cast<xs::batch<Integer, A>>(lanes) << count);
}

/// The bits of each lane moved to the right, zeros coming in.
template <class T, class A>
inline xs::batch<T, A> shifted_right(const xs::batch<T, A>& lanes, int count) {
    using Integer = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
    return xs::bitwise_cast<xs::batch<T, A>>(xs::bitwise_cast<xs::batch<Integer, A>>(lanes) >> count);
}

/// a * b + c.
template <class Lanes>
inline Lanes multiply_add(const Lanes& a, const Lanes& b, const Lanes& c) {
    return fma(a, b, c);
}
#if defined(__AVX512F__)
// xsimd 8.1 multiplies and adds here, and leaves it to the compiler to fuse them, which clang++ does not.
inline xs::batch<float, xs::avx512dq> multiply_add(const xs::batch<float, xs::avx512dq>& a,
                                                   const xs::batch<float, xs::avx512dq>& b,
                                                   const xs::batch<float, xs::avx512dq>& c) {
    return _mm512_fmadd_ps(a, b, c);
}
inline xs::batch<double, xs::avx512dq> multiply_add(const xs::batch<double, xs::avx512dq>& a,
                                                    const xs::batch<double, xs::avx512dq>& b,
                                                    const xs::batch<double, xs::avx512dq>& c) {
    return _mm512_fmadd_pd(a, b, c);
}
#endif

/// a / b, rounded once.
template <class Lanes>
inline Lanes quotient(const Lanes& a, const Lanes& b) {
    return a / b;
}

/// The square root, rounded once.
template <class Lanes>
inline Lanes square_root(const Lanes& a) {
    return sqrt(a);
}
#if defined(__aarch64__)
// For floats xsimd 8.1 refines an estimate, as 32-bit NEON has to: quotients are 2 ulp off, and sqrt(infinity) is NaN.
inline xs::batch<float, xs::neon64> quotient(const xs::batch<float, xs::neon64>& a,
                                             const xs::batch<float, xs::neon64>& b) {
    return vdivq_f32(a, b);
}
inline xs::batch<float, xs::neon64> square_root(const xs::batch<float, xs::neon64>& a) {
    return vsqrtq_f32(a);
}
#endif

/// The sums of as many rows as there are lanes, one in each lane. Rows have lanes().
template <class Lanes, class Row>
inline Lanes sums_of(const Row* rows, Lanes /*type*/) {
    Lanes lanes[Lanes::size];
    for (std::size_t k = 0; k < Lanes::size; ++k) lanes[k] = rows[k].lanes();
    return haddp(lanes);
}
#if defined(__AVX512F__)
// xsimd 8.1 gives wrong sums here. At each step two rows become one of half the length, side by side.
template <class Row>
inline xs::batch<float, xs::avx512dq> sums_of(const Row* rows, const xs::batch<float, xs::avx512dq>& /*type*/) {
    __m512 quarters[4];  // of four rows each: in every 128 bits the sums of these
#pragma GCC unroll 4
    for (std::size_t k = 0; k < 4; ++k) {
        const __m512 a = rows[4 * k].lanes(), b = rows[4 * k + 1].lanes();
        const __m512 c = rows[4 * k + 2].lanes(), d = rows[4 * k + 3].lanes();
        const __m512d ab = _mm512_castps_pd(_mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b)));
        const __m512d cd = _mm512_castps_pd(_mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d)));
        quarters[k] =
            _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd)), _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd)));
    }
    const auto joined = [](__m512 a, __m512 b) {
        return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
    };
    return joined(joined(quarters[0], quarters[1]), joined(quarters[2], quarters[3]));
}
template <class Row>
inline xs::batch<double, xs::avx512dq> sums_of(const Row* rows, const xs::batch<double, xs::avx512dq>& /*type*/) {
    __m512d pairs[4];  // of two rows each: in every 128 bits the sums of these
#pragma GCC unroll 4
    for (std::size_t k = 0; k < 4; ++k) {
        const __m512d a = rows[2 * k].lanes(), b = rows[2 * k + 1].lanes();
        pairs[k] = _mm512_add_pd(_mm512_unpacklo_pd(a, b), _mm512_unpackhi_pd(a, b));
    }
    const auto joined = [](__m512d a, __m512d b) {
        return _mm512_add_pd(_mm512_shuffle_f64x2(a, b, 0x88), _mm512_shuffle_f64x2(a, b, 0xdd));
    };
    return joined(joined(pairs[0], pairs[1]), joined(pairs[2], pairs[3]));
}
#endif

/// The sum over the lanes of one row, in all lanes: added up in the same order.
template <class Lanes>
inline Lanes sum_of(const Lanes& row) {
    struct Row {
        Lanes row_lanes;
        const Lanes& lanes() const { return row_lanes; }
    } rows[Lanes::size];
    for (Row& r : rows) r.row_lanes = row;
    return sums_of(rows, row);
}
#if defined(__AVX512F__)
inline xs::batch<float, xs::avx512dq> sum_of(const xs::batch<float, xs::avx512dq>& row) {
    __m512 sum = _mm512_add_ps(row, _mm512_permute_ps(row, 0x4e));
    sum = _mm512_add_ps(sum, _mm512_permute_ps(sum, 0xb1));
    sum = _mm512_add_ps(sum, _mm512_shuffle_f32x4(sum, sum, 0xb1));
    return _mm512_add_ps(sum, _mm512_shuffle_f32x4(sum, sum, 0x4e));
}
inline xs::batch<double, xs::avx512dq> sum_of(const xs::batch<double, xs::avx512dq>& row) {
    __m512d sum = _mm512_add_pd(row, _mm512_permute_pd(row, 0x55));
    sum = _mm512_add_pd(sum, _mm512_shuffle_f64x2(sum, sum, 0xb1));
    return _mm512_add_pd(sum, _mm512_shuffle_f64x2(sum, sum, 0x4e));
}
#endif

/// How many lanes are true.
template <class T, class A>
inline std::size_t count_of(const xs::batch_bool<T, A>& mask) {
    using Lanes = xs::batch<T, A>;
    return static_cast<std::size_t>(hadd(select(mask, Lanes(T(1)), Lanes(T(0)))));
}
#if defined(__SSE2__)
inline std::size_t count_of(const xs::batch_bool<float, xs::sse2>& mask) {
    return static_cast<std::size_t>(__builtin_popcount(static_cast<unsigned>(_mm_movemask_ps(mask))));
}
inline std::size_t count_of(const xs::batch_bool<double, xs::sse2>& mask) {
    return static_cast<std::size_t>(__builtin_popcount(static_cast<unsigned>(_mm_movemask_pd(mask))));
}
#endif
#if defined(__AVX2__) && defined(__FMA__)
inline std::size_t count_of(const xs::batch_bool<float, xs::fma3<xs::avx2>>& mask) {
    return static_cast<std::size_t>(__builtin_popcount(static_cast<unsigned>(_mm256_movemask_ps(mask))));
}
inline std::size_t count_of(const xs::batch_bool<double, xs::fma3<xs::avx2>>& mask) {
    return static_cast<std::size_t>(__builtin_popcount(static_cast<unsigned>(_mm256_movemask_pd(mask))));
}
#endif
#if defined(__AVX512F__)
inline std::size_t count_of(const xs::batch_bool<float, xs::avx512dq>& mask) {
    return static_cast<std::size_t>(__builtin_popcount(mask.data));
}
inline std::size_t count_of(const xs::batch_bool<double, xs::avx512dq>& mask) {
    return static_cast<std::size_t>(__builtin_popcount(mask.data));
}
#endif

/// Whether multiply_add rounds once.
template <class A>
constexpr bool rounds_once = !std::is_same_v<A, xs::sse2> && !std::is_same_v<A, Scalar>;

template <class T, class A>
struct Register {
    using Lanes = xs::batch<T, A>;
    using Bools = typename Lanes::batch_bool_type;
};
template <class T>
struct Register<T, Scalar> {
    using Lanes = OneLane<T>;
    using Bools = typename OneLane<T>::Bool;
};

// Tails: `count` < width numbers. A store into a small buffer followed by a wide load would wait for the store
// to retire, so the wide instruction sets use their masked instructions, which touch no memory outside of the mask.

template <class Lanes, class T>
inline Lanes load_first(const T* source, std::size_t count) {
    T buffer[Lanes::size] = {};
    for (std::size_t i = 0; i < Lanes::size - 1; ++i)
        if (i < count) buffer[i] = source[i];
    return Lanes::load_unaligned(buffer);
}

template <class Lanes, class T>
inline void store_first(const Lanes& lanes, T* target, std::size_t count) {
    T buffer[Lanes::size];
    lanes.store_unaligned(buffer);
    for (std::size_t i = 0; i < Lanes::size - 1; ++i)
        if (i < count) target[i] = buffer[i];
}

#if defined(__AVX2__) && defined(__FMA__)
alignas(64) constexpr std::int32_t first_lanes_32[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
alignas(64) constexpr std::int64_t first_lanes_64[8] = {-1, -1, -1, -1, 0, 0, 0, 0};

template <class T>
inline __m256i first_lanes(std::size_t count) {
    if constexpr (sizeof(T) == 4)
        return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(first_lanes_32 + 8 - count));
    else
        return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(first_lanes_64 + 4 - count));
}

template <>
inline xs::batch<float, xs::fma3<xs::avx2>> load_first(const float* source, std::size_t count) {
    return _mm256_maskload_ps(source, first_lanes<float>(count));
}
template <>
inline xs::batch<double, xs::fma3<xs::avx2>> load_first(const double* source, std::size_t count) {
    return _mm256_maskload_pd(source, first_lanes<double>(count));
}
template <>
inline void store_first(const xs::batch<float, xs::fma3<xs::avx2>>& lanes, float* target, std::size_t count) {
    _mm256_maskstore_ps(target, first_lanes<float>(count), lanes);
}
template <>
inline void store_first(const xs::batch<double, xs::fma3<xs::avx2>>& lanes, double* target, std::size_t count) {
    _mm256_maskstore_pd(target, first_lanes<double>(count), lanes);
}
#endif

#if defined(__AVX512F__)
template <>
inline xs::batch<float, xs::avx512dq> load_first(const float* source, std::size_t count) {
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1u), source);
}
template <>
inline xs::batch<double, xs::avx512dq> load_first(const double* source, std::size_t count) {
    return _mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << count) - 1u), source);
}
template <>
inline void store_first(const xs::batch<float, xs::avx512dq>& lanes, float* target, std::size_t count) {
    _mm512_mask_storeu_ps(target, static_cast<__mmask16>((1u << count) - 1u), lanes);
}
template <>
inline void store_first(const xs::batch<double, xs::avx512dq>& lanes, double* target, std::size_t count) {
    _mm512_mask_storeu_pd(target, static_cast<__mmask8>((1u << count) - 1u), lanes);
}
#endif

}  // namespace detail

/// One truth value per lane, from comparing two Vecs; `where(mask, a, b)` uses it.
template <class T, class A = Arch>
class Mask {
  public:
    using Lanes = typename detail::Register<T, A>::Bools;

    Mask() = default;
    explicit Mask(Lanes lanes) : lanes_(lanes) {}
    const Lanes& lanes() const { return lanes_; }

    friend Mask operator&(Mask a, Mask b) { return Mask(a.lanes_ & b.lanes_); }
    friend Mask operator|(Mask a, Mask b) { return Mask(a.lanes_ | b.lanes_); }
    friend Mask operator!(Mask a) { return Mask(!a.lanes_); }
    /// Whether some lane, or every lane, is true.
    friend bool any(Mask a) { return any(a.lanes_); }
    friend bool all(Mask a) { return all(a.lanes_); }
    /// How many lanes are true.
    friend std::size_t count(Mask a) {
        using detail::count_of;
        return count_of(a.lanes_);
    }

  private:
    Lanes lanes_;
};

/// `width` numbers of type T (float or double). Arithmetic is lane by lane; plain numbers convert to a Vec of that
/// number in all lanes, and literals of any type keep the Vec's own type: `0.5 * x` of floats is of floats. Functions
/// are found by argument-dependent lookup: `tanh(x)`, see vector_maths.hpp.
template <class T, class A = Arch>
class Vec {
  public:
    using value_type = T;
    using Lanes = typename detail::Register<T, A>::Lanes;
    static constexpr std::size_t width = Lanes::size;

    /// The lanes are not initialised.
    Vec() = default;
    template <class Number>
    requires std::is_arithmetic_v<Number> Vec(Number number) : lanes_(static_cast<T>(number)) {}
    explicit Vec(Lanes lanes) : lanes_(lanes) {}
    const Lanes& lanes() const { return lanes_; }

    /// From memory of any alignment.
    static Vec load(const T* source) { return Vec(Lanes::load_unaligned(source)); }
    void store(T* target) const { lanes_.store_unaligned(target); }
    /// The first `count` < width numbers only: nothing behind them is read or written; the other lanes are loaded as 0.
    static Vec load(const T* source, std::size_t count) { return Vec(detail::load_first<Lanes>(source, count)); }
    void store(T* target, std::size_t count) const { detail::store_first(lanes_, target, count); }

    friend Vec operator+(Vec a, Vec b) { return Vec(a.lanes_ + b.lanes_); }
    friend Vec operator-(Vec a, Vec b) { return Vec(a.lanes_ - b.lanes_); }
    friend Vec operator*(Vec a, Vec b) { return Vec(a.lanes_ * b.lanes_); }
    friend Vec operator/(Vec a, Vec b) { return Vec(detail::quotient(a.lanes_, b.lanes_)); }
    /// Changes the sign bit, so -0 comes from 0.
    friend Vec operator-(Vec a) { return Vec(Lanes(T(-0.0)) ^ a.lanes_); }
    friend Vec operator+(Vec a) { return a; }
    Vec& operator+=(Vec b) { return *this = *this + b; }
    Vec& operator-=(Vec b) { return *this = *this - b; }
    Vec& operator*=(Vec b) { return *this = *this * b; }
    Vec& operator/=(Vec b) { return *this = *this / b; }

    friend Mask<T, A> operator==(Vec a, Vec b) { return Mask<T, A>(a.lanes_ == b.lanes_); }
    // Not xsimd's own !=, which says of AVX that NaN equals everything.
    friend Mask<T, A> operator!=(Vec a, Vec b) { return !(a == b); }
    friend Mask<T, A> operator<(Vec a, Vec b) { return Mask<T, A>(a.lanes_ < b.lanes_); }
    friend Mask<T, A> operator<=(Vec a, Vec b) { return Mask<T, A>(a.lanes_ <= b.lanes_); }
    friend Mask<T, A> operator>(Vec a, Vec b) { return Mask<T, A>(a.lanes_ > b.lanes_); }
    friend Mask<T, A> operator>=(Vec a, Vec b) { return Mask<T, A>(a.lanes_ >= b.lanes_); }

    /// a where the mask is true, b elsewhere; a NaN in the lane not taken does no harm.
    friend Vec where(Mask<T, A> mask, Vec a, Vec b) { return Vec(select(mask.lanes(), a.lanes_, b.lanes_)); }
    /// a * b + c; rounded once where the instruction set has the instruction (AVX2, AVX-512, NEON), twice elsewhere.
    friend Vec fma(Vec a, Vec b, Vec c) { return Vec(detail::multiply_add(a.lanes_, b.lanes_, c.lanes_)); }
    friend Vec abs(Vec a) { return Vec(abs(a.lanes_)); }
    friend Vec sqrt(Vec a) { return Vec(detail::square_root(a.lanes_)); }
    friend Vec floor(Vec a) {
        if constexpr (std::is_same_v<A, xs::sse2>) {
            // SSE2 has no such instruction, and xsimd goes through integers one by one. From 2^52 (2^23 for float) on
            // there are no fractions; a number below it loses its fraction when it is added.
            const Vec limit = sizeof(T) == 4 ? 0x1p23 : 0x1p52;
            const Vec shift = copysign(limit, a);
            const Vec nearest = (a + shift) - shift;
            const Vec result = copysign(where(nearest > a, nearest - 1, nearest), a);
            return where(abs(a) < limit, result, a);
        } else {
            return Vec(floor(a.lanes_));
        }
    }
    /// Which operand comes back when one of them is NaN depends on the machine, except that a NaN in `b` alone always
    /// comes back: `min(limit, x)` keeps the NaN of x.
    friend Vec min(Vec a, Vec b) { return Vec(min(a.lanes_, b.lanes_)); }
    friend Vec max(Vec a, Vec b) { return Vec(max(a.lanes_, b.lanes_)); }
    /// The magnitude of a with the sign of b; NaN and zeros have signs too.
    friend Vec copysign(Vec a, Vec b) {
        const Lanes sign(T(-0.0));
        return Vec(abs(a.lanes_) | (b.lanes_ & sign));
    }
    /// The sum of all lanes, in an order that depends on the width only.
    friend T sum(Vec a) { return hadd(a.lanes_); }
    /// The sums of `width` Vecs, one in each lane: three instructions for each, where `sum` takes eight.
    friend Vec sums(const Vec* rows) { return Vec(detail::sums_of(rows, Lanes())); }
    /// The sum of all lanes, in each lane: to the last bit what `sums` gives.
    friend Vec sum_in_all_lanes(Vec a) { return Vec(detail::sum_of(a.lanes_)); }

  private:
    Lanes lanes_;
};

}  // namespace EBB_INSTRUCTION_SET
}  // namespace ebb::simd
