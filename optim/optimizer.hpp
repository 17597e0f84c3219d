#pragma once

#include <ebb/autograd/parameter.hpp>
#include <ebb/core/array.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace ebb {

/// What the schedules (schedules.hpp) see of an optimiser, whatever its scalar: the learning rate.
class LearningRate {
  public:
    double learning_rate() const noexcept { return learning_rate_; }
    /// Throws ValueError for a negative rate, NaN or infinity.
    void set_learning_rate(double rate);

  protected:
    LearningRate(const char* optimizer, double rate);
    ~LearningRate() = default;
    LearningRate(const LearningRate&) = default;
    LearningRate& operator=(const LearningRate&) = default;

  private:
    double learning_rate_;
};

/// What an optimiser must remember to go on as if it had never stopped, by name: for checkpoints.
template <class T>
struct OptimizerState {
    std::string optimizer;                  ///< "Adam"
    std::map<std::string, double> numbers;  ///< "learning_rate", and "2.weight_hh_l0.step" for each parameter
    std::map<std::string, Array<T>>
        arrays;  ///< "2.weight_hh_l0.exp_avg": its place, its name, PyTorch's name of the state
};

/// The base of all optimisers: it holds the parameters, their states and the learning rate.
///
/// Semantics are PyTorch's. A parameter that appears twice (tied weights) is stepped once; a frozen one
/// (`requires_grad()` false) is skipped and its state stays; one that no backward pass has reached has a gradient of
/// zeros, and is stepped with it. Gradients are read and never written, except by `zero_grad()`.
///
/// A gradient with NaN or infinity is not looked for: as in PyTorch it goes into parameter and state. The training
/// loop (training.hpp) refuses it before the step; so does `clip_grad_norm` if asked to.
///
/// After construction nothing allocates memory, save `state_dict` and `load_state_dict`.
template <class T>
class Optimizer : public LearningRate {
  public:
    virtual ~Optimizer();
    Optimizer(const Optimizer&) = delete;
    Optimizer& operator=(const Optimizer&) = delete;

    /// Each weight once, in the order given.
    const std::vector<Parameter<T>>& parameters() const noexcept { return parameters_; }

    /// Changes all parameters by their gradients. Throws ShapeError, and changes nothing, where a value or a gradient
    /// was given another shape since the optimiser was made.
    void step();
    /// Sets all gradients to zero.
    void zero_grad();

    OptimizerState<T> state_dict() const;
    /// Goes on from a state of the same kind of optimiser over the same parameters: all further steps are the same to
    /// the bit. Options other than the learning rate are not part of it. Throws ValueError or ShapeError, and changes
    /// nothing, where the state is of another optimiser, or lacks or exceeds what this one keeps.
    void load_state_dict(const OptimizerState<T>& state);

  protected:
    /// `name` for messages and states; `slots` are the names of the arrays kept for each parameter, zeros at first.
    /// Throws ValueError for no parameters, a default-constructed one, or a bad rate.
    Optimizer(const char* name, const std::vector<Parameter<T>>& parameters, double learning_rate,
              std::vector<const char*> slots);

    /// One step of one parameter.
    struct Update {
        T* value;
        const T* gradient;
        std::size_t size;
        std::int64_t step;  ///< 1 for the first
        std::vector<Array<T>>& slots;

        /// The memory of a slot; nullptr where the optimiser does not keep so many.
        T* slot(std::size_t i) const { return i < slots.size() ? slots[i].data() : nullptr; }
    };
    virtual void update(const Update& update) = 0;

    /// Fills a slot of every parameter.
    void fill_slot(std::size_t slot, T value);

  private:
    struct State {
        std::int64_t steps = 0;
        std::vector<Array<T>> slots;
    };
    std::string key(std::size_t parameter, const char* slot) const;

    const char* name_;
    std::vector<Parameter<T>> parameters_;
    std::vector<const char*> slot_names_;
    std::vector<State> states_;
};

namespace detail {

/// Throws ValueError "Adam: beta1 is 1: expected ..." where a number is outside of [0, 1), or below 0, or not finite.
void check_fraction(const char* call, const char* what, double value);
void check_not_negative(const char* call, const char* what, double value);

}  // namespace detail

}  // namespace ebb
