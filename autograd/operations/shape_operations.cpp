#include <ebb/autograd/operations/along_axis.hpp>
#include <ebb/autograd/operations/broadcast.hpp>
#include <ebb/autograd/operations/catalogue.hpp>
#include <ebb/autograd/operations/reductions.hpp>
#include <ebb/autograd/operations/shape_operations.hpp>
#include <ebb/autograd/operations/transposed.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>

#include <algorithm>
#include <array>
#include <limits>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace ebb {
namespace {

/// target[o, target_start + e, i] = or += source[o, source_start + e, i] for e < count.
template <bool add, class T>
void move_slices(T* target, std::size_t target_extent, std::size_t target_start, const T* source,
                 std::size_t source_extent, std::size_t source_start, std::size_t outer, std::size_t count,
                 std::size_t inner) {
    for (std::size_t o = 0; o < outer; ++o) {
        T* const to = target + (o * target_extent + target_start) * inner;
        const T* const from = source + (o * source_extent + source_start) * inner;
        if constexpr (add)
            for (std::size_t k = 0; k < count * inner; ++k) to[k] += from[k];
        else
            std::copy_n(from, count * inner, to);
    }
}

/// The same into a gradient, which may be new.
template <class T>
void move_slices(const GradientTarget<T>& target, std::size_t target_extent, std::size_t target_start, const T* source,
                 std::size_t source_extent, std::size_t source_start, std::size_t outer, std::size_t count,
                 std::size_t inner) {
    const auto move = target.assign ? move_slices<false, T> : move_slices<true, T>;
    move(target.data, target_extent, target_start, source, source_extent, source_start, outer, count, inner);
}

// ---- reshape ------------------------------------------------------------------------------------------------------

template <class T>
class Reshape final : public Operation<T> {
  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info{"reshape", "y = x in another shape", "dx = dy in the shape of x"};
        return info;
    }
    void vjp(Vjp<T>& pass) const override { pass.accumulate(0, reshape(pass.dy(), pass.input(0).shape())); }
    void backward(Backward<T>& pass) const override { pass.pass_on(0); }
    void backward_rows(BackwardRows<T>& pass) const override {
        move_slices(pass.target(0), 1, 0, pass.dy(), 1, 0, 1, 1, pass.rows() * pass.node().shape.size());
    }
};

// ---- transpose ----------------------------------------------------------------------------------------------------

template <class T>
class Transpose2 final : public Operation<T> {
  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info{"transpose", "y = x with two axes exchanged",
                                            "dx = dy with them exchanged back"};
        return info;
    }
    bool takes_transposed() const noexcept override { return true; }
    void vjp(Vjp<T>& pass) const override {
        const auto& saved = pass.template saved<Transposed>();
        pass.accumulate(0, transpose(pass.dy(), static_cast<std::ptrdiff_t>(saved.axis0),
                                     static_cast<std::ptrdiff_t>(saved.axis1)));
    }
    void backward(Backward<T>& pass) const override {
        const auto& saved = pass.template saved<Transposed>();
        const GradientTarget<T> target = pass.target(0);
        if (target.assign) {
            exchange_axes<false>(target.data, pass.dy(), pass.node().shape, saved.axis0, saved.axis1);
        } else {
            exchange_axes<true>(target.data, pass.dy(), pass.node().shape, saved.axis0, saved.axis1);
        }
    }
};

// ---- permute and flip ---------------------------------------------------------------------------------------------

/// How an array lies in another one: the element at (i, j, ..) is `start` + i steps[0] + j steps[1] + .. there.
struct Walk {
    std::array<std::ptrdiff_t, Shape::max_rank> steps{};
    std::ptrdiff_t start = 0;
};

/// The steps of contiguous memory.
Walk contiguous_walk(const Shape& shape) {
    Walk walk;
    std::ptrdiff_t step = 1;
    for (std::size_t axis = shape.rank(); axis-- > 0;) {
        walk.steps[axis] = step;
        step *= static_cast<std::ptrdiff_t>(shape[axis]);
    }
    return walk;
}

