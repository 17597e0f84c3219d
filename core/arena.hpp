#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace ebb {

/// Memory that is taken piece by piece and given back all at once. `clear()` keeps it for the next time.
class Arena {
  public:
    struct Mark {
        std::size_t chunk = 0, offset = 0;
    };

    /// Uninitialised memory for `count` objects, aligned to 64 bytes, good until it is rewound.
    template <class T>
    T* allocate(std::size_t count) {
        const std::size_t bytes = (count * sizeof(T) + alignment - 1) / alignment * alignment;
        while (chunk_ < chunks_.size() && offset_ + bytes > chunks_[chunk_].second) {
            ++chunk_;
            offset_ = 0;
        }
        if (chunk_ == chunks_.size()) {
            const std::size_t size = std::max(bytes, first_chunk);
            chunks_.emplace_back(std::make_unique_for_overwrite<std::byte[]>(size + alignment), size);
            offset_ = 0;
        }
        void* memory = chunks_[chunk_].first.get();
        std::size_t space = alignment + 1;
        std::byte* const start = static_cast<std::byte*>(std::align(alignment, 1, memory, space));
        std::byte* const result = start + offset_;
        offset_ += bytes;
        return reinterpret_cast<T*>(result);
    }

    Mark mark() const noexcept { return {chunk_, offset_}; }
    void rewind(const Mark& mark) noexcept {
        chunk_ = mark.chunk;
        offset_ = mark.offset;
    }
    void clear() noexcept { rewind({}); }
    std::size_t bytes_used() const noexcept {
        std::size_t bytes = offset_;
        for (std::size_t k = 0; k < chunk_; ++k) bytes += chunks_[k].second;
        return bytes;
    }
    std::size_t bytes_reserved() const noexcept {
        std::size_t bytes = 0;
        for (const auto& chunk : chunks_) bytes += chunk.second;
        return bytes;
    }
    std::size_t allocations() const noexcept { return chunks_.size(); }

  private:
    static constexpr std::size_t alignment = 64;
    static constexpr std::size_t first_chunk = std::size_t{1} << 20;
    std::vector<std::pair<std::unique_ptr<std::byte[]>, std::size_t>> chunks_;
    std::size_t chunk_ = 0, offset_ = 0;
};

}  // namespace ebb
