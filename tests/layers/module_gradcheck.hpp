#pragma once
/// Derivatives of a function of inputs and of parameters, against central differences.

#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>

struct ModuleCheck {
    using Variables = std::vector<ebb::Variable<double>>;

    std::function<ebb::Variable<double>(const Variables&)> f;
    std::vector<ebb::Array<double>> inputs;
    std::vector<ebb::Parameter<double>> parameters;

    /// What is wrong with the first derivative (order 1), or with the derivative of <w, dL/d(inputs, parameters)>
    /// (order 2); empty where nothing is. Each is taken over raw memory and on variables: both must agree.
    std::string errors(int order) const {
        ebb::Tape<double> tape;
        const Variables xs = leaves(tape);
        const auto loss = scalar(tape, xs, order);
        const Variables roots{loss}, seeds{tape.ones({})}, wanted = targets(tape, xs);
        const std::vector<ebb::Array<double>> recorded = values(tape.vjp(roots, seeds, wanted), wanted);
        for (ebb::Parameter<double> parameter : parameters) parameter.zero_grad();
        tape.backward(loss);
        std::vector<ebb::Array<double>> raw;
        for (const auto& x : xs) raw.emplace_back(x.grad());
        for (const auto& parameter : parameters) raw.push_back(parameter.grad());

        double largest = 0;
        for (const auto& array : raw)
            for (const double v : array) largest = std::max(largest, std::abs(v));
        if (!(largest > 1e-6)) return "vacuous: the gradient is 0 everywhere";

        std::vector<ebb::Array<double>> moved = inputs;
        for (std::size_t i = 0; i < raw.size(); ++i) {
            const bool is_input = i < inputs.size();
            const std::string name = is_input ? fmt::format("input {}", i) : parameters[i - inputs.size()].name();
            for (std::size_t k = 0; k < raw[i].size(); ++k) {
                const double analytic = raw[i].data()[k], on_variables = recorded[i].data()[k];
                if (!(std::abs(analytic - on_variables) <= 1e-11 * largest))
                    return fmt::format("{}, element {}: {} over raw memory, {} on variables", name, k, analytic,
                                       on_variables);
                const auto value_at = [&](double step) {
                    ebb::Parameter<double> parameter =
                        is_input ? ebb::Parameter<double>() : parameters[i - inputs.size()];
                    double& place = is_input ? moved[i].data()[k] : parameter.mutable_value().data()[k];
                    const double before = place;
                    place += step;
                    ebb::Tape<double> other;
                    const double result = scalar(other, leaves(other, moved), order).item();
                    place = before;
                    return result;
                };
                // Fourth order: the error of the differences is far below the tolerance.
                constexpr double step = 1e-3;
                const double numeric =
                    (8 * (value_at(step) - value_at(-step)) - (value_at(2 * step) - value_at(-2 * step))) / (12 * step);
                const double size = std::max({std::abs(analytic), std::abs(numeric), 1e-3 * largest});
                if (!(std::abs(analytic - numeric) <= 1e-7 * size))
                    return fmt::format("{}, element {}: {}, central differences give {}", name, k, analytic, numeric);
            }
        }
        return {};
    }

  private:
    Variables leaves(ebb::Tape<double>& tape) const { return leaves(tape, inputs); }
    static Variables leaves(ebb::Tape<double>& tape, const std::vector<ebb::Array<double>>& arrays) {
        Variables xs;
        for (const auto& array : arrays) xs.push_back(tape.variable(array));
        return xs;
    }
    Variables targets(ebb::Tape<double>& tape, Variables xs) const {
        for (const auto& parameter : parameters) xs.push_back(tape.use(parameter));
        return xs;
    }
    /// Zeros where nothing has flowed.
    static std::vector<ebb::Array<double>> values(const Variables& gradients, const Variables& like) {
        std::vector<ebb::Array<double>> result;
        for (std::size_t i = 0; i < like.size(); ++i) {
            result.emplace_back(like[i].value());
            if (gradients[i].defined())
                result.back() = gradients[i].value();
            else
                result.back().fill(0);
        }
        return result;
    }
    /// The sum of <c, y> over all ys, for the same random c at each call.
    static ebb::Variable<double> projected(ebb::Tape<double>& tape, const Variables& ys, unsigned seed) {
        std::mt19937 engine(seed);
        ebb::Variable<double> result = tape.scalar(0);
        for (const auto& y : ys) {
            ebb::Array<double> c(y.value());
            for (double& v : c) v = (engine() % 2 == 0 ? -1 : 1) * (0.5 + static_cast<double>(engine()) / 4294967296.0);
            result = result + ebb::sum(y * tape.constant(c));
        }
        return result;
    }
    ebb::Variable<double> scalar(ebb::Tape<double>& tape, const Variables& xs, int order) const {
        const auto loss = projected(tape, {f(xs)}, 1);
        if (order == 1) return loss;
        return projected(tape, ebb::grad(loss, targets(tape, xs), {.create_graph = true}), 2);
    }
};