/// target = or += source, where the target is contiguous, of this shape, and lies in the source as `walk` says.
template <bool add, class T>
void copy_along(T* target, const Shape& shape, const T* source, const Walk& walk) {
    if (shape.size() == 0) return;
    const std::size_t rank = shape.rank();
    const std::size_t count = rank == 0 ? 1 : shape.back();
    const std::ptrdiff_t step = rank == 0 ? 0 : walk.steps[rank - 1];
    std::array<std::size_t, Shape::max_rank> position{};
    const T* from = source + walk.start;
    for (T* const end = target + shape.size(); target != end; target += count) {
        for (std::size_t k = 0; k < count; ++k) {
            const T value = from[static_cast<std::ptrdiff_t>(k) * step];
            target[k] = add ? target[k] + value : value;
        }
        for (std::size_t axis = rank == 0 ? 0 : rank - 1; axis-- > 0;) {
            from += walk.steps[axis];
            if (++position[axis] < shape[axis]) break;
            from -= walk.steps[axis] * static_cast<std::ptrdiff_t>(shape[axis]);
            position[axis] = 0;
        }
    }
}

template <class T>
void copy_to_target(const GradientTarget<T>& target, const Shape& shape, const T* source, const Walk& walk) {
    if (target.assign)
        copy_along<false>(target.data, shape, source, walk);
    else
        copy_along<true>(target.data, shape, source, walk);
}

/// Axis k of the result is axis order[k] of the source.
struct Permutation {
    std::array<std::size_t, Shape::max_rank> order{};

    Permutation inverse(std::size_t rank) const {
        Permutation result;
        for (std::size_t k = 0; k < rank; ++k) result.order[order[k]] = k;
        return result;
    }
    Axes axes(std::size_t rank) const {
        Axes result;
        for (std::size_t k = 0; k < rank; ++k) result.append(static_cast<std::ptrdiff_t>(order[k]));
        return result;
    }
    Shape of(const Shape& shape) const {
        Shape result = shape;
        for (std::size_t k = 0; k < shape.rank(); ++k) result[k] = shape[order[k]];
        return result;
    }
    /// How the permuted array lies in one of this shape.
    Walk walk(const Shape& shape) const {
        const Walk source = contiguous_walk(shape);
        Walk result;
        for (std::size_t k = 0; k < shape.rank(); ++k) result.steps[k] = source.steps[order[k]];
        return result;
    }
};

template <class T>
class Permute final : public Operation<T> {
  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info{"permute", "y = x with its axes in another order",
                                            "dx = dy with them in the old order"};
        return info;
    }
    void vjp(Vjp<T>& pass) const override {
        const std::size_t rank = pass.node().shape.rank();
        pass.accumulate(0, permute(pass.dy(), pass.template saved<Permutation>().inverse(rank).axes(rank)));
    }
    void backward(Backward<T>& pass) const override {
        const Shape& shape = pass.node().shape;
        const Permutation back = pass.template saved<Permutation>().inverse(shape.rank());
        copy_to_target(pass.target(0), pass.input(0).shape, pass.dy(), back.walk(shape));
    }
};

struct Flipped {
    std::array<bool, Shape::max_rank> axes{};

    /// How the flipped array lies in the other one, and the other one in it.
    Walk walk(const Shape& shape) const {
        Walk walk = contiguous_walk(shape);
        for (std::size_t axis = 0; axis < shape.rank(); ++axis) {
            if (!axes[axis]) continue;
            walk.start += walk.steps[axis] * (static_cast<std::ptrdiff_t>(shape[axis]) - 1);
            walk.steps[axis] = -walk.steps[axis];
        }
        return walk;
    }
};

template <class T>
Variable<T> flipped(const Variable<T>& x, const Flipped& flip);

template <class T>
class Flip final : public Operation<T> {
  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info{"flip", "y_k = x_{n-1-k} along axes", "dx_k = dy_{n-1-k}"};
        return info;
    }
    void vjp(Vjp<T>& pass) const override {
        pass.accumulate(0, flipped(pass.dy(), Flipped(pass.template saved<Flipped>())));
    }
    void backward(Backward<T>& pass) const override {
        const Shape& shape = pass.node().shape;
        copy_to_target(pass.target(0), shape, pass.dy(), pass.template saved<Flipped>().walk(shape));
    }
};

template <class T>
Variable<T> flipped(const Variable<T>& x, const Flipped& flip) {
    static const Flip<T> operation;
    Tape<T>& tape = x.tape();
    const auto recorded = tape.record(operation, {x}, x.shape());
    copy_along<false>(recorded.value, x.shape(), static_cast<const T*>(x.node().value), flip.walk(x.shape()));
    if (recorded.recorded) tape.save(recorded.node, flip);
    return tape.at(recorded.index);
}

