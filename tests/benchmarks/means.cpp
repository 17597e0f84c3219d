/// What the engine's means gain, each switched off and on: the numbers of docs/performance.md that no other benchmark
/// gives. In float, on one thread, medians of process CPU time; a ratio above 1 is a gain.

#include <ebb/core/blas.hpp>
#include <ebb/core/instruction_set.hpp>
#include <ebb/core/packed_matrix.hpp>
#include <ebb/core/products.hpp>
#include <ebb/core/vector_maths_kernels.hpp>
#include <ebb/ebb.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "cpu_seconds.hpp"
#include <cblas.h>
#include <fmt/format.h>
#if defined(__linux__)
#include <sys/prctl.h>
#endif

namespace {

using namespace ebb;

/// The medians of two ways to do the same, which take turns of half a millisecond each.
std::pair<double, double> measure(const std::function<void()>& off, const std::function<void()>& on) {
    constexpr std::size_t turns = 101;
    const std::array<const std::function<void()>*, 2> ways{&off, &on};
    std::array<std::vector<double>, 2> times;
    std::array<int, 2> runs{};
    for (std::size_t k = 0; k < 2; ++k) {
        (*ways[k])();
        const double start = 1e6 * cpu_seconds();
        (*ways[k])();
        runs[k] = static_cast<int>(std::clamp(500 / (1e6 * cpu_seconds() - start + 1e-3), 1.0, 20000.0));
    }
    for (std::size_t turn = 0; turn < turns; ++turn)
        for (std::size_t k = 0; k < 2; ++k) {
            (*ways[k])();
            const double start = 1e6 * cpu_seconds();
            for (int run = 0; run < runs[k]; ++run) (*ways[k])();
            times[k].push_back((1e6 * cpu_seconds() - start) / runs[k]);
        }
    for (auto& list : times) std::nth_element(list.begin(), list.begin() + turns / 2, list.end());
    return {times[0][turns / 2], times[1][turns / 2]};
}

void print(const std::string& what, const std::function<void()>& off, const std::function<void()>& on) {
    const auto [without, with] = measure(off, on);
    fmt::print("{:66}{:>10.2f}{:>10.2f}{:>8.2f}\n", what, without, with, without / with);
}

struct Size {
    std::size_t T, B, I, H;
};

std::string to_string(const Size& s) {
    return fmt::format("({}, {}, {}, {})", s.T, s.B, s.I, s.H);
}

constexpr std::size_t gates = 4;  // of an LSTM

void input_projection(const Size& s) {
    const std::size_t rows = s.T * s.B, G = gates * s.H;
    const Array<float> x = normal<float>({rows, s.I}, 0, 1), w = normal<float>({G, s.I}, 0, 1);
    std::vector<float> y(rows * G);
    const auto project = [&](std::size_t first, std::size_t count) {
        gemm(Transpose::no, Transpose::yes, count, G, s.I, 1.0F, x.data() + first * s.I, s.I, w.data(), s.I, 0.0F,
             y.data() + first * G, G);
    };
    print(
        "W_ih x_t: a product a step, or one for all " + to_string(s),
        [&] {
            for (std::size_t t = 0; t < s.T; ++t) project(t * s.B, s.B);
        },
        [&] { project(0, rows); });
}

void waiting_weights(const Size& s) {
    const std::size_t G = gates * s.H;
    const Array<float> h = normal<float>({s.T * s.B, s.H}, 0, 1), delta = normal<float>({s.T * s.B, G}, 0, 1);
    std::vector<float> dw(G * s.H);
    std::vector<ProductTerm<float>> terms;
    for (std::size_t t = 0; t < s.T; ++t)
        terms.push_back({delta.data() + t * s.B * G, h.data() + t * s.B * s.H, s.B, G, s.H});
    print(
        "dL/dW_hh: a product a step, or one sum that waits " + to_string(s),
        [&] {
            for (const ProductTerm<float>& term : terms)
                gemm(Transpose::yes, Transpose::no, G, s.H, term.rows, 1.0F, term.a, G, term.b, s.H, 1.0F, dw.data(),
                     s.H);
        },
        [&] { add_products<float>(terms, G, s.H, dw.data(), s.H, nullptr); });
}

void single_row(std::size_t k, std::size_t n) {
    const Array<float> x = normal<float>({1, k}, 0, 1), w = normal<float>({n, k}, 0, 1);
    std::vector<float> y(n), memory(PackedMatrix<float>::size(k, n));
    const auto packed = PackedMatrix<float>::pack(Transpose::yes, k, n, w.data(), memory.data());
    const auto extent = [](std::size_t size) { return static_cast<blasint>(size); };
    const auto by_gemm = [&] {
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, 1, extent(n), extent(k), 1, x.data(), extent(k), w.data(),
                    extent(k), 0, y.data(), extent(n));
    };
    const auto by_gemv = [&] {
        cblas_sgemv(CblasRowMajor, CblasNoTrans, extent(n), extent(k), 1, w.data(), extent(k), x.data(), 1, 0, y.data(),
                    1);
    };
    print(fmt::format("one row by W_hh' [{} x {}]: gemm, or gemv", k, n), by_gemm, by_gemv);
    print(fmt::format("one row by W_hh' [{} x {}]: gemv, or laid out", k, n), by_gemv,
          [&] { packed.multiply_row(x.data(), false, y.data()); });
}

