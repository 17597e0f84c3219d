#pragma once
/// Why gradients are clipped: a cliff in the loss of the smallest recurrent network.

#include <ebb/inspect/figure.hpp>
#include <ebb/inspect/loss_surface.hpp>

namespace lab {

/// The network of one unit of Pascanu, Mikolov, Bengio 2013, sect. 2.3 and figure 6: x_t = w sigmoid(x_{t-1}) + b from
/// x_0 = 0.5, and L = (sigmoid(x_50) - 0.7)^2, over w (alpha) and b (beta).
ebb::inspect::LossSurface cliff();

ebb::inspect::HeatMap cliff_map();

}  // namespace lab
