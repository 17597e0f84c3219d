#pragma once
/// Hooks: functions that see a gradient on its way back, and may put another in its place.

#include <ebb/core/array.hpp>

#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

namespace ebb {

template <class T>
class Variable;

/// Takes dL/dx, gives what shall stand in its place; an undefined variable leaves it as it is.
template <class T>
using GradientHook = std::function<Variable<T>(const Variable<T>&)>;

/// What `register_hook` returns. A hook stays until it is removed; the handle itself may go away.
template <class T>
class HookHandle {
  public:
    HookHandle() = default;
    explicit HookHandle(const std::shared_ptr<GradientHook<T>>& hook) : hook_(hook) {}
    /// Removes the hook. Does nothing where it is gone already, with its tape or with its parameter.
    void remove() {
        if (const auto hook = hook_.lock()) *hook = nullptr;
    }

  private:
    std::weak_ptr<GradientHook<T>> hook_;
};

namespace detail {

template <class T>
Variable<T> array_as_gradient(const Variable<T>& dy, const Array<T>& array);

/// From a function of `const Variable<T>&` that returns a variable, an array (also an xtensor expression), or nothing.
template <class T, class F>
GradientHook<T> as_hook(F f) {
    using Result = std::invoke_result_t<F&, const Variable<T>&>;
    if constexpr (std::is_void_v<Result>) {
        return [f = std::move(f)](const Variable<T>& dy) mutable {
            f(dy);
            return Variable<T>();
        };
    } else if constexpr (std::is_convertible_v<Result, Variable<T>>) {
        return f;
    } else {
        static_assert(std::is_convertible_v<Result, Array<T>>, "a hook returns a variable, an array, or nothing");
        return [f = std::move(f)](const Variable<T>& dy) mutable { return array_as_gradient<T>(dy, f(dy)); };
    }
}

}  // namespace detail

}  // namespace ebb
