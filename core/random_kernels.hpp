#pragma once
/// The engine of random.hpp, many blocks at a time.

#include <cstddef>
#include <cstdint>

namespace ebb {

struct RandomKernels {
    /// The blocks `first` to `first + count - 1` of the stream, two numbers each: Philox 4x32-10 of the 128-bit counter
    /// (block, stream) under `key`, low words first.
    void (*philox)(std::uint64_t key, std::uint64_t stream, std::uint64_t first, std::size_t count,
                   std::uint64_t* numbers);
};

}  // namespace ebb
