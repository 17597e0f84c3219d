#pragma once
/// How probable a sequence is to a model that predicts one token from those before it.

#include <ebb/autograd/operations/indexing.hpp>
#include <ebb/autograd/variable.hpp>

#include <cstddef>
#include <cstdint>

namespace ebb {

/// log p(y) = sum_t log p(y_t | y_0, ..., y_{t-1}), the chain rule, for each sequence of a batch, in nats: logits
/// [T, B, V], of which row t was computed from what stands before y_t, and targets y [T, B] -> [B]. Tokens with the
/// target `ignore_index` have no part: the padding of shorter sequences. Differentiable.
/// Throws ShapeError and IndexError as cross_entropy.
template <class T>
Variable<T> sequence_log_likelihood(const Variable<T>& logits, const Indices& targets, std::int64_t ignore_index = -100,
                                    SourceLine at = source_line());

/// e^nats, for a mean cross entropy in nats a token: among how many tokens, all equally likely, the model is as
/// undecided.
double perplexity(double nats);
/// nats / ln 2: what each token costs in an ideal code; of characters, the bits per character.
double bits(double nats);

/// The likelihood of a text that comes in pieces, summed in double.
///
///     LogLikelihood total;
///     for (...) total.add(logits, targets);
///     fmt::print("{:.2f} bits per character\n", total.bits_per_token());
class LogLikelihood {
  public:
    /// logits [.., V], targets of its leading shape; those with the target `ignore_index` do not count.
    /// Throws ShapeError and IndexError as cross_entropy, and ValueError for a logit that is NaN, +infinity, or where
    /// all of a row are -infinity; the sum is then as before.
    template <class T>
    void add(const Variable<T>& logits, const Indices& targets, std::int64_t ignore_index = -100);

    double nats() const noexcept { return nats_; }  ///< log p of all tokens together: not positive
    std::size_t tokens() const noexcept { return tokens_; }
    /// -log2 p a token. Throws ValueError before the first one, as perplexity() does.
    double bits_per_token() const;
    double perplexity() const;

  private:
    double mean(const char* call) const;
    double nats_ = 0;
    std::size_t tokens_ = 0;
};

}  // namespace ebb
