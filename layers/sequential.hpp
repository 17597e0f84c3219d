#pragma once

#include <ebb/autograd/variable.hpp>
#include <ebb/core/error.hpp>
#include <ebb/layers/module.hpp>

#include <concepts>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace ebb {

/// Layers one after the other (torch.nn.Sequential):
///
///     Sequential<double> readout(Linear<double>({.in_features = 20, .out_features = 50}),
///                                [](const auto& x) { return relu(x); },
///                                Dropout<double>({.p = 0.1}),
///                                Linear<double>({.in_features = 50, .out_features = 2}));
///     auto y = readout(h);
///
/// A layer is anything that is called with a variable: a module, whose parameters then belong to this one under the
/// names "0", "1", ... of its place, or a function. Of a recurrent layer, which returns output and state, the output
/// goes on.
template <class T>
class Sequential : public Module<T> {
  public:
    template <class... Layers>
    requires(sizeof...(Layers) != 1 ||
             (!std::derived_from<std::remove_cvref_t<Layers>, Sequential> && ...)) explicit Sequential(Layers... layers)
        : Module<T>("Sequential") {
        (add(std::move(layers)), ...);
    }

    /// Appends a layer.
    template <class Layer>
    Sequential& add(Layer layer) {
        static_assert(std::invocable<const Layer&, const Variable<T>&>,
                      "a layer of a Sequential is called with a Variable<T>, T being that of the Sequential");
        using Result = std::invoke_result_t<const Layer&, const Variable<T>&>;
        if constexpr (std::derived_from<Layer, Module<T>>) this->register_module(std::to_string(size()), layer);
        layers_.push_back([layer = std::move(layer)](const Variable<T>& x) -> Variable<T> {
            // A layer of Ebb's is called on the line of the whole model's call, and a function of the user's has its
            // own.
            if constexpr (std::invocable<const Layer&, const Variable<T>&, SourceLine>)
                return layer(x, SourceLine::unknown());
            else if constexpr (std::convertible_to<Result, Variable<T>>)
                return layer(x);
            else
                return layer(x).output;
        });
        return *this;
    }

    Variable<T> operator()(const Variable<T>& x, SourceLine at = source_line()) const {
        const CalledFrom call(at);
        const ErrorContext context(this->name(), "Sequential");
        Variable<T> y = x;
        for (const auto& layer : layers_) y = layer(y);
        return y;
    }

    std::size_t size() const noexcept { return layers_.size(); }

  private:
    std::vector<std::function<Variable<T>(const Variable<T>&)>> layers_;
};

}  // namespace ebb
