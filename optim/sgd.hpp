#pragma once

#include <ebb/optim/optimizer.hpp>

namespace ebb {

struct SGDOptions {
    double learning_rate = 1e-3;
    double momentum = 0;
    double dampening = 0;
    double weight_decay = 0;
    bool nesterov = false;
};

/// Stochastic gradient descent (Robbins and Monro 1951), with momentum (Polyak 1964; Sutskever et al. 2013). With eta
/// the learning rate, mu the momentum, tau the dampening, lambda the weight decay:
///
///     g_t = dL/dp + lambda p_{t-1}
///     b_1 = g_1,  b_t = mu b_{t-1} + (1 - tau) g_t
///     p_t = p_{t-1} - eta b_t                  with nesterov: p_{t-1} - eta (g_t + mu b_t);  mu = 0: p_{t-1} - eta g_t
///
/// This is torch.optim.SGD: the learning rate multiplies the buffer, where Sutskever et al. put it inside, so a new
/// rate takes effect at once.
template <class T>
class SGD final : public Optimizer<T> {
  public:
    /// Throws ValueError for a negative learning_rate, momentum or weight_decay; nesterov without momentum or with
    /// dampening.
    explicit SGD(const std::vector<Parameter<T>>& parameters, SGDOptions options = {});

    /// As they were given; `learning_rate()` is the rate in use.
    const SGDOptions& options() const noexcept { return options_; }

  private:
    using typename Optimizer<T>::Update;
    void update(const Update& update) override;
    SGDOptions options_;
};

}  // namespace ebb
