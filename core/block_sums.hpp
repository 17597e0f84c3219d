#pragma once
/// Sums over blocks so small that adding up the lanes of a Vec takes as long as all that was added up in them.

#include <ebb/core/simd.hpp>

#include <cstddef>

namespace ebb::simd {
inline namespace EBB_INSTRUCTION_SET {
namespace detail {

/// The numbers of a block, lane by lane: of `vecs` Vecs, or, where that is 0, of any size. The last Vec is filled up
/// with zeros.
template <std::size_t vecs, class T, class Add>
inline Vec<T> block_sum(const T* block, std::size_t size, Add add) {
    constexpr std::size_t W = Vec<T>::width;
    Vec<T> sum(T(0));
    if constexpr (vecs > 0) {
        for (std::size_t j = 0; j < vecs; ++j) sum = add(sum, Vec<T>::load(block + j * W));
    } else {
        std::size_t j = 0;
        for (; j + W <= size; j += W) sum = add(sum, Vec<T>::load(block + j));
        if (j < size) sum = add(sum, Vec<T>::load(block + j, size - j));
    }
    return sum;
}

template <std::size_t vecs, class T, class Add, class Finish>
inline void block_sums(const T* data, std::size_t count, std::ptrdiff_t distance, std::size_t size, Add add,
                       Finish finish, double* results) {
    constexpr std::size_t W = Vec<T>::width;
    T lanes[W];
    for (; count >= W; count -= W, results += W) {
        Vec<T> blocks[W];
        // Unrolled, so that they can stay in registers.
#pragma GCC unroll 16
        for (std::size_t i = 0; i < W; ++i, data += distance) blocks[i] = block_sum<vecs>(data, size, add);
        finish(sums(blocks)).store(lanes);
        for (std::size_t i = 0; i < W; ++i) results[i] = lanes[i];
    }
    constexpr std::size_t few = W / 4;  // a sum by itself takes a quarter of what all W together take
    if (count <= few) {
        for (std::size_t i = 0; i < count; ++i, data += distance) {
            finish(sum_in_all_lanes(block_sum<vecs>(data, size, add))).store(lanes);
            results[i] = lanes[0];
        }
        return;
    }
    Vec<T> blocks[W];
    for (std::size_t i = 0; i < count; ++i, data += distance) blocks[i] = block_sum<vecs>(data, size, add);
    for (std::size_t i = count; i < W; ++i) blocks[i] = blocks[count - 1];
    finish(sums(blocks)).store(lanes);
    for (std::size_t i = 0; i < count; ++i) results[i] = lanes[i];
}

}  // namespace detail

/// finish(sum) of each of `count` blocks of `size` numbers, which begin `distance` numbers apart: as many blocks at a
/// time as a Vec has lanes. add(sum, x), of two Vecs, gives the sum with x, and finish(sums) what is wanted of the sums
/// of several blocks. The last Vec of a block is filled up with zeros.
template <class T, class Add, class Finish>
inline void block_sums(const T* data, std::size_t count, std::ptrdiff_t distance, std::size_t size, Add add,
                       Finish finish, double* results) {
    constexpr std::size_t W = Vec<T>::width;
    // States and gates of few units are mostly of one of these.
    switch (size) {
        case W:
            return detail::block_sums<1>(data, count, distance, size, add, finish, results);
        case 2 * W:
            return detail::block_sums<2>(data, count, distance, size, add, finish, results);
        case 3 * W:
            return detail::block_sums<3>(data, count, distance, size, add, finish, results);
        case 4 * W:
            return detail::block_sums<4>(data, count, distance, size, add, finish, results);
        default:
            return detail::block_sums<0>(data, count, distance, size, add, finish, results);
    }
}

}  // namespace EBB_INSTRUCTION_SET
}  // namespace ebb::simd