// ---- broadcast_to -------------------------------------------------------------------------------------------------

template <class T>
class BroadcastTo final : public Operation<T> {
  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info{"broadcast_to", "y = x, repeated", "dx = dy, summed over the repetitions"};
        return info;
    }
    void vjp(Vjp<T>& pass) const override { pass.accumulate(0, sum_to(pass.dy(), pass.input(0).shape())); }
    void backward(Backward<T>& pass) const override {
        add_reduced(pass.target_zeroed(0), pass.input(0).shape, pass.dy(), pass.node().shape);
    }
};

// ---- slice and pad ------------------------------------------------------------------------------------------------

struct Region {
    std::size_t axis;
    std::size_t start;  // of the shorter array in the longer one
};

/// `select` is a slice of one, without the axis.
template <class T>
class Slice final : public Operation<T> {
  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info{"slice", "y = x[start:stop] along an axis",
                                            "dx[start:stop] = dy, 0 elsewhere"};
        return info;
    }
    void vjp(Vjp<T>& pass) const override {
        const Region region = pass.template saved<Region>();
        const bool has_axis = pass.node().shape.rank() == pass.input(0).shape().rank();
        pass.accumulate_slice(0, region.axis, region.start,
                              has_axis ? pass.dy() : unsqueeze(pass.dy(), static_cast<std::ptrdiff_t>(region.axis)));
    }
    void backward(Backward<T>& pass) const override { run(pass, 1); }
    void backward_rows(BackwardRows<T>& pass) const override { run(pass, pass.rows()); }

  private:
    template <class Pass>
    static void run(const Pass& pass, std::size_t rows) {
        const Region region = pass.template saved<Region>();
        const Shape& shape = pass.node().shape;
        const Shape& whole = pass.input(0).shape;
        const AlongAxis dx(whole, region.axis);
        const std::size_t count = shape.rank() == whole.rank() ? shape[region.axis] : 1;
        const std::size_t outer = rows * dx.outer;
        const GradientTarget<T> target = pass.target(0);
        if (!target.assign)
            return move_slices<true>(target.data, dx.extent, region.start, pass.dy(), count, 0, outer, count, dx.inner);
        // The first share brings the zeros around it.
        for (std::size_t o = 0; o < outer; ++o) {
            T* const row = target.data + o * dx.extent * dx.inner;
            std::fill_n(row, region.start * dx.inner, T(0));
            std::copy_n(pass.dy() + o * count * dx.inner, count * dx.inner, row + region.start * dx.inner);
            std::fill(row + (region.start + count) * dx.inner, row + dx.extent * dx.inner, T(0));
        }
    }
};

template <class T>
class Pad final : public Operation<T> {
  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info{"pad", "y = x between zeros along an axis",
                                            "dx = the part of dy where x stands"};
        return info;
    }
    void vjp(Vjp<T>& pass) const override {
        const Region region = pass.template saved<Region>();
        const auto start = static_cast<std::ptrdiff_t>(region.start);
        const auto count = static_cast<std::ptrdiff_t>(pass.input(0).shape()[region.axis]);
        pass.accumulate(0, slice(pass.dy(), static_cast<std::ptrdiff_t>(region.axis), start, start + count));
    }
    void backward(Backward<T>& pass) const override {
        const Region region = pass.template saved<Region>();
        const AlongAxis dx(pass.input(0).shape, region.axis);
        const std::size_t extent = pass.node().shape[region.axis];
        move_slices<true>(pass.target_zeroed(0), dx.extent, 0, pass.dy(), extent, region.start, dx.outer, dx.extent,
                          dx.inner);
    }
};

// ---- concat -------------------------------------------------------------------------------------------------------

