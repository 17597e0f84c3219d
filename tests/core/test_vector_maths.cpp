// The functions of vector_maths.hpp against the C library in the next wider type, for every instruction set that this
// machine has. Inputs are swept densely over the whole range of each function.

#include <ebb/core/simd.hpp>
#include <ebb/core/vector_maths.hpp>
#include <ebb/core/vector_maths_kernels.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace ebb;

namespace {

template <class T>
using Wider = std::conditional_t<std::is_same_v<T, float>, double, long double>;

template <class T>
constexpr T infinity = std::numeric_limits<T>::infinity();
template <class T>
constexpr T not_a_number = std::numeric_limits<T>::quiet_NaN();

/// How far `value` is from the true result, in units in the last place of a T of that size.
template <class T>
double ulps(T value, Wider<T> truth) {
    const T rounded = static_cast<T>(truth);
    if (value == rounded) return 0;
    if (!std::isfinite(value) || !std::isfinite(rounded)) return infinity<double>;
    int exponent = 0;
    std::frexp(truth, &exponent);
    exponent = std::max(exponent, std::numeric_limits<T>::min_exponent);
    const Wider<T> ulp = std::ldexp(Wider<T>(1), exponent - std::numeric_limits<T>::digits);
    return static_cast<double>(std::fabs(static_cast<Wider<T>>(value) - truth) / ulp);
}

struct Worst {
    double ulps = 0;
    double absolute = 0;
    long double where = 0;
};

/// The largest error over `count` inputs from `low` to `high`, evenly spread. Where the true result is denormal, 0 is
/// also taken as right when `denormals_may_vanish`.
template <class T, class Reference>
Worst sweep(void (*function)(const T*, T*, std::size_t), Reference reference, T low, T high,
            std::size_t count = 400'000, bool denormals_may_vanish = false) {
    std::vector<T> x(count);
    std::vector<T> y(count);
    for (std::size_t i = 0; i < count; ++i)
        x[i] = static_cast<T>(low + (Wider<T>(high) - low) * (static_cast<Wider<T>>(i) + Wider<T>(0.37)) /
                                        static_cast<Wider<T>>(count));
    function(x.data(), y.data(), count);
    Worst worst;
    for (std::size_t i = 0; i < count; ++i) {
        const Wider<T> truth = reference(static_cast<Wider<T>>(x[i]));
        if (denormals_may_vanish && y[i] == 0 && std::fabs(truth) < std::numeric_limits<T>::min()) continue;
        const double error = ulps<T>(y[i], truth);
        worst.absolute = std::max(worst.absolute, std::fabs(static_cast<double>(y[i] - truth)));
        if (!(error <= worst.ulps)) worst = {error, worst.absolute, x[i]};
    }
    return worst;
}

template <class T, class Reference>
void check_within(double bound, const char* name, void (*function)(const T*, T*, std::size_t), Reference reference,
                  T low, T high, bool denormals_may_vanish = false) {
    const Worst worst = sweep<T>(function, reference, low, high, 400'000, denormals_may_vanish);
    INFO(std::string(name) << " of " << std::string(sizeof(T) == 4 ? "float" : "double") << ": " << worst.ulps
                           << " ulp at " << static_cast<double>(worst.where));
    CHECK(worst.ulps <= bound);
}

template <class T>
T at(void (*function)(const T*, T*, std::size_t), T x) {
    T y = 0;
    function(&x, &y, 1);
    return y;
}

bool is_negative_zero(auto x) {
    return x == 0 && std::signbit(x);
}

/// Runs `test(kernels, name)` for each instruction set.
template <class T, class Test>
void with_each_instruction_set(Test test) {
    for (const InstructionSet set : available_instruction_sets()) {
        INFO("instruction set: " << std::string(to_string(set)));
        test(kernels<VectorMathsKernels<T>>(set));
    }
}

/// Two pages of which only the first may be touched: numbers that end at its end show any access behind them.
template <class T>
class GuardedArray {
  public:
    GuardedArray() : page_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))) {
        memory_ =
            static_cast<char*>(mmap(nullptr, 2 * page_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        REQUIRE(memory_ != MAP_FAILED);
        REQUIRE(mprotect(memory_ + page_, page_, PROT_NONE) == 0);
    }
    ~GuardedArray() { munmap(memory_, 2 * page_); }
    GuardedArray(const GuardedArray&) = delete;
    GuardedArray& operator=(const GuardedArray&) = delete;
    T* last(std::size_t count) { return reinterpret_cast<T*>(memory_ + page_) - count; }

  private:
    std::size_t page_;
    char* memory_;
};

template <class T>
Wider<T> logistic(Wider<T> x) {
    return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
}

}  // namespace

