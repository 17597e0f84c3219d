#pragma once
/// Attention: a weighted mean of many states, with weights that a query decides.
///
///     Attention<double> attention({.score = AttentionScore::additive, .query_size = 8, .key_size = 16});
///     const auto memory = attention.remember(encoder_states, lengths);           // [S, B, 16], once
///     const auto [context, weights] = attention(decoder_state, memory);          // [B, 8] -> [B, 16], [B, S]
///
/// Letters: S positions that are looked at, T queries, B sequences; Q, K, V the sizes of a query, a key and a value, A
/// that of the hidden layer of an additive score. Time comes first, as in the recurrent layers.

#include <ebb/autograd/parameter.hpp>
#include <ebb/autograd/variable.hpp>
#include <ebb/core/array.hpp>
#include <ebb/layers/module.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace ebb {

/// Where attention may look: true takes part, false does not.
using Mask = Array<bool>;

/// [B, S], true at the first lengths[b] positions of row b. Throws ValueError for a length above S.
Mask length_mask(const std::vector<std::size_t>& lengths, std::size_t S);

enum class Causal {
    past_and_present,  ///< s <= t
    past,              ///< s < t: the first query sees nothing
};
/// [T, T], true where query t may see position s.
Mask causal_mask(std::size_t T, Causal which = Causal::past_and_present);

/// softmax over the last axis, of the elements whose mask is true; the others are exactly 0, and no gradient flows
/// through them, whatever their value. A row without any true element is all zeros. The mask broadcasts to the shape of
/// x. Throws ShapeError where it does not, and for an x without axes.
template <class T>
Variable<T> masked_softmax(const Variable<T>& x, const Mask& mask, SourceLine at = source_line());

/// How well a key fits a query: score(q, k).
enum class AttentionScore {
    dot,         ///< q'k (Luong, Pham, Manning 2015, eq. 8); Q = K
    scaled_dot,  ///< q'k / sqrt(K) (Vaswani et al. 2017, eq. 1): keeps the softmax soft where K is large
    general,     ///< q'W k (Luong 2015)
    additive,    ///< v' tanh(W q + U k) (Bahdanau, Cho, Bengio 2015, appendix A.1.2)
};

struct AttentionOptions {
    AttentionScore score = AttentionScore::scaled_dot;
    std::size_t query_size;       ///< Q
    std::size_t key_size;         ///< K
    std::size_t hidden_size = 0;  ///< A, of an additive score; 0 for Q
    std::string name = "attention";
};

/// What an attention looks at, prepared for many queries.
template <class T>
struct AttentionMemory {
    Variable<T> keys;    ///< [B, Q, S] or, for an additive score, [B, S, A]: as far as they do not depend on a query
    Variable<T> values;  ///< [B, S, V]
    Mask mask;           ///< [B, S], or of no axis: everything
};

template <class T>
struct AttentionResult {
    Variable<T> context;  ///< [B, V] or [T, B, V]: sum_s weights_s value_s
    Variable<T> weights;  ///< [B, S] or [T, B, S]: softmax over s of the scores
};

/// weights = softmax_s score(q, k_s), context = sum_s weights_s v_s.
///
/// Masked positions have weight exactly 0, and no gradient. Where a query may look nowhere, as the first of a causal
/// mask of the past or a sequence of length 0, its weights and its context are 0.
///
/// The weights are named after the module, "attention.weights", and keep their gradient; those of one query are a probe
/// with the time step of its state, so that `inspect` finds them. Parameters are drawn from U(-1/sqrt(n), 1/sqrt(n)),
/// n the size of what they multiply.
///
/// Throws ValueError at construction for a size of 0, and where Q != K for dot and scaled_dot; ShapeError when called,
/// where something does not fit, before anything is recorded.
template <class T>
class Attention : public Module<T> {
  public:
    using Options = AttentionOptions;
    explicit Attention(const Options& options);

    /// keys [S, B, K]. `lengths`: how many positions each sequence has; all S where it is empty. `values` [S, B, V], or
    /// undefined for the keys themselves. Throws ShapeError where shapes or the number of lengths do not fit,
    /// ValueError for a length above S.
    AttentionMemory<T> remember(const Variable<T>& keys, const std::vector<std::size_t>& lengths = {},
                                const Variable<T>& values = {}, SourceLine at = source_line()) const;

    /// One query for each sequence, [B, Q], or T of them, [T, B, Q]. `mask`, besides that of the lengths: [B, S] for
    /// one query, [T, S] or [T, B, S] for T.
    AttentionResult<T> operator()(const Variable<T>& query, const AttentionMemory<T>& memory, const Mask& mask = {},
                                  SourceLine at = source_line()) const;

    AttentionScore score() const noexcept { return options_.score; }

    Parameter<T> weight;        ///< [Q, K], general: W
    Parameter<T> weight_query;  ///< [A, Q], additive: W
    Parameter<T> weight_key;    ///< [A, K], additive: U
    Parameter<T> weight_score;  ///< [A], additive: v

  private:
    Options options_;
    std::uint32_t owner_;  // of its probes
};

}  // namespace ebb
