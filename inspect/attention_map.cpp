#include <ebb/core/error.hpp>
#include <ebb/inspect/attention_map.hpp>
#include <ebb/inspect/probe_series.hpp>

#include <fmt/format.h>

namespace ebb::inspect {
namespace {

HeatMap empty_map(std::string_view name, std::size_t sequence, std::size_t positions) {
    HeatMap map{
        .title = fmt::format("Where {} looked", name),
        .caption = fmt::format("Each row is a query, each column a position; a row sums to 1. Sequence {} of the "
                               "batch.",
                               sequence),
        .x = {.label = "position"},
        .y = {.label = "query at time step", .reversed = true},
        .value = {.label = "weight", .min = 0, .max = 1},
        .x_at = {},
        .y_at = {},
        .values = {}};
    for (std::size_t s = 0; s < positions; ++s) map.x_at.push_back(static_cast<double>(s));
    return map;
}

void check_sequence(std::size_t sequence, std::size_t batch) {
    if (sequence >= batch)
        fail<IndexError>(fmt::format("attention_map: sequence is {}, the batch has {}: expected 0 to {}", sequence,
                                     batch, batch - 1));
}

template <class T>
void add_row(HeatMap& map, double at, const T* weights) {
    map.y_at.push_back(at);
    map.values.insert(map.values.end(), weights, weights + map.x_at.size());
}

}  // namespace

template <class T>
HeatMap attention_map(const Tape<T>& tape, std::string_view weights, std::size_t sequence) {
    const ProbeSeries series = find_series("attention_map", tape, weights);
    const Shape& shape = tape.node(series.node.front()).shape;
    for (const NodeIndex index : series.node)
        if (tape.node(index).shape != shape || shape.rank() != 2)
            fail<ShapeError>(fmt::format("attention_map: {} is {}: expected [B, S], the same at each step", weights,
                                         to_string(tape.node(index).shape)));
    check_sequence(sequence, shape[0]);
    HeatMap map = empty_map(weights, sequence, shape[1]);
    for (std::size_t k = 0; k < series.steps(); ++k)
        add_row(map, series.time_step[k], tape.node(series.node[k]).value + sequence * shape[1]);
    return map;
}

template <class T>
HeatMap attention_map(const Variable<T>& weights, std::size_t sequence) {
    const Shape& shape = weights.shape();
    if (shape.rank() != 3)
        fail<ShapeError>(fmt::format("attention_map: weights is {}: expected [T, B, S]", to_string(shape)));
    check_sequence(sequence, shape[1]);
    HeatMap map = empty_map(weights.name().empty() ? "attention" : weights.name(), sequence, shape[2]);
    const ArrayView<T> values = weights.value();  // in order, also of a transposed node
    for (std::size_t t = 0; t < shape[0]; ++t)
        add_row(map, static_cast<double>(t), values.data() + (t * shape[1] + sequence) * shape[2]);
    return map;
}

#define EBB_INSTANTIATE(T)                                                         \
    template HeatMap attention_map(const Tape<T>&, std::string_view, std::size_t); \
    template HeatMap attention_map(const Variable<T>&, std::size_t);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb::inspect
