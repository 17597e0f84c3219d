#pragma once

#include <ebb/autograd/hook.hpp>
#include <ebb/autograd/name.hpp>
#include <ebb/autograd/operators.hpp>
#include <ebb/autograd/variable.hpp>
#include <ebb/core/array.hpp>
#include <ebb/core/shape.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace ebb {

template <class T>
class Tape;
template <class T>
class ScratchTape;

/// A weight: an array that outlives the tapes it is used on, with its gradient beside it.
///
/// A Parameter is a handle, as a tensor is in PyTorch: a copy shares value and gradient with the original, which is how
/// weights are tied. Gradients add up over backward passes until `zero_grad()`.
template <class T>
class Parameter : public Operators<T> {
  public:
    Parameter() = default;
    /// Throws ValueError where `value` holds NaN or infinity.
    Parameter(std::string name, Array<T> value);

    const std::string& name() const;
    void set_name(std::string name);
    const Shape& shape() const { return state().shape; }
    std::size_t size() const { return state().value.size(); }

    const Array<T>& value() const { return state().value; }
    /// For writing elements. A backward pass over a graph that was recorded before the write refuses to run: it would
    /// mix the old values with the new ones. To replace the whole array use `set_value`: another array put in this
    /// one's place is other memory, and views onto the old one dangle.
    Array<T>& mutable_value();
    /// Replaces the value. Throws ShapeError where the shape differs.
    void set_value(const Array<T>& value);

    /// dL/dparameter, the sum over all backward passes since `zero_grad()`; zeros before the first one. Same shape as
    /// the value.
    const Array<T>& grad() const;
    Array<T>& mutable_grad();
    void zero_grad();

    /// As `Variable::register_hook`, for all tapes: f sees what one pass adds to the gradient, when it is whole, and
    /// may put something else in its place. The hook stays until its handle removes it.
    template <class F>
    HookHandle<T> register_hook(F f) {
        return add_hook(detail::as_hook<T>(std::move(f)));
    }

    /// A frozen parameter (false) is a constant to the tapes that record it.
    bool requires_grad() const;
    void set_requires_grad(bool wanted);

    /// Whether both are the same weight.
    bool shares_with(const Parameter& other) const noexcept { return state_ == other.state_; }
    bool defined() const noexcept { return state_ != nullptr; }

  private:
    friend class Tape<T>;
    friend class ScratchTape<T>;
    struct State {
        Name name;
        Shape shape;
        Array<T> value;
        Array<T> gradient;
        std::vector<std::shared_ptr<GradientHook<T>>> hooks;
        std::uint64_t version = 0;  // counts writes to the value
        bool gradient_is_zero = true;
        bool requires_grad = true;
    };
    State& state() const {
        if (!state_) fail_without_array();
        return *state_;
    }
    [[noreturn]] static void fail_without_array();
    HookHandle<T> add_hook(GradientHook<T> hook);
    std::shared_ptr<State> state_;
};

}  // namespace ebb
