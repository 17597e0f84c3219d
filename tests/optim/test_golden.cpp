/// Every optimiser and schedule against PyTorch: tests/golden/topics/optim.py has the same list.

#include <ebb/optim/adagrad.hpp>
#include <ebb/optim/adam.hpp>
#include <ebb/optim/rmsprop.hpp>
#include <ebb/optim/schedules.hpp>
#include <ebb/optim/sgd.hpp>

#include <functional>
#include <map>
#include <memory>

#include "support/golden.hpp"
#include <doctest/doctest.h>

using namespace ebb;

namespace {

template <class T>
using Make = std::function<std::unique_ptr<Optimizer<T>>(const std::vector<Parameter<T>>&)>;

template <template <class> class Kind, class T, class Options>
Make<T> made(Options options) {
    return [options](const std::vector<Parameter<T>>& p) { return std::make_unique<Kind<T>>(p, options); };
}

template <class T>
std::map<std::string, Make<T>> optimizers() {
    return {
        {"sgd", made<SGD, T>(SGDOptions{.learning_rate = 0.1})},
        {"sgd_decay", made<SGD, T>(SGDOptions{.learning_rate = 0.1, .weight_decay = 0.03})},
        {"sgd_momentum", made<SGD, T>(SGDOptions{.learning_rate = 0.05, .momentum = 0.9})},
        {"sgd_dampening",
         made<SGD, T>(SGDOptions{.learning_rate = 0.05, .momentum = 0.9, .dampening = 0.4, .weight_decay = 0.01})},
        {"sgd_nesterov",
         made<SGD, T>(SGDOptions{.learning_rate = 0.05, .momentum = 0.8, .weight_decay = 0.02, .nesterov = true})},
        {"adam", made<Adam, T>(AdamOptions{.learning_rate = 0.01})},
        {"adam_betas", made<Adam, T>(AdamOptions{.learning_rate = 0.02, .betas = {0.7, 0.9}, .eps = 1e-3})},
        {"adam_decay", made<Adam, T>(AdamOptions{.learning_rate = 0.01, .weight_decay = 0.1})},
        {"adam_amsgrad",
         made<Adam, T>(AdamOptions{.learning_rate = 0.03, .betas = {0.5, 0.6}, .weight_decay = 0.05, .amsgrad = true})},
        {"adamw", made<AdamW, T>(AdamWOptions{.learning_rate = 0.01})},
        {"adamw_decay", made<AdamW, T>(AdamWOptions{.learning_rate = 0.05, .betas = {0.8, 0.95}, .weight_decay = 0.5})},
        {"adamw_amsgrad", made<AdamW, T>(AdamWOptions{.learning_rate = 0.03, .betas = {0.5, 0.6}, .amsgrad = true})},
        {"adagrad", made<Adagrad, T>(AdagradOptions{.learning_rate = 0.1})},
        {"adagrad_options", made<Adagrad, T>(AdagradOptions{.learning_rate = 0.1,
                                                            .lr_decay = 0.2,
                                                            .weight_decay = 0.03,
                                                            .initial_accumulator_value = 0.5,
                                                            .eps = 1e-3})},
        {"rmsprop", made<RMSprop, T>(RMSpropOptions{.learning_rate = 0.01})},
        {"rmsprop_centered",
         made<RMSprop, T>(RMSpropOptions{.learning_rate = 0.01, .alpha = 0.9, .eps = 1e-4, .centered = true})},
        {"rmsprop_momentum",
         made<RMSprop, T>(RMSpropOptions{.learning_rate = 0.01, .alpha = 0.8, .weight_decay = 0.05, .momentum = 0.7})},
        {"rmsprop_all", made<RMSprop, T>(RMSpropOptions{.learning_rate = 0.01,
                                                        .alpha = 0.8,
                                                        .eps = 1e-3,
                                                        .weight_decay = 0.05,
                                                        .momentum = 0.7,
                                                        .centered = true})},
    };
}

}  // namespace