TEST_CASE_TEMPLATE("exp is within 2 ulp everywhere, denormal results included", T, float, double) {
    with_each_instruction_set<T>([](const VectorMathsKernels<T>& maths) {
        const auto truth = [](Wider<T> x) { return std::exp(x); };
        const T end = std::is_same_v<T, float> ? T(110) : T(760);
        check_within<T>(2, "exp", maths.exp, truth, -end, end);
        check_within<T>(2, "exp", maths.exp, truth, T(-1), T(1));
        check_within<T>(2, "exp", maths.exp, truth, T(-1e-4), T(1e-4));

        CHECK(at(maths.exp, T(0)) == T(1));
        CHECK(at(maths.exp, T(-0.0)) == T(1));
        CHECK(at(maths.exp, -infinity<T>) == T(0));
        CHECK(at(maths.exp, infinity<T>) == infinity<T>);
        CHECK(at(maths.exp, std::numeric_limits<T>::lowest()) == T(0));
        CHECK(at(maths.exp, std::numeric_limits<T>::max()) == infinity<T>);
        CHECK(std::isnan(at(maths.exp, not_a_number<T>)));
        // The last argument with a finite result, and the next one.
        const T largest = std::nextafter(std::log(std::numeric_limits<T>::max()), T(0));
        CHECK(std::isfinite(at(maths.exp, largest)));
        CHECK(at(maths.exp, largest + T(0.001)) == infinity<T>);
        // The smallest denormal number.
        const T smallest = std::numeric_limits<T>::denorm_min();
        CHECK(at(maths.exp, std::log(smallest)) == smallest);
    });
}

TEST_CASE_TEMPLATE("a NaN with any payload stays NaN", T, float, double) {
    with_each_instruction_set<T>([](const VectorMathsKernels<T>& maths) {
        for (unsigned payload = 1; payload < 512; ++payload) {
            const T x = static_cast<T>(std::is_same_v<T, float> ? std::nanf(std::to_string(payload).c_str())
                                                                : std::nan(std::to_string(payload).c_str()));
            CHECK(std::isnan(at(maths.exp, x)));
            CHECK(std::isnan(at(maths.tanh, x)));
            CHECK(std::isnan(at(maths.sigmoid, x)));
        }
    });
}

TEST_CASE_TEMPLATE("tanh is within 3 ulp, keeps small results exact and never passes 1", T, float, double) {
    with_each_instruction_set<T>([](const VectorMathsKernels<T>& maths) {
        const auto truth = [](Wider<T> x) { return std::tanh(x); };
        check_within<T>(3, "tanh", maths.tanh, truth, T(-25), T(25));
        check_within<T>(3, "tanh", maths.tanh, truth, T(-0.5), T(0.5));
        check_within<T>(3, "tanh", maths.tanh, truth, T(-1e-3), T(1e-3));
        CHECK(sweep<T>(maths.tanh, truth, T(-25), T(25)).absolute <= (std::is_same_v<T, float> ? 3e-7 : 6e-16));
        for (T x = 1; x > std::numeric_limits<T>::denorm_min(); x /= T(2.7)) {
            CHECK(ulps<T>(at(maths.tanh, x), std::tanh(Wider<T>(x))) <= 3);
            CHECK(at(maths.tanh, -x) == -at(maths.tanh, x));
        }
        std::vector<T> x;
        for (T value = 3; value < 40; value += T(1e-3)) x.push_back(value);
        std::vector<T> y(x.size());
        maths.tanh(x.data(), y.data(), x.size());
        for (const T value : y) CHECK_UNARY(value <= 1);
        CHECK(y.back() == 1);

        CHECK(at(maths.tanh, infinity<T>) == T(1));
        CHECK(at(maths.tanh, -infinity<T>) == T(-1));
        CHECK(at(maths.tanh, T(0)) == T(0));
        CHECK_FALSE(std::signbit(at(maths.tanh, T(0))));
        CHECK(is_negative_zero(at(maths.tanh, T(-0.0))));
    });
}

