/// What a bidirectional LSTM of two layers costs beside its four directions as layers of their own: a training step
/// without the optimiser, in float, on one thread, medians of CPU time over rounds in which all take turns.
///
/// The single layers are two LSTMs from I to H and two from 2 H to H, of which the latter pass the gradient on to their
/// input. They run once over the same lengths, and once over full sequences, scaled to as many rows: N of T B. Shorter
/// batches towards the end make smaller products, so that the first is what the stack adds, and the second what packing
/// costs as well.

#include <ebb/core/blas.hpp>
#include <ebb/ebb.hpp>

#include <algorithm>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "cpu_seconds.hpp"
#include <fmt/format.h>

namespace {

using namespace ebb;

constexpr std::size_t T = 100, B = 32, I = 64, H = 128;

/// One layer and a batch for it.
class Work {
  public:
    Work(std::size_t inputs, bool stacked, bool gradient_of_x, SequenceOptions how)
        : layer_({.input_size = inputs,
                  .hidden_size = H,
                  .num_layers = stacked ? std::size_t{2} : std::size_t{1},
                  .bidirectional = stacked}),
          x_(uniform<float>({T, B, inputs}, -1.7f, 1.7f)),
          gradient_of_x_(gradient_of_x),
          how_(std::move(how)) {}

    /// Forward and backward; the seconds that it took.
    double step() {
        const double start = cpu_seconds();
        tape_.clear();
        layer_.zero_grad();
        const auto x = gradient_of_x_ ? tape_.variable(x_) : tape_.constant(x_);
        const auto output = layer_(x, {}, how_).output;
        tape_.backward(output, output.value());
        return cpu_seconds() - start;
    }

  private:
    LSTM<float> layer_;
    Array<float> x_;
    bool gradient_of_x_;
    SequenceOptions how_;
    Tape<float> tape_;
};

double median(std::vector<double>& times) {
    std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
    return times[times.size() / 2];
}

void compare(const std::string& name, const std::vector<std::size_t>& lengths) {
    const SequenceOptions how{.lengths = lengths};
    Work stack(I, true, false, how);
    Work lower(I, false, false, how), upper(2 * H, false, true, how);
    Work lower_full(I, false, false, {}), upper_full(2 * H, false, true, {});
    std::vector<double> of_stack, of_same, of_full;
    for (int round = 0; round < 32; ++round) {
        const double s = stack.step();
        const double same = 2 * lower.step() + 2 * upper.step();
        const double full = 2 * lower_full.step() + 2 * upper_full.step();
        if (round < 2) continue;
        of_stack.push_back(s);
        of_same.push_back(same);
        of_full.push_back(full);
    }
    const double rows = static_cast<double>(std::accumulate(lengths.begin(), lengths.end(), std::size_t{0}));
    const double s = median(of_stack), same = median(of_same),
                 full = median(of_full) * rows / static_cast<double>(T * B);
    fmt::print(
        "{:<22} {:5.0f} rows  stack {:6.2f} ms  singles {:6.2f} ms, ratio {:.3f}  scaled from full {:6.2f} ms, "
        "ratio {:.3f}\n",
        name, rows, s * 1e3, same * 1e3, s / same, full * 1e3, s / full);
}

}  // namespace

int main() {
    set_num_threads(1);
    manual_seed(1);
    std::vector<std::size_t> lengths(B);
    fmt::print("LSTM, 2 layers in both directions, T {}, B {}, I {}, H {}\n", T, B, I, H);
    compare("all of length T", std::vector<std::size_t>(B, T));
    for (std::size_t b = 0; b < B; ++b) lengths[b] = T - (b * T / 2) / B;
    compare("T/2 to T, sorted", lengths);
    std::vector<std::size_t> mixed(B);
    for (std::size_t b = 0; b < B; ++b) mixed[b] = lengths[b * 13 % B];
    compare("T/2 to T, in any order", mixed);
    for (std::size_t b = 0; b < B; ++b) lengths[b] = T - b * (T - 1) / B;
    compare("1 to T, sorted", lengths);
}
