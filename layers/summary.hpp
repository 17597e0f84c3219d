#pragma once

#include <ebb/layers/module.hpp>

#include <string>

namespace ebb {

/// A model as a table: a line for each module, one for each of its parameters with its shape and how many numbers it
/// holds, and the sums below. A parameter that stands in several places counts once.
///
///     module            type, shape  parameters
///     -----------------------------------------
///     Model             Model
///       embedding       Embedding
///         weight        [80, 16]          1,280
///       decoder         Linear
///         weight        [80, 16]          1,280
///         bias          [80]                 80
///     -----------------------------------------
///     trainable                           2,640
template <class T>
std::string summary(const Module<T>& model);

}  // namespace ebb
