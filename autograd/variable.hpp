#pragma once

#include <ebb/autograd/hook.hpp>
#include <ebb/autograd/name.hpp>
#include <ebb/autograd/operators.hpp>
#include <ebb/core/array.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/shape.hpp>

#include <cstdint>
#include <string>

namespace ebb {

template <class T>
class Tape;
template <class T>
class Parameter;
template <class T>
struct Node;

/// The place of a node on its tape: nodes are numbered in the order in which they were recorded.
using NodeIndex = std::uint32_t;

/// An array in a tape's memory, seen as an xtensor expression: every xtensor function works on it. It is a view: copy
/// it into an `xt::xarray<T>` to keep it after `tape.clear()`.
template <class T>
using ArrayView = xt::xarray_adaptor<xt::xbuffer_adaptor<const T*, xt::no_ownership, std::allocator<T>>,
                                     xt::layout_type::row_major, xt::svector<std::size_t, 4>>;

/// Where a tape stands, for the variables that point to it. Anchors are recycled and never freed, so that a variable
/// which outlives its tape meets an error and not a stray pointer.
template <class T>
struct TapeAnchor {
    Tape<T>* tape = nullptr;
    std::uint32_t generation = 0;   // of the variables that are made now
    std::uint32_t before_hook = 0;  // of those made before the hook that is running; else the same
    std::uint32_t newest = 0;

    /// What was made before is no longer good: the tape is cleared or destroyed.
    void begin_generation() noexcept { generation = before_hook = ++newest; }
    bool is_alive(std::uint32_t of) const noexcept { return of == generation || of == before_hook; }
};

/// An array on a tape: a handle of 16 bytes (tape, index, generation), copied freely.
///
/// Operations on variables (operations/*.hpp) compute at once and record themselves on the tape of their operands.
/// Using a variable after its tape was cleared or destroyed throws TapeError.
template <class T>
class Variable : public Operators<T> {
  public:
    using value_type = T;

    Variable() = default;
    /// A parameter in the place of a variable is recorded on the tape that is active on this thread.
    /// Throws TapeError where no tape is.
    Variable(const Parameter<T>& parameter);  // NOLINT(google-explicit-constructor): a weight reads like a variable

    /// Of a variable or a parameter of another type there is none: the compiler says so in a sentence.
    template <class U>
    requires(sizeof(U) != sizeof(T)) Variable(const Operators<U>&) {  // NOLINT(google-explicit-constructor): as above
        detail::refuse_another_scalar<U>();
    }

    bool defined() const noexcept { return anchor_ != nullptr; }
    const Shape& shape() const;
    std::size_t size() const;

    ArrayView<T> value() const;
    /// The value of an array with one element. Throws ShapeError for any other.
    T item() const;

    /// dL/dx after a backward pass: for leaves, for probes, and where `retain_grad()` was called. Adds up over passes.
    /// Throws TapeError where no gradient was kept, and says why.
    ArrayView<T> grad() const;
    bool has_grad() const;
    void zero_grad() const;
    /// Keeps the gradient of a variable that is no leaf.
    const Variable& retain_grad() const;
    /// Calls f(dL/dx) in every pass that comes through here, when dL/dx is whole, before it flows on and before it is
    /// kept in `grad()`. f takes a `const Variable<T>&` and may return what shall stand in its place: a variable or an
    /// array of the same shape. Several hooks are called in the order in which they were registered, each with what the
    /// one before has left. Under `create_graph` what f computes is recorded. Otherwise the variables that f makes, and
    /// its argument, are good until f returns, and refused after: copy their values to keep them.
    ///
    /// Hooks go with their tape's `clear()`. `jacobian` without create_graph, and `vjp_rows`, do not call them.
    /// Throws TapeError for a constant. A pass throws ShapeError for a hook's result of another shape, and TapeError
    /// where f calls `backward` or `clear` on the same tape.
    template <class F>
    HookHandle<T> register_hook(F f) const {
        return add_hook(detail::as_hook<T>(std::move(f)));
    }

    bool requires_grad() const;
    /// Whether no operation was recorded to make it.
    bool is_leaf() const;
    /// The same values as a constant: no gradient flows back through it. No copy.
    Variable detach() const;

    const std::string& name() const;
    /// Names the node, for errors, printed tapes and drawings. Returns the variable itself.
    const Variable& named(std::string_view name) const;
    /// The time step of the newest recurrent step that went into it; -1 for none.
    std::int32_t time_step() const;

    // Asked for at every operation; defined in tape.hpp. Each throws TapeError where the tape was cleared or destroyed.
    Tape<T>& tape() const;
    NodeIndex index() const noexcept { return index_; }
    Node<T>& node() const;

  private:
    friend class Tape<T>;
    HookHandle<T> add_hook(GradientHook<T> hook) const;
    [[noreturn]] void fail_without_node() const;
    Variable(TapeAnchor<T>* anchor, NodeIndex index) noexcept
        : anchor_(anchor), index_(index), generation_(anchor->generation) {}

    TapeAnchor<T>* anchor_ = nullptr;
    NodeIndex index_ = 0;
    std::uint32_t generation_ = 0;
};

/// A function parameter of this type takes part in no template argument deduction, so that a Parameter or another
/// thing that converts to a Variable can stand there.
template <class T>
using Operand = const std::type_identity_t<Variable<T>>&;

}  // namespace ebb