template <class T>
class Concat final : public Operation<T> {
  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info{"concat", "y = x_0, x_1, ... joined along an axis",
                                            "dx_k = the part of dy where x_k stands"};
        return info;
    }
    void vjp(Vjp<T>& pass) const override {
        const std::size_t axis = pass.template saved<Region>().axis;
        std::ptrdiff_t start = 0;
        for (std::size_t i = 0; i < pass.input_count(); ++i) {
            const std::ptrdiff_t stop = start + static_cast<std::ptrdiff_t>(pass.input(i).shape()[axis]);
            if (pass.wants(i)) pass.accumulate(i, slice(pass.dy(), static_cast<std::ptrdiff_t>(axis), start, stop));
            start = stop;
        }
    }
    void backward(Backward<T>& pass) const override { run(pass, 1); }
    void backward_rows(BackwardRows<T>& pass) const override { run(pass, pass.rows()); }

  private:
    template <class Pass>
    static void run(const Pass& pass, std::size_t rows) {
        const std::size_t axis = pass.template saved<Region>().axis;
        const AlongAxis dy(pass.node().shape, axis);
        const std::size_t outer = rows * dy.outer;
        std::size_t start = 0;
        for (std::size_t i = 0; i < pass.node().input_count; ++i) {
            const std::size_t count = pass.input(i).shape[axis];
            if (pass.wants(i))
                move_slices(pass.target(i), count, 0, pass.dy(), dy.extent, start, outer, count, dy.inner);
            start += count;
        }
    }
};

/// As Concat, of parts with extent 1 along an axis that they do not have themselves.
template <class T>
class Stack final : public Operation<T> {
  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info{"stack", "y = x_0, x_1, ... along a new axis", "dx_k = dy[k]"};
        return info;
    }
    void vjp(Vjp<T>& pass) const override {
        const auto axis = static_cast<std::ptrdiff_t>(pass.template saved<Region>().axis);
        for (std::size_t i = 0; i < pass.input_count(); ++i)
            if (pass.wants(i)) pass.accumulate(i, select(pass.dy(), axis, static_cast<std::ptrdiff_t>(i)));
    }
    void backward(Backward<T>& pass) const override { run(pass, 1); }
    void backward_rows(BackwardRows<T>& pass) const override { run(pass, pass.rows()); }

  private:
    template <class Pass>
    static void run(const Pass& pass, std::size_t rows) {
        const AlongAxis dy(pass.node().shape, pass.template saved<Region>().axis);
        const std::size_t outer = rows * dy.outer;
        for (std::size_t i = 0; i < pass.node().input_count; ++i) {
            if (pass.wants(i)) move_slices(pass.target(i), 1, 0, pass.dy(), dy.extent, i, outer, 1, dy.inner);
        }
    }
};

}  // namespace

void OpenShape::append(std::ptrdiff_t extent) {
    if (extent == too_large)
        fail<ValueError>(
            fmt::format("reshape: extent {} is larger than an array can be: expected at least 0, or -1 for "
                        "one of them",
                        extents_.rank()));
    if (extent < -1 || (extent == -1 && open_))
        fail<ValueError>(fmt::format("reshape: extent {} is {}: expected at least 0, or -1 for one of them",
                                     extents_.rank(), extent));
    if (extent == -1) open_ = extents_.rank();
    extents_.push_back(extent == -1 ? 1 : static_cast<std::size_t>(extent));
}

std::string OpenShape::text() const {
    std::vector<std::ptrdiff_t> extents(extents_.begin(), extents_.end());
    if (open_) extents[*open_] = -1;
    return fmt::format("[{}]", fmt::join(extents, ", "));
}

Shape OpenShape::filled_by(const char* call, const Shape& x) const {
    Shape shape = extents_;
    const std::size_t others = shape.size();  // the open one counts as 1
    if (open_ && others > 0) shape[*open_] = x.size() / others;
    if (shape.size() != x.size() || (open_ && others == 0))
        fail<ShapeError>(fmt::format("{}: x is {}, {} elements: expected a shape with as many, not {}", call,
                                     to_string(x), x.size(), text()));
    return shape;
}

template <class T>
Variable<T> reshape(const Variable<T>& x, const OpenShape& open, SourceLine at) {
    const CalledFrom call(at);
    static const Reshape<T> operation;
    const Shape shape = open.filled_by("reshape", x.shape());
    if (x.shape() == shape) return x;
    Tape<T>& tape = x.tape();
    return tape.at(tape.record(operation, {x}, shape, tape.contiguous(x)).index);
}

template <class T>
Variable<T> squeeze(const Variable<T>& x, std::ptrdiff_t axis, SourceLine at) {
    const CalledFrom call(at);
    const std::size_t a = normalized_axis("squeeze", axis, x.shape().rank());
    if (x.shape()[a] != 1)
        fail<ShapeError>(fmt::format("squeeze: x is {}: axis {} has extent {}, expected 1", to_string(x.shape()), axis,
                                     x.shape()[a]));
    return reshape(x, x.shape().erased(a));
}

