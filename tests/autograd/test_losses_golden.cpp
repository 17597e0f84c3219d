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
            const bool smoothed = golden.has("label_smoothing");
            if (smoothed && !fused) continue;
            CrossEntropyOptions<double> options{.reduction = reduction_of(golden)};
            if (golden.has("ignore_index")) options.ignore_index = golden.integers("ignore_index")();
            if (golden.has("weight")) options.weight = golden["weight"];
            if (smoothed) options.label_smoothing = golden["label_smoothing"]();
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

TEST_CASE("losses of a difference are PyTorch's, for both of their operands, also where these are equal") {
    const GoldenFile file("losses");
    for (const std::string kind : {"mse_loss", "l1_loss", "huber_loss"})
        for (const GoldenCase& golden : file.cases(kind + "/")) {
            Tape<double> tape;
            const auto input = tape.variable(golden["input"]), target = tape.variable(golden["target"]);
            const Reduction reduction = reduction_of(golden);
            const auto loss = kind == "mse_loss" ? mse_loss(input, target, reduction)
                              : kind == "l1_loss"
                                  ? l1_loss(input, target, reduction)
                                  : huber_loss(input, target, {.delta = golden["delta"](), .reduction = reduction});
            check_value(golden, "loss", loss.value());
            tape.backward(loss, golden["dloss"]);
            check_gradient(golden, "input", input.grad());
            check_gradient(golden, "target", target.grad());
        }
}

TEST_CASE("nll_loss and binary_cross_entropy_with_logits are PyTorch's, with weights") {
    const GoldenFile file("losses");
    const auto compare = [](const GoldenCase& golden, auto f) {
        Tape<double> tape;
        const auto logits = tape.variable(golden["logits"]);
        const auto loss = f(tape, logits);
        check_value(golden, "loss", loss.value());
        tape.backward(loss, golden["dloss"]);
        check_gradient(golden, "logits", logits.grad());
    };
    for (const GoldenCase& golden : file.cases("nll_loss/"))
        compare(golden, [&](Tape<double>&, const Variable<double>& x) {
            return nll_loss(x, golden.integers("target"),
                            {.reduction = reduction_of(golden), .weight = golden["weight"]});
        });
    for (const GoldenCase& golden : file.cases("binary_cross_entropy_with_logits/"))
        compare(golden, [&](Tape<double>& tape, const Variable<double>& x) {
            BinaryCrossEntropyOptions<double> options{.reduction = reduction_of(golden)};
            if (golden.has("weight")) options.weight = golden["weight"];
            if (golden.has("pos_weight")) options.positive_weight = golden["pos_weight"];
            return binary_cross_entropy_with_logits(x, tape.constant(golden["target"]), options);
        });
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
