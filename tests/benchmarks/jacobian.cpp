/// dh_T/dh_0 of the recurrent cells: all rows in one sweep of the tape, against a loop over the rows. The loop is
/// written in the three ways that a program may have: by `grad` for each row, as in PyTorch; by one backward pass for
/// each row, as in a training step; and by backward passes with the weights frozen, which computes nothing that nobody
/// asked for. The sweep runs at the speed of the matrix product, the last loop at that of the matrix-vector product.

#include <ebb/autograd/jacobian.hpp>
#include <ebb/layers/recurrent_cells.hpp>

#include <algorithm>
#include <string>
#include <vector>

#include "cpu_seconds.hpp"
#include <fmt/format.h>

namespace {

using namespace ebb;

template <class Function>
double median_seconds(Function f, int repetitions = 7) {
    std::vector<double> times;
    for (int r = 0; r < repetitions; ++r) {
        const double start = cpu_seconds();
        f();
        times.push_back(cpu_seconds() - start);
    }
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
}

constexpr std::size_t T = 50, H = 64;

/// `step` takes x_t and the state, and gives the state.
template <class S, class Cell, class Step>
void measure(const std::string& name, const Cell& cell, Step step) {
    const auto freeze = [&](bool frozen) {
        for (Parameter<S> weight : cell.parameters()) weight.set_requires_grad(!frozen);
    };
    struct Times {
        double sweep, by_grad, by_backward;
    };
    const auto run = [&](bool frozen) {
        freeze(frozen);
        Tape<S> tape;
        const auto h0 = tape.variable(Array<S>(tape.full({1, H}, S(0.1)).value()));
        const auto x = tape.full({1, H}, S(0.3));
        const Variable<S> h = step(x, h0);
        const typename Tape<S>::Mark mark = tape.mark();
        Times times{};
        times.sweep = median_seconds([&] {
            jacobian(h, h0);
            tape.rewind(mark);
        });
        Array<S> seed = Array<S>::from_shape({1, H});
        const auto each_row = [&](const auto& f) {
            for (std::size_t k = 0; k < H; ++k) {
                seed.fill(S(0));
                seed(0, k) = S(1);
                f();
            }
        };
        times.by_backward = median_seconds([&] {
            each_row([&] {
                h0.zero_grad();
                tape.backward(h, seed, {.retain_graph = true});
            });
        });
        if (!frozen)
            times.by_grad = median_seconds(
                [&] {
                    each_row([&] {
                        vjp(h, h0, tape.constant(seed));
                        tape.rewind(mark);
                    });
                },
                3);
        return times;
    };
    const Times normal = run(false), frozen = run(true);
    fmt::print("{:<16} {:<7} {:9.2f} ms {:9.1f} times {:9.1f} times {:9.1f} times\n", name,
               sizeof(S) == 4 ? "float" : "double", normal.sweep * 1e3, normal.by_grad / normal.sweep,
               normal.by_backward / normal.sweep, frozen.by_backward / frozen.sweep);
}

template <class S>
void measure_all() {
    for (const Granularity granularity : {Granularity::fused, Granularity::elementary}) {
        const std::string how = granularity == Granularity::fused ? " fused" : " elementary";
        const RNNCell<S> rnn({.input_size = H, .hidden_size = H, .granularity = granularity});
        measure<S>("tanh" + how, rnn, [&](const Variable<S>& x, Variable<S> h) {
            for (std::size_t t = 0; t < T; ++t) h = rnn(x, h);
            return h;
        });
        const LSTMCell<S> lstm({.input_size = H, .hidden_size = H, .granularity = granularity});
        measure<S>("LSTM" + how, lstm, [&](const Variable<S>& x, const Variable<S>& h) {
            LSTMState<S> state{h, {}};
            state.c = x.tape().zeros({1, H});
            for (std::size_t t = 0; t < T; ++t) state = lstm(x, state);
            return state.h;
        });
        const GRUCell<S> gru({.input_size = H, .hidden_size = H, .granularity = granularity});
        measure<S>("GRU" + how, gru, [&](const Variable<S>& x, Variable<S> h) {
            for (std::size_t t = 0; t < T; ++t) h = gru(x, h);
            return h;
        });
    }
}

}  // namespace

int main() {
    fmt::print(
        "dh_T/dh_0 over T = {} steps, H = {}, batch 1: the time of one sweep, and how much longer a loop takes\n", T,
        H);
    fmt::print("{:<24} {:>12} {:>15} {:>15} {:>15}\n", "", "one sweep", "by grad", "by backward", "weights frozen");
    measure_all<float>();
    measure_all<double>();
}
