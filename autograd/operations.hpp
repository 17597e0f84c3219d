#pragma once
/// All operations on variables.

#include <ebb/autograd/operations/dropout.hpp>
#include <ebb/autograd/operations/einsum.hpp>
#include <ebb/autograd/operations/elementwise.hpp>
#include <ebb/autograd/operations/indexing.hpp>
#include <ebb/autograd/operations/linear_algebra.hpp>
#include <ebb/autograd/operations/losses.hpp>
#include <ebb/autograd/operations/reductions.hpp>
#include <ebb/autograd/operations/shape_operations.hpp>
#include <ebb/autograd/operations/softmax.hpp>
