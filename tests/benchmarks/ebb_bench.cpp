/// One training step of a recurrent layer without the optimiser: forward and backward, T steps, loss = mean((h - y)^2)
/// over all hidden states, the gradients of all weights and both biases, in float.
///
/// A row: ebb,MODE,cell,T,B,I,H,threads,fwd_ms,step_ms (medians of wall time); `#cpu,` rows: medians of process CPU
/// time, the robust figure for one thread on a busy machine; `#memory,` rows: the tape's bytes in a step.

#include <ebb/core/blas.hpp>
#include <ebb/ebb.hpp>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

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

double cpu_seconds() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// At least `min_seconds` and five runs, after two that do not count.
Medians measure(const std::function<void()>& f, double min_seconds) {
    f();
    f();
    std::vector<double> wall, cpu;
    for (double total = 0; total < min_seconds || wall.size() < 5;) {
        const auto start = std::chrono::steady_clock::now();
        const double cpu_start = cpu_seconds();
        f();
        cpu.push_back(cpu_seconds() - cpu_start);
        wall.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
        total += wall.back();
    }
    const auto median = [](std::vector<double>& v) {
        std::nth_element(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2), v.end());
        return v[v.size() / 2] * 1e3;
    };
    return {median(wall), median(cpu)};
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

class Work {
  public:
    Work(const std::string& cell, const std::string& mode, const Configuration& c)
        : cell_(cell),
          mode_(mode),
          c_(c),
          rnn_({.input_size = c.I, .hidden_size = c.H}),
          lstm_({.input_size = c.I, .hidden_size = c.H}),
          gru_({.input_size = c.I, .hidden_size = c.H}),
          rnn_cell_({.input_size = c.I, .hidden_size = c.H}),
          lstm_cell_({.input_size = c.I, .hidden_size = c.H}),
          gru_cell_({.input_size = c.I, .hidden_size = c.H}),
          x_(uniform<float>({c.T, c.B, c.I}, -1.7f, 1.7f)),
          y_(uniform<float>({c.T, c.B, c.H}, -1.7f, 1.7f)) {}

    Variable<float> forward() {
        tape_.clear();
        const auto x = tape_.constant(x_);
        const auto y = tape_.constant(y_);
        return mean(square(states(x) - y));
    }
    void step() {
        RecurrentBase<float>& module = used();
        module.zero_grad();
        tape_.backward(forward());
        if (mode_ == "layer_inspected") {
            const auto flow = inspect::gradient_flow(tape_);
            for (const auto& parameter : module.parameters()) inspect::weight_contributions(tape_, parameter);
        }
    }
    std::size_t bytes() const { return tape_.bytes_used(); }

  private:
    RecurrentBase<float>& used() {
        const bool layer = mode_ == "layer" || mode_ == "layer_inspected";
        if (cell_ == "lstm") return layer ? static_cast<RecurrentBase<float>&>(lstm_) : lstm_cell_;
        if (cell_ == "gru") return layer ? static_cast<RecurrentBase<float>&>(gru_) : gru_cell_;
        return layer ? static_cast<RecurrentBase<float>&>(rnn_) : rnn_cell_;
    }

    Variable<float> states(const Variable<float>& x) {
        if (mode_ == "layer" || mode_ == "layer_inspected")
            return cell_ == "lstm" ? lstm_(x).output : cell_ == "gru" ? gru_(x).output : rnn_(x).output;
        std::vector<Variable<float>> states;
        auto h = tape_.zeros({c_.B, c_.H});
        auto c = tape_.zeros({c_.B, c_.H});
        for (std::size_t t = 0; t < c_.T; ++t) {
            const auto x_t = select(x, 0, static_cast<std::ptrdiff_t>(t));
            if (mode_ == "elementary") {
                student_step(used(), x_t, h, c);
            } else if (cell_ == "lstm") {
                const auto state = lstm_cell_(x_t, {h, c});
                h = state.h;
                c = state.c;
            } else {
                h = cell_ == "gru" ? gru_cell_(x_t, h) : rnn_cell_(x_t, h);
            }
            states.push_back(h);
        }
        return stack(states, 0);
    }

    std::string cell_, mode_;
    Configuration c_;
    RNN<float> rnn_;
    LSTM<float> lstm_;
    GRU<float> gru_;
    RNNCell<float> rnn_cell_;
    LSTMCell<float> lstm_cell_;
    GRUCell<float> gru_cell_;
    Array<float> x_, y_;
    Tape<float> tape_;
};

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("Training steps of recurrent layers and cells, timed.");
    bool list = false;
    int threads = 1, only = -1;
    double seconds = 0.5;
    std::string cell = "all", mode = "all";
    app.add_flag("--list", list, "list the configurations, cells and modes");
    app.add_option("--threads", threads, "threads of a matrix product")->check(CLI::Range(1, 64));
    app.add_option("--cfg", only, "the number of one configuration")->check(CLI::Range(0, 7));
    app.add_option("--cell", cell, "one cell")->check(CLI::IsMember({"all", "rnn_tanh", "lstm", "gru"}));
    app.add_option("--mode", mode, "one mode")
        ->check(CLI::IsMember({"all", "layer", "cell", "elementary", "layer_inspected"}));
    app.add_option("--seconds", seconds, "the least time for each figure")->check(CLI::PositiveNumber);
    CLI11_PARSE(app, argc, argv);
    if (list) {
        for (std::size_t k = 0; k < configurations.size(); ++k)
            fmt::print("cfg {}: T {}, B {}, I {}, H {}\n", k, configurations[k].T, configurations[k].B,
                       configurations[k].I, configurations[k].H);
        fmt::print("cells: {}\nmodes: {}\n", fmt::join(cells, ", "), fmt::join(modes, ", "));
        return 0;
    }
    set_num_threads(threads);
    for (std::size_t k = 0; k < configurations.size(); ++k)
        for (const std::string& c : cells)
            for (const std::string& m : modes) {
                if ((only >= 0 && k != static_cast<std::size_t>(only)) || (cell != "all" && cell != c) ||
                    (mode != "all" && mode != m))
                    continue;
                const Configuration& g = configurations[k];
                manual_seed(1);
                Work work(c, m, g);
                const Medians forward = measure(
                    [&] {
                        const NoGrad off;
                        work.forward();
                    },
                    seconds);
                const Medians step = measure([&] { work.step(); }, seconds);
                const std::string row = fmt::format("ebb,{},{},{},{},{},{},{}", m, c, g.T, g.B, g.I, g.H, threads);
                fmt::print("{},{:.5f},{:.5f}\n#cpu,{},{:.5f},{:.5f}\n#memory,{},{:.1f}\n", row, forward.wall_ms,
                           step.wall_ms, row, forward.cpu_ms, step.cpu_ms, row,
                           static_cast<double>(work.bytes()) * 1e-6);
                std::fflush(stdout);
            }
    return 0;
}
