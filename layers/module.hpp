#pragma once

#include <ebb/autograd/parameter.hpp>

#include <atomic>
#include <cstddef>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace ebb {

/// The values of a model's parameters, by their paths.
template <class T>
using StateDict = std::map<std::string, Array<T>>;

/// What a state dict and a model did not have in common.
struct LoadReport {
    std::vector<std::string> missing;     ///< parameters of the model that were not given
    std::vector<std::string> unexpected;  ///< names given that the model does not have
};

/// One of the modules that a model consists of.
template <class T>
struct ModulePart {
    std::string path;  ///< below the module that was asked; empty for that one itself
    std::string type;
    std::vector<std::pair<std::string, Parameter<T>>> parameters;  ///< its own, without those of its parts
};

/// Something with parameters: a layer, a cell, or a model made of them.
///
/// A Module is a handle, as a Parameter is: a copy shares the parameters. A model names its parts when it is
/// constructed:
///
///     struct Model : Module<double> {
///         Embedding<double> embedding =
///             register_module("embedding", Embedding<double>({.num_embeddings = 80, .embedding_dim = 16}));
///         LSTM<double> encoder = register_module("encoder", LSTM<double>({.input_size = 16, .hidden_size = 32}));
///         Model() : Module("Model") {}
///     };
///
/// Names are paths: `encoder.weight_ih_l0` for a parameter, `encoder.h` for what a report draws.
template <class T>
class Module {
  public:
    using value_type = T;

    /// `type` is what errors call it: "LSTMCell". `name` may stay empty; a parent gives one.
    explicit Module(std::string type, std::string name = {});

    const std::string& type() const noexcept { return state_->type; }
    /// The path from the outermost module; empty for a module without a name.
    const std::string& name() const noexcept { return state_->path; }
    void set_name(const std::string& name);
    /// The name, or the type where it has none: for messages.
    const std::string& display_name() const noexcept { return name().empty() ? type() : name(); }

    /// All parameters, those of the parts included, in the order of registration. A parameter that stands in several
    /// places is listed once, at the first.
    std::vector<Parameter<T>> parameters() const;
    /// The same with their paths below this module.
    std::vector<std::pair<std::string, Parameter<T>>> named_parameters() const;
    /// How many numbers the parameters hold, and how many of them are not frozen.
    std::size_t parameter_count() const;
    std::size_t trainable_parameter_count() const;
    void zero_grad();
    /// Frozen parameters are constants to the tapes that record them from now on, and optimisers leave them as they
    /// are.
    void freeze(bool on = true);
    void unfreeze() { freeze(false); }
    /// This module and all parts below it, a module before its parts.
    std::vector<ModulePart<T>> modules() const;

    /// Copies of the values of all parameters, by their paths below this module.
    StateDict<T> state_dict() const;
    /// Sets the parameters to values of such paths, as PyTorch's `load_state_dict`. `strict` demands that names
    /// correspond one to one; without it, what one of both lacks is passed over and reported. All is checked before
    /// anything is written. Throws ValueError for missing and unexpected names, and for NaN or infinity; ShapeError
    /// where only shapes differ. The message has all of them.
    LoadReport load_state_dict(const StateDict<T>& state, bool strict = true);

    /// Training mode (the default) or evaluation mode, for this module and its parts: dropout looks at it.
    void train(bool on = true);
    void eval() { train(false); }
    bool training() const noexcept { return state_->training; }

  protected:
    /// Adds a parameter with the given value.
    Parameter<T> register_parameter(std::string name, Array<T> value);
    /// Adds a parameter that exists, which may belong to others as well.
    void register_parameter(std::string name, const Parameter<T>& parameter);
    /// Adds a part and returns it.
    template <class M>
    M register_module(const std::string& name, M part) {
        add_part(name, static_cast<Module<T>&>(part));
        return part;
    }
    /// What `inspect` calls something that the module computes: "encoder.h", or "h" of a module without a name.
    std::string probe_name(const std::string& what) const;
    /// Calls `make`, which derives names from this module's, if its name has changed since `version` was noted.
    /// Threads that record one layer on tapes of their own may call it at once: one of them makes what all then read.
    template <class Make>
    void refresh_names(std::size_t& version, const Make& make) const {
        // The version is published after the names: who reads the one without a lock may read the others.
        const std::atomic_ref<std::size_t> noted(version);
        if (noted.load(std::memory_order_acquire) != state_->name_version) make_names(version, make);
    }
    static constexpr std::size_t no_name_version = std::numeric_limits<std::size_t>::max();  ///< nothing made yet

  private:
    struct State {
        std::string type;
        std::string path;
        std::size_t name_version = 0;
        bool training = true;
        std::vector<std::pair<std::string, Parameter<T>>> parameters;
        std::vector<std::pair<std::string, std::shared_ptr<State>>> parts;
    };
    void make_names(std::size_t& version, const std::function<void()>& make) const;
    void add_part(const std::string& name, Module& part);
    static void set_path(State& state, const std::string& path);
    static void collect_parts(const State& state, const std::string& path, std::vector<ModulePart<T>>& into);
    static void collect(const State& state, const std::string& prefix,
                        std::vector<std::pair<std::string, Parameter<T>>>& into);
    static void set_training(State& state, bool on);

    std::shared_ptr<State> state_;
};

}  // namespace ebb
