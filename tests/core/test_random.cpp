#include <ebb/core/error.hpp>
#include <ebb/core/instruction_set.hpp>
#include <ebb/core/random.hpp>
#include <ebb/core/random_kernels.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <numeric>
#include <set>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

using namespace ebb;

namespace {

double mean_of(const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// The mean of (x - mean)^power.
double moment_of(const std::vector<double>& values, int power) {
    const double mean = mean_of(values);
    double sum = 0;
    for (const double value : values) sum += std::pow(value - mean, power);
    return sum / static_cast<double>(values.size());
}

double correlation(const std::vector<double>& a, const std::vector<double>& b) {
    const double mean_a = mean_of(a);
    const double mean_b = mean_of(b);
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - mean_a) * (b[i] - mean_b);
    return sum / static_cast<double>(a.size()) / std::sqrt(moment_of(a, 2) * moment_of(b, 2));
}

/// Kolmogorov and Smirnov's distance times sqrt(n): above 1.95 once in a thousand samples of the right distribution.
template <class Distribution>
double kolmogorov_smirnov(std::vector<double> values, Distribution distribution) {
    std::sort(values.begin(), values.end());
    const auto n = static_cast<double>(values.size());
    double distance = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const double expected = distribution(values[i]);
        distance = std::max({distance, std::fabs(expected - static_cast<double>(i) / n),
                             std::fabs(expected - static_cast<double>(i + 1) / n)});
    }
    return distance * std::sqrt(n);
}

double normal_distribution(double x) {
    return 0.5 * std::erfc(-x / std::sqrt(2.0));
}

template <class T>
std::vector<double> doubles(const Array<T>& array) {
    return std::vector<double>(array.begin(), array.end());
}

}  // namespace

TEST_CASE("the engine gives the known answers that were published with it, in every instruction set") {
    struct Answer {
        std::uint64_t key, stream, block, first, second;
    };
    // The test vectors of philox4x32_10 in Random123, 1.09: kat_vectors.
    const Answer answers[] = {
        {0, 0, 0, 0xe169c58d6627e8d5, 0x9b00dbd8bc57ac4c},
        {~0ull, ~0ull, ~0ull, 0x41c83b0e408f276d, 0x6d5451fda20bc7c6},
        {0x299f31d0a4093822, 0x0370734413198a2e, 0x85a308d3243f6a88, 0x94fdccebd16cfe09, 0x24126ea15001e420},
    };
    for (const InstructionSet set : available_instruction_sets())
        for (const Answer& answer : answers) {
            std::uint64_t numbers[2];
            kernels<RandomKernels>(set).philox(answer.key, answer.stream, answer.block, 1, numbers);
            CHECK(numbers[0] == answer.first);
            CHECK(numbers[1] == answer.second);
        }
}

