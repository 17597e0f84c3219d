#pragma once
/// Cells over padded batches of sequences, layer above layer and in both directions: what `Recurrent<Cell>` and with it
/// RNN, LSTM and GRU are, apart from their cells.

#include <ebb/autograd/parameter.hpp>
#include <ebb/autograd/variable.hpp>
#include <ebb/layers/module.hpp>
#include <ebb/layers/sequence_steps.hpp>

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <string>
#include <vector>

namespace ebb {

/// Where a layer begins when no state is given.
enum class InitialState {
    zeros,
    learned,  ///< h_0 = b_0: a parameter h_0 [L D, 1, H] (and c_0), the same for every sequence, zeros at first
};

struct RecurrentLayerOptions {
    std::size_t input_size;
    std::size_t hidden_size;
    std::size_t num_layers = 1;  ///< each takes the output of the one below
    bool bidirectional = false;  ///< a second cell runs from the end to the beginning; outputs stand side by side
    bool batch_first = false;    ///< x and output are [B, T, ..]; states are not
    double dropout = 0;          ///< of the output of every layer but the last, in training mode
    InitialState initial_state = InitialState::zeros;
    std::string name = "recurrent";
};

/// How long each sequence of a batch is: any range of integers.
class Lengths {
  public:
    Lengths() = default;
    Lengths(std::initializer_list<std::int64_t> lengths) : values_(lengths), given_(true) {}
    template <class R>
    requires std::integral<typename R::value_type> &&(!std::same_as<R, Lengths>)Lengths(const R& lengths)
        : given_(true) {  // NOLINT(google-explicit-constructor): `.lengths = lengths`
        for (const auto length : lengths) values_.push_back(static_cast<std::int64_t>(length));
    }
    bool given() const noexcept { return given_; }
    const std::vector<std::int64_t>& values() const noexcept { return values_; }

  private:
    std::vector<std::int64_t> values_;
    bool given_ = false;
};

/// What may be said of a call.
struct SequenceOptions {
    /// The sequences are padded: only the first lengths[b] steps of sequence b are read. In any order, 0 to T. Each
    /// gives what it would give alone; the output is 0 at the padding, and the final state is that of its own last
    /// step. Sorted, the longest first, nothing has to be put in order.
    Lengths lengths = {};
    /// What the first step is called, where a sequence comes in parts.
    std::int32_t first_time_step = 0;
};

template <class T>
struct StackOutput {
    Variable<T> output;    ///< [T, B, D H], or [B, T, D H] with batch_first
    StateParts<T> states;  ///< [L D, B, H] each
};

/// The layer without its cells.
template <class T>
class RecurrentStack : public Module<T> {
  public:
    std::size_t input_size() const noexcept { return options_.input_size; }
    std::size_t hidden_size() const noexcept { return options_.hidden_size; }
    std::size_t num_layers() const noexcept { return options_.num_layers; }
    bool bidirectional() const noexcept { return options_.bidirectional; }
    bool batch_first() const noexcept { return options_.batch_first; }
    /// D: 2 in both directions, else 1.
    std::size_t directions() const noexcept { return options_.bidirectional ? 2 : 1; }
    /// D times the width of h.
    std::size_t output_size() const noexcept { return directions() * parts_.front().size; }

  protected:
    struct StatePart {
        std::string name;  ///< "h": its probe is "encoder.h"
        std::size_t size;
    };
    using RunCell = std::function<CellOutput<T>(std::size_t cell, const CellInput<T>& input)>;

    /// Throws ValueError for a size or a number of layers of 0, and for a dropout outside of 0 to 1.
    RecurrentStack(std::string type, const RecurrentLayerOptions& options);

    /// To be called when the cells are there. `takes` says in errors which weight takes x: "weight_ih_l0 is [80, 10]".
    void set_state(std::vector<StatePart> parts, const std::string& takes = {});
    /// What distinguishes cell k in names: "_l0", "_l0_reverse", "_l1", ...
    std::string suffix(std::size_t cell) const;
    /// Its number of inputs, given the width of h.
    std::size_t inputs_of(std::size_t cell, std::size_t width) const;
    std::size_t cell_count() const noexcept { return options_.num_layers * directions(); }

    /// Everything is checked before anything is recorded.
    StackOutput<T> run(const Variable<T>& x, const StateParts<T>& given, const SequenceOptions& options,
                       const RunCell& run_cell) const;

  private:
    struct Extents {
        std::size_t steps, batch;
    };
    Extents check_input(const Variable<T>& x) const;
    void check_states(const Variable<T>& x, const StateParts<T>& given, std::size_t batch) const;
    std::vector<std::size_t> check_lengths(const Variable<T>& x, const Lengths& lengths, const Extents& extents) const;
    void update_labels() const;

    RecurrentLayerOptions options_;
    std::vector<StatePart> parts_;
    std::vector<Parameter<T>> initial_;  // learned ones, of each part
    std::string takes_;
    mutable std::vector<SequenceLabels> labels_;
    mutable std::size_t labels_version_ = Module<T>::no_name_version;
};

}  // namespace ebb
