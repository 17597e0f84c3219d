// Modules made of modules: their parameters, their state in memory and in files, Sequential, the summary.

#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/file.hpp>
#include <ebb/core/random.hpp>
#include <ebb/layers/dropout.hpp>
#include <ebb/layers/embedding.hpp>
#include <ebb/layers/linear.hpp>
#include <ebb/layers/model_file.hpp>
#include <ebb/layers/recurrent_layers.hpp>
#include <ebb/layers/sequential.hpp>
#include <ebb/layers/summary.hpp>

#include <limits>

#include "support/temporary_folder.hpp"
#include <doctest/doctest.h>

using namespace ebb;

namespace {

template <class T>
struct Model : Module<T> {
    Embedding<T> embedding =
        this->register_module("embedding", Embedding<T>({.num_embeddings = 7, .embedding_dim = 3}));
    LSTM<T> encoder = this->register_module("encoder", LSTM<T>({.input_size = 3, .hidden_size = 4}));
    Linear<T> decoder = this->register_module("decoder", Linear<T>({.in_features = 4, .out_features = 2}));
    Model() : Module<T>("Model") {}

    Variable<T> operator()(const Indices& indices) { return decoder(encoder(embedding(indices)).output); }
};

template <class T>
Array<T> output(Model<T>& model) {
    Tape<T> tape;
    Indices indices = Indices::from_shape({5, 2});
    for (std::size_t k = 0; k < 10; ++k) indices.data()[k] = static_cast<std::int64_t>(k * k % 7);
    return model(indices).value();
}

/// The same matrix twice.
struct Tied : Module<double> {
    Linear<double> a = register_module("a", Linear<double>({.in_features = 2, .out_features = 2, .bias = false}));
    Linear<double> b = register_module("b", a);
    Tied() : Module("Tied") {}
};

}  // namespace

TEST_CASE("a sequential model is its layers one after the other, with their parameters under their places") {
    manual_seed(1);
    Linear<double> first({.in_features = 3, .out_features = 4}), second({.in_features = 4, .out_features = 2});
    Sequential<double> model(
        first, [](const auto& x) { return tanh(x); }, second);
    CHECK(model.size() == 3);
    Tape<double> tape;
    const auto x = tape.constant(randn<double>({2, 3}));
    const Array<double> whole = model(x).value(), parts = second(tanh(first(x))).value();
    REQUIRE(whole.size() == parts.size());
    // Not the same bits: a weight is laid out for its products when it is used again.
    for (std::size_t k = 0; k < whole.size(); ++k)
        CHECK(whole.flat(k) == doctest::Approx(parts.flat(k)).epsilon(1e-14));
    const auto named = model.named_parameters();
    REQUIRE(named.size() == 4);
    CHECK(named[0].first == "0.weight");
    CHECK(named[3].first == "2.bias");
    CHECK(named[3].second.shares_with(second.bias));
    // A copy is the same model; one inside another is called by its place.
    Sequential<double> outer(model);
    CHECK(outer.size() == 3);
    Sequential<double> nested(model, first);
    CHECK(nested.named_parameters()[0].first == "0.0.weight");
    CHECK(nested.named_parameters().size() == 4);  // first stands in both

    model.set_name("readout");
    CHECK_THROWS_WITH_AS(model(tape.ones({2, 5})),
                         doctest::Contains("while running readout.0 (Linear)\n  while running readout (Sequential)"),
                         ShapeError);
}

TEST_CASE("in a sequential model the output of a recurrent layer goes on") {
    manual_seed(2);
    GRU<double> gru({.input_size = 3, .hidden_size = 4});
    Sequential<double> model;
    model.add(gru).add(Linear<double>({.in_features = 4, .out_features = 1}));
    Tape<double> tape;
    CHECK(model(tape.ones({6, 2, 3})).shape() == Shape{6, 2, 1});
    CHECK(model.named_parameters()[0].first == "0.weight_ih_l0");
}

