#include <ebb/core/error.hpp>
#include <ebb/optim/schedules.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string_view>

#include <fmt/format.h>

namespace ebb {

namespace {

void check_at_least(const char* call, const char* what, std::int64_t value, std::int64_t least) {
    if (value < least) fail<ValueError>(fmt::format("{}: {} is {}: expected {} or more", call, what, value, least));
}

double number(std::string_view call, const ScheduleState& state, const char* name) {
    const auto found = state.find(name);
    if (found == state.end()) fail<ValueError>(fmt::format("{}: the state has no number {}", call, name));
    return found->second;
}

std::int64_t count(std::string_view call, const ScheduleState& state, const char* name) {
    const double value = number(call, state, name);
    if (!(value >= 0 && value < 0x1p53 && std::floor(value) == value))
        fail<ValueError>(fmt::format("{}: {} is {}: expected a whole number >= 0", call, name, value));
    return static_cast<std::int64_t>(value);
}

}  // namespace

Schedule::~Schedule() = default;

void Schedule::step() {
    ++steps_;
    stepped();
}

ScheduleState Schedule::state_dict() const {
    return {{"steps", static_cast<double>(steps_)}, {"initial_rate", initial_rate_}};
}

void Schedule::load_state_dict(const ScheduleState& state) {
    const char* const call = "Schedule.load_state_dict";
    const std::int64_t steps = count(call, state, "steps");
    const double rate = number(call, state, "initial_rate");
    detail::check_not_negative(call, "initial_rate", rate);
    steps_ = steps;
    initial_rate_ = rate;
}

StepLR::StepLR(LearningRate& optimizer, StepLROptions options) : Schedule(optimizer), options_(options) {
    check_at_least("StepLR", "step_size", options.step_size, 1);
    detail::check_not_negative("StepLR", "gamma", options.gamma);
}

double StepLR::rate(std::int64_t t) const {
    return initial_rate() * std::pow(options_.gamma, static_cast<double>(t / options_.step_size));
}

ExponentialLR::ExponentialLR(LearningRate& optimizer, ExponentialLROptions options)
    : Schedule(optimizer), options_(options) {
    detail::check_not_negative("ExponentialLR", "gamma", options.gamma);
}

double ExponentialLR::rate(std::int64_t t) const {
    return initial_rate() * std::pow(options_.gamma, static_cast<double>(t));
}

CosineAnnealingLR::CosineAnnealingLR(LearningRate& optimizer, CosineAnnealingLROptions options)
    : Schedule(optimizer), options_(options) {
    check_at_least("CosineAnnealingLR", "t_max", options.t_max, 1);
    detail::check_not_negative("CosineAnnealingLR", "eta_min", options.eta_min);
}

double CosineAnnealingLR::rate(std::int64_t t) const {
    const double angle = std::numbers::pi * static_cast<double>(t) / static_cast<double>(options_.t_max);
    return options_.eta_min + (initial_rate() - options_.eta_min) * (1 + std::cos(angle)) / 2;
}

LinearWarmup::LinearWarmup(LearningRate& optimizer, LinearWarmupOptions options, Schedule* then)
    : Schedule(optimizer), options_(options), then_(then) {
    check_at_least("LinearWarmup", "steps", options.steps, 1);
    if (!(options.start_factor >= 0 && options.start_factor <= 1))
        fail<ValueError>(
            fmt::format("LinearWarmup: start_factor is {}: expected a number in [0, 1]", options.start_factor));
    optimizer.set_learning_rate(LinearWarmup::rate(0));
}

double LinearWarmup::rate(std::int64_t t) const {
    if (t >= options_.steps) return initial_rate();
    const double share = static_cast<double>(t) / static_cast<double>(options_.steps);
    return initial_rate() * (options_.start_factor + (1 - options_.start_factor) * share);
}

void LinearWarmup::stepped() {
    if (then_ && steps() > options_.steps)
        then_->step();
    else
        optimizer().set_learning_rate(rate(steps()));
}

ReduceLROnPlateau::ReduceLROnPlateau(LearningRate& optimizer, ReduceLROnPlateauOptions options)
    : optimizer_(optimizer),
      options_(options),
      best_(options.mode == PlateauMode::min ? std::numeric_limits<double>::infinity()
                                             : -std::numeric_limits<double>::infinity()) {
    detail::check_fraction("ReduceLROnPlateau", "factor", options.factor);
    check_at_least("ReduceLROnPlateau", "patience", options.patience, 0);
    check_at_least("ReduceLROnPlateau", "cooldown", options.cooldown, 0);
    detail::check_not_negative("ReduceLROnPlateau", "threshold", options.threshold);
    detail::check_not_negative("ReduceLROnPlateau", "minimum_rate", options.minimum_rate);
}

void ReduceLROnPlateau::step(double metric) {
    const bool better = options_.mode == PlateauMode::min ? metric < best_ * (1 - options_.threshold)
                                                          : metric > best_ * (1 + options_.threshold);
    if (better) best_ = metric;
    bad_steps_ = better ? 0 : bad_steps_ + 1;
    if (cooldown_left_ > 0) {
        --cooldown_left_;
        bad_steps_ = 0;
    }
    if (bad_steps_ <= options_.patience) return;
    const double rate = optimizer_.learning_rate();
    // A rate that was set below the minimum by hand is not raised.
    optimizer_.set_learning_rate(std::min(rate, std::max(rate * options_.factor, options_.minimum_rate)));
    cooldown_left_ = options_.cooldown;
    bad_steps_ = 0;
}

ScheduleState ReduceLROnPlateau::state_dict() const {
    return {{"best", best_},
            {"bad_steps", static_cast<double>(bad_steps_)},
            {"cooldown_left", static_cast<double>(cooldown_left_)}};
}

void ReduceLROnPlateau::load_state_dict(const ScheduleState& state) {
    const char* const call = "ReduceLROnPlateau.load_state_dict";
    const double best = number(call, state, "best");
    const std::int64_t bad_steps = count(call, state, "bad_steps"), cooldown_left = count(call, state, "cooldown_left");
    best_ = best;
    bad_steps_ = bad_steps;
    cooldown_left_ = cooldown_left;
}

}  // namespace ebb
