#include "gradient_flow/measurement.hpp"

#include <ebb/autograd/operations/losses.hpp>
#include <ebb/core/norm.hpp>
#include <ebb/inspect/gradient_flow.hpp>
#include <ebb/layers/init.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

namespace lab {
namespace {

using ebb::Node;
using ebb::Tape;

/// The list over distances 0, ..., T - 1; the first time steps may be missing.
std::vector<double> by_distance(const std::vector<std::int32_t>& time_step, const std::vector<double>& norms,
                                std::size_t T) {
    std::vector<double> result = ebb::inspect::by_distance(time_step, norms);
    result.resize(T, 0.0);
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

ebb::Variable<double> last_loss(const SequenceModel<double>& model, const Batch& batch) {
    const ebb::Variable<double> outputs = model.last_outputs(batch);  // [B, O]
    if (model.ports().classes) {
        const std::size_t K = batch.classes.shape(0), B = batch.classes.shape(1);
        ebb::Indices last = ebb::Indices::from_shape({B});
        std::copy_n(batch.classes.data() + (K - 1) * B, B, last.data());
        return ebb::cross_entropy(outputs, last);
    }
    const std::size_t K = batch.values.shape(0), B = batch.values.shape(1), O = batch.values.shape(2);
    ebb::Array<double> last = ebb::Array<double>::from_shape({B, O});
    std::copy_n(batch.values.data() + (K - 1) * B * O, B * O, last.data());
    return ebb::mse_loss(outputs, ebb::Tape<double>::active().constant(last));
}

Measurement measure(const SequenceModel<double>& model, const Batch& batch) {
    const std::size_t T = length_of(model.ports(), batch);
    const std::string name = name_of(model.cell());
    SequenceModel<double> handle = model;
    handle.zero_grad();

    Tape<double> tape;
    const ebb::Variable<double> loss = last_loss(model, batch);
    tape.backward(loss);

    Measurement result;
    result.loss = loss.item();
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

std::vector<double> bound(const Measurement& tanh) {
    std::vector<double> result;
    double at = tanh.hidden.empty() ? 0 : tanh.hidden.front();
    for (std::size_t d = 0; d < tanh.hidden.size(); ++d, at *= tanh.largest_singular_value) result.push_back(at);
    return result;
}

}  // namespace lab
