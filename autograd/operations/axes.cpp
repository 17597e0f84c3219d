#include <ebb/autograd/operations/axes.hpp>
#include <ebb/core/error.hpp>

#include <fmt/format.h>

namespace ebb {

void Axes::append(std::ptrdiff_t axis) {
    if (size_ == axes_.size()) fail<ShapeError>(fmt::format("Axes: an array has at most {} axes", Shape::max_rank));
    axes_[size_++] = axis;
}

Axes::Axes(std::initializer_list<std::ptrdiff_t> axes) {
    for (const std::ptrdiff_t axis : axes) append(axis);
}

Axes::Axes(const std::vector<std::ptrdiff_t>& axes) {
    for (const std::ptrdiff_t axis : axes) append(axis);
}

}  // namespace ebb
