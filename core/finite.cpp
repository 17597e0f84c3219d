#include <ebb/core/error.hpp>
#include <ebb/core/finite.hpp>
#include <ebb/core/index_text.hpp>
#include <ebb/core/shape.hpp>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace ebb {

template <class T>
void check_finite(std::string_view call, std::string_view name, const Array<T>& array) {
    const T* const end = array.data() + array.size();
    const T* const wrong = std::find_if_not(array.data(), end, [](T v) { return std::isfinite(v); });
    if (wrong == end) return;
    const T shown = std::isnan(*wrong) ? std::abs(*wrong) : *wrong;  // a NaN may have a sign, which means nothing
    fail<ValueError>(fmt::format("{}: {} holds {} at {}: expected finite numbers", call, name, shown,
                                 index_text(static_cast<std::size_t>(wrong - array.data()), Shape::of(array.shape()))));
}

template void check_finite(std::string_view, std::string_view, const Array<float>&);
template void check_finite(std::string_view, std::string_view, const Array<double>&);

}  // namespace ebb