/// One step's product of a batch, with a weight that is the same at every step.
void packed_rows(std::size_t rows, std::size_t k, std::size_t n) {
    const Array<float> x = normal<float>({rows, k}, 0, 1), w = normal<float>({n, k}, 0, 1);
    std::vector<float> y(rows * n), memory(PackedMatrix<float>::size(k, n));
    const auto packed = PackedMatrix<float>::pack(Transpose::yes, k, n, w.data(), memory.data());
    print(
        fmt::format("{} rows by W_hh' [{} x {}]: gemm, or laid out", rows, k, n),
        [&] { gemm(Transpose::no, Transpose::yes, rows, n, k, 1.0F, x.data(), k, w.data(), k, 0.0F, y.data(), n); },
        [&] { packed.multiply(rows, x.data(), k, false, y.data(), n); });
}

/// A training step of an LSTM layer.
class LayerStep {
  public:
    explicit LayerStep(const Size& s)
        : lstm_({.input_size = s.I, .hidden_size = s.H}), x_(normal<float>({s.T, s.B, s.I}, 0, 1)) {}
    void operator()(Tape<float>& tape) {
        tape.clear();
        tape.backward(mean(square(lstm_(tape.borrow(x_)).output)));
    }

  private:
    LSTM<float> lstm_;
    Array<float> x_;
};

void kept_memory(const Size& s) {
    LayerStep step(s);
    Tape<float> kept;
    print(
        "a step of a layer: a new tape, or the memory of the last step " + to_string(s),
        [&] {
            Tape<float> fresh;
            step(fresh);
        },
        [&] { step(kept); });
}

#if defined(__linux__)
/// Of two tapes, one was filled while the system gave no huge pages.
void huge_pages(const Size& s) {
    LayerStep step(s);
    Tape<float> small, huge;
    const auto give_huge_pages = [](bool given) { prctl(PR_SET_THP_DISABLE, given ? 0 : 1, 0, 0, 0); };
    step(huge);
    give_huge_pages(false);
    step(small);
    print(
        "a step of a layer: pages of 4 KB, or of 2 MB " + to_string(s), [&] { step(small); }, [&] { step(huge); });
    give_huge_pages(true);
}
#endif

/// Forward and backward through y = f(x).
void on_tape(const std::string& what, const Array<float>& x, const std::function<Variable<float>(Variable<float>)>& off,
             const std::function<Variable<float>(Variable<float>)>& on) {
    Tape<float> tape;
    const auto step = [&](const auto& f) {
        tape.clear();
        tape.backward(sum(f(tape.variable(x))));
    };
    print(
        what, [&] { step(off); }, [&] { step(on); });
}

