#pragma once
/// Seeded arrays for tests: the same numbers with every standard library.

#include <ebb/autograd/operation_info.hpp>
#include <ebb/core/array.hpp>
#include <ebb/core/shape.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <random>
#include <utility>
#include <vector>

namespace ebb::test {

class RandomArrays {
  public:
    explicit RandomArrays(std::uint64_t seed) : engine_(seed) {}

    /// In [0, 1).
    double uniform() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }
    /// In [0, bound).
    std::size_t below(std::size_t bound) { return static_cast<std::size_t>(engine_() % bound); }
    bool coin() { return (engine_() & 1) != 0; }

    /// Numbers of the domain, and far enough from its borders for a difference quotient.
    Array<double> array(const Shape& shape, Domain domain = Domain::real) {
        return std::move(arrays({shape}, domain).front());
    }

    /// Several arrays at once; of Domain::distinct no two numbers in all of them are of equal or nearly equal
    /// magnitude.
    std::vector<Array<double>> arrays(const std::vector<Shape>& shapes, Domain domain = Domain::real) {
        std::size_t total = 0;
        for (const Shape& shape : shapes) total += shape.size();
        std::vector<double> values(total);
        for (std::size_t k = 0; k < total; ++k) {
            const double sign = coin() ? 1 : -1;
            switch (domain) {
                case Domain::real:
                    values[k] = 4 * uniform() - 2;
                    break;
                case Domain::positive:
                    values[k] = 0.3 + 2 * uniform();
                    break;
                case Domain::nonzero:
                    values[k] = sign * (0.3 + 2 * uniform());
                    break;
                case Domain::open_unit:
                    values[k] = 0.1 + 0.8 * uniform();
                    break;
                case Domain::distinct:
                    values[k] =
                        sign * 2 * (static_cast<double>(k) + 0.75 + 0.5 * uniform()) / static_cast<double>(total + 1);
                    break;
            }
        }
        for (std::size_t k = total; k > 1; --k) std::swap(values[k - 1], values[below(k)]);

        std::vector<Array<double>> result;
        std::size_t next = 0;
        for (const Shape& shape : shapes) {
            result.push_back(Array<double>::from_shape(std::vector<std::size_t>(shape.begin(), shape.end())));
            for (double& v : result.back()) v = values[next++];
        }
        return result;
    }

    /// Indices in [0, bound).
    Array<std::int64_t> indices(const Shape& shape, std::size_t bound) {
        Array<std::int64_t> result =
            Array<std::int64_t>::from_shape(std::vector<std::size_t>(shape.begin(), shape.end()));
        for (std::int64_t& v : result) v = static_cast<std::int64_t>(below(bound));
        return result;
    }

    /// A shape of `rank` axes with extents from 1 to `largest`.
    Shape shape(std::size_t rank, std::size_t largest) {
        Shape result;
        for (std::size_t axis = 0; axis < rank; ++axis) result.push_back(1 + below(largest));
        return result;
    }

  private:
    std::mt19937_64 engine_;
};

/// The numbers in this shape: `Array<double>{{1}}` is ambiguous.
inline Array<double> array_of(const Shape& shape, std::initializer_list<double> numbers) {
    Array<double> result = Array<double>::from_shape(std::vector<std::size_t>(shape.begin(), shape.end()));
    std::copy(numbers.begin(), numbers.end(), result.data());
    return result;
}

/// The same numbers as floats.
inline Array<float> to_float(const Array<double>& x) {
    Array<float> result = Array<float>::from_shape(x.shape());
    for (std::size_t k = 0; k < x.size(); ++k) result.data()[k] = static_cast<float>(x.data()[k]);
    return result;
}

}  // namespace ebb::test
