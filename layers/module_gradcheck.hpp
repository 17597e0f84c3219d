#pragma once

#include <ebb/autograd/gradcheck.hpp>
#include <ebb/core/array.hpp>
#include <ebb/layers/module.hpp>

#include <vector>

namespace ebb {

/// `gradcheck` of a model: compares the derivatives of f with central differences, with respect to its inputs and to
/// every parameter of `model` that is not frozen.
///
///     gradcheck(lstm, [&](const auto& in) { return lstm(in[0]).output; }, {x})
///
/// f must give the same value each time: turn dropout off first. In the report, parameters count on after the inputs.
/// The model's values and gradients are afterwards as before.
GradCheckReport gradcheck(const Module<double>& model, const CheckedFunction& f,
                          const std::vector<Array<double>>& inputs, const GradCheckOptions& options = {});

}  // namespace ebb
