#pragma once

#include <ebb/autograd/parameter.hpp>
#include <ebb/autograd/variable.hpp>

namespace ebb {

/// While in scope, a variable stands in the place of a parameter wherever the parameter is used on this thread: a
/// weight that is computed, for any cell or layer as it is. Its gradient flows on into what it was computed from.
///
///     const Substitution normed(lstm.weight_hh, gain * lstm.weight_hh / norm(lstm.weight_hh));
///     const auto output = lstm(x).output;
///
/// The newest one counts where several are in scope. The parameter has but one use then, that in the variable: what
/// each step contributes to it (`inspect::weight_contributions`) is known of a weight that is used as it is. Throws
/// ShapeError where the shapes differ; a use on another tape than the variable's throws TapeError, so make it inside of
/// a function that is checkpointed.
template <class T>
class Substitution {
  public:
    Substitution(const Parameter<T>& parameter, const Variable<T>& value);
    ~Substitution();
    Substitution(const Substitution&) = delete;
    Substitution& operator=(const Substitution&) = delete;

    /// Whether there is one on this thread.
    static bool is_active() noexcept { return innermost_ != nullptr; }
    /// What stands in the parameter's place; nullptr where nothing does.
    static const Variable<T>* of(const Parameter<T>& parameter) noexcept {
        for (const Substitution* s = innermost_; s; s = s->outer_)
            if (s->parameter_.shares_with(parameter)) return &s->value_;
        return nullptr;
    }

  private:
    static inline constinit thread_local Substitution* innermost_ = nullptr;

    Parameter<T> parameter_;
    Variable<T> value_;
    Substitution* outer_;
};

}  // namespace ebb
