#pragma once

namespace ebb {

namespace detail {
extern constinit thread_local bool grad_is_enabled;
}

/// Whether operations on this thread are recorded for a backward pass. True unless a NoGrad is in scope.
inline bool grad_enabled() noexcept {
    return detail::grad_is_enabled;
}

/// While in scope, operations on this thread compute their values and record nothing (PyTorch's `torch.no_grad`).
class NoGrad {
  public:
    NoGrad() noexcept : before_(detail::grad_is_enabled) { detail::grad_is_enabled = false; }
    ~NoGrad() { detail::grad_is_enabled = before_; }
    NoGrad(const NoGrad&) = delete;
    NoGrad& operator=(const NoGrad&) = delete;

  private:
    bool before_;
};

/// While in scope, operations are recorded even inside a NoGrad (PyTorch's `torch.enable_grad`).
class EnableGrad {
  public:
    EnableGrad() noexcept : before_(detail::grad_is_enabled) { detail::grad_is_enabled = true; }
    ~EnableGrad() { detail::grad_is_enabled = before_; }
    EnableGrad(const EnableGrad&) = delete;
    EnableGrad& operator=(const EnableGrad&) = delete;

  private:
    bool before_;
};

}  // namespace ebb
