#pragma once
/// Embedding -> LSTM -> linear readout: a model that reads characters and predicts the next one.

#include <ebb/autograd/operations/indexing.hpp>
#include <ebb/layers/embedding.hpp>
#include <ebb/layers/linear.hpp>
#include <ebb/layers/recurrent_layers.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace characters {

/// T characters in a sequence, B sequences, V different characters, E numbers for each, H hidden units.
class Model : public ebb::Module<float> {
  public:
    Model(std::size_t alphabet_size, std::size_t embedding_size, std::size_t hidden_size);

    struct Prediction {
        ebb::Variable<float> logits;  ///< [T, B, V]: what follows each character
        ebb::LSTMState<float> state;  ///< after the last one
    };
    /// characters [T, B], on the tape that is active on this thread.
    Prediction operator()(const ebb::Indices& characters, const ebb::LSTMState<float>& state = {}) const;

    std::size_t alphabet_size() const { return embedding_.num_embeddings(); }

    /// Zeros for the embeddings of characters that a text does not have. Training on that text never touches them: they
    /// would stay the noise that they were drawn as, and drive the state wherever such a character stands.
    void clear_unseen(const std::vector<std::int64_t>& text) const;
    const ebb::Embedding<float>& embedding() const { return embedding_; }

  private:
    ebb::Embedding<float> embedding_;
    ebb::LSTM<float> lstm_;
    ebb::Linear<float> readout_;
};

}  // namespace characters
