/// The cost of one scalar operation on the tape, forward and backward: a chain of mul, add and tanh, as the textbook
/// draws it.

#include <ebb/autograd/grad_mode.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>

#include <algorithm>
#include <vector>

#include "cpu_seconds.hpp"
#include <fmt/format.h>

namespace {

template <class Function>
double median_seconds(Function f, int repetitions = 15) {
    std::vector<double> times;
    for (int r = 0; r < repetitions; ++r) {
        const double start = cpu_seconds();
        f();
        times.push_back(cpu_seconds() - start);
    }
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
}

template <class T>
void chain(const char* type, const ebb::Shape& shape) {
    using namespace ebb;
    const int links = shape.size() > 100 ? 100 : 10000;  // of three operations
    Tape<T> tape;
    const auto record = [&] {
        tape.clear();
        const auto w = tape.variable(Array<T>(tape.full(shape, T(0.9)).value()));
        const auto b = tape.variable(Array<T>(tape.full(shape, T(0.1)).value()));
        auto x = w;
        for (int k = 0; k < links; ++k) x = tanh(x * w + b);
        return sum(x);
    };
    const double forward = median_seconds(record);
    const double step = median_seconds([&] { tape.backward(record()); });
    fmt::print("{:<7} {:<9} forward {:6.1f} ns, forward and backward {:6.1f} ns an operation\n", type, to_string(shape),
               forward / (3 * links) * 1e9, step / (3 * links) * 1e9);
}

}  // namespace

int main() {
    for (const ebb::Shape& shape : {ebb::Shape{}, ebb::Shape{16}, ebb::Shape{32, 64}}) {
        chain<double>("double", shape);
        chain<float>("float", shape);
    }
}
