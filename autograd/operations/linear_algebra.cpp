#include <ebb/autograd/operations/broadcast.hpp>
#include <ebb/autograd/operations/catalogue.hpp>
#include <ebb/autograd/operations/elementwise.hpp>
#include <ebb/autograd/operations/linear_algebra.hpp>
#include <ebb/autograd/operations/reductions.hpp>
#include <ebb/autograd/operations/shape_operations.hpp>
#include <ebb/autograd/operations/transposed.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/blas.hpp>
#include <ebb/core/error.hpp>

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace ebb {
namespace {

std::string named(const std::string& name, const char* otherwise) {
    return name.empty() ? otherwise : name;
}

/// The product of all extents but the last one.
std::size_t rows_of(const Shape& shape) {
    return shape.erased(shape.rank() - 1).size();
}

/// A matrix as it lies in memory: row-major, or the transpose of a row-major one.
template <class T>
struct Operand2 {
    const T* data;
    Transpose transposed;
    std::size_t stride;  // of the rows that lie in memory
};

template <class T>
Operand2<T> as_it_lies(Tape<T>& tape, Node<T>& node) {
    const std::size_t rank = node.shape.rank();
    if (node.transposed && !node.value) {
        const auto& saved = *static_cast<const Transposed*>(node.saved);
        if (saved.axis0 + 2 == rank && saved.axis1 + 1 == rank)
            return {tape.contiguous(tape.node(saved.source)), Transpose::yes, node.shape[rank - 2]};
    }
    return {tape.contiguous(node), Transpose::no, node.shape.back()};
}

/// The node whose memory `as_it_lies` has found.
template <class T>
Node<T>& matrix_of(Tape<T>& tape, Node<T>& node) {
    const bool lies_transposed = as_it_lies(tape, node).transposed == Transpose::yes;
    return lies_transposed ? tape.node(static_cast<const Transposed*>(node.saved)->source) : node;
}

/// Whether the batch of a is but more rows of one product.
template <class T>
bool is_flat(const Shape& a, const Operand2<T>& left, const Shape& b) {
    return b.rank() == 2 && (a.rank() == 2 || left.transposed == Transpose::no);
}

constexpr Transpose flipped(Transpose t) {
    return t == Transpose::yes ? Transpose::no : Transpose::yes;
}

/// The products of a batch: where each of them lies. The batch axes of a and b broadcast against each other.
class Batch {
  public:
    Batch(const Shape& y, const Shape& a, const Shape& b)
        : shape_(leading(y)), a_(leading(a)), b_(leading(b)), lies_(shape_, {&a_, &b_}) {}

    /// Calls f(number of the matrix of a, of b, of y).
    template <class Function>
    void for_each(Function f) const {
        if (shape_.size() == 0) return;
        ElementwiseBlock<float> block;
        lies_.for_each_block(block, [&](const auto& offsets, std::size_t offset) {
            for (std::size_t r = 0; r < block.rows; ++r)
                for (std::size_t c = 0; c < block.columns; ++c) {
                    const auto at = [&](std::size_t i) {
                        return static_cast<std::size_t>(offsets[i] +
                                                        static_cast<std::ptrdiff_t>(r) * block.row_steps[i]) +
                               (block.broadcast[i] ? 0 : c);
                    };
                    f(at(0), at(1), offset + r * block.columns + c);
                }
        });
    }

  private:
    static Shape leading(const Shape& shape) { return Shape(shape.begin(), shape.end() - 2); }
    Shape shape_, a_, b_;  // the batch axes of y, a and b
    Broadcast<2> lies_;
};

/// Says which time steps the rows of a share belong to. Sequences are [T, B, features]: those of a step lie together.
template <class T>
void set_time(typename Backward<T>::Share& share, const Node<T>& y) {
    if (y.shape.rank() > 2) {
        share.time_steps = y.shape[0];
        share.first_time_step = 0;
    } else {
        share.first_time_step = y.time_step;
    }
}

/// y = a b for arrays of at least two axes.
template <class T>
class Matmul final : public Operation<T> {
  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info{"matmul", "y = a b", "da = dy b', db = a' dy"};
        return info;
    }
    bool takes_transposed() const noexcept override { return true; }

    void vjp(Vjp<T>& pass) const override {
        const Variable<T> a = pass.input(0), b = pass.input(1), dy = pass.dy();
        if (pass.wants(0)) pass.accumulate(0, sum_to(matmul(dy, transpose(b, -1, -2)), a.shape()));
        if (pass.wants(1)) pass.accumulate(1, sum_to(matmul(transpose(a, -1, -2), dy), b.shape()));
    }

    void backward(Backward<T>& pass) const override {
        Tape<T>& tape = pass.tape();
        const NodeIndex a_index = tape.input(pass.node(), 0), b_index = tape.input(pass.node(), 1);
        Node<T>& a = tape.node(a_index);
        Node<T>& b = tape.node(b_index);
        const Shape& shape = pass.node().shape;
        const T* const dy = pass.dy();
        const std::size_t n = shape.back(), k = a.shape.back();
        const Operand2<T> left = as_it_lies(tape, a), right = as_it_lies(tape, b);
        const bool flat = is_flat(a.shape, left, b.shape);
        const std::size_t m = flat ? rows_of(shape) : shape[shape.rank() - 2];
        const std::size_t a_size = m * k, b_size = k * n, y_size = m * n;

        if (pass.wants(0)) {
            // da = dy b'. Of a broadcast a, several products go to one matrix.
            const auto product = [&](T* da, const T* dy_at, const T* b_at, T beta) {
                gemm(Transpose::no, flipped(right.transposed), m, k, n, T(1), dy_at, n, b_at, right.stride, beta, da,
                     k);
            };
            if (flat) {
                const GradientTarget<T> target = pass.target(0);
                tape.multiply(m, n, k, dy, matrix_of(tape, b), flipped(right.transposed), !target.assign, target.data);
            } else {
                T* const da = pass.target_zeroed(0);
                Batch(shape, a.shape, b.shape).for_each([&](std::size_t ia, std::size_t ib, std::size_t iy) {
                    product(da + ia * a_size, dy + iy * y_size, right.data + ib * b_size, T(1));
                });
            }
        }
        if (!pass.wants(1)) return;
        if (flat && left.transposed == Transpose::no && defer(pass, b, {left.data, dy, m, k, n})) return;
        // db = a' dy
        const auto product = [&](T* db, const T* a_at, const T* dy_at, T beta) {
            gemm(flipped(left.transposed), Transpose::no, k, n, m, T(1), a_at, left.stride, dy_at, n, beta, db, n);
        };
        if (flat) {
            const GradientTarget<T> target = pass.target(1);
            product(target.data, left.data, dy, target.assign ? T(0) : T(1));
        } else {
            T* const db = pass.target_zeroed(1);
            Batch(shape, a.shape, b.shape).for_each([&](std::size_t ia, std::size_t ib, std::size_t iy) {
                product(db + ib * b_size, left.data + ia * a_size, dy + iy * y_size, T(1));
            });
        }
    }

    /// da = dy b': of one matrix b, K times as many rows of one product.
    void backward_rows(BackwardRows<T>& pass) const override {
        Tape<T>& tape = pass.tape();
        Node<T>& a = tape.node(tape.input(pass.node(), 0));
        Node<T>& b = tape.node(tape.input(pass.node(), 1));
        const Operand2<T> left = as_it_lies(tape, a), right = as_it_lies(tape, b);
        if (pass.wants(1) || !is_flat(a.shape, left, b.shape)) return pass.one_by_one();
        const Shape& shape = pass.node().shape;
        const std::size_t n = shape.back(), k = a.shape.back();
        const GradientTarget<T> target = pass.target(0);
        pass.multiply(pass.rows() * rows_of(shape), n, k, pass.dy(), matrix_of(tape, b), flipped(right.transposed),
                      !target.assign, target.data);
    }

  private:
    /// x W and x W' of a parameter W wait for the weight's turn.
    static bool defer(Backward<T>& pass, Node<T>& b, typename Backward<T>::Share share) {
        set_time<T>(share, pass.node());
        if (b.parameter) {
            share.transposed = true;
            pass.defer(b, share);
        } else if (b.transposed) {
            Node<T>& source = pass.tape().node(static_cast<const Transposed*>(b.saved)->source);
            if (!source.parameter || b.retains_gradient || pass.is_row()) return false;
            pass.defer(source, share);
        } else {
            return false;
        }
        pass.keep_dy();
        return true;
    }
};

template <class T>
Variable<T> matmul_of_matrices(const Variable<T>& a, const Variable<T>& b) {
    static const Matmul<T> operation;
    Tape<T>& tape = a.tape();
    const Shape& as = a.shape();
    const Shape& bs = b.shape();
    const std::size_t m = as[as.rank() - 2], k = as.back(), n = bs.back();
    Shape shape = broadcast_shape("matmul", Shape(as.begin(), as.end() - 2), Shape(bs.begin(), bs.end() - 2));
    shape.push_back(m);
    shape.push_back(n);
    const auto recorded = tape.record(operation, {a, b}, shape);
    const Operand2<T> left = as_it_lies(tape, a.node()), right = as_it_lies(tape, b.node());
    const auto product = [&](std::size_t rows, const T* x, const T* w, T* y) {
        gemm(left.transposed, right.transposed, rows, n, k, T(1), x, left.stride, w, right.stride, T(0), y, n);
    };
    if (is_flat(as, left, bs) && left.transposed == Transpose::no)
        tape.multiply(rows_of(shape), k, n, left.data, matrix_of(tape, b.node()), right.transposed, false,
                      recorded.value);
    else if (is_flat(as, left, bs))
        product(rows_of(shape), left.data, right.data, recorded.value);
    else
        Batch(shape, as, bs).for_each([&](std::size_t ia, std::size_t ib, std::size_t iy) {
            product(m, left.data + ia * m * k, right.data + ib * k * n, recorded.value + iy * m * n);
        });
    return tape.at(recorded.index);
}

// ---- linear -------------------------------------------------------------------------------------------------------

template <class T>
class LinearOperation final : public Operation<T> {
  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info{"linear", "y = x w' + b",
                                            "dx = dy w, dw = dy' x, db = the sum of dy over the batch"};
        return info;
    }

    void vjp(Vjp<T>& pass) const override {
        const Variable<T> x = pass.input(0), w = pass.input(1), dy = pass.dy();
        if (pass.wants(0)) pass.accumulate(0, matmul(dy, w));
        const std::size_t rows = rows_of(pass.node().shape);
        const Variable<T> dy2 = reshape(dy, {rows, w.shape()[0]});
        if (pass.wants(1)) pass.accumulate(1, matmul(transpose(dy2), reshape(x, {rows, w.shape()[1]})));
        if (pass.input_count() == 3 && pass.wants(2)) pass.accumulate(2, sum(dy2, 0));
    }

    void backward(Backward<T>& pass) const override {
        const Node<T>& x = pass.input(0);
        const Node<T>& w = pass.input(1);
        const Shape& shape = pass.node().shape;
        const T* const dy = pass.dy();
        const std::size_t n = w.shape[0], k = w.shape[1];
        const std::size_t rows = rows_of(shape);
        if (pass.wants(0)) {
            const GradientTarget<T> target = pass.target(0);
            Tape<T>& tape = pass.tape();
            tape.multiply(rows, n, k, dy, tape.node(tape.input(pass.node(), 1)), Transpose::no, !target.assign,
                          target.data);
        }
        typename Backward<T>::Share share{x.value, dy, rows, k, n};
        set_time<T>(share, pass.node());
        bool deferred = false;
        if (pass.wants(1)) {
            if (pass.is_parameter(1)) {
                pass.defer(1, share);
                deferred = true;
            } else {
                const GradientTarget<T> target = pass.target(1);
                gemm(Transpose::yes, Transpose::no, n, k, rows, T(1), dy, n, x.value, k, target.assign ? T(0) : T(1),
                     target.data, k);
            }
        }
        if (pass.node().input_count == 3 && pass.wants(2)) {
            if (pass.is_parameter(2)) {
                share.x = nullptr;
                pass.defer(2, share);
                deferred = true;
            } else {
                add_reduced(pass.target_zeroed(2), Shape{n}, dy, Shape{rows, n});
            }
        }
        if (deferred) pass.keep_dy();
    }

    /// dx = dy w, K times as many rows of one product.
    void backward_rows(BackwardRows<T>& pass) const override {
        if (pass.wants(1) || (pass.node().input_count == 3 && pass.wants(2))) return pass.one_by_one();
        Node<T>& w = pass.tape().node(pass.tape().input(pass.node(), 1));
        const GradientTarget<T> target = pass.target(0);
        pass.multiply(pass.rows() * rows_of(pass.node().shape), w.shape[0], w.shape[1], pass.dy(), w, Transpose::no,
                      !target.assign, target.data);
    }
};

}  // namespace