template <class T>
Variable<T> unsqueeze(const Variable<T>& x, std::ptrdiff_t axis, SourceLine at) {
    const CalledFrom call(at);
    const std::size_t a = normalized_axis("unsqueeze", axis, x.shape().rank() + 1);
    return reshape(x, x.shape().inserted(a, 1));
}

template <class T>
Variable<T> transpose(const Variable<T>& x, std::ptrdiff_t axis0, std::ptrdiff_t axis1, SourceLine at) {
    const CalledFrom call(at);
    static const Transpose2<T> operation;
    const std::size_t rank = x.shape().rank();
    std::size_t a = normalized_axis("transpose", axis0, rank);
    std::size_t b = normalized_axis("transpose", axis1, rank);
    if (a == b) return x;
    if (a > b) std::swap(a, b);
    Shape shape = x.shape();
    std::swap(shape[a], shape[b]);
    Tape<T>& tape = x.tape();
    return tape.at(tape.record_transposed(operation, x, shape, a, b));
}

template <class T>
Variable<T> transpose(const Variable<T>& x, SourceLine at) {
    const CalledFrom call(at);
    if (x.shape().rank() != 2)
        fail<ShapeError>(
            fmt::format("transpose: x is {}: expected a matrix, or two axes to exchange", to_string(x.shape())));
    return transpose(x, 0, 1);
}

template <class T>
Variable<T> permute(const Variable<T>& x, const Axes& axes, SourceLine at) {
    const CalledFrom call(at);
    static const Permute<T> operation;
    const std::size_t rank = x.shape().rank();
    if (axes.size() != rank)
        fail<ValueError>(fmt::format("permute: x is {}: expected each of its {} axes once, got {}",
                                     to_string(x.shape()), rank, axes.size()));
    Permutation permutation;
    std::array<bool, Shape::max_rank> named{};
    std::size_t moved = 0, first = 0, last = 0;
    for (std::size_t k = 0; k < rank; ++k) {
        const std::ptrdiff_t given = axes.begin()[k];
        const std::size_t axis = normalized_axis("permute", given, rank);
        if (named[axis]) fail<ValueError>(fmt::format("permute: axis {} is named twice", given));
        named[axis] = true;
        permutation.order[k] = axis;
        if (axis == k) continue;
        if (moved++ == 0) first = k;
        last = k;
    }
    if (moved == 0) return x;
    // Two axes exchanged need no copy.
    if (moved == 2) return transpose(x, static_cast<std::ptrdiff_t>(first), static_cast<std::ptrdiff_t>(last));
    Tape<T>& tape = x.tape();
    const auto recorded = tape.record(operation, {x}, permutation.of(x.shape()));
    copy_along<false>(recorded.value, recorded.node.shape, static_cast<const T*>(x.node().value),
                      permutation.walk(x.shape()));
    if (recorded.recorded) tape.save(recorded.node, permutation);
    return tape.at(recorded.index);
}

template <class T>
Variable<T> flip(const Variable<T>& x, const Axes& axes, SourceLine at) {
    const CalledFrom call(at);
    Flipped flip;
    for (const std::ptrdiff_t given : axes) {
        const std::size_t axis = normalized_axis("flip", given, x.shape().rank());
        if (flip.axes[axis]) fail<ValueError>(fmt::format("flip: axis {} is named twice", given));
        flip.axes[axis] = true;
    }
    return axes.empty() ? x : flipped(x, flip);
}

template <class T>
Variable<T> broadcast_to(const Variable<T>& x, const Shape& shape, SourceLine at) {
    const CalledFrom call(at);
    static const BroadcastTo<T> operation;
    if (x.shape() == shape) return x;
    if (!broadcasts_to(x.shape(), shape))
        fail<ShapeError>(
            fmt::format("broadcast_to: x is {}: it does not broadcast to {}", to_string(x.shape()), to_string(shape)));
    Tape<T>& tape = x.tape();
    const auto recorded = tape.record(operation, {x}, shape);
    std::fill_n(recorded.value, shape.size(), T(0));
    add_broadcast(recorded.value, shape, x.node().value, x.shape());
    return tape.at(recorded.index);
}

