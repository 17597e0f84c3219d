/// Memory and time of one LSTM training step against the number of steps T: the whole graph kept, checkpoints every
/// sqrt(T) steps, and backpropagation cut off after 100 steps. Each measurement is a process of its own, so that its
/// memory is what the system counts.
///
///     long_sequences [FIGURE.svg]

#include <ebb/autograd/checkpoint.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/inspect/figure.hpp>
#include <ebb/inspect/svg.hpp>
#include <ebb/layers/recurrent_cells.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace ebb;
using V = Variable<float>;

constexpr std::size_t batch = 4, input_size = 16, hidden_size = 64, window = 100;

enum class Way { whole, checkpoints, truncated };

struct Measurement {
    double seconds;
    double megabytes;
};

/// The sum of h_t^2 over the steps from `begin` to `end`, which follow on the state. x_t is the same for all t: the
/// memory of the data is not what is measured.
std::vector<V> steps(const LSTMCell<float>& cell, const std::vector<V>& from, std::size_t begin, std::size_t end) {
    Tape<float>& tape = from[0].tape();
    const V x = tape.full({batch, input_size}, 0.3f);
    LSTMState<float> state{from[0], from[1]};
    V loss = from[2];
    for (std::size_t t = begin; t < end; ++t) {
        state = cell(x, state);
        loss = loss + mean(state.h * state.h);
    }
    return {state.h, state.c, loss};
}

void train_once(Way way, std::size_t T) {
    const LSTMCell<float> cell({.input_size = input_size, .hidden_size = hidden_size});
    Tape<float> tape;
    const auto start = [&] {
        return std::vector<V>{tape.zeros({batch, hidden_size}), tape.zeros({batch, hidden_size}), tape.scalar(0)};
    };
    std::vector<V> state = start();
    if (way == Way::whole) {
        tape.backward(steps(cell, state, 0, T)[2]);
    } else if (way == Way::checkpoints) {
        const auto segment = static_cast<std::size_t>(std::sqrt(static_cast<double>(T)));
        for (std::size_t begin = 0; begin < T; begin += segment)
            state = checkpoint([&cell, begin, end = std::min(begin + segment, T)](
                                   const std::vector<V>& s) { return steps(cell, s, begin, end); },
                               state);
        tape.backward(state[2]);
    } else {
        for (std::size_t begin = 0; begin < T; begin += window) {
            state = steps(cell, state, begin, std::min(begin + window, T));
            tape.backward(state[2]);
            const Array<float> h = state[0].value(), c = state[1].value();
            tape.clear();
            state = {tape.constant(h), tape.constant(c), tape.scalar(0)};
        }
    }
}

/// In a child process: the memory that it needs more than one that does nothing.
Measurement measure(Way way, std::size_t T) {
    int ends[2];
    if (pipe(ends) != 0) return {};
    const pid_t child = fork();
    if (child == 0) {
        rusage before{}, after{};
        getrusage(RUSAGE_SELF, &before);
        const auto start = std::chrono::steady_clock::now();
        train_once(way, T);
        const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
        getrusage(RUSAGE_SELF, &after);
        const Measurement m{time.count(), static_cast<double>(after.ru_maxrss - before.ru_maxrss) / 1e3};
        const ssize_t written = write(ends[1], &m, sizeof m);
        _exit(written == sizeof m ? 0 : 1);
    }
    Measurement m{};
    if (read(ends[0], &m, sizeof m) != sizeof m) m = {};
    waitpid(child, nullptr, 0);
    close(ends[0]);
    close(ends[1]);
    return m;
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::size_t> lengths{100, 300, 1000, 3000, 10000, 30000};
    const std::vector<std::pair<Way, std::string>> ways{{Way::whole, "whole graph"},
                                                        {Way::checkpoints, "checkpoints every √T steps"},
                                                        {Way::truncated, "cut off after 100 steps"}};
    inspect::LineFigure figure;
    figure.title = "Memory of one training step";
    figure.caption = "LSTM, batch 4, 64 units, float: peak memory of a process against the length of the sequence";
    figure.x = {.label = "steps T", .scale = inspect::Scale::log};
    figure.y = {.label = "memory", .unit = "MB", .scale = inspect::Scale::log};
    for (const auto& way : ways) figure.series.push_back({.name = way.second, .x = {}, .y = {}});
    fmt::print("| T | whole graph | | checkpoints | | cut off | |\n|---|---|---|---|---|---|---|\n");
    for (const std::size_t T : lengths) {
        std::string line = fmt::format("| {} |", T);
        for (std::size_t k = 0; k < ways.size(); ++k) {
            const Measurement m = measure(ways[k].first, T);
            line += fmt::format(" {:.1f} MB | {:.3f} s |", m.megabytes, m.seconds);
            figure.series[k].x.push_back(static_cast<double>(T));
            figure.series[k].y.push_back(m.megabytes);
        }
        fmt::print("{}\n", line);
        std::fflush(stdout);
    }
    if (argc > 1) inspect::save_svg(argv[1], figure);
}