TEST_CASE_TEMPLATE("sigmoid keeps its relative accuracy down to the smallest normal number", T, float, double) {
    with_each_instruction_set<T>([](const VectorMathsKernels<T>& maths) {
        const T end = std::is_same_v<T, float> ? T(120) : T(800);
        check_within<T>(3, "sigmoid", maths.sigmoid, logistic<T>, -end, end, true);
        check_within<T>(3, "sigmoid", maths.sigmoid, logistic<T>, T(-20), T(20));
        check_within<T>(3, "sigmoid", maths.sigmoid, logistic<T>, T(-1e-3), T(1e-3));

        CHECK(at(maths.sigmoid, T(0)) == T(0.5));
        CHECK(at(maths.sigmoid, infinity<T>) == T(1));
        CHECK(at(maths.sigmoid, -infinity<T>) == T(0));
        CHECK(at(maths.sigmoid, std::numeric_limits<T>::max()) == T(1));
        CHECK(at(maths.sigmoid, std::numeric_limits<T>::lowest()) == T(0));
        CHECK(std::isnan(at(maths.sigmoid, not_a_number<T>)));
    });
}

TEST_CASE_TEMPLATE("the other functions agree with the C library", T, float, double) {
    with_each_instruction_set<T>([](const VectorMathsKernels<T>& maths) {
        check_within<T>(
            2, "expm1", maths.expm1, [](Wider<T> x) { return std::expm1(x); }, T(-30), T(80));
        check_within<T>(
            2, "expm1", maths.expm1, [](Wider<T> x) { return std::expm1(x); }, T(-1e-3), T(1e-3));
        check_within<T>(
            2, "log", maths.log, [](Wider<T> x) { return std::log(x); }, T(1e-30), T(3));
        check_within<T>(
            2, "log", maths.log, [](Wider<T> x) { return std::log(x); }, T(1), T(1e30));
        for (T x = std::numeric_limits<T>::denorm_min(); x < T(1e30); x *= T(3.1))
            CHECK(ulps<T>(at(maths.log, x), std::log(Wider<T>(x))) <= 2);
        for (T x = 1; x < T(1e8); x *= T(1.7)) {
            CHECK(std::fabs(at(maths.sin, x) - std::sin(Wider<T>(x))) <= std::numeric_limits<T>::epsilon());
            CHECK(std::fabs(at(maths.cos, x) - std::cos(Wider<T>(x))) <= std::numeric_limits<T>::epsilon());
        }
        check_within<T>(
            2, "log1p", maths.log1p, [](Wider<T> x) { return std::log1p(x); }, T(-0.999), T(3));
        check_within<T>(
            2, "log1p", maths.log1p, [](Wider<T> x) { return std::log1p(x); }, T(-1e-3), T(1e-3));
        check_within<T>(
            2, "sin", maths.sin, [](Wider<T> x) { return std::sin(x); }, T(-30), T(30));
        check_within<T>(
            2, "cos", maths.cos, [](Wider<T> x) { return std::cos(x); }, T(-30), T(30));
        check_within<T>(
            3, "erf", maths.erf, [](Wider<T> x) { return std::erf(x); }, T(-7), T(7));

        CHECK(at(maths.log, T(0)) == -infinity<T>);
        CHECK(at(maths.log, infinity<T>) == infinity<T>);
        CHECK(std::isnan(at(maths.log, T(-1))));
        CHECK(at(maths.log, T(1)) == T(0));
        CHECK(at(maths.log1p, T(-1)) == -infinity<T>);
        CHECK(std::isnan(at(maths.log1p, T(-2))));
        CHECK(at(maths.log1p, infinity<T>) == infinity<T>);
        CHECK(at(maths.expm1, -infinity<T>) == T(-1));
        CHECK(at(maths.expm1, infinity<T>) == infinity<T>);
        CHECK(std::isnan(at(maths.sin, infinity<T>)));
        CHECK(std::isnan(at(maths.cos, infinity<T>)));
        CHECK(at(maths.erf, infinity<T>) == T(1));
        CHECK(at(maths.erf, -infinity<T>) == T(-1));
        for (const auto function : {maths.expm1, maths.log, maths.log1p, maths.sin, maths.cos, maths.erf})
            CHECK(std::isnan(at(function, not_a_number<T>)));
        for (const auto function : {maths.expm1, maths.log1p, maths.sin, maths.erf}) {
            CHECK(at(function, T(0)) == T(0));
            CHECK(is_negative_zero(at(function, T(-0.0))));
        }
    });
}

