#include <ebb/core/error.hpp>
#include <ebb/core/threads.hpp>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include <fmt/format.h>

namespace ebb {
namespace {

thread_local bool is_in_part = false;

/// Workers look out for a new job for a while before they sleep: the parts of a training step follow each other
/// closely.
constexpr int looks_before_sleep = 20'000;

class Pool {
  public:
    std::atomic<int> threads{1};

    void run(std::size_t count, void (*call)(void*, std::size_t), void* function) {
        const std::unique_lock only(one_job_, std::try_to_lock);
        const auto helpers = static_cast<std::size_t>(threads.load() - 1);
        if (!only || helpers == 0 || count < 2) {
            for (std::size_t part = 0; part < count; ++part) call(function, part);
            return;
        }
        while (workers_ < helpers) {
            // The pool lives as long as the process, and so do they.
            std::thread([this, number = workers_, done = job_.load()] { work(number, done); }).detach();
            ++workers_;
        }
        call_ = call;
        function_ = function;
        count_ = count;
        helpers_ = helpers;
        next_.store(0, std::memory_order_relaxed);
        busy_.store(workers_, std::memory_order_relaxed);
        error_ = nullptr;
        {
            const std::lock_guard lock(mutex_);
            job_.fetch_add(1, std::memory_order_release);
        }
        wake_.notify_all();
        do_parts();
        while (busy_.load(std::memory_order_acquire) > 0) std::this_thread::yield();
        if (error_) std::rethrow_exception(error_);
    }

  private:
    void do_parts() {
        is_in_part = true;
        for (;;) {
            const std::size_t part = next_.fetch_add(1, std::memory_order_relaxed);
            if (part >= count_) break;
            try {
                call_(function_, part);
            } catch (...) {
                const std::lock_guard lock(mutex_);
                if (!error_) error_ = std::current_exception();
            }
        }
        is_in_part = false;
    }

    /// `done`: the number of the last job that was no longer for it.
    void work(std::size_t number, std::uint64_t done) {
        for (;;) {
            for (int look = 0; look < looks_before_sleep && job_.load(std::memory_order_acquire) == done; ++look) {
            }
            if (job_.load(std::memory_order_acquire) == done) {
                std::unique_lock lock(mutex_);
                wake_.wait(lock, [&] { return job_.load(std::memory_order_acquire) != done; });
            }
            done = job_.load(std::memory_order_acquire);
            if (number < helpers_) do_parts();
            busy_.fetch_sub(1, std::memory_order_release);
        }
    }

    std::mutex one_job_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::atomic<std::uint64_t> job_{0};
    std::atomic<std::size_t> next_{0};
    std::atomic<std::size_t> busy_{0};
    void (*call_)(void*, std::size_t) = nullptr;
    void* function_ = nullptr;
    std::size_t count_ = 0;
    std::size_t helpers_ = 0;
    std::size_t workers_ = 0;
    std::exception_ptr error_;
};

Pool& pool() {
    static auto& only = *new Pool;  // never destroyed: workers may be asleep in it when the process ends
    return only;
}

}  // namespace

void set_num_threads(int count) {
    if (count < 1) fail<ValueError>(fmt::format("set_num_threads: count is {}, expected at least 1", count));
    pool().threads = count;
}

int get_num_threads() noexcept {
    return pool().threads;
}

void detail::run_parts(std::size_t count, void (*call)(void*, std::size_t), void* function) {
    if (is_in_part || count < 2 || pool().threads.load() == 1)
        for (std::size_t part = 0; part < count; ++part) call(function, part);
    else
        pool().run(count, call, function);
}

}  // namespace ebb
