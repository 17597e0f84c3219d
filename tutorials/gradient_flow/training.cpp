#include "gradient_flow/training.hpp"

#include <ebb/autograd/grad_mode.hpp>
#include <ebb/autograd/operations/losses.hpp>
#include <ebb/core/error.hpp>
#include <ebb/optim/adam.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <numbers>

namespace lab {
namespace {

constexpr std::uint64_t batch_stream = 100;  // of the seed; the model's streams lie below

template <class T>
ebb::Variable<T> loss_of_outputs(const Ports& ports, const ebb::Variable<T>& outputs, const Batch& batch) {
    if (ports.classes) return ebb::cross_entropy(outputs, batch.classes);
    if constexpr (std::is_same_v<T, double>)
        return ebb::mse_loss(outputs, ebb::Tape<T>::active().constant(batch.values));
    else
        return ebb::mse_loss(outputs, ebb::Tape<T>::active().constant(ebb::Array<T>(xt::cast<T>(batch.values))));
}

/// The fraction of the last `answers` steps of logits [K, B, O] whose largest is that of the class [K, B].
template <class T>
double accuracy(const ebb::Variable<T>& logits, const ebb::Indices& classes, std::size_t answers) {
    const std::size_t K = classes.shape(0), B = classes.shape(1), O = logits.shape()[2];
    if (answers == 0) return std::numeric_limits<double>::quiet_NaN();
    const T* const values = logits.value().data();
    std::size_t right = 0;
    for (std::size_t k = (K - answers) * B; k < K * B; ++k) {
        const T* const row = values + k * O;
        right += std::max_element(row, row + O) - row == classes.data()[k];
    }
    return static_cast<double>(right) / static_cast<double>(answers * B);
}

}  // namespace

template <class T>
ebb::Variable<T> loss_of(const SequenceModel<T>& model, const Batch& batch) {
    return loss_of_outputs(model.ports(), model.outputs(batch), batch);
}

template <class T>
Score score(const SequenceModel<T>& model, const Batch& batch, std::size_t answers) {
    const ebb::NoGrad off;
    ebb::Tape<T> tape;
    const ebb::Variable<T> outputs = model.outputs(batch);
    return {static_cast<double>(loss_of_outputs(model.ports(), outputs, batch).item()),
            accuracy(outputs, batch.classes, model.ports().classes ? answers : 0)};
}

double bits(double nats) {
    return nats / std::numbers::ln2;
}

template <class T>
void train_model(const SequenceModel<T>& model, const Options& options, const Task& task,
                 const std::function<void(Step&)>& after_step) {
    ebb::Adam<T> adam(model.parameters(), {.learning_rate = options.learning_rate});
    ebb::Generator generator = ebb::Generator(options.seed).fork(batch_stream);
    // Filled anew for each step, so that a step takes no memory from the system.
    Batch batch = empty_batch(task.ports(), task.steps(), task.targets(), options.batch);
    ebb::TrainingOptions<T> training{
        .steps = static_cast<std::int64_t>(options.steps),
        .clip_norm = options.clip > 0 ? options.clip : std::numeric_limits<double>::infinity()};
    if (after_step)
        training.after_step = [&](ebb::TrainingStep<T>& now) {
            Step step{static_cast<std::size_t>(now.step) + 1, now.loss, now.gradient_norm};
            after_step(step);
            now.stop = step.stop;
        };
    ebb::train(adam, training, [&](ebb::Tape<T>&, std::int64_t) {
        task.draw(generator, batch);
        return loss_of(model, batch);
    });
}

template ebb::Variable<float> loss_of(const SequenceModel<float>&, const Batch&);
template ebb::Variable<double> loss_of(const SequenceModel<double>&, const Batch&);
template Score score(const SequenceModel<float>&, const Batch&, std::size_t);
template Score score(const SequenceModel<double>&, const Batch&, std::size_t);
template void train_model(const SequenceModel<float>&, const Options&, const Task&, const std::function<void(Step&)>&);
template void train_model(const SequenceModel<double>&, const Options&, const Task&, const std::function<void(Step&)>&);

}  // namespace lab