void one_slab(const Size& s) {
    const auto T = static_cast<std::ptrdiff_t>(s.T);
    on_tape(
        "T states to a sequence and back: T arrays, or one slab " + to_string(s), normal<float>({s.T, s.B, s.H}, 0, 1),
        [T](const Variable<float>& x) {
            std::vector<Variable<float>> states;
            for (std::ptrdiff_t t = 0; t < T; ++t) states.push_back(select(x, 0, t));
            return stack(states, 0);
        },
        [](const Variable<float>& x) { return x; });
}

/// What the figures of a layer's step take: into new results, parameter by parameter, or into those that are there.
template <class Layer>
void looking(const std::string& cell, const Size& s) {
    const Layer layer({.input_size = s.I, .hidden_size = s.H, .name = "layer"});
    Tape<float> tape;
    const auto output = layer(tape.constant(normal<float>({s.T, s.B, s.I}, 0, 1))).output;
    tape.backward(mean(output * output));
    const std::vector<Parameter<float>> parameters = layer.parameters();
    inspect::GradientFlow<float> flow;
    std::vector<inspect::WeightContributions> contributions;
    print(
        "gradient_flow of " + cell + ": new results, or kept ones " + to_string(s),
        [&] { inspect::gradient_flow(tape); }, [&] { inspect::gradient_flow(tape, flow); });
    print(
        "weight_contributions of " + cell + ": one by one, or all " + to_string(s),
        [&] {
            for (const Parameter<float>& parameter : parameters) inspect::weight_contributions(tape, parameter);
        },
        [&] { inspect::weight_contributions(tape, parameters, contributions); });
}

void vector_maths() {
    constexpr std::size_t n = 2048;
    const Array<float> x = normal<float>({n}, 0, 1);
    std::vector<float> y(n);
    print(
        "tanh of 2048 floats: std::tanh, or by vectors",
        [&] {
            for (std::size_t k = 0; k < n; ++k) y[k] = std::tanh(x.data()[k]);
        },
        [&] { kernels<VectorMathsKernels<float>>().tanh(x.data(), y.data(), n); });
    print(
        "sigmoid of 2048 floats: std::exp, or by vectors",
        [&] {
            for (std::size_t k = 0; k < n; ++k) y[k] = 1 / (1 + std::exp(-x.data()[k]));
        },
        [&] { kernels<VectorMathsKernels<float>>().sigmoid(x.data(), y.data(), n); });
}

}  // namespace

int main() {
    hold_blas_to_one_thread();
    manual_seed(1);
    fmt::print("{:66}{:>10}{:>10}{:>8}\n", "(T, B, I, H), an LSTM's weights", "off, us", "on, us", "gain");
    const std::vector<Size> sizes = {{50, 1, 8, 16}, {100, 16, 32, 32}, {100, 32, 64, 64}, {128, 32, 128, 128}};
    for (const Size& size : sizes) input_projection(size);
    for (const Size& size : sizes) waiting_weights(size);
    for (const Size& size : sizes) one_slab(size);
    for (const std::size_t H : {16, 32, 64, 512}) single_row(H, gates * H);
    using RowsAndUnits = std::pair<std::size_t, std::size_t>;
    for (const auto& [rows, H] : {RowsAndUnits{16, 32}, {32, 64}, {16, 128}, {32, 128}, {64, 256}, {64, 512}})
        packed_rows(rows, H, gates * H);
    vector_maths();
    for (const Size& size : {Size{50, 1, 8, 16}, {100, 1, 32, 32}}) {
        looking<RNN<float>>("an RNN", size);
        looking<LSTM<float>>("an LSTM", size);
        looking<GRU<float>>("a GRU", size);
    }
    for (const Size& size : sizes) kept_memory(size);
#if defined(__linux__)
    huge_pages({1000, 16, 64, 128});
#endif
    return 0;
}
