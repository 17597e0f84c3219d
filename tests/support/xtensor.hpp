#pragma once
/// What tests need of xtensor beyond <ebb/core/array.hpp>: printing, mathematics, views. The headers are flat up to
/// xtensor 0.25 and sorted into folders after it.

#include <ebb/core/array.hpp>

#if __has_include(<xtensor/core/xmath.hpp>)
#include <xtensor/core/xmath.hpp>
#include <xtensor/io/xio.hpp>
#include <xtensor/views/xview.hpp>
#else
#include <xtensor/xio.hpp>
#include <xtensor/xmath.hpp>
#include <xtensor/xview.hpp>
#endif