TEST_CASE("the first numbers of a seed are the same on every platform") {
    // Written down once, from the first build: they are part of the interface, since weights come from them.
    Generator generator(7);
    CHECK(generator() == 0xc009f9dcf4607a2dull);
    CHECK(generator() == 0x15edac821d3aba42ull);
    CHECK(generator.uniform() == 0x1.972f7826d05d1p-1);
    CHECK(generator.uniform<float>() == 0x1.ea6bdcp-1f);
    CHECK(generator.normal() == -0x1.31c2420876731p+1);
    CHECK(generator.normal() == 0x1.07e1e80c0b6bfp+0);
    CHECK(generator.normal<float>() == -0x1.5921bcp-1f);
    CHECK(generator.integer(1000) == 323);
    CHECK(generator.bernoulli(0.5) == false);
    CHECK(generator.permutation(8) == std::vector<std::size_t>{2, 1, 7, 0, 6, 3, 4, 5});
    CHECK(generator.fork(3)() == 0x1f091f85fbddac45ull);
    // All bits of many normal numbers, both branches of the inverse among them.
    const Array<double> normals = randn<double>({10'000}, generator);
    std::uint64_t hash = 14695981039346656037u;
    for (const double value : normals) {
        std::uint64_t bits = 0;
        std::memcpy(&bits, &value, sizeof bits);
        hash = (hash ^ bits) * 1099511628211u;
    }
    CHECK(hash == 0xd53a4e306907d54bull);
}

TEST_CASE("numbers made many at a time are those made one by one") {
    for (const std::size_t before : {0u, 1u, 2u, 5u})
        for (const std::size_t count : {0u, 1u, 2u, 3u, 31u, 32u, 33u, 1000u}) {
            Generator one(42);
            for (std::size_t i = 0; i < before; ++i) one();
            Generator many = one;
            std::vector<std::uint64_t> expected(count);
            for (std::uint64_t& number : expected) number = one();
            std::vector<std::uint64_t> numbers(count);
            many.fill(numbers.data(), count);
            CHECK(numbers == expected);
            CHECK(many == one);
            CHECK(many() == one());
        }
    for (const InstructionSet set : available_instruction_sets()) {
        std::vector<std::uint64_t> expected(2 * 100);
        std::vector<std::uint64_t> numbers(2 * 100);
        kernels<RandomKernels>(InstructionSet::baseline).philox(5, 6, (1ull << 32) - 50, 100, expected.data());
        kernels<RandomKernels>(set).philox(5, 6, (1ull << 32) - 50, 100, numbers.data());
        CHECK(numbers == expected);
    }
}

TEST_CASE("discard skips as if the numbers had been drawn") {
    Generator drawn(1);
    for (int i = 0; i < 12345; ++i) drawn();
    Generator skipped(1);
    skipped();
    skipped.discard(12344);
    CHECK(skipped == drawn);
    CHECK(skipped() == drawn());
}

TEST_CASE("uniform numbers are in [0, 1), even, and independent of their neighbours") {
    Generator generator(11);
    const std::vector<double> values = doubles(rand<double>({200'000}, generator));
    CHECK(*std::min_element(values.begin(), values.end()) >= 0);
    CHECK(*std::max_element(values.begin(), values.end()) < 1);
    CHECK(kolmogorov_smirnov(values, [](double x) { return x; }) < 1.95);
    CHECK(std::fabs(mean_of(values) - 0.5) < 4 * std::sqrt(1.0 / 12 / 200'000));
    for (const std::size_t lag : {1u, 2u, 3u, 4u, 64u})
        CHECK(std::fabs(correlation({values.begin(), values.end() - static_cast<std::ptrdiff_t>(lag)},
                                    {values.begin() + static_cast<std::ptrdiff_t>(lag), values.end()})) < 0.01);
    const Array<float> floats = rand<float>({100'000}, generator);
    for (const float value : floats)
        CHECK_UNARY(value >= 0 && value < 1 && value * 0x1p24f == std::floor(value * 0x1p24f));
}

TEST_CASE("normal numbers have the moments and the distribution of the normal") {
    Generator generator(13);
    const std::vector<double> values = doubles(randn<double>({200'000}, generator));
    const double n = 200'000;
    CHECK(std::fabs(mean_of(values)) < 4 / std::sqrt(n));
    CHECK(std::fabs(moment_of(values, 2) - 1) < 4 * std::sqrt(2 / n));
    CHECK(std::fabs(moment_of(values, 3)) < 4 * std::sqrt(15 / n));
    CHECK(std::fabs(moment_of(values, 4) - 3) < 4 * std::sqrt(96 / n));
    CHECK(kolmogorov_smirnov(values, normal_distribution) < 1.95);
    // How much lies in the tails, which Kolmogorov and Smirnov hardly see.
    const auto beyond = std::count_if(values.begin(), values.end(), [](double x) { return std::fabs(x) > 3; });
    CHECK(std::fabs(static_cast<double>(beyond) - n * 0.0026998) < 4 * std::sqrt(n * 0.0027));
}

TEST_CASE("a normal number is the quantile of the uniform number of the same step") {
    Generator normals(17);
    Generator uniforms(17);
    double worst = 0;
    for (int i = 0; i < 200'000; ++i) {
        const double z = normals.normal();
        const double u = uniforms.uniform();
        // By the upper or lower tail, whichever is small, and relative to it. The steps of u lie at k + 1/2.
        const double tail = u < 0.5 ? u + 0x1p-54 : (1 - u) - 0x1p-54;
        const double error = std::fabs(normal_distribution(-std::fabs(z)) - tail) / tail;
        CHECK_UNARY((z < 0) == (u < 0.5));
        worst = std::max(worst, error);
    }
    CHECK(worst < 1e-12);
}

TEST_CASE("the ends of the distribution are finite and mirror each other") {
    // The state before a step does not tell its bits, so the ends are found from the outside: by their probability.
    const double lowest = -8.2923610758;  // the quantile of 2^-54
    CHECK(normal_distribution(lowest) == doctest::Approx(0x1p-54).epsilon(1e-6));
    Generator generator(19);
    for (int i = 0; i < 100'000; ++i) CHECK_UNARY(std::fabs(generator.normal()) <= 8.3);
}

TEST_CASE("float arrays are the double arrays of the same seed, rounded") {
    Generator a(23);
    Generator b(23);
    const Array<float> floats = normal<float>({3, 1001}, 2, 0.5, a);
    const Array<double> numbers = normal<double>({3, 1001}, 2, 0.5, b);
    CHECK(a == b);
    for (std::size_t i = 0; i < floats.size(); ++i) CHECK(floats.data()[i] == static_cast<float>(numbers.data()[i]));
    const Array<float> weights = uniform<float>({100}, -0.1, 0.1, a);
    const Array<double> precise = uniform<double>({100}, -0.1, 0.1, b);
    for (std::size_t i = 0; i < 100; ++i) CHECK(weights(i) == static_cast<float>(precise(i)));
    CHECK(a.normal<float>() == static_cast<float>(b.normal<double>()));
}

TEST_CASE_TEMPLATE("arrays have the shape, the range and the moments asked for", T, float, double) {
    Generator generator(29);
    const Array<T> values = uniform<T>({40, 50, 10}, -2, 6, generator);
    CHECK(Shape::of(values.shape()) == Shape{40, 50, 10});
    const std::vector<double> list = doubles(values);
    CHECK(*std::min_element(list.begin(), list.end()) >= -2);
    CHECK(*std::max_element(list.begin(), list.end()) < 6);
    CHECK(mean_of(list) == doctest::Approx(2).epsilon(0.05));
    CHECK(moment_of(list, 2) == doctest::Approx(64.0 / 12).epsilon(0.05));

    const std::vector<double> normals = doubles(normal<T>({20'000}, -3, 2, generator));
    CHECK(mean_of(normals) == doctest::Approx(-3).epsilon(0.03));
    CHECK(moment_of(normals, 2) == doctest::Approx(4).epsilon(0.05));

    const std::vector<double> ones = doubles(bernoulli<T>({20'000}, 0.3, generator));
    CHECK(mean_of(ones) == doctest::Approx(0.3).epsilon(0.05));
    CHECK(std::count(ones.begin(), ones.end(), 0.0) + std::count(ones.begin(), ones.end(), 1.0) == 20'000);
    Generator again = generator;
    const Array<T> drawn = bernoulli<T>({1000}, 0.3, generator);
    for (const T value : drawn) CHECK(value == T(again.bernoulli(0.3)));
    CHECK(mean_of(doubles(bernoulli<T>({1000}, 0, generator))) == 0);
    CHECK(mean_of(doubles(bernoulli<T>({1000}, 1, generator))) == 1);

    CHECK(rand<T>({}, generator).size() == 1);
    CHECK(randn<T>({0, 3}, generator).size() == 0);
    CHECK(uniform<T>({5}, 4, 4, generator)(2) == 4);
    CHECK(normal<T>({5}, 4, 0, generator)(2) == 4);
    // Rounding must not reach the upper end.
    const Array<T> narrow = uniform<T>({1000}, 1, std::nextafter(T(1), T(2)), generator);
    for (const T value : narrow) CHECK_UNARY(value == 1);
}

TEST_CASE("integers are even, also where the range is no power of two") {
    Generator generator(31);
    std::vector<int> counts(6);
    for (int i = 0; i < 60'000; ++i) ++counts[generator.integer(6)];
    double chi_squared = 0;
    for (const int count : counts) chi_squared += (count - 10'000.0) * (count - 10'000.0) / 10'000;
    CHECK(chi_squared < 20.5);  // 5 degrees of freedom: once in a thousand
    CHECK(generator.integer(1) == 0);
    // A remainder of 64 bits by 3 * 2^62 would be below 2^62 half of the time instead of a third.
    int small = 0;
    for (int i = 0; i < 30'000; ++i) small += generator.integer(3ull << 62) < 1ull << 62;
    CHECK(std::fabs(small - 10'000.0) < 4 * std::sqrt(30'000 * 2.0 / 9));
    for (int i = 0; i < 100; ++i) CHECK(generator.integer(~0ull) < ~0ull);

    const Array<std::int64_t> dice = randint({3000}, -1, 2, generator);
    CHECK(std::set<std::int64_t>(dice.begin(), dice.end()) == std::set<std::int64_t>{-1, 0, 1});
    const auto lowest = std::numeric_limits<std::int64_t>::min();
    const auto highest = std::numeric_limits<std::int64_t>::max();
    const Array<std::int64_t> wide = randint({1000}, lowest, highest, generator);
    CHECK(std::count_if(wide.begin(), wide.end(), [](std::int64_t value) { return value < 0; }) > 400);
    CHECK(std::count_if(wide.begin(), wide.end(), [](std::int64_t value) { return value > 0; }) > 400);
}

TEST_CASE("permutations hold every number once, and every order is equally likely") {
    Generator generator(37);
    CHECK(generator.permutation(0).empty());
    std::vector<std::size_t> order = generator.permutation(1000);
    CHECK_FALSE(std::is_sorted(order.begin(), order.end()));
    std::sort(order.begin(), order.end());
    for (std::size_t i = 0; i < 1000; ++i) CHECK(order[i] == i);
    int counts[3][3][3] = {};
    for (int i = 0; i < 12'000; ++i) {
        const std::vector<std::size_t> three = generator.permutation(3);
        ++counts[three[0]][three[1]][three[2]];
    }
    for (const auto& [a, b, c] : {std::array{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}})
        CHECK(std::abs(counts[a][b][c] - 2000) < 4 * std::sqrt(12'000 * 5.0 / 36));
}

TEST_CASE("forks are independent of each other, of their parent, and of what was drawn from it") {
    Generator parent(41);
    Generator fork = parent.fork(0);
    parent.discard(1000);
    CHECK(parent.fork(0) == fork);
    CHECK_FALSE(parent.fork(1) == fork);
    CHECK_FALSE(fork.fork(0) == fork);
    CHECK_FALSE(parent.fork(1).fork(2) == parent.fork(2).fork(1));

    std::vector<std::vector<double>> streams;
    streams.push_back(doubles(randn<double>({20'000}, parent)));
    for (std::uint64_t i = 0; i < 4; ++i) {
        Generator child = parent.fork(i);
        streams.push_back(doubles(randn<double>({20'000}, child)));
        Generator grandchild = parent.fork(i).fork(i);
        streams.push_back(doubles(randn<double>({20'000}, grandchild)));
    }
    Generator neighbour(42);
    streams.push_back(doubles(randn<double>({20'000}, neighbour)));
    for (std::size_t i = 0; i < streams.size(); ++i)
        for (std::size_t j = 0; j < i; ++j)
            CHECK(std::fabs(correlation(streams[i], streams[j])) < 4.5 / std::sqrt(20'000));

    // No two of many streams begin alike.
    std::set<std::uint64_t> beginnings;
    for (std::uint64_t i = 0; i < 10'000; ++i) beginnings.insert(parent.fork(i)());
    CHECK(beginnings.size() == 10'000);
}

TEST_CASE("a state can be written down and taken up again") {
    Generator generator = Generator(43).fork(5);
    for (int i = 0; i < 7; ++i) generator();
    const std::string state = generator.state();
    Generator restored = Generator::from_state(state);
    CHECK(restored == generator);
    CHECK(restored() == generator());
    CHECK(randn<double>({100}, restored) == randn<double>({100}, generator));
    CHECK(Generator(7).state() == "philox4x32-10 0000000000000007 0000000000000000 0");

    for (const char* wrong :
         {"", "mt19937", "philox4x32-10", "philox4x32-10 7 0 0", "philox4x32-10 0000000000000007 0000000000000000",
          "philox4x32-10 0000000000000007 0000000000000000 -1", "philox4x32-10 0000000000000007 0000000000000000 0 ",
          "philox4x32-10 0000000000000007 8000000000000000 0",
          "philox4x32-10 0000000000000007 0000000000000000 99999999999999999999999"}) {
        const std::string message = "Generator::from_state: \"" + std::string(wrong) +
                                    "\" is no state: expected \"philox4x32-10 KEY STREAM POSITION\"";
        CHECK_THROWS_WITH_AS(Generator::from_state(wrong), message.c_str(), ValueError);
    }
}

TEST_CASE("manual_seed begins the default generator of this thread anew") {
    manual_seed(7);
    const Array<double> first = randn<double>({5});
    const Array<double> second = randn<double>({5});
    CHECK_FALSE(first == second);
    manual_seed(7);
    CHECK(randn<double>({5}) == first);
    manual_seed(8);
    CHECK_FALSE(randn<double>({5}) == first);

    manual_seed(7);
    std::thread other([&] {
        manual_seed(7);
        CHECK(randn<double>({5}) == first);
        CHECK(randn<double>({5}) == second);
    });
    other.join();
    CHECK(randn<double>({5}) == first);
    manual_seed(0);
    CHECK(default_generator() == Generator(0));
}

TEST_CASE("ranges and probabilities that make no sense are refused") {
    Generator generator(47);
    const double nan = std::nan("");
    CHECK_THROWS_WITH_AS(generator.integer(0), "Generator::integer: n is 0, expected at least 1", ValueError);
    CHECK_THROWS_WITH_AS(generator.bernoulli(1.5), "Generator::bernoulli: p is 1.5: expected 0 to 1", ValueError);
    CHECK_THROWS_WITH_AS(bernoulli<float>({2}, nan, generator), "bernoulli: p is nan: expected 0 to 1", ValueError);
    CHECK_THROWS_WITH_AS(uniform<float>({2}, 1, 0, generator),
                         "uniform: the range is 1 to 0, expected two finite numbers in order", ValueError);
    CHECK_THROWS_WITH_AS(uniform<double>({2}, 0, HUGE_VAL, generator),
                         "uniform: the range is 0 to inf, expected two finite numbers in order", ValueError);
    CHECK_THROWS_WITH_AS(
        normal<double>({2}, 0, -1, generator),
        "normal: mean is 0 and standard_deviation is -1, expected finite numbers, the second not negative", ValueError);
    CHECK_THROWS_WITH_AS(randint({2}, 3, 3, generator), "randint: the range is 3 to 3, expected low < high",
                         ValueError);
    CHECK(generator == Generator(47));
}
