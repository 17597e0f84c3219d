/// The chain of operation_costs.cpp in libtorch: mul, add and tanh of tensors without axes.

#include <algorithm>
#include <ctime>
#include <vector>

#include <torch/torch.h>

double torch_scalar_chain_seconds(int links) {
    const auto cpu_seconds = [] {
        timespec now{};
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
        return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
    };
    at::set_num_threads(1);
    const auto options = torch::dtype(torch::kDouble).requires_grad(true);
    std::vector<double> times;
    for (int r = 0; r < 11; ++r) {
        const double start = cpu_seconds();
        const auto w = torch::full({}, 0.9, options), b = torch::full({}, 0.1, options);
        auto x = w;
        for (int k = 0; k < links; ++k) x = torch::tanh(x * w + b);
        x.backward();
        times.push_back(cpu_seconds() - start);
    }
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
}
