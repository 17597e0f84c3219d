/// Compiled once for each instruction set: see core/simd.hpp for what may stand in such a file.

#include <ebb/autograd/operations/elementwise_kernels.hpp>
#include <ebb/core/simd.hpp>
#include <ebb/core/vector_maths.hpp>

namespace ebb {
namespace {

using simd::Vec;

/// An input along one row, seen in steps of a Vec: a run of numbers, or one number for all lanes.
template <class T, bool is_broadcast>
struct Row {
    const T* data;
    Vec<T> at(std::size_t j) const {
        if constexpr (is_broadcast)
            return Vec<T>(*data);
        else
            return Vec<T>::load(data + j);
    }
    Vec<T> at(std::size_t j, std::size_t count) const {
        if constexpr (is_broadcast)
            return Vec<T>(*data);
        else
            return Vec<T>::load(data + j, count);
    }
};

template <unsigned mask, std::size_t i>
constexpr bool is_set = (mask >> i & 1u) != 0;

/// Calls f(Row, Row, ...) for the inputs of one row; bit i of `mask` says that input i is broadcast.
template <std::size_t arity, unsigned mask, class T, class Function>
inline void with_rows(const ElementwiseBlock<T>& block, std::size_t row, Function f) {
    const auto r = static_cast<std::ptrdiff_t>(row);
    const Row<T, is_set<mask, 0>> a{block.inputs[0] + r * block.row_steps[0]};
    if constexpr (arity == 1) {
        f(a);
    } else {
        const Row<T, is_set<mask, 1>> b{block.inputs[1] + r * block.row_steps[1]};
        if constexpr (arity == 2) {
            f(a, b);
        } else {
            const Row<T, is_set<mask, 2>> c{block.inputs[2] + r * block.row_steps[2]};
            f(a, b, c);
        }
    }
}

template <class F, unsigned mask, class T>
void forward_rows(const ElementwiseBlock<T>& block) {
    constexpr std::size_t width = Vec<T>::width;
    const std::size_t n = block.columns;
    for (std::size_t row = 0; row < block.rows; ++row) {
        T* const y = block.y + row * n;
        with_rows<F::arity, mask>(block, row, [&](const auto&... x) {
            std::size_t j = 0;
            for (; j + width <= n; j += width) F::forward(x.at(j)...).store(y + j);
            if (j < n) F::forward(x.at(j, n - j)...).store(y + j, n - j);
        });
    }
}

template <std::size_t wrt, class V>
inline V share_of(const V& only) {
    return only;
}
template <std::size_t wrt, class... V>
inline auto share_of(const std::tuple<V...>& shares) {
    return std::get<wrt>(shares);
}

template <class F, std::size_t wrt, unsigned mask, bool assign, class T>
void backward_rows(const ElementwiseBlock<T>& block) {
    constexpr std::size_t width = Vec<T>::width;
    const std::size_t n = block.columns;
    for (std::size_t row = 0; row < block.rows; ++row) {
        const T* const y = block.rows_of_dy ? block.y : block.y + row * n;
        const T* const dy = block.dy + row * n;
        T* const dx = block.dx + (block.rows_of_dy ? static_cast<std::ptrdiff_t>(row * n)
                                                   : static_cast<std::ptrdiff_t>(row) * block.row_steps[wrt]);
        with_rows<F::arity, mask>(block, row, [&](const auto&... x) {
            if constexpr (is_set<mask, wrt>) {
                // One number went into the whole row: its gradient is the sum over the row.
                Vec<T> sums(T(0));
                std::size_t j = 0;
                for (; j + width <= n; j += width)
                    sums += share_of<wrt>(F::vjp(Vec<T>::load(dy + j), x.at(j)..., Vec<T>::load(y + j)));
                if (j < n) {
                    T rest[width] = {};
                    share_of<wrt>(F::vjp(Vec<T>::load(dy + j, n - j), x.at(j, n - j)..., Vec<T>::load(y + j, n - j)))
                        .store(rest, n - j);
                    sums += Vec<T>::load(rest);
                }
                *dx += sum(sums);
            } else {
                std::size_t j = 0;
                for (; j + width <= n; j += width) {
                    const Vec<T> share = share_of<wrt>(F::vjp(Vec<T>::load(dy + j), x.at(j)..., Vec<T>::load(y + j)));
                    if constexpr (assign)
                        share.store(dx + j);
                    else
                        (Vec<T>::load(dx + j) + share).store(dx + j);
                }
                if (j < n) {
                    const std::size_t rest = n - j;
                    const Vec<T> share =
                        share_of<wrt>(F::vjp(Vec<T>::load(dy + j, rest), x.at(j, rest)..., Vec<T>::load(y + j, rest)));
                    if constexpr (assign)
                        share.store(dx + j, rest);
                    else
                        (Vec<T>::load(dx + j, rest) + share).store(dx + j, rest);
                }
            }
        });
    }
}

// From what is known at run time to the loop made for it.

template <class T>
inline unsigned mask_of(const ElementwiseBlock<T>& block) {
    return unsigned(block.broadcast[0]) | unsigned(block.broadcast[1]) << 1 | unsigned(block.broadcast[2]) << 2;
}

template <class F, class T>
void forward(const ElementwiseBlock<T>& block) {
    if constexpr (F::arity == 1) {
        forward_rows<F, 0>(block);
    } else if constexpr (F::arity == 2) {
        switch (mask_of(block)) {
            case 0:
                return forward_rows<F, 0>(block);
            case 1:
                return forward_rows<F, 1>(block);
            default:
                return forward_rows<F, 2>(block);
        }
    } else {
        switch (mask_of(block)) {
            case 0:
                return forward_rows<F, 0>(block);
            case 1:
                return forward_rows<F, 1>(block);
            case 2:
                return forward_rows<F, 2>(block);
            case 3:
                return forward_rows<F, 3>(block);
            case 4:
                return forward_rows<F, 4>(block);
            case 5:
                return forward_rows<F, 5>(block);
            default:
                return forward_rows<F, 6>(block);
        }
    }
}

template <class F, std::size_t wrt, unsigned mask, class T>
inline void backward_masked(const ElementwiseBlock<T>& block) {
    if (block.assign)
        backward_rows<F, wrt, mask, true>(block);
    else
        backward_rows<F, wrt, mask, false>(block);
}

template <class F, std::size_t wrt, class T>
void backward(const ElementwiseBlock<T>& block) {
    if constexpr (F::arity == 1) {
        backward_masked<F, wrt, 0>(block);
    } else if constexpr (F::arity == 2) {
        switch (mask_of(block)) {
            case 0:
                return backward_masked<F, wrt, 0>(block);
            case 1:
                return backward_masked<F, wrt, 1>(block);
            default:
                return backward_masked<F, wrt, 2>(block);
        }
    } else {
        switch (mask_of(block)) {
            case 0:
                return backward_masked<F, wrt, 0>(block);
            case 1:
                return backward_masked<F, wrt, 1>(block);
            case 2:
                return backward_masked<F, wrt, 2>(block);
            case 3:
                return backward_masked<F, wrt, 3>(block);
            case 4:
                return backward_masked<F, wrt, 4>(block);
            case 5:
                return backward_masked<F, wrt, 5>(block);
            default:
                return backward_masked<F, wrt, 6>(block);
        }
    }
}

template <class F, std::size_t wrt, class T>
constexpr ElementwiseKernel<T> backward_kernel() {
    if constexpr (F::differentiable && wrt < F::arity)
        return &backward<F, wrt, T>;
    else
        return nullptr;
}

template <class T, class... F>
constexpr ElementwiseKernels<T> table(formulas::FormulaList<F...>) {
    return {{&forward<F, T>...},
            {{backward_kernel<F, 0, T>(), backward_kernel<F, 1, T>(), backward_kernel<F, 2, T>()}...}};
}

}  // namespace

template <>
const ElementwiseKernels<float>& kernels_for<ElementwiseKernels<float>, simd::compiled_for>() {
    static constexpr ElementwiseKernels<float> kernels = table<float>(formulas::Formulas{});
    return kernels;
}

template <>
const ElementwiseKernels<double>& kernels_for<ElementwiseKernels<double>, simd::compiled_for>() {
    static constexpr ElementwiseKernels<double> kernels = table<double>(formulas::Formulas{});
    return kernels;
}

}  // namespace ebb
