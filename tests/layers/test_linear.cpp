#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>
#include <ebb/layers/embedding.hpp>
#include <ebb/layers/linear.hpp>

#include "layers/module_gradcheck.hpp"
#include <doctest/doctest.h>

using namespace ebb;

TEST_CASE("Linear refuses an input of another size, and leaves the tape as it was") {
    const Linear<double> layer({.in_features = 3, .out_features = 5, .name = "readout"});
    Tape<double> tape;
    const auto x = tape.zeros({4, 7});
    CHECK_THROWS_WITH_AS(layer(x),
                         "Linear: x is [4, 7], weight is [5, 3]: expected 3 as the last extent of x\n"
                         "  while running readout (Linear)",
                         ShapeError);
    CHECK(tape.size() == 1);
}

TEST_CASE("Linear refuses a scalar") {
    const Linear<double> layer({.in_features = 1, .out_features = 5});
    Tape<double> tape;
    CHECK_THROWS_WITH_AS(layer(tape.scalar(1)),
                         "Linear: x is [], weight is [5, 1]: expected 1 as the last extent of x\n"
                         "  while running Linear",
                         ShapeError);
}

TEST_CASE("Linear refuses a size of 0") {
    CHECK_THROWS_WITH_AS(Linear<double>({.in_features = 0, .out_features = 5}),
                         "Linear: in_features is 0, out_features is 5: expected at least 1 each", ValueError);
}

TEST_CASE("a readout that is tied to an embedding is the same weight: one gradient, from both places") {
    manual_seed(1);
    const Embedding<double> embedding({.num_embeddings = 5, .embedding_dim = 3});
    const Linear<double> readout({.in_features = 3, .out_features = 5}, embedding.weight);
    CHECK(readout.weight.shares_with(embedding.weight));
    CHECK(readout.parameters()[0].shares_with(embedding.weight));
    const Indices tokens{1, 4, 1};
    ModuleCheck check;
    check.parameters = {embedding.weight, readout.bias};
    check.f = [&](const ModuleCheck::Variables&) { return cross_entropy(readout(embedding(tokens)), tokens); };
    CHECK(check.errors(1) == "");

    struct Model : Module<double> {
        Embedding<double> in = register_module("in", Embedding<double>({.num_embeddings = 5, .embedding_dim = 3}));
        Linear<double> out = register_module("out", Linear<double>({.in_features = 3, .out_features = 5}, in.weight));
        Model() : Module("Model") {}
    } model, other;
    CHECK(model.parameter_count() == 15 + 5);
    other.load_state_dict(model.state_dict());  // under both names
    CHECK(other.out.weight.value() == model.in.weight.value());
}