TEST_CASE_TEMPLATE("pow agrees with the C library", T, float, double) {
    with_each_instruction_set<T>([](const VectorMathsKernels<T>& maths) {
        const auto power = [&](T a, T b) {
            T y = 0;
            maths.pow(&a, &b, &y, 1);
            return y;
        };
        double worst = 0;
        for (T a = T(0.01); a < 40; a += T(0.037))
            for (const T b : {T(-2), T(-0.5), T(0.3), T(1), T(2), T(2.3), T(3)})
                worst = std::max(worst, ulps<T>(power(a, b), std::pow(Wider<T>(a), Wider<T>(b))));
        // Results over the whole range, of bases over the whole range.
        const T top = std::log(std::numeric_limits<T>::max());
        for (T a = std::numeric_limits<T>::denorm_min(); a < std::numeric_limits<T>::max() / 8; a *= T(7.3))
            for (T result = -top - 3; result < top + 3; result += top / 23) {
                const T b = result / std::log(a);
                worst = std::max(worst, ulps<T>(power(a, b), std::pow(Wider<T>(a), Wider<T>(b))));
            }
        for (T b = 1; b < std::numeric_limits<T>::max() / 8; b *= T(3.7))
            for (const T a : {std::nextafter(T(1), T(0)), std::nextafter(T(1), T(2)), T(1.001)})
                for (const T sign : {T(1), T(-1)})
                    worst = std::max(worst, ulps<T>(power(a, sign * b), std::pow(Wider<T>(a), Wider<T>(sign * b))));
        INFO("pow: " << worst << " ulp");
        CHECK(worst <= 3);
        for (const T a : {T(0), T(-0.0), T(1), T(-1), T(-2), T(2), T(0.5), infinity<T>, -infinity<T>, not_a_number<T>})
            for (const T b :
                 {T(0), T(1), T(2), T(3), T(-1), T(-2), T(0.5), infinity<T>, -infinity<T>, not_a_number<T>}) {
                const T expected = std::pow(a, b);
                INFO("pow(" << a << ", " << b << ") = " << power(a, b) << ", expected " << expected);
                CHECK_UNARY((std::isnan(expected) ? std::isnan(power(a, b)) : ulps<T>(power(a, b), expected) <= 2));
                if (!std::isnan(expected)) CHECK(std::signbit(power(a, b)) == std::signbit(expected));
            }
    });
}

TEST_CASE_TEMPLATE("arrays of every length, up to the edge of the memory", T, float, double) {
    GuardedArray<T> source;
    GuardedArray<T> target;
    with_each_instruction_set<T>([&](const VectorMathsKernels<T>& maths) {
        for (std::size_t n = 0; n <= 40; ++n) {
            T* x = source.last(n);
            T* y = target.last(n);
            for (std::size_t i = 0; i < n; ++i) x[i] = T(0.1) * static_cast<T>(i) - T(1.3);
            const T before = T(-77);
            y[-1] = before;
            maths.tanh(x, y, n);
            CHECK(y[-1] == before);
            for (std::size_t i = 0; i < n; ++i) CHECK(y[i] == at(maths.tanh, x[i]));
            double total = 0;
            for (std::size_t i = 0; i < n; ++i) total += x[i];
            CHECK(maths.sum(x, n) == doctest::Approx(total).epsilon(1e-5));
        }
    });
}

TEST_CASE_TEMPLATE("a partial store leaves what is behind it alone", T, float, double) {
    with_each_instruction_set<T>([](const VectorMathsKernels<T>& maths) {
        for (std::size_t n = 0; n <= 40; ++n) {
            std::vector<T> x(n + 40, T(1));
            std::vector<T> y(n + 40, T(-77));
            maths.exp(x.data(), y.data(), n);
            for (std::size_t i = 0; i < y.size(); ++i) CHECK((y[i] == T(-77)) == (i >= n));
        }
    });
}

