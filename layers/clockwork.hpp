#pragma once

#include <ebb/autograd/operations/indexing.hpp>
#include <ebb/autograd/parameter.hpp>
#include <ebb/autograd/source_line.hpp>
#include <ebb/autograd/variable.hpp>
#include <ebb/layers/module.hpp>
#include <ebb/layers/sequence_steps.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace ebb {

struct ClockworkCellOptions {
    std::size_t input_size;
    std::size_t hidden_size;
    std::vector<std::size_t> periods = {1, 2, 4, 8};  ///< T_1 < T_2 < ...: of G modules, H / G units each
    std::string name = {};
};

/// The Clockwork RNN (Koutnik, Greff, Gomez, Schmidhuber 2014): a state whose parts go at different speeds. Module i is
/// computed at the time steps that its period T_i divides, from x and from the modules that are as slow or slower; at
/// all others it stays as it was, and costs nothing:
///
///     h_t^i = tanh(W_ih^i x_t + b^i + sum_{j >= i} W_hh^{ij} h_{t-1}^j)   where t mod T_i = 0
///     h_t^i = h_{t-1}^i                                                   elsewhere
///
/// Modules stand in the order of their periods, the fastest first, and W_hh is upper triangular by blocks: what stands
/// below is 0, never used, and gets no gradient. A slow module's gradient goes back over a whole period unchanged.
///
/// In a loop the cell is told the time step; a layer, Recurrent<ClockworkCell<T>>, does so by itself, and
/// `first_time_step` lets the clocks go on from chunk to chunk:
///
///     const Recurrent<ClockworkCell<double>> layer({.input_size = 1, .hidden_size = 32});
///
/// Weights are drawn from U(-1/sqrt(H), 1/sqrt(H)). Throws ValueError at construction for a size of 0, for periods that
/// are not rising from at least 1, and where they do not divide the units; ShapeError where x or h does not fit.
template <class T>
class ClockworkCell : public Module<T> {
  public:
    using Options = ClockworkCellOptions;
    explicit ClockworkCell(const Options& options);
    /// x [B, I], h [B, H] or left out for zeros.
    Variable<T> operator()(const Variable<T>& x, const Variable<T>& h, std::int32_t time_step,
                           SourceLine at = source_line()) const;

    std::size_t hidden_size() const noexcept { return options_.hidden_size; }
    const std::vector<std::size_t>& periods() const noexcept { return options_.periods; }

    Parameter<T> weight_ih;  ///< [H, I]
    Parameter<T> weight_hh;  ///< [H, H]
    Parameter<T> bias;       ///< [H]

  private:
    Options options_;
    StepOwner owner_;
};

/// The time steps after every k-th of T, k - 1, 2 k - 1, ...: where a head that looks at a state every k steps looks.
///
///     const auto slow = slow_readout(index_select(output, every(3, T)));  // [T / 3, B, ..]
///
/// Throws ValueError for a k of 0.
Indices every(std::size_t k, std::size_t T);

}  // namespace ebb
