/// One training step of a recurrent layer without the optimiser: forward and backward, T steps, loss = mean((h - y)^2)
/// over all hidden states, the gradients of all weights and both biases, in float. Beside it, at the same numbers, the
/// same work written by hand (peers/hand_written_bptt.hpp) and, where libtorch was found at build time, PyTorch's.
///
/// A row: ebb,MODE,cell,T,B,I,H,threads,fwd_ms,step_ms (medians of wall time); `#cpu,` rows: medians of process CPU
/// time, the robust figure for one thread on a busy machine; `#memory,` rows: the bytes of a step in MB.

#include <ebb/core/file.hpp>
#include <ebb/core/threads.hpp>
#include <ebb/ebb.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cpu_seconds.hpp"
#include "peers/hand_written_bptt.hpp"
#include <CLI/CLI.hpp>
#include <cblas.h>
#include <fmt/format.h>
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace ebb;
using hand_written::Cell;

struct Configuration {
    std::size_t T, B, I, H;
    bool operator==(const Configuration&) const = default;
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

double median(std::vector<double> v) {
    std::nth_element(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2), v.end());
    return v[v.size() / 2];
}

/// Several ways to do the same work, one after the other, over and over: whatever slows the machine down meanwhile
/// slows all of them. A turn is one run, or as many as take two milliseconds. The first run after another way, which
/// had the caches, does not count, unless it is long. At least five turns each, and `seconds` each.
std::vector<Medians> measure(const std::vector<std::function<void()>>& ways, double seconds) {
    struct Timed {
        std::size_t runs = 1;
        bool warms_up = true;
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
        const double once = seconds_since(start);
        timed[k].runs = static_cast<std::size_t>(std::clamp(2e-3 / once, 1.0, 1000.0));
        timed[k].warms_up = once < 20e-3;
    }
    const auto start = Clock::now();
    while (timed[0].wall.size() < 5 || seconds_since(start) < seconds * static_cast<double>(ways.size()))
        for (std::size_t k = 0; k < ways.size(); ++k) {
            Timed& t = timed[k];
            if (t.warms_up) ways[k]();
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

/// The parameters of one layer or cell.
struct Parameters {
    Parameter<float> w_ih, w_hh, b_ih, b_hh;
    std::vector<Parameter<float>> all;

    template <class Module>
    explicit Parameters(const Module& m)
        : w_ih(m.weight_ih), w_hh(m.weight_hh), b_ih(m.bias_ih), b_hh(m.bias_hh), all{w_ih, w_hh, b_ih, b_hh} {}
};

/// A student's own cell, from the operations of the textbook.
Variable<float> student_step(Cell cell, const Parameters& p, const Variable<float>& x, Variable<float>& h,
                             Variable<float>& c) {
    const auto H = static_cast<std::ptrdiff_t>(h.shape()[1]);
    const auto gate = [H](const Variable<float>& a, std::ptrdiff_t k) { return slice(a, 1, k * H, (k + 1) * H); };
    const Variable<float> from_x = matmul(x, transpose(Variable<float>(p.w_ih))) + p.b_ih;
    const Variable<float> from_h = matmul(h, transpose(Variable<float>(p.w_hh))) + p.b_hh;
    if (cell == Cell::lstm) {
        const auto a = from_x + from_h;
        c = sigmoid(gate(a, 1)) * c + sigmoid(gate(a, 0)) * tanh(gate(a, 2));
        return h = sigmoid(gate(a, 3)) * tanh(c);
    }
    if (cell == Cell::gru) {
        const auto r = sigmoid(gate(from_x, 0) + gate(from_h, 0));
        const auto z = sigmoid(gate(from_x, 1) + gate(from_h, 1));
        const auto n = tanh(gate(from_x, 2) + r * gate(from_h, 2));
        return h = (1 - z) * n + z * h;
    }
    return h = tanh(from_x + from_h);
}

/// What is computed: data and weights, the same for every way to compute it.
struct Task {
    std::string cell;
    Cell kind;  // the same: no step should look at letters
    Configuration size;
    Array<float> x, y;  // [T, B, I], [T, B, H]
    Array<float> w_ih, w_hh, b_ih, b_hh;

    Task(const std::string& cell_name, const Configuration& c)
        : cell(cell_name),
          kind(cell == "lstm"  ? Cell::lstm
               : cell == "gru" ? Cell::gru
                               : Cell::rnn_tanh),
          size(c) {
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
    std::size_t gate_rows() const { return kind == Cell::lstm ? 4 : kind == Cell::gru ? 3 : 1; }
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
          gru_cell_({.input_size = task.size.I, .hidden_size = task.size.H}),
          parameters_(task.kind == Cell::lstm  ? layer_ ? Parameters(lstm_) : Parameters(lstm_cell_)
                       : task.kind == Cell::gru ? layer_ ? Parameters(gru_) : Parameters(gru_cell_)
                       : layer_ ? Parameters(rnn_)
                                               : Parameters(rnn_cell_)) {
        parameters_.w_ih.set_value(task.w_ih);
        parameters_.w_hh.set_value(task.w_hh);
        parameters_.b_ih.set_value(task.b_ih);
        parameters_.b_hh.set_value(task.b_hh);
    }

    Variable<float> forward() {
        tape_.clear();
        return mse_loss(states(tape_.borrow(task_.x)), tape_.borrow(task_.y));
    }
    void step() {
        for (Parameter<float>& parameter : parameters_.all) parameter.zero_grad();
        tape_.backward(forward());
        bytes_ = tape_.bytes_used();
        if (!inspected_) return;
        inspect::gradient_flow(tape_, flow_);
        inspect::weight_contributions(tape_, parameters_.all, contributions_);
    }
    /// What the tape held at the end of the last step, which is the most that it held in it.
    std::size_t bytes() const { return bytes_; }
    const Parameters& parameters() const { return parameters_; }

  private:
    Variable<float> states(const Variable<float>& x) {
        if (layer_)
            return task_.kind == Cell::lstm  ? lstm_(x).output
                   : task_.kind == Cell::gru ? gru_(x).output
                                             : rnn_(x).output;
        std::vector<Variable<float>> states;
        auto h = tape_.zeros({task_.size.B, task_.size.H});
        auto c = tape_.zeros({task_.size.B, task_.size.H});
        for (std::size_t t = 0; t < task_.size.T; ++t) {
            const auto x_t = select(x, 0, static_cast<std::ptrdiff_t>(t));
            if (elementary_) {
                student_step(task_.kind, parameters_, x_t, h, c);
            } else if (task_.kind == Cell::lstm) {
                const auto state = lstm_cell_(x_t, {h, c});
                h = state.h;
                c = state.c;
            } else {
                h = task_.kind == Cell::gru ? gru_cell_(x_t, h) : rnn_cell_(x_t, h);
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
    Parameters parameters_;
    inspect::GradientFlow<float> flow_;
    std::vector<inspect::WeightContributions> contributions_;
};

hand_written::Bptt hand_written_work(const Task& task) {
    const auto numbers = [](const Array<float>& a) { return std::vector<float>(a.begin(), a.end()); };
    return {task.kind,
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
void check_same(const Parameters& module, const hand_written::Bptt& peer, const std::string& what) {
    const hand_written::Weights& expected = peer.gradients();
    const double worst = std::max(
        {relative_distance(module.w_ih.grad(), expected.w_ih), relative_distance(module.w_hh.grad(), expected.w_hh),
         relative_distance(module.b_ih.grad(), expected.b_ih), relative_distance(module.b_hh.grad(), expected.b_hh)});
    if (!(worst < 1e-4))
        throw Error(fmt::format("{}: the gradients differ from the hand-written ones by {:.1e}, expected 1e-4 at most",
                                what, worst));
}

// ---- PyTorch ------------------------------------------------------------------------------------------------------

/// A program of its own beside this one, since libtorch brings threads and a BLAS of its own.
class TorchPeer {
  public:
    explicit TorchPeer(const std::filesystem::path& folder) : program_(folder / "torch_peer") {}
    bool is_there() const { return std::filesystem::exists(program_); }

    /// Forward and step. Throws Error where the program fails.
    std::pair<Medians, Medians> measure(const std::string& mode, const Task& task, int threads, double seconds) const {
        const Configuration& c = task.size;
        const std::string command = fmt::format("'{}' {} {} {} {} {} {} {} {}", program_.string(), mode, task.cell, c.T,
                                                c.B, c.I, c.H, threads, seconds);
        std::FILE* const pipe = popen(command.c_str(), "r");
        if (!pipe) throw Error(fmt::format("cannot run {}", command));
        Medians forward{}, step{};
        const int fields =
            std::fscanf(pipe, "%lf %lf %lf %lf", &forward.cpu_ms, &forward.wall_ms, &step.cpu_ms, &step.wall_ms);
        if (pclose(pipe) != 0 || fields != 4) throw Error(fmt::format("{} has failed", command));
        return {forward, step};
    }

  private:
    std::filesystem::path program_;
};

// ---- the comparison -----------------------------------------------------------------------------------------------

/// One way to do a task.
struct Row {
    std::string who, mode;  // "ebb", "layer"
    Medians forward, step;
    double megabytes = 0;
};

/// All ways to do one task, the hand-written one first.
struct Comparison {
    std::string cell;
    Configuration size;
    std::vector<Row> rows;
    std::size_t number = 0;  // of the configuration

    const Row* find(const std::string& who, const std::string& mode) const {
        for (const Row& row : rows)
            if (row.who == who && row.mode == mode) return &row;
        return nullptr;
    }
    /// The CPU time of a step, as a multiple of another's; nothing where one of them is not there.
    std::optional<double> ratio(const std::pair<std::string, std::string>& a,
                                const std::pair<std::string, std::string>& b) const {
        const Row* const first = find(a.first, a.second);
        const Row* const second = find(b.first, b.second);
        if (!first || !second) return std::nullopt;
        return first->step.cpu_ms / second->step.cpu_ms;
    }
};

Comparison compare(const Task& task, const std::vector<std::string>& chosen_modes, int threads, double seconds,
                   const TorchPeer* torch) {
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
    std::vector<std::pair<Medians, Medians>> torch_before, torch_after;
    const std::vector<std::string> torch_modes{"fused", "cell"};
    const auto ask_torch = [&] {
        std::vector<std::pair<Medians, Medians>> answers;
        for (const std::string& mode : torch_modes) answers.push_back(torch->measure(mode, task, threads, seconds / 2));
        return answers;
    };
    if (torch) torch_before = ask_torch();
    const std::vector<Medians> forward = measure(forwards, seconds), step = measure(steps, seconds);
    if (torch) torch_after = ask_torch();

    Comparison result{task.cell, task.size, {}};
    result.rows.push_back({"sol", "sol", forward[0], step[0], static_cast<double>(peer.bytes()) * 1e-6});
    for (std::size_t k = 0; k < works.size(); ++k) {
        check_same(works[k]->parameters(), peer, chosen_modes[k] + "," + task.row());
        result.rows.push_back(
            {"ebb", chosen_modes[k], forward[k + 1], step[k + 1], static_cast<double>(works[k]->bytes()) * 1e-6});
    }
    const auto mean = [](const Medians& a, const Medians& b) {
        return Medians{(a.wall_ms + b.wall_ms) / 2, (a.cpu_ms + b.cpu_ms) / 2};
    };
    for (std::size_t k = 0; k < torch_before.size(); ++k)
        result.rows.push_back({"pytorch", torch_modes[k], mean(torch_before[k].first, torch_after[k].first),
                               mean(torch_before[k].second, torch_after[k].second)});
    for (const Row& row : result.rows) {
        const std::string name = fmt::format("{},{},{},{}", row.who, row.mode, task.row(), threads);
        fmt::print("{},{:.5f},{:.5f}\n#cpu,{},{:.5f},{:.5f}\n", name, row.forward.wall_ms, row.step.wall_ms, name,
                   row.forward.cpu_ms, row.step.cpu_ms);
        if (row.megabytes > 0) fmt::print("#memory,{},{:.1f}\n", name, row.megabytes);
    }
    std::fflush(stdout);
    return result;
}

/// What a column of the table divides by what.
struct RatioColumn {
    const char* header;
    std::pair<std::string, std::string> a, b;
};

const std::vector<RatioColumn> ratio_columns = {{"layer", {"ebb", "layer"}, {"sol", "sol"}},
                                                {"inspected/layer", {"ebb", "layer_inspected"}, {"ebb", "layer"}},
                                                {"cell", {"ebb", "cell"}, {"sol", "sol"}},
                                                {"elementary", {"ebb", "elementary"}, {"sol", "sol"}},
                                                {"PyTorch/layer", {"pytorch", "fused"}, {"ebb", "layer"}},
                                                {"PyTorch cell/cell", {"pytorch", "cell"}, {"ebb", "cell"}}};

std::string table(const std::vector<Comparison>& all) {
    std::string text =
        "CPU time of a training step, as multiples: of the hand-written one where nothing else is said.\n";
    text += fmt::format("{:9}{:>18}{:>11}", "cell", "T, B, I, H", "sol, ms");
    for (const RatioColumn& column : ratio_columns) text += fmt::format("{:>19}", column.header);
    for (const Comparison& c : all) {
        text += fmt::format("\n{:9}{:>18}{:>11.4f}", c.cell,
                            fmt::format("{}, {}, {}, {}", c.size.T, c.size.B, c.size.I, c.size.H),
                            c.rows.front().step.cpu_ms);
        for (const RatioColumn& column : ratio_columns) {
            const std::optional<double> ratio = c.ratio(column.a, column.b);
            text += fmt::format("{:>19}", ratio ? fmt::format("{:.2f}", *ratio) : "-");
        }
    }
    return text + "\n";
}

std::string csv(const std::vector<Comparison>& all, int threads) {
    std::string text =
        "who,mode,cell,T,B,I,H,threads,forward_cpu_ms,step_cpu_ms,forward_wall_ms,step_wall_ms,megabytes\n";
    for (const Comparison& c : all)
        for (const Row& row : c.rows)
            text += fmt::format("{},{},{},{},{},{},{},{},{:.5f},{:.5f},{:.5f},{:.5f},{}\n", row.who, row.mode, c.cell,
                                c.size.T, c.size.B, c.size.I, c.size.H, threads, row.forward.cpu_ms, row.step.cpu_ms,
                                row.forward.wall_ms, row.step.wall_ms,
                                row.megabytes > 0 ? fmt::format("{:.1f}", row.megabytes) : "");
    return text;
}

std::vector<std::string> fields_of(const std::string& line) {
    std::vector<std::string> fields;
    std::istringstream stream(line);
    for (std::string field; std::getline(stream, field, ',');) fields.push_back(field);
    return fields;
}

/// What `csv` has written, so that a table can be measured piece by piece. Nothing where there is no file.
std::vector<Comparison> read_csv(const std::string& path) {
    std::vector<Comparison> all;
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    while (std::getline(file, line)) {
        const std::vector<std::string> f = fields_of(line);
        if (f.size() < 12) throw Error(fmt::format("{}: expected 12 fields or more in \"{}\"", path, line));
        const auto number = [&](std::size_t k) { return std::stod(f[k]); };
        const auto extent = [&](std::size_t k) { return static_cast<std::size_t>(std::stoull(f[k])); };
        const Configuration size{extent(3), extent(4), extent(5), extent(6)};
        if (all.empty() || all.back().cell != f[2] || all.back().size != size) {
            all.push_back({f[2], size, {}});
            const auto found = std::find(configurations.begin(), configurations.end(), size);
            all.back().number = static_cast<std::size_t>(found - configurations.begin());
        }
        all.back().rows.push_back(
            {f[0], f[1], {number(10), number(8)}, {number(11), number(9)}, f.size() > 12 ? number(12) : 0});
    }
    return all;
}

/// What was measured before and what was measured now, in the order of configurations and cells.
std::vector<Comparison> merged(std::vector<Comparison> before, const std::vector<Comparison>& now) {
    const auto key = [](const Comparison& c) {
        return std::pair(c.number, std::find(cells.begin(), cells.end(), c.cell) - cells.begin());
    };
    std::erase_if(before, [&](const Comparison& old) {
        return std::any_of(now.begin(), now.end(), [&](const Comparison& c) { return key(c) == key(old); });
    });
    before.insert(before.end(), now.begin(), now.end());
    std::sort(before.begin(), before.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
    return before;
}

/// The ratios of one cell over the configurations.
inspect::LineFigure figure(const std::vector<Comparison>& all, const std::string& cell) {
    inspect::LineFigure result;
    result.title = cell + ": a training step, as a multiple of the hand-written one";
    result.x = {.label = "configuration"};
    result.y = {.label = "CPU time / CPU time written by hand", .scale = inspect::Scale::log};
    std::string names;
    for (const auto& [name, way] :
         {std::pair<const char*, std::pair<std::string, std::string>>{"hand-written", {"sol", "sol"}},
          {"layer", {"ebb", "layer"}},
          {"layer, inspected", {"ebb", "layer_inspected"}},
          {"cell", {"ebb", "cell"}},
          {"elementary", {"ebb", "elementary"}},
          {"PyTorch, fused", {"pytorch", "fused"}}}) {
        inspect::Series series;
        series.name = name;
        for (const Comparison& c : all) {
            if (c.cell != cell) continue;
            const std::optional<double> ratio = c.ratio(way, {"sol", "sol"});
            if (!ratio) continue;
            series.x.push_back(static_cast<double>(c.number));
            series.y.push_back(*ratio);
        }
        if (!series.x.empty()) result.series.push_back(series);
    }
    for (const Comparison& c : all)
        if (c.cell == cell)
            names += fmt::format("{}{}: ({}, {}, {}, {})", names.empty() ? "" : ", ", c.number, c.size.T, c.size.B,
                                 c.size.I, c.size.H);
    result.caption = "Configurations (T, B, I, H): " + names + ".";
    return result;
}

// ---- memory, threads, length --------------------------------------------------------------------------------------

double resident_megabytes(const std::string& key) {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;)
        if (word == key) {
            double kilobytes = 0;
            status >> kilobytes;
            return kilobytes * 1024e-6;
        }
    return 0;
}

/// How much the resident memory of a fresh process grows at most over data, weights and one training step.
double peak_megabytes(const std::string& cell, const Configuration& size, const std::string& mode) {
    int ends[2];
    if (pipe(ends) != 0) throw Error("pipe has failed");
    const pid_t child = fork();
    if (child == 0) {
        {  // code, and what BLAS takes at its first product
            const Task small(cell, {3, size.B, size.I, size.H});
            Tape<float> tape;
            Work(small, mode == "sol" ? "layer" : mode, tape).step();
            hand_written_work(small).step();
        }
        malloc_trim(0);
        const double before = resident_megabytes("VmRSS:");
        std::ofstream("/proc/self/clear_refs") << "5";  // the peak from here on
        auto task = std::make_unique<Task>(cell, size);
        if (mode == "sol") {
            auto peer = hand_written_work(*task);
            task.reset();
            malloc_trim(0);
            std::ofstream("/proc/self/clear_refs") << "5";
            peer.step();
        } else {
            Tape<float> tape;
            Work(*task, mode, tape).step();
        }
        const double peak = resident_megabytes("VmHWM:") - before;
        const bool written = write(ends[1], &peak, sizeof peak) == sizeof peak;
        _exit(written ? 0 : 1);
    }
    double peak = 0;
    const bool answered = child > 0 && read(ends[0], &peak, sizeof peak) == sizeof peak;
    close(ends[0]);
    close(ends[1]);
    if (child > 0) waitpid(child, nullptr, 0);
    if (!answered) throw Error("the process that measures memory has failed");
    return peak;
}

/// Wall time on one thread over wall time on two, for layers and for a product of [1024 x 1024] by OpenBLAS's threads.
void print_gain_of_threads(const std::vector<Task>& tasks, double seconds) {
    constexpr int n = 1024;
    std::vector<float> a(n * n, 0.5F), b(n * n, 0.25F), c(n * n);
    const auto product = [&](int threads) {
        openblas_set_num_threads(threads);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, a.data(), n, b.data(), n, 0, c.data(), n);
        openblas_set_num_threads(1);
    };
    for (const Task& task : tasks) {
        Tape<float> tape;
        Work work(task, "layer", tape);
        const auto step = [&](int threads) {
            set_num_threads(threads);
            work.step();
            set_num_threads(1);
        };
        // BLAS's own threads look out for work for a while after each product: not beside those of the steps.
        const auto rest = [] { std::this_thread::sleep_for(std::chrono::milliseconds(300)); };
        rest();
        std::vector<Medians> m = measure({[&] { step(1); }, [&] { step(2); }}, seconds);
        rest();
        const std::vector<Medians> products = measure({[&] { product(1); }, [&] { product(2); }}, seconds);
        m.insert(m.begin(), products.begin(), products.end());
        const double sgemm = m[0].wall_ms / m[1].wall_ms, layer = m[2].wall_ms / m[3].wall_ms;
        fmt::print("#gain,{},sgemm(1024) {:.2f},layer {:.2f},layer/sgemm {:.2f}\n", task.row(), sgemm, layer,
                   layer / sgemm);
        std::fflush(stdout);
    }
}

/// Time and memory of a step of an RNN, for each time step, from 100 to a million of them.
std::string lengths_csv(double seconds) {
    std::string text = "T,ns_per_time_step,bytes_per_time_step\n";
    for (std::size_t T = 100; T <= 1'000'000; T *= 10) {
        const Task task("rnn_tanh", {T, 1, 8, 16});
        Tape<float> tape;
        Work work(task, "layer", tape);
        const Medians step = measure({[&] { work.step(); }}, seconds).front();
        text += fmt::format("{},{:.1f},{:.1f}\n", T, step.cpu_ms * 1e6 / static_cast<double>(T),
                            static_cast<double>(work.bytes()) / static_cast<double>(T));
    }
    return text;
}

inspect::LineFigure lengths_figure(const std::string& text) {
    inspect::LineFigure figure;
    figure.title = "What a time step costs does not depend on how many there are";
    figure.caption = "An RNN layer with B = 1, I = 8, H = 16: a training step, divided by the number of time steps.";
    figure.x = {.label = "time steps", .scale = inspect::Scale::log};
    figure.y = {.label = "for each time step", .scale = inspect::Scale::log};
    inspect::Series time{.name = "CPU time, ns", .x = {}, .y = {}}, memory{.name = "memory, bytes", .x = {}, .y = {}};
    std::istringstream lines(text);
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line)) {
        double T = 0, ns = 0, bytes = 0;
        if (std::sscanf(line.c_str(), "%lf,%lf,%lf", &T, &ns, &bytes) != 3) continue;
        time.x.push_back(T);
        time.y.push_back(ns);
        memory.x.push_back(T);
        memory.y.push_back(bytes);
    }
    figure.series = {time, memory};
    return figure;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("Training steps of recurrent layers and cells, timed beside the same work written by hand.");
    bool list = false, no_torch = false, peak = false, gain = false, lengths = false;
    int threads = 1;
    double seconds = 0.5;
    std::string folder;
    std::vector<std::size_t> chosen;
    std::vector<std::string> chosen_cells, chosen_modes;
    app.add_flag("--list", list, "list the configurations, cells and modes");
    app.add_option("--threads", threads, "threads of a step; with more than one read the wall time")
        ->check(CLI::Range(1, 64));
    app.add_option("--cfg", chosen, "numbers of configurations")->check(CLI::Range(0, 7));
    app.add_option("--cell", chosen_cells, "cells")->check(CLI::IsMember(cells));
    app.add_option("--mode", chosen_modes, "modes")->check(CLI::IsMember(modes));
    app.add_option("--seconds", seconds, "the least time for each figure")->check(CLI::PositiveNumber);
    app.add_flag("--no-torch", no_torch, "leave PyTorch out");
    app.add_option("--save", folder,
                   "a folder for the table as CSV and the ratios as pictures; what "
                   "is there of other configurations and cells stays, so that a table can be measured in pieces");
    app.add_flag("--peak", peak, "the growth of resident memory over a step in a fresh process, instead of times");
    app.add_flag("--gain", gain, "what a second thread gains, instead of times");
    app.add_flag("--lengths", lengths, "time and memory for each time step up to T = 1,000,000, instead of times");
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
    if (chosen_cells.empty()) chosen_cells = cells;
    if (chosen_modes.empty()) chosen_modes = modes;
    if (!folder.empty()) std::filesystem::create_directories(folder);

    if (lengths) {
        const std::string text = lengths_csv(seconds);
        fmt::print("{}", text);
        if (!folder.empty()) {
            write_file_atomically(folder + "/lengths.csv", text);
            inspect::save_svg(folder + "/lengths.svg", lengths_figure(text));
        }
        return 0;
    }
    if (peak) {
        chosen_modes.insert(chosen_modes.begin(), "sol");
        for (const std::size_t k : chosen)
            for (const std::string& cell : chosen_cells)
                for (const std::string& mode : chosen_modes) {
                    const Configuration& c = configurations[k];
                    fmt::print("#peak,{},{},{},{},{},{},{:.1f}\n", mode, cell, c.T, c.B, c.I, c.H,
                               peak_megabytes(cell, c, mode));
                    std::fflush(stdout);
                }
        return 0;
    }
    if (gain) {
        std::vector<Task> tasks;
        for (const std::size_t k : chosen)
            for (const std::string& cell : chosen_cells) tasks.emplace_back(cell, configurations[k]);
        print_gain_of_threads(tasks, seconds);
        return 0;
    }

    const TorchPeer torch{std::filesystem::path(argv[0]).parent_path()};
    const bool with_torch = !no_torch && torch.is_there();
    set_num_threads(threads);
    std::vector<Comparison> all;
    for (const std::size_t k : chosen)
        for (const std::string& cell : chosen_cells) {
            all.push_back(
                compare(Task(cell, configurations[k]), chosen_modes, threads, seconds, with_torch ? &torch : nullptr));
            all.back().number = k;
        }
    fmt::print("{}", table(all));
    if (!folder.empty()) {
        const std::string name = threads == 1 ? "ratios" : fmt::format("ratios_{}_threads", threads);
        const std::string path = fmt::format("{}/{}.csv", folder, name);
        all = merged(read_csv(path), all);
        write_file_atomically(path, csv(all, threads));
        write_file_atomically(fmt::format("{}/{}.txt", folder, name), table(all));
        for (const std::string& cell : cells)
            if (std::any_of(all.begin(), all.end(), [&](const Comparison& c) { return c.cell == cell; }))
                inspect::save_svg(fmt::format("{}/{}_{}.svg", folder, name, cell), figure(all, cell));
    }
    return 0;
}
