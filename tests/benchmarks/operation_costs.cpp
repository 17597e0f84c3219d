/// What an operation costs beside its arithmetic, as ratios: elementwise nodes against a loop by hand, recording
/// against NoGrad, scalar nodes against libtorch's where that is installed.

#include <ebb/autograd/grad_mode.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>

#include <algorithm>
#include <vector>

#include "cpu_seconds.hpp"
#include <fmt/format.h>

#ifdef EBB_WITH_TORCH
double torch_scalar_chain_seconds(int links);  // peers/torch_scalar_chain.cpp
#endif

namespace {

using namespace ebb;

/// The median of the ratio of f to g: they take turns, so that both meet the same machine.
template <class F, class G>
void compare(const char* what, double most, F f, G g) {
    f();
    g();
    std::vector<double> ratios, first, second;
    for (int r = 0; r < 41; ++r) {
        const double start = cpu_seconds();
        f();
        const double middle = cpu_seconds();
        g();
        first.push_back(middle - start);
        second.push_back(cpu_seconds() - middle);
        ratios.push_back(first.back() / second.back());
    }
    const auto median = [](std::vector<double>& v) {
        std::sort(v.begin(), v.end());
        return v[v.size() / 2];
    };
    fmt::print("{:<58} {:9.3f} ms {:9.3f} ms   ratio {:5.2f}, wanted at most {:.2f}\n", what, median(first) * 1e3,
               median(second) * 1e3, median(ratios), most);
}

/// y = tanh(x w + b), 100 times over on [32, 64], and back: on the tape, and as loops over arrays that exist already.
template <class T>
void elementwise(const char* type) {
    const Shape shape{32, 64};
    constexpr int links = 100;
    const std::size_t n = shape.size();
    Tape<T> tape;
    const auto on_tape = [&] {
        tape.clear();
        const auto w = tape.variable(Array<T>(tape.full(shape, T(0.9)).value()));
        const auto b = tape.variable(Array<T>(tape.full(shape, T(0.1)).value()));
        auto x = w;
        for (int k = 0; k < links; ++k) x = x * w + b;
        tape.backward(x, Array<T>(tape.ones(shape).value()));
    };
    // As the tape does it, a value for each operation: backward needs them.
    std::vector<std::vector<T>> product(links, std::vector<T>(n)), value(links + 1, std::vector<T>(n, T(0.9)));
    std::vector<T> w(n, T(0.9)), b(n, T(0.1)), dw(n), db(n), dx(n), dp(n);
    const auto by_hand = [&] {
        for (int k = 0; k < links; ++k) {
            const T* const x = value[k].data();
            T* const p = product[k].data();
            T* const y = value[k + 1].data();
            for (std::size_t i = 0; i < n; ++i) p[i] = x[i] * w[i];
            for (std::size_t i = 0; i < n; ++i) y[i] = p[i] + b[i];
        }
        std::fill(dw.begin(), dw.end(), T(0));
        std::fill(db.begin(), db.end(), T(0));
        std::fill(dx.begin(), dx.end(), T(1));
        for (int k = links; k-- > 0;) {
            const T* const x = value[k].data();
            for (std::size_t i = 0; i < n; ++i) db[i] += dx[i];
            for (std::size_t i = 0; i < n; ++i) dw[i] += dx[i] * x[i];
            for (std::size_t i = 0; i < n; ++i) dp[i] = dx[i] * w[i];
            dx.swap(dp);
        }
        for (std::size_t i = 0; i < n; ++i) dw[i] += dx[i];
    };
    compare(fmt::format("{}: x w + b on [32 x 64], 100 times, and back: by hand", type).c_str(), 1.3, on_tape, by_hand);
}

/// h W, 50 times over: recorded, and under NoGrad.
template <class T>
void recording(const char* type) {
    Tape<T> tape;
    Array<T> x = Array<T>::from_shape({32, 64}), w = Array<T>::from_shape({64, 64});
    x.fill(T(0.1));
    w.fill(T(0.01));
    const auto products = [&] {
        tape.clear();
        const auto weight = tape.variable(w);
        auto h = tape.constant(x);
        for (int k = 0; k < 50; ++k) h = matmul(h, weight);
    };
    compare(fmt::format("{}: 50 products [32 x 64] [64 x 64], recorded: NoGrad", type).c_str(), 1.1, products, [&] {
        const NoGrad off;
        products();
    });
}

double scalar_chain_seconds(int links) {
    Tape<double> tape;
    std::vector<double> times;
    for (int r = 0; r < 21; ++r) {
        const double start = cpu_seconds();
        tape.clear();
        const auto w = tape.variable(Array<double>(0.9)), b = tape.variable(Array<double>(0.1));
        auto x = w;
        for (int k = 0; k < links; ++k) x = tanh(x * w + b);
        tape.backward(x);
        times.push_back(cpu_seconds() - start);
    }
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
}

}  // namespace

int main() {
    elementwise<float>("float");
    elementwise<double>("double");
    recording<float>("float");
    recording<double>("double");
    constexpr int links = 10000;
    const double ours = scalar_chain_seconds(links) / (3 * links);
    fmt::print("a scalar node, forward and backward: {:.1f} ns, wanted at most 100\n", ours * 1e9);
#ifdef EBB_WITH_TORCH
    const double theirs = torch_scalar_chain_seconds(links / 10) / (3 * links / 10);
    fmt::print("libtorch's: {:.0f} ns, {:.0f} times ours, wanted at least 50\n", theirs * 1e9, theirs / ours);
#else
    fmt::print("libtorch is not installed (libtorch-dev): no ratio to it\n");
#endif
    return 0;
}
