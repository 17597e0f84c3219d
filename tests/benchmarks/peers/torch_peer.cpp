/// PyTorch's recurrent layers and cells at the task of ebb_bench, timed: `torch_peer MODE CELL T B I H THREADS SECONDS`
/// with MODE fused (torch::nn::LSTM over the sequence) or cell (a loop over torch::nn::LSTMCell). Prints one line: the
/// medians of process CPU time and wall time of forward (without recording) and of a training step, in milliseconds.
/// A program of its own, for libtorch brings a BLAS with threads of its own.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <functional>
#include <string>
#include <tuple>
#include <vector>

#include <cblas.h>
#include <torch/torch.h>

namespace {

using torch::Tensor;

struct Medians {
    double cpu_ms, wall_ms;
};

double cpu_seconds() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

Medians measure(const std::function<void()>& f, double seconds) {
    using Clock = std::chrono::steady_clock;
    f();
    f();
    std::vector<double> cpu, wall;
    double total = 0;
    while (total < seconds || cpu.size() < 3) {
        const auto start = Clock::now();
        const double cpu_start = cpu_seconds();
        f();
        cpu.push_back(cpu_seconds() - cpu_start);
        wall.push_back(std::chrono::duration<double>(Clock::now() - start).count());
        total += wall.back();
    }
    std::sort(cpu.begin(), cpu.end());
    std::sort(wall.begin(), wall.end());
    return {cpu[cpu.size() / 2] * 1e3, wall[wall.size() / 2] * 1e3};
}

/// What runs over x [T, B, I] and gives all h [T, B, H], and what it learns.
struct Model {
    std::function<Tensor(const Tensor&)> states;
    std::vector<Tensor> parameters;
};

template <class Module>
Model layer(Module module) {
    return {[module](const Tensor& x) mutable { return std::get<0>(module(x)); }, module->parameters()};
}

template <class Module>
Model loop(Module module, int64_t hidden) {
    const auto states = [module, hidden](const Tensor& x) mutable {
        Tensor h = torch::zeros({x.size(1), hidden});
        std::vector<Tensor> all;
        for (int64_t t = 0; t < x.size(0); ++t) all.push_back(h = module(x[t], h));
        return torch::stack(all);
    };
    return {states, module->parameters()};
}

Model loop(torch::nn::LSTMCell module, int64_t hidden) {
    const auto states = [module, hidden](const Tensor& x) mutable {
        Tensor h = torch::zeros({x.size(1), hidden}), c = torch::zeros({x.size(1), hidden});
        std::vector<Tensor> all;
        for (int64_t t = 0; t < x.size(0); ++t) {
            std::tie(h, c) = module(x[t], std::make_tuple(h, c));
            all.push_back(h);
        }
        return torch::stack(all);
    };
    return {states, module->parameters()};
}

Model model(const std::string& mode, const std::string& cell, int64_t I, int64_t H) {
    const bool fused = mode == "fused";
    if (cell == "lstm") return fused ? layer(torch::nn::LSTM(I, H)) : loop(torch::nn::LSTMCell(I, H), H);
    if (cell == "gru") return fused ? layer(torch::nn::GRU(I, H)) : loop(torch::nn::GRUCell(I, H), H);
    return fused ? layer(torch::nn::RNN(torch::nn::RNNOptions(I, H).nonlinearity(torch::kTanh)))
                 : loop(torch::nn::RNNCell(I, H), H);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 9) {
        std::fprintf(stderr, "usage: torch_peer MODE CELL T B I H THREADS SECONDS\n");
        return 2;
    }
    const int64_t T = std::stol(argv[3]), B = std::stol(argv[4]), I = std::stol(argv[5]), H = std::stol(argv[6]);
    const int threads = std::stoi(argv[7]);
    const double seconds = std::stod(argv[8]);
    torch::set_num_threads(threads);
    openblas_set_num_threads(threads);
    torch::manual_seed(1);
    Model m = model(argv[1], argv[2], I, H);
    const Tensor x = torch::randn({T, B, I}), y = torch::randn({T, B, H});
    const auto loss = [&] { return torch::mse_loss(m.states(x), y); };
    Medians forward{};
    {
        const torch::NoGradGuard off;
        forward = measure([&] { loss(); }, seconds);
    }
    const Medians step = measure(
        [&] {
            const Tensor l = loss();
            for (Tensor& p : m.parameters) p.mutable_grad() = Tensor();
            l.backward();
        },
        seconds);
    std::printf("%.5f %.5f %.5f %.5f\n", forward.cpu_ms, forward.wall_ms, step.cpu_ms, step.wall_ms);
    return 0;
}
