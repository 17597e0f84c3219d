#pragma once

#include <ebb/optim/optimizer.hpp>

namespace ebb {

struct AdagradOptions {
    double learning_rate = 1e-2;
    double lr_decay = 0;
    double weight_decay = 0;
    double initial_accumulator_value = 0;
    double eps = 1e-10;
};

/// Adagrad (Duchi, Hazan, Singer 2011, with diagonal matrices). With eta the learning rate, lambda the weight decay:
///
///     g_t = dL/dp + lambda p_{t-1}
///     s_t = s_{t-1} + g_t^2,  s_0 = initial_accumulator_value
///     p_t = p_{t-1} - eta / (1 + (t - 1) lr_decay) g_t / (sqrt(s_t) + eps)
///
/// This is torch.optim.Adagrad.
template <class T>
class Adagrad final : public Optimizer<T> {
  public:
    /// Throws ValueError for a negative option.
    explicit Adagrad(const std::vector<Parameter<T>>& parameters, AdagradOptions options = {});

    /// As they were given; `learning_rate()` is the rate in use.
    const AdagradOptions& options() const noexcept { return options_; }

  private:
    using typename Optimizer<T>::Update;
    void update(const Update& update) override;
    AdagradOptions options_;
};

}  // namespace ebb
