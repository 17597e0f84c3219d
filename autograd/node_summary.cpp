#include <ebb/autograd/node_summary.hpp>
#include <ebb/autograd/operation.hpp>
#include <ebb/autograd/operations/transposed.hpp>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace ebb {
namespace {

/// The Frobenius norm. Divided by the largest element first, so that no square overflows or vanishes.
template <class T>
double norm(const T* data, std::size_t size) {
    double largest = 0;
    for (std::size_t k = 0; k < size; ++k) {
        const double magnitude = std::abs(static_cast<double>(data[k]));
        if (!std::isfinite(magnitude)) return magnitude;
        largest = std::max(largest, magnitude);
    }
    if (largest == 0) return 0;
    double squares = 0;
    for (std::size_t k = 0; k < size; ++k) {
        const double part = static_cast<double>(data[k]) / largest;
        squares += part * part;
    }
    return largest * std::sqrt(squares);
}

template <class T>
double number_or_norm(const T* data, const Shape& shape) {
    const std::size_t size = shape.size();
    return size == 1 ? static_cast<double>(data[0]) : norm(data, size);
}

/// The elements of a node, in some order: looking must not copy a transposed array out.
template <class T>
const T* elements(const Tape<T>& tape, const Node<T>* node) {
    while (node->transposed && !node->value) node = &tape.node(static_cast<const Transposed*>(node->saved)->source);
    return node->value;
}

}  // namespace

template <class T>
NodeSummary summary(const Tape<T>& tape, NodeIndex index) {
    const Node<T>& node = tape.node(index);
    NodeSummary result;
    result.index = index;
    result.shape = node.shape;
    result.name = node.name.text();
    result.time_step = node.time_step;
    if (node.parameter) {
        result.kind = NodeKind::parameter;
        result.operation = "parameter";
    } else if (node.operation) {
        result.kind = NodeKind::operation;
        result.operation = node.operation->info().name;
        for (std::size_t i = 0; i < node.input_count; ++i) result.inputs.push_back(tape.input(node, i));
    } else if (node.further_output) {
        NodeIndex first = index - 1;
        while (tape.node(first).further_output) --first;
        result.kind = NodeKind::operation;
        result.operation = fmt::format("{} ({})", tape.node(first).operation->info().name, index - first + 1);
        result.inputs = {first};
    } else {
        result.kind = node.requires_grad ? NodeKind::variable : NodeKind::constant;
        result.operation = node.requires_grad ? "variable" : "constant";
    }
    result.value = number_or_norm(elements(tape, &node), node.shape);
    if (const T* const gradient = tape.kept_gradient(node)) result.gradient = number_or_norm(gradient, node.shape);
    return result;
}

std::string magnitude_text(double number, const Shape& shape) {
    // Neither a zero (+ 0.0) nor a NaN has a sign to a reader.
    const std::string text = std::isnan(number) ? "nan" : fmt::format("{:.4g}", number + 0.0);
    return shape.size() == 1 ? text : "|" + text + "|";
}

template NodeSummary summary(const Tape<float>&, NodeIndex);
template NodeSummary summary(const Tape<double>&, NodeIndex);

}  // namespace ebb
