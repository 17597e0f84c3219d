#include <ebb/autograd/operations/along_axis.hpp>
#include <ebb/autograd/operations/catalogue.hpp>
#include <ebb/autograd/operations/indexing.hpp>
#include <ebb/autograd/operations/shape_operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace ebb {
namespace {

/// `indices` as they lie in memory, with their shape.
struct IndexView {
    const std::int64_t* data;
    Shape shape;
    std::span<const std::int64_t> all() const { return {data, shape.size()}; }
};

IndexView view_of(const Indices& indices) {
    return {indices.data(), Shape::of(indices.shape())};
}

/// Saved: the indices, and the axis that they count along.
struct IndexSaved {
    IndexView indices;
    std::size_t axis;
};

template <class T>
Variable<T> finish(Tape<T>& tape, const typename Tape<T>::Recorded& recorded, IndexSaved saved) {
    if (recorded.recorded) {
        saved.indices.data = tape.save(saved.indices.data, saved.indices.shape.size());
        tape.save(recorded.node, saved);
    }
    return tape.at(recorded.index);
}

template <class T>
const char* named(const Variable<T>& x) {
    return x.name().empty() ? "x" : x.name().c_str();
}

// ---- slices: one index for a whole slice of x -----------------------------------------------------------------------

template <class T>
Variable<T> select_slices(const Variable<T>& x, const IndexSaved& where);
template <class T>
Variable<T> add_slices(const Variable<T>& x, const IndexSaved& where, const Variable<T>& source);

/// Calls f(offset in the array that the indices count in, offset in the other one) for every slice of `inner` numbers.
template <class Function>
void for_each_slice(const AlongAxis& along, const IndexView& indices, Function f) {
    const std::size_t count = indices.shape.size();
    for (std::size_t o = 0; o < along.outer; ++o)
        for (std::size_t i = 0; i < count; ++i)
            f((o * along.extent + static_cast<std::size_t>(indices.data[i])) * along.inner,
              (o * count + i) * along.inner);
}

template <class T>
void scatter_slices(const AlongAxis& along, const IndexView& indices, const T* from, T* to) {
    for_each_slice(along, indices, [&](std::size_t in_to, std::size_t in_from) {
        for (std::size_t k = 0; k < along.inner; ++k) to[in_to + k] += from[in_from + k];
    });
}

template <class T>
void pick_slices(const AlongAxis& along, const IndexView& indices, const T* from, const GradientTarget<T>& to) {
    for_each_slice(along, indices, [&](std::size_t in_from, std::size_t in_to) {
        if (to.assign)
            std::copy_n(from + in_from, along.inner, to.data + in_to);
        else
            for (std::size_t k = 0; k < along.inner; ++k) to.data[in_to + k] += from[in_from + k];
    });
}

template <class T>
class IndexSelect final : public Operation<T> {
  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info{"index_select", "y[i] = x[indices[i]] along an axis",
                                            "dx[indices[i]] += dy[i]"};
        return info;
    }
    void vjp(Vjp<T>& pass) const override {
        const auto saved = pass.template saved<IndexSaved>();
        pass.accumulate(0, add_slices(pass.tape().zeros(pass.input(0).shape()), saved, pass.dy()));
    }
    void backward(Backward<T>& pass) const override {
        const auto& saved = pass.template saved<IndexSaved>();
        scatter_slices(AlongAxis(pass.input(0).shape, saved.axis), saved.indices, pass.dy(), pass.target_zeroed(0));
    }
};

template <class T>
class IndexAdd final : public Operation<T> {
  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info{"index_add", "y = x, y[indices[i]] += source[i]",
                                            "dx = dy, dsource[i] = dy[indices[i]]"};
        return info;
    }
    void vjp(Vjp<T>& pass) const override {
        const auto saved = pass.template saved<IndexSaved>();
        if (pass.wants(0)) pass.accumulate(0, pass.dy());
        if (pass.wants(1)) pass.accumulate(1, select_slices(pass.dy(), saved));
    }
    void backward(Backward<T>& pass) const override {
        const auto& saved = pass.template saved<IndexSaved>();
        // Before dy is handed on to x: then its memory is no longer this operation's.
        if (pass.wants(1))
            pick_slices(AlongAxis(pass.input(0).shape, saved.axis), saved.indices, pass.dy(), pass.target(1));
        if (pass.wants(0)) pass.pass_on(0);
    }
};