TEST_CASE("a parameter that stands in two places is listed once, and saved under both names") {
    Tied model;
    CHECK(model.parameters().size() == 1);
    CHECK(model.parameter_count() == 4);
    const auto state = model.state_dict();
    CHECK(state.size() == 2);
    CHECK(state.at("a.weight") == state.at("b.weight"));
    CHECK(summary(model) ==
          "module      type, shape  parameters\n"
          "-----------------------------------\n"
          "Tied        Tied\n"
          "  a         Linear\n"
          "    weight  [2, 2]                4\n"
          "  b         Linear\n"
          "    weight  [2, 2]         (shared)\n"
          "-----------------------------------\n"
          "trainable                         4\n");
}

TEST_CASE("the summary counts, and says what is frozen") {
    struct Large : Module<float> {
        Embedding<float> words =
            register_module("words", Embedding<float>({.num_embeddings = 1000, .embedding_dim = 64}));
        Linear<float> readout = register_module("readout", Linear<float>({.in_features = 64, .out_features = 3}));
        Large() : Module("Large", "model") {}
    } model;
    model.words.weight.set_requires_grad(false);
    CHECK(summary(model) ==
          "module      type, shape        parameters\n"
          "-----------------------------------------\n"
          "model       Large\n"
          "  words     Embedding\n"
          "    weight  [1000, 64] frozen      64,000\n"
          "  readout   Linear\n"
          "    weight  [3, 64]                   192\n"
          "    bias    [3]                         3\n"
          "-----------------------------------------\n"
          "trainable                             195\n"
          "frozen                             64,000\n");
}

TEST_CASE("a state dict carries a model over, and is a copy") {
    manual_seed(3);
    Model<double> from, to;
    const auto state = from.state_dict();
    REQUIRE(state.size() == 7);
    CHECK(state.at("encoder.weight_hh_l0") == from.encoder.weight_hh.value());
    CHECK(output(from) != output(to));
    const LoadReport report = to.load_state_dict(state);
    CHECK(report.missing.empty());
    CHECK(report.unexpected.empty());
    CHECK(output(from) == output(to));
    to.decoder.bias.mutable_value()(0) += 1;
    CHECK(state.at("decoder.bias") == from.decoder.bias.value());
    CHECK(output(from) != output(to));
}

TEST_CASE("a state dict that does not fit is refused as a whole") {
    manual_seed(4);
    Model<double> model;
    const auto before = model.state_dict();
    const auto other = Model<double>().state_dict();
    const auto refused = [&](const StateDict<double>& state) {
        try {
            model.load_state_dict(state);
        } catch (const Error&) {
        }
        CHECK(model.state_dict() == before);
    };
    auto renamed = other;
    renamed["old"] = renamed["decoder.bias"];
    renamed["older"] = renamed["decoder.bias"];
    renamed.erase("decoder.bias");
    renamed["decoder.weight"] = Array<double>{1, 2};
    CHECK_THROWS_WITH_AS(model.load_state_dict(renamed),
                         "load_state_dict: Model does not fit: missing: decoder.bias; unexpected: old, older; "
                         "decoder.weight is [2], expected [2, 4]",
                         ValueError);
    refused(renamed);
    auto reshaped = other;
    reshaped["decoder.weight"] = Array<double>{1, 2};
    reshaped["decoder.bias"] = Array<double>{1, 2, 3};
    CHECK_THROWS_WITH_AS(
        model.load_state_dict(reshaped),
        "load_state_dict: Model does not fit: decoder.weight is [2], expected [2, 4]; decoder.bias is [3], "
        "expected [2]",
        ShapeError);
    refused(reshaped);
    auto nan = other;
    nan["decoder.bias"](1) = std::numeric_limits<double>::quiet_NaN();
    CHECK_THROWS_WITH_AS(model.load_state_dict(nan),
                         "load_state_dict: Model: decoder.bias holds nan at [1]: expected finite numbers", ValueError);
    refused(nan);
}