TEST_CASE_TEMPLATE("every optimiser takes PyTorch's steps", T, float, double) {
    const double tolerance = sizeof(T) == 4 ? 2e-6 : 1e-13;
    const GoldenFile file("optim");
    const GoldenCase problem = file.one("problem");
    for (const auto& [bound_name, make] : optimizers<T>()) {
        const auto& name = bound_name;  // clang++ 14 captures no structured binding
        const GoldenCase golden = file.one(name);
        std::vector<Parameter<T>> parameters;
        for (const char* parameter : {"weight", "bias"})
            parameters.emplace_back(parameter, Array<T>(problem[parameter]));
        const auto optimizer = make(parameters);
        for (std::size_t step = 0; step < 10; ++step) {
            for (Parameter<T>& parameter : parameters) {
                const Array<double> all = problem["d" + parameter.name()];
                const std::size_t size = parameter.size();
                for (std::size_t i = 0; i < size; ++i)
                    parameter.mutable_grad().data()[i] = static_cast<T>(all.data()[step * size + i]);
            }
            optimizer->step();
            for (const Parameter<T>& parameter : parameters) {
                const std::string kept = fmt::format("{}_after_{}", parameter.name(), step + 1);
                if (!golden.has(kept)) continue;
                const std::string found = difference(parameter.value(), golden[kept], tolerance, tolerance);
                CHECK_MESSAGE(found.empty(), name, ": ", kept, ": ", found);
            }
        }
    }
}

TEST_CASE("every schedule sets PyTorch's learning rates") {
    const Parameter<double> parameter("p", Array<double>{0.0});
    const GoldenFile file("optim");
    const std::map<std::string, std::function<std::unique_ptr<Schedule>(LearningRate&)>> schedules{
        {"step",
         [](LearningRate& rate) {
             return std::make_unique<StepLR>(rate, StepLROptions{.step_size = 4, .gamma = 0.3});
         }},
        {"exponential",
         [](LearningRate& rate) { return std::make_unique<ExponentialLR>(rate, ExponentialLROptions{.gamma = 0.9}); }},
        {"cosine",
         [](LearningRate& rate) {
             return std::make_unique<CosineAnnealingLR>(rate, CosineAnnealingLROptions{.t_max = 12, .eta_min = 0.01});
         }},
        {"warmup",
         [](LearningRate& rate) {
             return std::make_unique<LinearWarmup>(rate, LinearWarmupOptions{.steps = 7, .start_factor = 0.1});
         }},
    };
    for (const auto& [bound_name, make] : schedules) {
        const auto& name = bound_name;  // clang++ 14 captures no structured binding
        SGD<double> sgd({parameter}, {.learning_rate = 0.5});
        const auto schedule = make(sgd);
        Array<double> rates = Array<double>::from_shape({30});
        for (std::size_t t = 0; t < 30; ++t) {
            rates(t) = sgd.learning_rate();
            schedule->step();
        }
        const std::string found = difference(rates, file.one(name)["rates"], 1e-12, 1e-15);
        CHECK_MESSAGE(found.empty(), name, ": ", found);
    }
}

TEST_CASE("ReduceLROnPlateau reduces where PyTorch does") {
    const GoldenFile file("optim");
    const std::map<std::string, ReduceLROnPlateauOptions> all{
        {"plateau_min", {.factor = 0.5, .patience = 2, .threshold = 0.01, .cooldown = 3, .minimum_rate = 0.02}},
        {"plateau_max", {.mode = PlateauMode::max, .factor = 0.7, .patience = 1, .threshold = 0.1}},
    };
    for (const auto& [bound_name, options] : all) {
        const auto& name = bound_name;  // clang++ 14 captures no structured binding
        SGD<double> sgd({Parameter<double>("p", Array<double>{0.0})}, {.learning_rate = 0.5});
        ReduceLROnPlateau schedule(sgd, options);
        const GoldenCase golden = file.one(name);
        const Array<double> metrics = golden["metrics"];
        Array<double> rates = Array<double>::from_shape({metrics.size()});
        for (std::size_t t = 0; t < metrics.size(); ++t) {
            schedule.step(metrics(t));
            rates(t) = sgd.learning_rate();
        }
        const std::string found = difference(rates, golden["rates"], 1e-12, 0);
        CHECK_MESSAGE(found.empty(), name, ": ", found);
    }
}