template <class T>
Variable<T> matmul(const Variable<T>& a, Operand<T> b, SourceLine at) {
    const CalledFrom call(at);
    a.tape().check("matmul", b);
    const Shape& as = a.shape();
    const Shape& bs = b.shape();
    const std::string a_name = named(a.name(), "a"), b_name = named(b.name(), "b");
    if (as.rank() == 0 || bs.rank() == 0)
        fail<ShapeError>(
            fmt::format("matmul: {} is {}, {} is {}: expected at least one axis each; a scalar multiplies by *", a_name,
                        to_string(as), b_name, to_string(bs)));
    const std::size_t inner = bs.rank() == 1 ? bs[0] : bs[bs.rank() - 2];
    if (as.back() != inner)
        fail<ShapeError>(fmt::format("matmul: inner dimensions differ: {} is {}, {} is {}: {} != {}", a_name,
                                     to_string(as), b_name, to_string(bs), as.back(), inner));
    if (as.rank() > 1 && bs.rank() > 1) return matmul_of_matrices(a, b);
    const Variable<T> row = as.rank() == 1 ? unsqueeze(a, 0) : a;
    const Variable<T> column = bs.rank() == 1 ? unsqueeze(b, -1) : b;
    Variable<T> y = matmul_of_matrices(row, column);
    if (bs.rank() == 1) y = squeeze(y, -1);
    if (as.rank() == 1) y = squeeze(y, bs.rank() == 1 ? -1 : -2);
    return y;
}

