#include <ebb/core/print_array.hpp>

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <vector>

#include <fmt/format.h>

namespace ebb::detail {
namespace {

/// How many elements are shown at each end of an axis of a large array.
constexpr std::size_t ends = 3;

std::vector<std::size_t> shown_positions(std::size_t extent, bool only_ends) {
    std::vector<std::size_t> positions;
    for (std::size_t k = 0; k < extent; ++k)
        if (!only_ends || k < ends || k >= extent - std::min(ends, extent)) positions.push_back(k);
    return positions;
}

/// How all elements of an array are written.
struct Notation {
    bool scientific = false;
    std::size_t decimals = 0;

    template <class T>
    std::string operator()(T number) const {
        if constexpr (std::is_integral_v<T>) {
            return fmt::to_string(number);
        } else {
            // Neither a zero nor a NaN has a sign to a reader.
            if (std::isnan(number)) return "nan";
            const std::string text = scientific ? fmt::format("{:.{}e}", number + T(0), decimals)
                                                : fmt::format("{:.{}f}", number + T(0), decimals);
            const bool is_zero = text.find_first_of("123456789anif") == std::string::npos;
            return is_zero && text[0] == '-' ? text.substr(1) : text;
        }
    }
};

template <class T>
Notation notation_for(const std::vector<T>& numbers, std::size_t decimals) {
    Notation notation;
    if constexpr (!std::is_integral_v<T>) {
        const double smallest = 0.5 * std::pow(10.0, -static_cast<double>(decimals));
        std::vector<double> finite;
        for (const T number : numbers)
            if (std::isfinite(number)) finite.push_back(static_cast<double>(number));
        for (const double number : finite)
            notation.scientific |= std::abs(number) >= 1e5 || (number != 0 && std::abs(number) < smallest);
        for (const double number : finite) {
            std::string text = Notation{notation.scientific, decimals}(number);
            text = text.substr(0, text.find('e'));
            if (const std::size_t point = text.find('.'); point != std::string::npos)
                notation.decimals = std::max(notation.decimals, text.find_last_not_of('0') - point);
        }
    }
    return notation;
}

template <class T>
class Printer {
  public:
    Printer(const T* data, const Shape& shape, const PrintArrayOptions& options)
        : data_(data), shape_(shape), only_ends_(shape.size() > options.max_elements) {
        if (shape_.size() > 0) collect(0, 0);
        const Notation notation = notation_for(numbers_, options.decimals);
        for (const T number : numbers_) {
            texts_.push_back(notation(number));
            width_ = std::max(width_, texts_.back().size());
        }
    }

    std::string text() {
        if (shape_.size() == 0) return shape_.rank() == 1 ? "[]" : "[] of shape " + to_string(shape_);
        if (shape_.is_scalar()) return texts_[0];
        write(0);
        return std::move(text_);
    }

  private:
    /// The shown elements, in order.
    void collect(std::size_t axis, std::size_t offset) {
        if (axis == shape_.rank()) {
            numbers_.push_back(data_[offset]);
            return;
        }
        for (const std::size_t k : shown_positions(shape_[axis], only_ends_))
            collect(axis + 1, offset * shape_[axis] + k);
    }

    void write(std::size_t axis) {
        if (axis == shape_.rank()) {
            const std::string& text = texts_[next_++];
            text_ += std::string(width_ - text.size(), ' ') + text;
            return;
        }
        // Rows stand under each other, matrices are parted by an empty line, and so on.
        const std::size_t below = shape_.rank() - 1 - axis;
        const std::string separator = below == 0 ? ", " : "," + std::string(below, '\n') + std::string(axis + 1, ' ');
        text_ += '[';
        std::size_t expected = 0;
        for (const std::size_t k : shown_positions(shape_[axis], only_ends_)) {
            if (k > 0) text_ += separator;
            if (k != expected) text_ += "..." + separator;
            write(axis + 1);
            expected = k + 1;
        }
        text_ += ']';
    }

    const T* data_;
    const Shape& shape_;
    bool only_ends_;
    std::vector<T> numbers_;
    std::vector<std::string> texts_;
    std::size_t width_ = 0, next_ = 0;
    std::string text_;
};

}  // namespace

template <class T>
std::string array_to_string(const T* data, const Shape& shape, const PrintArrayOptions& options) {
    return Printer<T>(data, shape, options).text();
}

template std::string array_to_string(const float*, const Shape&, const PrintArrayOptions&);
template std::string array_to_string(const double*, const Shape&, const PrintArrayOptions&);
template std::string array_to_string(const std::int64_t*, const Shape&, const PrintArrayOptions&);

}  // namespace ebb::detail
