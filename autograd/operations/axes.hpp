#pragma once

#include <ebb/core/shape.hpp>

#include <array>
#include <cstddef>
#include <initializer_list>
#include <vector>

namespace ebb {

/// Axes of an array, negative ones counted from the end; kept in place, so that naming them does not allocate.
class Axes {
  public:
    Axes() = default;
    /// Throws ShapeError for more axes than an array can have.
    Axes(std::initializer_list<std::ptrdiff_t> axes);
    explicit Axes(const std::vector<std::ptrdiff_t>& axes);

    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    const std::ptrdiff_t* begin() const noexcept { return axes_.data(); }
    const std::ptrdiff_t* end() const noexcept { return axes_.data() + size_; }
    void append(std::ptrdiff_t axis);

  private:
    std::array<std::ptrdiff_t, Shape::max_rank> axes_{};
    std::size_t size_ = 0;
};

}  // namespace ebb