namespace {

/// The type of `Vec` with plain C++ lanes, which only unknown architectures use otherwise, and that of this file.
template <class V>
void check_operators() {
    using T = typename V::value_type;
    T x[V::width];
    T y[V::width];
    for (std::size_t i = 0; i < V::width; ++i) {
        x[i] = static_cast<T>(i) - T(1.5);
        y[i] = T(0.25) * static_cast<T>(i) + T(0.5);
    }
    const V a = V::load(x);
    const V b = V::load(y);
    const auto each = [&](V result, auto expected) {
        T lanes[V::width];
        result.store(lanes);
        for (std::size_t i = 0; i < V::width; ++i) CHECK(lanes[i] == static_cast<T>(expected(x[i], y[i])));
    };
    each(a + b, [](T p, T q) { return p + q; });
    each(a - b, [](T p, T q) { return p - q; });
    each(a * b, [](T p, T q) { return p * q; });
    each(a / b, [](T p, T q) { return p / q; });
    each(-a, [](T p, T) { return -p; });
    each(1 - b * b, [](T, T q) { return 1 - q * q; });
    each(0.5 * a, [](T p, T) { return T(0.5) * p; });
    each(a / 2, [](T p, T) { return p / 2; });
    each(abs(a), [](T p, T) { return std::fabs(p); });
    each(sqrt(b), [](T, T q) { return std::sqrt(q); });
    each(floor(a), [](T p, T) { return std::floor(p); });
    each(min(a, b), [](T p, T q) { return std::min(p, q); });
    each(max(a, 0), [](T p, T) { return std::max(p, T(0)); });
    each(copysign(b, a), [](T p, T q) { return std::copysign(q, p); });
    each(where(a < b, a, b), [](T p, T q) { return p < q ? p : q; });
    each(where((a < 0) | (a > 1), V(1), V(2)), [](T p, T) { return p < 0 || p > 1 ? 1 : 2; });
    each(where((a >= 0) & (a <= 1), V(1), V(2)), [](T p, T) { return p >= 0 && p <= 1 ? 1 : 2; });
    each(where(!(a == a), V(1), V(2)), [](T, T) { return 2; });
    each(where(a != a, V(not_a_number<T>), b), [](T, T q) { return q; });
    const V nan = not_a_number<T>;
    CHECK(all(nan != nan));
    CHECK_FALSE(any((nan == nan) | (nan < a) | (nan <= a) | (nan > a) | (nan >= a)));
    V sum_so_far = a;
    sum_so_far += b;
    sum_so_far *= 2;
    sum_so_far -= 1;
    sum_so_far /= 4;
    each(sum_so_far, [](T p, T q) { return ((p + q) * 2 - 1) / 4; });
    each(fma(a, b, V(1)), [](T p, T q) { return p * q + 1; });
    T total = 0;
    for (const T value : x) total += value;
    CHECK(sum(a) == total);
    each(sum_in_all_lanes(a), [&](T, T) { return total; });
    CHECK(count(a > b) == static_cast<std::size_t>(std::count_if(
                              x, x + V::width, [&](const T& element) { return element > y[&element - x]; })));
    CHECK(count(a == a) == V::width);
    CHECK(count(a != a) == 0);
    CHECK(any(a < 0));
    CHECK_FALSE(all(a > b));
    CHECK(all(a == a));
    CHECK(std::signbit(sum(-V(0))));
    for (const T value : {T(-2.5), T(-2), T(-1.5), T(-0.5), T(0), T(0.5), T(0.99), T(1), T(8388607.5), T(-8388607.5),
                          T(4e15), T(1e20), T(-1e20), infinity<T>, -infinity<T>}) {
        T lanes[V::width];
        floor(V(value)).store(lanes);
        CHECK(lanes[0] == std::floor(value));
    }
    // Division and square root are rounded correctly, at the ends of the range too.
    const T denormal = 5 * std::numeric_limits<T>::denorm_min();
    std::vector<T> values = {denormal, std::numeric_limits<T>::min(), std::numeric_limits<T>::max(), infinity<T>, T(0)};
    for (T value = T(0.3); value < 40; value += T(0.0371)) values.push_back(value);
    for (const T value : values) {
        T lanes[V::width];
        (V(T(3.1)) / V(value)).store(lanes);
        CHECK(lanes[0] == T(3.1) / value);
        sqrt(V(value)).store(lanes);
        CHECK(lanes[0] == std::sqrt(value));
    }
    CHECK(std::isnan(sum(floor(V(not_a_number<T>)))));
    CHECK(std::isnan(sum(min(V(1), V(not_a_number<T>)))));
    CHECK(std::isnan(sum(max(V(1), V(not_a_number<T>)))));
}

}  // namespace

TEST_CASE_TEMPLATE("Vec computes lane by lane, with plain numbers of any type", T, float, double) {
    check_operators<simd::Vec<T>>();
    check_operators<simd::Vec<T, simd::Scalar>>();
}

TEST_CASE("plain C++ lanes compute the same functions") {
    using V = simd::Vec<double, simd::Scalar>;
    for (double x = -30; x < 30; x += 0.0371) {
        const auto value = [](V v) { return sum(v); };
        CHECK(ulps<double>(value(exp(V(x))), std::exp(static_cast<long double>(x))) <= 2);
        CHECK(ulps<double>(value(tanh(V(x))), std::tanh(static_cast<long double>(x))) <= 3);
        CHECK(ulps<double>(value(sigmoid(V(x))), logistic<double>(static_cast<long double>(x))) <= 3);
        CHECK(value(sin(V(x))) == std::sin(x));
        CHECK(ulps<double>(value(erf(V(x))), std::erf(static_cast<long double>(x))) <= 3);
        CHECK(ulps<double>(value(pow(V(x), 2)), static_cast<long double>(x) * x) <= 2);
    }
}
