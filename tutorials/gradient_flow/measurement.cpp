#include "gradient_flow/measurement.hpp"

#include <ebb/autograd/operations/losses.hpp>
#include <ebb/core/norm.hpp>
#include <ebb/inspect/gradient_flow.hpp>
#include <ebb/layers/init.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

#include <fmt/format.h>

namespace lab {
namespace {

using ebb::Node;
using ebb::Tape;

/// Of time steps 0, ..., T - 1 (the first ones may be missing), the list over distances from the last.
std::vector<double> by_distance(const std::vector<std::int32_t>& time_step, const std::vector<double>& values,
                                std::size_t T) {
    std::vector<double> result(T, 0.0);
    for (std::size_t k = 0; k < values.size(); ++k) result[T - 1 - static_cast<std::size_t>(time_step[k])] = values[k];
    return result;
}

/// The gradient that goes back by the gate alone, element by element: dL/dc_{t-1} = dL/dc_t . f_t.
void follow_gate(const Tape<double>& tape, const std::string& hidden_name, const std::string& state_name,
                 std::string_view gate_name, std::size_t T, Measurement& result) {
    std::vector<const Node<double>*> steps(T, nullptr);
    const Node<double>* last_state = nullptr;
    for (ebb::NodeIndex index = 0; index < tape.size(); ++index) {
        const Node<double>& node = tape.node(index);
        if (!node.probe) continue;
        const auto t = static_cast<std::size_t>(node.time_step);
        if (node.name.text() == hidden_name) steps[t] = &node;
        if (node.name.text() == state_name && t == T - 1) last_state = &node;
    }
    std::vector<double> gradient(last_state->retained_gradient,
                                 last_state->retained_gradient + last_state->shape.size());
    result.gates_alone.push_back(ebb::frobenius_norm(gradient.data(), gradient.size()));
    double sum = 0, sum_of_logs = 0;
    std::size_t count = 0;
    for (std::size_t d = 1; d < T; ++d) {
        const Node<double>& node = *steps[T - d];
        for (const ebb::Intermediate<double>& gate : node.operation->intermediates(tape, node)) {
            if (gate.name != gate_name) continue;
            for (std::size_t b = 0; b < gate.rows; ++b)
                for (std::size_t j = 0; j < gate.columns; ++j) {
                    const double f = gate.data[b * gate.stride + j];
                    gradient[b * gate.columns + j] *= f;
                    if (d > longest_fit) continue;
                    sum += f;
                    sum_of_logs += std::log(f);
                    ++count;
                }
        }
        result.gates_alone.push_back(ebb::frobenius_norm(gradient.data(), gradient.size()));
    }
    result.mean_gate = sum / static_cast<double>(std::max<std::size_t>(count, 1));
    result.geometric_gate = std::exp(sum_of_logs / static_cast<double>(std::max<std::size_t>(count, 1)));
}

}  // namespace

ebb::Variable<double> last_loss(const CharacterModel<double>& model, const Sequences& sequences) {
    const std::size_t T = sequences.characters.shape(0), B = sequences.characters.shape(1);
    ebb::Indices next = ebb::Indices::from_shape({B});
    std::copy_n(sequences.next.data() + (T - 1) * B, B, next.data());
    return ebb::cross_entropy(model.last_logits(sequences.characters), next);
}

Measurement measure(const CharacterModel<double>& model, const Sequences& sequences) {
    const std::size_t T = sequences.characters.shape(0);
    const std::string name = name_of(model.cell());
    CharacterModel<double> handle = model;
    handle.zero_grad();

    Tape<double> tape;
    const ebb::Variable<double> loss = last_loss(model, sequences);
    tape.backward(loss);

    Measurement result;
    result.bits = loss.item() / std::numbers::ln2;
    const auto flow = ebb::inspect::gradient_flow(tape);
    const auto& hidden = flow[name + ".h"];
    result.hidden = by_distance(hidden.time_step, hidden.grad_norm, T);
    const auto contributions = ebb::inspect::weight_contributions(tape, model.weights().weight_hh);
    result.contributions = by_distance(contributions.time_step, contributions.norm, T);

    const auto add_gate = [&](const char* gate, const char* title) {
        result.gates.push_back({title, flow.gate(name + "." + gate).mean});
    };
    switch (model.cell()) {
        case Cell::tanh: {
            const ebb::init::Weight w = model.weights().weight_hh;
            result.spectral_radius = ebb::init::spectral_radius(w);
            result.largest_singular_value = ebb::init::spectral_norm(w);
            break;
        }
        case Cell::lstm: {
            const auto& state = flow[name + ".c"];
            result.cell_state = by_distance(state.time_step, state.grad_norm, T);
            add_gate("input_gate", "input gate");
            add_gate("forget_gate", "forget gate");
            add_gate("output_gate", "output gate");
            follow_gate(tape, name + ".h", name + ".c", "forget_gate", T, result);
            break;
        }
        case Cell::gru:
            add_gate("reset_gate", "reset gate");
            add_gate("update_gate", "update gate");
            follow_gate(tape, name + ".h", name + ".h", "update_gate", T, result);
            break;
    }
    return result;
}

double Decay::half_life() const noexcept {
    return std::numbers::ln2 / std::abs(std::log(factor));
}

std::optional<Decay> fit_decay(const std::vector<double>& norms) {
    std::size_t last = 0;
    for (std::size_t d = 1; d < norms.size() && d <= longest_fit; ++d) {
        if (!(norms[d] >= std::numeric_limits<double>::min()) || !std::isfinite(norms[d])) break;
        last = d;
    }
    if (last < 2) return std::nullopt;
    // slope = sum (d - mean d) (y - mean y) / sum (d - mean d)^2
    const double count = static_cast<double>(last);
    const double mean_d = (count + 1) / 2;
    double products = 0, squares = 0;
    for (std::size_t d = 1; d <= last; ++d) {
        const double from_mean = static_cast<double>(d) - mean_d;
        products += from_mean * std::log(norms[d]);
        squares += from_mean * from_mean;
    }
    return Decay{std::exp(products / squares), 1, last};
}

std::vector<double> bound(const Measurement& tanh) {
    std::vector<double> result;
    double at = tanh.hidden.empty() ? 0 : tanh.hidden.front();
    for (std::size_t d = 0; d < tanh.hidden.size(); ++d, at *= tanh.largest_singular_value) result.push_back(at);
    return result;
}

}  // namespace lab
