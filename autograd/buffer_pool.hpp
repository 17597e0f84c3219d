#pragma once

#include <ebb/core/arena.hpp>

#include <bit>
#include <cstddef>
#include <utility>
#include <vector>

namespace ebb {

/// Memory for gradients, which live from the first share until their node is done: a buffer that is given back is the
/// next one handed out, so that a backward pass works in the cache. Sizes are exact, no buffer is larger than asked.
template <class T>
class BufferPool {
  public:
    explicit BufferPool(Arena& arena) noexcept : arena_(arena) {}

    /// `size` elements, uninitialised.
    T* acquire(std::size_t size) {
        std::vector<T*>& free = list(size);
        if (free.empty()) return arena_.template allocate<T>(size);
        T* const memory = free.back();
        free.pop_back();
        return memory;
    }
    void release(T* memory, std::size_t size) { list(size).push_back(memory); }
    /// Forgets every buffer; the arena's owner rewinds the arena.
    void clear() noexcept {
        for (auto& bucket : buckets_)
            for (auto& entry : bucket) entry.second.clear();
    }

  private:
    std::vector<T*>& list(std::size_t size) {
        // A program has few distinct sizes: one or two in each bucket.
        auto& bucket = buckets_[std::bit_width(size)];
        for (auto& entry : bucket)
            if (entry.first == size) return entry.second;
        return bucket.emplace_back(size, std::vector<T*>()).second;
    }

    Arena& arena_;
    std::vector<std::pair<std::size_t, std::vector<T*>>> buckets_[65];
};

}  // namespace ebb