namespace {

/// `count` of x from `start` on along an axis: recorded in `shape`, which has the axis or, for one, has it not.
template <class T>
Variable<T> record_slice(const Variable<T>& x, std::size_t axis, std::size_t start, std::size_t count,
                         const Shape& shape) {
    static const Slice<T> operation;
    Tape<T>& tape = x.tape();
    const AlongAxis source(x.shape(), axis);
    const T* const value = tape.contiguous(x);
    const auto recorded =
        tape.record(operation, {x}, shape, source.outer == 1 ? value + start * source.inner : nullptr);
    if (recorded.value)
        move_slices<false>(recorded.value, count, 0, value, source.extent, start, source.outer, count, source.inner);
    if (recorded.recorded) tape.save(recorded.node, Region{axis, start});
    return tape.at(recorded.index);
}

}  // namespace

template <class T>
Variable<T> slice(const Variable<T>& x, std::ptrdiff_t axis, std::ptrdiff_t start, std::ptrdiff_t stop, SourceLine at) {
    const CalledFrom call(at);
    const Shape& whole = x.shape();
    const std::size_t a = normalized_axis("slice", axis, whole.rank());
    const auto extent = static_cast<std::ptrdiff_t>(whole[a]);
    const std::ptrdiff_t from = start < 0 ? start + extent : start;
    const std::ptrdiff_t to = stop < 0 ? stop + extent : stop;
    if (from < 0 || to > extent || from > to)
        fail<IndexError>(fmt::format("slice: x is {}: expected 0 <= start <= stop <= {} along axis {}, got {}:{}",
                                     to_string(whole), extent, axis, start, stop));
    if (to - from == extent) return x;
    Shape shape = whole;
    shape[a] = static_cast<std::size_t>(to - from);
    return record_slice(x, a, static_cast<std::size_t>(from), shape[a], shape);
}

template <class T>
Variable<T> select(const Variable<T>& x, std::ptrdiff_t axis, std::ptrdiff_t index, SourceLine at) {
    const CalledFrom call(at);
    const std::size_t a = normalized_axis("select", axis, x.shape().rank());
    const auto extent = static_cast<std::ptrdiff_t>(x.shape()[a]);
    if (index < -extent || index >= extent)
        fail<IndexError>(fmt::format("select: x is {}: index {} along axis {}: expected {} to {}", to_string(x.shape()),
                                     index, axis, -extent, extent - 1));
    const Shape shape = x.shape().erased(a);
    if (extent == 1) return reshape(x, shape);
    return record_slice(x, a, static_cast<std::size_t>(index < 0 ? index + extent : index), 1, shape);
}

template <class T>
Variable<T> pad(const Variable<T>& x, std::ptrdiff_t axis, std::ptrdiff_t before, std::ptrdiff_t after, SourceLine at) {
    const CalledFrom call(at);
    static const Pad<T> operation;
    const std::size_t a = normalized_axis("pad", axis, x.shape().rank());
    constexpr std::ptrdiff_t most = std::numeric_limits<std::ptrdiff_t>::max() / 4;  // the sum does not overflow
    if (before < 0 || before > most || after < 0 || after > most)
        fail<ValueError>(
            fmt::format("pad: x is {}, before is {}, after is {}: expected numbers of zeros, not negative; slice takes "
                        "elements away",
                        to_string(x.shape()), before, after));
    if (before == 0 && after == 0) return x;
    Shape shape = x.shape();
    shape[a] += static_cast<std::size_t>(before + after);
    Tape<T>& tape = x.tape();
    const auto recorded = tape.record(operation, {x}, shape);
    const AlongAxis source(x.shape(), a);
    std::fill_n(recorded.value, shape.size(), T(0));
    const auto start = static_cast<std::size_t>(before);
    move_slices<false>(recorded.value, shape[a], start, x.node().value, source.extent, 0, source.outer, source.extent,
                       source.inner);
    if (recorded.recorded) tape.save(recorded.node, Region{a, start});
    return tape.at(recorded.index);
}