TEST_CASE("without strictness, names that one of both lacks are passed over and reported; shapes must fit") {
    manual_seed(5);
    Model<double> model;
    const Array<double> bias = model.decoder.bias.value();
    StateDict<double> state{{"decoder.weight", Array<double>{{1, 2, 3, 4}, {5, 6, 7, 8}}}, {"other", Array<double>{1}}};
    const LoadReport report = model.load_state_dict(state, false);
    CHECK(report.missing.size() == 6);
    CHECK(report.unexpected == std::vector<std::string>{"other"});
    CHECK(model.decoder.weight.value() == state["decoder.weight"]);
    CHECK(model.decoder.bias.value() == bias);
    state["decoder.bias"] = Array<double>{1};
    CHECK_THROWS_WITH_AS(model.load_state_dict(state, false),
                         "load_state_dict: Model does not fit: decoder.bias is [1], expected [2]", ShapeError);
}

TEST_CASE("a model goes through a file bit by bit, and from one precision to the other") {
    manual_seed(6);
    const TemporaryFolder folder;
    const std::string path = folder / "model.safetensors";
    Model<double> from, to;
    save_safetensors(path, from, {{"epoch", "3"}});
    load_safetensors(path, to);
    CHECK(from.state_dict() == to.state_dict());
    CHECK(load_safetensors(path).get_metadata("epoch") == "3");

    Model<float> in_float;
    load_safetensors(path, in_float);
    CHECK(in_float.decoder.weight.value() == Array<float>(from.decoder.weight.value()));
    save_safetensors(path, in_float);
    load_safetensors(path, to);
    CHECK(to.decoder.weight.value() == Array<double>(in_float.decoder.weight.value()));
}

TEST_CASE("files that do not fit are refused, with their name, and leave the model alone") {
    const TemporaryFolder folder;
    const std::string path = folder / "model.safetensors";
    Model<double> model;
    const auto before = model.state_dict();
    CHECK_THROWS_AS(load_safetensors(path, model), FileError);  // missing

    Linear<double> other({.in_features = 4, .out_features = 2});
    save_safetensors(path, other);
    CHECK_THROWS_WITH_AS(
        load_safetensors(path, model),
        (std::string("load_safetensors: ") + path +
         ": load_state_dict: Model does not fit: missing: embedding.weight, encoder.weight_ih_l0, "
         "encoder.weight_hh_l0, "
         "encoder.bias_ih_l0, encoder.bias_hh_l0, decoder.weight, decoder.bias; unexpected: bias, weight")
            .c_str(),
        FileError);
    // Integers are no weights; they may stand under a name that the model does not have.
    auto state = other.state_dict();
    const Indices integers{1, 2};
    save_safetensors(path, {{"weight", state["weight"]}, {"bias", integers}});
    CHECK_THROWS_AS(load_safetensors(path, other), FileError);
    save_safetensors(path, {{"weight", state["weight"]}, {"bias", state["bias"]}, {"steps", integers}});
    CHECK(load_safetensors(path, other, false).unexpected == std::vector<std::string>{"steps"});
    // Half a file.
    const std::string bytes = read_file(path);
    write_file_atomically(path, std::string_view(bytes).substr(0, bytes.size() / 2));
    CHECK_THROWS_AS(load_safetensors(path, other), FileError);
    CHECK(other.state_dict() == state);
    CHECK(model.state_dict() == before);
}

TEST_CASE("a module takes no two parameters and no two parts of one name") {
    struct Twice : Module<double> {
        Twice() : Module("Twice") {}
        void parameter() { register_parameter("w", Array<double>{1, 2}); }
        void part() { register_module("decoder", Linear<double>({.in_features = 1, .out_features = 1})); }
    } module;
    module.parameter();
    CHECK_THROWS_WITH_AS(module.parameter(), "Twice: it has a parameter w already", ValueError);
    module.part();
    CHECK_THROWS_WITH_AS(module.part(), "Twice: it has a part decoder already", ValueError);
    CHECK(module.parameters().size() == 3);
}
