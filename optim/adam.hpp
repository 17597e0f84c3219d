#pragma once

#include <ebb/optim/optimizer.hpp>

#include <utility>

namespace ebb {

struct AdamOptions {
    double learning_rate = 1e-3;
    std::pair<double, double> betas{0.9, 0.999};
    double eps = 1e-8;
    double weight_decay = 0;
    bool amsgrad = false;
};

/// Adam (Kingma and Ba 2015, algorithm 1), with AMSGrad (Reddi et al. 2018) as an option. With eta the learning rate
/// and lambda the weight decay, here an L2 penalty (AdamW decouples it):
///
///     g_t = dL/dp + lambda p_{t-1}
///     m_t = beta1 m_{t-1} + (1 - beta1) g_t
///     v_t = beta2 v_{t-1} + (1 - beta2) g_t^2                        with amsgrad v_t's maximum so far stands below
///     p_t = p_{t-1} - eta (m_t / (1 - beta1^t)) / (sqrt(v_t / (1 - beta2^t)) + eps)
///
/// This is torch.optim.Adam.
template <class T>
class Adam final : public Optimizer<T> {
  public:
    /// Throws ValueError for a negative learning_rate, eps or weight_decay, or betas outside [0, 1).
    explicit Adam(const std::vector<Parameter<T>>& parameters, AdamOptions options = {});

    /// As they were given; `learning_rate()` is the rate in use.
    const AdamOptions& options() const noexcept { return options_; }

  private:
    using typename Optimizer<T>::Update;
    void update(const Update& update) override;
    AdamOptions options_;
};

struct AdamWOptions {
    double learning_rate = 1e-3;
    std::pair<double, double> betas{0.9, 0.999};
    double eps = 1e-8;
    double weight_decay = 1e-2;
    bool amsgrad = false;
};

/// AdamW: Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2). The weights shrink beside the
/// step, not through the gradient, whose size Adam divides out:
///
///     p_t = (1 - eta lambda) p_{t-1} - eta (m_t / (1 - beta1^t)) / (sqrt(v_t / (1 - beta2^t)) + eps)
///
/// with m_t and v_t of the bare gradient, as in Adam. This is torch.optim.AdamW.
template <class T>
class AdamW final : public Optimizer<T> {
  public:
    /// Throws ValueError for a negative learning_rate, eps or weight_decay, or betas outside [0, 1).
    explicit AdamW(const std::vector<Parameter<T>>& parameters, AdamWOptions options = {});

    /// As they were given; `learning_rate()` is the rate in use.
    const AdamWOptions& options() const noexcept { return options_; }

  private:
    using typename Optimizer<T>::Update;
    void update(const Update& update) override;
    AdamWOptions options_;
};

}  // namespace ebb
