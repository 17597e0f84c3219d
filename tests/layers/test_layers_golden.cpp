/// Linear against PyTorch's.

#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/layers/linear.hpp>

#include <cstddef>
#include <vector>

#include "support/golden.hpp"
#include <doctest/doctest.h>

using namespace ebb;

TEST_CASE("Linear is PyTorch's, for any leading axes") {
    const GoldenFile file("layers");
    for (const GoldenCase& golden : file.cases("linear/")) {
        const Linear<double> layer({.in_features = golden.shape("weight")[1],
                                    .out_features = golden.shape("weight")[0],
                                    .bias = golden.has("bias")});
        for (auto [name, parameter] : layer.named_parameters()) parameter.set_value(golden[name]);
        Tape<double> tape;
        const auto x = tape.variable(golden["x"]);
        const auto y = layer(x);
        check_value(golden, "y", y.value());
        tape.backward(sum(y * tape.constant(golden["dy"])));
        check_gradient(golden, "x", x.grad());
        for (const auto& [name, parameter] : layer.named_parameters()) check_gradient(golden, name, parameter.grad());
    }
}
