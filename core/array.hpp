#pragma once
/// The one header over xtensor: nothing else in Ebb includes an xtensor header of arrays.
///
/// It does three things:
///  - finds the headers, which are flat up to xtensor 0.25 and sorted into folders after it;
///  - repairs xtensor 0.24 under g++ in C++20, where `xt::eval(a + b)` has the type `xtensor<T, 4>` (xtensor's #2774);
///  - refuses build flags that would change what `xt::xarray<float>` is, or what NaN means.

#if defined(__FAST_MATH__)
#error "Ebb must not be built with -ffast-math: with it, 1 / (1 + exp(-x)) is NaN for x below -88."
#endif

#if __has_include(<xtensor/containers/xarray.hpp>)
#include <xtensor/containers/xadapt.hpp>
#include <xtensor/containers/xarray.hpp>
#else
// The repair must stand between the traits and the containers that use them.
// clang-format off
#include <xtensor/xtensor_forward.hpp>
#include <xtensor/xstorage.hpp>
#include <xtensor/xexpression_traits.hpp>
#include <xtensor/xtensor_config.hpp>
// clang-format on
#if defined(__GNUC__) && !defined(__clang__) && __cplusplus > 201703L && XTENSOR_VERSION_MAJOR == 0 && \
    XTENSOR_VERSION_MINOR < 26
namespace xt::detail {
/// A shape type with a small-buffer size, `svector<T, N, A, Init>`, belongs to `xarray`: what xtensor says in C++17.
template <template <class, std::size_t, class, bool> class Shape, class Index, std::size_t N, class Allocator,
          bool Init>
struct xtype_for_shape<Shape<Index, N, Allocator, Init>> {
    template <class T, layout_type L>
    using type = xarray<T, L>;
};
}  // namespace xt::detail
#endif
#include <xtensor/xadapt.hpp>
#include <xtensor/xarray.hpp>
#endif

#include <type_traits>

static_assert(std::is_same_v<typename xt::detail::xtype_for_shape<xt::xarray<float>::shape_type>::template type<
                                 float, xt::layout_type::row_major>,
                             xt::xarray<float>>,
              "this pair of xtensor and compiler makes xt::eval return an array of the wrong type");
static_assert(std::is_same_v<xt::xarray<float>,
                             xt::xarray_container<xt::uvector<float, std::allocator<float>>, xt::layout_type::row_major,
                                                  xt::svector<std::size_t, 4, std::allocator<std::size_t>, true>>>,
              "build without XTENSOR_USE_XSIMD and without another default layout: they change what xt::xarray is");

namespace ebb {

/// What users hold, view and print: a row-major xtensor array.
template <class T>
using Array = xt::xarray<T>;

}  // namespace ebb
