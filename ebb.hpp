#pragma once
/// All of Ebb: `#include <ebb/ebb.hpp>`.

#include <ebb/core/array.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/shape.hpp>
