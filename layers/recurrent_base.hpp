#pragma once

#include <ebb/autograd/parameter.hpp>
#include <ebb/autograd/variable.hpp>
#include <ebb/layers/module.hpp>
#include <ebb/layers/recurrent_step.hpp>
#include <ebb/layers/sequence_steps.hpp>

#include <string>

namespace ebb {

/// What RNNCell, LSTMCell and GRUCell have in common: weights in PyTorch's layout, and their steps.
/// G: the number of gates; P: the width of h, which is H unless an LSTM projects it.
template <class T>
class RecurrentBase : public Module<T> {
  public:
    Parameter<T> weight_ih;  ///< [G H, I], gate after gate
    Parameter<T> weight_hh;  ///< [G H, P]
    Parameter<T> bias_ih;    ///< [G H]; undefined without bias
    Parameter<T> bias_hh;    ///< [G H]; undefined without bias
    Parameter<T> weight_hr;  ///< [P, H]; undefined without projection
    Parameter<T> weight_ch;  ///< [3, H], rows i f o; undefined without peepholes

    std::size_t input_size() const noexcept { return sizes_.input; }
    std::size_t hidden_size() const noexcept { return sizes_.hidden; }
    CellKind kind() const noexcept { return kind_; }

    // For layers.

    /// The width of a part of the state, h or c.
    std::size_t state_size(std::size_t part) const noexcept { return part == 0 ? sizes_.state : sizes_.hidden; }
    /// Which weight takes x: "weight_ih_l0 is [80, 10]".
    std::string takes() const;
    /// All steps of sequences. Shapes are the caller's to check.
    CellOutput<T> run_sequence(const CellInput<T>& input) const;

  protected:
    struct Sizes {
        std::size_t input, hidden;
        std::size_t projected = 0;  // 0: none
        std::size_t state = 0;      // the width of h
    };
    struct Form {
        bool bias = true;
        bool peepholes = false;
        Granularity granularity = Granularity::fused;
        Activation<T> activation = nullptr;
    };
    /// `suffix` goes behind the names of the parameters: "_l0" for a layer.
    /// All weights are drawn from U(-1/sqrt(H), 1/sqrt(H)), as PyTorch does.
    /// Throws ValueError for a size of 0.
    RecurrentBase(std::string type, std::string name, CellKind kind, const Sizes& sizes, Form form,
                  const std::string& suffix);

    /// One step, the checks before it, and the names after it. `h` and `c` may be undefined: zeros.
    RecurrentResult<T> run_step(const Variable<T>& x, Variable<T> h, Variable<T> c) const;

  private:
    RecurrentWeights<T> weights_on(Tape<T>& tape) const;
    const StepLabels& labels() const;

    CellKind kind_;
    Sizes sizes_;
    Granularity granularity_;
    Activation<T> activation_;
    mutable StepLabels labels_;
    mutable std::size_t labels_version_ = Module<T>::no_name_version;
};

}  // namespace ebb