/// The shape of x with S in the place of the axis.
Shape selected_shape(const Shape& x, const IndexSaved& where) {
    Shape shape;
    for (std::size_t axis = 0; axis < where.axis; ++axis) shape.push_back(x[axis]);
    for (const std::size_t extent : where.indices.shape) shape.push_back(extent);
    for (std::size_t axis = where.axis + 1; axis < x.rank(); ++axis) shape.push_back(x[axis]);
    return shape;
}

template <class T>
Variable<T> select_slices(const Variable<T>& x, const IndexSaved& where) {
    static const IndexSelect<T> operation;
    Tape<T>& tape = x.tape();
    const auto recorded = tape.record(operation, {x}, selected_shape(x.shape(), where));
    pick_slices(AlongAxis(x.shape(), where.axis), where.indices, x.node().value,
                GradientTarget<T>{recorded.value, true});
    return finish(tape, recorded, where);
}

template <class T>
Variable<T> add_slices(const Variable<T>& x, const IndexSaved& where, const Variable<T>& source) {
    static const IndexAdd<T> operation;
    Tape<T>& tape = x.tape();
    const auto recorded = tape.record(operation, {x, source}, x.shape());
    std::copy_n(x.node().value, x.size(), recorded.value);
    scatter_slices(AlongAxis(x.shape(), where.axis), where.indices, source.node().value, recorded.value);
    return finish(tape, recorded, where);
}

template <class T>
IndexSaved checked_slices(const char* call, const Variable<T>& x, std::ptrdiff_t axis, const Indices& indices) {
    if (x.shape().rank() == 0)
        fail<ShapeError>(fmt::format("{}: {} is a scalar: expected an array with at least one axis", call, named(x)));
    const IndexSaved where{view_of(indices), normalized_axis(call, axis, x.shape().rank())};
    check_indices(call, where.indices.all(), named(x), x.shape(), where.axis);
    return where;
}

// ---- elements: one index for each -----------------------------------------------------------------------------------

template <class T>
Variable<T> gather_elements(const Variable<T>& x, const IndexSaved& where);
template <class T>
Variable<T> scatter_elements(const Variable<T>& x, const IndexSaved& where, const Variable<T>& source);

/// Calls f(offset in an array of `shape`, k) for every index, the k-th.
template <class Function>
void for_each_index(const Shape& shape, const IndexSaved& where, Function f) {
    const Shape& of_indices = where.indices.shape;
    std::array<std::size_t, Shape::max_rank> steps{}, position{};
    std::size_t step = 1;
    for (std::size_t axis = shape.rank(); axis-- > 0;) {
        steps[axis] = step;
        step *= shape[axis];
    }
    const std::size_t count = of_indices.size();
    for (std::size_t k = 0; k < count; ++k) {
        std::size_t offset = static_cast<std::size_t>(where.indices.data[k]) * steps[where.axis];
        for (std::size_t axis = 0; axis < shape.rank(); ++axis)
            if (axis != where.axis) offset += position[axis] * steps[axis];
        f(offset, k);
        for (std::size_t axis = shape.rank(); axis-- > 0;) {
            if (++position[axis] < of_indices[axis]) break;
            position[axis] = 0;
        }
    }
}

template <class T>
class Gather final : public Operation<T> {
  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info{"gather", "y[i][j] = x[i][indices[i][j]], for axis 1 of two",
                                            "dx[i][indices[i][j]] += dy[i][j]"};
        return info;
    }
    void vjp(Vjp<T>& pass) const override {
        const auto saved = pass.template saved<IndexSaved>();
        pass.accumulate(0, scatter_elements(pass.tape().zeros(pass.input(0).shape()), saved, pass.dy()));
    }
    void backward(Backward<T>& pass) const override {
        const T* const dy = pass.dy();
        T* const dx = pass.target_zeroed(0);
        for_each_index(pass.input(0).shape, pass.template saved<IndexSaved>(),
                       [&](std::size_t in_x, std::size_t k) { dx[in_x] += dy[k]; });
    }
};

template <class T>
class ScatterAdd final : public Operation<T> {
  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info{"scatter_add",
                                            "y = x, y[i][indices[i][j]] += source[i][j], for axis 1 of two",
                                            "dx = dy, dsource[i][j] = dy[i][indices[i][j]]"};
        return info;
    }
    void vjp(Vjp<T>& pass) const override {
        const auto saved = pass.template saved<IndexSaved>();
        if (pass.wants(0)) pass.accumulate(0, pass.dy());
        if (pass.wants(1)) pass.accumulate(1, gather_elements(pass.dy(), saved));
    }
    void backward(Backward<T>& pass) const override {
        if (pass.wants(1)) {  // before dy is handed on to x
            const T* const dy = pass.dy();
            const GradientTarget<T> target = pass.target(1);
            for_each_index(pass.node().shape, pass.template saved<IndexSaved>(), [&](std::size_t in_x, std::size_t k) {
                target.data[k] = target.assign ? dy[in_x] : target.data[k] + dy[in_x];
            });
        }
        if (pass.wants(0)) pass.pass_on(0);
    }
};

template <class T>
Variable<T> gather_elements(const Variable<T>& x, const IndexSaved& where) {
    static const Gather<T> operation;
    Tape<T>& tape = x.tape();
    const auto recorded = tape.record(operation, {x}, where.indices.shape);
    const T* const value = x.node().value;
    for_each_index(x.shape(), where, [&](std::size_t in_x, std::size_t k) { recorded.value[k] = value[in_x]; });
    return finish(tape, recorded, where);
}

template <class T>
Variable<T> scatter_elements(const Variable<T>& x, const IndexSaved& where, const Variable<T>& source) {
    static const ScatterAdd<T> operation;
    Tape<T>& tape = x.tape();
    const auto recorded = tape.record(operation, {x, source}, x.shape());
    std::copy_n(x.node().value, x.size(), recorded.value);
    const T* const value = source.node().value;
    for_each_index(x.shape(), where, [&](std::size_t in_x, std::size_t k) { recorded.value[in_x] += value[k]; });
    return finish(tape, recorded, where);
}

template <class T>
IndexSaved checked_elements(const char* call, const Variable<T>& x, std::ptrdiff_t axis, const Indices& indices) {
    const Shape& shape = x.shape();
    const IndexSaved where{view_of(indices), normalized_axis(call, axis, shape.rank())};
    bool fits = where.indices.shape.rank() == shape.rank();
    for (std::size_t a = 0; fits && a < shape.rank(); ++a) fits = a == where.axis || where.indices.shape[a] <= shape[a];
    if (!fits)
        fail<ShapeError>(
            fmt::format("{}: {} is {}, the indices are {}: expected as many axes, and no extent larger than "
                        "that of {} but along axis {}",
                        call, named(x), to_string(shape), to_string(where.indices.shape), named(x), axis));
    check_indices(call, where.indices.all(), named(x), x.shape(), where.axis);
    return where;
}

// ---- where the largest is -------------------------------------------------------------------------------------------

template <bool largest, class T>
Indices extremal_index(const char* call, const Variable<T>& x, std::ptrdiff_t axis, bool keepdims) {
    const std::size_t a = normalized_axis(call, axis, x.shape().rank());
    const AlongAxis along(x.shape(), a);
    const Shape rest = x.shape().erased(a);
    if (along.extent == 0 && rest.size() != 0)
        fail<ValueError>(
            fmt::format("{}: x is {}: along axis {} there are no elements", call, to_string(x.shape()), axis));
    const Shape shape = keepdims ? rest.inserted(a, 1) : rest;
    Indices result = Indices::from_shape(std::vector<std::size_t>(shape.begin(), shape.end()));
    const T* const value = x.tape().contiguous(x);
    for (std::size_t o = 0; o < along.outer; ++o)
        for (std::size_t i = 0; i < along.inner; ++i) {
            const auto at = [&](std::size_t e) { return value[(o * along.extent + e) * along.inner + i]; };
            std::size_t best = 0;
            for (std::size_t e = 1; e < along.extent && !std::isnan(at(best)); ++e)
                if ((largest ? at(e) > at(best) : at(e) < at(best)) || std::isnan(at(e))) best = e;
            result.data()[o * along.inner + i] = static_cast<std::int64_t>(best);
        }
    return result;
}

}  // namespace

template <class T>
Variable<T> index_select(const Variable<T>& x, std::ptrdiff_t axis, const Indices& indices, SourceLine at) {
    const CalledFrom call(at);
    return select_slices(x, checked_slices("index_select", x, axis, indices));
}

template <class T>
Variable<T> index_add(const Variable<T>& x, std::ptrdiff_t axis, const Indices& indices, Operand<T> source,
                      SourceLine at) {
    const CalledFrom call(at);
    const IndexSaved where = checked_slices("index_add", x, axis, indices);
    const Shape expected = selected_shape(x.shape(), where);
    if (source.shape() != expected)
        fail<ShapeError>(fmt::format("index_add: the source is {}, expected {}: the indices are {}, x is {}",
                                     to_string(source.shape()), to_string(expected), to_string(where.indices.shape),
                                     to_string(x.shape())));
    return add_slices(x, where, source);
}

template <class T>
Variable<T> gather(const Variable<T>& x, std::ptrdiff_t axis, const Indices& indices, SourceLine at) {
    const CalledFrom call(at);
    return gather_elements(x, checked_elements("gather", x, axis, indices));
}

template <class T>
Variable<T> scatter_add(const Variable<T>& x, std::ptrdiff_t axis, const Indices& indices, Operand<T> source,
                        SourceLine at) {
    const CalledFrom call(at);
    const IndexSaved where = checked_elements("scatter_add", x, axis, indices);
    if (source.shape() != where.indices.shape)
        fail<ShapeError>(fmt::format("scatter_add: the source is {}, the indices are {}: expected equal shapes",
                                     to_string(source.shape()), to_string(where.indices.shape)));
    return scatter_elements(x, where, source);
}

template <class T>
Indices argmax(const Variable<T>& x, std::ptrdiff_t axis, bool keepdims) {
    return extremal_index<true>("argmax", x, axis, keepdims);
}

template <class T>
Indices argmin(const Variable<T>& x, std::ptrdiff_t axis, bool keepdims) {
    return extremal_index<false>("argmin", x, axis, keepdims);
}

namespace {

/// The elements that `argmax` or `argmin` finds, and where.
template <bool largest, class T>
ValuesAndIndices<T> extremum_with_indices(const char* call, const Variable<T>& x, std::ptrdiff_t axis, bool keepdims) {
    Indices kept = extremal_index<largest>(call, x, axis, true);
    const Variable<T> values = gather(x, axis, kept);
    if (keepdims) return {values, std::move(kept)};
    const Shape shape = values.shape().erased(normalized_axis(call, axis, x.shape().rank()));
    kept.reshape(std::vector<std::size_t>(shape.begin(), shape.end()));
    return {reshape(values, shape), std::move(kept)};
}

}  // namespace

template <class T>
ValuesAndIndices<T> max_with_indices(const Variable<T>& x, std::ptrdiff_t axis, bool keepdims, SourceLine at) {
    const CalledFrom call(at);
    return extremum_with_indices<true>("max_with_indices", x, axis, keepdims);
}

template <class T>
ValuesAndIndices<T> min_with_indices(const Variable<T>& x, std::ptrdiff_t axis, bool keepdims, SourceLine at) {
    const CalledFrom call(at);
    return extremum_with_indices<false>("min_with_indices", x, axis, keepdims);
}

std::vector<CatalogueEntry> indexing_catalogue() {
    return {{IndexSelect<double>().info(), 1},
            {IndexAdd<double>().info(), 2},
            {Gather<double>().info(), 1},
            {ScatterAdd<double>().info(), 2},
            derived("max_with_indices", "y = the first largest x along an axis, and its place", "dx = dy there, else 0",
                    "gather, reshape"),
            derived("min_with_indices", "y = the first smallest x along an axis, and its place",
                    "dx = dy there, else 0", "gather, reshape")};
}

void check_indices(std::string_view call, std::span<const std::int64_t> indices, std::string_view name,
                   const Shape& shape, std::size_t axis) {
    const auto extent = static_cast<std::int64_t>(shape[axis]);
    const auto wrong =
        std::find_if(indices.begin(), indices.end(), [=](std::int64_t index) { return index < 0 || index >= extent; });
    if (wrong == indices.end()) return;
    fail<IndexError>(fmt::format("{}: index {} at flat position {} of the indices: {} is {}, expected {}{}", call,
                                 *wrong, wrong - indices.begin(), name, to_string(shape),
                                 extent == 0 ? "no index" : fmt::format("0 to {}", extent - 1),
                                 axis == 0 ? "" : fmt::format(" along axis {}", axis)));
}

#define EBB_INSTANTIATE(T)                                                                                        \
    template Variable<T> index_select(const Variable<T>&, std::ptrdiff_t, const Indices&, SourceLine);            \
    template Variable<T> index_add(const Variable<T>&, std::ptrdiff_t, const Indices&, Operand<T>, SourceLine);   \
    template Variable<T> gather(const Variable<T>&, std::ptrdiff_t, const Indices&, SourceLine);                  \
    template Variable<T> scatter_add(const Variable<T>&, std::ptrdiff_t, const Indices&, Operand<T>, SourceLine); \
    template ValuesAndIndices<T> max_with_indices(const Variable<T>&, std::ptrdiff_t, bool, SourceLine);          \
    template ValuesAndIndices<T> min_with_indices(const Variable<T>&, std::ptrdiff_t, bool, SourceLine);          \
    template Indices argmax(const Variable<T>&, std::ptrdiff_t, bool);                                            \
    template Indices argmin(const Variable<T>&, std::ptrdiff_t, bool);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb
