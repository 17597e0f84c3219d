#pragma once
/// The extents of an array, kept in place: shapes are made for every node of a tape, so they must not allocate.

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace ebb {

/// The extents of an array, at most 8 of them; `{}` is the shape of a scalar (0-d).
class Shape {
  public:
    static constexpr std::size_t max_rank = 8;

    constexpr Shape() = default;
    /// Throws ShapeError for more than 8 extents.
    Shape(std::initializer_list<std::size_t> extents) : Shape(extents.begin(), extents.end()) {}
    template <class Iterator>
    Shape(Iterator first, Iterator last) {
        for (; first != last; ++first) push_back(static_cast<std::size_t>(*first));
    }
    /// From anything with begin() and end(): `Shape::of(array.shape())`.
    template <class Range>
    static Shape of(const Range& extents) {
        return Shape(extents.begin(), extents.end());
    }

    std::size_t rank() const noexcept { return rank_; }
    bool is_scalar() const noexcept { return rank_ == 0; }
    /// The number of elements: the product of the extents; 1 for a scalar.
    std::size_t size() const noexcept {
        std::size_t product = 1;
        for (std::size_t axis = 0; axis < rank_; ++axis) product *= extents_[axis];
        return product;
    }

    std::size_t operator[](std::size_t axis) const noexcept { return extents_[axis]; }
    std::size_t& operator[](std::size_t axis) noexcept { return extents_[axis]; }
    std::size_t front() const noexcept { return extents_[0]; }
    std::size_t back() const noexcept { return extents_[rank_ - 1]; }
    const std::size_t* begin() const noexcept { return extents_.data(); }
    const std::size_t* end() const noexcept { return extents_.data() + rank_; }

    /// Appends an extent. Throws ShapeError when there are 8 already.
    void push_back(std::size_t extent) {
        if (rank_ == max_rank) fail_for_rank();
        extents_[rank_++] = extent;
    }
    /// The same extents with `extent` inserted before `axis`.
    Shape inserted(std::size_t axis, std::size_t extent) const;
    /// The same extents without `axis`.
    Shape erased(std::size_t axis) const;

    bool operator==(const Shape& other) const noexcept {
        if (rank_ != other.rank_) return false;
        for (std::size_t axis = 0; axis < rank_; ++axis)
            if (extents_[axis] != other.extents_[axis]) return false;
        return true;
    }

  private:
    [[noreturn]] static void fail_for_rank();

    std::array<std::size_t, max_rank> extents_{};
    std::size_t rank_ = 0;
};

/// As Python prints a list: "[3, 4]", "[]" for a scalar.
std::string to_string(const Shape& shape);

/// NumPy's broadcasting rule: aligned from the right, extents are equal or one of them is 1.
/// Throws ShapeError, naming `call`, when they are not.
Shape broadcast_shape(const char* call, const Shape& a, const Shape& b);
/// Whether an array of shape `from` is repeated to `to` by that rule: `to` is what the two broadcast to.
bool broadcasts_to(const Shape& from, const Shape& to) noexcept;

/// `axis` counted from the front: -1 is the last one. Throws IndexError, naming `call`, when `rank` has no such axis.
std::size_t normalized_axis(const char* call, std::ptrdiff_t axis, std::size_t rank);

}  // namespace ebb
