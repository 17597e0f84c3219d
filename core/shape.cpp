#include <ebb/core/error.hpp>
#include <ebb/core/shape.hpp>

#include <fmt/format.h>

namespace ebb {

void Shape::fail_for_rank() {
    fail<ShapeError>(fmt::format("Shape: an array has at most {} axes", max_rank));
}

Shape Shape::inserted(std::size_t axis, std::size_t extent) const {
    Shape result;
    for (std::size_t i = 0; i < axis; ++i) result.push_back(extents_[i]);
    result.push_back(extent);
    for (std::size_t i = axis; i < rank_; ++i) result.push_back(extents_[i]);
    return result;
}

Shape Shape::erased(std::size_t axis) const {
    Shape result;
    for (std::size_t i = 0; i < rank_; ++i)
        if (i != axis) result.push_back(extents_[i]);
    return result;
}

std::string to_string(const Shape& shape) {
    return fmt::format("[{}]", fmt::join(shape.begin(), shape.end(), ", "));
}

Shape broadcast_shape(const char* call, const Shape& a, const Shape& b) {
    const Shape& longer = a.rank() >= b.rank() ? a : b;
    const Shape& shorter = a.rank() >= b.rank() ? b : a;
    Shape result = longer;
    const std::size_t offset = longer.rank() - shorter.rank();
    for (std::size_t axis = 0; axis < shorter.rank(); ++axis) {
        const std::size_t m = longer[offset + axis];
        const std::size_t n = shorter[axis];
        if (m != n && m != 1 && n != 1) {
            const bool a_is_longer = &longer == &a;
            fail<ShapeError>(
                fmt::format("{}: shapes {} and {} do not broadcast: extents {} and {} differ and neither is 1", call,
                            to_string(a), to_string(b), a_is_longer ? m : n, a_is_longer ? n : m));
        }
        result[offset + axis] = m == 1 ? n : m;
    }
    return result;
}

bool broadcasts_to(const Shape& from, const Shape& to) noexcept {
    if (from.rank() > to.rank()) return false;
    const std::size_t offset = to.rank() - from.rank();
    for (std::size_t axis = 0; axis < from.rank(); ++axis)
        if (from[axis] != 1 && from[axis] != to[offset + axis]) return false;
    return true;
}

std::size_t normalized_axis(const char* call, std::ptrdiff_t axis, std::size_t rank) {
    const auto signed_rank = static_cast<std::ptrdiff_t>(rank);
    if (axis < -signed_rank || axis >= signed_rank)
        fail<IndexError>(rank == 0 ? fmt::format("{}: axis {} of a scalar, which has no axes", call, axis)
                                   : fmt::format("{}: axis {} of an array with {} axes: expected {} to {}", call, axis,
                                                 rank, -signed_rank, signed_rank - 1));
    return static_cast<std::size_t>(axis < 0 ? axis + signed_rank : axis);
}

}  // namespace ebb
