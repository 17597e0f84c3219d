#include <ebb/core/random.hpp>

#include <random>
#include <vector>

namespace ebb {
namespace {
thread_local std::mt19937_64 engine;
}

void manual_seed(std::uint64_t seed) {
    engine.seed(seed);
}

template <class T>
Array<T> uniform(const Shape& shape, T low, T high) {
    Array<T> result = Array<T>::from_shape(std::vector<std::size_t>(shape.begin(), shape.end()));
    for (T& v : result) v = low + (high - low) * static_cast<T>(static_cast<double>(engine() >> 11) * 0x1p-53);
    return result;
}

template Array<float> uniform(const Shape&, float, float);
template Array<double> uniform(const Shape&, double, double);

}  // namespace ebb