template <class T>
Variable<T> concat(const std::vector<Variable<T>>& xs, std::ptrdiff_t axis, SourceLine at) {
    const CalledFrom call(at);
    static const Concat<T> operation;
    if (xs.empty()) fail<ValueError>("concat: no arrays: expected at least one");
    Shape shape = xs[0].shape();
    const std::size_t a = normalized_axis("concat", axis, shape.rank());
    for (std::size_t k = 1; k < xs.size(); ++k) {
        const Shape& other = xs[k].shape();
        Shape expected = shape;
        if (other.rank() == shape.rank()) expected[a] = other[a];
        if (other != expected)
            fail<ShapeError>(
                fmt::format("concat: array 0 is {}, array {} is {}: expected the same extents but along axis {}",
                            to_string(xs[0].shape()), k, to_string(other), axis));
        shape[a] += other[a];
    }
    Tape<T>& tape = xs[0].tape();
    const auto recorded = tape.record(operation, std::span(xs), shape);
    std::size_t start = 0;
    for (const Variable<T>& x : xs) {
        const AlongAxis source(x.shape(), a);
        move_slices<false>(recorded.value, shape[a], start, x.node().value, source.extent, 0, source.outer,
                           source.extent, source.inner);
        start += source.extent;
    }
    if (recorded.recorded) tape.save(recorded.node, Region{a, 0});
    return tape.at(recorded.index);
}

template <class T>
Variable<T> stack(const std::vector<Variable<T>>& xs, std::ptrdiff_t axis, SourceLine at) {
    const CalledFrom call(at);
    static const Stack<T> operation;
    if (xs.empty()) fail<ValueError>("stack: no arrays: expected at least one");
    const Shape& part = xs[0].shape();
    for (std::size_t k = 1; k < xs.size(); ++k)
        if (xs[k].shape() != part)
            fail<ShapeError>(fmt::format("stack: array 0 is {}, array {} is {}: expected one shape", to_string(part), k,
                                         to_string(xs[k].shape())));
    const std::size_t a = normalized_axis("stack", axis, part.rank() + 1);
    const Shape shape = part.inserted(a, xs.size());
    Tape<T>& tape = xs[0].tape();
    const auto recorded = tape.record(operation, std::span(xs), shape);
    const AlongAxis y(shape, a);
    for (std::size_t k = 0; k < xs.size(); ++k)
        move_slices<false>(recorded.value, y.extent, k, xs[k].node().value, 1, 0, y.outer, 1, y.inner);
    if (recorded.recorded) tape.save(recorded.node, Region{a, 0});
    return tape.at(recorded.index);
}

std::vector<CatalogueEntry> shape_catalogue() {
    return {{Reshape<double>().info(), 1},
            {Transpose2<double>().info(), 1},
            {Permute<double>().info(), 1},
            {Flip<double>().info(), 1},
            {BroadcastTo<double>().info(), 1},
            {Slice<double>().info(), 1},
            {Pad<double>().info(), 1},
            {Concat<double>().info(), 0},
            {Stack<double>().info(), 0},
            derived("squeeze", "y = x without an axis of extent 1", "dx = dy in the shape of x", "reshape"),
            derived("unsqueeze", "y = x with a new axis of extent 1", "dx = dy in the shape of x", "reshape"),
            derived("select", "y = x[k] along an axis", "dx[k] = dy, 0 elsewhere", "slice")};
}

#define EBB_INSTANTIATE(T)                                                                                      \
    template Variable<T> reshape(const Variable<T>&, const OpenShape&, SourceLine);                             \
    template Variable<T> squeeze(const Variable<T>&, std::ptrdiff_t, SourceLine);                               \
    template Variable<T> unsqueeze(const Variable<T>&, std::ptrdiff_t, SourceLine);                             \
    template Variable<T> transpose(const Variable<T>&, std::ptrdiff_t, std::ptrdiff_t, SourceLine);             \
    template Variable<T> transpose(const Variable<T>&, SourceLine);                                             \
    template Variable<T> permute(const Variable<T>&, const Axes&, SourceLine);                                  \
    template Variable<T> flip(const Variable<T>&, const Axes&, SourceLine);                                     \
    template Variable<T> broadcast_to(const Variable<T>&, const Shape&, SourceLine);                            \
    template Variable<T> slice(const Variable<T>&, std::ptrdiff_t, std::ptrdiff_t, std::ptrdiff_t, SourceLine); \
    template Variable<T> select(const Variable<T>&, std::ptrdiff_t, std::ptrdiff_t, SourceLine);                \
    template Variable<T> pad(const Variable<T>&, std::ptrdiff_t, std::ptrdiff_t, std::ptrdiff_t, SourceLine);   \
    template Variable<T> concat(const std::vector<Variable<T>>&, std::ptrdiff_t, SourceLine);                   \
    template Variable<T> stack(const std::vector<Variable<T>>&, std::ptrdiff_t, SourceLine);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb
