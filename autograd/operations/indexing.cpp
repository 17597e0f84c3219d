#include <ebb/autograd/operations/catalogue.hpp>
#include <ebb/autograd/operations/indexing.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>

#include <algorithm>

#include <fmt/format.h>

namespace ebb {
namespace {

/// Saved: which row of the long array [N, ..] each row of the short one [S.., ..] belongs to.
struct RowsSaved {
    const std::int64_t* indices;
    std::size_t count;
    Shape shape;      // S
    std::size_t row;  // elements in a row
};

/// `indices` as they lie in memory, with their shape.
struct IndexView {
    const std::int64_t* data;
    Shape shape;
};

template <class T>
Variable<T> select_rows(const Variable<T>& x, const IndexView& indices);
template <class T>
Variable<T> add_rows(const Variable<T>& x, const IndexView& indices, const Variable<T>& source);

/// to[indices[i]] += from[i]
template <class T>
void scatter_rows(const RowsSaved& saved, const T* from, T* to) {
    for (std::size_t i = 0; i < saved.count; ++i) {
        T* const row = to + static_cast<std::size_t>(saved.indices[i]) * saved.row;
        for (std::size_t k = 0; k < saved.row; ++k) row[k] += from[i * saved.row + k];
    }
}

template <class T>
class IndexSelect final : public Operation<T> {
  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info{"index_select", "y[i] = x[indices[i]]", "dx[indices[i]] += dy[i]"};
        return info;
    }
    void vjp(Vjp<T>& pass) const override {
        const auto& saved = pass.template saved<RowsSaved>();
        pass.accumulate(0, add_rows(pass.tape().zeros(pass.input(0).shape()), {saved.indices, saved.shape}, pass.dy()));
    }
    void backward(Backward<T>& pass) const override {
        scatter_rows(pass.template saved<RowsSaved>(), pass.dy(), pass.target_zeroed(0));
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
        const auto& saved = pass.template saved<RowsSaved>();
        if (pass.wants(0)) pass.accumulate(0, pass.dy());
        if (pass.wants(1)) pass.accumulate(1, select_rows(pass.dy(), {saved.indices, saved.shape}));
    }
    void backward(Backward<T>& pass) const override {
        const auto& saved = pass.template saved<RowsSaved>();
        const T* const dy = pass.dy();
        // Before dy is handed on to x: then its memory is no longer this operation's.
        if (pass.wants(1)) {
            const GradientTarget<T> target = pass.target(1);
            for (std::size_t i = 0; i < saved.count; ++i) {
                const T* const from = dy + static_cast<std::size_t>(saved.indices[i]) * saved.row;
                T* const to = target.data + i * saved.row;
                if (target.assign)
                    std::copy_n(from, saved.row, to);
                else
                    for (std::size_t k = 0; k < saved.row; ++k) to[k] += from[k];
            }
        }
        if (pass.wants(0)) pass.pass_on(0);
    }
};

template <class T>
void check_indices(const char* call, const Variable<T>& x, const IndexView& indices) {
    const char* const name = x.name().empty() ? "x" : x.name().c_str();
    if (x.shape().rank() == 0)
        fail<ShapeError>(fmt::format("{}: {} is a scalar: expected an array with at least one axis", call, name));
    const auto rows = static_cast<std::int64_t>(x.shape()[0]);
    const std::size_t count = indices.shape.size();
    for (std::size_t i = 0; i < count; ++i)
        if (indices.data[i] < 0 || indices.data[i] >= rows)
            fail<IndexError>(fmt::format("{}: index {} at flat position {} of the indices: {} is {}, expected {}", call,
                                         indices.data[i], i, name, to_string(x.shape()),
                                         rows == 0 ? "no index" : fmt::format("0 to {}", rows - 1)));
}

/// S followed by the axes of a row of x.
template <class T>
Shape rows_shape(const Variable<T>& x, const IndexView& indices) {
    Shape shape = indices.shape;
    for (std::size_t axis = 1; axis < x.shape().rank(); ++axis) shape.push_back(x.shape()[axis]);
    return shape;
}

template <class T>
RowsSaved rows_saved(const Variable<T>& x, const IndexView& indices) {
    std::size_t row = 1;
    for (std::size_t axis = 1; axis < x.shape().rank(); ++axis) row *= x.shape()[axis];
    return {indices.data, indices.shape.size(), indices.shape, row};
}

template <class T>
Variable<T> finish(Tape<T>& tape, const typename Tape<T>::Recorded& recorded, RowsSaved saved) {
    if (recorded.recorded) {
        saved.indices = tape.save(saved.indices, saved.count);
        tape.save(recorded.node, saved);
    }
    return tape.at(recorded.index);
}

template <class T>
Variable<T> select_rows(const Variable<T>& x, const IndexView& indices) {
    static const IndexSelect<T> operation;
    Tape<T>& tape = x.tape();
    const RowsSaved saved = rows_saved(x, indices);
    const auto recorded = tape.record(operation, {x}, rows_shape(x, indices));
    const T* const from = x.node().value;
    for (std::size_t i = 0; i < saved.count; ++i)
        std::copy_n(from + static_cast<std::size_t>(saved.indices[i]) * saved.row, saved.row,
                    recorded.value + i * saved.row);
    return finish(tape, recorded, saved);
}

template <class T>
Variable<T> add_rows(const Variable<T>& x, const IndexView& indices, const Variable<T>& source) {
    static const IndexAdd<T> operation;
    Tape<T>& tape = x.tape();
    const RowsSaved saved = rows_saved(x, indices);
    const auto recorded = tape.record(operation, {x, source}, x.shape());
    std::copy_n(x.node().value, x.size(), recorded.value);
    scatter_rows(saved, source.node().value, recorded.value);
    return finish(tape, recorded, saved);
}

IndexView view_of(const Indices& indices) {
    return {indices.data(), Shape::of(indices.shape())};
}

}  // namespace

template <class T>
Variable<T> index_select(const Variable<T>& x, const Indices& indices) {
    const IndexView view = view_of(indices);
    check_indices("index_select", x, view);
    return select_rows(x, view);
}

template <class T>
Variable<T> index_add(const Variable<T>& x, const Indices& indices, Operand<T> source) {
    const IndexView view = view_of(indices);
    check_indices("index_add", x, view);
    if (source.shape() != rows_shape(x, view))
        fail<ShapeError>(fmt::format("index_add: the source is {}, expected {}: the indices are {}, x is {}",
                                     to_string(source.shape()), to_string(rows_shape(x, view)), to_string(view.shape),
                                     to_string(x.shape())));
    return add_rows(x, view, source);
}

std::vector<CatalogueEntry> indexing_catalogue() {
    return {{IndexSelect<double>().info(), 1}, {IndexAdd<double>().info(), 2}};
}

#define EBB_INSTANTIATE(T)                                                 \
    template Variable<T> index_select(const Variable<T>&, const Indices&); \
    template Variable<T> index_add(const Variable<T>&, const Indices&, Operand<T>);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb
