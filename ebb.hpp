#pragma once
/// All of Ebb: `#include <ebb/ebb.hpp>`.

#include <ebb/autograd/grad_mode.hpp>
#include <ebb/autograd/gradcheck.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/parameter.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/autograd/variable.hpp>
#include <ebb/core/array.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/random.hpp>
#include <ebb/core/shape.hpp>
#include <ebb/inspect/gradient_flow.hpp>
#include <ebb/layers/linear.hpp>
#include <ebb/layers/module.hpp>
#include <ebb/layers/recurrent_cells.hpp>
#include <ebb/layers/recurrent_layers.hpp>
#include <ebb/optim/adam.hpp>
#include <ebb/optim/clip.hpp>
#include <ebb/optim/optimizer.hpp>
#include <ebb/optim/sgd.hpp>
