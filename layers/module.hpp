#pragma once

#include <ebb/autograd/parameter.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace ebb {

/// Something with parameters: a layer, a cell, or a model made of them.
///
/// A Module is a handle, as a Parameter is: a copy shares the parameters. A model names its parts when it is
/// constructed:
///
///     struct Model : Module<double> {
///         Embedding<double> embedding = register_module("embedding", Embedding<double>({.num_embeddings = 80,
///         .embedding_dim = 16})); LSTM<double> encoder = register_module("encoder", LSTM<double>({.input_size = 16,
///         .hidden_size = 32})); Model() : Module("Model") {}
///     };
///
/// Names are paths: `encoder.weight_ih_l0` for a parameter, `encoder.h` for what a report draws.
template <class T>
class Module {
  public:
    /// `type` is what errors call it: "LSTMCell". `name` may stay empty; a parent gives one.
    explicit Module(std::string type, std::string name = {});

    const std::string& type() const noexcept { return state_->type; }
    /// The path from the outermost module; empty for a module without a name.
    const std::string& name() const noexcept { return state_->path; }
    void set_name(const std::string& name);
    /// The name, or the type where it has none: for messages.
    const std::string& display_name() const noexcept { return name().empty() ? type() : name(); }

    /// All parameters, those of the parts included, in the order of registration.
    std::vector<Parameter<T>> parameters() const;
    /// The same with their paths below this module.
    std::vector<std::pair<std::string, Parameter<T>>> named_parameters() const;
    /// How many numbers the parameters hold.
    std::size_t parameter_count() const;
    void zero_grad();

    /// Training mode (the default) or evaluation mode, for this module and its parts: dropout looks at it.
    void train(bool on = true);
    void eval() { train(false); }
    bool training() const noexcept { return state_->training; }

  protected:
    /// Adds a parameter with the given value.
    Parameter<T> register_parameter(std::string name, Array<T> value);
    /// Adds a part and returns it.
    template <class M>
    M register_module(const std::string& name, M part) {
        add_part(name, static_cast<Module<T>&>(part));
        return part;
    }
    /// Goes up with every change of the name: for what is derived from it.
    std::size_t name_version() const noexcept { return state_->name_version; }

  private:
    struct State {
        std::string type;
        std::string path;
        std::size_t name_version = 0;
        bool training = true;
        std::vector<std::pair<std::string, Parameter<T>>> parameters;
        std::vector<std::pair<std::string, std::shared_ptr<State>>> parts;
    };
    void add_part(const std::string& name, Module& part);
    static void set_path(State& state, const std::string& path);
    static void collect(const State& state, const std::string& prefix,
                        std::vector<std::pair<std::string, Parameter<T>>>& into);
    static void set_training(State& state, bool on);

    std::shared_ptr<State> state_;
};

extern template class Module<float>;
extern template class Module<double>;

}  // namespace ebb
