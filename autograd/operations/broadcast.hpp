#pragma once
/// NumPy's broadcasting over contiguous memory: how inputs lie under an output, and its transpose, the sum.

#include <ebb/autograd/operations/elementwise_kernels.hpp>
#include <ebb/core/instruction_set.hpp>
#include <ebb/core/shape.hpp>

#include <algorithm>
#include <array>
#include <cstddef>

namespace ebb {

/// How the inputs of an operation lie under its output: the axes merged into as few as possible, with a step for every
/// input along each, 0 where the input is broadcast.
template <std::size_t arity>
struct Broadcast {
    std::size_t rank = 0;
    std::array<std::size_t, Shape::max_rank> extents{};
    std::array<std::array<std::ptrdiff_t, Shape::max_rank>, arity> steps{};

    Broadcast(const Shape& output, const std::array<const Shape*, arity>& inputs) {
        std::array<std::ptrdiff_t, arity> step;
        step.fill(1);
        // From the last axis to the first; an axis joins the one after it where every input moves through both alike.
        for (std::size_t axis = output.rank(); axis-- > 0;) {
            if (output[axis] == 1) continue;
            std::array<std::ptrdiff_t, arity> here;
            for (std::size_t i = 0; i < arity; ++i) {
                const std::size_t missing = output.rank() - inputs[i]->rank();
                const std::size_t extent = axis < missing ? 1 : (*inputs[i])[axis - missing];
                here[i] = extent == 1 ? 0 : step[i];
                step[i] *= static_cast<std::ptrdiff_t>(extent);
            }
            bool joins = rank > 0;
            for (std::size_t i = 0; joins && i < arity; ++i)
                joins = here[i] == steps[i][rank - 1] * static_cast<std::ptrdiff_t>(extents[rank - 1]);
            if (joins) {
                extents[rank - 1] *= output[axis];
            } else {
                extents[rank] = output[axis];
                for (std::size_t i = 0; i < arity; ++i) steps[i][rank] = here[i];
                ++rank;
            }
        }
        if (rank == 0) {  // one element
            extents[0] = 1;
            rank = 1;
        }
    }

    /// Calls f(offsets of the inputs, offset of the output) for every table of the innermost two axes, and tells how
    /// they lie.
    template <class T, class Function>
    void for_each_block(ElementwiseBlock<T>& block, Function f) const {
        block.columns = extents[0];
        block.rows = rank > 1 ? extents[1] : 1;
        for (std::size_t i = 0; i < arity; ++i) {
            block.broadcast[i] = block.columns > 1 && steps[i][0] == 0;
            block.row_steps[i] = rank > 1 ? steps[i][1] : 0;
        }
        std::array<std::size_t, Shape::max_rank> position{};
        std::array<std::ptrdiff_t, arity> offsets{};
        std::size_t offset = 0;
        const std::size_t block_size = block.rows * block.columns;
        for (;;) {
            f(offsets, offset);
            offset += block_size;
            std::size_t axis = 2;
            for (; axis < rank; ++axis) {
                for (std::size_t i = 0; i < arity; ++i) offsets[i] += steps[i][axis];
                if (++position[axis] < extents[axis]) break;
                for (std::size_t i = 0; i < arity; ++i)
                    offsets[i] -= steps[i][axis] * static_cast<std::ptrdiff_t>(extents[axis]);
                position[axis] = 0;
            }
            if (axis >= rank) return;
        }
    }
};

/// x += y, where y is broadcast to the shape of x.
template <class T>
void add_broadcast(T* x, const Shape& x_shape, const T* y, const Shape& y_shape) {
    if (x_shape.size() == 0) return;
    const auto add = kernels<ElementwiseKernels<T>>().forward[formulas::Formulas::index_of<formulas::Add>];
    ElementwiseBlock<T> block;
    const std::array<const Shape*, 2> shapes{&x_shape, &y_shape};
    Broadcast<2>(x_shape, shapes).for_each_block(block, [&](const auto& offsets, std::size_t offset) {
        block.inputs[0] = block.y = x + offset;
        block.inputs[1] = y + offsets[1];
        add(block);
    });
}

/// x += the sum of y over the axes along which the shape of x was broadcast to that of y.
template <class T>
void add_reduced(T* x, const Shape& x_shape, const T* y, const Shape& y_shape) {
    if (y_shape.size() == 0) return;
    const auto reduce = kernels<ElementwiseKernels<T>>().backward[formulas::Formulas::index_of<formulas::Add>][0];
    ElementwiseBlock<T> block;
    // A long run of floats is summed in pieces: the rounding error grows with the length of a piece, not of the run.
    constexpr std::size_t piece = 4096;
    const std::array<const Shape*, 1> shapes{&x_shape};
    Broadcast<1>(y_shape, shapes).for_each_block(block, [&](const auto& offsets, std::size_t offset) {
        block.inputs[0] = block.dx = x + offsets[0];
        // The derivative of a sum looks at neither the other summand nor the sum: dy stands in for both.
        block.dy = block.inputs[1] = block.y = const_cast<T*>(y) + offset;
        block.row_steps[1] = static_cast<std::ptrdiff_t>(block.columns);
        const std::size_t columns = block.columns;
        if (!block.broadcast[0] || block.rows > 1 || columns <= piece) return reduce(block);
        for (std::size_t start = 0; start < columns; start += piece) {
            block.columns = std::min(piece, columns - start);
            block.dy = block.inputs[1] = block.y = const_cast<T*>(y) + offset + start;
            reduce(block);
        }
        block.columns = columns;
    });
}

}  // namespace ebb
