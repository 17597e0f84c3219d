#pragma once

#include <ebb/autograd/node.hpp>
#include <ebb/autograd/variable.hpp>

#include <cstdint>

namespace ebb {

namespace detail {
extern constinit thread_local std::int32_t running_step;
}

/// The time step that a cell or a layer is recording on this thread, while in scope. A node has the time of its newest
/// input, h_{t-1}, until the step is labelled; what goes wrong before that has its time from here.
class RunningStep {
  public:
    explicit RunningStep(std::int32_t time_step) noexcept : before_(detail::running_step) {
        detail::running_step = time_step;
    }
    ~RunningStep() { detail::running_step = before_; }
    RunningStep(const RunningStep&) = delete;
    RunningStep& operator=(const RunningStep&) = delete;

    /// -1 where none is running.
    static std::int32_t time() noexcept { return detail::running_step; }

    /// The number of a cell's step that takes the state h: that of the layer which runs the cell; of a cell in a loop
    /// of one's own, one more than that of its step before, or 0.
    template <class T>
    static std::int32_t after(const Variable<T>& h, StepOwner cell) {
        if (time() >= 0) return time();
        return h.defined() && h.node().step_owner == cell ? h.time_step() + 1 : 0;
    }

  private:
    std::int32_t before_;
};

}  // namespace ebb
