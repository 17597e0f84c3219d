#pragma once

#include <ebb/autograd/parameter.hpp>

#include <string>
#include <vector>

namespace ebb {

/// |g|: the 2-norm of the gradients of all parameters, as of one long vector. It is summed in double, and neither
/// overflows nor underflows on the way; NaN or infinity where a gradient holds one.
///
/// Here and below a parameter that appears twice counts once, and frozen parameters do not count.
template <class T>
double grad_norm(const std::vector<Parameter<T>>& parameters);

struct ClipOptions {
    /// Throw ValueError, naming the first parameter at fault, where the norm is NaN or infinite.
    bool error_if_nonfinite = false;
};

/// Gradient clipping by norm (Pascanu, Mikolov, Bengio 2013, algorithm 1): with |g| the norm of all gradients together,
///
///     g <- g threshold / |g|    if |g| > threshold
///
/// The direction stays, the length is at most `max_norm`. Returns |g| from before. A norm that is NaN or infinite
/// leaves the gradients as they are. (torch.nn.utils.clip_grad_norm_ divides by |g| + 1e-6, and turns such gradients to
/// NaN.) Throws ValueError for a `max_norm` that is negative or NaN.
template <class T>
double clip_grad_norm(const std::vector<Parameter<T>>& parameters, double max_norm, ClipOptions options = {});

/// g_i <- min(max(g_i, -max_value), max_value), element by element: the direction changes (torch.nn.utils.
/// clip_grad_value_). NaN stays NaN. Throws ValueError for a `max_value` that is negative or NaN.
template <class T>
void clip_grad_value(const std::vector<Parameter<T>>& parameters, double max_value);

/// The first parameter whose gradient holds NaN or infinity, as "weight_hh_l0: nan at [0, 3]"; empty for none.
template <class T>
std::string first_nonfinite_gradient(const std::vector<Parameter<T>>& parameters);

}  // namespace ebb
