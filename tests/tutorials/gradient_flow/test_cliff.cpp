#include <cmath>
#include <cstddef>

#include "gradient_flow/cliff.hpp"
#include <doctest/doctest.h>

TEST_CASE("the cliff is that of the map x -> w sigmoid(x) + b, iterated fifty times") {
    const ebb::inspect::LossSurface surface = lab::cliff();
    double wall = 0;
    for (std::size_t i = 0; i < surface.beta.size(); ++i)
        for (std::size_t j = 0; j < surface.alpha.size(); ++j) {
            double x = 0.5;
            for (int t = 0; t < 50; ++t) x = surface.alpha[j] / (1 + std::exp(-x)) + surface.beta[i];
            CHECK(surface(i, j) == doctest::Approx(std::pow(1 / (1 + std::exp(-x)) - 0.7, 2)).epsilon(1e-9));
            if (i > 0) wall = std::max(wall, std::abs(surface(i, j) - surface(i - 1, j)));
        }
    // From one plateau to the other within a point of the grid: nearly all that the loss ever changes.
    CHECK(wall > 0.3);
    CHECK_NOTHROW(ebb::inspect::check("draw", lab::cliff_map()));
}
