#pragma once

#include <ebb/autograd/parameter.hpp>
#include <ebb/autograd/variable.hpp>
#include <ebb/layers/module.hpp>
#include <ebb/layers/recurrent_step.hpp>

#include <limits>
#include <string>

namespace ebb {

/// What RNN, LSTM and GRU have in common, as cells and as layers: the weights of one cell, in PyTorch's layout.
template <class T>
class RecurrentBase : public Module<T> {
  public:
    Parameter<T> weight_ih;  ///< [G H, I], gate after gate
    Parameter<T> weight_hh;  ///< [G H, H]
    Parameter<T> bias_ih;    ///< [G H]; undefined without bias
    Parameter<T> bias_hh;    ///< [G H]; undefined without bias

    std::size_t input_size() const noexcept { return input_size_; }
    std::size_t hidden_size() const noexcept { return hidden_size_; }
    CellKind kind() const noexcept { return kind_; }

  protected:
    /// `suffix` goes behind the names of the parameters: "_l0" for a layer.
    /// All weights are drawn from U(-1/sqrt(H), 1/sqrt(H)), as PyTorch does.
    /// Throws ValueError for a size of 0.
    RecurrentBase(std::string type, std::string name, CellKind kind, std::size_t input_size, std::size_t hidden_size,
                  bool bias, Granularity granularity, const std::string& suffix);

    /// One step, the checks before it, and the names after it. `h` and `c` may be undefined: zeros.
    RecurrentResult<T> run_step(const Variable<T>& x, Variable<T> h, Variable<T> c) const;
    /// All steps of x [T, B, I]; h and c are [1, B, H] or undefined.
    RecurrentResult<T> run_sequence(const Variable<T>& x, Variable<T> h, Variable<T> c) const;

  private:
    void check_width(const char* operand, const Variable<T>& x, std::size_t rank, const char* expected) const;
    /// Every state is checked before anything is recorded, so that after an error the tape is as before.
    void check_state(const char* operand, const Variable<T>& given, const Variable<T>& x, const Shape& expected) const;
    RecurrentWeights<T> weights_on(Tape<T>& tape) const;
    const StepLabels& labels() const;

    CellKind kind_;
    std::size_t input_size_;
    std::size_t hidden_size_;
    Granularity granularity_;
    mutable StepLabels labels_;
    mutable std::size_t labels_version_ = std::numeric_limits<std::size_t>::max();  // of no name: not made yet
};

extern template class RecurrentBase<float>;
extern template class RecurrentBase<double>;

}  // namespace ebb
