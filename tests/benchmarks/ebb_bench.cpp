/// One training step of a recurrent layer without the optimiser: forward and backward, T steps, loss = mean((h - y)^2)
/// over all hidden states, the gradients of all weights and both biases, in float.
///
/// A row: ebb,MODE,cell,T,B,I,H,threads,fwd_ms,step_ms (medians of wall time); `#cpu,` rows: medians of process CPU
/// time, the robust figure for one thread on a busy machine; `#memory,` rows: the tape's bytes in a step.

#include <ebb/core/blas.hpp>
#include <ebb/ebb.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "peers/hand_written_bptt.hpp"
#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace {

using namespace ebb;

struct Configuration {
    std::size_t T, B, I, H;
};

const std::vector<Configuration> configurations = {{50, 1, 8, 16},     {100, 1, 32, 32},    {100, 16, 32, 32},
                                                   {100, 32, 64, 64},  {128, 32, 128, 128}, {256, 64, 128, 256},
                                                   {64, 64, 512, 512}, {1000, 16, 64, 128}};
const std::vector<std::string> cells = {"rnn_tanh", "lstm", "gru"};
const std::vector<std::string> modes = {"layer", "cell", "elementary", "layer_inspected"};

struct Medians {
    double wall_ms;
    double cpu_ms;
};

/// Process CPU time, all threads together.
double cpu_seconds() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double median(std::vector<double> v) {
    std::nth_element(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2), v.end());
    return v[v.size() / 2];
}

/// Several ways to do the same work, one after the other, over and over: whatever slows the machine down meanwhile
/// slows all of them. A turn is one run, or as many as take two milliseconds, of which none is the first after another
/// way had the caches. At least five turns each, and `seconds` each.
std::vector<Medians> measure(const std::vector<std::function<void()>>& ways, double seconds) {
    struct Timed {
        std::size_t runs = 1;
        std::vector<double> wall, cpu;
    };
    using Clock = std::chrono::steady_clock;
    const auto seconds_since = [](Clock::time_point start) {
        return std::chrono::duration<double>(Clock::now() - start).count();
    };
    std::vector<Timed> timed(ways.size());
    for (std::size_t k = 0; k < ways.size(); ++k) {
        ways[k]();
        const auto start = Clock::now();
        ways[k]();
        timed[k].runs = static_cast<std::size_t>(std::clamp(2e-3 / seconds_since(start), 1.0, 1000.0));
    }
    const auto start = Clock::now();
    while (timed[0].wall.size() < 5 || seconds_since(start) < seconds * static_cast<double>(ways.size()))
        for (std::size_t k = 0; k < ways.size(); ++k) {
            Timed& t = timed[k];
            if (t.runs > 1) ways[k]();
            const auto wall_start = Clock::now();
            const double cpu_start = cpu_seconds();
            for (std::size_t run = 0; run < t.runs; ++run) ways[k]();
            t.cpu.push_back((cpu_seconds() - cpu_start) / static_cast<double>(t.runs));
            t.wall.push_back(seconds_since(wall_start) / static_cast<double>(t.runs));
        }
    std::vector<Medians> medians;
    for (const Timed& t : timed) medians.push_back({median(t.wall) * 1e3, median(t.cpu) * 1e3});
    return medians;
}

/// A student's own cell, from the operations of the textbook.
Variable<float> student_step(const RecurrentBase<float>& cell, const Variable<float>& x, Variable<float>& h,
                             Variable<float>& c) {
    const auto H = static_cast<std::ptrdiff_t>(cell.hidden_size());
    const auto gate = [H](const Variable<float>& a, std::ptrdiff_t k) { return slice(a, 1, k * H, (k + 1) * H); };
    const Variable<float> from_x = matmul(x, transpose(Variable<float>(cell.weight_ih))) + cell.bias_ih;
    const Variable<float> from_h = matmul(h, transpose(Variable<float>(cell.weight_hh))) + cell.bias_hh;
    switch (cell.kind()) {
        case CellKind::lstm: {
            const auto a = from_x + from_h;
            c = sigmoid(gate(a, 1)) * c + sigmoid(gate(a, 0)) * tanh(gate(a, 2));
            return h = sigmoid(gate(a, 3)) * tanh(c);
        }
        case CellKind::gru: {
            const auto r = sigmoid(gate(from_x, 0) + gate(from_h, 0));
            const auto z = sigmoid(gate(from_x, 1) + gate(from_h, 1));
            const auto n = tanh(gate(from_x, 2) + r * gate(from_h, 2));
            return h = (1 - z) * n + z * h;
        }
        default:
            return h = tanh(from_x + from_h);
    }
}

/// What is computed: data and weights, the same for every way to compute it.
struct Task {
    std::string cell;
    Configuration size;
    Array<float> x, y;  // [T, B, I], [T, B, H]
    Array<float> w_ih, w_hh, b_ih, b_hh;

