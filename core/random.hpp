#pragma once
/// Random numbers that are the same on every platform: same seed, same bits.
///
/// The engine is Philox 4x32 with 10 rounds (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3",
/// SC 2011), which encrypts a counter. So number n of a generator is a function of its key and n alone: a state is
/// three integers, skipping is free, a generator can be split into independent ones without drawing from it, and
/// numbers can be made many at a time. It passes TestU01's BigCrush.
///
/// Whatever is drawn, a uniform or a normal number, a float or a double, uses exactly one step of the engine. Hence
/// float arrays are the double arrays of the same seed, rounded (down, on [0, 1), where 1 must not be reached): a model
/// starts from the same weights in both precisions. Nothing here depends on the C library, on the standard library's
/// distributions or on fused multiply-add.

#include <ebb/core/array.hpp>
#include <ebb/core/shape.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace ebb {

/// A stream of random numbers. Small, copyable, and usable as an engine for <random> and std::shuffle. Not to be shared
/// by threads: give each its own by `fork`.
class Generator {
  public:
    using result_type = std::uint64_t;
    static constexpr result_type min() { return 0; }
    static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }

    explicit Generator(std::uint64_t seed = 0) noexcept : key_(seed) {}

    /// 64 random bits.
    std::uint64_t operator()();
    /// `count` times 64 random bits: the same as by so many calls of operator(), several times faster.
    void fill(std::uint64_t* numbers, std::size_t count);
    /// Goes on as if `count` more numbers had been drawn.
    void discard(std::uint64_t count) noexcept { position_ += count; }

    /// Evenly distributed on [0, 1): a multiple of 2^-53, of 2^-24 for float.
    template <class T = double>
    T uniform();
    /// Normally distributed, with mean 0 and variance 1; at most 8.3 away from 0. It is the uniform number of the same
    /// step put through the inverse of the normal distribution function, to 1e-14.
    template <class T = double>
    T normal();
    /// True with probability p. Throws ValueError unless 0 <= p <= 1.
    bool bernoulli(double p);
    /// One of 0, 1, ..., n - 1, each equally likely. Throws ValueError for n = 0.
    std::uint64_t integer(std::uint64_t n);
    /// The numbers 0, 1, ..., n - 1 in random order, each order equally likely.
    std::vector<std::size_t> permutation(std::size_t n);

    /// An independent generator, the same for the same `stream` however much was drawn from this one. Forks can be
    /// forked: by thread, by epoch, by example.
    Generator fork(std::uint64_t stream) const;

    /// The whole state in a line of text, for checkpoints.
    std::string state() const;
    /// The generator that `state` describes. Throws ValueError when it describes none.
    static Generator from_state(const std::string& state);

    bool operator==(const Generator& other) const noexcept {
        return key_ == other.key_ && stream_ == other.stream_ && position_ == other.position_;
    }

  private:
    std::uint64_t key_ = 0;
    std::uint64_t stream_ = 0;    // below 2^63; the upper half of the counter
    std::uint64_t position_ = 0;  // how many numbers were drawn
    // The two numbers of one block, so that one after the other does not compute it twice.
    std::uint64_t block_[2] = {};
    std::uint64_t block_index_ = std::numeric_limits<std::uint64_t>::max();
};

/// The calling thread's generator, which functions draw from that are given no other. Until it is seeded it is
/// `Generator(0)`, in every thread.
Generator& default_generator() noexcept;

/// Lets the calling thread's default generator begin anew: the same seed gives the same numbers.
void manual_seed(std::uint64_t seed) noexcept;

/// An array of numbers evenly distributed on [0, 1).
template <class T>
Array<T> rand(const Shape& shape, Generator& generator = default_generator());
/// An array of normally distributed numbers, with mean 0 and variance 1.
template <class T>
Array<T> randn(const Shape& shape, Generator& generator = default_generator());
/// An array of numbers evenly distributed on [low, high). Throws ValueError unless low <= high, both finite.
template <class T>
Array<T> uniform(const Shape& shape, double low, double high, Generator& generator = default_generator());
/// An array of normally distributed numbers. Throws ValueError unless both are finite and the deviation is not
/// negative.
template <class T>
Array<T> normal(const Shape& shape, double mean, double standard_deviation, Generator& generator = default_generator());
/// An array of ones, each with probability p, and zeros. Throws ValueError unless 0 <= p <= 1.
template <class T>
Array<T> bernoulli(const Shape& shape, double p, Generator& generator = default_generator());
/// An array of integers from low to high - 1, each equally likely. Throws ValueError unless low < high.
Array<std::int64_t> randint(const Shape& shape, std::int64_t low, std::int64_t high,
                            Generator& generator = default_generator());

/// Throws ValueError, naming `call` and p by its `name`, unless 0 <= p <= 1.
void check_probability(std::string_view call, double p, std::string_view name = "p");

// The same into memory that is already there.

template <class T>
void fill_uniform(T* values, std::size_t count, double low, double high, Generator& generator);
template <class T>
void fill_normal(T* values, std::size_t count, double mean, double standard_deviation, Generator& generator);
template <class T>
void fill_bernoulli(T* values, std::size_t count, double p, Generator& generator);

}  // namespace ebb
