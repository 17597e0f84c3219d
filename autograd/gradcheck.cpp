#include <ebb/autograd/grad_mode.hpp>
#include <ebb/autograd/gradcheck.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>

#include <algorithm>
#include <cmath>
#include <random>

#include <fmt/format.h>

namespace ebb {
namespace {

using Arrays = std::vector<Array<double>>;
using Variables = std::vector<Variable<double>>;

/// Numbers in [0.5, 1.5] with random signs: none is near 0, so none hides an error.
Array<double> cotangent(const Shape& shape, std::mt19937_64& engine) {
    Array<double> result = Array<double>::from_shape(std::vector<std::size_t>(shape.begin(), shape.end()));
    for (double& v : result) {
        const double uniform = static_cast<double>(engine() >> 11) * 0x1p-53;
        v = (engine() & 1u ? 1 : -1) * (0.5 + uniform);
    }
    return result;
}

Variables leaves(Tape<double>& tape, const Arrays& inputs) {
    Variables xs;
    for (const Array<double>& x : inputs) xs.push_back(tape.variable(x));
    return xs;
}

/// L = <c, f(x)>, with the same c at every call.
Variable<double> projected(const CheckedFunction& f, const Variables& xs, std::uint64_t seed) {
    const Variable<double> y = f(xs);
    std::mt19937_64 engine(seed);
    return sum(y * y.tape().constant(cotangent(y.shape(), engine)));
}

/// On a tape that is cleared first: its memory is warm from the second value on.
double value_at(Tape<double>& tape, const CheckedFunction& f, const Arrays& inputs, std::uint64_t seed) {
    tape.clear();
    return projected(f, leaves(tape, inputs), seed).item();
}

/// A gradient, or why there is none.
struct Gradient {
    Arrays arrays;
    std::string error;
};

Gradient gradient_raw(const CheckedFunction& f, const Arrays& inputs, std::uint64_t seed) {
    Tape<double> tape;
    const Variables xs = leaves(tape, inputs);
    const Variable<double> loss = projected(f, xs, seed);
    Gradient result{inputs, {}};
    try {
        if (loss.requires_grad()) tape.backward(loss);
    } catch (const Error& error) {
        result.error = error.what();
    }
    for (std::size_t i = 0; i < xs.size(); ++i)
        if (xs[i].has_grad())
            result.arrays[i] = xs[i].grad();
        else
            result.arrays[i].fill(0);
    return result;
}

Gradient gradient_on_variables(const CheckedFunction& f, const Arrays& inputs, std::uint64_t seed) {
    Tape<double> tape;
    const Variables xs = leaves(tape, inputs);
    const Variable<double> roots[] = {projected(f, xs, seed)};
    const Variable<double> seeds[] = {tape.ones({})};
    Gradient result{inputs, {}};
    Variables gradients(xs.size());
    try {
        gradients = tape.vjp(roots, seeds, xs);
    } catch (const Error& error) {
        result.error = error.what();
    }
    for (std::size_t i = 0; i < xs.size(); ++i)
        if (gradients[i].defined())
            result.arrays[i] = gradients[i].value();
        else
            result.arrays[i].fill(0);
    return result;
}

double largest(const Arrays& arrays) {
    double result = 0;
    for (const Array<double>& array : arrays)
        for (const double v : array) result = std::max(result, std::abs(v));
    return result;
}

}  // namespace

GradCheckReport gradcheck(const CheckedFunction& f, const Arrays& inputs, const GradCheckOptions& options) {
    GradCheckReport report;
    const auto [analytic, raw_error] = gradient_raw(f, inputs, options.seed);
    const auto [on_variables, variables_error] = gradient_on_variables(f, inputs, options.seed);
    if (!raw_error.empty() || !variables_error.empty()) {
        report.message = raw_error.empty() ? fmt::format("the derivative on variables throws: {}", variables_error)
                                           : fmt::format("the derivative over raw memory throws: {}", raw_error);
        return report;
    }
    const double scale = largest(analytic);
    report.largest_gradient = scale;

    for (std::size_t i = 0; i < inputs.size(); ++i)
        for (std::size_t k = 0; k < inputs[i].size(); ++k) {
            const double a = analytic[i].data()[k], v = on_variables[i].data()[k];
            if (!(std::abs(a - v) <= 1e-10 * std::max(1.0, scale))) {
                report.input = i;
                report.element = k;
                report.analytic = a;
                report.message = fmt::format(
                    "input {}, element {}: backward over raw memory gives {}, the same on variables gives {}", i, k, a,
                    v);
                return report;
            }
        }

    double numeric_scale = 0;
    Arrays moved = inputs;
    Tape<double> tape;
    for (std::size_t i = 0; i < inputs.size(); ++i)
        for (std::size_t k = 0; k < inputs[i].size(); ++k) {
            const double x = inputs[i].data()[k];
            const double step = options.step * (1 + std::abs(x));
            // The steps that are really taken, after rounding.
            const volatile double up = x + step, down = x - step;
            moved[i].data()[k] = up;
            const double above = value_at(tape, f, moved, options.seed);
            moved[i].data()[k] = down;
            const double below = value_at(tape, f, moved, options.seed);
            moved[i].data()[k] = x;
            const double numeric = (above - below) / (up - down);
            const double a = analytic[i].data()[k];
            numeric_scale = std::max(numeric_scale, std::abs(numeric));
            const double size = std::max({std::abs(a), std::abs(numeric), options.floor * std::max(scale, 1e-3)});
            const double error = std::abs(a - numeric) / size;
            if (!(error <= report.max_error)) {  // also where it is NaN
                report.max_error = error;
                report.input = i;
                report.element = k;
                report.analytic = a;
                report.numeric = numeric;
            }
            if (std::isnan(error)) {
                report.message =
                    fmt::format("input {}, element {}: dL/dx is {}, central differences give {}", i, k, a, numeric);
                return report;
            }
        }
    report.passed = report.max_error <= options.tolerance;
    report.message = fmt::format(
        "{}: the largest relative error is {:.2e}, at input {}, element {}: dL/dx is {}, central differences give {}",
        report.passed ? "passed" : "failed", report.max_error, report.input, report.element, report.analytic,
        report.numeric);
    if (report.passed && !options.allow_zero_gradient && scale < 1e-12 && numeric_scale < 1e-9) {
        report.passed = false;
        report.message = "vacuous: the gradient is 0 everywhere, so any derivative would pass";
    }
    return report;
}

GradCheckReport gradgradcheck(const CheckedFunction& f, const Arrays& inputs, const GradCheckOptions& options) {
    if (inputs.empty()) fail<ValueError>("gradgradcheck: no inputs: expected at least one");
    std::mt19937_64 engine(options.seed + 1);
    Arrays inputs_and_cotangent = inputs;
    {
        Tape<double> tape;
        inputs_and_cotangent.push_back(cotangent(f(leaves(tape, inputs)).shape(), engine));
    }
    Arrays directions;
    for (const Array<double>& x : inputs) directions.push_back(cotangent(Shape::of(x.shape()), engine));

    const CheckedFunction directional_derivative = [&](const Variables& in) {
        const Variables xs(in.begin(), in.end() - 1);
        const Variable<double> c[] = {in.back()};
        const Variable<double> y[] = {f(xs)};
        Tape<double>& tape = in[0].tape();
        const Variables gradients = tape.vjp(y, c, xs);
        Variable<double> total = tape.zeros({});
        for (std::size_t i = 0; i < xs.size(); ++i)
            if (gradients[i].defined()) total = total + sum(gradients[i] * tape.constant(directions[i]));
        return total;
    };
    return gradcheck(directional_derivative, inputs_and_cotangent, options);
}

}  // namespace ebb
