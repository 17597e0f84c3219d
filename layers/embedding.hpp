#pragma once

#include <ebb/autograd/operations/indexing.hpp>
#include <ebb/autograd/variable.hpp>
#include <ebb/layers/module.hpp>

#include <cstddef>
#include <optional>
#include <string>

namespace ebb {

struct EmbeddingOptions {
    std::size_t num_embeddings;  ///< V, the size of the vocabulary
    std::size_t embedding_dim;   ///< E
    /// The number that stands for "nothing here": its row begins as zeros, and no gradient flows into it.
    std::optional<std::size_t> padding_idx = {};
    std::string name = {};
};

/// A vector for each symbol of a vocabulary (torch.nn.Embedding): y[i, ..] = W[indices[i], ..], with indices of any
/// shape S, each from 0 to V - 1, and y [S.., E]. W is drawn from N(0, 1).
///
/// Indices belong to no tape: the result is recorded on the one that is active on this thread.
/// Throws ValueError at construction for a size of 0, IndexError for a padding_idx that is no row; when called,
/// IndexError, naming the first wrong index and its place, TapeError where no tape is active.
template <class T>
class Embedding : public Module<T> {
  public:
    using Options = EmbeddingOptions;
    explicit Embedding(const Options& options);
    Variable<T> operator()(const Indices& indices, SourceLine at = source_line()) const;

    std::size_t num_embeddings() const { return weight.shape()[0]; }
    std::size_t embedding_dim() const { return weight.shape()[1]; }
    std::optional<std::size_t> padding_idx() const noexcept { return padding_idx_; }

    Parameter<T> weight;  ///< [V, E]

  private:
    std::optional<std::size_t> padding_idx_;
};

}  // namespace ebb