    Task(const std::string& cell_name, const Configuration& c) : cell(cell_name), size(c) {
        const std::size_t rows = gate_rows() * c.H;
        const float bound = 1 / std::sqrt(static_cast<float>(c.H));
        manual_seed(1);
        x = normal<float>({c.T, c.B, c.I}, 0, 1);
        y = normal<float>({c.T, c.B, c.H}, 0, 1);
        w_ih = uniform<float>({rows, c.I}, -bound, bound);
        w_hh = uniform<float>({rows, c.H}, -bound, bound);
        b_ih = uniform<float>({rows}, -bound, bound);
        b_hh = uniform<float>({rows}, -bound, bound);
    }
    std::size_t gate_rows() const { return cell == "lstm" ? 4 : cell == "gru" ? 3 : 1; }
    std::string row() const { return fmt::format("{},{},{},{},{}", cell, size.T, size.B, size.I, size.H); }
};

/// The task on a tape, in one of the modes.
class Work {
  public:
    Work(const Task& task, const std::string& mode, Tape<float>& tape)
        : task_(task),
          tape_(tape),
          layer_(mode == "layer" || mode == "layer_inspected"),
          inspected_(mode == "layer_inspected"),
          elementary_(mode == "elementary"),
          rnn_({.input_size = task.size.I, .hidden_size = task.size.H}),
          lstm_({.input_size = task.size.I, .hidden_size = task.size.H}),
          gru_({.input_size = task.size.I, .hidden_size = task.size.H}),
          rnn_cell_({.input_size = task.size.I, .hidden_size = task.size.H}),
          lstm_cell_({.input_size = task.size.I, .hidden_size = task.size.H}),
          gru_cell_({.input_size = task.size.I, .hidden_size = task.size.H}) {
        used().weight_ih.set_value(task.w_ih);
        used().weight_hh.set_value(task.w_hh);
        used().bias_ih.set_value(task.b_ih);
        used().bias_hh.set_value(task.b_hh);
    }

    Variable<float> forward() {
        tape_.clear();
        return mse_loss(states(tape_.borrow(task_.x)), tape_.borrow(task_.y));
    }
    void step() {
        for (Parameter<float> parameter : {used().weight_ih, used().weight_hh, used().bias_ih, used().bias_hh})
            parameter.zero_grad();
        tape_.backward(forward());
        bytes_ = tape_.bytes_used();
        if (!inspected_) return;
        const auto flow = inspect::gradient_flow(tape_);
        for (const Parameter<float>& parameter : {used().weight_ih, used().weight_hh, used().bias_ih, used().bias_hh})
            inspect::weight_contributions(tape_, parameter);
    }
    /// What the tape held at the end of the last step, which is the most that it held in it.
    std::size_t bytes() const { return bytes_; }
    const RecurrentBase<float>& module() const { return used(); }

  private:
    const RecurrentBase<float>& used() const {
        if (task_.cell == "lstm") return layer_ ? lstm_.cell() : lstm_cell_;
        if (task_.cell == "gru") return layer_ ? gru_.cell() : gru_cell_;
        return layer_ ? rnn_.cell() : rnn_cell_;
    }

    Variable<float> states(const Variable<float>& x) {
        if (layer_)
            return task_.cell == "lstm" ? lstm_(x).output : task_.cell == "gru" ? gru_(x).output : rnn_(x).output;
        std::vector<Variable<float>> states;
        auto h = tape_.zeros({task_.size.B, task_.size.H});
        auto c = tape_.zeros({task_.size.B, task_.size.H});
        for (std::size_t t = 0; t < task_.size.T; ++t) {
            const auto x_t = select(x, 0, static_cast<std::ptrdiff_t>(t));
            if (elementary_) {
                student_step(used(), x_t, h, c);
            } else if (task_.cell == "lstm") {
                const auto state = lstm_cell_(x_t, {h, c});
                h = state.h;
                c = state.c;
            } else {
                h = task_.cell == "gru" ? gru_cell_(x_t, h) : rnn_cell_(x_t, h);
            }
            states.push_back(h);
        }
        return stack(states, 0);
    }

    const Task& task_;
    Tape<float>& tape_;
    std::size_t bytes_ = 0;
    bool layer_, inspected_, elementary_;
    RNN<float> rnn_;
    LSTM<float> lstm_;
    GRU<float> gru_;
    RNNCell<float> rnn_cell_;
    LSTMCell<float> lstm_cell_;
    GRUCell<float> gru_cell_;
};

hand_written::Bptt hand_written_work(const Task& task) {
    const auto numbers = [](const Array<float>& a) { return std::vector<float>(a.begin(), a.end()); };
    const hand_written::Cell cell = task.cell == "lstm"  ? hand_written::Cell::lstm
                                    : task.cell == "gru" ? hand_written::Cell::gru
                                                         : hand_written::Cell::rnn_tanh;
    return {cell,
            {task.size.T, task.size.B, task.size.I, task.size.H},
            numbers(task.x),
            numbers(task.y),
            {numbers(task.w_ih), numbers(task.w_hh), numbers(task.b_ih), numbers(task.b_hh)}};
}

