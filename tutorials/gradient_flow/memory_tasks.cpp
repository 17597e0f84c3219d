#include "gradient_flow/memory_tasks.hpp"

#include <ebb/core/error.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>

#include <fmt/format.h>

namespace lab {
namespace {

constexpr std::uint64_t sample_seed = 2013;  // of what no training sees

void need_length(const char* task, std::size_t T, std::size_t least, const char* why) {
    if (T < least)
        ebb::fail<ebb::ValueError>(
            fmt::format("gradient_flow: --length is {}: expected at least {} for --task {}: {}", T, least, task, why));
}

}  // namespace

Batch GeneratedTask::sample(std::size_t count, std::uint64_t stream) const {
    ebb::Generator generator = ebb::Generator(sample_seed).fork(stream);
    Batch batch = empty_batch(ports(), steps(), targets(), count);
    draw(generator, batch);
    return batch;
}

// ---- adding

AddingTask::AddingTask(std::size_t T) : GeneratedTask(T, 1) {
    need_length("adding", T, 2, "a step to mark in each half");
}

Baseline AddingTask::baseline() const {
    // The variance of a sum of two numbers from U[0, 1): 2 / 12.
    return {1.0 / 6, "always predicting 1"};
}

std::string AddingTask::definition() const {
    return fmt::format(
        "The adding problem (Hochreiter, Schmidhuber 1997; in the form of Arjovsky, Shah, Bengio 2016): at each of {} "
        "steps a number from U[0, 1) and a mark, which is 1 at one step of each half and else 0. At the end the "
        "network tells the sum of the two marked numbers.",
        steps());
}

void AddingTask::draw(ebb::Generator& generator, Batch& batch) const {
    const std::size_t T = steps(), B = batch.numbers.shape(1), half = T / 2;
    batch.numbers.fill(0);
    for (std::size_t b = 0; b < B; ++b) {
        for (std::size_t t = 0; t < T; ++t) batch.numbers(t, b, 0) = generator.uniform();
        const std::size_t first = generator.integer(half), second = half + generator.integer(T - half);
        batch.numbers(first, b, 1) = batch.numbers(second, b, 1) = 1;
        batch.values(0, b, 0) = batch.numbers(first, b, 0) + batch.numbers(second, b, 0);
    }
}

// ---- copying

CopyingTask::CopyingTask(std::size_t T) : GeneratedTask(T + 2 * copied, T + 2 * copied) {
    need_length("copying", T, 1, "the cue");
}

Baseline CopyingTask::baseline() const {
    return {static_cast<double>(copied) * std::log(static_cast<double>(symbols)) / static_cast<double>(steps()),
            "blanks, and guessing at the end: 10 ln 8 / (T + 20)"};
}

std::string CopyingTask::definition() const {
    return fmt::format(
        "Copying memory (Arjovsky, Shah, Bengio 2016): ten symbols, each one of eight, then {} blanks, a cue, and ten "
        "blanks more. The network tells blanks until the cue, and after it the ten symbols in their order. The loss is "
        "the mean over all {} steps; answers are counted at the last ten.",
        steps() - 2 * copied - 1, steps());
}

void CopyingTask::draw(ebb::Generator& generator, Batch& batch) const {
    const std::size_t T = steps(), B = batch.symbols.shape(1);
    batch.symbols.fill(blank);
    batch.classes.fill(blank);
    for (std::size_t b = 0; b < B; ++b) {
        for (std::size_t k = 0; k < copied; ++k)
            batch.symbols(k, b) = batch.classes(T - copied + k, b) =
                static_cast<std::int64_t>(generator.integer(symbols));
        batch.symbols(T - copied - 1, b) = cue;
    }
}

// ---- temporal order

TemporalOrderTask::TemporalOrderTask(std::size_t T) : GeneratedTask(T, 1) {
    need_length("order", T, 10, "tenths of it are where the two symbols stand");
}

Baseline TemporalOrderTask::baseline() const {
    return {std::log(4.0), "guessing one of the four orders: ln 4"};
}

std::string TemporalOrderTask::definition() const {
    return fmt::format(
        "Temporal order (Hochreiter, Schmidhuber 1997; in the form of Pascanu, Mikolov, Bengio 2013): of {} steps two "
        "hold A or B, one between a tenth and two tenths of the way, the other between four and five tenths; all "
        "others hold one of c, d, e, f. At the end the network tells whether it was AA, AB, BA or BB.",
        steps());
}

void TemporalOrderTask::draw(ebb::Generator& generator, Batch& batch) const {
    const std::size_t T = steps(), B = batch.symbols.shape(1);
    // A place in the tenth of the sequence that begins after so many tenths.
    const auto place = [&](std::size_t tenths) {
        const std::size_t begin = tenths * T / 10, end = (tenths + 1) * T / 10;
        return begin + generator.integer(end - begin);
    };
    for (std::size_t b = 0; b < B; ++b) {
        for (std::size_t t = 0; t < T; ++t) batch.symbols(t, b) = static_cast<std::int64_t>(2 + generator.integer(4));
        const auto first = static_cast<std::int64_t>(generator.integer(2));
        const auto second = static_cast<std::int64_t>(generator.integer(2));
        batch.symbols(place(1), b) = first;
        batch.symbols(place(4), b) = second;
        batch.classes(0, b) = 2 * first + second;
    }
}

// ---- delayed echo

EchoTask::EchoTask(std::size_t T, std::size_t delay) : GeneratedTask(T, T - std::min(T, delay)) {
    if (delay >= T)
        ebb::fail<ebb::ValueError>(
            fmt::format("gradient_flow: --delay is {}, --length is {}: expected a delay below the length", delay, T));
}

Baseline EchoTask::baseline() const {
    return {std::numbers::ln2, "guessing: ln 2"};
}

std::string EchoTask::definition() const {
    return fmt::format(
        "Delayed echo (the short-term memory task of Jaeger 2001, with bits): at each of {} steps a random bit goes "
        "in, and the network tells the bit of {} steps before.",
        steps(), steps() - targets());
}

void EchoTask::draw(ebb::Generator& generator, Batch& batch) const {
    const std::size_t T = steps(), B = batch.symbols.shape(1), delay = T - targets();
    for (std::size_t b = 0; b < B; ++b) {
        for (std::size_t t = 0; t < T; ++t) batch.symbols(t, b) = static_cast<std::int64_t>(generator.integer(2));
        for (std::size_t t = delay; t < T; ++t) batch.classes(t - delay, b) = batch.symbols(t - delay, b);
    }
}

}  // namespace lab
