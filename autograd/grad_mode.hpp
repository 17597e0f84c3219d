#pragma once

namespace ebb {

/// Whether operations on this thread are recorded for a backward pass. True unless a NoGrad is in scope.
bool grad_enabled() noexcept;

/// While in scope, operations on this thread compute their values and record nothing (PyTorch's `torch.no_grad`).
class NoGrad {
  public:
    NoGrad() noexcept;
    ~NoGrad();
    NoGrad(const NoGrad&) = delete;
    NoGrad& operator=(const NoGrad&) = delete;

  private:
    bool before_;
};

/// While in scope, operations are recorded even inside a NoGrad (PyTorch's `torch.enable_grad`).
class EnableGrad {
  public:
    EnableGrad() noexcept;
    ~EnableGrad();
    EnableGrad(const EnableGrad&) = delete;
    EnableGrad& operator=(const EnableGrad&) = delete;

  private:
    bool before_;
};

}  // namespace ebb