/// ||a - b|| / ||b||
double relative_distance(const Array<float>& a, const std::vector<float>& b) {
    double difference = 0, size = 0;
    for (std::size_t k = 0; k < b.size(); ++k) {
        const double d = static_cast<double>(a.data()[k]) - static_cast<double>(b[k]);
        difference += d * d;
        size += static_cast<double>(b[k]) * static_cast<double>(b[k]);
    }
    return std::sqrt(difference / size);
}

/// A figure counts only where both have computed the same.
void check_same(const RecurrentBase<float>& module, const hand_written::Bptt& peer, const std::string& what) {
    const hand_written::Weights& expected = peer.gradients();
    const double worst = std::max({relative_distance(module.weight_ih.grad(), expected.w_ih),
                                   relative_distance(module.weight_hh.grad(), expected.w_hh),
                                   relative_distance(module.bias_ih.grad(), expected.b_ih),
                                   relative_distance(module.bias_hh.grad(), expected.b_hh)});
    if (!(worst < 1e-4))
        throw Error(fmt::format("{}: the gradients differ from the hand-written ones by {:.1e}, expected 1e-4 at most",
                                what, worst));
}

void run(const Task& task, const std::vector<std::string>& chosen_modes, int threads, double seconds) {
    hand_written::Bptt peer = hand_written_work(task);
    Tape<float> tape;
    std::vector<std::unique_ptr<Work>> works;
    std::vector<std::function<void()>> forwards{[&] { peer.forward(); }}, steps{[&] { peer.step(); }};
    for (const std::string& mode : chosen_modes) {
        Work* const work = works.emplace_back(std::make_unique<Work>(task, mode, tape)).get();
        forwards.push_back([work] {
            const NoGrad off;
            work->forward();
        });
        steps.push_back([work] { work->step(); });
    }
    const std::vector<Medians> forward = measure(forwards, seconds), step = measure(steps, seconds);
    for (std::size_t k = 0; k < steps.size(); ++k) {
        const std::string name = k == 0 ? "sol,sol" : "ebb," + chosen_modes[k - 1];
        const std::string row = fmt::format("{},{},{}", name, task.row(), threads);
        const std::size_t bytes = k == 0 ? peer.bytes() : works[k - 1]->bytes();
        if (k > 0) check_same(works[k - 1]->module(), peer, row);
        fmt::print("{},{:.5f},{:.5f}\n#cpu,{},{:.5f},{:.5f}\n#memory,{},{:.1f}\n#ratio,{},{:.2f},{:.2f}\n", row,
                   forward[k].wall_ms, step[k].wall_ms, row, forward[k].cpu_ms, step[k].cpu_ms, row,
                   static_cast<double>(bytes) * 1e-6, row, forward[k].cpu_ms / forward[0].cpu_ms,
                   step[k].cpu_ms / step[0].cpu_ms);
    }
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("Training steps of recurrent layers and cells, timed beside the same work written by hand.");
    bool list = false;
    int threads = 1;
    double seconds = 0.5;
    std::vector<std::size_t> chosen;
    std::vector<std::string> chosen_cells, chosen_modes;
    app.add_flag("--list", list, "list the configurations, cells and modes");
    app.add_option("--threads", threads, "threads of a step")->check(CLI::Range(1, 64));
    app.add_option("--cfg", chosen, "numbers of configurations")->check(CLI::Range(0, 7));
    app.add_option("--cell", chosen_cells, "cells")->check(CLI::IsMember(cells));
    app.add_option("--mode", chosen_modes, "modes")->check(CLI::IsMember(modes));
    app.add_option("--seconds", seconds, "the least time for each figure")->check(CLI::PositiveNumber);
    CLI11_PARSE(app, argc, argv);
    if (list) {
        for (std::size_t k = 0; k < configurations.size(); ++k)
            fmt::print("cfg {}: T {}, B {}, I {}, H {}\n", k, configurations[k].T, configurations[k].B,
                       configurations[k].I, configurations[k].H);
        fmt::print("cells: {}\nmodes: {}\n", fmt::join(cells, ", "), fmt::join(modes, ", "));
        return 0;
    }
    if (chosen.empty())
        for (std::size_t k = 0; k < configurations.size(); ++k) chosen.push_back(k);
    set_num_threads(threads);
    for (const std::size_t k : chosen)
        for (const std::string& cell : chosen_cells.empty() ? cells : chosen_cells)
            run(Task(cell, configurations[k]), chosen_modes.empty() ? modes : chosen_modes, threads, seconds);
    return 0;
}
