#pragma once

#include <ebb/optim/optimizer.hpp>

namespace ebb {

struct RMSpropOptions {
    double learning_rate = 1e-2;
    double alpha = 0.99;
    double eps = 1e-8;
    double weight_decay = 0;
    double momentum = 0;
    bool centered = false;
};

/// RMSprop (Tieleman and Hinton 2012, lecture 6.5), `centered` as in Graves 2013. With eta the learning rate, mu the
/// momentum, lambda the weight decay:
///
///     g_t = dL/dp + lambda p_{t-1}
///     s_t = alpha s_{t-1} + (1 - alpha) g_t^2
///     a_t = alpha a_{t-1} + (1 - alpha) g_t          only where centered, else a_t = 0
///     b_t = mu b_{t-1} + g_t / (sqrt(s_t - a_t^2) + eps)
///     p_t = p_{t-1} - eta b_t
///
/// This is torch.optim.RMSprop, save that a variance s_t - a_t^2 which rounding makes negative counts as 0 here, and
/// gives NaN there.
template <class T>
class RMSprop final : public Optimizer<T> {
  public:
    /// Throws ValueError for a negative option or an alpha outside of [0, 1).
    explicit RMSprop(const std::vector<Parameter<T>>& parameters, RMSpropOptions options = {});

    /// As they were given; `learning_rate()` is the rate in use.
    const RMSpropOptions& options() const noexcept { return options_; }

  private:
    using typename Optimizer<T>::Update;
    void update(const Update& update) override;
    RMSpropOptions options_;
};

}  // namespace ebb