template <class T>
Variable<T> linear(const Variable<T>& x, Operand<T> weight, Operand<T> bias, SourceLine at) {
    const CalledFrom call(at);
    static const LinearOperation<T> operation;
    const Shape& xs = x.shape();
    const Shape& ws = weight.shape();
    const std::string w_name = named(weight.name(), "weight");
    if (ws.rank() != 2)
        fail<ShapeError>(fmt::format("linear: {} is {}: expected [out_features, in_features]", w_name, to_string(ws)));
    if (xs.rank() == 0 || xs.back() != ws[1])
        fail<ShapeError>(fmt::format("linear: {} is {}, {} is {}: expected {} as the last extent of {}",
                                     named(x.name(), "x"), to_string(xs), w_name, to_string(ws), ws[1],
                                     named(x.name(), "x")));
    if (bias.defined() && bias.shape() != Shape{ws[0]})
        fail<ShapeError>(fmt::format("linear: {} is {}, {} is {}: expected [{}]", named(bias.name(), "bias"),
                                     to_string(bias.shape()), w_name, to_string(ws), ws[0]));
    Tape<T>& tape = x.tape();
    Shape shape = xs;
    shape[shape.rank() - 1] = ws[0];
    const std::size_t k = ws[1], n = ws[0], rows = rows_of(xs);
    const std::array<Variable<T>, 3> inputs{x, weight, bias};
    const auto recorded = tape.record(operation, std::span(inputs.data(), bias.defined() ? 3 : 2), shape);
    T* const y = recorded.value;
    if (bias.defined()) {
        const T* const b = bias.node().value;
        for (std::size_t r = 0; r < rows; ++r) std::copy_n(b, n, y + r * n);
    }
    tape.multiply(rows, k, n, x.node().value, weight.node(), Transpose::yes, bias.defined(), y);
    return tape.at(recorded.index);
}

std::vector<CatalogueEntry> linear_algebra_catalogue() {
    return {{Matmul<double>().info(), 2}, {LinearOperation<double>().info(), 3}};
}

#define EBB_INSTANTIATE(T)                                                   \
    template Variable<T> matmul(const Variable<T>&, Operand<T>, SourceLine); \
    template Variable<T> linear(const Variable<T>&, Operand<T>, Operand<T>, SourceLine);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb
