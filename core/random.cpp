#include <ebb/core/error.hpp>
#include <ebb/core/instruction_set.hpp>
#include <ebb/core/random.hpp>
#include <ebb/core/random_kernels.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <utility>

#include <fmt/format.h>

// The build compiles this file with -ffp-contract=off: products and sums must not become fused multiply-adds, which
// round once, on machines that have them. What remains, + - * / and sqrt, IEEE 754 defines to the last bit.

namespace ebb {

namespace {

constexpr char engine_name[] = "philox4x32-10";

// The upper half of the counter says what a block is for: numbers, or the keys of forks.
constexpr std::uint64_t forks = std::uint64_t{1} << 63;

// Numbers are made in portions that stay in the first-level cache.
constexpr std::size_t portion = 512;

double uniform_double(std::uint64_t bits) {
    return static_cast<double>(bits >> 11) * 0x1p-53;
}

template <class T>
T uniform_of(std::uint64_t bits) {
    if constexpr (sizeof(T) == 4)
        return static_cast<float>(bits >> 40) * 0x1p-24f;
    else
        return uniform_double(bits);
}

/// The natural logarithm of x in (0, 1).
double own_log(double x) {
    // x = 2^e m with m in [sqrt(1/2), sqrt(2)); log(m) = 2 artanh(s), s = (m - 1) / (m + 1), |s| < 0.1716.
    int e = static_cast<int>(std::bit_cast<std::uint64_t>(x) >> 52) - 1023;
    double m = std::bit_cast<double>((std::bit_cast<std::uint64_t>(x) & 0xFFFFFFFFFFFFFull) | 0x3FF0000000000000ull);
    if (m > 1.4142135623730951) {
        m *= 0.5;
        e += 1;
    }
    const double s = (m - 1) / (m + 1);
    const double square = s * s;
    double sum = 1.0 / 21;
    for (int k = 19; k >= 1; k -= 2) sum = sum * square + 1.0 / k;
    return static_cast<double>(e) * 0.693147180559945309417 + 2 * s * sum;
}

template <std::size_t count>
double polynomial(double x, const double (&c)[count]) {
    double sum = c[count - 1];
    for (std::size_t i = count - 1; i-- > 0;) sum = sum * x + c[i];
    return sum;
}

/// The inverse of the standard normal distribution function at (k + 1/2) / 2^53, k the upper 53 bits: two rational
/// functions, fitted for this place, relative error 1e-14. Antisymmetric in k.
double inverse_normal(std::uint64_t bits) {
    static constexpr double central_p[] = {2.5066282746310297634, -33.22162187672005881, 169.24644188859250344,
                                           -411.4037026145957666, 475.94416866602101121, -219.3521787553981579,
                                           19.953972061278082371};
    static constexpr double central_q[] = {1.0,
                                           -14.30070714131695105,
                                           80.192319279758285254,
                                           -221.42079464311168978,
                                           307.69165081186360309,
                                           -192.4777326808761718,
                                           36.963831739940512526};
    static constexpr double tail_p[] = {-3.3112029949461897979, -17.106592966937284467, -13.096647046575119421,
                                        -6.8272723145390829035, 29.194080731095198488,  34.03919051323664967,
                                        8.4117188007551873674,  0.46059419953952852847};
    static constexpr double tail_q[] = {1.0,
                                        9.9462914100563453971,
                                        21.307216526046453434,
                                        30.688570626048654955,
                                        24.902147633776180897,
                                        5.9522833169546742743,
                                        0.32563646698831019379,
                                        4.7970493383040101103e-7};
    // From the middle: q = probability - 1/2, exact.
    const double q = (static_cast<double>(bits >> 11) - 0x1p52 + 0.5) * 0x1p-53;
    const double distance = q < 0 ? -q : q;
    if (distance <= 0.425) {
        const double square = q * q;
        return q * (polynomial(square, central_p) / polynomial(square, central_q));
    }
    const double r = std::sqrt(-own_log(0.5 - distance));
    const double z = polynomial(r, tail_p) / polynomial(r, tail_q);
    return q < 0 ? -z : z;
}

/// values[i] = function(64 random bits), in order.
template <class T, class Function>
void fill_by(T* values, std::size_t count, Generator& generator, Function function) {
    std::uint64_t numbers[portion];
    for (std::size_t done = 0; done < count; done += portion) {
        const std::size_t some = std::min(portion, count - done);
        generator.fill(numbers, some);
        for (std::size_t i = 0; i < some; ++i) values[done + i] = function(numbers[i]);
    }
}

template <class T>
Array<T> empty(const Shape& shape) {
    return Array<T>::from_shape(typename Array<T>::shape_type(shape.begin(), shape.end()));
}

}  // namespace

void check_probability(std::string_view call, double p, std::string_view name) {
    if (!(p >= 0 && p <= 1)) fail<ValueError>(fmt::format("{}: {} is {}: expected 0 to 1", call, name, p));
}

std::uint64_t Generator::operator()() {
    const std::uint64_t index = position_ / 2;
    if (index != block_index_) {
        kernels<RandomKernels>().philox(key_, stream_, index, 1, block_);
        block_index_ = index;
    }
    return block_[position_++ % 2];
}

void Generator::fill(std::uint64_t* numbers, std::size_t count) {
    if (count > 0 && position_ % 2 == 1) {
        *numbers++ = (*this)();
        --count;
    }
    kernels<RandomKernels>().philox(key_, stream_, position_ / 2, count / 2, numbers);
    position_ += count / 2 * 2;
    if (count % 2 == 1) numbers[count - 1] = (*this)();
}

template <class T>
T Generator::uniform() {
    return uniform_of<T>((*this)());
}

template <class T>
T Generator::normal() {
    return static_cast<T>(inverse_normal((*this)()));
}

bool Generator::bernoulli(double p) {
    check_probability("Generator::bernoulli", p);
    return uniform_double((*this)()) < p;
}

std::uint64_t Generator::integer(std::uint64_t n) {
    if (n == 0) throw ValueError("Generator::integer: n is 0, expected at least 1");
    // Of the next power of two, what is too large is drawn again: a remainder would favour the small numbers.
    const std::uint64_t mask = n == 1 ? 0 : ~std::uint64_t{0} >> std::countl_zero(n - 1);
    std::uint64_t candidate = (*this)() & mask;
    while (candidate >= n) candidate = (*this)() & mask;
    return candidate;
}

std::vector<std::size_t> Generator::permutation(std::size_t n) {
    std::vector<std::size_t> order(n);
    for (std::size_t i = 0; i < n; ++i) order[i] = i;
    for (std::size_t i = n; i > 1; --i) std::swap(order[i - 1], order[integer(i)]);
    return order;
}

Generator Generator::fork(std::uint64_t stream) const {
    std::uint64_t fresh[2];
    kernels<RandomKernels>().philox(key_, stream_ | forks, stream, 1, fresh);
    Generator child(fresh[0]);
    child.stream_ = fresh[1] & ~forks;
    return child;
}

std::string Generator::state() const {
    return fmt::format("{} {:016x} {:016x} {}", engine_name, key_, stream_, position_);
}

Generator Generator::from_state(const std::string& state) {
    Generator generator;
    unsigned long long key = 0;
    unsigned long long stream = 0;
    unsigned long long position = 0;
    const int fields = std::sscanf(state.c_str(), "philox4x32-10 %llx %llx %llu", &key, &stream, &position);
    generator.key_ = key;
    generator.stream_ = stream;
    generator.position_ = position;
    // Written again it must be the same: that refuses all that scanf lets pass.
    if (fields != 3 || stream >= forks || generator.state() != state)
        throw ValueError(fmt::format("Generator::from_state: \"{}\" is no state: expected \"{} KEY STREAM POSITION\"",
                                     state.substr(0, 100), engine_name));
    return generator;
}

Generator& default_generator() noexcept {
    thread_local Generator generator;
    return generator;
}

void manual_seed(std::uint64_t seed) noexcept {
    default_generator() = Generator(seed);
}

template <class T>
void fill_uniform(T* values, std::size_t count, double low, double high, Generator& generator) {
    if (!(std::isfinite(low) && std::isfinite(high) && std::isfinite(high - low) && low <= high))
        throw ValueError(
            fmt::format("uniform: the range is {} to {}, expected two finite numbers in order", low, high));
    if (low == 0 && high == 1) {
        fill_by(values, count, generator, uniform_of<T>);
        return;
    }
    const double range = high - low;
    // Rounding may reach the upper end, which does not belong to the range.
    const T upper = static_cast<T>(high);
    const T largest = std::nextafter(upper, static_cast<T>(low));
    fill_by(values, count, generator, [=](std::uint64_t bits) {
        const T value = static_cast<T>(low + range * uniform_double(bits));
        return value < upper ? value : largest;
    });
}

template <class T>
void fill_normal(T* values, std::size_t count, double mean, double standard_deviation, Generator& generator) {
    if (!(std::isfinite(mean) && std::isfinite(standard_deviation) && standard_deviation >= 0))
        throw ValueError(fmt::format(
            "normal: mean is {} and standard_deviation is {}, expected finite numbers, the second not negative", mean,
            standard_deviation));
    fill_by(values, count, generator,
            [=](std::uint64_t bits) { return static_cast<T>(mean + standard_deviation * inverse_normal(bits)); });
}

template <class T>
void fill_bernoulli(T* values, std::size_t count, double p, Generator& generator) {
    check_probability("bernoulli", p);
    // The same as comparing the uniform number with p, which is exact: in integers.
    const auto limit = static_cast<std::uint64_t>(std::ceil(p * 0x1p53));
    fill_by(values, count, generator, [=](std::uint64_t bits) { return static_cast<T>(bits >> 11 < limit); });
}

template <class T>
Array<T> rand(const Shape& shape, Generator& generator) {
    return uniform<T>(shape, 0, 1, generator);
}

template <class T>
Array<T> randn(const Shape& shape, Generator& generator) {
    return normal<T>(shape, 0, 1, generator);
}

template <class T>
Array<T> uniform(const Shape& shape, double low, double high, Generator& generator) {
    Array<T> result = empty<T>(shape);
    fill_uniform(result.data(), result.size(), low, high, generator);
    return result;
}

template <class T>
Array<T> normal(const Shape& shape, double mean, double standard_deviation, Generator& generator) {
    Array<T> result = empty<T>(shape);
    fill_normal(result.data(), result.size(), mean, standard_deviation, generator);
    return result;
}

template <class T>
Array<T> bernoulli(const Shape& shape, double p, Generator& generator) {
    Array<T> result = empty<T>(shape);
    fill_bernoulli(result.data(), result.size(), p, generator);
    return result;
}

Array<std::int64_t> randint(const Shape& shape, std::int64_t low, std::int64_t high, Generator& generator) {
    if (low >= high) throw ValueError(fmt::format("randint: the range is {} to {}, expected low < high", low, high));
    // In unsigned arithmetic, where the largest range does not overflow.
    const std::uint64_t range = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low);
    Array<std::int64_t> result = empty<std::int64_t>(shape);
    for (std::size_t i = 0; i < result.size(); ++i)
        result.data()[i] = static_cast<std::int64_t>(static_cast<std::uint64_t>(low) + generator.integer(range));
    return result;
}

template float Generator::uniform<float>();
template double Generator::uniform<double>();
template float Generator::normal<float>();
template double Generator::normal<double>();

template Array<float> rand(const Shape&, Generator&);
template Array<double> rand(const Shape&, Generator&);
template Array<float> randn(const Shape&, Generator&);
template Array<double> randn(const Shape&, Generator&);
template Array<float> uniform(const Shape&, double, double, Generator&);
template Array<double> uniform(const Shape&, double, double, Generator&);
template Array<float> normal(const Shape&, double, double, Generator&);
template Array<double> normal(const Shape&, double, double, Generator&);
template Array<float> bernoulli(const Shape&, double, Generator&);
template Array<double> bernoulli(const Shape&, double, Generator&);
template void fill_uniform(float*, std::size_t, double, double, Generator&);
template void fill_uniform(double*, std::size_t, double, double, Generator&);
template void fill_normal(float*, std::size_t, double, double, Generator&);
template void fill_normal(double*, std::size_t, double, double, Generator&);
template void fill_bernoulli(float*, std::size_t, double, Generator&);
template void fill_bernoulli(double*, std::size_t, double, Generator&);

}  // namespace ebb
