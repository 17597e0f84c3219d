#include "gradient_flow/cliff.hpp"

#include <ebb/autograd/grad_mode.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/inspect/flow_figures.hpp>

#include <vector>

namespace lab {

ebb::inspect::LossSurface cliff() {
    // At 0, so that a step along a direction is the weight itself.
    const std::vector<ebb::Parameter<double>> weights{{"w", ebb::Array<double>{0.0}}, {"b", ebb::Array<double>{0.0}}};
    ebb::Tape<double> tape;
    const auto loss = [&] {
        const ebb::NoGrad off;
        tape.clear();
        ebb::Variable<double> x = tape.full({1}, 0.5);
        for (int t = 0; t < 50; ++t) x = weights[0] * sigmoid(x) + weights[1];
        const ebb::Variable<double> error = sigmoid(x) - 0.7;
        return sum(error * error).item();
    };
    return ebb::inspect::loss_surface(loss, weights, ebb::inspect::element_direction(weights, 0, 0),
                                      ebb::inspect::element_direction(weights, 1, 0),
                                      {.alpha_low = 4.5,
                                       .alpha_high = 7,
                                       .beta_low = -3.4,
                                       .beta_high = -2.2,
                                       .alpha_points = 101,
                                       .beta_points = 121});
}

ebb::inspect::HeatMap cliff_map() {
    ebb::inspect::HeatMap map = ebb::inspect::loss_surface_map(cliff());
    map.title = "The cliff: why gradients are clipped";
    map.x = {.label = "w"};
    map.y = {.label = "b"};
    map.caption =
        "The loss of a network of one unit, xₜ = w σ(xₜ₋₁) + b, over its two weights: L = (σ(x₅₀) − 0.7)², from "
        "x₀ = 0.5 (Pascanu et al. 2013, figure 6). It is flat on either side of a wall, at which the gradient is "
        "explosive: a step along it lands far away, and clipping its norm keeps the direction and not the length.";
    return map;
}

}  // namespace lab
