#pragma once
/// The one pool of threads of a process. OpenBLAS, which has a pool of its own, is held to one thread: two pools wait
/// for each other.

#include <cstddef>
#include <type_traits>

namespace ebb {

/// How many threads a training step may use (torch.set_num_threads). One at first, whatever the environment says. The
/// numbers that come out do not depend on it: work is divided in the same way for any count. Throws ValueError for less
/// than 1.
void set_num_threads(int count);
int get_num_threads() noexcept;

namespace detail {
void run_parts(std::size_t count, void (*call)(void*, std::size_t), void* function);
}

/// Calls f(0), f(1), ..., f(count - 1), on as many threads as there are, and returns when all are done; what one of
/// them throws, it throws. One after the other, on this thread, when there is but one thread, when another call is
/// running, and from within a part.
template <class Function>
void parallel_for(std::size_t count, Function&& f) {
    using F = std::remove_reference_t<Function>;
    detail::run_parts(
        count, [](void* function, std::size_t part) { (*static_cast<F*>(function))(part); },
        const_cast<void*>(static_cast<const void*>(&f)));
}

}  // namespace ebb
