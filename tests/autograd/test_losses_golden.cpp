/// Losses, and rows picked by number, against PyTorch's.

#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/operations/indexing.hpp>
#include <ebb/autograd/operations/losses.hpp>
#include <ebb/autograd/tape.hpp>

#include "support/golden.hpp"
#include <doctest/doctest.h>

using namespace ebb;

namespace {

Reduction reduction_of(const GoldenCase& golden) {
    if (golden.name().ends_with("_sum")) return Reduction::sum;
    if (golden.name().ends_with("_none")) return Reduction::none;
    REQUIRE(golden.name().ends_with("_mean"));
    return Reduction::mean;
}

}  // namespace

TEST_CASE("cross_entropy and nll_loss are PyTorch's: reductions, ignored targets, weights, logits of a thousand") {
    const GoldenFile file("losses");
    for (const GoldenCase& golden : file.cases("cross_entropy/"))
        for (const bool fused : {true, false}) {
            CAPTURE(fused);
            CrossEntropyOptions<double> options{.reduction = reduction_of(golden)};
            if (golden.has("ignore_index")) options.ignore_index = golden.integers("ignore_index")();
            if (golden.has("weight")) options.weight = golden["weight"];
            const Indices& target = golden.integers("target");
            Tape<double> tape;
            const auto logits = tape.variable(golden["logits"]);
            const auto loss = fused ? cross_entropy(logits, target, options)
                                    : nll_loss(log_softmax(logits, -1), target,
                                               {.reduction = options.reduction,
                                                .ignore_index = options.ignore_index,
                                                .weight = options.weight});
            check_value(golden, "loss", loss.value());
            tape.backward(loss, golden["dloss"]);
            check_gradient(golden, "logits", logits.grad());
        }
}

TEST_CASE("mse_loss is PyTorch's, for both of its operands") {
    const GoldenFile file("losses");
    for (const GoldenCase& golden : file.cases("mse_loss/")) {
        Tape<double> tape;
        const auto input = tape.variable(golden["input"]), target = tape.variable(golden["target"]);
        const auto loss = mse_loss(input, target, reduction_of(golden));
        check_value(golden, "loss", loss.value());
        tape.backward(loss, golden["dloss"]);
        check_gradient(golden, "input", input.grad());
        check_gradient(golden, "target", target.grad());
    }
}

TEST_CASE("index_select is PyTorch's embedding: an index that comes twice adds up") {
    const GoldenFile file("layers");
    for (const GoldenCase& golden : file.cases("embedding/")) {
        Tape<double> tape;
        const auto weight = tape.variable(golden["weight"]);
        const auto y = index_select(weight, golden.integers("indices"));
        check_value(golden, "y", y.value());
        tape.backward(y, golden["dy"]);
        check_gradient(golden, "weight", weight.grad());
    }
}
