#pragma once

#include <ebb/core/threads.hpp>

namespace ebb::test {

/// Sets the number of Ebb's own threads for a test, and one after it.
struct Threads {
    explicit Threads(int count) { set_num_threads(count); }
    ~Threads() { set_num_threads(1); }
    Threads(const Threads&) = delete;
    Threads& operator=(const Threads&) = delete;
};

}  // namespace ebb::test
