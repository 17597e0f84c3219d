#include <ebb/autograd/operations/elementwise.hpp>
#include <ebb/autograd/operations/reductions.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/random.hpp>
#include <ebb/layers/module_gradcheck.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace ebb {
namespace {

using Arrays = std::vector<Array<double>>;
using Named = std::pair<std::string, Parameter<double>>;

/// Puts gradients and values back as they were, also after an error.
class Keep {
  public:
    explicit Keep(std::vector<Named>& parameters) : parameters_(parameters) {
        for (const auto& [name, parameter] : parameters) {
            values_.push_back(parameter.value());
            gradients_.push_back(parameter.grad());
        }
    }
    ~Keep() {
        for (std::size_t i = 0; i < parameters_.size(); ++i) {
            Parameter<double>& parameter = parameters_[i].second;
            std::copy_n(values_[i].data(), parameter.size(), parameter.mutable_value().data());
            std::copy_n(gradients_[i].data(), parameter.size(), parameter.mutable_grad().data());
        }
    }
    Keep(const Keep&) = delete;
    Keep& operator=(const Keep&) = delete;

  private:
    std::vector<Named>& parameters_;
    Arrays values_, gradients_;
};

/// L = <c, f(x)>, with the same c at every call: numbers from 0.5 to 1.5, so that none hides an error.
Variable<double> projected(Tape<double>& tape, const CheckedFunction& f, const Arrays& inputs, std::uint64_t seed) {
    std::vector<Variable<double>> xs;
    for (const Array<double>& x : inputs) xs.push_back(tape.variable(x));
    const Variable<double> y = f(xs);
    Array<double> c(y.value());
    Generator generator(seed);
    fill_uniform(c.data(), c.size(), 0.5, 1.5, generator);
    return sum(y * tape.constant(c));
}

}  // namespace

GradCheckReport gradcheck(const Module<double>& model, const CheckedFunction& f, const Arrays& inputs,
                          const GradCheckOptions& options) {
    std::vector<Named> parameters = model.named_parameters();
    std::erase_if(parameters, [](const Named& named) { return !named.second.requires_grad(); });
    const Keep keep(parameters);

    GradCheckReport report;
    if (!inputs.empty()) {
        report = gradcheck(f, inputs, options);
        if (!report.passed) return report;
    }
    report.passed = false;

    // Both ways that the engine has: over raw memory and on variables.
    Arrays analytic, on_variables;
    {
        Tape<double> tape;
        const Variable<double> roots[] = {projected(tape, f, inputs, options.seed)}, seeds[] = {tape.ones({})};
        std::vector<Variable<double>> uses;
        for (auto& [name, parameter] : parameters) {
            uses.push_back(tape.use(parameter));
            parameter.zero_grad();
        }
        const auto gradients = tape.vjp(roots, seeds, uses);
        if (roots[0].requires_grad()) tape.backward(roots[0]);
        for (std::size_t i = 0; i < parameters.size(); ++i) {
            analytic.push_back(parameters[i].second.grad());
            on_variables.push_back(analytic.back());
            if (gradients[i].defined())
                on_variables.back() = gradients[i].value();
            else
                on_variables.back().fill(0);
        }
    }
    double scale = 0;
    for (const Array<double>& array : analytic)
        for (const double v : array) scale = std::max(scale, std::abs(v));

    for (std::size_t i = 0; i < parameters.size(); ++i) {
        auto& [name, parameter] = parameters[i];
        for (std::size_t k = 0; k < parameter.size(); ++k) {
            const double a = analytic[i].data()[k], v = on_variables[i].data()[k];
            const auto value_with = [&, &p = parameter](double moved) {
                p.mutable_value().data()[k] = moved;
                Tape<double> tape;
                return projected(tape, f, inputs, options.seed).item();
            };
            const double w = parameter.value().data()[k], step = options.step * (1 + std::abs(w));
            // The steps that are really taken, after rounding.
            const volatile double up = w + step, down = w - step;
            const double above = value_with(up), below = value_with(down), numeric = (above - below) / (up - down);
            parameter.mutable_value().data()[k] = w;
            const double size = std::max({std::abs(a), std::abs(numeric), options.floor * std::max(scale, 1e-3)});
            const double error = std::abs(a - numeric) / size;
            const bool ways_differ = !(std::abs(a - v) <= 1e-10 * std::max(1.0, scale));
            if (error <= report.max_error && !ways_differ) continue;
            report.max_error = std::max(report.max_error, error);
            report.input = inputs.size() + i;
            report.element = k;
            report.analytic = a;
            report.numeric = numeric;
            if (ways_differ) {
                report.message = fmt::format(
                    "{}, element {}: backward over raw memory gives {}, the same on variables gives {}", name, k, a, v);
                return report;
            }
            if (!(error <= options.tolerance)) {
                report.message =
                    fmt::format("{}, element {}: dL/dw is {}, central differences give {}", name, k, a, numeric);
                return report;
            }
        }
    }
    if (!parameters.empty() && !options.allow_zero_gradient && scale < 1e-12) {
        report.message = "vacuous: the gradient of every parameter is 0, so any derivative would pass";
        return report;
    }
    report.passed = true;
    report.message = fmt::format("passed: the largest relative error is {:.2e}", report.max_error);
    return report;
}

}  // namespace ebb
