#include <ebb/core/index_text.hpp>

namespace ebb {

std::string index_text(std::size_t flat, const Shape& shape) {
    Shape index = shape;
    for (std::size_t axis = shape.rank(); axis-- > 0; flat /= shape[axis]) index[axis] = flat % shape[axis];
    return to_string(index);
}

}  // namespace ebb
