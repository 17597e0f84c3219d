#include <ebb/core/error.hpp>
#include <ebb/core/index_text.hpp>
#include <ebb/optim/clip.hpp>
#include <ebb/optim/progress_bar.hpp>
#include <ebb/optim/schedules.hpp>
#include <ebb/optim/training.hpp>

#include <algorithm>
#include <cmath>
#include <string>

#include <fmt/format.h>

namespace ebb {

namespace {

/// History beyond these is allocated as it grows.
constexpr std::int64_t reserved_steps = 1'000'000;

/// The first parameter that holds NaN or infinity.
template <class T>
std::string first_nonfinite_value(const std::vector<Parameter<T>>& parameters) {
    for (const Parameter<T>& parameter : parameters)
        for (std::size_t i = 0; i < parameter.size(); ++i)
            if (!std::isfinite(parameter.value().data()[i]))
                return fmt::format("{} at {} of {}", parameter.value().data()[i], index_text(i, parameter.shape()),
                                   parameter.name());
    return {};
}

template <class T>
[[noreturn]] void fail_not_finite(const TrainingStep<T>& at) {
    const auto& parameters = at.optimizer.parameters();
    // A NaN may have a sign, which means nothing.
    const double loss = std::isnan(at.loss) ? std::abs(at.loss) : at.loss;
    std::string message = fmt::format("train: at step {} the loss is {} and the norm of the gradients {}", at.step,
                                      loss, std::abs(at.gradient_norm));
    const std::string value = first_nonfinite_value(parameters), gradient = first_nonfinite_gradient(parameters);
    if (!value.empty())
        message += fmt::format(": a parameter holds {}", value);
    else if (!gradient.empty())
        message += fmt::format(": the first gradient that is not finite is that of {}", gradient);
    else
        message += ": all parameters and their gradients are finite";
    // Before the first step neither has had a say.
    if (at.step > 0) message += "; a smaller learning_rate or a clip_norm keeps an exploding gradient in bounds";
    fail<ValueError>(message);
}

/// Ends the bar on every way out: a bar that lives on would draw over the message of an error.
struct FinishAtExit {
    ProgressBar* bar;
    ~FinishAtExit() {
        if (bar) bar->finish();
    }
};

}  // namespace

template <class T>
TrainingHistory train(Optimizer<T>& optimizer, const std::type_identity_t<TrainingOptions<T>>& options,
                      const std::type_identity_t<LossFunction<T>>& loss) {
    if (options.steps < 0) fail<ValueError>(fmt::format("train: steps is {}: expected 0 or more", options.steps));
    if (!(options.clip_norm > 0))
        fail<ValueError>(fmt::format("train: clip_norm is {}: expected a number > 0", options.clip_norm));
    if (!loss) fail<ValueError>("train: the loss function is empty");

    const FinishAtExit finish{options.progress};
    TrainingHistory history;
    for (auto* numbers : {&history.loss, &history.gradient_norm, &history.learning_rate})
        numbers->reserve(static_cast<std::size_t>(std::min(options.steps, reserved_steps)));
    Tape<T> tape;
    bool stop = false;
    for (std::int64_t step = 0; step < options.steps && !stop; ++step) {
        tape.clear();
        optimizer.zero_grad();
        const Variable<T> y = loss(tape, step);
        if (y.size() != 1)
            fail<ShapeError>(
                fmt::format("train: the loss at step {} is {}: expected one number", step, to_string(y.shape())));
        TrainingStep<T> now{.step = step,
                            .loss = static_cast<double>(y.item()),
                            .learning_rate = optimizer.learning_rate(),
                            .tape = tape,
                            .optimizer = optimizer};
        tape.backward(y);
        now.gradient_norm = grad_norm(optimizer.parameters());
        if (!std::isfinite(now.loss) || !std::isfinite(now.gradient_norm)) fail_not_finite(now);
        now.clipped = now.gradient_norm > options.clip_norm;

        if (options.after_backward) options.after_backward(now);
        if (now.clipped) clip_grad_norm(optimizer.parameters(), options.clip_norm);
        optimizer.step();
        if (options.schedule) options.schedule->step();

        history.loss.push_back(now.loss);
        history.gradient_norm.push_back(now.gradient_norm);
        history.learning_rate.push_back(now.learning_rate);
        history.clipped_steps += now.clipped;
        if (options.progress) options.progress->update(step + 1, now.loss, now.gradient_norm);
        if (options.after_step) options.after_step(now);
        stop = now.stop;
    }
    return history;
}

template TrainingHistory train(Optimizer<float>&, const TrainingOptions<float>&, const LossFunction<float>&);
template TrainingHistory train(Optimizer<double>&, const TrainingOptions<double>&, const LossFunction<double>&);

}  // namespace ebb
