#include "gradient_flow/close_look.hpp"

#include <ebb/autograd/operations.hpp>
#include <ebb/inspect/unrolled_graph.hpp>

#include <algorithm>
#include <string>

namespace lab {
namespace {

using ebb::Tape;
using ebb::Variable;
namespace inspect = ebb::inspect;

constexpr std::size_t looked_at = 4;  // sequences

/// The first `most` sequences of an array [T, B, ...].
template <class Values>
Values first_sequences(const Values& all, std::size_t most) {
    if (all.dimension() < 2) return all;  // a member that the task does not use
    const std::size_t T = all.shape(0), B = all.shape(1), count = std::min(most, B);
    std::vector<std::size_t> shape(all.shape().begin(), all.shape().end());
    shape[1] = count;
    Values some = Values::from_shape(shape);
    const std::size_t row = all.size() / T, kept = row / B * count;
    for (std::size_t t = 0; t < T; ++t) std::copy_n(all.data() + t * row, kept, some.data() + t * kept);
    return some;
}

/// The loss of each target by itself.
std::vector<Variable<double>> losses_of(const SequenceModel<double>& model, const Batch& batch) {
    const Variable<double> outputs = model.outputs(batch);  // [K, B, O]
    const std::size_t B = outputs.shape()[1], O = outputs.shape()[2];
    std::vector<Variable<double>> losses;
    for (std::size_t k = 0; k < outputs.shape()[0]; ++k) {
        const Variable<double> output = select(outputs, 0, static_cast<std::ptrdiff_t>(k));
        if (model.ports().classes) {
            ebb::Indices classes = ebb::Indices::from_shape({B});
            std::copy_n(batch.classes.data() + k * B, B, classes.data());
            losses.push_back(ebb::cross_entropy(output, classes));
        } else {
            ebb::Array<double> values = ebb::Array<double>::from_shape({B, O});
            std::copy_n(batch.values.data() + k * B * O, B * O, values.data());
            losses.push_back(ebb::mse_loss(output, Tape<double>::active().constant(values)));
        }
    }
    return losses;
}

inspect::FlowRecorderOptions recording(Cell cell, const std::vector<std::size_t>& stops) {
    inspect::FlowRecorderOptions options{.every = 0, .units = {state_of(cell)}, .alignment = true, .histograms = false};
    options.at.assign(stops.begin(), stops.end());
    if (const std::string gate = keeping_gate_of(cell); !gate.empty()) options.unit_gates = {gate};
    return options;
}

}  // namespace

std::string state_of(Cell cell) {
    return std::string(name_of(cell)) + ".h";
}

std::string keeping_gate_of(Cell cell) {
    switch (cell) {
        case Cell::tanh:
            break;
        case Cell::lstm:
            return "lstm.forget_gate";
        case Cell::gru:
            return "gru.update_gate";
    }
    return {};
}

CloseLooks::CloseLooks(const SequenceModel<double>& model, const Batch& all, const std::vector<std::size_t>& stops)
    : model_(model),
      sequences_{first_sequences(all.symbols, looked_at), first_sequences(all.numbers, looked_at),
                 first_sequences(all.classes, looked_at), first_sequences(all.values, looked_at)},
      last_stop_(stops.back()),
      recorder_({model.weights().weight_hh}, recording(model.cell(), stops)) {}

void CloseLooks::look(std::size_t step) {
    const std::size_t T = length_of(model_.ports(), sequences_);
    const std::string h = state_of(model_.cell());
    model_.zero_grad();
    Tape<double> tape;
    const Variable<double> loss = last_loss(model_, sequences_);
    // Alignment needs what the backward pass would free.
    tape.backward(loss.named("L"), {.retain_graph = true});
    recorder_.after_backward(tape, {.step = static_cast<std::int64_t>(step), .loss = loss.item()});
    recorder_.add(inspect::unrolled_graph(tape, loss));
    if (step == last_stop_) {
        findings_ = inspect::diagnose(recorder_.history().records.back().units.front());
        if (T > 1 && T <= longest_close_look && model_.hidden_size() <= largest_close_look)
            recorder_.add(inspect::jacobian_spectrum(tape, h));
    }
    if (T <= longest_close_look) {
        tape.clear();
        recorder_.add(inspect::loss_to_state(tape, losses_of(model_, sequences_), h));
    }
    model_.zero_grad();
}

}  // namespace lab
