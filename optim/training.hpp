#pragma once

#include <ebb/autograd/tape.hpp>
#include <ebb/optim/optimizer.hpp>

#include <cstdint>
#include <functional>
#include <limits>
#include <type_traits>
#include <vector>

namespace ebb {

class ProgressBar;
class Schedule;

/// One step of a training, as the callbacks see it.
template <class T>
struct TrainingStep {
    std::int64_t step = 0;  ///< from 0
    double loss = 0;
    double gradient_norm = 0;  ///< of all parameters together, before clipping
    double learning_rate = 0;
    bool clipped = false;
    Tape<T>& tape;  ///< everything that the step has recorded, with its gradients
    Optimizer<T>& optimizer;
    bool stop = false;  ///< set it to end the training after this step
};

template <class T>
struct TrainingOptions {
    std::int64_t steps = 1000;
    /// Gradients longer than this are clipped to it (clip_grad_norm).
    double clip_norm = std::numeric_limits<double>::infinity();
    /// Called when the gradients are there, and neither clipped nor used yet: the moment to look at them on the tape.
    std::function<void(TrainingStep<T>&)> after_backward = {};
    /// Called when the parameters have been changed.
    std::function<void(TrainingStep<T>&)> after_step = {};
    /// Takes a step after each step of the optimiser; may be nullptr.
    Schedule* schedule = nullptr;
    /// Shows how far the training is; may be nullptr.
    ProgressBar* progress = nullptr;
};

/// A number for each step that was taken.
struct TrainingHistory {
    std::vector<double> loss;
    std::vector<double> gradient_norm;  ///< before clipping
    std::vector<double> learning_rate;
    std::int64_t clipped_steps = 0;

    std::size_t steps() const noexcept { return loss.size(); }
};

/// Records the computation of a step on the tape and returns the loss, one number.
template <class T>
using LossFunction = std::function<Variable<T>(Tape<T>& tape, std::int64_t step)>;

/// The training loop: for each step it clears the tape, sets the gradients to zero, calls `loss`, goes backward, clips,
/// and lets the optimiser step.
///
///     Adam<float> adam(model.parameters(), {.learning_rate = 3e-3});
///     const auto history = train(adam, {.steps = 500, .clip_norm = 1}, [&](Tape<float>& tape, std::int64_t step) {
///         return cross_entropy(model(tape.constant(inputs[step])), targets[step]);
///     });
///
/// One tape serves all steps, and is the active tape of the thread meanwhile: from the second step on, neither it nor
/// the optimiser allocates memory, as long as no step is larger than those before.
///
/// Throws ValueError, before the optimiser's step, where the loss or the norm of the gradients is NaN or infinite; the
/// message names the step and the first parameter at fault. ShapeError where the loss is not one number. Parameters and
/// optimiser are then as the last good step left them.
template <class T>
TrainingHistory train(Optimizer<T>& optimizer, const std::type_identity_t<TrainingOptions<T>>& options,
                      const std::type_identity_t<LossFunction<T>>& loss);

}  // namespace ebb
