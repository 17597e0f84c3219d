#pragma once
/// Training one model on a task.

#include <ebb/optim/training.hpp>

#include <cstddef>
#include <functional>

#include "gradient_flow/model.hpp"
#include "gradient_flow/task.hpp"

namespace lab {

/// Mean loss over the batch's targets, on the tape that is active: cross entropy in nats, or the mean squared error.
template <class T>
ebb::Variable<T> loss_of(const SequenceModel<T>& model, const Batch& batch);

/// How a model does on sequences. Nothing is trained, and nothing is drawn.
struct Score {
    double loss = 0;      ///< as `loss_of`
    double accuracy = 0;  ///< the fraction of right answers at the last `answers` targets; NaN where there are none
};
template <class T>
Score score(const SequenceModel<T>& model, const Batch& batch, std::size_t answers = 0);

/// Nats as bits.
double bits(double nats);

/// One step of the training, when its weights have been changed.
struct Step {
    std::size_t steps_done;
    double loss;           ///< of the step's batch, before the change
    double gradient_norm;  ///< of all gradients together, before clipping
    bool stop = false;     ///< set it to end the training here
};

/// Trains the model by Adam on batches that the task draws, which are the same in every call with the same seed and
/// sizes, whatever the cell. Throws ebb::ValueError, naming the step, where the loss or a gradient becomes NaN or
/// infinite.
template <class T>
void train_model(const SequenceModel<T>& model, const Options& options, const Task& task,
                 const std::function<void(Step&)>& after_step = {});

}  // namespace lab
