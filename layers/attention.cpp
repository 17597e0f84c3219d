#include <ebb/autograd/node.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/random.hpp>
#include <ebb/layers/attention.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

namespace ebb {
namespace {

Shape shape_of(const Mask& mask) {
    return Shape::of(mask.shape());
}

/// A mask left out. (A default array has no axis, and one element.)
bool is_given(const Mask& mask) {
    return mask.dimension() > 0;
}

/// Row-major elements of `mask`, broadcast to `shape`, as `combine(at, element)` for each.
template <class Combine>
void for_each_broadcast(const Mask& mask, const Shape& shape, Combine combine) {
    const Shape own = shape_of(mask);
    const std::size_t missing = shape.rank() - own.rank();
    for (std::size_t flat = 0; flat < shape.size(); ++flat) {
        std::size_t rest = flat, at = 0, stride = 1;
        for (std::size_t axis = shape.rank(); axis-- > missing;) {
            const std::size_t index = rest % shape[axis];
            rest /= shape[axis];
            if (own[axis - missing] != 1) at += index * stride;
            stride *= own[axis - missing];
        }
        combine(flat, mask.data()[at]);
    }
}

}  // namespace

Mask length_mask(const std::vector<std::size_t>& lengths, std::size_t S) {
    Mask mask = Mask::from_shape({lengths.size(), S});
    for (std::size_t b = 0; b < lengths.size(); ++b) {
        if (lengths[b] > S)
            fail<ValueError>(fmt::format("length_mask: length {} is {}: expected 0 to {}", b, lengths[b], S));
        for (std::size_t s = 0; s < S; ++s) mask(b, s) = s < lengths[b];
    }
    return mask;
}

Mask causal_mask(std::size_t T, Causal which) {
    Mask mask = Mask::from_shape({T, T});
    for (std::size_t t = 0; t < T; ++t)
        for (std::size_t s = 0; s < T; ++s) mask(t, s) = which == Causal::past ? s < t : s <= t;
    return mask;
}

template <class T>
Variable<T> masked_softmax(const Variable<T>& x, const Mask& mask, SourceLine at) {
    const CalledFrom call(at);
    const Shape& shape = x.shape();
    const auto does_not_fit = [&](const char* expected) {
        fail<ShapeError>(fmt::format("masked_softmax: mask is {}, x is {}: expected {}", to_string(shape_of(mask)),
                                     to_string(shape), expected));
    };
    if (shape.rank() == 0) does_not_fit("x to have an axis");
    if (!broadcasts_to(shape_of(mask), shape)) does_not_fit("the mask to broadcast to x");
    Tape<T>& tape = x.tape();
    const std::size_t S = shape.back();
    T* const open = tape.allocate(shape.size());
    for_each_broadcast(mask, shape, [&](std::size_t place, bool element) { open[place] = T(element); });

    // Of a row that is all masked, the softmax is that of zeros, which is finite, and then put out as a whole.
    T* const some = tape.allocate(shape.size());
    bool any_empty = false;
    for (std::size_t row = 0; row * S < shape.size(); ++row) {
        const bool empty = std::none_of(open + row * S, open + (row + 1) * S, [](T element) { return element != 0; });
        any_empty = any_empty || empty;
        std::fill_n(some + row * S, S, T(!empty));
    }
    const Variable<T> is_open = tape.constant(open, shape);
    const Variable<T> scores = where(is_open, x, -std::numeric_limits<T>::infinity());
    if (!any_empty) return softmax(scores, -1);
    const Variable<T> has_some = tape.constant(some, shape);
    return where(has_some, softmax(where(has_some, scores, T(0)), -1), T(0));
}

template <class T>
Attention<T>::Attention(const Options& options)
    : Module<T>("Attention", options.name), options_(options), owner_(new_step_owner()) {
    const std::size_t Q = options.query_size, K = options.key_size;
    if (Q == 0 || K == 0)
        fail<ValueError>(
            fmt::format("{}: query_size is {}, key_size is {}: expected at least 1 each", this->display_name(), Q, K));
    const auto add = [&](const char* name, const Shape& shape) {
        const double bound = 1 / std::sqrt(static_cast<double>(shape.back()));
        return this->register_parameter(name, uniform<T>(shape, -bound, bound));
    };
    switch (options.score) {
        case AttentionScore::dot:
        case AttentionScore::scaled_dot:
            if (Q != K)
                fail<ValueError>(
                    fmt::format("{}: query_size is {}, key_size is {}: expected equal sizes for a dot "
                                "product; AttentionScore::general takes any",
                                this->display_name(), Q, K));
            break;
        case AttentionScore::general:
            weight = add("weight", {Q, K});
            break;
        case AttentionScore::additive:
            if (options_.hidden_size == 0) options_.hidden_size = Q;
            weight_query = add("weight_query", {options_.hidden_size, Q});
            weight_key = add("weight_key", {options_.hidden_size, K});
            weight_score = add("weight_score", {options_.hidden_size});
    }
}

template <class T>
AttentionMemory<T> Attention<T>::remember(const Variable<T>& keys, const std::vector<std::size_t>& lengths,
                                          const Variable<T>& given, SourceLine at) const {
    const CalledFrom call(at);
    const Variable<T>& values = given.defined() ? given : keys;
    const ErrorContext context(this->name(), "Attention");
    const Shape &k = keys.shape(), &v = values.shape();
    if (k.rank() != 3 || k.back() != options_.key_size)
        fail<ShapeError>(fmt::format("Attention: keys is {}: expected [S, B, K] with {} as the last extent",
                                     to_string(k), options_.key_size));
    if (k[0] == 0) fail<ShapeError>(fmt::format("Attention: keys is {}: S is 0, expected at least one", to_string(k)));
    if (v.rank() != 3 || v[0] != k[0] || v[1] != k[1])
        fail<ShapeError>(fmt::format("Attention: values is {}, keys is {}: expected [S, B, V] with the same S and B",
                                     to_string(v), to_string(k)));
    if (!lengths.empty() && lengths.size() != k[1])
        fail<ShapeError>(fmt::format("Attention: there are {} lengths, keys is {}: expected {}, one for each sequence",
                                     lengths.size(), to_string(k), k[1]));
    Tape<T>& tape = keys.tape();
    tape.check("Attention", values);
    AttentionMemory<T> memory;
    if (!lengths.empty()) memory.mask = length_mask(lengths, k[0]);
    Variable<T> projected = keys;
    if (options_.score == AttentionScore::general) projected = linear(keys, tape.use(weight));       // W k
    if (options_.score == AttentionScore::additive) projected = linear(keys, tape.use(weight_key));  // U k
    projected = transpose(projected, 0, 1);                                                          // [B, S, .]
    memory.keys = options_.score == AttentionScore::additive ? projected : transpose(projected, 1, 2);
    memory.values = transpose(values, 0, 1);
    return memory;
}

template <class T>
AttentionResult<T> Attention<T>::operator()(const Variable<T>& query, const AttentionMemory<T>& memory,
                                            const Mask& mask, SourceLine at) const {
    const CalledFrom call(at);
    const ErrorContext context(this->name(), "Attention");
    if (!memory.values.defined()) fail<ValueError>("Attention: the memory is empty: expected one from remember()");
    const std::size_t B = memory.values.shape()[0], S = memory.values.shape()[1];
    const Shape& q = query.shape();
    const bool single = q.rank() == 2;
    if ((q.rank() != 2 && q.rank() != 3) || q.back() != options_.query_size || q[q.rank() - 2] != B)
        fail<ShapeError>(fmt::format("Attention: query is {}: expected [B, Q] or [T, B, Q] with B = {} and Q = {}",
                                     to_string(q), B, options_.query_size));
    const std::size_t steps = single ? 1 : q[0];
    if (is_given(mask)) {
        const Shape m = shape_of(mask);
        if (single && m != Shape{B, S})
            fail<ShapeError>(
                fmt::format("Attention: mask is {}: expected [B, S], {}", to_string(m), to_string(Shape{B, S})));
        if (!single && m != Shape{steps, S} && m != Shape{steps, B, S})
            fail<ShapeError>(fmt::format("Attention: mask is {}: expected [T, S], {}, or [T, B, S], {}", to_string(m),
                                         to_string(Shape{steps, S}), to_string(Shape{steps, B, S})));
    }
    Tape<T>& tape = query.tape();
    tape.check("Attention", memory.keys);

    const Variable<T> queries = single ? unsqueeze(query, 1) : transpose(query, 0, 1);  // [B, T, Q]
    Variable<T> scores;                                                                 // [B, T, S]
    if (options_.score == AttentionScore::additive) {
        // v' tanh(W q_t + U k_s), of all pairs [B, T, S, A]
        const Variable<T> from_query = unsqueeze(linear(queries, tape.use(weight_query)), 2);
        scores = matmul(tanh(from_query + unsqueeze(memory.keys, 1)), tape.use(weight_score));
    } else {
        scores = matmul(queries, memory.keys);
        if (options_.score == AttentionScore::scaled_dot)
            scores = scores / std::sqrt(static_cast<T>(options_.key_size));
    }

    Variable<T> weights;  // [B, T, S]
    if (!is_given(mask) && !is_given(memory.mask)) {
        weights = softmax(scores, -1);
    } else {
        Mask all = Mask::from_shape({B, steps, S});
        const bool by_sequence = single || mask.dimension() == 3;
        for (std::size_t b = 0; b < B; ++b)
            for (std::size_t t = 0; t < steps; ++t)
                for (std::size_t s = 0; s < S; ++s) {
                    const bool given = !is_given(mask) || mask.data()[(by_sequence ? t * B + b : t) * S + s];
                    all(b, t, s) = given && (!is_given(memory.mask) || memory.mask(b, s));
                }
        weights = masked_softmax(scores, all);
    }

    // What the user sees is what the context is computed from, so that its gradient is the whole one.
    weights = single ? squeeze(weights, 1) : transpose(weights, 0, 1);
    weights.named(this->probe_name("weights"));
    if (weights.requires_grad()) weights.retain_grad();
    if (single) {
        Node<T>& node = weights.node();
        node.probe = true;
        node.step_owner = owner_;
        node.time_step = std::max(query.time_step(), std::int32_t{0});
    }
    const Variable<T> contexts = matmul(single ? unsqueeze(weights, 1) : transpose(weights, 0, 1), memory.values);
    return {single ? squeeze(contexts, 1) : transpose(contexts, 0, 1), weights};
}

template class Attention<float>;
template class Attention<double>;
template Variable<float> masked_softmax(const Variable<float>&, const Mask&, SourceLine);
template Variable<double> masked_softmax(const Variable<double>&, const Mask&, SourceLine);

}  // namespace ebb
