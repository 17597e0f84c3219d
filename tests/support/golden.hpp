#pragma once
/// The golden files of tests/golden: cases of named arrays, and how close a result must come to them.

#include <ebb/core/array.hpp>
#include <ebb/core/safetensors.hpp>
#include <ebb/core/shape.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

/// The arrays of one case: inputs `x` and outputs `y` with their gradients `dx` and cotangents `dy`.
class GoldenCase {
  public:
    GoldenCase(const ebb::ArrayFile& file, std::string name) : file_(file), name_(std::move(name)) {}

    const std::string& name() const { return name_; }
    bool has(const std::string& array) const { return file_.contains(name_ + "/" + array); }
    const ebb::Array<double>& operator[](const std::string& array) const { return get<double>(array); }
    const ebb::Array<std::int64_t>& integers(const std::string& array) const { return get<std::int64_t>(array); }
    ebb::Shape shape(const std::string& array) const { return ebb::Shape::of((*this)[array].shape()); }

  private:
    template <class E>
    const ebb::Array<E>& get(const std::string& array) const {
        return file_.get<E>(name_ + "/" + array);
    }

    const ebb::ArrayFile& file_;
    std::string name_;
};

/// One file of tests/golden. What is missing throws, which fails the test.
class GoldenFile {
  public:
    explicit GoldenFile(const std::string& topic)
        : file_(ebb::load_safetensors(fmt::format("{}/{}.safetensors", EBB_GOLDEN_DIR, topic))) {}

    /// The cases whose names begin so. Throws where there is none: no test passes by comparing nothing.
    std::vector<GoldenCase> cases(const std::string& prefix) const {
        std::vector<GoldenCase> result;
        for (const auto& [name, array] : file_.arrays) {  // sorted by name
            const std::string key = name.substr(0, name.rfind('/'));
            if (name.starts_with(prefix) && (result.empty() || result.back().name() != key))
                result.emplace_back(file_, key);
        }
        if (result.empty()) throw std::runtime_error(file_.path + ": no case begins with " + prefix);
        return result;
    }
    GoldenCase one(const std::string& name) const { return cases(name + "/").at(0); }

  private:
    ebb::ArrayFile file_;
};

/// Whether `actual` has the shape of `expected` and each element is within relative |e| + absolute, told in a sentence:
/// empty where it is so.
template <class Actual, class Expected>
std::string difference(const Actual& actual, const Expected& expected, double relative, double absolute) {
    const auto actual_shape = ebb::Shape::of(actual.shape()), expected_shape = ebb::Shape::of(expected.shape());
    if (!(actual_shape == expected_shape))
        return fmt::format("shape is {}, expected {}", to_string(actual_shape), to_string(expected_shape));
    auto a = actual.begin();
    std::size_t position = 0;
    for (const double e : expected) {
        // Written so that NaN is a difference, unless it is expected.
        const double value = static_cast<double>(*a++);
        if (!(std::abs(value - e) <= relative * std::abs(e) + absolute) && !(std::isnan(value) && std::isnan(e)))
            return fmt::format("element {} is {:.17g}, expected {:.17g}: off by {:.2e}", position, value, e,
                               std::abs(value - e));
        ++position;
    }
    return {};
}

/// A value of a golden case: 1e-12.
template <class Actual>
void check_value(const GoldenCase& golden, const std::string& array, const Actual& actual) {
    const std::string found = difference(actual, golden[array], 1e-12, 1e-12);
    CHECK_MESSAGE(found.empty(), golden.name(), ": ", array, ": ", found);
}

/// The gradient of `array`: 1e-10 of each element; what cancels to nearly nothing, 1e-14 of the largest.
template <class Actual>
void check_gradient(const GoldenCase& golden, const std::string& array, const Actual& actual) {
    const ebb::Array<double> expected = golden["d" + array];
    double largest = 0;
    for (const double e : expected) largest = std::max(largest, std::abs(e));
    const std::string found = difference(actual, expected, 1e-10, 1e-14 * largest);
    CHECK_MESSAGE(found.empty(), golden.name(), ": d", array, ": ", found);
}
