#pragma once
/// Embedding -> recurrent cell -> linear readout: what predicts the next character.

#include <ebb/autograd/operations/indexing.hpp>
#include <ebb/autograd/variable.hpp>
#include <ebb/core/random.hpp>
#include <ebb/layers/embedding.hpp>
#include <ebb/layers/linear.hpp>
#include <ebb/layers/recurrent_layers.hpp>

#include <variant>

#include "gradient_flow/options.hpp"

namespace lab {

/// Shapes: T characters in a sequence, B sequences, V different characters, H hidden units.
///
/// Its probes are called after the cell: "tanh.h", "lstm.h", "lstm.c", "gru.h".
template <class T>
class CharacterModel : public ebb::Module<T> {
  public:
    /// Embedding and readout, of the same sizes for every cell, start from the same numbers for the same seed; so do
    /// models in float and in double, up to rounding.
    CharacterModel(Cell cell, const Options& options, std::size_t alphabet_size);

    // On the tape that is active on this thread; the state before the first character is zeros.

    /// What follows each character: characters [T, B] -> logits [T, B, V].
    ebb::Variable<T> every_logits(const ebb::Indices& characters) const;
    /// What follows the last one: characters [T, B] -> logits [B, V].
    ebb::Variable<T> last_logits(const ebb::Indices& characters) const;

    Cell cell() const noexcept { return cell_; }
    std::size_t hidden_size() const { return weights().hidden_size(); }
    /// The weights of the recurrent cell.
    const ebb::RecurrentBase<T>& weights() const;
    /// Takes over the weights of a model of the same sizes. Throws ebb::ValueError where one of them holds NaN or
    /// infinity, naming it.
    template <class U>
    void copy_weights(const CharacterModel<U>& other);

  private:
    struct Hidden {
        ebb::Variable<T> every;  // [T, B, H]
        ebb::Variable<T> last;   // [1, B, H]
    };
    Hidden run(const ebb::Indices& characters) const;
    void start_recurrent_weights(const Options& options, ebb::Generator& generator);

    Cell cell_;
    std::size_t alphabet_size_;
    ebb::Embedding<T> embedding_;
    std::variant<ebb::RNN<T>, ebb::LSTM<T>, ebb::GRU<T>> recurrent_;
    ebb::Linear<T> readout_;
};

}  // namespace lab
