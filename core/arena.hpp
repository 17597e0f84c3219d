#pragma once
/// Memory that is taken piece by piece and given back all at once: the ground that a tape stands on.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>
#include <type_traits>
#include <vector>

namespace ebb {

/// A bump allocator. `allocate` moves a pointer; `rewind` and `clear` move it back and keep the memory, so that the
/// next pass over the same work allocates nothing from the system, and finds its pages warm.
///
/// Nothing is constructed or destroyed here: it is for numbers and other trivial types. An arena belongs to one thread
/// at a time. Under AddressSanitizer what is not allocated is poisoned: using memory after `clear`, or the bytes behind
/// an allocation, is reported where it happens.
class Arena {
  public:
    /// Where an allocation of 64 bytes or more begins: on a cache line, which is also the widest vector register.
    static constexpr std::size_t alignment = 64;

    Arena() noexcept;
    ~Arena();
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;

    /// `bytes` bytes, not initialised, never null. Smaller allocations than 64 bytes are packed, but none lies across
    /// the border of two cache lines; each is aligned to 16 bytes at least. Throws std::bad_alloc when memory is
    /// exhausted.
    void* allocate(std::size_t bytes) {
        bytes += bytes == 0;
        const std::size_t mask = alignment_of(bytes) - 1;
        const std::uintptr_t start = (cursor_ + mask) & ~static_cast<std::uintptr_t>(mask);
        if (start + red_zone > end_ || bytes > end_ - start - red_zone) return allocate_from_next_chunk(bytes);
        cursor_ = start + bytes + red_zone;
        if constexpr (poisons) unpoison(start, bytes);
        return reinterpret_cast<void*>(start);
    }

    /// `count` numbers of type T, not initialised. Throws std::bad_alloc when memory is exhausted.
    template <class T>
    T* allocate(std::size_t count) {
        static_assert(std::is_trivially_destructible_v<T> && alignof(T) <= 16, "an arena runs no destructor");
        if (count > std::numeric_limits<std::size_t>::max() / sizeof(T)) throw std::bad_alloc();
        return static_cast<T*>(allocate(count * sizeof(T)));
    }

    /// A place in the order of allocations.
    class Mark {
        friend class Arena;
        std::size_t chunk = 0;
        std::uintptr_t cursor = 0;
    };

    Mark mark() const noexcept {
        Mark here;
        here.chunk = current_;
        here.cursor = cursor_;
        return here;
    }

    /// Gives back all that was allocated after `mark`. Throws ValueError for a mark that lies ahead: one that was taken
    /// before an earlier rewind or clear, or in another arena.
    void rewind(Mark mark);
    /// Gives back everything. The memory stays with the arena.
    void clear() noexcept;
    /// Gives back everything, and the memory to the system.
    void release() noexcept;

    /// The bytes in use, with the gaps that alignment and full chunks leave.
    std::size_t bytes_used() const noexcept;
    /// The most that was ever in use.
    std::size_t peak_bytes_used() const noexcept;
    /// The bytes that the arena holds from the system.
    std::size_t bytes_reserved() const noexcept;
    /// How often the arena has asked the system for memory since it was made.
    std::size_t allocations() const noexcept { return chunk_allocations_; }

  private:
    struct Chunk {
        std::uintptr_t begin;
        std::size_t size;
    };

#if defined(__SANITIZE_ADDRESS__)
    static constexpr bool poisons = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
    static constexpr bool poisons = true;
#else
    static constexpr bool poisons = false;
#endif
#else
    static constexpr bool poisons = false;
#endif
    // Between two allocations, so that running over the end of one is seen.
    static constexpr std::size_t red_zone = poisons ? 32 : 0;

    // Defined in every build: a sanitized program may stand on an Ebb that is not.
    static void unpoison(std::uintptr_t start, std::size_t bytes) noexcept;

    static constexpr std::size_t alignment_of(std::size_t bytes) noexcept {
        return bytes > 32 ? 64 : bytes > 16 ? 32 : 16;
    }

    void* allocate_from_next_chunk(std::size_t bytes);
    void move_back(std::size_t chunk, std::uintptr_t cursor) noexcept;

    std::uintptr_t cursor_ = 0;  // the first free byte of the current chunk
    std::uintptr_t end_ = 0;     // behind its last one
    std::size_t current_ = 0;
    std::vector<Chunk> chunks_;
    std::size_t peak_bytes_used_ = 0;
    std::size_t chunk_allocations_ = 0;
};

}  // namespace ebb
