#pragma once
/// Embedding (of symbols; numbers go in as they are) -> recurrent cell -> linear readout.

#include <ebb/autograd/operations/indexing.hpp>
#include <ebb/autograd/variable.hpp>
#include <ebb/core/random.hpp>
#include <ebb/layers/embedding.hpp>
#include <ebb/layers/linear.hpp>
#include <ebb/layers/recurrent_layers.hpp>

#include <optional>
#include <variant>

#include "gradient_flow/options.hpp"
#include "gradient_flow/task.hpp"

namespace lab {

/// Shapes: T steps in a sequence, B sequences, I numbers that go in at a step, O outputs, H hidden units.
///
/// Its probes are called after the cell: "tanh.h", "lstm.h", "lstm.c", "gru.h".
template <class T>
class SequenceModel : public ebb::Module<T> {
  public:
    /// Embedding and readout, of the same sizes for every cell, start from the same numbers for the same seed; so do
    /// models in float and in double, up to rounding.
    SequenceModel(Cell cell, const Options& options, const Ports& ports);

    // On the tape that is active on this thread; the state before the first step is zeros.

    /// The outputs at the steps that have a target: [K, B, O].
    ebb::Variable<T> outputs(const Batch& batch) const;
    /// The outputs at the last step alone: [B, O].
    ebb::Variable<T> last_outputs(const Batch& batch) const;

    Cell cell() const noexcept { return cell_; }
    const Ports& ports() const noexcept { return ports_; }
    std::size_t hidden_size() const { return weights().hidden_size(); }
    /// The weights of the recurrent cell.
    const ebb::RecurrentBase<T>& weights() const;
    /// Takes over the weights of a model of the same sizes. Throws ebb::ValueError where one of them holds NaN or
    /// infinity, naming it.
    template <class U>
    void copy_weights(const SequenceModel<U>& other);

  private:
    struct Hidden {
        ebb::Variable<T> every;  // [T, B, H]
        ebb::Variable<T> last;   // [1, B, H]
    };
    Hidden run(const Batch& batch) const;
    ebb::Variable<T> input(const Batch& batch) const;  // [T, B, I]
    void start_recurrent_weights(const Options& options, ebb::Generator& generator);

    Cell cell_;
    Ports ports_;
    std::optional<ebb::Embedding<T>> embedding_;  // of symbols
    std::variant<ebb::RNN<T>, ebb::LSTM<T>, ebb::GRU<T>> recurrent_;
    ebb::Linear<T> readout_;
};

}  // namespace lab
