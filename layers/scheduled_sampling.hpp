#pragma once
/// What a decoder reads while it is trained: the true tokens (teacher forcing), its own (free running), or a mixture
/// that moves from the one to the other (scheduled sampling: Bengio, Vinyals, Jaitly, Shazeer 2015).
///
///     Indices before = ...;  // [B], the token that begins
///     for (std::size_t t = 0; t < T; ++t) {
///         state = decoder(embedding(before), state);
///         logits.push_back(readout(state.h));
///         before = next_inputs(logits.back(), answers, t, truth);
///     }

#include <ebb/autograd/variable.hpp>
#include <ebb/core/array.hpp>
#include <ebb/core/random.hpp>
#include <ebb/layers/generation.hpp>

#include <cstddef>
#include <cstdint>

namespace ebb {

/// The tokens that the step after t reads, [B]: for each sequence the true one, of the answers [T, B] at t, with
/// probability `truth`, else the model's own after its logits [B, V]: the most probable one, or one that is drawn,
/// `{.temperature = 1}`. With a truth of 1 it is teacher forcing, with 0 the model runs free; no gradient flows through
/// the choice. Where an answer is negative, as the padding that a loss ignores, the model's own is taken. Throws
/// ShapeError unless the logits are [B, V] and the answers [T, B], IndexError for a t beyond them, ValueError unless 0
/// <= truth <= 1, and as `sample_token`.
template <class T>
Indices next_inputs(const Variable<T>& logits, const Indices& answers, std::size_t t, double truth,
                    const SamplingOptions& own = {.temperature = 0}, Generator& generator = default_generator());

// How the probability of the true token falls from training step i = 0 on (Bengio et al. 2015, sect. 2.4).

/// max(floor, offset - slope i)
double linear_decay(std::int64_t i, double offset, double slope, double floor = 0);
/// k^i, k < 1
double exponential_decay(std::int64_t i, double k);
/// k / (k + exp(i / k)), k >= 1: near 1 at first, 1/2 at i = k ln k
double inverse_sigmoid_decay(std::int64_t i, double k);

}  // namespace ebb
