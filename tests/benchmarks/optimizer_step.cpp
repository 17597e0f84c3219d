/// What a step of each optimiser costs per parameter, beside a copy of as much memory as it reads and writes.

#include <ebb/optim/adagrad.hpp>
#include <ebb/optim/adam.hpp>
#include <ebb/optim/clip.hpp>
#include <ebb/optim/rmsprop.hpp>
#include <ebb/optim/sgd.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <vector>

#include <fmt/format.h>

using namespace ebb;

namespace {

/// Nanoseconds per element of one call, the median of several runs.
double measure(std::size_t size, const std::function<void()>& call) {
    const std::size_t calls = std::max<std::size_t>(1, 2'000'000 / size);
    call();
    std::vector<double> runs;
    for (int run = 0; run < 9; ++run) {
        const auto start = std::chrono::steady_clock::now();
        for (std::size_t i = 0; i < calls; ++i) call();
        const std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - start;
        runs.push_back(time.count() / static_cast<double>(calls * size));
    }
    std::nth_element(runs.begin(), runs.begin() + 4, runs.end());
    return runs[4];
}

template <class T>
void measure_all(std::size_t size) {
    Array<T> values = Array<T>::from_shape({size});
    values.fill(T(0.5));
    Parameter<T> p("p", values);
    p.mutable_grad().fill(T(1e-3));
    SGD<T> sgd({p}), momentum({p}, {.momentum = 0.9});
    Adam<T> adam({p});
    Adagrad<T> adagrad({p});
    RMSprop<T> rmsprop({p});
    std::vector<T> from(3 * size, T(1)), to(3 * size);
    fmt::print("{:>6} {:>9}", sizeof(T) == 4 ? "float" : "double", size);
    const std::function<void()> calls[] = {
        [&] { std::memcpy(to.data(), from.data(), 3 * size * sizeof(T)); },
        [&] { sgd.step(); },
        [&] { momentum.step(); },
        [&] { adam.step(); },
        [&] { adagrad.step(); },
        [&] { rmsprop.step(); },
        [&] { grad_norm<T>({p}); },
        [&] { clip_grad_norm<T>({p}, 1e-30); },
    };
    for (const auto& call : calls) fmt::print(" {:>9.3f}", measure(size, call));
    fmt::print("\n");
}

}  // namespace

int main() {
    fmt::print("ns per element\n{:>6} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}\n", "type", "size",
               "copy x 3", "SGD", "momentum", "Adam", "Adagrad", "RMSprop", "norm", "clip");
    for (const std::size_t size : {1000, 30'000, 1'000'000}) {
        measure_all<float>(size);
        measure_all<double>(size);
    }
}
