#pragma once
/// All operations on variables.

#include <ebb/autograd/operations/elementwise.hpp>
#include <ebb/autograd/operations/linear_algebra.hpp>
#include <ebb/autograd/operations/reductions.hpp>
#include <ebb/autograd/operations/shape_operations.hpp>
