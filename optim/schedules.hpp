#pragma once

#include <ebb/optim/optimizer.hpp>

#include <cstdint>
#include <limits>
#include <map>
#include <string>

namespace ebb {

/// What a schedule must remember, by name: for checkpoints.
using ScheduleState = std::map<std::string, double>;

/// The base of schedules that know the learning rate of every step beforehand. With eta_0 the optimiser's rate when the
/// schedule was made and t the number of `step()` calls since, the rate is a formula of both: it is set, not multiplied
/// on, so that no rounding adds up, and two schedules over one optimiser do not mix (LinearWarmup goes before another).
///
/// `step()` comes after each step of the optimiser, or once an epoch: t is then counted in epochs. The optimiser must
/// outlive the schedule.
class Schedule {
  public:
    virtual ~Schedule();
    Schedule(const Schedule&) = delete;
    Schedule& operator=(const Schedule&) = delete;

    /// One step further: sets the optimiser's learning rate.
    void step();
    std::int64_t steps() const noexcept { return steps_; }
    double learning_rate() const noexcept { return optimizer_.learning_rate(); }

    ScheduleState state_dict() const;
    /// Throws ValueError, and changes nothing, for a state that lacks something or is of no schedule.
    void load_state_dict(const ScheduleState& state);

  protected:
    explicit Schedule(LearningRate& optimizer) noexcept
        : optimizer_(optimizer), initial_rate_(optimizer.learning_rate()) {}
    /// The rate of step t.
    virtual double rate(std::int64_t t) const = 0;
    virtual void stepped() { optimizer_.set_learning_rate(rate(steps_)); }

    double initial_rate() const noexcept { return initial_rate_; }
    LearningRate& optimizer() noexcept { return optimizer_; }

  private:
    LearningRate& optimizer_;
    double initial_rate_;
    std::int64_t steps_ = 0;
};

struct StepLROptions {
    std::int64_t step_size = 1;
    double gamma = 0.1;
};

/// eta_t = eta_0 gamma^floor(t / step_size): a tenth after each step_size steps (torch.optim.lr_scheduler.StepLR).
class StepLR final : public Schedule {
  public:
    /// Throws ValueError for a step_size below 1 or a negative gamma.
    StepLR(LearningRate& optimizer, StepLROptions options);

  private:
    double rate(std::int64_t t) const override;
    StepLROptions options_;
};

struct ExponentialLROptions {
    double gamma = 0.99;
};

/// eta_t = eta_0 gamma^t (torch.optim.lr_scheduler.ExponentialLR).
class ExponentialLR final : public Schedule {
  public:
    /// Throws ValueError for a negative gamma.
    ExponentialLR(LearningRate& optimizer, ExponentialLROptions options);

  private:
    double rate(std::int64_t t) const override;
    ExponentialLROptions options_;
};

struct CosineAnnealingLROptions {
    std::int64_t t_max = 1;
    double eta_min = 0;
};

/// eta_t = eta_min + (eta_0 - eta_min) (1 + cos(pi t / t_max)) / 2: half a cosine from eta_0 down to eta_min
/// (Loshchilov and Hutter 2017, SGDR, equation 5, without restarts; torch.optim.lr_scheduler.CosineAnnealingLR). After
/// t_max steps it goes up again.
class CosineAnnealingLR final : public Schedule {
  public:
    /// Throws ValueError for a t_max below 1 or a negative eta_min.
    CosineAnnealingLR(LearningRate& optimizer, CosineAnnealingLROptions options);

  private:
    double rate(std::int64_t t) const override;
    CosineAnnealingLROptions options_;
};

struct LinearWarmupOptions {
    std::int64_t steps = 1;
    double start_factor = 0.01;
};

/// eta_t = eta_0 (start_factor + (1 - start_factor) t / steps) up to eta_0 after `steps` steps (Goyal et al. 2017,
/// section 2.2; torch.optim.lr_scheduler.LinearLR). Then the rate stays, or another schedule goes on, which was made
/// before and so knows eta_0:
///
///     CosineAnnealingLR cosine(adam, {.t_max = 900});
///     LinearWarmup schedule(adam, {.steps = 100}, &cosine);
class LinearWarmup final : public Schedule {
  public:
    /// Sets the optimiser's rate to the first one. Throws ValueError for fewer than 1 step or a start_factor outside
    /// of [0, 1].
    LinearWarmup(LearningRate& optimizer, LinearWarmupOptions options, Schedule* then = nullptr);

  private:
    double rate(std::int64_t t) const override;
    void stepped() override;
    LinearWarmupOptions options_;
    Schedule* then_;
};

enum class PlateauMode {
    min,  ///< the metric should fall: a loss
    max,  ///< the metric should rise: an accuracy
};

struct ReduceLROnPlateauOptions {
    PlateauMode mode = PlateauMode::min;
    double factor = 0.1;
    std::int64_t patience = 10;
    double threshold = 1e-4;  ///< relative: a metric is better than the best if it is so by this share of it
    std::int64_t cooldown = 0;
    double minimum_rate = 0;
};

/// Multiplies the learning rate by `factor` when a metric has not become better for more than `patience` calls; then
/// waits `cooldown` calls before it counts again (torch.optim.lr_scheduler.ReduceLROnPlateau, threshold_mode 'rel').
/// NaN is not better.
class ReduceLROnPlateau {
  public:
    /// Throws ValueError for a factor outside of [0, 1), or a negative patience, threshold, cooldown or minimum_rate.
    ReduceLROnPlateau(LearningRate& optimizer, ReduceLROnPlateauOptions options = {});

    /// `metric` as measured now, once an epoch, say.
    void step(double metric);
    double best() const noexcept { return best_; }
    double learning_rate() const noexcept { return optimizer_.learning_rate(); }

    ScheduleState state_dict() const;
    /// Throws ValueError, and changes nothing, for a state that lacks something.
    void load_state_dict(const ScheduleState& state);

  private:
    LearningRate& optimizer_;
    ReduceLROnPlateauOptions options_;
    double best_;
    std::int64_t bad_steps_ = 0;
    std::int64_t cooldown_left_ = 0;
};

}  // namespace ebb
