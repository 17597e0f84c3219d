#include <ebb/core/arena.hpp>
#include <ebb/core/error.hpp>

#include <algorithm>

#if defined(__linux__)
#include <sys/mman.h>
#endif
#if __has_include(<sanitizer/asan_interface.h>)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) (static_cast<void>(address), static_cast<void>(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) (static_cast<void>(address), static_cast<void>(size))
#endif

namespace ebb {

namespace {

// A new chunk is as large as all before it together, which keeps their number small; within limits, because a scalar
// graph should not cost a megabyte, nor one more step double a gigabyte.
constexpr std::size_t smallest_chunk = std::size_t{64} << 10;
constexpr std::size_t largest_chunk = std::size_t{64} << 20;

// Of a large array the system is asked for pages of this size instead of 4 KB: a pass over megabytes then waits for one
// address translation where it would wait for 512.
constexpr std::size_t huge_page = std::size_t{2} << 20;

constexpr std::align_val_t alignment_of_chunk(std::size_t size) noexcept {
    return std::align_val_t{size >= huge_page ? huge_page : Arena::alignment};
}

/// Memory for a chunk whose first allocation takes `bytes` of it. What lies behind that may never be used, so there
/// pages stay small: nobody should pay for the rest of a huge one.
void* allocate_chunk(std::size_t size, std::size_t bytes) {
    void* const memory = ::operator new(size, alignment_of_chunk(size));
#if defined(MADV_HUGEPAGE)
    // Where the system has none, nothing else changes.
    if (bytes >= huge_page) static_cast<void>(madvise(memory, bytes / huge_page * huge_page, MADV_HUGEPAGE));
#else
    static_cast<void>(bytes);
#endif
    return memory;
}

void poison(std::uintptr_t begin, [[maybe_unused]] std::uintptr_t end) noexcept {
    ASAN_POISON_MEMORY_REGION(reinterpret_cast<void*>(begin), end - begin);
}

}  // namespace

Arena::Arena() noexcept = default;

Arena::~Arena() {
    release();
}

void Arena::unpoison(std::uintptr_t start, [[maybe_unused]] std::size_t bytes) noexcept {
    ASAN_UNPOISON_MEMORY_REGION(reinterpret_cast<void*>(start), bytes);
}

void* Arena::allocate_from_next_chunk(std::size_t bytes) {
    if (bytes > std::numeric_limits<std::size_t>::max() / 2) throw std::bad_alloc();
    const std::size_t next = chunks_.empty() ? 0 : current_ + 1;
    const auto first = chunks_.begin() + static_cast<std::ptrdiff_t>(next);
    // One that an earlier pass left: the first that is large enough moves to the front of those.
    const auto fit =
        std::find_if(first, chunks_.end(), [&](const Chunk& chunk) { return chunk.size >= bytes + red_zone; });
    if (fit != chunks_.end()) {
        std::rotate(first, fit, fit + 1);
    } else {
        const std::size_t usual = std::clamp(bytes_reserved(), smallest_chunk, largest_chunk);
        const std::size_t size = std::max(usual, (bytes + red_zone + alignment - 1) / alignment * alignment);
        chunks_.reserve(chunks_.size() + 1);
        void* const memory = allocate_chunk(size, bytes);
        ++chunk_allocations_;
        const Chunk chunk{reinterpret_cast<std::uintptr_t>(memory), size};
        chunks_.insert(chunks_.begin() + static_cast<std::ptrdiff_t>(next), chunk);
        poison(chunk.begin, chunk.begin + chunk.size);
    }
    current_ = next;
    cursor_ = chunks_[next].begin;
    end_ = cursor_ + chunks_[next].size;
    return allocate(bytes);
}

void Arena::move_back(std::size_t chunk, std::uintptr_t cursor) noexcept {
    peak_bytes_used_ = peak_bytes_used();
    for (std::size_t i = chunk + 1; i <= current_; ++i) poison(chunks_[i].begin, chunks_[i].begin + chunks_[i].size);
    poison(cursor, chunks_[chunk].begin + chunks_[chunk].size);
    current_ = chunk;
    cursor_ = cursor;
    end_ = chunks_[chunk].begin + chunks_[chunk].size;
}

void Arena::rewind(Mark mark) {
    if (mark.cursor == 0) {  // taken when there was no chunk yet
        clear();
        return;
    }
    const bool is_ours = mark.chunk < chunks_.size() && mark.cursor >= chunks_[mark.chunk].begin &&
                         mark.cursor <= chunks_[mark.chunk].begin + chunks_[mark.chunk].size;
    const bool lies_ahead = mark.chunk > current_ || (mark.chunk == current_ && mark.cursor > cursor_);
    if (!is_ours || lies_ahead)
        throw ValueError(
            "Arena::rewind: the mark lies ahead: it was taken before a rewind or clear, or in another arena");
    move_back(mark.chunk, mark.cursor);
}

void Arena::clear() noexcept {
    if (!chunks_.empty()) move_back(0, chunks_.front().begin);
}

void Arena::release() noexcept {
    peak_bytes_used_ = peak_bytes_used();
    for (const Chunk& chunk : chunks_) {
        unpoison(chunk.begin, chunk.size);
        ::operator delete(reinterpret_cast<void*>(chunk.begin), alignment_of_chunk(chunk.size));
    }
    chunks_.clear();
    cursor_ = end_ = 0;
    current_ = 0;
}

std::size_t Arena::bytes_used() const noexcept {
    if (chunks_.empty()) return 0;
    std::size_t bytes = cursor_ - chunks_[current_].begin;
    for (std::size_t i = 0; i < current_; ++i) bytes += chunks_[i].size;
    return bytes;
}

std::size_t Arena::peak_bytes_used() const noexcept {
    return std::max(peak_bytes_used_, bytes_used());
}

std::size_t Arena::bytes_reserved() const noexcept {
    std::size_t bytes = 0;
    for (const Chunk& chunk : chunks_) bytes += chunk.size;
    return bytes;
}

}  // namespace ebb
